//! What supervision needs to know about an exit reason.

/// An exit reason, as far as a supervisor looks into it.
///
/// The machine carries the shell's reasons around unopened and asks only this. Equality serves one purpose:
/// a factory that stops its children at once reports each distinct reason once.
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
