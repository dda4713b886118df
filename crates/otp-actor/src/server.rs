//! The loop of an actor.

use std::{any::type_name, future::poll_fn, pin::pin, time::Duration};

use erlang_process::{
    ExitMessage, ExitReason, Pid, ReceiveError, Selector, Subject, Unexpected, catch, replies_sent,
};
use otp_system::{After, DebugOptions, Event, EventKind, Mode, System, SystemMessage};
use tokio::time::Instant;

use crate::{
    callbacks::Callbacks,
    handler::Handler,
    init::Ready,
    next::{Action, Next, Rare, Step},
    report,
};

/// Everything that an actor takes out of its mailbox.
enum Taken<M> {
    Message(M),
    System(SystemMessage),
    /// The end of the parent, where the actor traps exits: it ends with it.
    ParentExit(ExitReason),
    /// What nothing was selected for. It is dropped: left where it is it would only be in the way.
    Unexpected(String),
}

/// For how long an actor waits for its next message, and what it handles if none comes.
enum Waiting<M> {
    Forever,
    Idle(Duration, M),
    Until(Instant, M),
    /// Not at all.
    Continue(M),
}

/// What an actor is made of, beside its state and its handler.
pub(crate) struct Setup<S, M> {
    pub(crate) parent: Option<Pid>,
    pub(crate) callbacks: Option<Box<Callbacks<S, M>>>,
    pub(crate) debug: DebugOptions,
}

/// Handles messages until the actor ends; the reason is returned.
pub(crate) async fn run<S, M, H>(
    subject: Subject<M>,
    ready: Ready<S, M>,
    mut handler: H,
    setup: Setup<S, M>,
) -> ExitReason
where
    S: Send + 'static,
    M: Send + 'static,
    H: Handler<S, M>,
{
    let Ready { mut state, selector, action } = ready;
    let Setup { parent, callbacks, debug } = setup;
    let mut mail = Mail { subject, parent, selector: selector.map(|selector| running(selector, parent)) };
    let mut system = System::new("actor", parent).debugging(debug);
    let mut waiting = action.into_waiting();
    let end = loop {
        let (message, kind) = match mail.take(system.mode(), &mut waiting).await {
            Ok((Taken::Message(message), kind)) => (message, kind),
            Ok((Taken::System(message), _)) => {
                let describe = |state: &S| callbacks.as_ref().and_then(|callbacks| callbacks.state(state));
                match system.handle(message, &mut state, describe) {
                    After::Continue => continue,
                    After::Terminate(reason) => break End { reason, message: None, reply: None },
                }
            }
            Ok((Taken::ParentExit(reason), _)) => break End { reason, message: None, reply: None },
            Ok((Taken::Unexpected(message), _)) => {
                waiting = Waiting::Forever;
                report::unexpected(&message);
                continue;
            }
            Err(error) => break End { reason: ExitReason::error(error), message: None, reply: None },
        };

        let mut replies = None;
        if system.is_debugged() {
            replies = Some(0);
            let text = callbacks.as_ref().and_then(|callbacks| callbacks.message(&message));
            system.event(&Event::of(kind, &message, text.as_deref()), &state);
        }
        let handled = catch(counting(&mut replies, handler.handle(&mut state, message))).await;
        if let Some(replies) = replies {
            tell_of_replies(&mut system, &state, replies);
        }
        match handled {
            Ok(Step { next: Next::Continue, action, rare }) => {
                waiting = action.into_waiting();
                if let Some(rare) = rare {
                    let Rare { selector, reply } = *rare;
                    if let Some(messages) = selector {
                        mail.selector = Some(running(messages, parent));
                    }
                    if let Some(reply) = reply {
                        reply();
                    }
                }
            }
            Ok(Step { next: Next::Stop(reason), rare, .. }) => {
                let reply = rare.and_then(|rare| rare.reply);
                break End { reason, message: Some(type_name::<M>()), reply };
            }
            Err(reason) => break End { reason, message: Some(type_name::<M>()), reply: None },
        }
    };
    terminate(end, &mut state, callbacks, system).await
}

/// How an actor comes to its end.
struct End {
    reason: ExitReason,
    /// The type of the message that it was about.
    message: Option<&'static str>,
    /// What its caller gets when it has terminated.
    reply: Option<Box<dyn FnOnce() + Send>>,
}

/// Lets the author clean up, tells of an end that is a failure, and returns the reason that counts.
async fn terminate<S: 'static, M>(
    end: End,
    state: &mut S,
    callbacks: Option<Box<Callbacks<S, M>>>,
    system: System,
) -> ExitReason {
    let End { mut reason, message, reply } = end;
    let callbacks = callbacks.map(|callbacks| *callbacks).unwrap_or_default();
    if let Some(terminate) = &callbacks.terminate {
        // Called inside the future: it may panic before it has made one.
        let terminated = catch(async { terminate(state, &reason).await }).await;
        if let Err(failed) = terminated {
            reason = failed;
        }
    }
    if let Some(reply) = reply {
        reply();
    }
    report::crash(&reason, message, || callbacks.state(state), || system.logged());
    reason
}

/// Where an actor's messages come from.
struct Mail<M> {
    subject: Subject<M>,
    parent: Option<Pid>,
    /// In place of the subject, where the author has one.
    selector: Option<Box<Selector<Taken<M>>>>,
}

impl<M: Send + 'static> Mail<M> {
    /// Waits for what the actor handles next, and says what kind of event that is.
    async fn take(
        &mut self,
        mode: Mode,
        waiting: &mut Waiting<M>,
    ) -> Result<(Taken<M>, EventKind), ReceiveError> {
        let parent = self.parent;
        if mode == Mode::Suspended {
            let mut essential = Box::new(essential(parent));
            return Ok((essential.receive_forever().await?, EventKind::In));
        }
        let timeout = match waiting {
            Waiting::Forever => Duration::MAX,
            Waiting::Idle(after, _) => *after,
            Waiting::Until(at, _) => at.saturating_duration_since(Instant::now()),
            Waiting::Continue(_) => return waiting.over(),
        };
        let received = match &mut self.selector {
            None => {
                self.subject.receive_any(timeout, Taken::Message, |other| Taken::other(other, parent)).await
            }
            Some(selector) => selector.receive(timeout).await,
        };
        match received {
            Ok(taken) => Ok((taken, EventKind::In)),
            Err(ReceiveError::Timeout) => waiting.over(),
            Err(error) => Err(error),
        }
    }
}

impl<M> Waiting<M> {
    /// Nothing has come in time.
    #[cold]
    fn over(&mut self) -> Result<(Taken<M>, EventKind), ReceiveError> {
        match std::mem::replace(self, Self::Forever) {
            Self::Continue(message) => Ok((Taken::Message(message), EventKind::Continue)),
            Self::Idle(_, message) | Self::Until(_, message) => Ok((Taken::Message(message), EventKind::In)),
            Self::Forever => Err(ReceiveError::Timeout),
        }
    }
}

impl<M> Taken<M> {
    /// What was not sent to the actor's own subject.
    #[cold]
    fn other(mut message: Unexpected<'_>, parent: Option<Pid>) -> Self {
        if let Some(system) = message.take_raw() {
            return Self::System(system);
        }
        match message.take_exit() {
            Some(exit) if Some(exit.pid) == parent => Self::ParentExit(exit.reason),
            _ => Self::Unexpected(message.to_string()),
        }
    }
}

impl<M> Action<M> {
    #[inline]
    fn into_waiting(self) -> Waiting<M> {
        match self {
            Self::None => Waiting::Forever,
            Self::Continue(message) => Waiting::Continue(message),
            Self::Idle(Duration::MAX, _) | Self::Timeout(Duration::MAX, _) => Waiting::Forever,
            Self::Idle(after, message) => Waiting::Idle(after, message),
            Self::Timeout(after, message) => match Instant::now().checked_add(after) {
                Some(at) => Waiting::Until(at, message),
                None => Waiting::Forever,
            },
        }
    }
}

/// Counts the replies that are sent while the future is polled, if there is a count.
async fn counting<F: Future>(count: &mut Option<u64>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| match count {
        None => future.as_mut().poll(cx),
        Some(count) => {
            let before = replies_sent();
            let polled = future.as_mut().poll(cx);
            *count += replies_sent().wrapping_sub(before);
            polled
        }
    })
    .await
}

#[cold]
fn tell_of_replies<S: 'static>(system: &mut System, state: &S, replies: u64) {
    let kind = if replies == 0 { EventKind::NoReply } else { EventKind::Out };
    for _ in 0..replies.max(1) {
        system.event(&Event::new(kind, ""), state);
    }
}

/// What an actor takes in every mode, whatever else its author has selected.
fn essential<M: 'static>(parent: Option<Pid>) -> Selector<Taken<M>> {
    let essential = Selector::new().select_raw(Taken::System);
    match parent {
        Some(parent) => {
            essential.select_trapped_exit_of(parent, |exit: ExitMessage| Taken::ParentExit(exit.reason))
        }
        None => essential,
    }
}

/// What an actor with a selector of its own takes while it runs.
fn running<M: Send + 'static>(messages: Selector<M>, parent: Option<Pid>) -> Box<Selector<Taken<M>>> {
    let other = Selector::new().select_other(|message| Taken::Unexpected(message.to_string()));
    Box::new(other.merge(messages.map(Taken::Message)).merge(essential(parent)))
}
