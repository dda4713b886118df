//! Processes that have a thread of their own: no wake is lost while they block it, and they end while they have none.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use super::{
    World, explore, kill,
    puppet::{Task, counting},
    thread,
};
use crate::{
    Selector, Signal, Spawn, Subject, block_on,
    rt::{self, Work},
};

/// A process with a thread of its own: what that is to run, and the task that is dropped with the runtime.
fn blocking(world: &World, body: impl FnOnce(Subject<u8>) + Send + 'static) -> (Work, Task, Subject<u8>) {
    let subject = Spawn::new().unlinked().on(&world.node).spawn_blocking(body).unwrap();
    world.watch(subject.pid().unwrap());
    (rt::spawned_blocking().unwrap(), rt::spawned().unwrap(), subject)
}

#[test]
fn who_blocks_its_thread_until_a_message_comes_is_woken_by_it() {
    explore(["waited", "found it there"], |world| {
        let polls = Arc::<AtomicUsize>::default();
        let (work, mut killer, address) = blocking(world, {
            let polls = polls.clone();
            move |own| assert_eq!(block_on(counting(polls, own.receive_forever())), Ok(1))
        });
        let running = thread::spawn(work);
        address.send(1);
        running.join().unwrap();
        assert!(killer.poll().is_ready());
        world.saw(if polls.load(Ordering::Relaxed) > 1 { "waited" } else { "found it there" });
    });
}

/// What wakes the outer wait may come while the inner one waits, which takes it.
#[test]
fn a_wait_within_a_wait_takes_no_wake_from_it() {
    explore(["before the inner wait", "meanwhile", "after it"], |world| {
        let polls = Arc::<AtomicUsize>::default();
        let (work, mut killer, address) = blocking(world, {
            let polls = polls.clone();
            move |own| {
                let mut raw = Selector::new().select_raw(|message: u16| message);
                let (mut outer, mut inner) = (pin!(raw.receive_forever()), Some(own.receive_forever()));
                let received = block_on(counting(
                    polls,
                    poll_fn(|cx| {
                        if let Poll::Ready(received) = outer.as_mut().poll(cx) {
                            return Poll::Ready(received);
                        }
                        if let Some(inner) = inner.take() {
                            assert_eq!(block_on(inner), Ok(1));
                        }
                        Poll::Pending
                    }),
                ));
                assert_eq!(received, Ok(2));
            }
        });
        let (node, pid) = (world.node.clone(), address.pid().unwrap());
        let senders = [
            thread::spawn(move || address.send(1)),
            thread::spawn(move || node.signal(None, pid, Signal::Message(Box::new(2_u16)))),
        ];
        work();
        for sender in senders {
            sender.join().unwrap();
        }
        assert!(killer.poll().is_ready());
        world.saw(match polls.load(Ordering::Relaxed) {
            1 => "before the inner wait",
            2 => "meanwhile",
            _ => "after it",
        });
    });
}

#[test]
fn who_is_killed_before_it_has_a_thread_ends_all_the_same() {
    explore(["had begun", "never began"], |world| {
        let begun = Arc::<AtomicUsize>::default();
        let (work, killer, address) = blocking(world, {
            let begun = begun.clone();
            move |own| {
                begun.fetch_add(1, Ordering::Relaxed);
                let _ = own.receive_forever_blocking();
            }
        });
        let pid = address.pid().unwrap();
        let running = thread::spawn(work);
        let killing = thread::spawn({
            let node = world.node.clone();
            move || node.signal(None, pid, kill())
        });
        killer.run();
        killing.join().unwrap();
        running.join().unwrap();
        assert!(world.node.find(pid).is_none());
        world.saw(if begun.load(Ordering::Relaxed) == 1 { "had begun" } else { "never began" });
    });
}

#[test]
fn when_the_runtime_goes_who_has_a_thread_or_is_to_have_one_ends() {
    explore(["had begun", "never began"], |world| {
        let begun = Arc::<AtomicUsize>::default();
        let (work, mut killer, address) = blocking(world, {
            let begun = begun.clone();
            move |own| {
                begun.fetch_add(1, Ordering::Relaxed);
                let _ = own.receive_forever_blocking();
            }
        });
        assert!(killer.poll().is_pending());
        let running = thread::spawn(work);
        drop(killer);
        running.join().unwrap();
        assert!(world.node.find(address.pid().unwrap()).is_none());
        world.saw(if begun.load(Ordering::Relaxed) == 1 { "had begun" } else { "never began" });
    });
}
