//! Bounded mailboxes: who waits for room is woken for it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use super::{World, explore, puppet::Task, thread};
use crate::{
    Bound, ExitReason, Pid, Selector, SendError, Spawn, Subject, WhenFull, demonitor_flush, monitor, receive,
    rt,
};

/// A process with a mailbox for one message, and what polls it.
fn bounded<F>(world: &World, when_full: WhenFull, body: impl FnOnce(Subject<u8>) -> F) -> (Task, Subject<u8>)
where
    F: Future<Output = ()> + Send + 'static,
{
    process(world, Bound::new(1, when_full), body)
}

/// A process with such a mailbox, and what polls it.
fn process<F>(world: &World, bound: Bound, body: impl FnOnce(Subject<u8>) -> F) -> (Task, Subject<u8>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let spawn = Spawn::new().unlinked().on(&world.node).mailbox(bound);
    let prepared = spawn.prepare(body).unwrap();
    let subject = prepared.subject();
    world.watch(prepared.start());
    (rt::spawned().unwrap(), subject)
}

#[test]
fn who_waits_for_room_is_woken_when_there_is_some() {
    explore(["waited", "did not wait"], |world| {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (receiver, address) = bounded(world, WhenFull::Wait, {
            let got = got.clone();
            move |own| async move {
                for _ in 0..2 {
                    let message = own.receive_forever().await.unwrap();
                    got.lock().unwrap().push(message);
                }
            }
        });
        address.try_send(1).unwrap();
        let polls = Arc::new(AtomicUsize::new(0));
        let sender = thread::spawn({
            let polls = polls.clone();
            move || {
                Task::new(async move {
                    let mut sending = std::pin::pin!(address.send_wait(2));
                    let sent = std::future::poll_fn(|cx| {
                        polls.fetch_add(1, Ordering::Relaxed);
                        sending.as_mut().poll(cx)
                    });
                    assert_eq!(sent.await, Ok(()));
                })
                .run();
            }
        });
        receiver.run();
        sender.join().unwrap();
        assert_eq!(*got.lock().unwrap(), [1, 2]);
        world.saw(if polls.load(Ordering::Relaxed) > 1 { "waited" } else { "did not wait" });
    });
}

#[test]
fn room_that_is_given_up_goes_to_the_next() {
    explore(["gave up first", "gave up with the room"], |world| {
        let (mut receiver, address) = bounded(world, WhenFull::Wait, move |own| async move {
            for _ in 0..2 {
                own.receive_forever().await.unwrap();
            }
        });
        address.try_send(1).unwrap();
        let (gives_up, stays) = (address.clone(), address.clone());
        let mut first = Task::new(async move {
            let _ = gives_up.send_wait(2).await;
        });
        assert!(first.poll().is_pending());
        let mut second = Task::new(async move { assert_eq!(stays.send_wait(3).await, Ok(())) });
        assert!(second.poll().is_pending());
        let quitter = thread::spawn(move || {
            let had_room = first.is_woken();
            drop(first);
            had_room
        });
        assert!(receiver.poll().is_pending());
        let had_room = quitter.join().unwrap();
        world.saw(if had_room { "gave up with the room" } else { "gave up first" });
        second.run();
        receiver.run();
    });
}

#[test]
fn who_waits_for_a_process_that_ends_is_told() {
    explore(["told"], |world| {
        let (receiver, address) = bounded(world, WhenFull::Wait, move |_| async {});
        address.try_send(1).unwrap();
        let sender = thread::spawn(move || {
            Task::new(async move { assert_eq!(address.send_wait(2).await, Err(SendError::Dead(2))) }).run();
        });
        receiver.run();
        sender.join().unwrap();
        world.saw("told");
    });
}

#[test]
fn the_oldest_goes_while_the_receiver_takes() {
    explore(["it was taken", "it was driven out"], |world| {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (receiver, address) = bounded(world, WhenFull::DropOldest, {
            let got = got.clone();
            move |own| async move {
                loop {
                    let message = own.receive_forever().await.unwrap();
                    got.lock().unwrap().push(message);
                    if message == 2 {
                        return;
                    }
                }
            }
        });
        address.try_send(1).unwrap();
        let sender = thread::spawn(move || address.try_send(2).unwrap());
        receiver.run();
        sender.join().unwrap();
        match got.lock().unwrap()[..] {
            [1, 2] => world.saw("it was taken"),
            [2] => world.saw("it was driven out"),
            ref other => panic!("{other:?}"),
        }
    });
}

/// Several times as many as are looked at under one lock.
const MANY: usize = 32;

#[test]
fn what_others_drive_out_makes_no_search_pass_over_a_message() {
    explore(["driven out before", "driven out later"], |world| {
        let oldest = Arc::new(Mutex::new(None));
        let (receiver, address) = process(world, Bound::new(MANY, WhenFull::DropOldest), {
            let oldest = oldest.clone();
            move |own| async move {
                // Of nobody: its end is the last message.
                let monitor = monitor(Pid::here(1 << 40)).unwrap();
                demonitor_flush(monitor);
                let mut rest = Selector::new().select(&own, Some).select_monitors(|_| None);
                let first = receive::first(&mut rest).unwrap();
                *oldest.lock().unwrap() = first;
                assert!(receive::drain(&mut rest).iter().all(Option::is_some), "the end is still there");
            }
        });
        (0..MANY).for_each(|n| address.send(n as u8));
        let sender = thread::spawn(move || address.send(100));
        receiver.run();
        sender.join().unwrap();
        world.saw(match *oldest.lock().unwrap() {
            Some(0) => "driven out later",
            Some(1) => "driven out before",
            ref other => panic!("{other:?}"),
        });
    });
}

#[test]
fn a_full_mailbox_ends_its_process_once() {
    explore(["by the bound", "by itself"], |world| {
        let (receiver, address) = bounded(world, WhenFull::Exit, |own| async move {
            let _ = own.receive_forever().await;
        });
        let process = address.process().unwrap();
        address.try_send(1).unwrap();
        let sender = thread::spawn(move || address.try_send(2));
        receiver.run();
        let _ = sender.join().unwrap();
        world.saw(match process.exit_reason().unwrap() {
            ExitReason::Normal => "by itself",
            _ => "by the bound",
        });
    });
}
