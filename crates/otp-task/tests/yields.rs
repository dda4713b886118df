//! Asking tasks for what there is, again and again.

#![allow(clippy::unwrap_used)]

use std::{future::pending, time::Duration};

use erlang_process::{self as process, ExitReason};
use otp_task::{self as task, AwaitError, Task, YieldOnTimeout};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

fn after(seconds: u32) -> Task<u32> {
    task::spawn_unlinked(async move {
        sleep(seconds * SECOND).await;
        seconds
    })
}

#[tokio::test(start_paused = true)]
async fn one_after_the_other_with_a_limit() {
    let mut tasks = [3, 1, 2].map(after);
    let began = Instant::now();
    for (seconds, expected) in [
        (1, [None, Some(Ok(1)), None]),
        (2, [None, None, Some(Ok(2))]),
        (3, [Some(Ok(3)), None, None]),
        (3, [None, None, None]),
    ] {
        let outcomes = task::yield_many(&mut tasks, 10 * SECOND).limit(1).outcomes().await;
        assert_eq!((outcomes.as_slice(), began.elapsed()), (expected.as_slice(), seconds * SECOND));
    }
    // One that was taken says so when it is asked alone.
    assert_eq!(tasks[0].yield_timeout(SECOND).await, Some(Err(AwaitError::Exited(ExitReason::NoProc))));
}

#[tokio::test(start_paused = true)]
async fn a_yield_of_many_that_is_dropped_loses_nothing() {
    let mut tasks = [after(1), after(9)];
    let given_up = process::timeout(2 * SECOND, task::yield_many(&mut tasks, 5 * SECOND).outcomes()).await;
    assert!(given_up.is_err());
    let outcomes = task::yield_many(&mut tasks, SECOND).on_timeout(YieldOnTimeout::Kill).outcomes().await;
    assert_eq!(outcomes, [Some(Ok(1)), None]);
}

#[tokio::test(start_paused = true)]
async fn tasks_of_different_types_each_for_itself() {
    let mut crashing = task::spawn_unlinked(async { process::exit(ExitReason::error("lost")) as char });
    let (mut text, mut slow, mut never) =
        (task::spawn_unlinked(async { "text" }), after(1), task::spawn_unlinked(pending::<()>()));
    let began = Instant::now();
    let outcomes = task::yield3(&mut text, &mut crashing, &mut slow, 5 * SECOND).await;
    let lost = Err(AwaitError::Exited(ExitReason::error("lost")));
    assert_eq!(outcomes, (Some(Ok("text")), Some(lost), Some(Ok(1))));
    assert_eq!(began.elapsed(), SECOND, "no longer than the slowest");
    assert_eq!(task::yield2(&mut text, &mut never, SECOND).await, (None, None));
    assert_eq!(began.elapsed(), 2 * SECOND);
    let mut more = after(1);
    let last = task::yield4(&mut text, &mut crashing, &mut more, &mut never, 2 * SECOND).await;
    assert_eq!(last, (None, None, Some(Ok(1)), None));

    // Who is not the owner is refused at once.
    let mine = process::run(async { task::spawn(async { 7 }) }).await.unwrap();
    let (mut mine, mut other) = (mine, task::spawn_unlinked(async { 'a' }));
    let refused = task::yield2(&mut mine, &mut other, SECOND).await;
    assert_eq!(refused, (Some(Err(AwaitError::NotOwner)), Some(Ok('a'))));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_given_up_kills() {
    let stubborn = task::spawn_unlinked(async {
        process::trap_exits(true).unwrap();
        pending::<()>().await;
    });
    let pid = stubborn.pid();
    tokio::task::yield_now().await;
    assert!(process::timeout(SECOND, stubborn.shutdown(60 * SECOND)).await.is_err());
    let end = process::join(pid).await;
    assert!([ExitReason::Killed, ExitReason::NoProc].contains(&end), "{end}");
}

/// A destructor that waits for a task while its process is told to end is not left hanging.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destructor_of_an_ending_process_gets_the_failure() {
    struct Asks(Option<tokio::sync::oneshot::Sender<Result<(), AwaitError>>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let failing = task::spawn_unlinked(async { process::exit(ExitReason::error("lost")) });
            let outcome = process::block_on(failing.await_timeout(60 * SECOND));
            self.0.take().unwrap().send(outcome).unwrap();
        }
    }
    let (tell, told) = tokio::sync::oneshot::channel();
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let asks = Asks(Some(tell));
    let process = erlang_process::Spawn::new().unlinked().spawn_blocking(move |own: process::Subject<()>| {
        let _asks = asks;
        ready.send(process::current().unwrap()).unwrap();
        let _ = own.receive_forever_blocking();
    });
    process.unwrap();
    let pid = is_ready.await.unwrap();
    process::send_exit(pid, ExitReason::Shutdown);
    assert_eq!(told.await, Ok(Err(AwaitError::Exited(ExitReason::error("lost")))));
    process::join(pid).await;
}
