//! Calls: replies against callers that wait, that give up, and that call again with the slot of the last call.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    World, explore, kill,
    puppet::{Part, Task, counting},
    thread,
};
use crate::{CallError, ExitReason, Reply, Subject, scope};

type Request = Reply<u8>;

/// A process that answers so many requests with their numbers.
fn server(world: &World, requests: u8) -> (Task, Subject<Request>) {
    world.process(move |own: Subject<Request>| async move {
        for number in 0..requests {
            own.receive_forever().await.unwrap().send(number);
        }
    })
}

/// Whether the calling process keeps a slot.
fn keeps_a_slot() -> bool {
    scope::with(|scope| scope.local.as_ref().is_some_and(|local| local.slot.is_some())).unwrap()
}

#[test]
fn each_of_two_calls_with_one_slot_has_its_own_reply() {
    explore(["waited", "found it there"], |world| {
        let polls = Arc::<AtomicUsize>::default();
        let (server, address) = server(world, 2);
        let (caller, _) = world.process({
            let polls = polls.clone();
            move |_: Subject<()>| {
                counting(polls, async move {
                    for number in 0..2 {
                        assert_eq!(address.call(Duration::MAX, |reply| reply).await, Ok(number));
                        assert!(keeps_a_slot());
                    }
                })
            }
        });
        let serving = thread::spawn(move || server.run());
        caller.run();
        serving.join().unwrap();
        world.saw(if polls.load(Ordering::Relaxed) > 1 { "waited" } else { "found it there" });
    });
}

#[test]
fn the_late_reply_to_a_call_that_was_given_up_is_not_that_to_the_next() {
    explore(["given up", "answered in time"], |world| {
        let (server, address) = server(world, 2);
        let first = Arc::new(Mutex::new(None));
        let (caller, _) = world.process({
            let first = first.clone();
            move |_: Subject<()>| async move {
                let given_up = address.call(Duration::ZERO, |reply| reply).await;
                assert_eq!(keeps_a_slot(), given_up.is_ok());
                assert_eq!(address.call(Duration::MAX, |reply| reply).await, Ok(1));
                *first.lock().unwrap() = Some(given_up);
            }
        });
        let calling = thread::spawn(move || caller.run());
        server.run();
        calling.join().unwrap();
        match first.lock().unwrap().take().unwrap() {
            Ok(0) => world.saw("answered in time"),
            Err(CallError::Timeout) => world.saw("given up"),
            other => panic!("{other:?}"),
        }
    });
}

/// A call that is dropped after its first poll, as `select!` and time limits do.
#[test]
fn the_late_reply_to_a_call_that_was_dropped_is_not_that_to_the_next() {
    explore(["dropped", "answered in time"], |world| {
        let (server, address) = server(world, 2);
        let in_time = Arc::new(Mutex::new(false));
        let (caller, _) = world.process({
            let in_time = in_time.clone();
            move |_: Subject<()>| async move {
                {
                    let mut call = pin!(address.call(Duration::MAX, |reply| reply));
                    let first = poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx))).await;
                    *in_time.lock().unwrap() = first.is_ready();
                }
                assert_eq!(address.call(Duration::MAX, |reply| reply).await, Ok(1));
            }
        });
        let calling = thread::spawn(move || caller.run());
        server.run();
        calling.join().unwrap();
        world.saw(if *in_time.lock().unwrap() { "answered in time" } else { "dropped" });
    });
}

/// First by the task, then by a part of it, or the other way round; from then on by who was woken.
fn call_that_changes_hands(by_task_first: bool) {
    explore(["waited", "found it there"], move |world| {
        let polls = Arc::<AtomicUsize>::default();
        let (server, address) = server(world, 2);
        let (caller, _) = world.process({
            let polls = polls.clone();
            move |_: Subject<()>| {
                counting(polls, async move {
                    {
                        let mut call = pin!(address.call(Duration::MAX, |reply| reply));
                        let mut part = Part::default();
                        let reply = poll_fn(|cx| part.poll_both(call.as_mut(), cx, by_task_first)).await;
                        assert_eq!(reply, Ok(0));
                    }
                    // Nothing of it is left in the slot.
                    assert_eq!(address.call(Duration::MAX, |reply| reply).await, Ok(1));
                })
            }
        });
        let calling = thread::spawn(move || caller.run());
        server.run();
        calling.join().unwrap();
        world.saw(if polls.load(Ordering::Relaxed) > 1 { "waited" } else { "found it there" });
    });
}

#[test]
fn a_call_that_goes_from_the_task_to_a_part_of_it_is_woken_there() {
    call_that_changes_hands(true);
}

#[test]
fn a_call_that_goes_from_a_part_of_the_task_to_the_task_is_woken_there() {
    call_that_changes_hands(false);
}

#[test]
fn a_call_of_a_process_that_is_killed_is_answered_or_fails_with_the_reason() {
    explore(["answered", "ended", "there was nobody"], |world| {
        let (server, address) = server(world, 1);
        let pid = address.pid().unwrap();
        let outcome = Arc::new(Mutex::new(None));
        let (caller, _) = world.process({
            let outcome = outcome.clone();
            move |_: Subject<()>| async move {
                let reply = address.call(Duration::MAX, |reply| reply).await;
                *outcome.lock().unwrap() = Some(reply);
            }
        });
        let serving = thread::spawn(move || server.run());
        let killing = thread::spawn({
            let node = world.node.clone();
            move || node.signal(None, pid, kill())
        });
        caller.run();
        serving.join().unwrap();
        killing.join().unwrap();
        match outcome.lock().unwrap().take().unwrap() {
            Ok(0) => world.saw("answered"),
            Err(CallError::Down(ExitReason::Killed)) => world.saw("ended"),
            Err(CallError::NoProc) => world.saw("there was nobody"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_caller_whose_request_is_dropped_by_who_then_ends_learns_why() {
    explore(["waited", "found it there"], |world| {
        let polls = Arc::<AtomicUsize>::default();
        let (server, address) = world.process(|own: Subject<Request>| async move {
            drop(own.receive_forever().await);
        });
        let (caller, _) = world.process({
            let polls = polls.clone();
            move |_: Subject<()>| {
                counting(polls, async move {
                    let reply = address.call(Duration::MAX, |reply| reply).await;
                    // It has ended in the same poll.
                    assert_eq!(reply, Err(CallError::Down(ExitReason::Normal)));
                })
            }
        });
        let serving = thread::spawn(move || server.run());
        caller.run();
        serving.join().unwrap();
        world.saw(if polls.load(Ordering::Relaxed) > 1 { "waited" } else { "found it there" });
    });
}
