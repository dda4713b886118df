//! What the subscribers of groups are told.

use crate::{pid::Pid, sync::Arc};

/// Something that has happened to a group.
///
/// It is one value for all who are told, which is why the group is shared.
///
/// Counterpart: `{Ref, join | leave, Group, Pids}`. The subject that it comes to stands for the reference.
#[derive(Debug, PartialEq, Eq)]
pub enum GroupEvent<G> {
    /// Processes have joined.
    Joined {
        /// This group.
        group: Arc<G>,
        /// Who, in the order in which they were given; more than once who has joined more than once.
        pids: Arc<[Pid]>,
    },
    /// Memberships have ended, because the processes were taken out or because they have ended.
    Left {
        /// This group.
        group: Arc<G>,
        /// Whose; more than once for more than one membership.
        pids: Arc<[Pid]>,
    },
}

impl<G> GroupEvent<G> {
    /// The group that it happened to.
    #[must_use]
    pub fn group(&self) -> &G {
        match self {
            Self::Joined { group, .. } | Self::Left { group, .. } => group,
        }
    }

    /// Who has joined or left.
    #[must_use]
    pub fn pids(&self) -> &[Pid] {
        match self {
            Self::Joined { pids, .. } | Self::Left { pids, .. } => pids,
        }
    }
}

impl<G> Clone for GroupEvent<G> {
    fn clone(&self) -> Self {
        match self {
            Self::Joined { group, pids } => Self::Joined { group: group.clone(), pids: pids.clone() },
            Self::Left { group, pids } => Self::Left { group: group.clone(), pids: pids.clone() },
        }
    }
}
