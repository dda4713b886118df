//! Starting: the handshake between who starts a process and the process that is to be ready.

use std::{error::Error, fmt, pin::pin, time::Duration};

use erlang_process::{
    ExitReason, IntoExitReason, Monitor, Node, NotAProcess, Pid, RegisterError, SharedError, Signal, Spawn,
    Subject, demonitor_flush, link, timeout, unlink,
};
use tokio::sync::oneshot;

/// Something that has started: its process, and what its starter gets to use it by.
///
/// ```
/// use otp_actor::{self as actor, Started};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let Started { pid, data: sum } = actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start().await?;
/// sum.send(5);
/// assert_eq!(sum.pid(), Some(pid));
/// # Ok(())
/// # }
/// ```
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

/// Why something did not start. In each case but [`Unresponsive`](Self::Unresponsive) nothing of it is left: no process, no
/// name, no message.
///
/// Two are equal when they are of one kind and say the same: errors of an initialiser are compared as they print. With `{:#}`
/// it prints what has caused them as well, as [`ExitReason`] does.
///
/// Counterpart: the error of `gen_server:start_link/3`, `StartError` in Gleam.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The initialiser was not done in time, or failed and would not end; its process was killed.
    InitTimeout,
    /// The initialiser was not done in time, its process was killed, and has not ended [since](Self::KILL_PATIENCE): it never
    /// awaits, or blocks its thread. It holds no name any more, and ends when it awaits.
    Unresponsive(Pid),
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
    /// How long the end of a process is waited for that was killed because its initialiser was not done in time: five
    /// seconds.
    pub const KILL_PATIENCE: Duration = Duration::from_secs(5);

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
            Self::Unresponsive(pid) => {
                write!(f, "the initialiser was not done in time, and its process {pid} does not end")
            }
            Self::InitFailed(error) if f.alternate() => {
                write!(f, "the initialiser failed: {:#}", ExitReason::Error(error.clone()))
            }
            Self::InitFailed(error) => write!(f, "the initialiser failed: {error}"),
            Self::InitExited(reason) if f.alternate() => {
                write!(f, "the process ended while it started: {reason:#}")
            }
            Self::InitExited(reason) => write!(f, "the process ended while it started: {reason}"),
            Self::AlreadyStarted(pid) => write!(f, "already started as {pid}"),
            Self::Ignored => f.write_str("chose not to run"),
        }
    }
}

impl PartialEq for StartError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::InitTimeout, Self::InitTimeout) | (Self::Ignored, Self::Ignored) => true,
            (Self::Unresponsive(a), Self::Unresponsive(b))
            | (Self::AlreadyStarted(a), Self::AlreadyStarted(b)) => a == b,
            (Self::InitFailed(a), Self::InitFailed(b)) => a.to_string() == b.to_string(),
            (Self::InitExited(a), Self::InitExited(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for StartError {}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InitFailed(error) => Some(&**error),
            Self::InitExited(reason) => Some(reason),
            Self::InitTimeout | Self::Unresponsive(_) | Self::AlreadyStarted(_) | Self::Ignored => None,
        }
    }
}

/// How a process tells its starter that it is ready, or that it will not be.
///
/// ```
/// use erlang_process::{ExitReason, Spawn, Subject};
/// use otp_actor::{InitAck, start_process};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// async fn ticker(ticks: Subject<()>, ack: InitAck<Subject<()>>) -> Result<(), ExitReason> {
///     // Who starts it waits until here.
///     ack.ready(ticks.clone())?;
///     while ticks.receive_forever().await.is_ok() {}
///     Ok(())
/// }
///
/// let ticker = start_process(Spawn::new(), Duration::from_secs(1), ticker).await?;
/// assert_eq!(ticker.data.pid(), Some(ticker.pid));
/// # Ok(())
/// # }
/// ```
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
    ///
    /// ```
    /// use erlang_process::{self as process, Pid, Spawn, Subject};
    /// use otp_actor::{InitAck, start_process};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// async fn child(_: Subject<()>, ack: InitAck<Option<Pid>>) -> Result<(), process::ExitReason> {
    ///     let parent = ack.parent();
    ///     ack.ready(parent)
    /// }
    ///
    /// let started = start_process(Spawn::new(), Duration::from_secs(1), child).await?;
    /// assert_eq!(started.data, process::current());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn parent(&self) -> Option<Pid> {
        self.parent
    }

    /// Links with the parent and tells the starter that the process is ready.
    ///
    /// ```
    /// use erlang_process::{ExitReason, Spawn, Subject};
    /// use otp_actor::{InitAck, start_process};
    /// use std::{net::{SocketAddr, TcpListener}, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// async fn listener(_: Subject<()>, ack: InitAck<SocketAddr>) -> Result<(), ExitReason> {
    ///     let listener = TcpListener::bind("127.0.0.1:0").map_err(ExitReason::error)?;
    ///     ack.ready(listener.local_addr().map_err(ExitReason::error)?)?;
    ///     // And here it would serve.
    ///     Ok(())
    /// }
    ///
    /// let started = start_process(Spawn::new(), Duration::from_secs(1), listener).await?;
    /// assert_ne!(started.data.port(), 0);
    /// # Ok(())
    /// # }
    /// ```
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

    /// Returns when the starter has given up: nobody waits for this process any longer. For one that is started by
    /// [`start_process_cooperatively`], and otherwise killed by then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn given_up(&mut self) {
        self.starter.closed().await;
    }

    /// Tells the starter that the process will not be ready; it should end now, and normally.
    ///
    /// ```
    /// use erlang_process::{Spawn, Subject};
    /// use otp_actor::{InitAck, StartError, start_process};
    /// use std::{fs::File, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// async fn reader(_: Subject<()>, ack: InitAck<File>) {
    ///     match File::open("no such file") {
    ///         Ok(file) => drop(ack.ready(file)),
    ///         Err(error) => ack.failed(error),
    ///     }
    /// }
    ///
    /// let failed = start_process(Spawn::new(), Duration::from_secs(1), reader).await;
    /// assert!(matches!(failed, Err(StartError::InitFailed(_))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `proc_lib:init_fail/3`.
    pub fn failed(self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        drop(self.starter.send(Err(StartError::failed(error))));
    }

    /// Tells the starter that the process chooses not to run; it should end now, and normally.
    ///
    /// ```
    /// use erlang_process::{Spawn, Subject};
    /// use otp_actor::{InitAck, StartError, start_process};
    /// use std::{env, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// async fn metrics(_: Subject<()>, ack: InitAck<()>) {
    ///     match env::var("METRICS_PORT_OF_THIS_EXAMPLE") {
    ///         Ok(_) => drop(ack.ready(())),
    ///         // There is nothing to do on this machine, and that is fine.
    ///         Err(_) => ack.ignore(),
    ///     }
    /// }
    ///
    /// let none = start_process(Spawn::new(), Duration::from_secs(1), metrics).await;
    /// assert!(matches!(none, Err(StartError::Ignored)));
    /// # Ok(())
    /// # }
    /// ```
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
/// acknowledges. Of a failed start no exit signal reaches the caller: not even one that does not trap exits ends with a
/// child that never was. The error is returned when the process is gone and its name is free; only one that cannot be
/// killed is left behind [after a while](StartError::KILL_PATIENCE), as [`Unresponsive`](StartError::Unresponsive).
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
pub fn start_process<M, D, F>(
    spawn: Spawn,
    init_timeout: Duration,
    body: impl FnOnce(Subject<M>, InitAck<D>) -> F,
) -> impl Future<Output = Result<Started<D>, StartError>>
where
    M: Send + 'static,
    D: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    handshake(spawn, init_timeout, body, false, unmonitored)
}

/// As [`start_process`], without a limit to the time, and for a process that is not killed when its starter gives up: it learns of
/// that by [`InitAck::given_up`], or when it is [`ready`](InitAck::ready), and has to end by itself, in order. So supervisors are
/// started, which stop their children.
///
/// # Errors
///
/// [`StartError`].
///
/// # Cancel safety
///
/// Dropping the future, or the end of the process that it is polled by, is to give up. A process that is ready by then, and was not
/// returned, is killed.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// Counterpart: what `proc_lib:start_link/3` is to a process that traps exits: its parent's end is a message to it.
pub async fn start_process_cooperatively<M, D, F>(
    spawn: Spawn,
    body: impl FnOnce(Subject<M>, InitAck<D>) -> F,
) -> Result<Started<D>, StartError>
where
    M: Send + 'static,
    D: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    let (mut starting, ended) = begin(spawn, body, false)?;
    starting.cooperative = true;
    let acknowledged = (&mut starting.acknowledged).await;
    let data = match acknowledged {
        Ok(Ok(data)) => Ok(data),
        // The process ends by itself, and is gone before its starter hears of it.
        Ok(Err(error)) => {
            ended.await;
            Err(error)
        }
        Err(_) => Err(StartError::InitExited(ended.await)),
    };
    starting.settled = true;
    data.map(|data| Started { pid: starting.pid, data })
}

/// As [`start_process`], monitored by the calling process from the beginning, and not linked with it: the monitor always
/// tells the true reason. Of a failed start it tells nothing.
///
/// ```
/// use erlang_process::{ExitReason, Spawn, Subject};
/// use otp_actor::{InitAck, start_process_monitored};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// async fn brief(_: Subject<()>, ack: InitAck<()>) -> Result<(), ExitReason> {
///     ack.ready(())?;
///     Err(ExitReason::error("no luck"))
/// }
///
/// let (started, monitor) = start_process_monitored(Spawn::new(), Duration::from_secs(1), brief).await?;
/// let down = monitor.down().await?;
/// assert_eq!((down.pid(), down.reason), (Some(started.pid), ExitReason::error("no luck")));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
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
pub fn start_process_monitored<M, D, F>(
    spawn: Spawn,
    init_timeout: Duration,
    body: impl FnOnce(Subject<M>, InitAck<D>) -> F,
) -> impl Future<Output = Result<(Started<D>, Monitor), StartError>>
where
    M: Send + 'static,
    D: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    handshake(spawn.unlinked(), init_timeout, body, true, monitored)
}

/// What the starter of a process gets that it does not monitor.
pub(crate) fn unmonitored<D>(started: Started<D>, _: Option<Monitor>) -> Result<Started<D>, StartError> {
    Ok(started)
}

/// What the starter of a process gets that it monitors.
pub(crate) fn monitored<D>(
    started: Started<D>,
    monitor: Option<Monitor>,
) -> Result<(Started<D>, Monitor), StartError> {
    Ok((started, monitor.ok_or_else(|| StartError::failed(NotAProcess))?))
}

/// What a starter gets of a process that has started, and of its monitor.
pub(crate) type Outcome<D, T> = fn(Started<D>, Option<Monitor>) -> Result<T, StartError>;

pub(crate) async fn handshake<M, D, F, T>(
    spawn: Spawn,
    init_timeout: Duration,
    body: impl FnOnce(Subject<M>, InitAck<D>) -> F,
    monitored: bool,
    outcome: Outcome<D, T>,
) -> Result<T, StartError>
where
    M: Send + 'static,
    D: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    let (mut starting, ended) = begin(spawn, body, monitored)?;
    let mut ended = pin!(ended);
    let acknowledged = {
        let handshake = pin!(async {
            match (&mut starting.acknowledged).await {
                Ok(Ok(data)) => Ok(data),
                // The process ends by itself, and is gone before its starter hears of it.
                Ok(Err(error)) => {
                    ended.as_mut().await;
                    Err(error)
                }
                Err(_) => Err(StartError::InitExited(ended.as_mut().await)),
            }
        });
        timeout(init_timeout, handshake).await
    };
    let data = match acknowledged {
        Ok(acknowledged) => acknowledged,
        Err(_) => {
            // Closed first: either it is ready by now, or it will not be.
            starting.acknowledged.close();
            if let Ok(Ok(data)) = starting.acknowledged.try_recv() {
                Ok(data)
            } else {
                starting.give_up();
                match timeout(StartError::KILL_PATIENCE, ended).await {
                    Ok(_) => Err(StartError::InitTimeout),
                    Err(_) => Err(StartError::Unresponsive(starting.pid)),
                }
            }
        }
    };
    starting.settled = true;
    match data {
        Ok(data) => outcome(Started { pid: starting.pid, data }, starting.monitor),
        Err(error) => {
            starting.monitor.map(demonitor_flush);
            Err(error)
        }
    }
}

/// Spawns the process of a start. By itself: the process is large, and the future of the start need not have room for it.
fn begin<M, D, F>(
    spawn: Spawn,
    body: impl FnOnce(Subject<M>, InitAck<D>) -> F,
    monitored: bool,
) -> Result<(Starting<D>, impl Future<Output = ExitReason> + Send), StartError>
where
    M: Send + 'static,
    D: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    let (starter, acknowledged) = oneshot::channel();
    let ack = InitAck { starter, parent: spawn.link() };
    let linked = spawn.link().is_some();
    let process = match spawn.unlinked().prepare(|subject| body(subject, ack)) {
        Ok(process) => process,
        Err(RegisterError::NameTaken { holder }) => return Err(StartError::AlreadyStarted(holder)),
        Err(error) => return Err(StartError::failed(error)),
    };
    let monitor = if monitored { Some(process.monitor().map_err(StartError::failed)?) } else { None };
    let (ended, node) = (process.ended(), process.node().clone());
    let starting = Starting {
        node,
        pid: process.pid(),
        linked,
        monitor,
        acknowledged,
        cooperative: false,
        settled: false,
    };
    process.start();
    Ok((starting, ended))
}

/// A start that is under way: the process ends if its starter gives up.
struct Starting<D> {
    node: Node,
    pid: Pid,
    /// Whether it links itself with the starter when it is ready.
    linked: bool,
    /// The starter's.
    monitor: Option<Monitor>,
    acknowledged: oneshot::Receiver<Result<D, StartError>>,
    /// It ends by itself as long as it is not ready.
    cooperative: bool,
    settled: bool,
}

impl<D> Starting<D> {
    fn give_up(&self) {
        // It may have linked itself just now: the kill must not come back.
        if self.linked {
            let _ = unlink(self.pid);
        }
        self.node.signal(None, self.pid, Signal::Exit { reason: ExitReason::Kill, link: false });
    }
}

impl<D> Drop for Starting<D> {
    fn drop(&mut self) {
        if !self.settled {
            // Closed first: either it is ready by now, or it will hear of this.
            self.acknowledged.close();
            if !self.cooperative || matches!(self.acknowledged.try_recv(), Ok(Ok(_))) {
                self.give_up();
            }
            if let Some(monitor) = self.monitor {
                demonitor_flush(monitor);
            }
        }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Next;

    #[tokio::test]
    async fn the_futures_of_an_actor_are_small() {
        let sizes = erlang_process::run(async {
            let actor = || crate::new(0_u64).on_message(|_: &mut u64, _: u64| Next::Continue);
            let (starter, _) = oneshot::channel();
            let life = actor().life(Subject::new().unwrap(), InitAck { starter, parent: None });
            (size_of_val(&life), size_of_val(&actor().start()))
        });
        let (life, start) = sizes.await.unwrap();
        // Up to 256 tokio's task takes 384 bytes, and from there on 512.
        assert!(life <= 200, "an actor's future takes {life} bytes");
        assert!(start <= 620, "that of its start takes {start} bytes");
    }
}
