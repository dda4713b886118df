//! The loop of an actor.

use std::{any::type_name, future::poll_fn, mem, pin::pin, task::Poll, time::Duration};

use erlang_process::{
    ExitMessage, ExitReason, Pid, ReceiveError, Selector, Subject, Unexpected, catch, count_replies, rescue,
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
/// Everything that is not needed while a message is awaited or handled is apart: a future has room for all that it holds
/// across an await, and there may be very many of them.
pub(crate) struct Server<S, M, H> {
    handler: H,
    callbacks: Option<Box<Callbacks<S, M>>>,
    subject: Subject<M>,
    parent: Option<Pid>,
    /// Made when it is first needed, and kept as long as it may be.
    apart: Option<Box<Apart<M>>>,
}

/// What an actor that has just begun does without: it runs, is not debugged, and waits for whatever comes to its own
/// subject, however long that takes.
struct Apart<M> {
    system: System,
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
        Self { handler, callbacks, subject, parent, apart: None }
    }

    /// Begins with what the initialiser has made, only now to be debugged, and handles messages until the actor ends; the
    /// reason is returned.
    ///
    /// Not an `async fn`: one has room for its arguments *and* for the variables that they are moved to.
    pub(crate) fn run(
        mut self,
        ready: Ready<S, M>,
        debug: Option<Box<DebugOptions>>,
    ) -> impl Future<Output = ExitReason> + Send {
        let mut state = self.begin(ready, debug);
        async move {
            let end = loop {
                let (message, kind) = match self.take().await {
                    Ok((Taken::Message(message), kind)) => (message, kind),
                    Ok((Taken::Aside(aside), _)) => match self.aside(aside, &mut state) {
                        Some(end) => break end,
                        None => continue,
                    },
                    Err(error) => break End::of(ExitReason::error(error)),
                };
                let (message, debugged) = self.told(message, kind, &state);
                let (handled, replies) = {
                    let mut handling = pin!(self.handler.handle(&mut state, message));
                    let mut replies = 0;
                    let handled = poll_fn(|cx| {
                        let (polled, sent) = count_replies(|| rescue(|| handling.as_mut().poll(cx)));
                        replies += sent;
                        match polled {
                            Ok(step) => step.map(Ok),
                            Err(reason) => Poll::Ready(Err(reason)),
                        }
                    })
                    .await;
                    (handled, replies)
                };
                let end = match debugged {
                    false => self.done(handled),
                    true => self.done_and_told(handled, replies, &state),
                };
                if let Some(end) = end {
                    break end;
                }
            };
            Box::pin(self.terminate(end, &mut state)).await
        }
    }

    fn begin(&mut self, ready: Ready<S, M>, debug: Option<Box<DebugOptions>>) -> S {
        if let Some(debug) = debug {
            let apart = Apart::new(self.parent);
            self.apart = Some(Box::new(Apart { system: apart.system.debugging(*debug), ..apart }));
        }
        let Ready { state, selector, action } = ready;
        if let Some(messages) = selector {
            self.apart_mut().selector = Some(running(messages, self.parent));
        }
        self.wait(action);
        state
    }

    fn apart_mut(&mut self) -> &mut Apart<M> {
        self.apart.get_or_insert_with(|| Box::new(Apart::new(self.parent)))
    }

    /// From now on waits as a handler has said.
    #[inline]
    fn wait(&mut self, action: Action<M>) {
        if self.apart.is_some() || !matches!(action, Action::None) {
            self.apart_mut().waiting = action.into_waiting();
        }
    }

    /// Waits for what the actor handles next, and says what kind of event that is.
    async fn take(&mut self) -> Result<(Taken<M>, EventKind), ReceiveError> {
        let mut timeout = Duration::MAX;
        if let Some(apart) = &mut self.apart {
            if apart.system.mode() == Mode::Suspended {
                let mut essential = Box::new(essential(self.parent));
                return Ok((essential.receive_forever().await?, EventKind::In));
            }
            timeout = match &apart.waiting {
                Waiting::Forever => Duration::MAX,
                Waiting::Idle(after, _) => *after,
                Waiting::Until(at, _) => at.saturating_duration_since(Instant::now()),
                Waiting::Continue(_) => return apart.waiting.over(),
            };
            if let Some(selector) = &mut apart.selector {
                let received = selector.receive(timeout).await;
                return self.received(received);
            }
        }
        let parent = self.parent;
        let other = move |message: Unexpected<'_>| Taken::other(message, parent);
        let received = self.subject.receive_any(timeout, Taken::Message, other).await;
        self.received(received)
    }

    #[inline]
    fn received(
        &mut self,
        received: Result<Taken<M>, ReceiveError>,
    ) -> Result<(Taken<M>, EventKind), ReceiveError> {
        match (received, &mut self.apart) {
            (Ok(taken), _) => Ok((taken, EventKind::In)),
            (Err(ReceiveError::Timeout), Some(apart)) => apart.waiting.over(),
            (Err(error), _) => Err(error),
        }
    }

    /// Sees to what is no message; `Some` if the actor has come to its end.
    fn aside(&mut self, aside: Aside, state: &mut S) -> Option<End> {
        match aside {
            Aside::System(message) => {
                let callbacks = self.callbacks.as_ref();
                let describe = |state: &S| callbacks.and_then(|callbacks| callbacks.state(state));
                let apart = self.apart.get_or_insert_with(|| Box::new(Apart::new(self.parent)));
                match apart.system.handle(message, state, describe) {
                    After::Continue => {
                        self.apart.take_if(|apart| apart.is_idle());
                        None
                    }
                    After::Terminate(reason) => Some(End::of(reason)),
                }
            }
            Aside::ParentExit(reason) => Some(End::of(reason)),
            Aside::Unexpected(message) => {
                self.wait(Action::None);
                report::unexpected(&message);
                None
            }
        }
    }

    /// Tells of a message to whoever debugs the actor; whether anybody does.
    #[inline]
    fn told(&mut self, message: M, kind: EventKind, state: &S) -> (M, bool) {
        let debugged = self.apart.as_mut().filter(|apart| apart.system.is_debugged());
        let Some(apart) = debugged else { return (message, false) };
        let text = self.callbacks.as_ref().and_then(|callbacks| callbacks.message(&message));
        apart.system.event(&Event::of(kind, &message, text.as_deref()), state);
        (message, true)
    }

    /// Does what the handler has said; `Some` if the actor has come to its end.
    #[inline]
    fn done(&mut self, handled: Result<Step<M>, ExitReason>) -> Option<End> {
        let message = Some(type_name::<M>());
        match handled {
            Ok(Step { next: Next::Continue, action, rare }) => {
                self.wait(action);
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

    /// As [`done`](Self::done), of an actor that is debugged: tells of the replies that its handler has sent, and of one that
    /// it has left to the actor.
    #[cold]
    fn done_and_told(
        &mut self,
        handled: Result<Step<M>, ExitReason>,
        replies: u64,
        state: &S,
    ) -> Option<End> {
        let (end, sent) = count_replies(|| self.done(handled));
        let replies = replies + sent;
        if replies == 0 && end.is_none() {
            self.apart_mut().system.event(&Event::new(EventKind::NoReply, ""), state);
        }
        self.tell_of_replies(replies, state);
        end
    }

    fn tell_of_replies(&mut self, replies: u64, state: &S) {
        let Some(apart) = &mut self.apart else { return };
        for _ in 0..replies {
            apart.system.event(&Event::new(EventKind::Out, ""), state);
        }
    }

    #[cold]
    fn done_besides(&mut self, rare: Rare<M>) {
        if let Some(messages) = rare.selector {
            self.apart_mut().selector = Some(running(messages, self.parent));
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
            let ((), replies) = count_replies(reply);
            self.tell_of_replies(replies, state);
        }
        report::crash(
            &reason,
            message,
            || callbacks.state(state),
            || self.apart.as_ref().map(|apart| apart.system.logged()).unwrap_or_default(),
        );
        reason
    }
}

impl<M> Apart<M> {
    fn new(parent: Option<Pid>) -> Self {
        Self { system: System::new("actor", parent), selector: None, waiting: Waiting::Forever }
    }

    /// Whether the actor is again as it began.
    fn is_idle(&self) -> bool {
        self.system.mode() == Mode::Running
            && !self.system.is_debugged()
            && self.selector.is_none()
            && matches!(self.waiting, Waiting::Forever)
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
