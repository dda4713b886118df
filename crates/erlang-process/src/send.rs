//! Messages to whatever a signal can go to.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    bound::Turn,
    call::{CallError, Reply},
    cell::{Process, Unsent},
    deadline::Deadline,
    monitor::{Monitor, demonitor_flush, monitor},
    node::Node,
    process::current,
    reason::ExitReason,
    reference::Reference,
    signal::{Dest, Signal},
    slot::Slot,
    subject::{Sent, Subject, Target},
    sync::Arc,
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

/// Sends a request to whatever [`send`] can send to and waits for its reply, for as long as `timeout`: where there is no
/// [`Subject`] of its receiver, whose [`call`](Subject::call) is the usual way. [`Duration::MAX`] waits for ever.
///
/// On this node the request arrives as with [`send`]. To another node it goes as the body that it is, with its [`Reply`]:
/// the carrier there, or here, keeps the reply and answers it, or drops it when there will be none. The time that the way
/// to a node is [full](Node::ready) counts.
///
/// ```
/// use erlang_process::{self as process, Reply, Selector};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // All that is known of it is its pid.
/// let doubler = process::spawn(async {
///     let mut requests = Selector::new().select_raw(|request: (u32, Reply<u32>)| request);
///     while let Ok((number, reply)) = requests.receive_forever().await {
///         reply.send(number * 2);
///     }
/// });
/// // As with `send`, nothing but the type of the message tells who takes it.
/// let request = |reply: Reply<u32>| (21_u32, reply);
/// assert_eq!(process::call(doubler, Duration::from_secs(1), request).await, Ok(42));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`CallError`]. The end of the process is noticed at once, on another node by a monitor, and the loss of its node too, as
/// [`Down`](CallError::Down) with [`NoConnection`](ExitReason::NoConnection). Another node can be called by a process
/// only; this one by any async code. If the time is over the request is not taken back, but its reply will never
/// be seen.
///
/// # Cancel safety
///
/// Nothing is sent before the first poll. Dropping the future later does not take the request back; its reply is dropped.
///
/// Counterpart: `gen_server:call/3` with a pid, a name, or `{Name, Node}`.
pub async fn call<M: Send + 'static, R: Send + 'static>(
    to: impl Into<Dest>,
    timeout: Duration,
    request: impl FnOnce(Reply<R>) -> M,
) -> Result<R, CallError> {
    let (node, to) = (Node::current(), to.into());
    if !to.node().is_here() {
        return call_far(node, to, timeout, request).await;
    }
    let subject = match to {
        Dest::Pid(pid) => Subject::to_pid(pid),
        Dest::Name(name, _) => Some(Subject::named(node, name)),
        Dest::Alias(alias) => Some(Subject::to_target(Arc::new(Through { node, alias }))),
    };
    subject.ok_or(CallError::NoProc)?.call(timeout, request).await
}

/// The process of an alias.
struct Through {
    node: Node,
    alias: Reference,
}

impl<M: Send + 'static> Target<M> for Through {
    fn send_to(&self, process: &Process, message: M, _: Option<Turn>) -> Result<Sent, Unsent<M>> {
        // Whether the alias is active is for the process to say.
        let refused = process.deliver(current(), self.alias.into(), Signal::Message(Box::new(message)));
        match refused {
            Err(Signal::Message(body)) => {
                body.downcast().map_or(Ok(Sent::Arrived), |message| Err(Unsent::dead(*message)))
            }
            _ => Ok(Sent::Arrived),
        }
    }

    fn process(&self) -> Option<Process> {
        self.node.find(self.alias.owner()?)
    }

    fn fixed_process(&self) -> Option<Process> {
        <Self as Target<M>>::process(self)
    }

    fn counts(&self) -> bool {
        false
    }

    fn is_keyed(&self) -> bool {
        false
    }
}

async fn call_far<M: Send + 'static, R: Send + 'static>(
    node: Node,
    to: Dest,
    timeout: Duration,
    request: impl FnOnce(Reply<R>) -> M,
) -> Result<R, CallError> {
    let mut deadline = Deadline::after(timeout);
    let ready = poll_fn(|cx| match node.poll_ready(to.node(), cx) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => deadline.poll(cx).map(|()| false),
    });
    if !ready.await {
        return Err(CallError::Timeout);
    }
    let monitored = Monitored(monitor(to).map_err(|_| CallError::NotAProcess)?);
    let slot = Slot::open_far(node.clone());
    let request = request(Reply::to_slot(slot.clone()));
    node.signal(current(), to, Signal::Message(Box::new(request)));
    let mut down = pin!(monitored.0.down());
    let mut kept = false;
    let mut look = |cx: &mut Context<'_>| {
        let reply = slot.poll(cx, &mut kept);
        // Why it has ended says more than that its reply was dropped.
        match reply {
            Poll::Ready(Ok(reply)) => Poll::Ready(Ok(reply)),
            _ => match down.as_mut().poll(cx) {
                Poll::Ready(Ok(down)) if down.reason == ExitReason::NoProc => {
                    Poll::Ready(Err(CallError::NoProc))
                }
                Poll::Ready(Ok(down)) => Poll::Ready(Err(CallError::Down(down.reason))),
                Poll::Ready(Err(_)) | Poll::Pending => reply,
            },
        }
    };
    poll_fn(|cx| match look(cx) {
        Poll::Pending => deadline.poll(cx).map(|()| Err(CallError::Timeout)),
        outcome => outcome,
    })
    .await
}

/// Ends a monitor, and takes its message if it has come.
struct Monitored(Monitor);

impl Drop for Monitored {
    fn drop(&mut self) {
        demonitor_flush(self.0);
    }
}
