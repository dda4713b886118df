//! Registries and groups against the ends of those who are in them.

use super::{explore, kill, thread};
use crate::{ExitReason, Groups, Registry};

#[test]
fn a_dead_process_holds_no_key() {
    explore(["registered first", "dead already", "ended first"], |world| {
        let registry = Registry::<u8, ()>::unique_on(&world.node);
        let (mut a, mut b) = (world.puppet::<()>(), world.puppet::<()>());
        let pid = a.pid;
        let killing = thread::spawn({
            let (node, registry) = (world.node.clone(), registry.clone());
            move || {
                node.signal(None, pid, kill());
                assert_eq!(registry.whereis(&1), None, "found though it is dead");
            }
        });
        let result = a.does({
            let registry = registry.clone();
            move || registry.register(1, ())
        });
        killing.join().unwrap();
        a.poll();
        assert_eq!(a.reason(), Some(ExitReason::Killed));
        match result {
            Some(Ok(())) => world.saw("registered first"),
            Some(Err(_)) => world.saw("dead already"),
            None => world.saw("ended first"),
        }
        assert_eq!(registry.count(), 0);
        let heir = b.does({
            let registry = registry.clone();
            move || registry.register(1, ())
        });
        assert_eq!(heir, Some(Ok(())));
        assert_eq!(registry.whereis(&1), Some(b.pid));
        drop(b);
        // In the end nothing may hold the processes, though the registry goes on.
        world.keep(registry);
    });
}

#[test]
fn of_two_that_register_one_key_one_wins() {
    explore(["one", "the other"], |world| {
        let registry = Registry::<u8, ()>::unique_on(&world.node);
        let (mut a, mut b) = (world.puppet::<()>(), world.puppet::<()>());
        let (one, other) = (a.pid, b.pid);
        let registering = thread::spawn({
            let registry = registry.clone();
            move || {
                let won = b.does(move || registry.register(1, ())).unwrap().is_ok();
                (b, won)
            }
        });
        let won = a.does({
            let registry = registry.clone();
            move || registry.register(1, ())
        });
        let (b, other_won) = registering.join().unwrap();
        let won = won.unwrap().is_ok();
        assert_ne!(won, other_won);
        assert_eq!(registry.whereis(&1), Some(if won { one } else { other }));
        world.saw(if won { "one" } else { "the other" });
        drop((a, b));
        world.keep(registry);
    });
}

#[test]
fn a_dead_process_is_in_no_group() {
    explore(["joined first", "refused"], |world| {
        let groups = Groups::<u8, ()>::on(&world.node);
        let mut a = world.puppet::<()>();
        let joining = thread::spawn({
            let (groups, subject) = (groups.clone(), a.subject.clone());
            move || groups.join(1, &subject).is_ok()
        });
        a.ends(ExitReason::Shutdown);
        assert_eq!(groups.members(&1), []);
        world.saw(if joining.join().unwrap() { "joined first" } else { "refused" });
        assert_eq!(groups.which_groups(), []);
        world.keep(groups);
    });
}
