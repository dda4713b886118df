//! Awaiting several tasks at once, all of which have to succeed.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use erlang_process::timeout as limit;

use crate::{
    error::{AwaitAllError, AwaitError},
    many::Many,
    task::{Task, unless_ending},
};

/// Waits for the values of all these tasks, which come in the order of the tasks. `timeout` is for all of
/// them together.
///
/// Without tasks there is nothing to wait for. Tasks of different types are awaited with [`await2`], [`await3`] and
/// [`await4`]; to go on without those that fail or take too long, use [`yield_many`](crate::yield_many()).
///
/// ```
/// use std::time::Duration;
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), task::AwaitAllError> {
/// let words = ["processes", "links", "monitors"];
/// let tasks = words.map(|word| task::spawn(async move { word.len() }));
/// assert_eq!(task::await_all(tasks, Duration::from_secs(1)).await?, [9, 5, 8]);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`AwaitAllError`] says which task has failed, as soon as the first does, or which was the first that was not done in
/// time. The tasks that are not done go on, and their values are dropped.
///
/// # Signals
///
/// As [`Task::await_timeout`].
///
/// # Cancel safety
///
/// Dropping the future drops the tasks, as if they had never been awaited.
///
/// Counterpart: `Task.await_many/2` in Elixir, `task.await_all` of the former task module in Gleam.
pub async fn await_all<T: Send + 'static>(
    tasks: impl IntoIterator<Item = Task<T>>,
    timeout: Duration,
) -> Result<Vec<T>, AwaitAllError> {
    let mut tasks: Vec<Task<T>> = tasks.into_iter().collect();
    check_owner(tasks.iter().map(Task::check_owner))?;
    let mut values: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    let mut many = Many::new(tasks.len());
    let all = async {
        for _ in 0..tasks.len() {
            let index = many.next(&tasks).await;
            values[index] = Some(tasks[index].outcome().map_err(|error| AwaitAllError { index, error })?);
        }
        Ok(())
    };
    if let Ok(Err(failed)) = limit(timeout, all).await {
        return unless_ending_all(failed).await;
    }
    while let Some(index) = many.last_look(&tasks) {
        match tasks[index].outcome() {
            Ok(value) => values[index] = Some(value),
            Err(error) => return unless_ending_all(AwaitAllError { index, error }).await,
        }
    }
    let late = |index| AwaitAllError { index, error: AwaitError::Timeout };
    values.into_iter().enumerate().map(|(index, value)| value.ok_or(late(index))).collect()
}

/// Refuses the tasks of other processes, before any is waited for.
fn check_owner(owned: impl IntoIterator<Item = Result<(), AwaitError>>) -> Result<(), AwaitAllError> {
    let refused = owned.into_iter().enumerate().find_map(|(index, owned)| Some((index, owned.err()?)));
    refused.map_or(Ok(()), |(index, error)| Err(AwaitAllError { index, error }))
}

async fn unless_ending_all<T>(AwaitAllError { index, error }: AwaitAllError) -> Result<T, AwaitAllError> {
    unless_ending(Err(error)).await.map_err(|error| AwaitAllError { index, error })
}

/// A task of several that are awaited, and what it has brought.
struct Awaited<T> {
    task: Task<T>,
    value: Option<T>,
}

impl<T: Send + 'static> Awaited<T> {
    fn new(task: Task<T>) -> Self {
        Self { task, value: None }
    }

    /// Whether it has brought its value.
    fn poll(&mut self, index: usize, cx: &mut Context<'_>) -> Result<bool, AwaitAllError> {
        if self.value.is_none()
            && let Poll::Ready(outcome) = self.task.poll(cx)
        {
            self.value = Some(outcome.map_err(|error| AwaitAllError { index, error })?);
        }
        Ok(self.value.is_some())
    }

    fn value(self, index: usize) -> Result<T, AwaitAllError> {
        self.value.ok_or(AwaitAllError { index, error: AwaitError::Timeout })
    }
}

macro_rules! await_several {
    ($(#[$doc:meta])* $name:ident: $($task:ident: $type:ident $index:literal),+) => {
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// As [`await_all`].
        ///
        /// # Signals
        ///
        /// As [`Task::await_timeout`].
        ///
        /// # Cancel safety
        ///
        /// Dropping the future drops the tasks, as if they had never been awaited.
        pub async fn $name<$($type: Send + 'static),+>(
            $($task: Task<$type>,)+
            timeout: Duration,
        ) -> Result<($($type,)+), AwaitAllError> {
            check_owner([$($task.check_owner()),+])?;
            $(let mut $task = Awaited::new($task);)+
            let all = poll_fn(|cx| {
                let mut done = true;
                $(match $task.poll($index, cx) {
                    Ok(there) => done &= there,
                    Err(failed) => return Poll::Ready(Err(failed)),
                })+
                if done { Poll::Ready(Ok(())) } else { Poll::Pending }
            });
            if let Ok(Err(failed)) = limit(timeout, all).await {
                return unless_ending_all(failed).await;
            }
            Ok(($($task.value($index)?,)+))
        }
    };
}

await_several! {
    /// Waits for the values of two tasks of different types. `timeout` is for both together.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), task::AwaitAllError> {
    /// let (name, age) = (task::spawn(async { "Lucy" }), task::spawn(async { 42 }));
    /// assert_eq!(task::await2(name, age, Duration::from_secs(1)).await?, ("Lucy", 42));
    /// # Ok(()) }
    /// ```
    ///
    /// Counterpart: `task.await2` of the former task module in Gleam.
    await2: a: A 0, b: B 1
}

await_several! {
    /// Waits for the values of three tasks of different types. `timeout` is for all together.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), task::AwaitAllError> {
    /// let (name, age, here) = (task::spawn(async { "Lucy" }), task::spawn(async { 42 }), task::spawn(async { true }));
    /// assert_eq!(task::await3(name, age, here, Duration::from_secs(1)).await?, ("Lucy", 42, true));
    /// # Ok(()) }
    /// ```
    ///
    /// Counterpart: `task.await3` of the former task module in Gleam.
    await3: a: A 0, b: B 1, c: C 2
}

await_several! {
    /// Waits for the values of four tasks of different types. `timeout` is for all together.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), task::AwaitAllError> {
    /// let (name, age) = (task::spawn(async { "Lucy" }), task::spawn(async { 42 }));
    /// let (here, grade) = (task::spawn(async { true }), task::spawn(async { 'A' }));
    /// assert_eq!(task::await4(name, age, here, grade, Duration::from_secs(1)).await?, ("Lucy", 42, true, 'A'));
    /// # Ok(()) }
    /// ```
    ///
    /// Counterpart: `task.await4` of the former task module in Gleam.
    await4: a: A 0, b: B 1, c: C 2, d: D 3
}
