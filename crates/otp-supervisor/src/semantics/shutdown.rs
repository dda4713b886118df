//! How a child is asked to end.

use std::time::Duration;

use super::{ReasonKind, Restart};

/// How a child is asked to end, and how long its supervisor waits.
///
/// Counterpart: `shutdown()` in Erlang's child specification, `shutdown` and `ChildType` in Gleam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// It is not asked, it is killed: `brutal_kill`.
    BrutalKill,
    /// It is sent `shutdown`, and killed if it is still alive after this time.
    ///
    /// Zero is legal: the kill follows the request at once.
    After(Duration),
    /// It is sent `shutdown` and has all the time it needs. Right for supervisors, as their own children take
    /// their time too; legal for workers.
    Infinity,
}

impl Shutdown {
    /// Erlang's default for workers: five seconds.
    pub const WORKER: Self = Self::After(Duration::from_secs(5));

    /// How long a child that was killed is waited for: five seconds. One that has not ended by then is
    /// [unresponsive](super::Presence::Unresponsive).
    ///
    /// A process ends where it awaits, which for all but a busy loop or a blocked thread is at once.
    pub const KILL_PATIENCE: Duration = Duration::from_secs(5);

    /// Whether a child that was stopped this way, and ended so, did as it was told.
    ///
    /// Any other end earns a `shutdown_error` report; the supervisor goes on all the same.
    ///
    /// | | always accepted | accepted unless the child is permanent |
    /// |---|---|---|
    /// | brutal kill | `killed` | `normal`, `shutdown`, `{shutdown, _}` |
    /// | a request, with or without a limit | `shutdown` | `normal`, `{shutdown, _}` |
    ///
    /// A patient stop that ran into its limit ends with `killed`, and is therefore reported.
    ///
    /// ```
    /// use otp_supervisor::{Restart, Shutdown, semantics::ReasonKind};
    ///
    /// // Asked to end, it has ended normally: a transient child may, a permanent one has no business to.
    /// assert!(Shutdown::WORKER.accepts(Restart::Transient, ReasonKind::Normal));
    /// assert!(!Shutdown::WORKER.accepts(Restart::Permanent, ReasonKind::Normal));
    /// // Its time was over.
    /// assert!(!Shutdown::WORKER.accepts(Restart::Transient, ReasonKind::Killed));
    /// ```
    ///
    /// Counterpart: `shutdown/1` in `supervisor.erl`.
    #[must_use]
    pub fn accepts(self, restart: Restart, kind: ReasonKind) -> bool {
        match (self, kind) {
            (Self::BrutalKill, ReasonKind::Killed) => true,
            (Self::After(_) | Self::Infinity, ReasonKind::Shutdown) => true,
            (_, ReasonKind::Normal | ReasonKind::Shutdown | ReasonKind::ShutdownWith) => {
                restart != Restart::Permanent
            }
            (_, ReasonKind::Killed | ReasonKind::Other) => false,
        }
    }
}
