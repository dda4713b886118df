//! Tasks of one node in the hands of code of another: a pid is a number of its node, and its number there is a stranger's.

#![allow(clippy::unwrap_used)]

use std::{
    future::{pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Node, Pid};
use otp_task::{self as task, AwaitError};
use tokio::sync::oneshot;

#[cfg(feature = "supervised")]
const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

/// A task of a new node, and what it takes to let its owner end.
async fn elsewhere<T: Send + 'static>(
    make: impl FnOnce() -> T + Send + 'static,
) -> (Node, T, oneshot::Sender<()>) {
    let (node, (give, given), (leave, left)) = (Node::new(), oneshot::channel(), oneshot::channel::<()>());
    let there = node.clone();
    tokio::spawn(async move {
        there
            .run(async move {
                let _ = give.send(make());
                let _ = left.await;
            })
            .await
    });
    (node, given.await.ok().unwrap(), leave)
}

/// Processes of the calling process's node, with all numbers up to this one.
fn strangers(up_to: Pid) -> Vec<Pid> {
    let mut strangers = Vec::new();
    while strangers.last().is_none_or(|last| *last < up_to) {
        strangers.push(process::spawn_unlinked(pending::<()>()));
    }
    strangers
}

#[tokio::test]
async fn a_task_without_an_owner_is_stopped_where_it_lives() {
    let task = task::spawn(pending::<()>());
    let (pid, other) = (task.pid(), Node::new());
    let stopped = other.run(async move {
        let strangers = strangers(pid);
        assert_eq!(task.brutal_kill().await, None);
        assert!(strangers.into_iter().all(process::is_alive));
    });
    stopped.await.unwrap();
    assert!(!process::is_alive(pid));
}

#[tokio::test]
async fn only_the_owner_on_its_own_node_may_await() {
    let (node, task, _leave) = elsewhere(|| task::spawn(async { 7 })).await;
    let (owner, other) = (task.owner().unwrap(), Node::new());
    let refused = other.run(async move {
        assert_eq!(process::current(), Some(owner), "of the same number");
        task.await_timeout(LONG).await
    });
    assert_eq!(refused.await, Ok(Err(AwaitError::NotOwner)));
    drop(node);
}

#[tokio::test]
async fn a_stream_that_is_dropped_elsewhere_kills_no_stranger() {
    let (tell, told) = oneshot::channel();
    let (node, stream, leave) = elsewhere(|| {
        let mut tell = Some(tell);
        task::async_stream([1], move |_| {
            let tell = tell.take();
            async move {
                let _ = tell.unwrap().send(process::current().unwrap());
                pending::<()>().await;
            }
        })
        .unlinked()
    })
    .await;
    let there = node.clone();
    let polled = there.run(async move {
        let mut stream = stream;
        {
            let mut next = pin!(stream.next());
            poll_fn(|cx| {
                assert!(next.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        (stream, process::current().unwrap())
    });
    let (stream, _) = polled.await.unwrap();
    let element = told.await.unwrap();
    let strangers = Node::global().run(async move { strangers(element) }).await.unwrap();
    drop(stream);
    assert!(strangers.into_iter().all(|pid| Node::global().is_alive(pid)));
    let ended = node.join(element).await;
    assert!([ExitReason::Killed, ExitReason::NoProc].contains(&ended), "{ended}");
    drop(leave);
}

#[cfg(feature = "supervised")]
#[tokio::test]
async fn a_supervisor_of_another_node_is_used_from_outside() {
    let (node, start, leave) = elsewhere(|| ()).await;
    let (give, given) = oneshot::channel();
    let there = node.clone();
    let supervisor = tokio::spawn(async move {
        there
            .run(async move {
                let tasks = otp_task::Supervisor::builder().start().await.unwrap().data;
                let _ = give.send(tasks);
                pending::<()>().await;
            })
            .await
    });
    let tasks = given.await.unwrap();
    let task: task::Task<()> = tasks.spawn(pending()).await.unwrap();
    assert_eq!(task.owner(), None);
    let pid = task.pid();
    let strangers = Node::global().run(async move { strangers(pid) }).await.unwrap();
    assert_eq!(task.shutdown(LONG).await, None);
    let child = tasks.start_child(pending::<()>()).await.unwrap();
    tasks.terminate_child(child).await.unwrap();
    assert_eq!(tasks.children().await.unwrap(), []);
    assert!(strangers.into_iter().all(|pid| Node::global().is_alive(pid)));
    supervisor.abort();
    drop((start, leave));
}

#[cfg(feature = "supervised")]
#[tokio::test(start_paused = true)]
async fn what_a_supervisor_of_another_node_spawns_is_nobodys_and_is_stopped_there() {
    let tasks = otp_task::Supervisor::builder().start().await.unwrap().data;
    let other = Node::new();
    let running = other.run(async move {
        let answer = tasks.spawn(async { 42 }).await.unwrap();
        assert_eq!(answer.owner(), None);
        assert_eq!(answer.await_timeout(SECOND).await, Ok(42));

        let endless = tasks.spawn(pending::<()>()).await.unwrap();
        let pid = endless.pid();
        assert!(Node::global().is_alive(pid));
        assert_eq!(endless.brutal_kill().await, None);
        assert!(!Node::global().is_alive(pid));

        let mut late = [tasks.spawn_unlinked(pending::<()>()).await.unwrap()];
        let kill = task::YieldOnTimeout::Kill;
        assert_eq!(task::yield_many(&mut late, SECOND).on_timeout(kill).outcomes().await, [None]);

        let elements = tasks.async_stream([1, 2], |n| async move {
            if n == 1 {
                pending::<()>().await;
            }
            n
        });
        let mut elements = elements.timeout(SECOND).on_timeout(task::StreamOnTimeout::Kill);
        assert!(elements.next().await.unwrap().is_err());
        assert_eq!(elements.next().await.unwrap().unwrap(), 2);
        assert!(elements.next().await.is_none());
        // Who has ended is no child any more.
        for pid in tasks.children().await.unwrap() {
            Node::global().join(pid).await;
        }
        tasks.children().await
    });
    assert_eq!(running.await.unwrap(), Ok(vec![]));
}
