//! The loop of an actor.

use std::{any::type_name, future::poll_fn, mem, pin::pin, task::Poll, time::Duration};

use erlang_process::{
    ExitMessage, ExitReason, Pid, ReceiveError, Selector, Subject, Unexpected, catch, replies_sent, rescue,
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
    Aside(Aside),
}

/// What its handler does not see.
enum Aside {
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

/// An actor, but for its state.
///
/// Its future borrows it, and everything that is not needed while a message is awaited or handled is apart: a future has
/// room for all that it holds across an await, and for what it was given besides.
pub(crate) struct Server<S, M, H> {
    handler: H,
    callbacks: Option<Box<Callbacks<S, M>>>,
    system: System,
    subject: Subject<M>,
    /// In place of the subject, where the author has one.
    selector: Option<Box<Selector<Taken<M>>>>,
    waiting: Waiting<M>,
}

impl<S, M, H> Server<S, M, H>
where
    S: Send + 'static,
    M: Send + 'static,
    H: Handler<S, M>,
{
    pub(crate) fn new(
        subject: Subject<M>,
        parent: Option<Pid>,
        handler: H,
        callbacks: Option<Box<Callbacks<S, M>>>,
    ) -> Self {
        let system = System::new("actor", parent);
        Self { handler, callbacks, system, subject, selector: None, waiting: Waiting::Forever }
    }

    /// Takes in what the initialiser has made, and only now begins to be debugged. Returns the state.
    pub(crate) fn begin(&mut self, ready: Ready<S, M>, debug: Option<Box<DebugOptions>>) -> S {
        if let Some(debug) = debug {
            self.system = System::new("actor", self.system.parent()).debugging(*debug);
        }
        let Ready { state, selector, action } = ready;
        self.selector = selector.map(|messages| running(messages, self.system.parent()));
        self.waiting = action.into_waiting();
        state
    }

    /// Handles messages until the actor ends; the reason is returned.
    pub(crate) async fn run(&mut self, state: &mut S) -> ExitReason {
        let end = loop {
            let (message, kind) = match self.take().await {
                Ok((Taken::Message(message), kind)) => (message, kind),
                Ok((Taken::Aside(aside), _)) => match self.aside(aside, state) {
                    Some(end) => break end,
                    None => continue,
                },
                Err(error) => break End::of(ExitReason::error(error)),
            };
            let (message, debugged) = self.told(message, kind, state);
            let (handled, replies) = {
                let mut handling = pin!(self.handler.handle(state, message));
                let mut replies = 0;
                let handled = poll_fn(|cx| {
                    let before = replies_sent();
                    let polled = rescue(|| handling.as_mut().poll(cx));
                    replies += replies_sent().wrapping_sub(before);
                    match polled {
                        Ok(step) => step.map(Ok),
                        Err(reason) => Poll::Ready(Err(reason)),
                    }
                })
                .await;
                (handled, replies)
            };
            if debugged {
                tell_of_replies(&mut self.system, state, replies);
            }
            if let Some(end) = self.done(handled) {
                break end;
            }
        };
        Box::pin(self.terminate(end, state)).await
    }

    /// Waits for what the actor handles next, and says what kind of event that is.
    async fn take(&mut self) -> Result<(Taken<M>, EventKind), ReceiveError> {
        let Self { system, subject, selector, waiting, .. } = self;
        if system.mode() == Mode::Suspended {
            let mut essential = Box::new(essential(system.parent()));
            return Ok((essential.receive_forever().await?, EventKind::In));
        }
        let timeout = match waiting {
            Waiting::Forever => Duration::MAX,
            Waiting::Idle(after, _) => *after,
            Waiting::Until(at, _) => at.saturating_duration_since(Instant::now()),
            Waiting::Continue(_) => return waiting.over(),
        };
        let received = match selector {
            None => {
                let parent = system.parent();
                subject.receive_any(timeout, Taken::Message, move |other| Taken::other(other, parent)).await
            }
            Some(selector) => selector.receive(timeout).await,
        };
        match received {
            Ok(taken) => Ok((taken, EventKind::In)),
            Err(ReceiveError::Timeout) => waiting.over(),
            Err(error) => Err(error),
        }
    }

    /// Sees to what is no message; `Some` if the actor has come to its end.
    fn aside(&mut self, aside: Aside, state: &mut S) -> Option<End> {
        match aside {
            Aside::System(message) => {
                let callbacks = self.callbacks.as_ref();
                let describe = |state: &S| callbacks.and_then(|callbacks| callbacks.state(state));
                match self.system.handle(message, state, describe) {
                    After::Continue => None,
                    After::Terminate(reason) => Some(End::of(reason)),
                }
            }
            Aside::ParentExit(reason) => Some(End::of(reason)),
            Aside::Unexpected(message) => {
                self.waiting = Waiting::Forever;
                report::unexpected(&message);
                None
            }
        }
    }

    /// Tells of a message to whoever debugs the actor; whether anybody does.
    #[inline]
    fn told(&mut self, message: M, kind: EventKind, state: &S) -> (M, bool) {
        let debugged = self.system.is_debugged();
        if debugged {
            let text = self.callbacks.as_ref().and_then(|callbacks| callbacks.message(&message));
            self.system.event(&Event::of(kind, &message, text.as_deref()), state);
        }
        (message, debugged)
    }

    /// Does what the handler has said; `Some` if the actor has come to its end.
    #[inline]
    fn done(&mut self, handled: Result<Step<M>, ExitReason>) -> Option<End> {
        let message = Some(type_name::<M>());
        match handled {
            Ok(Step { next: Next::Continue, action, rare }) => {
                self.waiting = action.into_waiting();
                if let Some(rare) = rare {
                    self.done_besides(*rare);
                }
                None
            }
            Ok(Step { next: Next::Stop(reason), rare, .. }) => {
                Some(End { reason, message, reply: rare.and_then(|rare| rare.reply) })
            }
            Err(reason) => Some(End { reason, message, reply: None }),
        }
    }

    #[cold]
    fn done_besides(&mut self, rare: Rare<M>) {
        if let Some(messages) = rare.selector {
            self.selector = Some(running(messages, self.system.parent()));
        }
        if let Some(reply) = rare.reply {
            reply();
        }
    }

    /// Lets the author clean up, tells of an end that is a failure, and returns the reason that counts.
    async fn terminate(&mut self, end: End, state: &mut S) -> ExitReason {
        let End { mut reason, message, reply } = end;
        let callbacks = self.callbacks.take().map(|callbacks| *callbacks).unwrap_or_default();
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
        report::crash(&reason, message, || callbacks.state(state), || self.system.logged());
        reason
    }
}

/// How an actor comes to its end.
struct End {
    reason: ExitReason,
    /// The type of the message that it was about.
    message: Option<&'static str>,
    /// What its caller gets when it has terminated.
    reply: Option<Box<dyn FnOnce() + Send>>,
}

impl End {
    /// Not by a message.
    fn of(reason: ExitReason) -> Self {
        Self { reason, message: None, reply: None }
    }
}

impl<M> Waiting<M> {
    /// Nothing has come in time.
    #[cold]
    fn over(&mut self) -> Result<(Taken<M>, EventKind), ReceiveError> {
        match mem::replace(self, Self::Forever) {
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
            return Self::Aside(Aside::System(system));
        }
        Self::Aside(match message.take_exit() {
            Some(exit) if Some(exit.pid) == parent => Aside::ParentExit(exit.reason),
            _ => Aside::Unexpected(message.to_string()),
        })
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

#[cold]
fn tell_of_replies<S: 'static>(system: &mut System, state: &S, replies: u64) {
    let kind = if replies == 0 { EventKind::NoReply } else { EventKind::Out };
    for _ in 0..replies.max(1) {
        system.event(&Event::new(kind, ""), state);
    }
}

/// What an actor takes in every mode, whatever else its author has selected.
fn essential<M: 'static>(parent: Option<Pid>) -> Selector<Taken<M>> {
    let essential = Selector::new().select_raw(|message| Taken::Aside(Aside::System(message)));
    match parent {
        Some(parent) => essential
            .select_trapped_exit_of(parent, |exit: ExitMessage| Taken::Aside(Aside::ParentExit(exit.reason))),
        None => essential,
    }
}

/// What an actor with a selector of its own takes while it runs.
fn running<M: Send + 'static>(messages: Selector<M>, parent: Option<Pid>) -> Box<Selector<Taken<M>>> {
    let other = Selector::new().select_other(|message| Taken::Aside(Aside::Unexpected(message.to_string())));
    Box::new(other.merge(messages.map(Taken::Message)).merge(essential(parent)))
}
