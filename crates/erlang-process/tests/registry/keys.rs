//! Who holds which keys, with which values.

use std::{
    future::pending,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use erlang_process::{self as process, ExitReason, Node, NotHolder, Registry, RegistryError, Selector};
use tokio::sync::oneshot;

use crate::{ROUNDS, SECOND, doing, end, on_a_node};

#[tokio::test]
async fn regx_01_a_key_is_held_by_one_process_once() {
    on_a_node(async {
        let registry = Registry::unique();
        let this = process::current().unwrap();
        assert_eq!(registry.register("key", 1), Ok(()));
        let taken = Err(RegistryError::AlreadyRegistered { holder: this });
        assert_eq!(registry.register("key", 2), taken);
        let (_, by_another) = doing({
            let registry = registry.clone();
            move || registry.register("key", 3)
        })
        .await;
        assert_eq!(by_another, taken);
        assert_eq!(registry.lookup("key"), Some((this, 1)));
        assert_eq!(registry.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn regx_02_a_key_is_free_as_soon_as_the_end_of_its_holder_is_decided() {
    on_a_node(async {
        let registry = Registry::unique();
        let (holder, registered) = doing({
            let registry = registry.clone();
            move || registry.register("key", 1)
        })
        .await;
        assert_eq!(registered, Ok(()));

        // There is one thread, and this test has it: the holder cannot have cleaned anything up yet.
        process::kill(holder);
        assert_eq!(registry.lookup("key"), None);
        assert_eq!(registry.whereis("key"), None);
        assert_eq!(registry.keys(holder), [] as [&str; 0]);
        assert_eq!(registry.values("key", holder), [] as [i32; 0]);
        assert_eq!(registry.count(), 0);
        assert_eq!(registry.select(|_, pid, _| Some(pid)), []);
        assert_eq!(registry.register("key", 2), Ok(()));

        // Nor does its clean-up take away what is another's now.
        process::join(holder).await;
        assert_eq!(registry.lookup("key"), process::current().map(|this| (this, 2)));
        assert_eq!(registry.count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn regx_02_whoever_has_heard_of_the_end_can_register() {
    on_a_node(async {
        let registry = Registry::unique();
        process::trap_exits(true).unwrap();
        for round in 0..ROUNDS {
            let (holder, registered) = doing({
                let registry = registry.clone();
                move || registry.register("key", round)
            })
            .await;
            assert_eq!(registered, Ok(()));
            match round % 3 {
                0 => {
                    let monitor = process::monitor(holder).unwrap();
                    process::kill(holder);
                    monitor.down().await.unwrap();
                }
                1 => {
                    process::link(holder).unwrap();
                    process::kill(holder);
                    let mut exits = Selector::new().select_trapped_exits(|exit| exit.pid);
                    assert_eq!(exits.receive(SECOND * 10).await, Ok(holder));
                }
                _ => process::kill(holder),
            }
            assert_eq!(registry.whereis("key"), None);
            assert_eq!(registry.register("key", round), Ok(()));
            process::join(holder).await;
            assert_eq!(registry.whereis("key"), process::current());
            assert_eq!(registry.unregister("key"), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn regx_03_a_process_can_hold_a_duplicate_key_thrice() {
    on_a_node(async {
        let registry = Registry::duplicate();
        let this = process::current().unwrap();
        for value in [1, 2, 2] {
            assert_eq!(registry.register("key", value), Ok(()));
        }
        let (other, _) = doing({
            let registry = registry.clone();
            move || registry.register("key", 4)
        })
        .await;
        assert_eq!(registry.lookup("key"), [(this, 1), (this, 2), (this, 2), (other, 4)]);
        assert_eq!(registry.keys(this), ["key"; 3]);
        assert_eq!(registry.values("key", this), [1, 2, 2]);
        assert_eq!(registry.count(), 4);

        assert_eq!(registry.unregister("key"), 3);
        assert_eq!(registry.unregister("key"), 0);
        assert_eq!(registry.lookup("key"), [(other, 4)]);
        assert_eq!(registry.keys(this), [] as [&str; 0]);
        end(other).await;
        assert_eq!(registry.lookup("key"), []);
        assert_eq!(registry.count(), 0);
    })
    .await;
}

/// Without a partition to be linked with, what is left of it: a registry that nobody has a handle of is there as
/// long as a process holds a key.
#[tokio::test]
async fn regx_05_a_process_is_bound_to_a_registry_as_long_as_that_is_there() {
    on_a_node(async {
        let alive = Arc::new(());
        for kept in [false, true] {
            let registry = Registry::<_, _>::unique();
            let kept = kept.then(|| registry.clone());
            let (holder, ()) = doing({
                let alive = alive.clone();
                move || {
                    registry.register(1, alive.clone()).unwrap();
                    registry.register(2, alive.clone()).unwrap();
                    registry.unregister(&1);
                    drop(alive);
                }
            })
            .await;
            assert_eq!(Arc::strong_count(&alive), if kept.is_some() { 2 } else { 1 });
            end(holder).await;
            assert_eq!(Arc::strong_count(&alive), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn regx_06_keys_are_told_apart_by_their_eq_alone() {
    /// Keys that all have one hash.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Number {
        Integer(i64),
        Float(u64),
    }

    impl Hash for Number {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_u8(0);
        }
    }

    on_a_node(async {
        let registry = Registry::unique();
        let (one, also_one) = (Number::Integer(1), Number::Float(1f64.to_bits()));
        registry.register(one.clone(), "integer").unwrap();
        registry.register(also_one.clone(), "float").unwrap();
        let this = process::current().unwrap();
        assert_eq!(registry.lookup(&one), Some((this, "integer")));
        assert_eq!(registry.lookup(&also_one), Some((this, "float")));
        assert_eq!(registry.unregister(&one), 1);
        assert_eq!(registry.keys(this), [also_one]);
    })
    .await;
}

#[tokio::test]
async fn regx_07_entries_are_matched_by_their_values() {
    on_a_node(async {
        let registry = Registry::duplicate();
        let this = process::current().unwrap();
        let (other, ()) = doing({
            let registry = registry.clone();
            move || registry.register("key", ("theirs", 15)).unwrap()
        })
        .await;
        for value in [("atom", 5), ("atom", 10), ("tuple", 20)] {
            registry.register("key", value).unwrap();
        }
        registry.register("other key", ("atom", 7)).unwrap();

        assert_eq!(registry.matching("key", |_, value| value.0 == "tuple"), [(this, ("tuple", 20))]);
        assert_eq!(registry.matching("key", |pid, _| pid == other), [(other, ("theirs", 15))]);
        assert_eq!(registry.matching("nobody's", |_, _| true), []);
        assert_eq!(registry.count_matching("key", |_, value| value.1 > 5), 3);
        assert_eq!(registry.count_matching("key", |_, value| value.0 == "atom" && value.1 > 5), 1);

        // Of one's own alone, whatever fits.
        assert_eq!(registry.unregister_matching("key", |value| value.1 >= 10), 2);
        assert_eq!(registry.lookup("key"), [(other, ("theirs", 15)), (this, ("atom", 5))]);
        assert_eq!(registry.unregister_matching("key", |value| value.1 >= 10), 0);
        assert_eq!(registry.unregister_matching("key", |_| true), 1);
        assert_eq!(registry.keys(this), ["other key"]);
    })
    .await;
}

#[tokio::test]
async fn regx_08_all_entries_can_be_selected_from_by_several_patterns() {
    on_a_node(async {
        let registry = Registry::unique();
        let this = process::current().unwrap();
        for (key, value) in [("one", 1), ("two", 2), ("three", 3), ("four", 4)] {
            registry.register(key, value).unwrap();
        }
        let selected = registry.select(|key, pid, value| match *key {
            "one" => Some((pid, *value)),
            _ if *value > 2 => Some((pid, *value * 10)),
            _ => None,
        });
        assert_eq!(selected, [(this, 1), (this, 30), (this, 40)]);
        assert_eq!(registry.select(|_, _, _| Some(())).len(), registry.count());
    })
    .await;
}

#[tokio::test]
async fn regx_11_the_holder_alone_changes_its_value() {
    on_a_node(async {
        let registry = Registry::unique();
        let this = process::current().unwrap();
        assert_eq!(registry.update_value("key", |_| 0), Err(NotHolder));
        registry.register("key", 1).unwrap();
        assert_eq!(registry.update_value("key", |value| value + 41), Ok((42, 1)));
        assert_eq!(registry.lookup("key"), Some((this, 42)));
        let (_, by_another) = doing({
            let registry = registry.clone();
            move || registry.update_value("key", |_| 0)
        })
        .await;
        assert_eq!(by_another, Err(NotHolder));
        assert_eq!(registry.lookup("key"), Some((this, 42)));

        // The key may be gone when the new value is made.
        let given_up = registry.update_value("key", |_| {
            registry.unregister("key");
            registry.register("key", 7).unwrap();
            0
        });
        assert_eq!(given_up, Err(NotHolder));
        assert_eq!(registry.values("key", this), [7]);
    })
    .await;
}

#[tokio::test]
async fn the_entries_of_a_key_are_dispatched_to_in_the_caller_if_there_are_any() {
    on_a_node(async {
        let registry = Registry::duplicate();
        let this = process::current().unwrap();
        registry.dispatch("key", |_| panic!("called for nobody"));
        registry.register("key", 1).unwrap();
        registry.register("key", 2).unwrap();
        let mut dispatched = None;
        registry.dispatch("key", |entries| dispatched = Some((process::current(), entries)));
        assert_eq!(dispatched, Some((Some(this), vec![(this, 1), (this, 2)])));
    })
    .await;
}

#[tokio::test]
async fn what_a_registry_keeps_for_itself_is_kept_by_type() {
    let registry = Registry::<u8, ()>::unique_on(&Node::new());
    assert_eq!(registry.meta::<u32>(), None);
    assert_eq!(registry.put_meta(1_u32), None);
    assert_eq!(registry.put_meta("one"), None);
    assert_eq!(registry.put_meta(2_u32).as_deref(), Some(&1));
    assert_eq!(registry.meta::<u32>().as_deref(), Some(&2));
    assert_eq!(registry.clone().delete_meta::<u32>().as_deref(), Some(&2));
    assert_eq!((registry.meta::<u32>(), registry.delete_meta::<u32>()), (None, None));
    assert_eq!(registry.meta::<&str>().as_deref(), Some(&"one"));
}

#[tokio::test]
async fn only_processes_of_its_node_register() {
    let here = Node::new();
    let registry = Registry::<_, ()>::unique_on(&here);
    assert_eq!(registry.register("key", ()), Err(RegistryError::NotAProcess));
    assert_eq!(registry.unregister("key"), 0);

    // The pids of two nodes are the same numbers.
    here.run({
        let registry = registry.clone();
        async move {
            registry.register("key", ()).unwrap();
            let other_node = Node::new();
            let elsewhere = other_node.run({
                let registry = registry.clone();
                async move { (registry.register("other", ()), registry.unregister("key")) }
            });
            assert_eq!(elsewhere.await.unwrap(), (Err(RegistryError::NotAProcess), 0));
            assert_eq!(registry.count(), 1);
        }
    })
    .await
    .unwrap();
    assert_eq!(registry.count(), 0);
}

#[tokio::test]
async fn a_process_that_is_ending_registers_nothing() {
    struct RegistersLate(Registry<u8, ()>, oneshot::Sender<Result<(), RegistryError>>);

    struct OnDrop(Option<RegistersLate>);

    impl Drop for OnDrop {
        fn drop(&mut self) {
            let RegistersLate(registry, result) = self.0.take().unwrap();
            result.send(registry.register(2, ())).unwrap();
        }
    }

    on_a_node(async {
        let registry = Registry::unique();
        let (sender, result) = oneshot::channel();
        let late = OnDrop(Some(RegistersLate(registry.clone(), sender)));
        let (pid, ()) = doing({
            let registry = registry.clone();
            move || registry.register(1, ()).unwrap()
        })
        .await;
        let dropping = process::spawn_unlinked(async move {
            let _late = late;
            pending::<()>().await;
        });
        tokio::task::yield_now().await;
        process::kill(dropping);
        assert_eq!(result.await.unwrap(), Err(RegistryError::NotAProcess));
        assert_eq!(registry.select(|key, pid, ()| Some((*key, pid))), [(1, pid)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_register_a_key_at_once_one_holds_it() {
    on_a_node(async {
        let registry = Registry::unique();
        for round in 0..ROUNDS {
            let contenders: Vec<_> = (0..3)
                .map(|number| {
                    let registry = registry.clone();
                    let (sender, result) = oneshot::channel();
                    let pid = process::spawn_unlinked(async move {
                        sender.send(registry.register("key", (round, number))).unwrap();
                        pending::<()>().await;
                    });
                    (pid, number, result)
                })
                .collect();
            let (mut winner, mut pids) = (None, Vec::new());
            let mut holders = Vec::new();
            for (pid, number, result) in contenders {
                pids.push(pid);
                match result.await.unwrap() {
                    Ok(()) => {
                        assert_eq!(winner.replace((pid, (round, number))), None, "two hold one key");
                    }
                    Err(RegistryError::AlreadyRegistered { holder }) => holders.push(holder),
                    Err(other) => panic!("{other}"),
                }
            }
            let (pid, value) = winner.unwrap();
            assert_eq!(holders, [pid, pid]);
            assert_eq!(registry.lookup("key"), Some((pid, value)));
            for pid in pids {
                process::kill(pid);
            }
            assert_eq!(registry.lookup("key"), None);
        }
    })
    .await;
}

/// Keys go from dead hands to living ones, and nothing is lost or left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_is_empty_when_all_who_held_something_have_ended() {
    on_a_node(async {
        let unique = Registry::<usize, usize>::unique();
        let duplicate = Registry::<usize, usize>::duplicate();
        let (taken_over, completed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut pids = Vec::new();
        for number in 0..ROUNDS {
            let (unique, duplicate) = (unique.clone(), duplicate.clone());
            let (taken_over, completed) = (taken_over.clone(), completed.clone());
            pids.push(process::spawn_unlinked(async move {
                let this = process::current().unwrap();
                for key in 0..8 {
                    duplicate.register(key, number).unwrap();
                    match unique.register(key, number) {
                        Ok(()) => {
                            assert_eq!(unique.whereis(&key), Some(this));
                            taken_over.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(RegistryError::AlreadyRegistered { holder }) => assert_ne!(holder, this),
                        Err(other) => panic!("{other}"),
                    }
                    if key % 3 == number % 3 {
                        duplicate.unregister(&key);
                    }
                    tokio::task::yield_now().await;
                }
                assert_eq!(duplicate.lookup(&8), []);
                assert!(duplicate.keys(this).iter().all(|key| duplicate.values(key, this) == [number]));
                completed.fetch_add(1, Ordering::Relaxed);
            }));
        }
        for pid in pids {
            process::join(pid).await;
            assert_eq!((unique.keys(pid), duplicate.keys(pid)), (vec![], vec![]));
        }
        assert_eq!((unique.count(), duplicate.count()), (0, 0));
        assert_eq!(completed.load(Ordering::Relaxed), ROUNDS);
        assert!(taken_over.load(Ordering::Relaxed) > 8);
    })
    .await;
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[tokio::test]
async fn who_takes_a_key_over_has_nothing_to_do_with_the_value_that_was_there() {
    on_a_node(async {
        let registry = Registry::<_, Arc<Option<Bomb>>>::unique();
        let registering = registry.clone();
        let (pid, ()) = doing(move || {
            for key in 0..4 {
                registering.register(key, Arc::new(Some(Bomb))).unwrap();
            }
        })
        .await;
        // Killed, and not yet cleaned up.
        process::kill(pid);
        registry.register(0, Arc::new(None)).unwrap();
        assert_eq!(process::join(pid).await, ExitReason::Killed);
        assert_eq!(registry.count(), 1);
    })
    .await;
}
