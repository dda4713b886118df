//! How far a stream has come.

use std::sync::Arc;

use tokio::sync::watch;

/// How far a stream has come, at one moment.
///
/// ```
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut squares = task::async_stream(1..=3, |n| async move { n * n });
/// let progress = squares.progress();
/// while squares.next().await.is_some() {}
/// let now = progress.now();
/// assert_eq!((now.total, now.started, now.done, now.failed), (Some(3), 3, 3, 0));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many elements there are in all, where the source knows.
    pub total: Option<usize>,
    /// How many tasks were started.
    pub started: usize,
    /// How many of them have ended, with a value or without, whether the consumer has seen them yet or not.
    pub done: usize,
    /// How many of those that have ended brought no value.
    pub failed: usize,
}

impl Progress {
    /// How many tasks are under way.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut stuck = task::async_stream(1..=3, |_| std::future::pending::<()>()).max_concurrency(2);
    /// let mut progress = stuck.progress();
    /// tokio::spawn(async move { stuck.next().await });
    /// while progress.changed().await.is_some_and(|now| now.started < 2) {}
    /// assert_eq!(progress.now().running(), 2);
    /// # }
    /// ```
    #[must_use]
    pub fn running(&self) -> usize {
        self.started.saturating_sub(self.done)
    }
}

/// Follows a stream from anywhere, while its tasks run: what a progress bar is drawn from. Made by
/// [`AsyncStream::progress`](super::AsyncStream::progress).
///
/// ```
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut squares = task::async_stream(1..=100, |n| async move { n * n });
/// let mut progress = squares.progress();
/// // Whoever follows it is told of the last state, not of each.
/// let bar = tokio::spawn(async move {
///     let mut shown = String::new();
///     while let Some(now) = progress.changed().await {
///         shown = format!("{} of {:?}", now.done, now.total);
///     }
///     shown
/// });
/// while squares.next().await.is_some() {}
/// assert_eq!(bar.await.unwrap(), "100 of Some(100)");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ProgressWatch(pub(super) watch::Receiver<Progress>);

impl ProgressWatch {
    /// Another one, which has been told what there is to tell.
    pub(super) fn fresh(&self) -> Self {
        let mut receiver = self.0.clone();
        receiver.mark_unchanged();
        Self(receiver)
    }

    /// How far the stream has come.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut squares = task::async_stream(1..=3, |n| async move { n * n });
    /// let progress = squares.progress();
    /// assert_eq!(progress.now().done, 0);
    /// while squares.next().await.is_some() {}
    /// assert_eq!(progress.now().done, 3);
    /// # }
    /// ```
    #[must_use]
    pub fn now(&self) -> Progress {
        *self.0.borrow()
    }

    /// Waits until the stream has come further than when this was last asked; `None` when it has ended, by itself
    /// or by being dropped, and all has been told.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut lengths = task::async_stream(["one", "three"], |word| async move { word.len() });
    /// let mut progress = lengths.progress();
    /// let bar = tokio::spawn(async move {
    ///     while let Some(progress) = progress.changed().await {
    ///         println!("{} of {:?}", progress.done, progress.total);
    ///     }
    /// });
    /// while lengths.next().await.is_some() {}
    /// drop(lengths);
    /// bar.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<Progress> {
        self.0.changed().await.ok()?;
        Some(*self.0.borrow_and_update())
    }
}

/// Where a stream and its tasks note how far they have come.
#[derive(Clone)]
pub(super) struct Meter(Arc<watch::Sender<Progress>>);

impl Meter {
    pub(super) fn new() -> (Self, ProgressWatch) {
        let (sender, receiver) = watch::channel(Progress::default());
        (Self(Arc::new(sender)), ProgressWatch(receiver))
    }

    pub(super) fn total(&self, total: Option<usize>) {
        self.0.send_modify(|progress| progress.total = total);
    }

    pub(super) fn started(&self) {
        self.0.send_modify(|progress| progress.started += 1);
    }

    pub(super) fn ended(&self, with_a_value: bool) {
        self.0.send_modify(|progress| {
            progress.done += 1;
            progress.failed += usize::from(!with_a_value);
        });
    }
}
