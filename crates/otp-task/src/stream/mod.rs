//! Streams of tasks: a function over many elements, so many at a time.

mod element;
mod engine;
mod error;
mod futures;
mod progress;
mod source;

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    thread::available_parallelism,
    time::Duration,
};

use futures_core::Stream;
use pin_project_lite::pin_project;

#[cfg(feature = "supervised")]
pub(crate) use self::engine::Spawner;
use self::engine::{Engine, Outcome};
pub use self::{
    error::{ElementError, Failed},
    progress::{Progress, ProgressWatch},
    source::Iter,
};

/// Runs a function over the elements of an iterator, each in a task of its own, so many at a time. Returns a
/// [`Stream`] of their values, in the order of the elements. Nothing runs before the stream is polled.
///
/// The iterator is asked for an element only when there is room for its task: it may be endless, or each of its
/// elements dear. It, and what `work` does before it returns its future, run in the consumer.
///
/// ```
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let words = ["processes", "links", "monitors"];
/// let mut lengths = task::async_stream(words, |word| async move { word.len() }).max_concurrency(2);
/// let mut sum = 0;
/// while let Some(length) = lengths.next().await {
///     sum += length.expect("counting does not fail");
/// }
/// assert_eq!(sum, 22);
/// # }
/// ```
///
/// Counterpart: `Task.async_stream/3` in Elixir.
pub fn async_stream<I, F, W>(elements: I, work: W) -> AsyncStream<Iter<I::IntoIter>, W, F::Output>
where
    I: IntoIterator,
    F: Future<Output: Send + 'static> + Send + 'static,
    W: FnMut(I::Item) -> F,
{
    async_stream_from(Iter(elements.into_iter()), work)
}

/// As [`async_stream`], over the elements of another [`Stream`], which is polled only when there is room for a task.
///
/// ```
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let squares = task::async_stream(1..=3, |n| async move { n * n });
/// // What failed fails here as well.
/// let mut sums = task::async_stream_from(squares, |square| async move { square.map(|n| n + 1) });
/// assert_eq!(sums.next().await, Some(Ok(Ok(2))));
/// # }
/// ```
///
/// Counterpart: `Task.async_stream/3` in Elixir.
pub fn async_stream_from<S, F, W>(elements: S, work: W) -> AsyncStream<S, W, F::Output>
where
    S: Stream,
    F: Future<Output: Send + 'static> + Send + 'static,
    W: FnMut(S::Item) -> F,
{
    let cores = available_parallelism().map_or(1, usize::from);
    let (least, most) = elements.size_hint();
    AsyncStream {
        source: elements,
        work,
        keep: drop_input,
        engine: Engine::new(cores, Duration::from_secs(5), most.filter(|most| *most == least)),
        stage: Stage::Fresh,
    }
}

/// What becomes of an element whose task is not done in time.
///
/// Counterpart: the option `:on_timeout` of `Task.async_stream/3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StreamOnTimeout {
    /// The consumer of the stream ends, with [`Failed`] as the abnormal reason, and so do all tasks. A consumer that is
    /// no process gets the failure as the last element of the stream.
    #[default]
    Exit,
    /// The task is killed, [`ElementError::Timeout`] takes the place of its value, and the stream goes on.
    Kill,
}

pin_project! {
    /// A stream of what tasks make of elements. Made by [`async_stream`] and [`async_stream_from`].
    ///
    /// | | default |
    /// |---|---|
    /// | [`max_concurrency`](Self::max_concurrency) | the number of cores |
    /// | [`unordered`](Self::unordered) | in the order of the elements |
    /// | [`timeout`](Self::timeout) | 5 seconds for each element |
    /// | [`on_timeout`](Self::on_timeout) | the consumer ends |
    /// | [`unlinked`](Self::unlinked) | tasks are linked with the consumer |
    /// | [`zip_input_on_exit`](Self::zip_input_on_exit) | failures do not hold their element |
    ///
    /// A value that is early waits for those before it; its task does not, and makes room for another. So a slow
    /// element does not hold back the work, only what comes out of it, and any number may wait behind it.
    ///
    /// ```
    /// use otp_task as task;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// // Three at a time, as they come.
    /// let mut pages = task::async_stream(["/", "/about", "/news"], |path| async move {
    ///     tokio::time::sleep(Duration::from_millis(10)).await;
    ///     path.len()
    /// })
    /// .max_concurrency(3)
    /// .unordered()
    /// .timeout(Duration::from_secs(1));
    /// let mut lengths = Vec::new();
    /// while let Some(Ok(length)) = pages.next().await {
    ///     lengths.push(length);
    /// }
    /// lengths.sort_unstable();
    /// assert_eq!(lengths, [1, 5, 6]);
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Each item is a value or [`Failed`]. A task that fails ends the consumer it is linked with; one that traps exits,
    /// one that is no process, and one of an unlinked stream gets the failure and goes on. No message of a task is ever
    /// left in the mailbox.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future of [`next`](Self::next) loses nothing. Dropping the stream kills its tasks, those under a supervisor
    /// as well, and does not wait for their end. A process that drops the stream of another, which lives and is linked with its
    /// tasks, leaves these alone: to stop them would end it. For the same reason it cannot kill one that is late.
    ///
    /// # Panics
    ///
    /// To be polled outside a tokio runtime. A source, or function, that panics does so in the consumer.
    ///
    /// Counterpart: the enumerable that `Task.async_stream/3` returns.
    #[must_use = "nothing runs before the stream is polled"]
    pub struct AsyncStream<S: Stream, W, T, I = ()> {
        #[pin]
        source: S,
        work: W,
        keep: fn(&S::Item) -> I,
        engine: Engine<T, I>,
        stage: Stage,
    }
}

/// How far the source has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Stage {
    /// It was not yet asked for anything.
    Fresh,
    /// It may have more.
    Reading,
    /// It has no more.
    Exhausted,
    /// Everything was handed out.
    Ended,
}

fn drop_input<I>(_: &I) {}

impl<S, W, F, I> AsyncStream<S, W, F::Output, I>
where
    S: Stream,
    F: Future<Output: Send + 'static> + Send + 'static,
    W: FnMut(S::Item) -> F,
{
    /// How many tasks there are at once, at most.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut pages = task::async_stream(["a", "b", "c"], |page| async move { page.len() }).max_concurrency(2);
    /// while let Some(length) = pages.next().await {
    ///     assert_eq!(length, Ok(1));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If it is zero: nothing would ever run.
    ///
    /// Counterpart: the option `:max_concurrency`.
    pub fn max_concurrency(mut self, max: usize) -> Self {
        assert!(max > 0, "a stream needs at least one task at a time");
        self.engine.max_concurrency = max;
        self
    }

    /// Values come as the tasks are done, whatever the order of their elements.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Whoever is done first comes first.
    /// let mut lengths = task::async_stream(["long", "short"], |word| async move { word.len() }).unordered();
    /// let mut sum = 0;
    /// while let Some(length) = lengths.next().await {
    ///     sum += length.map_err(|failed| failed.to_string())?;
    /// }
    /// assert_eq!(sum, 9);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: the option `ordered: false`.
    pub fn unordered(mut self) -> Self {
        self.engine.output.any_order();
        self
    }

    /// How long each task may take, from its start. [`Duration::MAX`] is no limit. It is looked at while the stream
    /// is polled. What a supervisor takes to start a task does not count.
    ///
    /// ```
    /// use otp_task as task;
    /// use std::time::Duration;
    ///
    /// // Each element has a second; five without this.
    /// let pages = task::async_stream(["a", "b"], |page| async move { page.len() }).timeout(Duration::from_secs(1));
    /// ```
    ///
    /// Counterpart: the option `:timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.engine.timeout = timeout;
        self
    }

    /// What becomes of an element whose task is not done in time.
    ///
    /// ```
    /// use otp_task::{self as task, ElementError, StreamOnTimeout};
    /// use std::{future, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let mut answers = task::async_stream(["nobody answers"], |_| future::pending::<()>())
    ///     .timeout(Duration::from_secs(5))
    ///     .on_timeout(StreamOnTimeout::Kill);
    /// let failed = answers.next().await.unwrap().unwrap_err();
    /// assert!(matches!(failed.error, ElementError::Timeout));
    /// # }
    /// ```
    ///
    /// Counterpart: the option `:on_timeout`.
    pub fn on_timeout(mut self, on_timeout: StreamOnTimeout) -> Self {
        self.engine.on_timeout = on_timeout;
        self
    }

    /// Does not link the tasks with the consumer: it gets the failures as items, and lives.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    /// use otp_task::{self as task, ElementError};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let parse = |text: &'static str| async move {
    ///     text.parse::<u32>().unwrap_or_else(|error| erlang_process::exit(ExitReason::error(error)))
    /// };
    /// let mut numbers = task::async_stream(["7", "seven", "8"], parse).unlinked();
    /// assert_eq!(numbers.next().await, Some(Ok(7)));
    /// // The consumer, a process, hears of the crash and lives.
    /// assert!(matches!(numbers.next().await, Some(Err(failed)) if matches!(failed.error, ElementError::Exited(_))));
    /// assert_eq!(numbers.next().await, Some(Ok(8)));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `Task.Supervisor.async_stream_nolink/4` in Elixir.
    pub fn unlinked(mut self) -> Self {
        self.engine.linked = false;
        self
    }

    /// Failures hold the element that failed. To be called before the stream is polled.
    ///
    /// ```
    /// use erlang_process as process;
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let halve = |n: u32| async move { if n % 2 == 0 { n / 2 } else { process::exit(process::ExitReason::error("odd")) } };
    /// let mut halves = task::async_stream([2, 3], halve).zip_input_on_exit();
    /// assert_eq!(halves.next().await, Some(Ok(1)));
    /// let failed = halves.next().await.unwrap().unwrap_err();
    /// assert_eq!((failed.index, failed.input), (1, 3));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the stream was polled.
    ///
    /// Counterpart: the option `:zip_input_on_exit`.
    pub fn zip_input_on_exit(self) -> AsyncStream<S, W, F::Output, S::Item>
    where
        S::Item: Clone,
    {
        assert!(self.stage == Stage::Fresh, "a stream that runs has not kept its elements");
        AsyncStream {
            source: self.source,
            work: self.work,
            keep: S::Item::clone,
            engine: self.engine.keeping(),
            stage: self.stage,
        }
    }

    /// Follows how far the stream has come, from anywhere. When the stream has ended this is how far it came.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut squares = task::async_stream(1..=3, |n| async move { n * n });
    /// let mut progress = squares.progress();
    /// let bar = tokio::spawn(async move {
    ///     let mut last = progress.now();
    ///     while let Some(now) = progress.changed().await {
    ///         last = now;
    ///     }
    ///     (last.done, last.total)
    /// });
    /// while squares.next().await.is_some() {}
    /// assert_eq!(bar.await.unwrap(), (3, Some(3)));
    /// # }
    /// ```
    pub fn progress(&self) -> ProgressWatch {
        self.engine.progress()
    }

    /// Waits for the next item; `None` when all have come.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut squares = task::async_stream(1..=2, |n| async move { n * n });
    /// assert_eq!(squares.next().await, Some(Ok(1)));
    /// assert_eq!(squares.next().await, Some(Ok(4)));
    /// assert_eq!(squares.next().await, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: an item is taken in the poll that returns it.
    pub async fn next(&mut self) -> Option<Result<F::Output, Failed<I>>>
    where
        S: Unpin,
    {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    #[cfg(feature = "supervised")]
    pub(crate) fn started_by(mut self, spawner: Spawner) -> Self {
        self.engine.under = Some(spawner);
        self
    }
}

impl<S, W, F, I> Stream for AsyncStream<S, W, F::Output, I>
where
    S: Stream,
    F: Future<Output: Send + 'static> + Send + 'static,
    W: FnMut(S::Item) -> F,
{
    type Item = Outcome<F::Output, I>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let (engine, stage) = (this.engine, this.stage);
        if *stage == Stage::Fresh {
            *stage = Stage::Reading;
        }
        loop {
            // First, so that what was handed out the last time has made room.
            while *stage == Stage::Reading && engine.has_room() {
                match this.source.as_mut().poll_next(cx) {
                    Poll::Ready(Some(input)) => {
                        let kept = (this.keep)(&input);
                        engine.start((this.work)(input), kept);
                    }
                    Poll::Ready(None) => *stage = Stage::Exhausted,
                    Poll::Pending => break,
                }
            }
            let room = ready!(engine.advance(cx));
            if let Some(outcome) = engine.output.pop() {
                return Poll::Ready(Some(outcome));
            }
            if engine.is_over() || (*stage >= Stage::Exhausted && engine.is_idle()) {
                *stage = Stage::Ended;
                engine.close();
                return Poll::Ready(None);
            }
            if !room {
                return Poll::Pending;
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let known = self.engine.in_work() + self.engine.output.len();
        match self.stage {
            Stage::Fresh | Stage::Reading => {
                (0, self.source.size_hint().1.and_then(|most| most.checked_add(known)))
            }
            Stage::Exhausted | Stage::Ended => (0, Some(known)),
        }
    }
}

impl<S: Stream, W, T, I> fmt::Debug for AsyncStream<S, W, T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncStream").field("stage", &self.stage).finish_non_exhaustive()
    }
}
