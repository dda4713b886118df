//! TSUP: tasks under a supervisor.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Node, Subject};
use otp_supervisor::{Restart, Shutdown, SupervisorError};
use otp_system::{self as sys, DebugOptions};
use otp_task::{self as task, AwaitError, ElementError, Failed, StreamOnTimeout, Supervisor};
use tokio::{sync::oneshot, time::Instant};

use crate::support::{LONG, OnDrop, alone, boom, end_of, trapped, unread, until};

const MS: Duration = Duration::from_millis(1);

async fn supervisor() -> Supervisor {
    Supervisor::builder().start().await.unwrap().data
}

#[tokio::test]
async fn tsup_02_async_crash() {
    alone(async {
        process::trap_exits(true).unwrap();
        let tasks = supervisor().await;
        let crashing = tasks.spawn(async { process::exit(boom()) as u32 }).await.unwrap();
        let pid = crashing.pid();
        assert_eq!(crashing.await_timeout(LONG).await, Err(AwaitError::Exited(boom())));
        let exit = trapped().await;
        assert_eq!((exit.pid, exit.reason), (pid, boom()));

        let alone = tasks.spawn_unlinked(async { process::exit(boom()) as u32 }).await.unwrap();
        assert_eq!(alone.await_timeout(LONG).await, Err(AwaitError::Exited(boom())));
        assert_eq!(unread(), 0);
        assert_eq!(tasks.spawn(async { 7 }).await.unwrap().await_timeout(LONG).await, Ok(7));

        let also = tasks.clone();
        let caller = process::run(async move {
            also.spawn(async { process::exit(boom()) as u32 }).await.unwrap().await_forever().await
        });
        assert_eq!(caller.await, Err(boom()), "the caller is linked");
        assert!(tasks.pid().is_some_and(process::is_alive));
    })
    .await;
}

#[tokio::test]
async fn a_supervisor_of_tasks_begins_with_debug_functions() {
    alone(async {
        let tasks = Supervisor::builder().debug(DebugOptions::new().log(10)).start().await.unwrap();
        tasks.data.children().await.unwrap();
        assert_eq!(sys::logged(tasks.pid, LONG).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn tsup_04_terminate_child() {
    alone(async {
        let tasks = supervisor().await;
        let pid = tasks.start_child(pending::<()>()).await.unwrap();
        assert_eq!(tasks.children().await.unwrap(), [pid]);
        tasks.terminate_child(pid).await.unwrap();
        assert!(!process::is_alive(pid));
        assert_eq!(tasks.children().await.unwrap(), []);
        let again = tasks.terminate_child(pid).await;
        assert!(matches!(again, Err(SupervisorError::NotFound)), "{again:?}");
        let stranger = tasks.terminate_child(process::current().unwrap()).await;
        assert!(matches!(stranger, Err(SupervisorError::NotFound)), "{stranger:?}");
    })
    .await;
}

#[tokio::test]
async fn tsup_05_start_child_that_is_restarted() {
    alone(async {
        let tasks = supervisor().await;
        for (restart, runs) in [(Restart::Temporary, 1), (Restart::Transient, 2)] {
            let started = Arc::new(AtomicUsize::new(0));
            let count = started.clone();
            let first = tasks.start_child_with(restart, move || {
                let run = count.fetch_add(1, Ordering::SeqCst);
                async move { if run == 0 { boom() } else { ExitReason::Normal } }
            });
            let first = first.await.unwrap();
            process::join(first).await;
            until(|| started.load(Ordering::SeqCst) == runs).await;
            while !tasks.children().await.unwrap().is_empty() {}
            assert_eq!(started.load(Ordering::SeqCst), runs, "{restart:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tsup_06_the_supervisor_stops() {
    alone(async {
        let builder = Supervisor::builder().shutdown(Shutdown::After(20 * MS));
        let tasks = builder.start().await.unwrap().data;
        let obedient = tasks.spawn_unlinked(pending::<()>()).await.unwrap();
        let (ready, is_ready) = oneshot::channel();
        let stubborn = tasks
            .spawn_unlinked(async {
                process::trap_exits(true).unwrap();
                ready.send(()).unwrap();
                assert_eq!(trapped().await.reason, ExitReason::Shutdown);
                pending::<()>().await;
            })
            .await
            .unwrap();
        is_ready.await.unwrap();
        let began = Instant::now();
        tasks.stop().await.unwrap();
        assert_eq!(began.elapsed(), 20 * MS);
        let ends = [obedient.await_forever().await, stubborn.await_forever().await];
        assert_eq!(ends, [ExitReason::Shutdown, ExitReason::Killed].map(|end| Err(AwaitError::Exited(end))));
    })
    .await;
}

#[tokio::test]
async fn as_many_tasks_as_there_may_be() {
    alone(async {
        let tasks = Supervisor::builder().max_children(1).start().await.unwrap().data;
        let first = tasks.spawn(pending::<()>()).await.unwrap();
        let full = tasks.spawn(async {}).await;
        assert!(matches!(full, Err(SupervisorError::MaxChildren)), "{full:?}");
        let full = tasks.start_child(async {}).await;
        assert!(matches!(full, Err(SupervisorError::MaxChildren)), "{full:?}");
        assert_eq!(first.shutdown(LONG).await, None);

        // A stream that wants more ends its consumer, and nothing is left of it.
        let also = tasks.clone();
        let consumer = process::run(async move {
            let mut stream = also.async_stream(0..3, |_| pending::<()>()).max_concurrency(2);
            stream.next().await.is_some()
        });
        let reason = consumer.await.unwrap_err();
        assert_eq!(
            reason.to_string(),
            "element 1: the task was not started: the supervisor has as many children as it may have"
        );
        while !tasks.children().await.unwrap().is_empty() {}
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_stream_under_a_supervisor() {
    alone(async {
        let tasks = supervisor().await;
        let parent = tasks.pid();
        let work = move |n: u32| async move {
            let info = Node::current().info(process::current().unwrap()).unwrap();
            assert_eq!(info.parent, parent);
            if n == 2 { process::exit(boom()) } else { n }
        };
        let mut stream = tasks.async_stream(1..=3, work).unlinked().max_concurrency(2);
        let mut items = Vec::new();
        while let Some(item) = stream.next().await {
            items.push(item);
        }
        let crashed = Failed { index: 1, input: (), error: ElementError::Exited(boom()) };
        assert_eq!(items, [Ok(1), Err(crashed), Ok(3)]);
        let also = tasks.clone();
        let consumer = process::run(async move { also.async_stream([2], work).next().await });
        assert_eq!(consumer.await, Err(boom()), "linked with its consumer");
    })
    .await;
}

/// A task has its value some time before the supervisor knows that it has room for another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_has_room_again_when_a_task_is_gone() {
    // Outside any process: what the task wakes is not left to the thread that it holds.
    let tasks = Supervisor::builder().max_children(1).start().await.unwrap().data;
    let (ending, ends) = oneshot::channel();
    let (open, gate) = mpsc::channel::<()>();
    let mut first = Some((ending, gate));
    let mut stream = tasks
        .async_stream(0..3, |n| {
            let first = first.take();
            async move {
                if let Some((ending, gate)) = first {
                    let mut ending = Some(ending);
                    // What is not read is dropped when the future has brought its value, and before anyone is told.
                    Subject::new().unwrap().send(OnDrop(move || {
                        ending.take().unwrap().send(()).unwrap();
                        assert!(gate.recv().is_err());
                    }));
                }
                n
            }
        })
        .max_concurrency(1);
    tokio::select! {
        biased;
        item = stream.next() => panic!("{item:?} came before its task was gone"),
        ending = ends => ending.unwrap(),
    }
    drop(open);
    for n in 0..3 {
        assert_eq!(stream.next().await, Some(Ok(n)));
    }
    assert_eq!(stream.next().await, None);
    tasks.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_room_again_when_a_task_that_it_kills_is_gone() {
    alone(async {
        let tasks = Supervisor::builder().max_children(1).start().await.unwrap().data;
        let work = |n: u32| async move { if n == 0 { pending().await } else { n } };
        let stream = tasks.async_stream(0..3, work).max_concurrency(1).timeout(10 * MS);
        let mut stream = stream.on_timeout(StreamOnTimeout::Kill);
        let late = Failed { index: 0, input: (), error: ElementError::Timeout };
        for item in [Err(late), Ok(1), Ok(2)] {
            assert_eq!(stream.next().await, Some(item));
        }
        assert_eq!(stream.next().await, None);
    })
    .await;
}

/// A request that is given up runs nothing.
#[tokio::test]
async fn a_spawn_that_is_dropped_runs_nothing() {
    alone(async {
        let tasks = supervisor().await;
        let ran = Arc::new(AtomicUsize::new(0));
        let count = ran.clone();
        let mut given_up = Box::pin(tasks.spawn(async move { count.fetch_add(1, Ordering::SeqCst) }));
        std::future::poll_fn(|cx| {
            assert!(given_up.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(given_up);
        while !tasks.children().await.unwrap().is_empty() {}
        assert_eq!(ran.load(Ordering::SeqCst), 0);
        let crashed = task::spawn_unlinked(async { process::exit(boom()) as u32 });
        assert_eq!(end_of(crashed.pid()).await, boom());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_blocks_is_a_child_like_any_other() {
    process::capture_panics();
    alone(async {
        process::trap_exits(true).unwrap();
        let tasks = Supervisor::builder().max_children(1).start().await.unwrap().data;
        let (open, gate) = mpsc::channel::<u32>();
        let blocked = tasks.spawn_blocking(move || gate.recv().unwrap_or_default()).await.unwrap();
        assert_eq!(tasks.children().await.unwrap(), [blocked.pid()]);
        let full = tasks.spawn_blocking_unlinked(|| ()).await;
        assert!(matches!(full, Err(SupervisorError::MaxChildren)), "{full:?}");
        open.send(7).unwrap();
        let pid = blocked.pid();
        assert_eq!(blocked.await_timeout(LONG).await, Ok(7));
        let exit = trapped().await;
        assert_eq!((exit.pid, exit.reason), (pid, ExitReason::Normal), "linked with the caller");

        while !tasks.children().await.unwrap().is_empty() {}
        let crashing = tasks.spawn_blocking_unlinked(|| -> u32 { process::exit(boom()) }).await.unwrap();
        assert_eq!(crashing.await_timeout(LONG).await, Err(AwaitError::Exited(boom())));
        assert_eq!(unread(), 0);

        // The thread is told when it receives.
        while !tasks.children().await.unwrap().is_empty() {}
        let (waiting, waits) = oneshot::channel();
        let listening = tasks.spawn_blocking_unlinked(move || {
            let never = Subject::<()>::new().unwrap();
            waiting.send(()).unwrap();
            never.receive_forever_blocking().is_ok()
        });
        let listening = listening.await.unwrap();
        waits.await.unwrap();
        tasks.stop().await.unwrap();
        assert_eq!(listening.await_forever().await, Err(AwaitError::Exited(ExitReason::Shutdown)));
    })
    .await;
}

/// A task that is killed and does not end, for it holds its thread, keeps its place for a while and no longer.
#[tokio::test(start_paused = true)]
async fn a_stream_does_not_wait_for_ever_for_a_task_that_it_kills() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    let started = threads.spawn(Supervisor::builder().start());
    let tasks = started.await.unwrap().unwrap().data;
    let (open, gate) = mpsc::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let work = |_| {
        let gate = gate.clone();
        async move { gate.lock().is_ok_and(|gate| gate.recv().is_ok()) }
    };
    let stream = tasks.async_stream(0..2, work).max_concurrency(1).timeout(10 * MS);
    let mut stream = stream.on_timeout(StreamOnTimeout::Kill);
    let began = Instant::now();
    for index in 0..2 {
        let late = Failed { index, input: (), error: ElementError::Timeout };
        assert_eq!(stream.next().await, Some(Err(late)));
    }
    assert_eq!(began.elapsed(), 10 * MS + Duration::from_secs(5) + 10 * MS);
    drop(open);
    threads.shutdown_background();
}
