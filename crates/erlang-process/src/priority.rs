//! Priority messages: those that lie before all others in a mailbox.

use std::any::Any;

use crate::{
    alias::{self, AliasMode},
    cell::Link,
    link::{self, LinkError},
    monitor::{self, Monitor},
    node::Node,
    process::{self, NotAProcess, current},
    reason::ExitReason,
    reference::Reference,
    signal::{Dest, Signal},
};

/// Makes an [alias](crate::alias()) of the calling process through which priority messages can be sent to it.
///
/// A priority message lies behind the priority messages that are already in the mailbox and before all others, those
/// included that a receive has passed over. For that the receiver has to make such an alias, and the sender to send
/// with [`send_with_priority`]: either alone is an ordinary message. The order in which signals arrive is as ever:
/// what the same sender sent before, such as an exit, has acted before.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{self as process, AliasMode, Selector, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let work = Subject::<u32>::new()?;
/// let urgent = process::priority_alias(AliasMode::ExplicitUnalias)?;
/// let mut selector = Selector::new().select(&work, |n| n).select_alias(urgent, |n: u32| n);
///
/// (1..=5).for_each(|n| work.send(n));
/// process::send_with_priority(urgent, 100_u32);
/// assert_eq!(selector.receive(Duration::ZERO).await, Ok(100));
/// assert_eq!(selector.receive(Duration::ZERO).await, Ok(1));
/// # Ok::<_, process::NotAProcess>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Cost
///
/// A process that has once asked for priority messages, in this way or by a link or a monitor, takes each of its
/// messages under its lock from then on. Others pay nothing.
///
/// # Errors
///
/// [`NotAProcess`] outside any process.
///
/// Counterpart: `erlang:alias/1` with `priority`, of OTP 28.
pub fn priority_alias(mode: AliasMode) -> Result<Reference, NotAProcess> {
    alias::make(mode, true)
}

/// Sends a message through an alias, as a priority message if the alias was made for those, see [`priority_alias`].
/// It is dropped if the alias is not active.
///
/// Received with [`Selector::select_alias`](crate::Selector::select_alias).
///
/// ```
/// use erlang_process::{self as process, AliasMode, Selector, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let orders = Subject::new()?;
/// let urgent = process::priority_alias(AliasMode::ExplicitUnalias)?;
/// let mut inbox = Selector::new().select(&orders, |order| order).select_alias(urgent, |order| order);
///
/// orders.send("two coffees");
/// process::send_with_priority(urgent, "fire");
/// assert_eq!(inbox.receive_forever().await?, "fire");
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `erlang:send/3` with `priority`.
pub fn send_with_priority<M: Any + Send>(alias: Reference, message: M) {
    Node::current().signal(current(), Dest::Alias(alias), Signal::PriorityMessage(Box::new(message)));
}

/// Sends an exit signal through an alias, see [`send_exit`](crate::send_exit). Where it becomes a message of a process
/// that traps exits, that is a priority message if the alias was made for those. Nothing happens if the alias is not
/// active; an alias for one message stays active, as this is none.
///
/// ```
/// use erlang_process::{self as process, AliasMode, ExitReason, Selector, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// process::trap_exits(true)?;
/// let orders = Subject::new()?;
/// let urgent = process::priority_alias(AliasMode::ExplicitUnalias)?;
/// let mut inbox = Selector::new().select(&orders, Ok).select_trapped_exits(|exit| Err(exit.reason));
///
/// // It is to stop before it works off what it has.
/// orders.send("two coffees");
/// process::send_exit_with_priority(urgent, ExitReason::Shutdown);
/// assert_eq!(inbox.receive_forever().await?, Err(ExitReason::Shutdown));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `exit/3` with `priority`.
pub fn send_exit_with_priority(alias: Reference, reason: ExitReason) {
    Node::current().signal(current(), Dest::Alias(alias), Signal::PriorityExit { reason });
    if let Some(owner) = alias.owner() {
        process::leave_if_ended(owner);
    }
}

/// Links the calling process with another, see [`link`](crate::link()); if the caller traps exits, the
/// [`ExitMessage`](crate::ExitMessage) of this link will be a priority message.
///
/// It changes nothing for the other process. If there is a link already, it is made one with priority, and by
/// [`link`](crate::link()) one without.
///
/// ```
/// use erlang_process::{self as process, ExitReason, Selector};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// process::trap_exits(true)?;
/// let child = process::spawn_unlinked(std::future::pending::<()>());
/// process::link_with_priority(child)?;
/// process::kill(child);
/// // Comes before whatever else waits.
/// let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await?;
/// assert_eq!(exit.reason, ExitReason::Killed);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// As [`link`](crate::link()).
///
/// Counterpart: `link/2` with `priority`.
pub fn link_with_priority(pid: crate::Pid) -> Result<(), LinkError> {
    link::make(pid, Link::Priority)
}

/// Monitors, see [`monitor`](crate::monitor()); the [`Down`](crate::Down) will be a priority message.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let worker = process::spawn_unlinked(async {});
/// let monitor = process::monitor_with_priority(worker)?;
/// assert_eq!(monitor.down().await?.reason, ExitReason::Normal);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process.
///
/// Counterpart: `monitor/3` with `priority`.
pub fn monitor_with_priority(target: impl Into<Dest>) -> Result<Monitor, NotAProcess> {
    monitor::set_up(target.into(), None, true)
}
