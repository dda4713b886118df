//! Starting tasks.

use std::sync::Arc;

use erlang_process::{Pid, Spawn};

use crate::{
    slot::{Slot, When},
    task::{Task, unless_dead},
    work::{Work, prepare},
};

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
    begin(Spawn::new(), future)
}

/// Runs a future in a process of its own that is not linked with the calling one. Returns at once.
///
/// When the task fails its owner gets the reason as an error, and lives; when the owner ends the task goes on, and
/// its value is dropped. To have it stopped in order when the program stops, spawn it under a supervisor.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{self as process, ExitReason};
/// use otp_task::{self as task, AwaitError};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let risky = task::spawn_unlinked(async { process::exit(ExitReason::error("no luck")) as u32 });
/// let outcome = risky.await_timeout(Duration::from_secs(1)).await;
/// assert_eq!(outcome, Err(AwaitError::Exited(ExitReason::error("no luck"))));
/// # }).await.unwrap();
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// Counterpart: `Task.Supervisor.async_nolink/2` in Elixir, where only a supervisor has such tasks.
pub fn spawn_unlinked<T, F>(future: F) -> Task<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    begin(Spawn::new().unlinked(), future)
}

/// Runs a function in a process that has a thread of its own, which it may block or keep busy: files, libraries
/// that are not async, long computations. Awaited, linked and reported like every task. Returns at once.
///
/// ```
/// use std::time::Duration;
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), task::AwaitError> {
/// let primes = task::spawn_blocking(|| (2..1000_u32).filter(|n| (2..*n).all(|d| n % d != 0)).count());
/// assert_eq!(primes.await_timeout(Duration::from_secs(60)).await?, 168);
/// # Ok(()) }
/// ```
///
/// A stream does so for each of its elements where the function that it is given calls this:
/// `|path| async move { task::spawn_blocking(move || read(path)).await_or_exit(limit).await }`.
///
/// # Signals
///
/// A thread cannot be stopped from outside. To others the process is dead as soon as it is told to end; its function
/// runs on until it next receives, calls, or waits with [`block_on`](erlang_process::block_on), and what it then
/// returns is dropped. Waiting for its end, as [`Task::shutdown`] does, is waiting for that.
///
/// # Time
///
/// The thread is one of those of `tokio::task::spawn_blocking`: when all of them, 512 by default, are taken, the task
/// begins when another has ended. A tokio clock that is paused does not advance by itself meanwhile.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn spawn_blocking<T, W>(work: W) -> Task<T>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    begin_blocking(Spawn::new(), work)
}

/// As [`spawn_blocking`], in a process that is not linked with the calling one: the owner gets the failure as an error, and
/// lives.
///
/// ```
/// use std::{fs, io, time::Duration};
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), task::AwaitError> {
/// let reading = task::spawn_blocking_unlinked(|| fs::read("no such file").map_err(|error| error.kind()));
/// assert_eq!(reading.await_timeout(Duration::from_secs(60)).await?, Err(io::ErrorKind::NotFound));
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn spawn_blocking_unlinked<T, W>(work: W) -> Task<T>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    begin_blocking(Spawn::new().unlinked(), work)
}

/// A task that is done: for those who have a value already where a task is asked for. No process is spawned; its
/// [pid](Task::pid) is [`Pid::OUTSIDE`].
///
/// ```
/// use std::time::Duration;
/// use otp_task::{self as task, Task};
///
/// /// From the cache, or else worked out.
/// fn price(of: &'static str) -> Task<u32> {
///     match of {
///         "bicycle" => task::completed(250),
///         thing => task::spawn(async move { thing.len() as u32 }),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), task::AwaitError> {
/// let second = Duration::from_secs(1);
/// assert_eq!(task::await2(price("bicycle"), price("bell"), second).await?, (250, 4));
/// # Ok(()) }
/// ```
///
/// Counterpart: `Task.completed/1` in Elixir.
pub fn completed<T: Send + 'static>(value: T) -> Task<T> {
    Task::new(Pid::OUTSIDE, Arc::new(Slot::filled(value)))
}

fn begin<T, F>(spawn: Spawn, future: F) -> Task<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let slot = Arc::new(Slot::new());
    let process = prepare(spawn, Work::new(slot.clone(), When::Made, future));
    Task::new(process.start(), slot)
}

fn begin_blocking<T, W>(spawn: Spawn, work: W) -> Task<T>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let slot = Arc::new(Slot::new());
    let process = prepare(spawn, Work::new(slot.clone(), When::Made, run(work)));
    Task::new(process.start_blocking(), slot)
}

/// Runs a function that blocks. If the process was told to end meanwhile, its value is not one any more.
async fn run<T>(work: impl FnOnce() -> T) -> T {
    unless_dead(work()).await
}
