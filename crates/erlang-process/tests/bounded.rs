//! Bounded mailboxes.

#![allow(clippy::unwrap_used)]

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use erlang_process::{
    self as process, AliasMode, Bound, CallError, Dest, ExitReason, GroupEvent, Groups, MailboxFull, Name,
    Node, Pid, ReceiveError, Reply, Selector, SendError, Signal, Spawn, Subject, WhenFull,
};
use tokio::task::yield_now;

const LONG: Duration = Duration::from_secs(60);

/// Runs a test as a process of a node of its own.
async fn alone<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
    tokio::time::timeout(LONG, Node::new().run(body)).await.expect("the test hangs").unwrap()
}

/// A process that takes a message whenever it is told to, and sends it on.
fn taker<M: Send + 'static>(capacity: usize, when_full: WhenFull) -> (Subject<M>, Subject<()>, Subject<M>) {
    let taken = Subject::new().unwrap();
    let out = taken.clone();
    let spawn = Spawn::new().unlinked().mailbox(Bound::new(capacity, when_full));
    let prepared = spawn.prepare(move |own: Subject<M>| async move {
        // Outside the bound.
        let mut orders = Selector::new().select_raw(|()| ());
        while orders.receive_forever().await.is_ok() {
            out.send(own.receive_forever().await.unwrap());
        }
    });
    let prepared = prepared.unwrap();
    let subject = prepared.subject();
    let order = Subject::to_pid(prepared.start()).unwrap();
    (subject, order, taken)
}

/// How many messages are in the mailbox.
fn len<M: Send + 'static>(subject: &Subject<M>) -> u64 {
    Node::current().info(subject.pid().unwrap()).unwrap().message_queue_len
}

/// A waker that panics, as that of a sender may.
struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("woken");
    }
}

/// Waits for room with a waker that panics.
fn wait_badly(send: Pin<&mut impl Future>) {
    let waker = Waker::from(Arc::new(Panicking));
    assert!(send.poll(&mut Context::from_waker(&waker)).is_pending());
}

#[tokio::test]
async fn nobody_has_anything_to_do_with_the_waker_of_who_waits_for_room() {
    alone(async {
        // Not who takes a message,
        let (mailbox, order, taken) = taker(1, WhenFull::Wait);
        mailbox.send(1);
        let mut send = pin!(mailbox.send_wait(2));
        wait_badly(send.as_mut());
        order.send(());
        assert_eq!(taken.receive(LONG).await, Ok(1));
        assert_eq!(send.await, Ok(()));

        // nor who gives its place up.
        let mut first = Box::pin(mailbox.send_wait(3));
        assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await.is_pending());
        let mut second = pin!(mailbox.send_wait(4));
        wait_badly(second.as_mut());
        order.send(());
        assert_eq!(taken.receive(LONG).await, Ok(2));
        drop(first);
        assert_eq!(second.await, Ok(()));

        // nor the rest of the process that ends.
        let mut late = pin!(mailbox.send_wait(5));
        wait_badly(late.as_mut());
        process::kill(mailbox.pid().unwrap());
        assert_eq!(late.await, Err(SendError::Dead(5)));
    })
    .await;
}

/// Says when it is dropped.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn refuse_gives_back_and_takes_again_when_there_is_room() {
    alone(async {
        let (numbers, order, taken) = taker(2, WhenFull::Refuse);
        assert_eq!([1, 2, 3].map(|n| numbers.try_send(n)), [Ok(()), Ok(()), Err(SendError::Full(3))]);
        numbers.send(4);
        assert_eq!(numbers.send_wait(5).await, Err(SendError::Full(5)));
        order.send(());
        assert_eq!(taken.receive(LONG).await, Ok(1));
        assert_eq!(numbers.try_send(6), Ok(()));
        assert_eq!(numbers.try_send(7), Err(SendError::Full(7)));
        for n in [2, 6] {
            order.send(());
            assert_eq!(taken.receive(LONG).await, Ok(n));
        }
        process::kill(numbers.pid().unwrap());
        assert_eq!(numbers.try_send(8), Err(SendError::Dead(8)));
        assert_eq!(SendError::Full(8).into_message(), 8);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn wait_lets_senders_in_one_after_the_other() {
    alone(async {
        let (numbers, order, taken) = taker(1, WhenFull::Wait);
        assert_eq!(numbers.send_wait(0).await, Ok(()));
        assert_eq!(numbers.try_send(99), Err(SendError::Full(99)));
        let sent = Subject::<u32>::new().unwrap();
        for n in 1..=5 {
            let (numbers, sent) = (numbers.clone(), sent.clone());
            process::spawn(async move {
                assert_eq!(numbers.send_wait(n).await, Ok(()));
                sent.send(n);
            });
            // Into the line, in this order.
            yield_now().await;
        }
        assert_eq!(sent.receive(Duration::from_secs(1)).await, Err(ReceiveError::Timeout));
        for n in 0..=5 {
            order.send(());
            assert_eq!(taken.receive(LONG).await, Ok(n));
            if n < 5 {
                assert_eq!(sent.receive(LONG).await, Ok(n + 1));
            }
        }
        assert_eq!(len(&numbers), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn room_that_is_kept_is_kept_from_those_who_do_not_wait() {
    alone(async {
        let (numbers, order, taken) = taker(1, WhenFull::Wait);
        numbers.send(0);
        let waiting = Box::pin(tokio::time::timeout(Duration::from_secs(1), numbers.send_wait(1)));
        assert!(waiting.await.is_err(), "there is no room");

        let mut first = Box::pin(numbers.send_wait(2));
        let mut second = Box::pin(numbers.send_wait(3));
        assert!(futures_poll(&mut first).await.is_none());
        assert!(futures_poll(&mut second).await.is_none());
        order.send(());
        assert_eq!(taken.receive(LONG).await, Ok(0));
        assert_eq!(numbers.try_send(4), Err(SendError::Full(4)), "the room is the first one's");
        // Who gives up leaves it to the next.
        drop(first);
        assert_eq!(numbers.try_send(4), Err(SendError::Full(4)), "the room is the second one's");
        assert_eq!(futures_poll(&mut second).await, Some(Ok(())));
        order.send(());
        assert_eq!(taken.receive(LONG).await, Ok(3));
        assert_eq!(numbers.try_send(5), Ok(()));
    })
    .await;
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_process_that_ends_gets_the_message_back() {
    alone(async {
        let (numbers, order, taken) = taker(1, WhenFull::Wait);
        numbers.send(0);
        let outcomes = Subject::new().unwrap();
        for n in 1..=3 {
            let (numbers, outcomes) = (numbers.clone(), outcomes.clone());
            process::spawn(async move { outcomes.send(numbers.send_wait(n).await) });
        }
        yield_now().await;
        process::kill(numbers.pid().unwrap());
        for n in 1..=3 {
            assert_eq!(outcomes.receive(LONG).await, Ok(Err(SendError::Dead(n))));
        }
        drop((order, taken));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn drop_oldest_keeps_the_newest_read_or_not() {
    alone(async {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (tokens, order, taken) = taker(2, WhenFull::DropOldest);
        for n in 0..5 {
            assert!(tokens.try_send((n, Token(dropped.clone()))).is_ok());
        }
        assert_eq!((dropped.load(Ordering::Relaxed), len(&tokens)), (3, 2));
        // It has passed over them by now, as it waits for an order.
        yield_now().await;
        tokens.send((5, Token(dropped.clone())));
        assert_eq!((dropped.load(Ordering::Relaxed), len(&tokens)), (4, 2));
        for n in [4, 5] {
            order.send(());
            assert_eq!(taken.receive(LONG).await.unwrap().0, n);
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 6);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn drop_newest_tells_nobody() {
    alone(async {
        let (numbers, order, taken) = taker(1, WhenFull::DropNewest);
        assert_eq!([1, 2, 3].map(|n| numbers.try_send(n)), [Ok(()); 3]);
        assert_eq!(numbers.send_wait(4).await, Ok(()));
        order.send(());
        assert_eq!(taken.receive(LONG).await, Ok(1));
        assert_eq!(len(&numbers), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn exit_ends_the_process_and_says_why() {
    alone(async {
        let full =
            Spawn::new().unlinked().mailbox(Bound::new(2, WhenFull::Exit)).prepare(|_: Subject<u8>| async {
                process::trap_exits(true).unwrap();
                std::future::pending::<()>().await;
            });
        let full = full.unwrap();
        let (numbers, pid) = (full.subject(), full.start());
        yield_now().await;
        let monitor = process::monitor(pid).unwrap();
        assert_eq!([1, 2, 3].map(|n| numbers.try_send(n)), [Ok(()), Ok(()), Err(SendError::Dead(3))]);
        assert!(!process::is_alive(pid));
        let reason = monitor.down().await.unwrap().reason;
        let ExitReason::Error(error) = &reason else { panic!("{reason:?}") };
        assert_eq!(error.downcast_ref(), Some(&MailboxFull { capacity: 2 }));
        assert_eq!(reason.to_string(), "the mailbox is full: it takes 2 messages");
    })
    .await;
}

/// A process that answers nothing, and whose mailbox is full.
fn full(when_full: WhenFull) -> Subject<Option<Reply<u8>>> {
    let spawn = Spawn::new().unlinked().mailbox(Bound::new(1, when_full));
    let prepared = spawn.prepare(|own: Subject<Option<Reply<u8>>>| async move {
        let mut orders = Selector::new().select_raw(|()| ());
        orders.receive_forever().await.unwrap();
        while let Ok(request) = own.receive_forever().await {
            if let Some(reply) = request {
                reply.send(1);
            }
        }
    });
    let prepared = prepared.unwrap();
    let subject = prepared.subject();
    prepared.start();
    assert!(subject.try_send(None).is_ok());
    subject
}

#[tokio::test(start_paused = true)]
async fn a_call_to_a_full_mailbox_says_so_or_waits() {
    alone(async {
        let second = Duration::from_secs(1);
        for when_full in [WhenFull::Wait, WhenFull::Refuse, WhenFull::DropNewest] {
            assert_eq!(full(when_full).call(second, Some).await, Err(CallError::Full), "{when_full:?}");
        }
        assert_eq!(full(WhenFull::Exit).call(second, Some).await, Err(CallError::NoProc));

        let requests = full(WhenFull::Wait);
        let order = Subject::to_pid(requests.pid().unwrap()).unwrap();
        process::spawn(async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            order.send(());
        });
        assert_eq!(requests.call(second, Some).await, Ok(1));

        // A request that has to go fails its caller.
        let requests = full(WhenFull::DropOldest);
        let caller = requests.clone();
        let answer = Subject::new().unwrap();
        let tell = answer.clone();
        process::spawn(async move { tell.send(caller.call(LONG, Some).await) });
        yield_now().await;
        requests.send(None);
        assert_eq!(answer.receive(second).await, Ok(Err(CallError::Unanswered)));
        assert_eq!(CallError::Full.to_string(), "the mailbox of the process is full");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_to_go_is_not_answered_for_by_who_drives_it_out() {
    alone(async {
        let prepared = Spawn::new()
            .unlinked()
            .mailbox(Bound::new(1, WhenFull::DropOldest))
            .prepare(|_: Subject<Option<Reply<u8>>>| std::future::pending::<()>());
        let prepared = prepared.unwrap();
        let requests = prepared.subject();
        prepared.start();
        let (caller, answer) = (requests.clone(), Subject::new().unwrap());
        let tell = answer.clone();
        process::spawn(async move { tell.send(caller.call(LONG, Some).await) });
        yield_now().await;
        let last = async move {
            requests.send(None);
            process::exit(ExitReason::Shutdown)
        };
        process::spawn_unlinked::<_>(async move { last.await as () });
        assert_eq!(answer.receive(LONG).await, Ok(Err(CallError::Unanswered)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_travels_as_a_signal_always_gets_in() {
    alone(async {
        let me = process::current().unwrap();
        let (seen, aliases) = (Subject::new().unwrap(), Subject::new().unwrap());
        let out = seen.clone();
        let tell = aliases.clone();
        let other = process::spawn_unlinked(std::future::pending::<()>());
        let spawn = Spawn::new().unlinked().mailbox(Bound::new(1, WhenFull::Refuse));
        let prepared = spawn.prepare(|own: Subject<u8>| async move {
            process::trap_exits(true).unwrap();
            process::monitor(other).unwrap();
            let alias = process::priority_alias(AliasMode::ExplicitUnalias).unwrap();
            let further = Subject::<u8>::new().unwrap();
            tell.send((alias, further.clone()));
            let mut begin = Selector::new().select_raw(|begin: bool| begin);
            begin.receive_forever().await.unwrap();
            let mut all = Selector::new()
                .select(&own, |_| "own")
                .select(&further, |_| "further")
                .select_alias(alias, |text: &'static str| text)
                .select_raw(|text: &'static str| text)
                .select_trapped_exits(|_| "exit")
                .select_monitors(|_| "down");
            while let Ok(text) = all.receive_forever().await {
                out.send(text);
            }
        });
        let prepared = prepared.unwrap();
        let (own, pid) = (prepared.subject(), prepared.start());
        let (alias, further) = aliases.receive(LONG).await.unwrap();

        own.send(1);
        assert_eq!(further.try_send(2), Err(SendError::Full(2)), "all subjects share the room");
        let node = Node::current();
        node.signal(Some(me), Dest::Alias(alias), Signal::Message(Box::new("alias")));
        Subject::to_pid(pid).unwrap().send("raw");
        process::send_exit(pid, ExitReason::Shutdown);
        process::kill(other);
        process::join(other).await;
        process::send_with_priority(alias, "urgent");
        Subject::to_pid(pid).unwrap().send(true);
        for text in ["urgent", "own", "alias", "raw", "exit", "down"] {
            assert_eq!(seen.receive(LONG).await, Ok(text));
        }
        further.send(3);
        assert_eq!(seen.receive(LONG).await, Ok("further"));
        process::kill(pid);
        assert_eq!(process::join(pid).await, ExitReason::Killed);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_mapped_subjects_and_timers_are_bounded_too() {
    alone(async {
        let name = Name::<u8>::new("bounded");
        let spawn = Spawn::new().unlinked().named(name).mailbox(Bound::new(2, WhenFull::Refuse));
        let pid: Pid = spawn.prepare(|_: Subject<u8>| std::future::pending::<()>()).unwrap().start();
        let subject = name.subject();
        subject.send_after(Duration::from_millis(1), 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(len(&subject), 1);
        let mapped = subject.map(|text: &str| u8::try_from(text.len()).unwrap());
        assert_eq!(mapped.try_send("two"), Ok(()));
        assert_eq!(mapped.try_send("three"), Err(SendError::Full("three")));
        assert_eq!(mapped.send_wait("three").await, Err(SendError::Full("three")));
        assert_eq!(subject.try_send(3), Err(SendError::Full(3)));
        assert_eq!(Node::current().info(pid).unwrap().message_queue_len, 2);
    })
    .await;
}

type Sent = Result<(), SendError<u8>>;

/// A mailbox for one message, a subject that sends another message to it while it maps one, and what became of those.
fn meddling(when_full: WhenFull) -> (Subject<u8>, Subject<u8>, Arc<Mutex<Vec<Sent>>>) {
    let spawn = Spawn::new().unlinked().mailbox(Bound::new(1, when_full));
    let prepared = spawn.prepare(|_: Subject<u8>| std::future::pending::<()>()).unwrap();
    let (subject, others) = (prepared.subject(), Arc::<Mutex<Vec<Sent>>>::default());
    prepared.start();
    let (direct, sent) = (subject.clone(), others.clone());
    let mapped = subject.map(move |n: u8| {
        sent.lock().unwrap().push(direct.try_send(100));
        n
    });
    // Of a mapped one, as that is mapped in turn.
    (subject, mapped.map(|n| n), others)
}

#[tokio::test(start_paused = true)]
async fn there_is_room_for_a_message_that_is_being_mapped() {
    alone(async {
        let full = Err(SendError::Full(100));
        for (when_full, another) in
            [(WhenFull::Wait, full), (WhenFull::Refuse, full), (WhenFull::DropNewest, Ok(()))]
        {
            let (subject, mapped, others) = meddling(when_full);
            assert_eq!(mapped.try_send(1), Ok(()));
            assert_eq!(*others.lock().unwrap(), [another]);
            assert_eq!(len(&subject), 1);
            // There is none for one that would not be let in, and it is not mapped.
            let told = if when_full == WhenFull::DropNewest { Ok(()) } else { Err(SendError::Full(2)) };
            assert_eq!(mapped.try_send(2), told);
            assert_eq!(others.lock().unwrap().len(), 1);
        }

        let (subject, mapped, others) = meddling(WhenFull::DropOldest);
        assert_eq!([mapped.try_send(1), mapped.try_send(2)], [Ok(()); 2]);
        assert_eq!((others.lock().unwrap().as_slice(), len(&subject)), ([Ok(()); 2].as_slice(), 1));

        let (subject, mapped, _) = meddling(WhenFull::Exit);
        let monitor = process::monitor(subject.pid().unwrap()).unwrap();
        assert_eq!(mapped.try_send(1), Ok(()), "its end was decided by the other");
        let reason = monitor.down().await.unwrap().reason;
        assert_eq!(reason, ExitReason::error(MailboxFull { capacity: 1 }));
        let (_, mapped, others) = meddling(WhenFull::Exit);
        let _ = mapped.try_send(1);
        assert_eq!(mapped.try_send(2), Err(SendError::Dead(2)));
        assert_eq!(others.lock().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_room_for_a_message_is_free_again_if_mapping_it_panics() {
    alone(async {
        let spawn = Spawn::new().unlinked().mailbox(Bound::new(1, WhenFull::Wait));
        let prepared = spawn.prepare(|_: Subject<u8>| std::future::pending::<()>()).unwrap();
        let subject = prepared.subject();
        prepared.start();
        let mapped = subject.map(|(): ()| panic!("nothing comes of it"));
        assert!(process::rescue(|| mapped.try_send(())).is_err());
        assert_eq!(subject.try_send(1), Ok(()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_to_the_pid_does_not_count_if_it_is_mapped_either() {
    alone(async {
        for when_full in [WhenFull::Refuse, WhenFull::Exit] {
            let spawn = Spawn::new().unlinked().mailbox(Bound::new(1, when_full));
            let prepared = spawn.prepare(|_: Subject<u8>| std::future::pending::<()>()).unwrap();
            let (subject, pid) = (prepared.subject(), prepared.start());
            subject.send(1);
            let mapped = Subject::to_pid(pid).unwrap().map(|n: u8| u32::from(n));
            assert_eq!(mapped.try_send(2), Ok(()));
            assert_eq!(len(&subject), 2);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_does_not_wait_with_what_needs_none() {
    alone(async {
        let spawn = Spawn::new().unlinked().mailbox(Bound::new(1, WhenFull::Wait));
        let prepared = spawn.prepare(|own: Subject<u8>| async move {
            let me = Subject::to_pid(process::current().unwrap()).unwrap();
            me.send_wait(2_u32).await.unwrap();
            me.map(|n: u8| u32::from(n)).send_wait(3).await.unwrap();
            assert_eq!(own.receive_forever().await, Ok(1));
        });
        let prepared = prepared.unwrap();
        prepared.subject().send(1);
        let ended = prepared.ended();
        prepared.start();
        assert_eq!(ended.await, ExitReason::Normal);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn events_of_groups_follow_the_policy() {
    alone(async {
        let groups = Groups::<&str, u8>::new();
        let spawn = Spawn::new().unlinked().mailbox(Bound::new(2, WhenFull::DropOldest));
        let seen = Subject::new().unwrap();
        let out = seen.clone();
        let watched = groups.clone();
        let prepared = spawn.prepare(|_: Subject<u8>| async move {
            let (monitor, _) = watched.monitor("group").unwrap();
            let mut begin = Selector::new().select_raw(|()| ());
            out.send(None);
            begin.receive_forever().await.unwrap();
            while let Ok(event) = monitor.events().receive_forever().await {
                out.send(Some(event));
            }
        });
        let pid = prepared.unwrap().start();
        assert_eq!(seen.receive(LONG).await, Ok(None));
        let members: Vec<Subject<u8>> = (0..3).map(|_| Subject::new().unwrap()).collect();
        for member in &members {
            groups.join("group", member).unwrap();
        }
        assert_eq!(Node::current().info(pid).unwrap().message_queue_len, 2);
        Subject::to_pid(pid).unwrap().send(());
        for _ in 0..2 {
            assert!(matches!(seen.receive(LONG).await, Ok(Some(GroupEvent::Joined { .. }))));
        }
    })
    .await;
}

/// Several senders against one receiver that is sometimes slow and sometimes dies.
async fn storm(round: u64, when_full: WhenFull, capacity: usize) {
    const SENDERS: u64 = 3;
    const MESSAGES: u64 = 40;
    let made = Arc::new(AtomicUsize::new(0));
    let dropped = Arc::new(AtomicUsize::new(0));
    let got = Subject::new().unwrap();
    let out = got.clone();
    let dies = round % 4 == 3;
    let spawn = Spawn::new().unlinked().mailbox(Bound::new(capacity, when_full));
    let prepared = spawn.prepare(move |own: Subject<(u64, u64, Token)>| async move {
        let mut count = 0;
        // Who sends that there is no more is let in whatever lies in the mailbox.
        let mut more = Selector::new().select(&own, Some).select_raw(|()| None);
        while let Ok(Some((sender, n, token))) = more.receive_forever().await {
            drop(token);
            out.send((sender, n));
            count += 1;
            if dies && count == 20 {
                break;
            }
            if (n + round).is_multiple_of(7) {
                yield_now().await;
            }
        }
    });
    let prepared = prepared.unwrap();
    let (subject, ended) = (prepared.subject(), prepared.ended());
    let pid = prepared.start();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (subject, made, dropped) = (subject.clone(), made.clone(), dropped.clone());
            process::spawn_monitor(async move {
                for n in 0..MESSAGES {
                    made.fetch_add(1, Ordering::Relaxed);
                    let message = (sender, n, Token(dropped.clone()));
                    match (sender + n + round) % 5 {
                        0 => subject.send(message),
                        // Given up, often while it waits for room.
                        1 => tokio::select! {
                            biased;
                            sent = subject.send_wait(message) => drop(sent),
                            () = yield_now() => {}
                        },
                        _ => drop(subject.send_wait(message).await),
                    }
                    if let Some(info) = Node::current().info(pid) {
                        // One that was taken a moment ago may not be counted yet.
                        assert!(info.message_queue_len <= capacity as u64 + 1, "{}", info.message_queue_len);
                    }
                }
            })
            .unwrap()
            .1
        })
        .collect();
    for sender in senders {
        assert_eq!(sender.down().await.unwrap().reason, ExitReason::Normal);
    }
    if let Some(end) = Subject::to_pid(pid) {
        end.send(());
    }
    let reason = ended.await;
    assert!(reason == ExitReason::Normal || when_full == WhenFull::Exit, "{reason}");
    drop(subject);
    assert_eq!(made.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed), "a message was stranded");
    // What came of each sender came in its order, and with `Wait` all that was not given up.
    let mut last = [None; SENDERS as usize];
    while let Ok((sender, n)) = got.receive(Duration::ZERO).await {
        let last = &mut last[usize::try_from(sender).unwrap()];
        assert!(last.is_none_or(|last| last < n));
        *last = Some(n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storms_strand_nothing_and_keep_every_senders_order() {
    for round in 0..240 {
        let all =
            [WhenFull::Wait, WhenFull::Refuse, WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::Exit];
        let when_full = all[usize::try_from(round % 5).unwrap()];
        let capacity = usize::try_from(round % 3).unwrap() + 1;
        alone(storm(round, when_full, capacity)).await;
    }
}
