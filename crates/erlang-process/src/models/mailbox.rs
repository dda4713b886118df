//! Messages against receivers that wait, and against mailboxes that close.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::{
    Token, World, explore,
    puppet::{Part, Puppet, counting},
    thread,
};
use crate::{ExitReason, Name, Registry, Selector, Signal, Subject};

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
                poll_fn(|cx| {
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

/// A receive that is polled by the task and then by a part of it, or the other way round, and that takes a quick look
/// or searches.
fn receive_that_changes_hands(by_task_first: bool, searches: bool) {
    explore(["waited", "found it there"], move |world| {
        let polls = Arc::new(AtomicUsize::new(0));
        let (receiver, address) = world.process({
            let polls = polls.clone();
            move |own: Subject<u8>| async move {
                let mut anything = Selector::new().select_other(|mut message| message.take::<u8>().unwrap());
                for message in 1..=2 {
                    let receive: Pin<Box<dyn Future<Output = _> + Send>> = if searches {
                        Box::pin(anything.receive_forever())
                    } else {
                        Box::pin(own.receive_forever())
                    };
                    let (mut receive, mut part) = (pin!(receive), Part::default());
                    let received = poll_fn(|cx| {
                        polls.fetch_add(1, Ordering::Relaxed);
                        part.poll_both(receive.as_mut(), cx, by_task_first)
                    });
                    assert_eq!(received.await, Ok(message));
                }
            }
        });
        let sender = thread::spawn(move || {
            address.send(1);
            address.send(2);
        });
        receiver.run();
        sender.join().unwrap();
        world.saw(if polls.load(Ordering::Relaxed) > 2 { "waited" } else { "found it there" });
    });
}

#[test]
fn a_receive_that_goes_from_the_task_to_a_part_of_it_is_woken_there() {
    receive_that_changes_hands(true, false);
}

#[test]
fn a_receive_that_goes_from_a_part_of_the_task_to_the_task_is_woken_there() {
    receive_that_changes_hands(false, false);
}

#[test]
fn a_search_that_goes_from_the_task_to_a_part_of_it_is_woken_there() {
    receive_that_changes_hands(true, true);
}

#[test]
fn a_search_that_goes_from_a_part_of_the_task_to_the_task_is_woken_there() {
    receive_that_changes_hands(false, true);
}

/// Each empties the queue for both: what one leaves where only the process looks is not lost to the other.
#[test]
fn two_receives_of_which_a_part_polls_one_get_what_is_for_each() {
    explore(["the task's first", "the part's first"], |world| {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (receiver, address) = world.process({
            let got = got.clone();
            move |own: Subject<u8>| async move {
                let mut raw = Selector::new().select_raw(|message: u16| message);
                let (mut by_task, mut by_part) = (pin!(own.receive_forever()), pin!(raw.receive_forever()));
                let (mut part, mut open) = (Part::default(), (true, true));
                poll_fn(|cx| {
                    if open.1 && part.poll(by_part.as_mut(), cx).is_ready() {
                        got.lock().unwrap().push("the part's");
                        open.1 = false;
                    }
                    if open.0 && by_task.as_mut().poll(cx).is_ready() {
                        got.lock().unwrap().push("the task's");
                        open.0 = false;
                    }
                    if open == (false, false) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
        });
        let (node, pid) = (world.node.clone(), address.pid().unwrap());
        let senders = [
            thread::spawn(move || address.send(1)),
            thread::spawn(move || node.signal(None, pid, Signal::Message(Box::new(2_u16)))),
        ];
        receiver.run();
        for sender in senders {
            sender.join().unwrap();
        }
        world.saw(match got.lock().unwrap()[..] {
            ["the task's", "the part's"] => "the task's first",
            ["the part's", "the task's"] => "the part's first",
            ref other => panic!("{other:?}"),
        });
    });
}

/// Two receives wait with one waker, and one is given up: that takes the waker back, which the other still needs.
#[test]
fn a_receive_that_is_given_up_takes_no_wake_from_another() {
    explore(["waited", "found it there"], |world| {
        let polls = Arc::<AtomicUsize>::default();
        let (receiver, address) = world.process({
            let polls = polls.clone();
            move |own: Subject<u8>| async move {
                let mut given_up = Some(Box::pin(own.receive_forever()));
                let mut stays = pin!(own.receive_forever());
                let mut both = pin!(counting(
                    polls,
                    poll_fn(|cx| {
                        let Some(mut first) = given_up.take() else { return stays.as_mut().poll(cx) };
                        let waits =
                            first.as_mut().poll(cx).is_pending() && stays.as_mut().poll(cx).is_pending();
                        drop(first);
                        if waits { Poll::Pending } else { Poll::Ready(Ok(1)) }
                    })
                ));
                let mut part = Part::default();
                assert_eq!(poll_fn(|cx| part.poll(both.as_mut(), cx)).await, Ok(1));
            }
        });
        let sender = thread::spawn(move || address.send(1));
        receiver.run();
        sender.join().unwrap();
        world.saw(if polls.load(Ordering::Relaxed) > 1 { "waited" } else { "found it there" });
    });
}

/// Sends while the receiver ends. A message is given back or dropped with the mailbox, while there are still
/// subjects that hold it.
fn send_against_end(subject: impl Fn(&World, &mut Puppet<Token>) -> Subject<Token> + Send + Sync + 'static) {
    explore(["given back", "dropped with the mailbox"], move |world| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut receiver = world.puppet::<Token>();
        let subject = subject(world, &mut receiver);
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
            Err(error) => {
                assert_eq!(dropped.load(Ordering::Relaxed), 0);
                drop(error.into_message());
                world.saw("given back");
            }
        }
        drop(subject);
    });
}

#[test]
fn a_message_to_a_mailbox_that_closes_is_given_back_or_dropped() {
    send_against_end(|_, receiver| receiver.subject.clone());
}

#[test]
fn a_message_to_a_further_subject_of_a_mailbox_that_closes_is_given_back_or_dropped() {
    send_against_end(|_, receiver| receiver.does(|| Subject::new().unwrap()).unwrap());
}

#[test]
fn a_message_to_a_mapped_subject_of_a_mailbox_that_closes_is_given_back_or_dropped() {
    send_against_end(|_, receiver| receiver.subject.map(|token| token));
}

#[test]
fn a_message_to_the_name_of_a_process_that_ends_is_given_back_or_dropped() {
    send_against_end(|world, receiver| {
        let name = Name::<Token>::fixed("the name");
        world.node.register(receiver.pid, name).unwrap();
        Subject::named(world.node.clone(), name.registered_name())
    });
}

#[test]
fn a_message_to_the_key_of_a_process_that_ends_is_given_back_or_dropped() {
    send_against_end(|world, receiver| {
        let registry = Registry::unique_on(&world.node);
        let (keys, own) = (registry.clone(), receiver.subject.clone());
        receiver.does(move || keys.register(1, own)).unwrap().unwrap();
        let subject = registry.subject(1);
        world.keep(registry);
        subject
    });
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
