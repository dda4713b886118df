//! The door to other nodes.

use std::{
    fmt,
    task::{Context, Poll},
};

use crate::{
    pid::{NodeId, Pid},
    signal::{Dest, Signal},
};

/// Takes signals to other nodes: the one thing that a distribution has to be.
///
/// A [`Node`](crate::Node) asks its carrier whenever a signal's destination is not
/// [here](NodeId::HERE), and nothing else knows of other nodes. A node without a carrier answers for all of
/// them: monitors hear `noconnection`, links exit with it, everything else is dropped.
///
/// A number stands for one [incarnation](crate::Node::node_id) of a node. A pid or an alias of an earlier one is nobody's in
/// a later one, which a carrier has to see to; a [name](Dest::Name) belongs to whoever holds it, and there only the name
/// of the node counts: it is to be taken to the incarnation that there is now.
///
/// What comes from afar goes in through [`Node::signal`](crate::Node::signal) and
/// [`Node::inject`](crate::Node::inject).
///
/// ```
/// use erlang_process::{Carrier, Dest, Node, NodeId, Pid, Signal, Undelivered};
/// use std::task::{Context, Poll};
/// use tokio::sync::mpsc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// /// A connection to one other node, for messages that are texts.
/// struct Wire {
///     peer: NodeId,
///     out: mpsc::UnboundedSender<String>,
/// }
///
/// impl Carrier for Wire {
///     fn deliver(&self, _from: Option<Pid>, to: Dest, signal: Signal) -> Result<(), Undelivered> {
///         match signal {
///             Signal::Message(body) if to.node() == self.peer => {
///                 if let Ok(text) = body.downcast::<String>() {
///                     drop(self.out.send(format!("{to}: {text}")));
///                 }
///                 Ok(())
///             }
///             signal => Err(Undelivered(signal)),
///         }
///     }
///
///     fn poll_ready(&self, _: NodeId, _: &mut Context<'_>) -> Poll<()> {
///         Poll::Ready(())
///     }
/// }
///
/// let node = Node::new();
/// let ship = node.node_id("ship@sea", 1)?;
/// let (out, mut wire) = mpsc::unbounded_channel();
/// assert!(node.set_carrier(Box::new(Wire { peer: ship, out })).is_ok());
///
/// let captain = Pid::from_parts(ship, 7, 0);
/// node.signal(None, captain, Signal::Message(Box::new("ahoy".to_owned())));
/// assert_eq!(wire.recv().await, Some("<1.7.0>: ahoy".to_owned()));
/// # Ok(())
/// # }
/// ```
///
/// # When a node is lost
///
/// A carrier keeps account of the relations that cross it, as its own side has them, and says in place of the lost
/// node what its loss means:
///
/// | to whom | what |
/// |---|---|
/// | who has a link to a process there | [`Exit`](Signal::Exit) through the link, with [`NoConnection`](crate::ExitReason::NoConnection) |
/// | who monitors something there | [`Down`](Signal::Down) with [`NoConnection`](crate::ExitReason::NoConnection) |
/// | who waits for the acknowledgement of an unlink | [`UnlinkAck`](Signal::UnlinkAck), or its next link with that process would be ignored |
/// | who waits until the way there [takes more](Self::poll_ready) | that it does: what they send is dropped |
/// | what is monitored from there | [`Demonitor`](Signal::Demonitor) from the watcher that is lost, to where the monitor was sent |
///
/// Then it tells [`Node::announce`](crate::Node::announce). What was on its way is lost. When the node is back, it
/// announces that first, and only then lets signals through.
pub trait Carrier: Send + Sync + 'static {
    /// Takes a signal on its way, in order for each pair of sender and receiver. Must not block.
    ///
    /// # Errors
    ///
    /// Gives the signal back when there is no way to the node; the sender then hears `noconnection`.
    fn deliver(&self, from: Option<Pid>, to: Dest, signal: Signal) -> Result<(), Undelivered>;

    /// Ready when the way to this node takes more, or there is none; until then an asynchronous sender should wait.
    fn poll_ready(&self, node: NodeId, cx: &mut Context<'_>) -> Poll<()>;
}

/// A signal that could not be taken to its node.
pub struct Undelivered(pub Signal);

impl fmt::Debug for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Undelivered").field(&self.0).finish()
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no way to the node")
    }
}

impl std::error::Error for Undelivered {}
