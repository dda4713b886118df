//! Those who watch all processes of a node: what several threads have to tell is told, and in order.

use super::{explore, thread};
use crate::{ExitReason, LifeEvent, Name, Pid};

#[test]
fn all_that_happens_at_once_is_told_and_of_each_process_in_order() {
    explore(["one first", "the other first", "by turns"], |world| {
        let mut watcher = world.puppet::<LifeEvent>();
        let (mut a, mut b) = (world.puppet::<()>(), world.puppet::<()>());
        let (one, other) = (a.pid, b.pid);
        world.node.register(one, Name::<()>::fixed("one")).unwrap();
        world.node.register(other, Name::<()>::fixed("other")).unwrap();
        drop(world.node.life_events(&watcher.subject).unwrap());
        let ending = thread::spawn(move || b.ends(ExitReason::Shutdown));
        a.ends(ExitReason::Shutdown);
        ending.join().unwrap();

        let told: Vec<_> = watcher.messages().iter().map(described).collect();
        for pid in [one, other] {
            let of_it: Vec<_> = told.iter().filter(|(of, _)| *of == pid).map(|(_, what)| *what).collect();
            assert_eq!(of_it, ["unregistered", "exited"], "{told:?}");
        }
        let order = told.iter().map(|(pid, _)| *pid).collect::<Vec<_>>();
        world.saw(match order {
            order if order[..2] == [one, one] => "one first",
            order if order[..2] == [other, other] => "the other first",
            _ => "by turns",
        });
        // Else it would go on to watch those of other models.
        watcher.ends(ExitReason::Normal);
    });
}

fn described(event: &LifeEvent) -> (Pid, &'static str) {
    match event {
        LifeEvent::Unregistered { pid, .. } => (*pid, "unregistered"),
        LifeEvent::Exited { pid, .. } => (*pid, "exited"),
        other => panic!("{other:?}"),
    }
}
