//! What supervision needs to know about an exit reason.

/// An exit reason, as far as a supervisor looks into it.
///
/// The machine carries the shell's reasons around unopened and asks only this. Equality serves one purpose:
/// a factory that stops its children at once reports each distinct reason once.
///
/// ```
/// use otp_supervisor::semantics::{Reason, ReasonKind};
///
/// /// How a program of the operating system has ended.
/// #[derive(PartialEq)]
/// enum Ended {
///     With(i32),
///     Killed,
/// }
///
/// impl Reason for Ended {
///     fn kind(&self) -> ReasonKind {
///         match self {
///             Self::With(0) => ReasonKind::Normal,
///             Self::With(_) => ReasonKind::Other,
///             Self::Killed => ReasonKind::Killed,
///         }
///     }
/// }
/// assert!(Ended::With(0).kind().is_orderly());
/// ```
///
/// Counterpart: the clause heads of `do_restart` and `shutdown` in Erlang's `supervisor.erl`.
pub trait Reason: PartialEq {
    /// Which row of the tables this reason falls into.
    fn kind(&self) -> ReasonKind;
}

/// The five kinds of exit reason that supervision tells apart.
///
/// Counterpart: the patterns `normal`, `shutdown`, `{shutdown, _}`, `killed` and `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReasonKind {
    /// The child did its work: `normal`.
    Normal,
    /// The child was asked to end, or ended as if it had been: `shutdown`.
    Shutdown,
    /// The same with a detail: `{shutdown, Term}`.
    ShutdownWith,
    /// The child was killed: `killed`. For restarts this is as abnormal as a crash.
    Killed,
    /// Anything else: a crash.
    Other,
}

impl ReasonKind {
    /// Whether a child that ended so ended as it should: `normal`, `shutdown` or `{shutdown, _}`.
    ///
    /// ```
    /// use otp_supervisor::semantics::ReasonKind;
    ///
    /// assert!(ReasonKind::Shutdown.is_orderly());
    /// // For whoever was killed it was no orderly end.
    /// assert!(!ReasonKind::Killed.is_orderly());
    /// ```
    #[must_use]
    pub fn is_orderly(self) -> bool {
        match self {
            Self::Normal | Self::Shutdown | Self::ShutdownWith => true,
            Self::Killed | Self::Other => false,
        }
    }
}

/// The kinds are reasons themselves, for tests, models and sketches of a tree.
impl Reason for ReasonKind {
    fn kind(&self) -> ReasonKind {
        *self
    }
}
