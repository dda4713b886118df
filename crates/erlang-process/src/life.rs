//! How processes come and go, for those who watch a whole node.

use crate::{
    name::RegisteredName,
    node::Node,
    observe::{self, Watching},
    pid::Pid,
    reason::ExitReason,
    subject::Subject,
};

/// Something that has happened to a process, see [`Node::life_events`].
///
/// ```
/// use erlang_process::{self as process, LifeEvent, Node, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # Node::new().run(async {
/// let events = Subject::new()?;
/// Node::current().life_events(&events);
/// process::spawn_unlinked(async { Err::<(), _>("disk full") });
///
/// // Waits for the next that does not end well.
/// let crash = loop {
///     match events.receive_forever().await? {
///         LifeEvent::Exited { pid, reason } if !reason.is_orderly() => break format!("{pid}: {reason}"),
///         _ => {}
///     }
/// };
/// assert_eq!(crash, "<0.2.0>: disk full");
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: the trace messages `spawned`, `register`, `unregister` and `exit`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LifeEvent {
    /// It was made, and is about to run; or to end at once, where the name that it was to have proves to be taken.
    Spawned {
        /// Who.
        pid: Pid,
        /// By whom; `None` for code outside any process of the node.
        parent: Option<Pid>,
        /// What it runs, see [`Info::initial_call`](crate::Info::initial_call).
        initial_call: &'static str,
    },
    /// It was given a name.
    Registered {
        /// Who.
        pid: Pid,
        /// This name.
        name: RegisteredName,
    },
    /// It has lost its name, also by its end.
    Unregistered {
        /// Who.
        pid: Pid,
        /// This name.
        name: RegisteredName,
    },
    /// It has ended: what it owned is released, and those bound to it are told.
    Exited {
        /// Who.
        pid: Pid,
        /// Why.
        reason: ExitReason,
    },
}

impl LifeEvent {
    /// The process that it happened to.
    ///
    /// ```
    /// use erlang_process::{self as process, Node, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # Node::new().run(async {
    /// let events = Subject::new()?;
    /// Node::current().life_events(&events);
    /// let child = process::spawn(async {});
    /// assert_eq!(events.receive_forever().await?.pid(), child);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Pid {
        match self {
            Self::Spawned { pid, .. }
            | Self::Registered { pid, .. }
            | Self::Unregistered { pid, .. }
            | Self::Exited { pid, .. } => *pid,
        }
    }
}

impl Node {
    /// Sends what happens to all processes of this node to a subject, until its process ends or
    /// [stops](Watching::stop) watching. `None` if that has ended already. Of a named subject it is the process that holds the
    /// name now.
    ///
    /// Events about one process come in order, and it has no others after [`LifeEvent::Exited`]; nothing holds between
    /// processes. An event may come a little after what has happened can be seen otherwise. About the watcher itself
    /// there are none. The node does not wait for the watcher: events that it does not take fill its mailbox.
    ///
    /// While nobody watches, this costs each process a few loads of a flag in its life.
    ///
    /// ```
    /// use std::time::Duration;
    /// use erlang_process::{self as process, ExitReason, LifeEvent, Node, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # Node::new().run(async {
    /// let events = Subject::new()?;
    /// let watching = Node::current().life_events(&events);
    /// let child = process::spawn(async {});
    ///
    /// let second = Duration::from_secs(1);
    /// assert!(matches!(events.receive(second).await, Ok(LifeEvent::Spawned { pid, .. }) if pid == child));
    /// let reason = ExitReason::Normal;
    /// assert_eq!(events.receive(second).await, Ok(LifeEvent::Exited { pid: child, reason }));
    /// # drop(watching);
    /// # Ok::<_, process::NotAProcess>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `erlang:trace(all, true, [procs])`.
    pub fn life_events(&self, subject: &Subject<LifeEvent>) -> Option<Watching> {
        self.watch_lives(subject)
    }

    /// Puts down what has happened to a process, if anyone watches.
    #[inline]
    pub(crate) fn note(&self, pid: Pid, event: impl FnOnce() -> LifeEvent) {
        if observe::lives() {
            self.observers().note(pid, &event());
        }
    }

    /// Tells what was put down. Not under any lock.
    #[inline]
    pub(crate) fn tell(&self) {
        if observe::lives() {
            self.observers().tell();
        }
    }
}
