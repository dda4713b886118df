//! Long polls and long message queues.

#![allow(clippy::unwrap_used)]

use std::{
    collections::HashSet,
    future::pending,
    hint,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use erlang_process::{
    self as process, ExitReason, Node, Pid, ReceiveError, Reply, Spawn, Subject, SystemEvent, SystemMonitor,
};
use tokio::sync::Notify;

const LONG: Duration = Duration::from_secs(60);

async fn in_a_process(body: impl Future<Output = ()> + Send + 'static) {
    tokio::time::timeout(LONG, Node::new().run(body)).await.unwrap().unwrap();
}

fn watch(limits: SystemMonitor) -> Subject<SystemEvent> {
    let events = Subject::new().unwrap();
    Node::current().system_monitor(limits, &events).unwrap();
    events
}

async fn next(events: &Subject<SystemEvent>) -> SystemEvent {
    events.receive(LONG).await.unwrap()
}

async fn none(events: &Subject<SystemEvent>) {
    assert_eq!(events.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
}

/// Blocks the thread: what is real time here, and no less than this.
#[allow(clippy::disallowed_methods)]
fn block(duration: Duration) {
    std::thread::sleep(duration);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_blocks_is_reported_whatever_the_clock_of_tokio_says() {
    in_a_process(async {
        let limit = Duration::from_millis(2);
        let events = watch(SystemMonitor::new().long_poll(limit));
        let pid = process::spawn(async move { block(limit) });
        // Others may have been kept waiting by the system.
        loop {
            let SystemEvent::LongPoll { pid: long, took } = next(&events).await else { panic!() };
            assert!(took >= limit);
            if long == pid {
                break;
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn with_a_limit_of_zero_every_poll_is_long() {
    in_a_process(async {
        let events = watch(SystemMonitor::new().long_poll(Duration::ZERO));
        let pid = process::spawn(async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
        for _ in 0..3 {
            let event = next(&events).await;
            assert!(matches!(event, SystemEvent::LongPoll { pid: long, .. } if long == pid), "{event:?}");
        }
        tokio::task::yield_now().await;
        none(&events).await;
    })
    .await;
}

#[tokio::test]
async fn a_process_with_a_thread_of_its_own_may_take_it() {
    in_a_process(async {
        let events = watch(SystemMonitor::new().long_poll(Duration::ZERO));
        let prepared = Spawn::new().unlinked().prepare(|_: Subject<()>| async {}).unwrap();
        let ended = prepared.ended();
        prepared.start_blocking();
        ended.await;
        none(&events).await;
    })
    .await;
}

#[tokio::test]
async fn limits_that_are_far_away_report_nothing() {
    in_a_process(async {
        let events = watch(SystemMonitor::new().long_poll(LONG).long_message_queue(1_000, 0));
        process::join(process::spawn(async { block(Duration::from_millis(1)) })).await;
        let idle = process::spawn_subject(|_: Subject<()>| pending::<()>());
        (0..1_000).for_each(|_| idle.send(()));
        none(&events).await;
    })
    .await;
}

/// A process that takes as many numbers out of its mailbox as it is told to, and where to tell it.
async fn taker() -> (Pid, Subject<u32>, Subject<(usize, Reply<()>)>) {
    let orders = Subject::new().unwrap();
    let tell = orders.clone();
    let numbers = process::spawn_subject(|numbers: Subject<u32>| async move {
        let orders = Subject::<(usize, Reply<()>)>::new().unwrap();
        tell.send(orders.clone());
        while let Ok((count, reply)) = orders.receive_forever().await {
            for _ in 0..count {
                numbers.receive_forever().await.unwrap();
            }
            reply.send(());
        }
    });
    (numbers.pid().unwrap(), numbers, orders.receive(LONG).await.unwrap())
}

#[tokio::test]
async fn a_queue_is_reported_once_when_it_is_long_and_once_when_it_is_short_again() {
    in_a_process(async {
        let (pid, numbers, orders) = taker().await;
        let take = async |count| orders.call(LONG, |reply| (count, reply)).await.unwrap();
        let events = watch(SystemMonitor::new().long_message_queue(3, 1));
        for _ in 0..3 {
            numbers.send(1);
        }
        none(&events).await;
        numbers.send(1);
        assert_eq!(next(&events).await, SystemEvent::LongMessageQueue { pid, len: 4 });
        numbers.send(1);
        take(3).await;
        none(&events).await;
        take(1).await;
        assert_eq!(next(&events).await, SystemEvent::ShortMessageQueue { pid, len: 1 });
        take(1).await;
        none(&events).await;
        // And again.
        for _ in 0..6 {
            numbers.send(1);
        }
        assert_eq!(next(&events).await, SystemEvent::LongMessageQueue { pid, len: 4 });
        take(6).await;
        assert_eq!(next(&events).await, SystemEvent::ShortMessageQueue { pid, len: 0 });
        none(&events).await;
    })
    .await;
}

#[tokio::test]
async fn each_monitor_has_its_limits_until_it_is_stopped() {
    in_a_process(async {
        let (pid, numbers, orders) = taker().await;
        let take = async |count| orders.call(LONG, |reply| (count, reply)).await.unwrap();
        let low = watch(SystemMonitor::new().long_message_queue(1, 0));
        let high = watch(SystemMonitor::new().long_message_queue(127, 100));
        let stopped = Subject::new().unwrap();
        let limits = SystemMonitor::new().long_message_queue(1, 0);
        assert!(Node::current().system_monitor(limits, &stopped).unwrap().stop());
        for _ in 0..128 {
            numbers.send(1);
        }
        assert_eq!(next(&low).await, SystemEvent::LongMessageQueue { pid, len: 2 });
        assert_eq!(next(&high).await, SystemEvent::LongMessageQueue { pid, len: 128 });
        take(28).await;
        assert_eq!(next(&high).await, SystemEvent::ShortMessageQueue { pid, len: 100 });
        none(&low).await;
        take(100).await;
        assert_eq!(next(&low).await, SystemEvent::ShortMessageQueue { pid, len: 0 });
        none(&stopped).await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_another_has_heard_of_long_before_is_told_when_it_is_passed() {
    in_a_process(async {
        let (pid, numbers, _orders) = taker().await;
        let low = watch(SystemMonitor::new().long_message_queue(1, 0));
        let limits = [64, 70, 100];
        let higher = limits.map(|high| watch(SystemMonitor::new().long_message_queue(high, 0)));
        for _ in 0..=100 {
            numbers.send(1);
        }
        assert_eq!(next(&low).await, SystemEvent::LongMessageQueue { pid, len: 2 });
        for (high, events) in limits.into_iter().zip(&higher) {
            assert_eq!(next(events).await, SystemEvent::LongMessageQueue { pid, len: high + 1 });
            none(events).await;
        }
        none(&low).await;
    })
    .await;
}

#[tokio::test]
async fn who_begins_to_watch_hears_of_a_queue_that_has_long_been_long() {
    in_a_process(async {
        // Not polled while it waits for anything but mail: its queue is looked at when a message comes.
        let begin = Arc::new(Notify::new());
        let begun = begin.clone();
        let numbers = process::spawn_subject(|numbers: Subject<u32>| async move {
            begun.notified().await;
            while numbers.receive_forever().await.is_ok() {}
        });
        let pid = numbers.pid().unwrap();
        let limits = SystemMonitor::new().long_message_queue(5, 2);
        let first = Subject::new().unwrap();
        let watching = Node::current().system_monitor(limits, &first).unwrap();
        (0..6).for_each(|_| numbers.send(1));
        assert_eq!(next(&first).await, SystemEvent::LongMessageQueue { pid, len: 6 });
        // One beside him, and one when he has stopped.
        let second = watch(limits);
        numbers.send(1);
        assert_eq!(next(&second).await, SystemEvent::LongMessageQueue { pid, len: 7 });
        assert!(watching.stop());
        let third = watch(limits);
        numbers.send(1);
        assert_eq!(next(&third).await, SystemEvent::LongMessageQueue { pid, len: 8 });
        begin.notify_one();
        for events in [second, third] {
            assert_eq!(next(&events).await, SystemEvent::ShortMessageQueue { pid, len: 0 });
            none(&events).await;
        }
        none(&first).await;
    })
    .await;
}

#[tokio::test]
async fn the_queue_of_a_process_with_a_thread_of_its_own_falls_where_it_waits() {
    in_a_process(async {
        let events = watch(SystemMonitor::new().long_message_queue(3, 0));
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let numbers = process::spawn_blocking(move |numbers: Subject<u32>| {
            let _ = gate.recv();
            while numbers.receive_forever_blocking().is_ok() {}
        });
        let pid = numbers.pid().unwrap();
        for _ in 0..4 {
            numbers.send(1);
        }
        assert_eq!(next(&events).await, SystemEvent::LongMessageQueue { pid, len: 4 });
        drop(go);
        assert_eq!(next(&events).await, SystemEvent::ShortMessageQueue { pid, len: 0 });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_storm_long_and_short_alternate_and_the_last_is_short() {
    in_a_process(async {
        const SENDERS: u32 = 4;
        let events = watch(SystemMonitor::new().long_message_queue(5, 2));
        let mut ends = Vec::new();
        for _ in 0..20 {
            let prepared = Spawn::new().prepare(|numbers: Subject<bool>| async move {
                let mut last = SENDERS;
                while last > 0 {
                    last -= u32::from(numbers.receive_forever().await.unwrap());
                }
            });
            let prepared = prepared.unwrap();
            let numbers = prepared.subject();
            ends.push(prepared.ended());
            prepared.start();
            for _ in 0..SENDERS {
                let numbers = numbers.clone();
                process::spawn_unlinked(async move {
                    for number in 0..200 {
                        numbers.send(number == 199);
                        if number % 50 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                });
            }
        }
        for end in ends {
            assert_eq!(end.await, ExitReason::Normal);
        }
        // What is reported of this one is reported last.
        let marker = process::spawn_subject(|_: Subject<()>| pending::<()>());
        (0..6).for_each(|_| marker.send(()));
        let mut long = HashSet::new();
        loop {
            match next(&events).await {
                SystemEvent::LongMessageQueue { pid, len } if Some(pid) == marker.pid() => {
                    assert_eq!(len, 6);
                    break;
                }
                SystemEvent::LongMessageQueue { pid, len } => assert!(len > 5 && long.insert(pid)),
                SystemEvent::ShortMessageQueue { pid, len } => assert!(len <= 2 && long.remove(&pid)),
                other => panic!("{other:?}"),
            }
        }
        assert!(long.is_empty());
    })
    .await;
}

#[tokio::test]
async fn nobody_is_told_about_himself() {
    in_a_process(async {
        let limits = SystemMonitor::new().long_poll(Duration::ZERO).long_message_queue(0, 0);
        let events = watch(limits);
        let mine = Subject::new().unwrap();
        mine.send(());
        mine.send(());
        tokio::task::yield_now().await;
        none(&events).await;
    })
    .await;
}

/// Spins when it is dropped, until it is told to stop.
#[derive(Default)]
struct Spin {
    spins: AtomicBool,
    stop: AtomicBool,
}

struct Caught(Arc<Spin>);

impl Drop for Caught {
    fn drop(&mut self) {
        self.0.spins.store(true, Ordering::Release);
        while !self.0.stop.load(Ordering::Relaxed) {
            hint::spin_loop();
        }
    }
}

/// From outside the runtime, as its threads may all be caught.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_poll_that_does_not_end_is_found() {
    is_found(|caught| async move { drop(caught) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_process_that_does_not_come_to_its_end_is_found() {
    // Dropped with the future, by the poll in which that is found to be killed.
    is_found(|caught| async move {
        let _caught = caught;
        let own = process::current().unwrap();
        Spawn::new().unlinked().spawn(async move { process::kill(own) }).unwrap();
        pending().await
    })
    .await;
}

async fn is_found<F: Future<Output = ()> + Send + 'static>(body: impl FnOnce(Caught) -> F) {
    let node = Node::new();
    let spin = Arc::new(Spin::default());
    let idle = Spawn::new().on(&node).spawn(pending::<()>()).unwrap();
    let prepared = Spawn::new().on(&node).prepare(|_: Subject<()>| body(Caught(spin.clone())));
    let prepared = prepared.unwrap();
    let ended = prepared.ended();
    let busy = prepared.start();
    while !spin.spins.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    let polls = node.polls();
    assert!(polls.pids().contains(&busy));
    assert_eq!(polls.still_running(), [busy]);
    assert!(!node.polls().pids().contains(&idle));
    spin.stop.store(true, Ordering::Relaxed);
    ended.await;
    assert_eq!(polls.still_running(), []);
}
