//! The loop of an actor.

use std::{any::type_name, future::poll_fn, pin::pin, time::Duration};

use erlang_process::{ExitMessage, ExitReason, Pid, ReceiveError, Selector, Subject, catch, replies_sent};
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
    let messages = selector.unwrap_or_else(|| Selector::new().select(&subject, |message| message));
    let mut running = running(messages, parent);
    let mut suspended = essential(parent);
    let mut system = System::new("actor", parent).debugging(debug);
    let mut waiting = action.into_waiting();
    let end = loop {
        let (message, kind) = match take(&mut running, &mut suspended, system.mode(), &mut waiting).await {
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
                        running = self::running(messages, parent);
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

/// Waits for what the actor handles next, and says what kind of event that is.
async fn take<M: Send + 'static>(
    running: &mut Selector<Taken<M>>,
    suspended: &mut Selector<Taken<M>>,
    mode: Mode,
    waiting: &mut Waiting<M>,
) -> Result<(Taken<M>, EventKind), ReceiveError> {
    let received = match (mode, &*waiting) {
        (Mode::Suspended, _) => suspended.receive_forever().await,
        (Mode::Running, Waiting::Forever) => running.receive_forever().await,
        (Mode::Running, Waiting::Continue(_)) => Err(ReceiveError::Timeout),
        (Mode::Running, Waiting::Idle(after, _)) => running.receive(*after).await,
        (Mode::Running, Waiting::Until(at, _)) => {
            running.receive(at.saturating_duration_since(Instant::now())).await
        }
    };
    match received {
        Ok(taken) => Ok((taken, EventKind::In)),
        Err(ReceiveError::Timeout) => match std::mem::replace(waiting, Waiting::Forever) {
            Waiting::Continue(message) => Ok((Taken::Message(message), EventKind::Continue)),
            Waiting::Idle(_, message) | Waiting::Until(_, message) => {
                Ok((Taken::Message(message), EventKind::In))
            }
            Waiting::Forever => Err(ReceiveError::Timeout),
        },
        Err(error) => Err(error),
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

/// What an actor takes in every mode.
fn essential<M: 'static>(parent: Option<Pid>) -> Selector<Taken<M>> {
    let essential = Selector::new().select_raw(Taken::System);
    match parent {
        Some(parent) => {
            essential.select_trapped_exit_of(parent, |exit: ExitMessage| Taken::ParentExit(exit.reason))
        }
        None => essential,
    }
}

/// What an actor takes while it runs.
fn running<M: Send + 'static>(messages: Selector<M>, parent: Option<Pid>) -> Selector<Taken<M>> {
    Selector::new()
        .select_other(|message| Taken::Unexpected(message.to_string()))
        .merge(messages.map(Taken::Message))
        .merge(essential(parent))
}
