//! Suspending processes, for those who debug.

use std::fmt;

use crate::{cell::Process, node::Node, pid::Pid, process::current};

/// Keeps a process from running until the suspension is [resumed](Suspension::resume) or dropped: for debugging only.
///
/// Meanwhile it takes messages and signals in and answers nothing. It can be killed, by whatever ends a process that
/// runs. Suspensions count: who is suspended twice runs when both are over. As they are values, those that a process
/// holds are over when it ends.
///
/// A process that is being polled on another thread goes on to its next await; one on a
/// [thread of its own](crate::spawn_blocking) to its next receive. See [`Info::status`](crate::Info::status).
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{self as process, CallError, Node, Reply, Status, Subject};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # process::run(async {
/// let clock = process::spawn_subject(|ticks: Subject<Reply<u32>>| async move {
///     while let Ok(reply) = ticks.receive_forever().await {
///         reply.send(1);
///     }
/// });
/// let pid = clock.pid().unwrap();
/// let second = Duration::from_secs(1);
///
/// let suspension = process::suspend(pid).unwrap();
/// assert_eq!(clock.call(second, |reply| reply).await, Err(CallError::Timeout));
/// assert_eq!(Node::current().info(pid).unwrap().status, Status::Suspended);
///
/// suspension.resume();
/// assert_eq!(clock.call(second, |reply| reply).await, Ok(1));
/// # }).await.unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`SuspendError`]: there is no such process on this node, or it is the caller itself, which could not resume itself.
///
/// Counterpart: `erlang:suspend_process/1`, which waits until the process has come out of what it does.
pub fn suspend(pid: Pid) -> Result<Suspension, SuspendError> {
    if current() == Some(pid) {
        return Err(SuspendError::Itself);
    }
    let process = Node::current().find(pid).ok_or(SuspendError::NoProc)?;
    if !process.with(|control, _| control.suspend(process.head())) {
        return Err(SuspendError::NoProc);
    }
    Ok(Suspension(process))
}

/// A process is suspended as long as this is there, see [`suspend`].
///
/// ```
/// use erlang_process::{self as process, Node, Status};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let pid = process::spawn(std::future::pending::<()>());
/// let status = || Node::current().info(pid).unwrap().status;
/// let (first, second) = (process::suspend(pid)?, process::suspend(pid)?);
/// drop(first);
/// assert_eq!(status(), Status::Suspended);
/// drop(second);
/// assert_ne!(status(), Status::Suspended);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
#[must_use = "the process is resumed when this is dropped"]
pub struct Suspension(Process);

impl Suspension {
    /// Lets the process run again, if nobody else has it suspended. Dropping does the same.
    ///
    /// ```
    /// use erlang_process::{self as process, Node, Status};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let pid = process::spawn(std::future::pending::<()>());
    /// let suspension = process::suspend(pid)?;
    /// assert_eq!(Node::current().info(pid).unwrap().status, Status::Suspended);
    /// suspension.resume();
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `erlang:resume_process/1`.
    pub fn resume(self) {}

    /// The process that is suspended.
    ///
    /// ```
    /// use erlang_process as process;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let pid = process::spawn(std::future::pending::<()>());
    /// assert_eq!(process::suspend(pid)?.pid(), pid);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn pid(&self) -> Pid {
        self.0.head().pid
    }
}

impl Drop for Suspension {
    fn drop(&mut self) {
        self.0.wake(self.0.with(|control, _| control.resume(self.0.head())));
    }
}

impl fmt::Debug for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Suspension").field(&self.pid()).finish()
    }
}

/// Why a process was not suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuspendError {
    /// There is no such process on this node.
    NoProc,
    /// It is the caller, which could not resume itself.
    Itself,
}

impl fmt::Display for SuspendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoProc => "there is no such process on this node",
            Self::Itself => "a process cannot suspend itself",
        })
    }
}

impl std::error::Error for SuspendError {}
