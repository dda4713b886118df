//! What a supervisor tells of its children.

use erlang_process::Pid;

use crate::semantics::{ChildRules, Presence};

/// A child, as its supervisor sees it.
///
/// Counterpart: an element of `supervisor:which_children/1`, with what `get_childspec/2` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildInfo<I> {
    /// What it is called and how it is treated.
    pub rules: ChildRules<I>,
    /// Whether it runs.
    pub presence: Presence<Pid>,
    /// How often it was started again.
    pub restarts: u64,
}

impl<I> ChildInfo<I> {
    /// Its process, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match self.presence {
            Presence::Running(pid) => Some(pid),
            Presence::Undefined | Presence::Restarting { .. } | Presence::Unresponsive(_) => None,
        }
    }
}
