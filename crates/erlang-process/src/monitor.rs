//! Monitors.

use std::any::{Any, TypeId};

use crate::{
    cell::{Alias, AliasEnd, Key, Monitored},
    pid::Pid,
    process::NotAProcess,
    reason::ExitReason,
    receive::{self, Pattern, Receive, ReceiveError},
    reference::Reference,
    scope::{self, Scope},
    signal::{Dest, Signal},
};

/// Lets the calling process hear of the end of another: one [`Down`] message, whatever the reason.
///
/// The other process does not notice. Each call makes a monitor of its own. If there is no such process the
/// message comes at once, with [`NoProc`](ExitReason::NoProc). A name is looked up now: the monitor is for
/// the process that holds it, whoever holds it later. An [alias](crate::alias()) means its process while it is active, and
/// then nobody. A process that monitors itself never hears of it.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let worker = process::spawn_unlinked(async { Err::<(), _>("out of paper") });
/// let monitor = process::monitor(worker)?;
/// assert_eq!(monitor.down().await?.reason, ExitReason::error("out of paper"));
///
/// // Who is dead already is told of as well.
/// assert_eq!(process::monitor(worker)?.down().await?.reason, ExitReason::NoProc);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process; see [`join`](crate::join).
///
/// Counterpart: `monitor/2`, `process.monitor` in Gleam.
pub fn monitor(target: impl Into<Dest>) -> Result<Monitor, NotAProcess> {
    set_up(target.into(), None, false)
}

/// How long the alias of a monitor lasts.
///
/// Counterpart: the option `{alias, Mode}` of `erlang:monitor/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MonitorAlias {
    /// Until [`unalias`](crate::unalias()), whatever becomes of the monitor.
    ExplicitUnalias,
    /// As long as the monitor: until it is ended, or has told of the end.
    Demonitor,
    /// The same, and until the first message through it, which ends the monitor as well: what a request needs
    /// that is either answered or not.
    ReplyDemonitor,
}

/// Monitors, and makes the monitor's [reference](Monitor::reference) an [alias](crate::alias()) of the calling
/// process: whoever is to answer sends to it, and what comes too late is dropped.
///
/// ```
/// use erlang_process::{self as process, Dest, MonitorAlias, Node, Reference, Selector, Signal, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// // What a call is made of: a server that answers to a reference, and a caller that hears of its end.
/// let server = process::spawn_subject(|requests: Subject<Reference>| async move {
///     let caller = Dest::Alias(requests.receive_forever().await?);
///     Node::current().signal(process::current(), caller, Signal::Message(Box::new(42_u32)));
///     Ok::<_, process::ReceiveError>(())
/// });
/// let monitor = process::monitor_with_alias(server.pid().unwrap(), MonitorAlias::ReplyDemonitor)?;
/// server.send(monitor.reference());
/// let mut answer = Selector::new()
///     .select_alias(monitor.reference(), |answer: u32| Ok(answer))
///     .select_monitor(monitor, |down| Err(down.reason));
/// assert_eq!(answer.receive_forever().await?, Ok(42));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process.
///
/// Counterpart: `monitor/3` with `{alias, Mode}`.
pub fn monitor_with_alias(target: impl Into<Dest>, mode: MonitorAlias) -> Result<Monitor, NotAProcess> {
    let end = match mode {
        MonitorAlias::ExplicitUnalias => AliasEnd::ExplicitUnalias,
        MonitorAlias::Demonitor => AliasEnd::Demonitor,
        MonitorAlias::ReplyDemonitor => AliasEnd::ReplyDemonitor,
    };
    set_up(target.into(), Some(end), false)
}

pub(crate) fn set_up(target: Dest, alias: Option<AliasEnd>, priority: bool) -> Result<Monitor, NotAProcess> {
    if priority {
        scope::with(|scope| scope.take_under_lock(None));
    }
    let cell = scope::cell().ok_or(NotAProcess)?;
    let head = cell.head();
    let reference = head.node.make_reference(Some(head.pid));
    let to = head.node.pin(target);
    if let Some(end) = alias {
        cell.with(|control, _| control.rare_mut().aliases.insert(reference, Alias { end, priority }));
    }
    if to != Dest::Pid(head.pid) {
        cell.with(|control, _| {
            if priority {
                control.rare_mut().priority_monitors.insert(reference);
            }
            control.relations_mut().monitors.insert(reference, Monitored::new(target, to))
        });
        head.node.signal(Some(head.pid), to, Signal::Monitor { reference, target });
    }
    Ok(Monitor { reference })
}

/// Ends a monitor of the calling process. Whether it was still active: if so, no [`Down`] was or will be
/// delivered; if not, it may be in the mailbox already.
///
/// A monitor of another process is left alone.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let worker = process::spawn(std::future::pending::<()>());
/// let monitor = process::monitor(worker)?;
/// assert!(process::demonitor(monitor));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `demonitor(Ref, [info])`.
pub fn demonitor(monitor: Monitor) -> bool {
    let Some(cell) = scope::cell() else { return false };
    let head = cell.head();
    let ended = cell.with(|control, _| control.end_monitor(monitor.reference));
    let Some(monitored) = ended else { return false };
    head.node.signal(Some(head.pid), monitored.to(), Signal::Demonitor(monitor.reference));
    true
}

/// Ends a monitor of the calling process and takes its [`Down`] out of the mailbox, if it is there: none is
/// ever seen after this. Whether the monitor was still active.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let worker = process::spawn(async {});
/// let monitor = process::monitor(worker)?;
/// process::join(worker).await;
/// // The message of its end was in the mailbox, and no longer is.
/// process::demonitor_flush(monitor);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `demonitor(Ref, [flush, info])`, `process.demonitor_process` in Gleam.
pub fn demonitor_flush(monitor: Monitor) -> bool {
    let active = demonitor(monitor);
    if !active {
        receive::first(&mut DownOf(monitor));
    }
    active
}

/// A monitor that the calling process has on another.
///
/// ```
/// use erlang_process as process;
/// use std::collections::HashMap;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// // Which order has failed? A monitor is a key.
/// let mut orders = HashMap::new();
/// let (_, monitor) = process::spawn_monitor(async { Err::<(), _>("no card") })?;
/// orders.insert(monitor, "order 4711");
/// let down = monitor.down().await?;
/// assert_eq!(orders.remove(&down.monitor), Some("order 4711"));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: the reference that `monitor/2` returns, `Monitor` in Gleam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Monitor {
    reference: Reference,
}

impl Monitor {
    pub(crate) fn from_reference(reference: Reference) -> Self {
        Self { reference }
    }

    /// What makes the monitor unique.
    ///
    /// ```
    /// use erlang_process as process;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let own = process::current().unwrap();
    /// // Two monitors of one process are two.
    /// let (one, other) = (process::monitor(own)?, process::monitor(own)?);
    /// assert_ne!(one.reference(), other.reference());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn reference(self) -> Reference {
        self.reference
    }

    /// Waits for the end of the monitored process, however long that takes.
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let (_, monitor) = process::spawn_monitor(async {})?;
    /// assert_eq!(monitor.down().await?.reason, ExitReason::Normal);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReceiveError::NotOwner`] if the monitor is another process's, which alone is told;
    /// [`ReceiveError::NotAProcess`] outside any process.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn down(self) -> Result<Down, ReceiveError> {
        Receive::new(DownOf(self)).await
    }
}

/// The end of a process that is monitored.
///
/// Received with [`Selector::select_monitor`](crate::Selector::select_monitor),
/// [`Selector::select_monitors`](crate::Selector::select_monitors) or [`Monitor::down`].
///
/// ```
/// use erlang_process::{self as process, ExitReason, Name};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let nobody = Name::<()>::fixed("nobody");
/// let monitor = process::monitor(nobody)?;
/// let down = monitor.down().await?;
/// assert_eq!(down.monitor, monitor);
/// assert_eq!(down.target, nobody.into());
/// assert_eq!(down.reason, ExitReason::NoProc);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `{'DOWN', Ref, process, Object, Reason}` in Erlang, `Down` in Gleam.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// Which monitor this answers.
    pub monitor: Monitor,
    /// The process as it was named when it was monitored.
    pub target: Dest,
    /// Why it ended; [`NoProc`](ExitReason::NoProc) if it was not there to be monitored.
    pub reason: ExitReason,
}

impl Down {
    /// The pid of the process, if it was monitored by pid.
    ///
    /// ```
    /// use erlang_process as process;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let (pid, monitor) = process::spawn_monitor(async {})?;
    /// assert_eq!(monitor.down().await?.pid(), Some(pid));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match self.target {
            Dest::Pid(pid) => Some(pid),
            Dest::Name(..) | Dest::Alias(_) => None,
        }
    }
}

/// The end of one monitor.
struct DownOf(Monitor);

impl Pattern for DownOf {
    type Output = Down;

    fn check(&self, scope: &Scope) -> Result<(), ReceiveError> {
        if self.0.reference.owner() == Some(scope.cell.head().pid) {
            Ok(())
        } else {
            Err(ReceiveError::NotOwner)
        }
    }

    fn wants(&self, key: Key, _: TypeId) -> bool {
        key == Key::Down(self.0.reference)
    }

    fn take(&mut self, _: Key, _: TypeId, message: &mut dyn Any) -> Option<Down> {
        message.downcast_mut::<Option<Down>>()?.take()
    }
}
