//! Receiving: selectors, wakers, aliases.

use std::{
    future::{Future, pending},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
};

use erlang_process::{
    self as process, AliasMode, Dest, ExitReason, Node, ReceiveError, Registry, Selector, Signal, Spawn,
    Subject,
};
use tokio::time::Instant;

use super::MS;
use crate::support::{LONG, alone, in_order, server, unread, with_own_waker};

#[tokio::test(start_paused = true)]
async fn a_map_function_may_use_the_mailbox() {
    alone(async {
        let (numbers, others) = (Subject::<u32>::new().unwrap(), Subject::<u32>::new().unwrap());
        let (victim, monitor) = process::spawn_monitor(pending::<()>()).unwrap();
        let resend = others.clone();
        let mut selector = Selector::new().select(&numbers, move |number| {
            process::kill(victim);
            resend.send(number);
            // Looks through the mailbox, which another message has reached by now.
            process::demonitor_flush(monitor);
            number
        });
        others.send(1);
        numbers.send(2);
        others.send(3);
        assert_eq!(selector.receive_forever().await, Ok(2));
        for number in [1, 3, 2] {
            assert_eq!(others.receive(MS).await, Ok(number), "no message is lost");
        }
        assert_eq!(unread(), 0);

        // And a down that lies before the message is really gone after the flush.
        let (victim, monitor) = process::spawn_monitor(async {}).unwrap();
        process::join(victim).await;
        numbers.send(4);
        let mut selector = Selector::new().select(&numbers, move |_| process::demonitor_flush(monitor));
        assert_eq!(selector.receive_forever().await, Ok(false));
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_map_function_that_panics_loses_its_message_only() {
    process::capture_panics();
    alone(async {
        let numbers = Subject::<u32>::new().unwrap();
        let mut selector = Selector::new().select(&numbers, |number| {
            assert_ne!(number, 1, "not this one");
            number
        });
        numbers.send(1);
        numbers.send(2);
        assert!(matches!(process::catch(selector.receive_forever()).await, Err(ExitReason::Panic(_))));
        assert_eq!(selector.receive_forever().await, Ok(2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_fit_its_alias_holds_nothing_up() {
    alone(async {
        let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
        let through = |body| Node::current().signal(None, Dest::Alias(alias), Signal::Message(body));
        through(Box::new("no number"));
        through(Box::new(7_u32));
        let mut selector = Selector::new().select_alias(alias, |number: u32| number);
        assert_eq!(selector.receive_forever().await, Ok(7));

        // The same while it waits.
        let other = process::spawn(async move {
            tokio::task::yield_now().await;
            let through = |body| Node::current().signal(None, Dest::Alias(alias), Signal::Message(body));
            through(Box::new("no number"));
            tokio::time::sleep(MS).await;
            through(Box::new(8_u32));
        });
        assert_eq!(selector.receive_forever().await, Ok(8));
        process::join(other).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn receives_side_by_side_each_meet_their_own_time() {
    alone(async {
        let start = Instant::now();
        let never = Subject::<()>::new().unwrap();
        let wait = |ms: u32| {
            let never = never.clone();
            async move {
                assert_eq!(never.receive(ms * MS).await, Err(ReceiveError::Timeout));
                assert_eq!(start.elapsed(), ms * MS);
            }
        };
        in_order(wait(50), in_order(wait(10), wait(30))).await;
        assert_eq!(start.elapsed(), 50 * MS);
    })
    .await;
    alone(async {
        let start = Instant::now();
        let never = Subject::<()>::new().unwrap();
        // With others' wakers among them, and limits within limits.
        let outer = process::timeout(40 * MS, never.receive(30 * MS));
        let inner = process::timeout(10 * MS, never.receive(40 * MS));
        let (outer, (_, inner)) =
            in_order(outer, in_order(with_own_waker(never.receive(20 * MS)), inner)).await;
        assert_eq!((inner, outer), (Err(process::Elapsed), Ok(Err(ReceiveError::Timeout))));
        assert_eq!(start.elapsed(), 30 * MS);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receives_with_wakers_of_their_own_miss_nothing() {
    alone(async {
        const EACH: u32 = 5_000;
        let subjects: Vec<_> = (0..3).map(|_| Subject::<u32>::new().unwrap()).collect();
        for subject in subjects.clone() {
            process::spawn(async move {
                for number in 0..EACH {
                    subject.send(number);
                    if number % 7 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        let read = |subject: Subject<u32>| async move {
            for number in 0..EACH {
                assert_eq!(subject.receive(LONG).await, Ok(number));
            }
        };
        let [a, b, c] = [0, 1, 2].map(|index| read(subjects[index].clone()));
        tokio::join!(with_own_waker(a), with_own_waker(b), c);
        assert_eq!(unread(), 0);
    })
    .await;
}

#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_is_given_up_leaves_no_waker_behind() {
    alone(async {
        let subject = Subject::<u32>::new().unwrap();
        let counting = Arc::new(CountingWaker::default());
        let waker = Waker::from(counting.clone());
        let mut context = Context::from_waker(&waker);
        for _ in 0..100 {
            let mut receive = pin!(subject.receive_forever());
            assert!(receive.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(Arc::strong_count(&counting), 2);
        // Of two that wait with one waker, the one that stays is woken by the next message.
        let mut stays = Box::pin(subject.receive_forever());
        assert!(stays.as_mut().poll(&mut context).is_pending());
        let mut goes = Box::pin(subject.receive_forever());
        assert!(goes.as_mut().poll(&mut context).is_pending());
        drop(goes);
        let woken = counting.0.load(Ordering::SeqCst);
        subject.send(1);
        assert_eq!(counting.0.load(Ordering::SeqCst), woken + 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_its_owner_receives_with_a_subject() {
    alone(async {
        let mine = Subject::<u8>::new().unwrap();
        let (_, own) = server(|_: Subject<u8>| pending::<()>());
        let raw = Subject::<u8>::to_pid(own.pid().unwrap()).unwrap();
        process::run(async move {
            let others = Subject::<u8>::new().unwrap();
            for subject in [&mine, &own, &raw] {
                assert_eq!(subject.receive(MS).await, Err(ReceiveError::NotOwner));
                let mut selector = Selector::new().select(subject, |_| ()).select(&others, |_| ());
                assert_eq!(selector.receive(MS).await, Err(ReceiveError::NotOwner));
                let mut merged =
                    Selector::new().select(subject, |_| ()).merge(Selector::new().select(&others, |_| ()));
                assert_eq!(merged.receive(MS).await, Err(ReceiveError::NotOwner));
            }
        })
        .await
        .unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_subject_that_is_deselected_no_longer_hinders() {
    alone(async {
        let mine = Subject::<u8>::new().unwrap();
        let (pid, own) = server(|_: Subject<u8>| pending::<()>());
        let others: [Subject<u8>; 4] = [
            own.clone(),
            Subject::to_pid(pid).unwrap(),
            mine.map(|n: u8| n),
            Registry::<u8, Subject<u8>>::unique().subject(1),
        ];
        for other in &others {
            mine.send(1);
            let hindered = || Selector::new().select(&mine, |n| n).select(other, |n| n).select(other, |n| n);
            let merged = || Selector::new().select(other, |n| n).merge(hindered()).map(|n| n);
            for mut selector in [hindered(), merged()] {
                assert_eq!(selector.receive(MS).await, Err(ReceiveError::NotOwner));
            }
            assert_eq!(hindered().deselect(other).receive(MS).await, Ok(1));
            mine.send(2);
            assert_eq!(merged().deselect(other).receive(MS).await, Ok(2));
            // What is not there cannot be taken away.
            mine.send(3);
            assert_eq!(Selector::new().select(&mine, |n| n).deselect(other).receive(MS).await, Ok(3));
        }
        // Each is taken away by itself, and the process's own subject is not the other process's.
        let all = || {
            others.iter().fold(Selector::new().select(&mine, |n| n), |all, other| all.select(other, |n| n))
        };
        for left in 0..others.len() {
            let gone = others.iter().enumerate().filter(|(index, _)| *index != left);
            let mut selector = gone.fold(all(), |selector, (_, other)| selector.deselect(other));
            assert_eq!(selector.receive(MS).await, Err(ReceiveError::NotOwner));
        }
        let answer = Subject::new().unwrap();
        let (tell, own_of_other) = (answer.clone(), own.clone());
        let (_, second) = server(move |own: Subject<u8>| async move {
            // Both have the key of a process's own subject.
            let mut selector = Selector::new()
                .select(&own_of_other, |n| n)
                .select(&own, |n| n + 100)
                .deselect(&own_of_other);
            tell.send(selector.receive(LONG).await);
            let mut selector =
                Selector::new().select(&own, |n| n).select(&own_of_other, |n| n).deselect(&own);
            tell.send(selector.receive(LONG).await);
        });
        second.send(1);
        assert_eq!(answer.receive(LONG).await, Ok(Ok(101)));
        assert_eq!(answer.receive(LONG).await, Ok(Err(ReceiveError::NotOwner)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn messages_to_a_pid_are_received_by_their_type() {
    alone(async {
        let me = process::current().unwrap();
        let raw = Subject::<u8>::to_pid(me).unwrap();
        // One unboxed, one as a signal: both are messages to the pid.
        raw.send(1);
        Node::current().signal(None, me, Signal::Message(Box::new(2_u8)));
        Node::current().signal(None, me, Signal::Message(Box::new(3_u8)));
        assert_eq!(raw.receive(MS).await, Ok(1));
        assert_eq!(raw.receive(MS).await, Ok(2));
        assert_eq!(Selector::new().select(&raw, |n| n).receive(MS).await, Ok(3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn bodies_from_outside_reach_an_alias_while_it_is_active() {
    alone(async {
        let node = Node::current();
        node.expose::<u32>(|body| body.downcast().map(|number| *number));
        let prepared = Spawn::new().unlinked().prepare(|own: Subject<u32>| async move {
            let alias = process::alias(AliasMode::Reply).unwrap();
            let node = Node::current();
            let mut selector =
                Selector::new().select_alias(alias, |n: u32| (true, n)).select(&own, |n| (false, n));
            node.inject(Dest::Alias(alias), Box::new(1_u32)).unwrap();
            assert!(node.inject(Dest::Alias(alias), Box::new(2_u32)).is_err(), "the first was the last");
            node.inject(process::current().unwrap(), Box::new(3_u32)).unwrap();
            assert_eq!(selector.receive(MS).await, Ok((true, 1)));
            assert_eq!(selector.receive(MS).await, Ok((false, 3)));
        });
        let prepared = prepared.unwrap();
        let ended = prepared.ended();
        prepared.start();
        assert_eq!(ended.await, ExitReason::Normal);
    })
    .await;
}
