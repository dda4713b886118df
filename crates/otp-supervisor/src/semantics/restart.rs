//! When a child that ended by itself comes back.

use super::ReasonKind;

/// When a child that ended by itself is started again.
///
/// Counterpart: `restart()` in Erlang's child specification, `Restart` in Gleam.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// Only after an abnormal end.
    Transient,
    /// Never; the supervisor forgets the child as soon as it has ended, for whatever reason.
    Temporary,
}

impl Restart {
    /// Whether a child of this type comes back after an end of this kind.
    ///
    /// ```
    /// use otp_supervisor::semantics::{ReasonKind, Restart};
    ///
    /// assert!(Restart::Permanent.revives(ReasonKind::Normal));
    /// assert!(!Restart::Transient.revives(ReasonKind::ShutdownWith));
    /// assert!(Restart::Transient.revives(ReasonKind::Killed));
    /// assert!(!Restart::Temporary.revives(ReasonKind::Other));
    /// ```
    ///
    /// Counterpart: the clauses of `do_restart`.
    #[must_use]
    pub fn revives(self, kind: ReasonKind) -> bool {
        match (self, kind.is_orderly()) {
            (Self::Permanent, _) => true,
            (Self::Transient, orderly) => !orderly,
            (Self::Temporary, _) => false,
        }
    }

    /// Whether such an end is worth a `child_terminated` report.
    ///
    /// A permanent child has no business ending at all, so each of its ends is reported; of the others the
    /// abnormal ones.
    ///
    /// ```
    /// use otp_supervisor::{Restart, semantics::ReasonKind};
    ///
    /// assert!(Restart::Permanent.deplores(ReasonKind::Normal));
    /// assert!(!Restart::Transient.deplores(ReasonKind::Normal));
    /// assert!(Restart::Temporary.deplores(ReasonKind::Other));
    /// ```
    #[must_use]
    pub fn deplores(self, kind: ReasonKind) -> bool {
        match (self, kind.is_orderly()) {
            (Self::Permanent, _) => true,
            (Self::Transient | Self::Temporary, orderly) => !orderly,
        }
    }
}
