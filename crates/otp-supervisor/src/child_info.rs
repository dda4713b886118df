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
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let ledger = supervision::process(std::future::pending::<()>).id("ledger");
    /// let tree = supervisor::new(Strategy::OneForOne).add(ledger).start().await?.data;
    /// assert!(tree.which_child("ledger").await?.unwrap().pid().is_some());
    /// // It is known without a process, too.
    /// tree.terminate_child("ledger").await?;
    /// assert_eq!(tree.which_child("ledger").await?.unwrap().pid(), None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match self.presence {
            Presence::Running(pid) => Some(pid),
            Presence::Undefined | Presence::Restarting { .. } | Presence::Unresponsive(_) => None,
        }
    }
}
