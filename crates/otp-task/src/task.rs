//! A task: one value, made in a process of its own.

use std::{
    convert::Infallible,
    fmt,
    future::{pending, poll_fn},
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use erlang_process::{ExitReason, Pid, Spawn, Subject, current, is_alive};
use tokio::sync::oneshot;

use crate::error::AwaitError;

/// Runs a future in a process of its own, to be awaited for its value. Returns at once.
///
/// The process is linked with the calling one, which owns the task: if either ends badly, so does the other.
/// Outside any process there is no link, and anyone may await the task.
///
/// The value may be of any type that can be sent, a `Result` included: an `Err` is a value like any other,
/// and no crash.
///
/// ```
/// use std::time::Duration;
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), task::AwaitError> {
/// let sum = task::spawn(async { (1..=100).sum::<u32>() });
/// assert_eq!(sum.await_timeout(Duration::from_secs(1)).await?, 5050);
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// Counterpart: `Task.async/1` in Elixir, `task.async` of the former task module in Gleam.
pub fn spawn<T, F>(future: F) -> Task<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (slot, value) = oneshot::channel();
    let process = Spawn::new()
        .prepare(|_: Subject<Infallible>| async move {
            // Where nobody waits for the value any more, it ends here.
            drop(slot.send(future.await));
        })
        .expect("a process without a name takes nobody's");
    let ended: Pin<Box<dyn Future<Output = ExitReason> + Send>> = Box::pin(process.ended());
    Task { pid: process.start(), owner: current(), value: Some(value), ended: Mutex::new(ended) }
}

/// A value that is being made by another process. Made by [`spawn`], used up by awaiting it.
///
/// Dropping it unawaited changes nothing for the process: it goes on, linked with its owner, and its value is
/// dropped.
///
/// Counterpart: `%Task{}` in Elixir, `Task` of the former task module in Gleam.
#[must_use = "the value of a task that is not awaited is dropped"]
pub struct Task<T> {
    pid: Pid,
    owner: Option<Pid>,
    /// Where the value comes in; `None` once it is known that none will.
    value: Option<oneshot::Receiver<T>>,
    /// The end of the process. Never locked: it is there so that tasks can be shared.
    ended: Mutex<Pin<Box<dyn Future<Output = ExitReason> + Send>>>,
}

impl<T: Send + 'static> Task<T> {
    /// The process that makes the value.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The process that may await the task; `None` if it was spawned outside any process, and anyone may.
    #[must_use]
    pub fn owner(&self) -> Option<Pid> {
        self.owner
    }

    /// Waits for the value, for as long as `timeout`.
    ///
    /// With a timeout of zero it takes a value that is already there. [`Duration::MAX`] is no limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_task::{self as task, AwaitError};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let stuck = task::spawn(std::future::pending::<()>());
    /// assert_eq!(stuck.await_timeout(Duration::from_secs(5)).await, Err(AwaitError::Timeout));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AwaitError`]. When the time is over the task goes on, still linked with its owner; its value is
    /// dropped when it comes, and never seen.
    ///
    /// # Signals
    ///
    /// An owner that does not trap exits ends with a task that ends badly, and does not return from here. One
    /// that traps exits gets the reason as the error, and finds an
    /// [`ExitMessage`](erlang_process::ExitMessage) in its mailbox: for the link, whether the task ended well
    /// or badly. Awaiting itself puts nothing there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the task, as if it had never been awaited.
    ///
    /// Counterpart: `Task.await/2` in Elixir, which ends the caller where this returns an error; `task.try_await`
    /// of the former task module in Gleam.
    pub async fn await_timeout(mut self, timeout: Duration) -> Result<T, AwaitError> {
        self.check_owner()?;
        let outcome = match erlang_process::timeout(timeout, poll_fn(|cx| self.poll(cx))).await {
            Ok(outcome) => outcome,
            Err(_) => self.last_look().ok_or(AwaitError::Timeout),
        };
        unless_ending(outcome).await
    }

    /// Waits for the value, however long that takes.
    ///
    /// # Errors
    ///
    /// As [`await_timeout`](Self::await_timeout), without the timeout.
    ///
    /// # Signals
    ///
    /// As [`await_timeout`](Self::await_timeout).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the task, as if it had never been awaited.
    ///
    /// Counterpart: `Task.await(task, :infinity)` in Elixir, `task.try_await_forever` of the former task module
    /// in Gleam.
    pub async fn await_forever(self) -> Result<T, AwaitError> {
        self.await_timeout(Duration::MAX).await
    }

    pub(crate) fn check_owner(&self) -> Result<(), AwaitError> {
        if self.owner.is_some() && self.owner != current() { Err(AwaitError::NotOwner) } else { Ok(()) }
    }

    /// The value, or the end of the process without one. Not to be polled again when it is ready.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, AwaitError>> {
        if let Some(value) = &mut self.value {
            if let Ok(value) = ready!(Pin::new(value).poll(cx)) {
                return Poll::Ready(Ok(value));
            }
            self.value = None;
        }
        // The slot goes with the process's future. Why, is known only when all are told of the end.
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        ended.as_mut().poll(cx).map(|reason| Err(AwaitError::Exited(reason)))
    }

    /// The value, if it is there: a poll may find nothing merely because the caller has had its turn.
    pub(crate) fn last_look(&mut self) -> Option<T> {
        self.value.as_mut()?.try_recv().ok()
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("pid", &self.pid).field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// Returns the outcome, unless the calling process ends with the task that failed: its last poll may be
/// running just now, and should not get to see what it does not survive.
pub(crate) async fn unless_ending<T>(outcome: Result<T, AwaitError>) -> Result<T, AwaitError> {
    if matches!(outcome, Err(AwaitError::Exited(_))) && current().is_some_and(|pid| !is_alive(pid)) {
        return pending().await;
    }
    outcome
}
