//! Streams in unusual hands.

#![allow(clippy::unwrap_used)]

use std::{
    future::{pending, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Node, Pid};
use otp_task::{self as task, AsyncStream, ElementError, Iter, StreamOnTimeout};
use tokio::{sync::oneshot, task::yield_now};

const MS: Duration = Duration::from_millis(1);

async fn poll_once(future: impl Future) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

fn unread() -> u64 {
    Node::current().info(process::current().unwrap()).unwrap().message_queue_len
}

type Work = Box<dyn FnMut(u32) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;
type Elements = AsyncStream<Iter<std::array::IntoIter<u32, 1>>, Work, ()>;

/// An unlinked stream whose one element never ends, which was begun by a process that lives, and that element's process.
async fn begun_by_another() -> (Elements, Pid, Pid) {
    let ((tell, told), (give, given)) = (oneshot::channel(), oneshot::channel());
    let owner = process::spawn_unlinked(async move {
        let mut tell = Some(tell);
        let work: Work = Box::new(move |_| {
            let tell = tell.take();
            Box::pin(async move {
                tell.unwrap().send(process::current().unwrap()).unwrap();
                pending().await
            })
        });
        let stream = task::async_stream([1], work).unlinked().timeout(10 * MS);
        let mut stream = stream.on_timeout(StreamOnTimeout::Kill);
        poll_once(stream.next()).await;
        give.send(stream).ok().unwrap();
        pending::<()>().await;
    });
    (given.await.ok().unwrap(), told.await.unwrap(), owner)
}

async fn assert_killed(pid: Pid) {
    let end = process::join(pid).await;
    assert!([ExitReason::Killed, ExitReason::NoProc].contains(&end), "{end}");
}

#[tokio::test(start_paused = true)]
async fn an_unlinked_stream_stops_its_tasks_whoever_drops_it() {
    let (stream, element, owner) = begun_by_another().await;
    drop(stream);
    assert_killed(element).await;
    process::kill(owner);
}

#[tokio::test(start_paused = true)]
async fn an_unlinked_stream_kills_what_is_late_whoever_polls_it() {
    let (mut stream, element, owner) = begun_by_another().await;
    let failed = stream.next().await.unwrap().unwrap_err();
    assert_eq!(failed.error, ElementError::Timeout);
    assert_killed(element).await;
    process::kill(owner);
}

#[tokio::test]
async fn a_dropped_stream_leaves_no_exit_message() {
    let consumer = process::run(async {
        process::trap_exits(true).unwrap();
        let (crash, crashes) = oneshot::channel::<()>();
        let mut crashes = Some(crashes);
        let mut stream = task::async_stream([0, 1], |n: u32| {
            let crashes = crashes.take().filter(|_| n == 1);
            async move {
                if let Some(crashes) = crashes {
                    let _ = crashes.await;
                    process::exit(ExitReason::error("lost"));
                }
                n
            }
        });
        poll_once(stream.next()).await;
        drop(crash);
        while unread() == 0 && stream.progress().now().done < 2 {
            yield_now().await;
        }
        drop(stream);
        assert_eq!(unread(), 0);
    });
    consumer.await.unwrap();
}

#[tokio::test]
async fn values_that_are_early_come_when_the_order_no_longer_counts() {
    let (open, gate) = oneshot::channel::<()>();
    let mut gate = Some(gate);
    let mut stream = task::async_stream(0..3, move |n| {
        let gate = gate.take();
        async move {
            if let Some(gate) = gate {
                let _ = gate.await;
            }
            n
        }
    })
    .max_concurrency(3);
    poll_once(stream.next()).await;
    let progress = stream.progress();
    while progress.now().done < 2 {
        yield_now().await;
        poll_once(stream.next()).await;
    }
    let mut stream = stream.unordered();
    let mut items = [stream.next().await, stream.next().await];
    items.sort_by_key(|item| item.clone().unwrap().unwrap());
    assert_eq!(items, [Some(Ok(1)), Some(Ok(2))]);
    drop(open);
    assert_eq!(stream.next().await, Some(Ok(0)));
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn progress_is_known_before_the_first_task_and_after_the_last() {
    let mut stream = task::async_stream(0..3, |n| async move { n });
    assert_eq!((stream.progress().now().total, stream.progress().now().started), (Some(3), 0));
    while stream.next().await.is_some() {}
    let mut progress = stream.progress();
    assert_eq!((progress.now().total, progress.now().done), (Some(3), 3));
    assert_eq!(progress.changed().await, None, "there will be no more");
}

/// The value is there, and the task fails nevertheless: it ends who is linked with it.
#[tokio::test]
async fn an_element_whose_destructor_panics_ends_the_consumer() {
    process::capture_panics();
    struct Bad(u32);
    impl Future for Bad {
        type Output = u32;
        fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<u32> {
            Poll::Ready(self.0)
        }
    }
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("a bad destructor");
        }
    }
    let consumer = process::run(async {
        let mut bad = task::async_stream([2], Bad);
        bad.next().await
    });
    assert!(matches!(consumer.await, Err(ExitReason::Panic(_))));
}

#[cfg(feature = "supervised")]
mod supervised {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    /// What a supervisor is asked for is not asked for again at each answer.
    #[tokio::test]
    async fn many_starts_at_once_are_each_looked_at_when_they_are_answered() {
        let tasks = otp_task::Supervisor::builder().start().await.unwrap().data;
        let mut stream = tasks.async_stream(0..10_000, |n| async move { n }).max_concurrency(10_000);
        let mut next = 0;
        while let Some(item) = stream.next().await {
            assert_eq!(item, Ok(next));
            next += 1;
        }
        assert_eq!(next, 10_000);
    }

    #[tokio::test]
    async fn what_is_restarted_is_made_in_its_own_process() {
        let tasks = otp_task::Supervisor::builder().start().await.unwrap().data;
        let (supervisor, made) = (tasks.pid(), Arc::new(AtomicUsize::new(0)));
        let count = made.clone();
        let body = move || {
            assert_ne!(process::current(), supervisor);
            let nth = count.fetch_add(1, Ordering::SeqCst);
            async move { if nth == 0 { ExitReason::error("again") } else { ExitReason::Normal } }
        };
        let first = tasks.start_child_with(otp_supervisor::Restart::Transient, body).await.unwrap();
        process::join(first).await;
        while made.load(Ordering::SeqCst) < 2 {
            yield_now().await;
        }
        tasks.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_function_that_blocks_and_that_nobody_awaits() {
        let tasks = otp_task::Supervisor::builder().start().await.unwrap().data;
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::current().id();
        let pid = tasks.start_child_blocking(move || tell.send(std::thread::current().id()).unwrap());
        process::join(pid.await.unwrap()).await;
        assert_ne!(told.recv().unwrap(), thread);
    }
}
