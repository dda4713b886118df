//! Messages to whatever a signal can go to.

use crate::{
    node::Node,
    process::current,
    signal::{Dest, Signal},
    subject::Subject,
};

/// Sends a message to an alias, to a name on any node, or to a pid of any node: where there is no [`Subject`] of
/// its receiver, which is the usual way. It never waits. Where it finds nobody the message is dropped.
///
/// | to | received with |
/// |---|---|
/// | an [alias](crate::alias()) of this node | [`Selector::select_alias`](crate::Selector::select_alias) |
/// | a name on this node | the name's subject, if its messages are of this type; otherwise nobody gets it |
/// | a pid of this node | [`Selector::select_raw`](crate::Selector::select_raw) |
/// | any of another node | whatever the [`Carrier`](crate::Carrier) there makes of it |
///
/// What goes to another node is put up there without bounds: a sender that would rather wait awaits
/// [`Node::ready`] first.
///
/// ```
/// use erlang_process::{self as process, AliasMode, Selector};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let alias = process::alias(AliasMode::Reply)?;
/// process::send(alias, 42_u32);
/// let mut answers = Selector::new().select_alias(alias, |answer: u32| answer);
/// assert_eq!(answers.receive_forever().await?, 42);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `erlang:send/2` and `!`.
pub fn send<M: Send + 'static>(to: impl Into<Dest>, message: M) {
    let node = Node::current();
    match to.into() {
        // Its messages have a type, and lie in the mailbox as it says.
        Dest::Name(name, at) if at.is_here() => Subject::named(node, name).send(message),
        to => node.signal(current(), to, Signal::Message(Box::new(message))),
    }
}
