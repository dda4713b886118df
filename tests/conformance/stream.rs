//! STR: streams of tasks.

use std::{
    future::pending,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Node, Pid};
use otp_task::{self as task, ElementError, Failed, StreamOnTimeout};
use tokio::{sync::oneshot, time::Instant};

use crate::support::{Drops, LONG, alone, boom, trapped, unread, until};

const MS: Duration = Duration::from_millis(1);

/// All items of a stream.
macro_rules! all {
    ($stream:expr) => {{
        let mut stream = $stream;
        let mut items = Vec::new();
        while let Some(item) = stream.next().await {
            items.push(item);
        }
        items
    }};
}

fn failed<T>(index: usize, error: ElementError) -> Result<T, Failed> {
    Err(Failed { index, input: (), error })
}

async fn after(milliseconds: u32) -> u32 {
    tokio::time::sleep(milliseconds * MS).await;
    milliseconds
}

/// Waits for an hour. Not for ever: an endless wait would be told from a long one by nothing.
async fn stuck() -> u32 {
    after(3_600_000).await
}

/// All other processes of the node that live.
fn others() -> usize {
    Node::current().processes().len() - 1
}

#[tokio::test(start_paused = true)]
async fn str_02_ordered_or_not() {
    alone(async {
        let delays = [90, 10, 50];
        let ordered = all!(task::async_stream(delays, after).max_concurrency(3));
        assert_eq!(ordered, [Ok(90), Ok(10), Ok(50)]);
        let unordered = all!(task::async_stream(delays, after).max_concurrency(3).unordered());
        assert_eq!(unordered, [Ok(10), Ok(50), Ok(90)]);
        let one_by_one = all!(task::async_stream(delays, after).max_concurrency(1).unordered());
        assert_eq!(one_by_one, [Ok(90), Ok(10), Ok(50)]);
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn str_03_a_slow_first_element_holds_back_no_work() {
    alone(async {
        let (open, gate) = oneshot::channel::<()>();
        let mut gate = Some(gate);
        let done = Arc::new(AtomicUsize::new(0));
        let counter = done.clone();
        let mut stream = task::async_stream(0..=10, move |n| {
            let gate = gate.take();
            let done = counter.clone();
            async move {
                if let Some(gate) = gate {
                    gate.await.unwrap();
                }
                done.fetch_add(1, Ordering::SeqCst);
                n
            }
        })
        .max_concurrency(2);
        let waited = process::timeout(MS, stream.next()).await;
        assert_eq!(waited, Err(process::Elapsed), "nothing comes before the first");
        assert_eq!(done.load(Ordering::SeqCst), 10);
        open.send(()).unwrap();
        assert!(all!(stream).into_iter().eq((0..=10).map(Ok)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn str_04_timeout_that_kills() {
    alone(async {
        process::trap_exits(true).unwrap();
        let work = |n| async move { if n == 2 { stuck().await } else { n } };
        let stream = || task::async_stream(1..=3, work).timeout(10 * MS).on_timeout(StreamOnTimeout::Kill);
        assert_eq!(all!(stream()), [Ok(1), failed(1, ElementError::Timeout), Ok(3)]);
        let mut zipped = stream().zip_input_on_exit();
        assert_eq!(zipped.next().await, Some(Ok(1)));
        let late = Failed { index: 1, input: 2, error: ElementError::Timeout };
        assert_eq!(zipped.next().await, Some(Err(late)));
        drop(zipped);
        until(|| others() == 0).await;
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn str_05_timeout_by_default() {
    alone(async {
        process::trap_exits(true).unwrap();
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let consumer = process::spawn(async move {
            process::trap_exits(true).unwrap();
            let mut stream = task::async_stream([1, 2], |_| stuck()).max_concurrency(2);
            let mut next = Box::pin(stream.next());
            std::future::poll_fn(|cx| {
                let poll = next.as_mut().poll(cx).map(drop);
                if let Some(tell) = tell.take() {
                    tell.send(Node::current().processes()).unwrap();
                }
                poll
            })
            .await;
        });
        let began = Instant::now();
        let running: Vec<Pid> = told.await.unwrap();
        let exit = trapped().await;
        assert_eq!((exit.pid, began.elapsed()), (consumer, Duration::from_secs(5)));
        let reason = "element 0: the task was not done in time and was killed";
        assert_eq!(exit.reason, ExitReason::error(reason));
        let me = process::current().unwrap();
        assert_eq!(running.len(), 4);
        assert!(running.into_iter().all(|pid| pid == me || !process::is_alive(pid)));
        assert_eq!(unread(), 0);
    })
    .await;
    // Who is no process cannot be ended.
    let outside = all!(task::async_stream([1, 2], |_| stuck()));
    assert_eq!(outside, [failed(0, ElementError::Timeout)]);
}

#[tokio::test]
async fn str_07_crash() {
    let work = |n: u32| async move { if n == 2 { process::exit(boom()) } else { n } };
    let crash = || failed(1, ElementError::Exited(boom()));
    alone(async move {
        let unlinked = all!(task::async_stream(1..=3, work).unlinked());
        assert_eq!(unlinked, [Ok(1), crash(), Ok(3)]);
        process::trap_exits(true).unwrap();
        let trapping = all!(task::async_stream(1..=3, work));
        assert_eq!(trapping, [Ok(1), crash(), Ok(3)]);
        until(|| others() == 0).await;
        assert_eq!(unread(), 0, "no exit message is left");
        let stuck = process::run(async move { all!(task::async_stream(1..=3, work)) });
        assert_eq!(stuck.await, Err(boom()));
    })
    .await;
}

#[tokio::test]
async fn str_09_source_and_consumer_that_fail() {
    process::capture_panics();
    alone(async {
        let drops = Drops::default();
        let token = drops.clone();
        let source = process::run(async move {
            let elements = (1..).inspect(|n| assert!(*n < 3, "no third"));
            all!(
                task::async_stream(elements, |_| {
                    let token = token.token();
                    async move {
                        let _token = token;
                        pending::<()>().await;
                    }
                })
                .max_concurrency(5)
            )
        });
        let Err(ExitReason::Panic(panic)) = source.await else { panic!("the source did not fail") };
        assert_eq!(panic.message(), "no third");
        until(|| drops.count() == 2 && others() == 0).await;

        let token = drops.clone();
        let consumer = process::run(async move {
            let mut stream = task::async_stream(0.., |n| {
                let token = token.token();
                async move {
                    let _token = token;
                    if n > 0 { pending().await } else { n }
                }
            })
            .max_concurrency(3);
            assert_eq!(stream.next().await, Some(Ok(0)));
            process::exit(boom()) as u32
        });
        assert_eq!(consumer.await, Err(boom()));
        until(|| drops.count() == 5 && others() == 0).await;
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test]
async fn str_10_unrelated_messages_are_left_alone() {
    alone(async {
        process::trap_exits(true).unwrap();
        let (pid, monitor) = process::spawn_monitor(async {}).unwrap();
        process::join(pid).await;
        let linked = process::spawn(async { boom() });
        process::join(linked).await;
        assert_eq!(unread(), 2);
        let work = |n: u32| async move { if n == 2 { process::exit(boom()) } else { n } };
        assert_eq!(all!(task::async_stream(1..=3, work)).len(), 3);
        assert_eq!(unread(), 2);
        assert_eq!(monitor.down().await.unwrap().pid(), Some(pid));
        assert_eq!(trapped().await.pid, linked);
    })
    .await;
}

#[tokio::test]
async fn str_11_zip_of_two_streams() {
    alone(async {
        let mut numbers = task::async_stream(1..=3, |n| async move { n });
        let mut letters = task::async_stream("abcd".chars(), |letter| async move { letter });
        let mut pairs = Vec::new();
        while let (Some(number), Some(letter)) = (numbers.next().await, letters.next().await) {
            pairs.push((number.unwrap(), letter.unwrap()));
        }
        assert_eq!(pairs, [(1, 'a'), (2, 'b'), (3, 'c')]);
        drop(letters);
        until(|| others() == 0).await;
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "a stream needs at least one task at a time")]
async fn str_12_no_concurrency() {
    // Timeouts and what becomes of them are types: nothing else compiles.
    let _ = task::async_stream([1], |n| async move { n }).max_concurrency(0);
}

#[tokio::test]
async fn str_13_tasks_are_linked_with_the_consumer() {
    alone(async {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let mut stream = task::async_stream([1, 2], move |_| {
            let tell = tell.take();
            async move {
                if let Some(tell) = tell {
                    tell.send(process::current().unwrap()).unwrap();
                }
                pending::<()>().await;
            }
        })
        .max_concurrency(2);
        let consumer = process::spawn_unlinked(async move { drop(stream.next().await) });
        let pid = told.await.unwrap();
        let info = Node::current().info(pid).unwrap();
        assert_eq!((info.parent, info.links), (Some(consumer), vec![consumer]));
        process::kill(consumer);
        until(|| others() == 0).await;
        assert!(!process::is_alive(pid));
    })
    .await;
}

/// The source is asked only when there is room.
#[tokio::test]
async fn the_source_is_not_read_ahead() {
    alone(async {
        let pulled = Arc::new(AtomicUsize::new(0));
        let count = pulled.clone();
        let elements = (0..100).inspect(move |_| _ = count.fetch_add(1, Ordering::SeqCst));
        let mut stream = task::async_stream(elements, |n| async move { n }).max_concurrency(4);
        assert_eq!(pulled.load(Ordering::SeqCst), 0, "nothing runs before it is asked for");
        assert_eq!(stream.next().await, Some(Ok(0)));
        assert_eq!(pulled.load(Ordering::SeqCst), 4);
        drop(stream);
        until(|| others() == 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_next_that_is_dropped_loses_nothing() {
    alone(async {
        let mut stream = task::async_stream([20, 10, 30], after).max_concurrency(2);
        let mut items = Vec::new();
        while items.len() < 3 {
            if let Ok(item) = process::timeout(MS, stream.next()).await {
                items.push(item.unwrap().unwrap());
            }
        }
        assert_eq!(items, [20, 10, 30]);
        assert_eq!(stream.next().await, None);
        assert_eq!(stream.next().await, None);
    })
    .await;
}

#[tokio::test]
async fn dropping_a_stream_stops_its_tasks_and_not_its_consumer() {
    alone(async {
        let mut stream =
            task::async_stream([0, 1, 2], |n: u32| async move { if n > 0 { pending().await } else { n } })
                .max_concurrency(3);
        assert_eq!(stream.next().await, Some(Ok(0)));
        drop(stream);
        until(|| others() == 0).await;
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test]
async fn progress_is_told_while_the_tasks_run() {
    alone(async {
        let work = |n: u32| async move { if n == 2 { process::exit(boom()) } else { n } };
        let mut stream = task::async_stream(1..=3, work).unlinked();
        let mut progress = stream.progress();
        assert_eq!((progress.now().done, progress.now().total), (0, Some(3)));
        let bar = task::spawn(async move {
            let mut last = progress.now();
            while let Some(now) = progress.changed().await {
                assert!(now.done >= last.done && now.started >= now.done);
                last = now;
            }
            last
        });
        while stream.next().await.is_some() {}
        let last = bar.await_timeout(LONG).await.unwrap();
        assert_eq!((last.done, last.failed, last.running(), last.total), (3, 1, 0, Some(3)));
    })
    .await;
}

/// Many tasks on many threads: each element comes once, in its order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_elements_come_once_and_in_order() {
    alone(async {
        process::trap_exits(true).unwrap();
        for concurrency in [1, 3, 64] {
            let work = |n: u32| async move {
                if n.is_multiple_of(3) {
                    tokio::task::yield_now().await;
                }
                n
            };
            let stream = task::async_stream(0..2_000, work).max_concurrency(concurrency);
            assert!(all!(stream).into_iter().eq((0..2_000).map(Ok)));
        }
        until(|| others() == 0).await;
        assert_eq!(unread(), 0);
    })
    .await;
}

#[test]
fn streams_can_be_sent() {
    fn send<T: Send + Unpin>(_: &T) {}
    let mut stream = task::async_stream([1], |n| async move { n });
    send(&stream);
    send(&Box::pin(stream.next()));
    let source: Pin<Box<dyn futures_core::Stream<Item = u32> + Send>> = Box::pin(Empty);
    send(&task::async_stream_from(source, |n| async move { n }));
}

struct Empty;

impl futures_core::Stream for Empty {
    type Item = u32;

    fn poll_next(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<u32>> {
        Poll::Ready(None)
    }
}
