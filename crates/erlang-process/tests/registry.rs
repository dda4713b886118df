//! Registries. Tests that begin with `regx_` are named by their rows in the catalogue of semantics.

#![allow(clippy::unwrap_used)]

use std::{
    future::{pending, poll_fn},
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use erlang_process::{
    self as process, CallError, DuplicateKeys, ExitReason, Groups, Name, Node, NotHolder, Pid, Registry,
    RegistryError, RegistryEvent, Reply, Selector, Subject,
};
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);

/// How often a race is run.
const ROUNDS: usize = 1000;

/// A process that does this and then stays.
async fn doing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (Pid, T) {
    let (sender, done) = oneshot::channel();
    let pid = process::spawn_unlinked(async move {
        drop(sender.send(work()));
        pending::<()>().await;
    });
    (pid, done.await.unwrap())
}

/// Ends a process and waits until that is over.
async fn end(pid: Pid) {
    process::kill(pid);
    process::join(pid).await;
}

/// Everything that is in the mailbox for this subject.
async fn received<M: Send + 'static>(subject: &Subject<M>) -> Vec<M> {
    let mut messages = Vec::new();
    while let Ok(message) = subject.receive(Duration::ZERO).await {
        messages.push(message);
    }
    messages
}

/// Runs a test as a process of a node of its own.
async fn on_a_node<F: Future<Output = ()> + Send + 'static>(test: F) {
    Node::new().run(test).await.unwrap();
}

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
async fn regx_05_a_process_is_bound_to_a_registry_while_it_holds_a_key() {
    on_a_node(async {
        let alive = Arc::new(());
        for kept in [false, true] {
            let registry = Registry::<_, _>::unique();
            registry.put_meta(alive.clone());
            let (holder, ()) = doing(move || {
                registry.register(1, ()).unwrap();
                registry.register(2, ()).unwrap();
                registry.unregister(&1);
                if !kept {
                    registry.unregister(&2);
                }
            })
            .await;
            assert_eq!(Arc::strong_count(&alive), if kept { 2 } else { 1 });
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
async fn regx_12_listeners_hear_of_registering_and_unregistering_and_not_of_ends() {
    on_a_node(async {
        let registry = Registry::duplicate();
        let (events, others) = (Subject::new().unwrap(), Subject::new().unwrap());
        registry.listen(events.clone());
        registry.listen(others.map(|event| event));
        let (pid, ()) = doing({
            let registry = registry.clone();
            move || {
                registry.register("key", 1).unwrap();
                registry.register("key", 2).unwrap();
                registry.unregister("nobody's");
                registry.unregister("key");
                registry.register("key", 3).unwrap();
            }
        })
        .await;
        end(pid).await;
        let registered = |value| RegistryEvent::Registered { key: "key", pid, value };
        let unregistered = RegistryEvent::Unregistered { key: "key", pid };
        let expected = [registered(1), registered(2), unregistered, registered(3)];
        assert_eq!(received(&events).await, expected);
        assert_eq!(received(&others).await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_is_dead_is_forgotten_and_a_name_is_not() {
    on_a_node(async {
        let registry = Registry::unique();
        let name = process::Name::new("listener");
        registry.listen(name.subject());
        let gone = Arc::new(());
        let (listener, ()) = doing({
            let (registry, gone) = (registry.clone(), gone.clone());
            move || {
                registry.listen(Subject::new().unwrap().map(move |event| {
                    let _gone = &gone;
                    event
                }));
            }
        })
        .await;
        registry.register(1, ()).unwrap();
        assert_eq!(Arc::strong_count(&gone), 2);
        end(listener).await;
        registry.register(2, ()).unwrap();
        assert_eq!(Arc::strong_count(&gone), 1);

        process::register(process::current().unwrap(), name).unwrap();
        registry.unregister(&2);
        let event = name.subject().receive(Duration::ZERO).await;
        assert!(matches!(event, Ok(RegistryEvent::Unregistered { key: 2, .. })));
    })
    .await;
}

#[tokio::test]
async fn who_registers_has_nothing_to_do_with_what_a_listener_makes_of_it() {
    on_a_node(async {
        let registry = Registry::unique();
        let events = Subject::<RegistryEvent<u8, ()>>::new().unwrap();
        registry.listen(events.map(|_| panic!("the listener's")));
        registry.listen(events.clone());
        registry.register(1, ()).unwrap();
        assert_eq!(registry.unregister(&1), 1);
        assert_eq!(received(&events).await.len(), 2);
    })
    .await;
}

/// A process that answers requests with a number and is found by a key.
async fn server(registry: &Registry<&'static str, Subject<Reply<u32>>>, number: u32) -> Pid {
    let registry = registry.clone();
    let (sender, ready) = oneshot::channel();
    let pid = process::spawn_unlinked(async move {
        let requests = Subject::<Reply<u32>>::new().unwrap();
        registry.register("key", requests.clone()).unwrap();
        sender.send(()).unwrap();
        while let Ok(reply) = requests.receive_forever().await {
            reply.send(number);
        }
    });
    ready.await.unwrap();
    pid
}

#[tokio::test]
async fn regx_13_a_key_is_an_address_as_a_name_is() {
    on_a_node(async {
        let registry = Registry::unique();
        let subject = registry.subject("key");
        assert_eq!(subject.pid(), None);
        assert_eq!(subject.call(SECOND, |reply| reply).await, Err(CallError::NoProc));

        let first = server(&registry, 1).await;
        assert_eq!(subject.pid(), Some(first));
        assert_eq!(subject.call(SECOND, |reply| reply).await, Ok(1));
        let monitor = process::monitor(subject.pid().unwrap()).unwrap();

        // The holder is dead and has not been cleaned up.
        process::kill(first);
        assert_eq!((registry.whereis("key"), subject.pid()), (None, None));
        assert_eq!(subject.call(SECOND, |reply| reply).await, Err(CallError::NoProc));
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);

        let second = server(&registry, 2).await;
        assert_eq!(subject.pid(), Some(second));
        assert_eq!(subject.call(SECOND, |reply| reply).await, Ok(2));
        let narrow = subject.map(|reply: Reply<u32>| reply);
        assert_eq!(narrow.call(SECOND, |reply| reply).await, Ok(2));
        assert_eq!(subject.receive(SECOND).await.err(), Some(process::ReceiveError::NotOwner));
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

#[tokio::test]
async fn a_message_to_a_key_comes_back_if_nobody_holds_it() {
    on_a_node(async {
        let registry = Registry::<_, Subject<String>>::unique();
        let subject = registry.subject(7);
        assert_eq!(subject.try_send("lost".to_owned()).unwrap_err().into_message(), "lost");
        let mailbox = Subject::new().unwrap();
        registry.register(7, mailbox.clone()).unwrap();
        subject.send("found".to_owned());
        assert_eq!(mailbox.receive(Duration::ZERO).await.unwrap(), "found");
        registry.unregister(&7);
        assert_eq!(subject.try_send("lost".to_owned()).unwrap_err().into_message(), "lost");

        // An address that would be looked up for ever is nobody's.
        registry.register(7, subject.clone()).unwrap();
        assert_eq!(subject.try_send("lost".to_owned()).unwrap_err().into_message(), "lost");
        registry.unregister(&7);
        registry.register(7, subject.map(|text| text)).unwrap();
        assert_eq!(subject.try_send("lost".to_owned()).unwrap_err().into_message(), "lost");
    })
    .await;
}

/// A process that forwards what comes by any way there is to it, and these ways. Its name is of another type than its own
/// subject.
async fn forwarder(out: &Subject<u32>) -> Vec<Subject<u32>> {
    let (hand, out) = (Subject::new().unwrap(), out.clone());
    let hand_over = hand.clone();
    process::spawn(async move {
        let (own, name) = (process::current().unwrap(), Name::new("forwarder"));
        process::register(own, name).unwrap();
        let tagged = Subject::new().unwrap();
        let narrow = tagged.map(|n| n);
        let mut all =
            Selector::new().select(&tagged, |n| n).select(&name.subject(), |n| n).select_raw(|n: u32| n);
        hand_over.send(vec![tagged, narrow, name.subject(), Subject::to_pid(own).unwrap()]);
        while let Ok(number) = all.receive_forever().await {
            out.send(number);
        }
    });
    hand.receive(SECOND).await.unwrap()
}

#[tokio::test]
async fn a_key_that_is_registered_with_anothers_subject_is_the_address_of_that_other() {
    on_a_node(async {
        let out = Subject::new().unwrap();
        let (rooms, groups) = (Registry::<_, Subject<u32>>::unique(), Groups::<_, u32>::new());
        let room = rooms.subject("room");
        for subject in forwarder(&out).await {
            rooms.register("room", subject.clone()).unwrap();
            assert_eq!(rooms.whereis("room"), process::current());
            assert_eq!(room.pid(), subject.pid());
            room.send(1);
            room.send_wait(2).await.unwrap();
            groups.join("group", &room).unwrap();
            assert_eq!(groups.members("group"), [subject.pid().unwrap()]);
            assert_eq!(groups.send("group", 3), 1);
            for number in 1..=3 {
                assert_eq!(out.receive(SECOND).await, Ok(number));
            }
            groups.leave("group", subject.pid().unwrap()).unwrap();
            rooms.unregister("room");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_by_key_ends_whatever_becomes_of_the_holder() {
    on_a_node(async {
        let registry = Registry::unique();
        let mut answered = 0;
        for round in 0..ROUNDS {
            let number = u32::try_from(round).unwrap();
            let holder = server(&registry, number).await;
            let caller = tokio::spawn({
                let subject = registry.subject("key");
                async move { subject.call(SECOND * 60, |reply| reply).await }
            });
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            process::kill(holder);
            match caller.await.unwrap() {
                Ok(reply) => {
                    assert_eq!(reply, number);
                    answered += 1;
                }
                Err(CallError::NoProc | CallError::Down(ExitReason::Killed)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert!(answered < ROUNDS, "a holder was never gone in time");
    })
    .await;
}

/// One that holds the lock of a key, or waits for it, and writes down when it had it.
struct Locker {
    pid: Pid,
    /// Lets it give the lock back.
    open: Option<oneshot::Sender<()>>,
}

async fn locker(
    registry: &Registry<&'static str, ()>,
    key: &'static str,
    log: &Subject<(&'static str, Pid)>,
    panics: bool,
) -> Locker {
    let (registry, log) = (registry.clone(), log.clone());
    let (open, opened) = oneshot::channel();
    let (sender, queued) = oneshot::channel();
    let pid = process::spawn_unlinked(async move {
        let this = process::current().unwrap();
        let mut locked = Box::pin(registry.lock(key, || async {
            log.send(("locked", this));
            opened.await.ok();
            if panics {
                process::exit(ExitReason::Shutdown);
            }
            log.send(("done", this));
        }));
        // The first poll takes the place in the queue.
        let mut sender = Some(sender);
        poll_fn(|cx| {
            let poll = locked.as_mut().poll(cx);
            if let Some(sender) = sender.take() {
                sender.send(()).unwrap();
            }
            poll
        })
        .await;
    });
    queued.await.unwrap();
    Locker { pid, open: Some(open) }
}

impl Locker {
    fn open(&mut self) {
        self.open.take().unwrap().send(()).unwrap();
    }
}

#[tokio::test]
async fn regx_15_a_lock_is_held_by_one_at_a_time_in_the_order_in_which_they_came() {
    on_a_node(async {
        let (registry, log) = (Registry::unique(), Subject::new().unwrap());
        let mut lockers = Vec::new();
        for _ in 0..3 {
            lockers.push(locker(&registry, "key", &log, false).await);
        }
        for locker in &mut lockers {
            assert_eq!(log.receive(SECOND).await, Ok(("locked", locker.pid)));
            assert_eq!(received(&log).await, []);
            locker.open();
            assert_eq!(log.receive(SECOND).await, Ok(("done", locker.pid)));
        }
    })
    .await;
}

#[tokio::test]
async fn regx_15_a_lock_is_free_when_its_holder_panics_or_is_killed() {
    on_a_node(async {
        let (registry, log) = (Registry::unique(), Subject::new().unwrap());
        let mut exits = locker(&registry, "key", &log, true).await;
        let killed = locker(&registry, "key", &log, false).await;
        let mut last = locker(&registry, "key", &log, false).await;
        assert_eq!(log.receive(SECOND).await, Ok(("locked", exits.pid)));
        exits.open();
        assert_eq!(log.receive(SECOND).await, Ok(("locked", killed.pid)));
        end(killed.pid).await;
        assert_eq!(log.receive(SECOND).await, Ok(("locked", last.pid)));
        last.open();
        assert_eq!(log.receive(SECOND).await, Ok(("done", last.pid)));
    })
    .await;
}

#[tokio::test]
async fn regx_15_one_who_has_ended_while_waiting_is_passed_over() {
    on_a_node(async {
        let (registry, log) = (Registry::unique(), Subject::new().unwrap());
        let mut first = locker(&registry, "key", &log, false).await;
        let ended = locker(&registry, "key", &log, false).await;
        let dying = locker(&registry, "key", &log, false).await;
        let mut last = locker(&registry, "key", &log, false).await;
        assert_eq!(log.receive(SECOND).await, Ok(("locked", first.pid)));
        end(ended.pid).await;
        first.open();
        // Its end is decided and it is still in the queue.
        process::kill(dying.pid);
        assert_eq!(log.receive(SECOND).await, Ok(("done", first.pid)));
        assert_eq!(log.receive(SECOND).await, Ok(("locked", last.pid)));
        last.open();
        assert_eq!(log.receive(SECOND).await, Ok(("done", last.pid)));
    })
    .await;
}

#[tokio::test]
async fn regx_16_locks_of_different_keys_are_held_at_the_same_time() {
    on_a_node(async {
        let (registry, log) = (Registry::unique(), Subject::new().unwrap());
        let mut one = locker(&registry, "one", &log, false).await;
        let mut two = locker(&registry, "two", &log, false).await;
        assert_eq!(log.receive(SECOND).await, Ok(("locked", one.pid)));
        assert_eq!(log.receive(SECOND).await, Ok(("locked", two.pid)));
        two.open();
        assert_eq!(log.receive(SECOND).await, Ok(("done", two.pid)));
        one.open();
        assert_eq!(log.receive(SECOND).await, Ok(("done", one.pid)));
    })
    .await;
}

/// Each has taken the lock, given it up, or died, in every state of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_are_exclusive_under_storm() {
    on_a_node(async {
        let registry = Registry::<usize, ()>::unique();
        let (inside, together) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let done = Arc::new(AtomicUsize::new(0));
        let mut pids = Vec::new();
        for number in 0..ROUNDS {
            let (registry, done) = (registry.clone(), done.clone());
            let (inside, together) = (inside.clone(), together.clone());
            pids.push(process::spawn_unlinked(async move {
                struct Inside(Arc<AtomicBool>);
                impl Drop for Inside {
                    fn drop(&mut self) {
                        self.0.store(false, Ordering::SeqCst);
                    }
                }
                registry
                    .lock(7, || async move {
                        together.fetch_or(inside.swap(true, Ordering::SeqCst), Ordering::SeqCst);
                        let _inside = Inside(inside);
                        for _ in 0..number % 4 {
                            tokio::task::yield_now().await;
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                    })
                    .await;
            }));
            if number % 3 == 0 {
                process::kill(pids[number / 2]);
            }
        }
        for pid in pids {
            process::join(pid).await;
        }
        assert!(!together.load(Ordering::SeqCst), "two at a time");
        assert!(done.load(Ordering::SeqCst) > ROUNDS / 3);
        assert_eq!(registry.lock(7, || async { 1 }).await, 1);
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

/// A value whose every use uses the registry: with a lock held that would be for ever.
struct Meddler(Registry<Meddler, Meddler, DuplicateKeys>, u8);

impl Meddler {
    fn meddle(&self) {
        assert!(self.0.count() <= 4);
        assert!(process::current().is_none_or(|this| self.0.values(&99, this).is_empty()));
        self.0.unregister(&99);
    }
}

impl Clone for Meddler {
    fn clone(&self) -> Self {
        self.meddle();
        Self(self.0.clone(), self.1)
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

impl Hash for Meddler {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.meddle();
        self.1.hash(state);
    }
}

// The one thing that runs under a lock.
impl PartialEq for Meddler {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1
    }
}

impl Eq for Meddler {}

impl std::borrow::Borrow<u8> for Meddler {
    fn borrow(&self) -> &u8 {
        &self.1
    }
}

#[tokio::test]
async fn no_code_of_the_users_but_eq_runs_under_a_lock() {
    on_a_node(async {
        let registry = Registry::<Meddler, Meddler>::duplicate();
        let meddler = |number| Meddler(registry.clone(), number);
        let events = Subject::new().unwrap();
        registry.listen(events.map(|event: RegistryEvent<Meddler, Meddler>| event));
        let (pid, ()) = doing({
            let registry = registry.clone();
            move || {
                for number in [1, 1, 2, 3] {
                    let meddler = || Meddler(registry.clone(), number);
                    registry.register(meddler(), meddler()).unwrap();
                }
                registry.unregister(&3);
                registry.unregister_matching(&1, |value| {
                    value.meddle();
                    false
                });
            }
        })
        .await;
        assert_eq!(registry.lookup(&1).len(), 2);
        assert_eq!(registry.keys(pid).len(), 3);
        assert_eq!(registry.values(&2, pid).len(), 1);
        assert_eq!(registry.select(|key, _, value| (key == value).then(|| value.clone())).len(), 3);
        assert_eq!(registry.count_matching(&1, |_, value| *value == meddler(1)), 2);
        registry.lock(meddler(1), || async { registry.count() }).await;
        assert_eq!(received(&events).await.len(), 5);
        end(pid).await;
        assert_eq!(registry.count(), 0);
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

/// A future that is polled once and dropped has left no trace in the queue of a lock.
#[tokio::test]
async fn a_lock_that_is_given_up_in_the_queue_is_free_for_the_next() {
    let registry = Registry::<u8, ()>::unique_on(&Node::new());
    registry
        .lock(1, || async {
            let mut waiting = Box::pin(registry.lock(1, || async {}));
            poll_fn(|cx| {
                assert!(waiting.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        })
        .await;
    registry.lock(1, || async {}).await;
}
