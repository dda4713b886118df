//! Starting: the handshake between who starts a process and the process that is to be ready.

use std::{error::Error, fmt, pin::pin, time::Duration};

use erlang_process::{
    ExitReason, IntoExitReason, Monitor, Node, NotAProcess, Pid, RegisterError, SharedError, Signal, Spawn,
    Subject, demonitor_flush, link, timeout, unlink,
};
use tokio::sync::oneshot;

/// Something that has started: its process, and what its starter gets to use it by.
///
/// Counterpart: `{ok, Pid, Info}` in Erlang, `Started` in Gleam.
#[derive(Clone, Debug)]
pub struct Started<D> {
    /// The process.
    pub pid: Pid,
    /// What it is used by; for an actor the subject that takes its messages, unless its initialiser says
    /// otherwise.
    pub data: D,
}

/// Why something did not start. In each case nothing of it is left: no process, no name, no message.
///
/// Counterpart: the error of `gen_server:start_link/3`, `StartError` in Gleam.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The initialiser was not done in time, or failed and would not end; its process was killed.
    InitTimeout,
    /// The initialiser returned this error.
    InitFailed(SharedError),
    /// The process ended before its initialiser was done, for this reason.
    InitExited(ExitReason),
    /// The name is taken, by this process.
    AlreadyStarted(Pid),
    /// It chose not to run, which is no failure: a supervisor goes on without it.
    Ignored,
}

impl StartError {
    /// An error of an initialiser, or a text.
    ///
    /// ```
    /// use otp_actor::StartError;
    ///
    /// let error = StartError::failed("no database");
    /// assert!(error.to_string().contains("no database") || std::error::Error::source(&error).is_some());
    /// ```
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::InitFailed(error.into().into())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InitTimeout => f.write_str("the initialiser was not done in time"),
            Self::InitFailed(error) => write!(f, "the initialiser failed: {error}"),
            Self::InitExited(reason) => write!(f, "the process ended while it started: {reason}"),
            Self::AlreadyStarted(pid) => write!(f, "already started as {pid}"),
            Self::Ignored => f.write_str("chose not to run"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InitFailed(error) => Some(&**error),
            Self::InitExited(reason) => Some(reason),
            Self::InitTimeout | Self::AlreadyStarted(_) | Self::Ignored => None,
        }
    }
}

/// How a process tells its starter that it is ready, or that it will not be.
///
/// Counterpart: `proc_lib:init_ack/2` and `proc_lib:init_fail/3`.
#[derive(Debug)]
#[must_use = "the starter waits for it"]
pub struct InitAck<D> {
    starter: oneshot::Sender<Result<D, StartError>>,
    parent: Option<Pid>,
}

impl<D> InitAck<D> {
    /// The process that starts this one, and will be linked with it.
    pub fn parent(&self) -> Option<Pid> {
        self.parent
    }

    /// Links with the parent and tells the starter that the process is ready.
    ///
    /// # Errors
    ///
    /// The reason to end with, if the parent is gone or the starter has given up.
    pub fn ready(self, data: D) -> Result<(), ExitReason> {
        if let Some(parent) = self.parent {
            link(parent).map_err(|_| ExitReason::NoProc)?;
        }
        if self.starter.send(Ok(data)).is_err() {
            // The starter has given up, and must not be told of an end that is its own doing.
            if let Some(parent) = self.parent {
                let _ = unlink(parent);
            }
            return Err(ExitReason::Killed);
        }
        Ok(())
    }

    /// Tells the starter that the process will not be ready; it should end now, and normally.
    ///
    /// Counterpart: `proc_lib:init_fail/3`.
    pub fn failed(self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        drop(self.starter.send(Err(StartError::failed(error))));
    }

    /// Tells the starter that the process chooses not to run; it should end now, and normally.
    ///
    /// Counterpart: `ignore`.
    pub fn ignore(self) {
        drop(self.starter.send(Err(StartError::Ignored)));
    }
}

/// Starts a process and waits until it has acknowledged its start: what actors, supervisors and everything
/// else that is supervised is started by.
///
/// The process is spawned as `spawn` says, and linked, unless `spawn` is unlinked, with the calling process when it
/// acknowledges. A failed start leaves nothing behind, and no exit signal reaches the caller: not even one
/// that does not trap exits ends with a child that never was. The error is returned when the process is gone
/// and its name is free.
///
/// ```
/// use erlang_process::{Reply, Spawn, Subject};
/// use otp_actor::{InitAck, start_process};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// async fn counter(requests: Subject<Reply<u32>>, ack: InitAck<Subject<Reply<u32>>>) {
///     // What takes long goes before this: the starter waits.
///     if ack.ready(requests.clone()).is_err() {
///         return;
///     }
///     let mut count = 0;
///     while let Ok(reply) = requests.receive_forever().await {
///         count += 1;
///         reply.send(count);
///     }
/// }
///
/// let second = Duration::from_secs(1);
/// let started = start_process(Spawn::new(), second, counter).await?;
/// assert_eq!(started.data.call(second, |reply| reply).await?, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`StartError`].
///
/// # Cancel safety
///
/// Dropping the future kills the process, unless it was returned.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// Counterpart: `proc_lib:start_link/5`, and `proc_lib:start/5` where `spawn` is unlinked.
pub async fn start_process<M, D, F>(
    spawn: Spawn,
    init_timeout: Duration,
    body: impl FnOnce(Subject<M>, InitAck<D>) -> F,
) -> Result<Started<D>, StartError>
where
    M: Send + 'static,
    D: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    let (started, _) = handshake(spawn, init_timeout, body, false).await?;
    Ok(started)
}

/// As [`start_process`], monitored by the calling process from the beginning, and not linked with it: the monitor always
/// tells the true reason. Of a failed start it tells nothing.
///
/// # Errors
///
/// [`StartError`], also outside any process.
///
/// # Cancel safety
///
/// Dropping the future kills the process and ends the monitor, unless they were returned.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// Counterpart: `proc_lib:start_monitor/5`.
pub async fn start_process_monitored<M, D, F>(
    spawn: Spawn,
    init_timeout: Duration,
    body: impl FnOnce(Subject<M>, InitAck<D>) -> F,
) -> Result<(Started<D>, Monitor), StartError>
where
    M: Send + 'static,
    D: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    let (started, monitor) = handshake(spawn.unlinked(), init_timeout, body, true).await?;
    let monitor = monitor.ok_or_else(|| StartError::failed(NotAProcess))?;
    Ok((started, monitor))
}

pub(crate) async fn handshake<M, D, F>(
    spawn: Spawn,
    init_timeout: Duration,
    body: impl FnOnce(Subject<M>, InitAck<D>) -> F,
    monitored: bool,
) -> Result<(Started<D>, Option<Monitor>), StartError>
where
    M: Send + 'static,
    D: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    let (starter, mut acknowledged) = oneshot::channel();
    let ack = InitAck { starter, parent: spawn.link() };
    let linked = spawn.link().is_some();
    let process = match spawn.unlinked().prepare(|subject| body(subject, ack)) {
        Ok(process) => process,
        Err(RegisterError::NameTaken { holder }) => return Err(StartError::AlreadyStarted(holder)),
        Err(error) => return Err(StartError::failed(error)),
    };
    let monitor = if monitored { Some(process.monitor().map_err(StartError::failed)?) } else { None };
    let mut ended = pin!(process.ended());
    let mut starting =
        Starting { node: process.node().clone(), pid: process.pid(), linked, monitor, settled: false };
    process.start();
    let handshake = async {
        match (&mut acknowledged).await {
            Ok(Ok(data)) => Ok(data),
            // The process ends by itself, and is gone before its starter hears of it.
            Ok(Err(error)) => {
                ended.as_mut().await;
                Err(error)
            }
            Err(_) => Err(StartError::InitExited(ended.as_mut().await)),
        }
    };
    let outcome = match timeout(init_timeout, handshake).await {
        Ok(outcome) => outcome,
        Err(_) => {
            // Closed first: either it is ready by now, or it will not be.
            acknowledged.close();
            if let Ok(Ok(data)) = acknowledged.try_recv() {
                Ok(data)
            } else {
                starting.give_up();
                ended.await;
                Err(StartError::InitTimeout)
            }
        }
    };
    starting.settled = true;
    if outcome.is_err()
        && let Some(monitor) = monitor
    {
        demonitor_flush(monitor);
    }
    outcome.map(|data| (Started { pid: starting.pid, data }, monitor))
}

/// A start that is under way: the process ends if its starter gives up.
struct Starting {
    node: Node,
    pid: Pid,
    /// Whether it links itself with the starter when it is ready.
    linked: bool,
    /// The starter's.
    monitor: Option<Monitor>,
    settled: bool,
}

impl Starting {
    fn give_up(&self) {
        // It may have linked itself just now: the kill must not come back.
        if self.linked {
            let _ = unlink(self.pid);
        }
        self.node.signal(None, self.pid, Signal::Exit { reason: ExitReason::Kill, link: false });
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.settled {
            self.give_up();
            if let Some(monitor) = self.monitor {
                demonitor_flush(monitor);
            }
        }
    }
}
