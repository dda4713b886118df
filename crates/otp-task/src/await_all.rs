//! Awaiting several tasks at once.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use erlang_process::timeout as limit;
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::{
    error::AwaitError,
    task::{Task, unless_ending},
};

/// Waits for the values of all these tasks, which come in the order of the tasks. `timeout` is for all of
/// them together.
///
/// Without tasks there is nothing to wait for. Tasks of different types are best awaited one by one: they
/// run side by side all the same.
///
/// ```
/// use std::time::Duration;
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), task::AwaitError> {
/// let words = ["processes", "links", "monitors"];
/// let tasks = words.map(|word| task::spawn(async move { word.len() }));
/// assert_eq!(task::await_all(tasks, Duration::from_secs(1)).await?, [9, 5, 8]);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`AwaitError`] of the first task that fails, as soon as it does, or the timeout. The tasks that are not done
/// go on, and their values are dropped.
///
/// # Signals
///
/// As [`Task::await_timeout`].
///
/// # Cancel safety
///
/// Dropping the future drops the tasks, as if they had never been awaited.
///
/// Counterpart: `Task.await_many/2` in Elixir, `task.try_await_all` of the former task module in Gleam.
pub async fn await_all<T: Send + 'static>(
    tasks: impl IntoIterator<Item = Task<T>>,
    timeout: Duration,
) -> Result<Vec<T>, AwaitError> {
    let mut all: Vec<Awaited<T>> = tasks.into_iter().map(Awaited::Task).collect();
    for awaited in &all {
        if let Awaited::Task(task) = awaited {
            task.check_owner()?;
        }
    }
    if let Ok(Err(failed)) = limit(timeout, every(&mut all)).await {
        return unless_ending(Err(failed)).await;
    }
    all.into_iter().map(|awaited| awaited.last_look().ok_or(AwaitError::Timeout)).collect()
}

/// A task, or what it has brought.
enum Awaited<T> {
    Task(Task<T>),
    Value(T),
}

impl<T: Send + 'static> Awaited<T> {
    fn last_look(self) -> Option<T> {
        match self {
            Self::Task(mut task) => task.last_look(),
            Self::Value(value) => Some(value),
        }
    }
}

/// Turns all of these into values, or returns with the first that fails.
async fn every<T: Send + 'static>(all: &mut [Awaited<T>]) -> Result<(), AwaitError> {
    let (woken, mut wakes) = mpsc::unbounded_channel();
    let mut left = all.len();
    for index in 0..all.len() {
        let _ = woken.send(index);
    }
    while left > 0 {
        // Only the tasks that have something to tell are looked at, or many would cost their square.
        let Some(index) = wakes.recv().await else { break };
        let Some(awaited) = all.get_mut(index) else { continue };
        let Awaited::Task(task) = awaited else { continue };
        let bell = Waker::from(Arc::new(Bell { index, woken: woken.clone() }));
        if let Poll::Ready(outcome) = task.poll(&mut Context::from_waker(&bell)) {
            *awaited = Awaited::Value(outcome?);
            left -= 1;
        }
    }
    Ok(())
}

/// Wakes with the number of one task.
struct Bell {
    index: usize,
    woken: UnboundedSender<usize>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.woken.send(self.index);
    }
}
