//! The kinds of signal, where one can go, and the table that decides what an exit does.

use std::{any::Any, fmt};

use crate::{
    name::{Name, RegisteredName},
    pid::{NodeId, Pid},
    reason::ExitReason,
    reference::Reference,
};

/// Where a signal can go: a process, a name on a node, or an alias.
///
/// Accepted wherever a pid is.
///
/// ```
/// use erlang_process::{Dest, Name, NodeId, Pid};
///
/// let (pid, name) = (Pid::from_parts(NodeId::HERE, 42, 0), Name::<()>::fixed("board"));
/// assert_eq!(Dest::from(pid).to_string(), "<0.42.0>");
/// assert_eq!(Dest::from(name).to_string(), "board");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dest {
    /// The process itself.
    Pid(Pid),
    /// Whoever holds this name on that node when the signal arrives, whichever incarnation of the node that is; for how, see
    /// [`Carrier`](crate::Carrier).
    Name(RegisteredName, NodeId),
    /// The process that made this alias, as long as the alias is active.
    Alias(Reference),
}

impl Dest {
    /// The node that the signal has to reach.
    ///
    /// ```
    /// use erlang_process::{Dest, Name, Pid};
    ///
    /// let far: Pid = "<7.42.0>".parse()?;
    /// assert_eq!(Dest::from(far).node(), far.node());
    /// assert!(Dest::from(Name::<()>::fixed("board")).node().is_here());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn node(&self) -> NodeId {
        match self {
            Self::Pid(pid) => pid.node(),
            Self::Name(_, node) => *node,
            Self::Alias(reference) => reference.node(),
        }
    }
}

impl From<Pid> for Dest {
    fn from(pid: Pid) -> Self {
        Self::Pid(pid)
    }
}

impl<M> From<Name<M>> for Dest {
    fn from(name: Name<M>) -> Self {
        name.registered_name().into()
    }
}

impl From<Reference> for Dest {
    fn from(alias: Reference) -> Self {
        Self::Alias(alias)
    }
}

impl From<RegisteredName> for Dest {
    fn from(name: RegisteredName) -> Self {
        Self::Name(name, NodeId::HERE)
    }
}

impl fmt::Display for Dest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(pid) => pid.fmt(f),
            Self::Name(name, node) if node.is_here() => name.fmt(f),
            Self::Name(name, node) => write!(f, "{name}@{node}"),
            Self::Alias(reference) => reference.fmt(f),
        }
    }
}

impl fmt::Debug for Dest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Everything that travels between two processes.
///
/// Programs do not build signals: [`link`](crate::link()), [`monitor`](crate::monitor()),
/// [`send_exit`](crate::send_exit) and the rest do. They are public for the carriers that take them to
/// other nodes, see [`Carrier`](crate::Carrier) and [`Node::signal`](crate::Node::signal).
///
/// Whatever their kinds, the signals of one process to another arrive in the order in which they were
/// sent; nothing holds between different senders.
///
/// ```
/// use erlang_process::{self as process, ExitReason, Node, Selector, Signal};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// // What a carrier does for the end of a process that this one was linked with on another node.
/// process::trap_exits(true)?;
/// let (node, own) = (Node::current(), process::current().unwrap());
/// let far = process::Pid::from_parts(node.node_id("ship@sea", 1)?, 7, 0);
/// # struct Wire;
/// # impl process::Carrier for Wire {
/// #     fn deliver(&self, _: Option<process::Pid>, _: process::Dest, _: Signal) -> Result<(), process::Undelivered> {
/// #         Ok(())
/// #     }
/// #     fn poll_ready(&self, _: process::NodeId, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
/// #         std::task::Poll::Ready(())
/// #     }
/// # }
/// # node.set_carrier(Box::new(Wire)).ok();
/// process::link(far)?;
/// node.signal(Some(far), own, Signal::Exit { reason: ExitReason::Shutdown, link: true });
/// let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await?;
/// assert_eq!((exit.pid, exit.reason), (far, ExitReason::Shutdown));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
#[non_exhaustive]
pub enum Signal {
    /// A message whose type only its receiver knows.
    Message(Box<dyn Any + Send>),
    /// The same, to lie before ordinary messages, if it goes through an alias that
    /// [takes priority messages](crate::priority_alias).
    PriorityMessage(Box<dyn Any + Send>),
    /// The sender has linked itself to the receiver.
    Link,
    /// The sender has removed its link; the number is what the receiver has to acknowledge.
    Unlink(u64),
    /// The sender has removed the link as well that the receiver's `Unlink` with this number was about.
    UnlinkAck(u64),
    /// The sender's end, or its wish that the receiver end.
    Exit {
        /// Why.
        reason: ExitReason,
        /// Whether it came through a link, and so counts only while that link does.
        link: bool,
    },
    /// The sender's wish that the receiver end. If it becomes a message, that has priority where it came through an
    /// alias that [takes priority messages](crate::priority_alias).
    PriorityExit {
        /// Why.
        reason: ExitReason,
    },
    /// The sender wants to hear of the receiver's end.
    Monitor {
        /// Which monitor of the sender's this is.
        reference: Reference,
        /// The receiver as the sender named it.
        target: Dest,
    },
    /// The sender no longer wants to hear of the receiver's end. Whatever it is sent to, it goes to the process
    /// that has the monitor: a name may have moved on.
    Demonitor(Reference),
    /// The end of a process that the receiver monitors.
    Down {
        /// Which monitor of the receiver's this answers.
        reference: Reference,
        /// The process that ended, as the receiver named it.
        target: Dest,
        /// Why it ended.
        reason: ExitReason,
    },
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(_) => f.write_str("Message(..)"),
            Self::PriorityMessage(_) => f.write_str("PriorityMessage(..)"),
            Self::Link => f.write_str("Link"),
            Self::Unlink(id) => f.debug_tuple("Unlink").field(id).finish(),
            Self::UnlinkAck(id) => f.debug_tuple("UnlinkAck").field(id).finish(),
            Self::Exit { reason, link } => {
                f.debug_struct("Exit").field("reason", reason).field("link", link).finish()
            }
            Self::PriorityExit { reason } => f.debug_struct("PriorityExit").field("reason", reason).finish(),
            Self::Monitor { reference, target } => {
                f.debug_struct("Monitor").field("reference", reference).field("target", target).finish()
            }
            Self::Demonitor(reference) => f.debug_tuple("Demonitor").field(reference).finish(),
            Self::Down { reference, target, reason } => f
                .debug_struct("Down")
                .field("reference", reference)
                .field("target", target)
                .field("reason", reason)
                .finish(),
        }
    }
}

/// What an exit signal does to its receiver.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Drop,
    /// It becomes a message.
    Message(ExitReason),
    /// It ends the receiver with this reason.
    Exit(ExitReason),
}

/// The decision table of exit signals. A signal through a link that is no longer there never gets this far.
pub(crate) fn verdict(reason: ExitReason, link: bool, trapping: bool, to_itself: bool) -> Verdict {
    match reason {
        ExitReason::Kill if !link => Verdict::Exit(ExitReason::Killed),
        reason if trapping => Verdict::Message(reason),
        // The historic quirk of exit/2: a process ends itself with `normal`, nobody else does.
        ExitReason::Normal if !to_itself => Verdict::Drop,
        reason => Verdict::Exit(reason),
    }
}
