//! What the subscribers of groups are told.

use crate::{pid::Pid, sync::Arc};

/// Something that has happened to a group.
///
/// It is one value for all who are told, which is why the group is shared.
///
/// ```
/// use erlang_process::{self as process, GroupEvent, Groups, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let rooms = Groups::<&str, ()>::new();
/// let (monitor, guests) = rooms.monitor("kitchen")?;
/// rooms.join("kitchen", &Subject::new()?)?;
/// rooms.leave("kitchen", process::current().unwrap())?;
///
/// // How many there are, counted by the events alone.
/// let mut count = guests.len();
/// for expected in [1, 0] {
///     match monitor.events().receive_forever().await? {
///         GroupEvent::Joined { pids, .. } => count += pids.len(),
///         GroupEvent::Left { pids, .. } => count -= pids.len(),
///     }
///     assert_eq!(count, expected);
/// }
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
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
    ///
    /// ```
    /// use erlang_process::{Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let rooms = Groups::<&str, ()>::new();
    /// let (monitor, _) = rooms.monitor_scope()?;
    /// rooms.join("kitchen", &Subject::new()?)?;
    /// assert_eq!(*monitor.events().receive_forever().await?.group(), "kitchen");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn group(&self) -> &G {
        match self {
            Self::Joined { group, .. } | Self::Left { group, .. } => group,
        }
    }

    /// Who has joined or left.
    ///
    /// ```
    /// use erlang_process::{self as process, Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let workers = Groups::<&str, ()>::new();
    /// let (monitor, _) = workers.monitor("idle")?;
    /// workers.join_all("idle", [Subject::new()?, Subject::new()?])?;
    /// // One event for both.
    /// let own = process::current().unwrap();
    /// assert_eq!(monitor.events().receive_forever().await?.pids(), [own, own]);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
