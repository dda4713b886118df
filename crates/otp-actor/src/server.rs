//! The loop of an actor.

use erlang_process::{ExitMessage, ExitReason, Pid, Selector, Subject};
use otp_system::{After, Mode, System, SystemMessage};

use crate::{builder::Initialised, handler::Handler, next::Next};

/// Everything that an actor takes out of its mailbox.
enum Event<M> {
    Message(M),
    System(SystemMessage),
    /// The end of the parent, where the actor traps exits: it ends with it.
    ParentExit(ExitReason),
    /// What nothing was selected for. It is dropped: left where it is it would only be in the way.
    Unexpected(String),
}

/// How an actor tells its state to those who ask for its status.
pub(crate) type Describe<S> = Box<dyn Fn(&S) -> String + Send>;

/// Handles messages until the actor ends; the reason is returned.
pub(crate) async fn run<S, M, D, H>(
    subject: Subject<M>,
    parent: Option<Pid>,
    initialised: Initialised<S, M, D>,
    mut handler: H,
    describe: Option<Describe<S>>,
) -> ExitReason
where
    S: Send + 'static,
    M: Send + 'static,
    H: Handler<S, M>,
{
    let Initialised { mut state, selector, .. } = initialised;
    let messages = selector.unwrap_or_else(|| Selector::new().select(&subject, |message| message));
    let mut running = running(messages, parent);
    let mut suspended = essential(parent);
    let mut system = System::new("actor", parent);
    loop {
        let selector = match system.mode() {
            Mode::Running => &mut running,
            Mode::Suspended => &mut suspended,
        };
        let event = match selector.receive_forever().await {
            Ok(event) => event,
            Err(error) => return ExitReason::error(error),
        };
        match event {
            Event::Message(message) => match handler.handle(&mut state, message).await {
                (Next::Continue, None) => {}
                (Next::Continue, Some(messages)) => running = self::running(messages, parent),
                (Next::Stop(reason), _) => return reason,
            },
            Event::System(message) => {
                let describe = |state: &S| describe.as_ref().map(|describe| describe(state));
                match system.handle(message, &mut state, describe) {
                    After::Continue => {}
                    After::Terminate(reason) => return reason,
                }
            }
            Event::ParentExit(reason) => return reason,
            Event::Unexpected(message) => {
                tracing::warn!(target: "otp_actor", pid = %pid(), message, "actor dropped an unexpected message");
            }
        }
    }
}

fn pid() -> Pid {
    erlang_process::current().unwrap_or(Pid::OUTSIDE)
}

/// What an actor takes in every mode.
fn essential<M: 'static>(parent: Option<Pid>) -> Selector<Event<M>> {
    let essential = Selector::new().select_raw(Event::System);
    match parent {
        Some(parent) => {
            essential.select_trapped_exit_of(parent, |exit: ExitMessage| Event::ParentExit(exit.reason))
        }
        None => essential,
    }
}

/// What an actor takes while it runs.
fn running<M: Send + 'static>(messages: Selector<M>, parent: Option<Pid>) -> Selector<Event<M>> {
    Selector::new()
        .select_other(|message| Event::Unexpected(message.to_string()))
        .merge(messages.map(Event::Message))
        .merge(essential(parent))
}
