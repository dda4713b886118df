//! Awaiting several tasks at once.

#![allow(clippy::unwrap_used)]

use std::{future::pending, time::Duration};

use erlang_process::{self as process, ExitReason};
use otp_task::{self as task, AwaitAllError, AwaitError, Task};
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);

/// A task that brings this number when its gate is opened.
fn gated(number: u32) -> (oneshot::Sender<()>, Task<u32>) {
    let (open, gate) = oneshot::channel::<()>();
    let task = task::spawn(async move {
        gate.await.unwrap();
        number
    });
    (open, task)
}

/// The failure of this task.
fn failed<T>(index: usize, error: AwaitError) -> Result<T, AwaitAllError> {
    Err(AwaitAllError { index, error })
}

#[tokio::test]
async fn task_06_await_many_finished_in_reverse_order() {
    let (gates, tasks): (Vec<_>, Vec<_>) = (1..=3).map(gated).unzip();
    let pids: Vec<_> = tasks.iter().map(Task::pid).collect();
    let values = tokio::spawn(task::await_all(tasks, SECOND));
    for (gate, pid) in gates.into_iter().zip(pids).rev() {
        gate.send(()).unwrap();
        process::join(pid).await;
    }
    assert_eq!(values.await.unwrap(), Ok(vec![1, 2, 3]));
}

#[tokio::test]
async fn without_tasks_there_is_nothing_to_wait_for() {
    for timeout in [Duration::ZERO, SECOND, Duration::MAX] {
        assert_eq!(task::await_all(Vec::<Task<()>>::new(), timeout).await, Ok(vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn one_timeout_is_for_all_and_none_is_killed_by_it() {
    let (gates, mut tasks): (Vec<_>, Vec<_>) = (1..=2).map(gated).unzip();
    tasks.push(task::spawn(pending()));
    let pids: Vec<_> = tasks.iter().map(Task::pid).collect();
    let start = tokio::time::Instant::now();
    assert_eq!(task::await_all(tasks, SECOND).await, failed(0, AwaitError::Timeout));
    assert_eq!(start.elapsed(), SECOND);
    assert!(pids.iter().all(|pid| process::is_alive(*pid)));

    let ended = pids.iter().zip(gates).map(|(pid, gate)| {
        let ended = tokio::spawn(process::join(*pid));
        gate.send(()).unwrap();
        ended
    });
    for ended in ended {
        assert_eq!(ended.await.unwrap(), ExitReason::Normal);
    }
}

#[tokio::test]
async fn the_first_failure_is_noticed_while_others_go_on() {
    let waiting: Vec<Task<u32>> = (0..3).map(|_| task::spawn(pending())).collect();
    let pids: Vec<_> = waiting.iter().map(Task::pid).collect();
    let failing = task::spawn(async { process::exit(ExitReason::Shutdown) });
    let outcome = task::await_all(waiting.into_iter().chain([failing]), Duration::MAX).await;
    assert_eq!(outcome, failed(3, AwaitError::Exited(ExitReason::Shutdown)));
    assert!(pids.into_iter().all(process::is_alive));
}

#[tokio::test]
async fn an_owner_that_does_not_trap_ends_with_the_first_that_fails() {
    let owner = process::run(async {
        let failing = task::spawn(async { process::exit(ExitReason::error("broken")) });
        task::await_all([task::spawn(pending()), failing, task::spawn(async { 1 })], Duration::MAX).await
    });
    assert_eq!(owner.await, Err(ExitReason::error("broken")));
}

#[tokio::test]
async fn a_task_of_another_process_is_refused() {
    let foreign = process::run(async { task::spawn(async { 2 }) }).await.unwrap();
    let own = task::spawn(pending());
    assert_eq!(task::await_all([own, foreign], Duration::MAX).await, failed(1, AwaitError::NotOwner));
}

#[tokio::test]
async fn many_that_are_done_are_there_at_once() {
    process::run(async {
        let tasks: Vec<_> = (0..1000).map(|n| task::spawn(async move { n })).collect();
        for task in &tasks {
            process::join(task.pid()).await;
        }
        let values = task::await_all(tasks, Duration::ZERO).await.unwrap();
        assert!(values.into_iter().eq(0..1000));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_end_one_by_one_do_not_cost_their_square() {
    const MANY: u32 = 50_000;
    let (gates, tasks): (Vec<_>, Vec<_>) = (0..MANY).map(gated).unzip();
    let values = tokio::spawn(task::await_all(tasks, Duration::MAX));
    for gate in gates.into_iter().rev() {
        gate.send(()).unwrap();
    }
    assert!(values.await.unwrap().unwrap().into_iter().eq(0..MANY));
}
