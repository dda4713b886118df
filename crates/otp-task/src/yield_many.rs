//! Waiting for as many tasks as are done in time.

use std::time::Duration;

use erlang_process::{ExitReason, timeout as limit};

use crate::{
    error::AwaitError,
    many::Many,
    task::{Task, unless_dead},
};

/// Waits for the outcomes of these tasks, for as long as `timeout`, and can be asked again for those that have brought
/// none: to be refined, and to be [waited for](YieldMany::outcomes). A task whose outcome was taken before counts for nothing.
///
/// ```
/// use std::time::Duration;
/// use otp_task::{self as task, YieldOnTimeout};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let mut tasks = [1, 5, 2].map(|seconds| {
///     task::spawn(async move {
///         tokio::time::sleep(Duration::from_secs(seconds)).await;
///         seconds
///     })
/// });
/// let outcomes = task::yield_many(&mut tasks, Duration::from_secs(3))
///     .on_timeout(YieldOnTimeout::Kill)
///     .outcomes()
///     .await;
/// assert_eq!(outcomes, [Some(Ok(1)), None, Some(Ok(2))]);
/// # }
/// ```
///
/// Counterpart: `Task.yield_many/2` in Elixir, `task.try_await_all` of the former task module in Gleam.
pub fn yield_many<T: Send + 'static>(tasks: &mut [Task<T>], timeout: Duration) -> YieldMany<'_, T> {
    YieldMany { tasks, timeout, limit: usize::MAX, on_timeout: YieldOnTimeout::Nothing }
}

/// What becomes of the tasks that are not done when the time of [`yield_many`] is over.
///
/// Counterpart: the option `:on_timeout` of `Task.yield_many/2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum YieldOnTimeout {
    /// They go on, and can be asked again.
    #[default]
    Nothing,
    /// They go on by themselves, see [`Task::ignore`].
    Ignore,
    /// They are ended, see [`Task::brutal_kill`]; one that never awaits, or blocks its thread, is waited for.
    Kill,
}

/// How [`yield_many`] waits.
///
/// ```
/// use otp_task as task;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let mut tasks = [1, 60].map(|seconds| task::spawn(tokio::time::sleep(Duration::from_secs(seconds))));
/// let outcomes = task::yield_many(&mut tasks, Duration::from_secs(2)).outcomes().await;
/// assert_eq!(outcomes, [Some(Ok(())), None]);
/// // The other one can be asked again.
/// let outcomes = task::yield_many(&mut tasks[1..], Duration::from_secs(60)).outcomes().await;
/// assert_eq!(outcomes, [Some(Ok(()))]);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is waited for before `outcomes`"]
pub struct YieldMany<'a, T> {
    tasks: &'a mut [Task<T>],
    timeout: Duration,
    limit: usize,
    on_timeout: YieldOnTimeout,
}

impl<T: Send + 'static> YieldMany<'_, T> {
    /// Waits for so many outcomes at most. The other tasks then go on untouched, whatever is to be done on a timeout.
    ///
    /// ```
    /// use otp_task as task;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// // The first two who answer are enough.
    /// let mut shops = [3, 1, 2].map(|seconds| {
    ///     task::spawn(async move { tokio::time::sleep(Duration::from_secs(seconds)).await })
    /// });
    /// let outcomes = task::yield_many(&mut shops, Duration::from_secs(10)).limit(2).outcomes().await;
    /// assert_eq!(outcomes.iter().filter(|outcome| outcome.is_some()).count(), 2);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: the option `:limit`.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// What becomes of those that are not done when the time is over. Without this, nothing.
    ///
    /// ```
    /// use otp_task::{self as task, YieldOnTimeout};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let mut tasks = [task::spawn(std::future::pending::<()>())];
    /// let late = task::yield_many(&mut tasks, Duration::from_secs(2)).on_timeout(YieldOnTimeout::Kill);
    /// assert_eq!(late.outcomes().await, [None]);
    /// assert!(!erlang_process::is_alive(tasks[0].pid()));
    /// # }
    /// ```
    ///
    /// Counterpart: the option `:on_timeout`.
    pub fn on_timeout(mut self, on_timeout: YieldOnTimeout) -> Self {
        self.on_timeout = on_timeout;
        self
    }

    /// Waits. An outcome for each task, in the order of the tasks; `None` for those that have brought none, or whose outcome
    /// was taken before.
    ///
    /// ```
    /// use otp_task::{self as task, AwaitError};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut tasks = [task::spawn_unlinked(async { 7 }), task::spawn_unlinked(async { panic!("boom") })];
    /// let outcomes = task::yield_many(&mut tasks, Duration::from_secs(1)).outcomes().await;
    /// assert!(matches!(outcomes[..], [Some(Ok(7)), Some(Err(AwaitError::Exited(_)))]));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Each outcome may be an [`AwaitError`], as in [`Task::yield_timeout`]. A task of another process is refused
    /// before anything is waited for, and counts as an outcome.
    ///
    /// # Signals
    ///
    /// As [`Task::await_timeout`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing before the time is over: the tasks can be asked again.
    pub async fn outcomes(self) -> Vec<Option<Result<T, AwaitError>>> {
        let Self { tasks, timeout, limit: most, on_timeout } = self;
        let mut outcomes: Outcomes<T> = tasks.iter().map(|task| task.check_owner().err().map(Err)).collect();
        // What was taken before is none of this time.
        let passed_over = |(task, outcome): (&Task<T>, &Option<_>)| outcome.is_some() || task.is_over();
        let passed_over: Vec<bool> = tasks.iter().zip(&outcomes).map(passed_over).collect();
        let waited_for = passed_over.iter().filter(|over| !**over).count();
        let mut left = most.saturating_sub(outcomes.iter().flatten().count()).min(waited_for);
        let mut many = Many::new(tasks.len());
        many.skip(passed_over.iter().copied());
        let mut done = vec![false; tasks.len()];
        let enough = async {
            while left > 0 {
                done[many.next(tasks).await] = true;
                left -= 1;
            }
        };
        let in_time = limit(timeout, enough).await.is_ok();
        while left > 0
            && let Some(index) = many.last_look(tasks)
        {
            done[index] = true;
            left -= 1;
        }
        if !in_time && left > 0 {
            let late =
                tasks.iter_mut().enumerate().filter(|(index, _)| !passed_over[*index] && !done[*index]);
            match on_timeout {
                YieldOnTimeout::Nothing => {}
                YieldOnTimeout::Ignore => late.for_each(|(index, task)| outcomes[index] = task.let_go()),
                YieldOnTimeout::Kill => {
                    // All before any is waited for: one may take its time.
                    let late: Vec<_> = late.inspect(|(_, task)| task.abandon(true)).collect();
                    for (index, task) in late {
                        outcomes[index] = task.end(ExitReason::Kill, Duration::MAX).await;
                    }
                }
            }
        }
        // At last and at once, so that who gives up waiting loses none.
        for (index, _) in done.into_iter().enumerate().filter(|(_, done)| *done) {
            outcomes[index] = Some(tasks[index].outcome());
        }
        let failed = outcomes.iter().flatten().any(|outcome| matches!(outcome, Err(AwaitError::Exited(_))));
        if failed { unless_dead(outcomes).await } else { outcomes }
    }
}

type Outcomes<T> = Vec<Option<Result<T, AwaitError>>>;
