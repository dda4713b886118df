//! Links.

use std::{
    any::{Any, TypeId},
    fmt,
};

use crate::{
    cell::{Key, Link, Process},
    pid::Pid,
    process::{ExitMessage, NotAProcess, acknowledge},
    reason::ExitReason,
    receive::{self, Pattern, ReceiveError},
    scope::{self, Scope},
    signal::Signal,
};

/// Links the calling process with another: when one ends, the other gets an exit signal with its reason.
///
/// Links go both ways, there is at most one between two processes, and a process is never linked with
/// itself: linking again, or with oneself, changes nothing.
///
/// If the other process is dead, a caller that [traps exits](crate::trap_exits) gets an
/// [`ExitMessage`] with [`NoProc`](crate::ExitReason::NoProc), and one that does not gets an
/// error. For a process of another node it is always a signal: a caller that does not trap ends with it.
///
/// ```
/// use erlang_process::{self as process, ExitReason, Selector};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// process::trap_exits(true)?;
/// let other = process::spawn_unlinked(std::future::pending::<()>());
/// process::link(other)?;
/// process::kill(other);
/// let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await?;
/// assert_eq!(exit.reason, ExitReason::Killed);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`LinkError::NoProc`] if the other process is dead and the caller does not trap exits;
/// [`LinkError::NotAProcess`] outside any process.
///
/// Counterpart: `link/1`, `process.link` in Gleam.
pub fn link(pid: Pid) -> Result<(), LinkError> {
    make(pid, Link::Active)
}

/// Makes a link of this kind, or of the one that there is.
pub(crate) fn make(pid: Pid, kind: Link) -> Result<(), LinkError> {
    let cell = scope::cell().ok_or(LinkError::NotAProcess)?;
    let head = cell.head();
    if pid == head.pid {
        return Ok(());
    }
    if kind == Link::Priority {
        scope::with(|scope| scope.take_under_lock(None));
    }
    // One step: an unlink that came in between would be acknowledged only after the link, which the peer
    // ignores as long as it waits for that.
    let (linked, owed) = cell.with(|control, _| {
        let owed = control.take_owed(head);
        (control.links_mut().insert(pid, kind).is_some_and(Link::is_active), owed)
    });
    // What is owed goes first: the peer must take the acknowledgement for what came before this link.
    acknowledge(head, owed);
    if linked {
        return Ok(());
    }
    // Erlang raises the error in a caller that does not trap, and tells one that does by a message.
    if pid.node().is_here() && !head.node.is_alive(pid) && unlinked_again(&cell, pid) {
        return Err(LinkError::NoProc);
    }
    head.node.signal(Some(head.pid), pid, Signal::Link);
    Ok(())
}

/// Takes the link back, for a caller that does not trap exits.
fn unlinked_again(cell: &Process, pid: Pid) -> bool {
    cell.with(|control, _| {
        !control.trapping() && control.links_mut().remove(&pid).is_some_and(Link::is_active)
    })
}

/// Removes the link between the calling process and another, whoever made it. Nothing happens if there is
/// none.
///
/// When this returns, the link can no longer affect the caller. If the other process ended before, and the
/// caller traps exits, an [`ExitMessage`] may already be in its mailbox; it stays there.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let child = process::spawn(std::future::pending::<()>());
/// process::unlink(child)?;
/// // Would have ended this process, too.
/// process::kill(child);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process.
///
/// Counterpart: `unlink/1`, `process.unlink` in Gleam.
pub fn unlink(pid: Pid) -> Result<(), NotAProcess> {
    let cell = scope::cell().ok_or(NotAProcess)?;
    let head = cell.head();
    if !cell.with(|control, _| control.is_linked(pid)) {
        return Ok(());
    }
    let id = head.node.next_number();
    let unlinked = cell.with(|control, _| {
        let active = control.is_linked(pid);
        if active {
            control.links_mut().insert(pid, Link::Inactive(id));
        }
        active
    });
    if unlinked {
        head.node.signal(Some(head.pid), pid, Signal::Unlink(id));
    }
    Ok(())
}

/// Removes the link between the calling process and another, and takes the other's
/// [`ExitMessage`] out of the mailbox, if it is there: none is ever seen of this link. Returns its reason. If that process
/// has also [sent an exit](crate::send_exit) itself, nothing tells the two messages apart: the first of them is taken, and
/// the other stays.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// process::trap_exits(true)?;
/// let child = process::spawn(async {});
/// process::join(child).await;
/// // Its exit message was in the mailbox.
/// assert_eq!(process::unlink_flush(child)?, Some(ExitReason::Normal));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process.
///
/// Counterpart: `unlink(Pid), receive {'EXIT', Pid, Reason} -> Reason after 0 -> true end` in Erlang.
pub fn unlink_flush(pid: Pid) -> Result<Option<ExitReason>, NotAProcess> {
    unlink(pid)?;
    Ok(receive::first(&mut ExitOf(pid)))
}

/// The exits of one process.
struct ExitOf(Pid);

impl Pattern for ExitOf {
    type Output = ExitReason;

    fn check(&self, _: &Scope) -> Result<(), ReceiveError> {
        Ok(())
    }

    fn wants(&self, key: Key, _: TypeId) -> bool {
        key == Key::Exit(self.0)
    }

    fn take(&mut self, _: Key, _: TypeId, message: &mut dyn Any) -> Option<ExitReason> {
        Some(message.downcast_mut::<Option<ExitMessage>>()?.take()?.reason)
    }
}

/// Why a link was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// There is no such process.
    NoProc,
    /// The caller is not a process.
    NotAProcess,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoProc => "there is no such process",
            Self::NotAProcess => "the caller is not a process",
        })
    }
}

impl std::error::Error for LinkError {}

impl From<NotAProcess> for LinkError {
    fn from(_: NotAProcess) -> Self {
        Self::NotAProcess
    }
}
