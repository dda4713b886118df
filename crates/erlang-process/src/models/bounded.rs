//! Bounded mailboxes: who waits for room is woken for it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    Token, World, explore,
    puppet::{Task, counting},
    thread,
};
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
                let sending = async move { assert_eq!(address.send_wait(2).await, Ok(())) };
                Task::new(counting(polls, sending)).run();
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
    explore(["waited", "was late"], |world| {
        let (receiver, address) = bounded(world, WhenFull::Wait, move |_| async {});
        address.try_send(1).unwrap();
        let polls = Arc::<AtomicUsize>::default();
        let sender = thread::spawn({
            let polls = polls.clone();
            move || {
                let sending = async move { assert_eq!(address.send_wait(2).await, Err(SendError::Dead(2))) };
                Task::new(counting(polls, sending)).run();
            }
        });
        receiver.run();
        sender.join().unwrap();
        world.saw(if polls.load(Ordering::Relaxed) > 1 { "waited" } else { "was late" });
    });
}

/// Room is kept for what a mapped subject still makes of a message.
#[test]
fn a_message_for_which_room_is_kept_is_given_back_or_dropped_with_the_mailbox() {
    explore(["given back", "dropped with the mailbox"], |world| {
        let dropped = Arc::<AtomicUsize>::default();
        let prepared = Spawn::new().unlinked().on(&world.node).mailbox(Bound::new(1, WhenFull::Wait));
        let prepared = prepared.prepare(|_: Subject<Token>| async {}).unwrap();
        let own = prepared.subject();
        world.watch(prepared.start());
        let receiver = rt::spawned().unwrap();
        let sender = thread::spawn({
            let (mapped, token) = (own.map(|token: Token| token), Token(dropped.clone()));
            move || mapped.try_send(token)
        });
        // Who waits meanwhile is told, whoever has the room.
        let waiting = thread::spawn({
            let (own, token) = (own.clone(), Token(Arc::default()));
            move || Task::new(async move { drop(own.send_wait(token).await) }).run()
        });
        receiver.run();
        waiting.join().unwrap();
        match sender.join().unwrap() {
            Ok(()) => {
                assert_eq!(dropped.load(Ordering::Relaxed), 1, "a message was stranded");
                world.saw("dropped with the mailbox");
            }
            Err(back) => {
                assert_eq!(dropped.load(Ordering::Relaxed), 0);
                drop(back);
                world.saw("given back");
            }
        }
        drop(own);
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
        let mut watcher = world.puppet::<()>();
        let pid = address.pid().unwrap();
        watcher.does(move || crate::monitor(pid).unwrap()).unwrap();
        address.try_send(1).unwrap();
        let sender = thread::spawn(move || address.try_send(2));
        receiver.run();
        let sent = sender.join().unwrap();
        let downs = watcher.downs();
        let [down] = &downs[..] else { panic!("{downs:?}") };
        match (&down.reason, sent) {
            // Sent to one that has room again, or has ended.
            (ExitReason::Normal, Ok(()) | Err(SendError::Dead(2))) => world.saw("by itself"),
            (ExitReason::Error(_), Err(SendError::Dead(2))) => world.saw("by the bound"),
            other => panic!("{other:?}"),
        }
    });
}
