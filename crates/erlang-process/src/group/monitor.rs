//! Subscriptions to what happens to groups.

use std::{
    any::{Any, TypeId},
    fmt,
};

use super::event::GroupEvent;
use crate::{
    cell::Key,
    membership::Members,
    receive::{Pattern, ReceiveError},
    scope::Scope,
    selector::take,
    subject::Subject,
    sync::Arc,
};

/// A subscription to the events of a scope or a group, see [`Groups::monitor_scope`](super::Groups::monitor_scope) and [`Groups::monitor`](super::Groups::monitor).
///
/// Dropping it ends nothing; [`Groups::demonitor`](super::Groups::demonitor) does.
///
/// ```
/// use erlang_process::{self as process, Groups, Selector, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let groups = Groups::<u32, ()>::new();
/// let (monitor, _) = groups.monitor_scope()?;
/// groups.join(7, &Subject::new()?).unwrap();
///
/// let mut selector = Selector::new().select(monitor.events(), |event| *event.group() == 7);
/// assert_eq!(selector.receive_forever().await, Ok(true));
/// assert!(groups.demonitor(monitor));
/// # Ok::<_, process::NotAProcess>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: the reference that `pg:monitor/2` returns.
pub struct GroupMonitor<G> {
    /// What tells the subscription from others, and its events from other messages.
    pub(super) key: Key,
    pub(super) events: Subject<GroupEvent<G>>,
    /// There is something to be told as long as somebody wants to hear it.
    pub(super) scope: Arc<dyn Members>,
}

impl<G> GroupMonitor<G> {
    /// Where the subscriber receives its events, alone or with a [`Selector`](crate::Selector).
    ///
    /// ```
    /// use erlang_process::{GroupEvent, Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let rooms = Groups::<&str, ()>::new();
    /// let (monitor, _) = rooms.monitor("kitchen")?;
    /// rooms.join("kitchen", &Subject::new()?)?;
    /// let event = monitor.events().receive_forever().await?;
    /// assert!(matches!(event, GroupEvent::Joined { .. }));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn events(&self) -> &Subject<GroupEvent<G>> {
        &self.events
    }
}

impl<G> Clone for GroupMonitor<G> {
    fn clone(&self) -> Self {
        Self { key: self.key, events: self.events.clone(), scope: self.scope.clone() }
    }
}

impl<G> fmt::Debug for GroupMonitor<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupMonitor").field(&self.key).finish()
    }
}

/// The events of one subscription that are in the mailbox.
pub(super) struct EventsOf<'a, G>(pub(super) &'a GroupMonitor<G>);

impl<G: Send + Sync + 'static> Pattern for EventsOf<'_, G> {
    type Output = GroupEvent<G>;

    fn check(&self, _: &Scope) -> Result<(), ReceiveError> {
        Ok(())
    }

    fn wants(&self, key: Key, _: TypeId) -> bool {
        key == self.0.key
    }

    fn take(&mut self, _: Key, _: TypeId, message: &mut dyn Any) -> Option<GroupEvent<G>> {
        take(message)
    }
}
