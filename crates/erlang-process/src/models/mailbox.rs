//! Messages against receivers that wait, and against mailboxes that close.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
};

use super::{explore, thread};
use crate::{ExitReason, SendError, Subject};

#[test]
fn two_senders_wake_one_receiver_and_each_keeps_its_order() {
    explore(["one was first", "the other was first", "they took turns"], |world| {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (receiver, address) = world.process({
            let got = got.clone();
            move |own: Subject<u8>| async move {
                for _ in 0..4 {
                    let message = own.receive_forever().await.unwrap();
                    got.lock().unwrap().push(message);
                }
            }
        });
        let senders = [[11, 12], [21, 22]].map(|messages| {
            let address = address.clone();
            thread::spawn(move || messages.map(|message| address.send(message)))
        });
        receiver.run();
        for sender in senders {
            sender.join().unwrap();
        }
        let got = got.lock().unwrap();
        match got[..] {
            [11, 12, 21, 22] => world.saw("one was first"),
            [21, 22, 11, 12] => world.saw("the other was first"),
            _ => world.saw("they took turns"),
        }
        for order in [[11, 12], [21, 22]] {
            let from_one: Vec<_> = got.iter().filter(|message| order.contains(message)).copied().collect();
            assert_eq!(from_one, order);
        }
    });
}

#[test]
fn a_receive_under_a_combinator_with_wakers_of_its_own_is_woken_too() {
    /// What a combinator wakes its parts with.
    struct Part(Waker);

    impl Wake for Part {
        fn wake(self: Arc<Self>) {
            self.0.wake_by_ref();
        }
    }

    explore(["waited", "found it there"], |world| {
        let polls = Arc::new(AtomicUsize::new(0));
        let (receiver, address) = world.process({
            let polls = polls.clone();
            move |own: Subject<u8>| async move {
                let mut receive = pin!(own.receive_forever());
                std::future::poll_fn(|cx| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    let part = Waker::from(Arc::new(Part(cx.waker().clone())));
                    receive.as_mut().poll(&mut Context::from_waker(&part)).map(drop)
                })
                .await;
            }
        });
        let sender = thread::spawn(move || address.send(1));
        receiver.run();
        sender.join().unwrap();
        world.saw(if polls.load(Ordering::Relaxed) > 1 { "waited" } else { "found it there" });
    });
}

/// A message that knows how many of its kind were dropped.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends while the receiver ends. A message is given back or dropped with the mailbox, while there are still
/// subjects that hold it.
fn send_against_end(further_subject: bool) {
    explore(["given back", "dropped with the mailbox"], move |world| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut receiver = world.puppet::<Token>();
        let subject = if further_subject {
            receiver.does(|| Subject::new().unwrap()).unwrap()
        } else {
            receiver.subject.clone()
        };
        let sender = thread::spawn({
            let token = Token(dropped.clone());
            let subject = subject.clone();
            move || subject.try_send(token)
        });
        receiver.ends(ExitReason::Normal);
        let sent = sender.join().unwrap();
        match sent {
            Ok(()) => {
                assert_eq!(dropped.load(Ordering::Relaxed), 1, "a message was stranded");
                world.saw("dropped with the mailbox");
            }
            Err(SendError(token)) => {
                assert_eq!(dropped.load(Ordering::Relaxed), 0);
                drop(token);
                world.saw("given back");
            }
        }
        drop(subject);
    });
}

#[test]
fn a_message_to_a_mailbox_that_closes_is_given_back_or_dropped() {
    send_against_end(false);
}

#[test]
fn a_message_to_a_further_subject_of_a_mailbox_that_closes_is_given_back_or_dropped() {
    send_against_end(true);
}

#[test]
fn a_receiver_that_is_killed_while_it_waits_is_woken_and_ends() {
    explore(["killed", "received"], |world| {
        let received = Arc::new(AtomicUsize::new(0));
        let (receiver, address) = world.process({
            let received = received.clone();
            move |own: Subject<u8>| async move {
                own.receive_forever().await.unwrap();
                received.fetch_add(1, Ordering::Relaxed);
            }
        });
        let pid = address.pid().unwrap();
        let killer = thread::spawn({
            let node = world.node.clone();
            move || node.signal(None, pid, super::kill())
        });
        let sender = thread::spawn(move || address.send(1));
        receiver.run();
        killer.join().unwrap();
        sender.join().unwrap();
        world.saw(if received.load(Ordering::Relaxed) == 1 { "received" } else { "killed" });
    });
}
