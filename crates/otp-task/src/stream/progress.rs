//! How far a stream has come.

use std::sync::Arc;

use tokio::sync::watch;

/// How far a stream has come, at one moment.
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
    #[must_use]
    pub fn running(&self) -> usize {
        self.started.saturating_sub(self.done)
    }
}

/// Follows a stream from anywhere, while its tasks run: what a progress bar is drawn from. Made by
/// [`AsyncStream::progress`](super::AsyncStream::progress).
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
