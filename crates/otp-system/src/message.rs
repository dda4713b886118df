//! The system messages, and how a process answers them.

use std::{
    any::{Any, type_name},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use erlang_process::{ExitReason, Pid, Reply, current};

/// What can be asked of any process that speaks this protocol, by its pid.
///
/// Sent by the functions of this crate, received with
/// [`Selector::select_raw`](erlang_process::Selector::select_raw), and answered by [`System::handle`].
///
/// Counterpart: `{system, From, Request}` in Erlang, `SystemMessage` in Gleam.
#[non_exhaustive]
pub enum SystemMessage {
    /// Stop taking messages other than these.
    Suspend(Reply<()>),
    /// Take messages again.
    Resume(Reply<()>),
    /// Tell how you are.
    GetStatus(Reply<StatusInfo>),
    /// Show your state to a visitor, or let it replace it.
    State(Visit),
    /// End in an orderly way, with this reason.
    Terminate(ExitReason, Reply<()>),
}

impl fmt::Debug for SystemMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspend(_) => "Suspend",
            Self::Resume(_) => "Resume",
            Self::GetStatus(_) => "GetStatus",
            Self::State(_) => "State",
            Self::Terminate(..) => "Terminate",
        })
    }
}

/// A visit to the state of a process, by a function that is run inside it.
///
/// The state needs no `Clone` and no `Debug`: what the visitor wants to know of it, it takes along.
pub struct Visit(VisitState);

/// Gets the state, and the name of its type for those who expect another.
type VisitState = Box<dyn FnOnce(&mut dyn Any, &'static str) + Send>;

impl Visit {
    /// A visit to a state of type `S`.
    pub(crate) fn new<S: 'static, R: Send + 'static>(
        visit: impl FnOnce(&mut S) -> R + Send + 'static,
        reply: Reply<Result<R, VisitError>>,
    ) -> Self {
        Self(Box::new(move |state, found| {
            let Some(state) = state.downcast_mut::<S>() else {
                reply.send(Err(VisitError::WrongState { expected: type_name::<S>(), found }));
                return;
            };
            match catch_unwind(AssertUnwindSafe(|| visit(state))) {
                Ok(result) => reply.send(Ok(result)),
                Err(payload) => reply.send(Err(VisitError::Panicked(text(&*payload)))),
            }
        }))
    }

    /// Shows the state.
    pub fn run<S: 'static>(self, state: &mut S) {
        (self.0)(state, type_name::<S>());
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visit")
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}

/// Why a visit to a state failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VisitError {
    WrongState { expected: &'static str, found: &'static str },
    Panicked(String),
}

/// Whether a process takes messages.
///
/// Counterpart: `running | suspended` in Erlang, `Mode` in Gleam.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It takes messages as they come.
    #[default]
    Running,
    /// It takes system messages only; all others wait in its mailbox.
    Suspended,
}

/// How a process is.
///
/// Counterpart: the result of `sys:get_status/1`, `StatusInfo` in Gleam.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusInfo {
    /// Who it is; [`Pid::OUTSIDE`] if whoever answered was not a process.
    pub pid: Pid,
    /// What runs in it: the behaviour, such as `actor` or `supervisor`.
    pub module: &'static str,
    /// Who started it, if that was a process.
    pub parent: Option<Pid>,
    /// Whether it takes messages.
    pub mode: Mode,
    /// The type of its state.
    pub state_type: &'static str,
    /// Its state as it describes it, if it does.
    pub state: Option<String>,
}

/// The part of a process that answers system messages.
///
/// A process of your own speaks the protocol by keeping one of these, selecting [`SystemMessage`]s beside its
/// own messages, and handing them over:
///
/// ```
/// use erlang_process::{self as process, Selector, Subject};
/// use otp_system::{After, Mode, System, SystemMessage};
///
/// enum Event { Add(i32), System(SystemMessage) }
///
/// async fn adder(numbers: Subject<i32>) -> Result<(), process::ExitReason> {
///     let mut sum = 0;
///     let mut system = System::new("adder", None);
///     let mut suspended = Selector::new().select_raw(Event::System);
///     let mut running = Selector::new().select_raw(Event::System).select(&numbers, Event::Add);
///     loop {
///         let selector = match system.mode() {
///             Mode::Running => &mut running,
///             Mode::Suspended => &mut suspended,
///         };
///         match selector.receive_forever().await.map_err(process::ExitReason::error)? {
///             Event::Add(number) => sum += number,
///             Event::System(message) => match system.handle(message, &mut sum, |sum| Some(sum.to_string())) {
///                 After::Continue => {}
///                 After::Terminate(reason) => return Err(reason),
///             },
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let second = std::time::Duration::from_secs(1);
/// let adder = process::spawn_subject(adder);
/// adder.send(20);
/// adder.send(22);
/// let sum = otp_system::get_state(adder.pid().unwrap(), second, |sum: &i32| *sum).await;
/// assert_eq!(sum, Ok(42));
/// # }
/// ```
///
/// Counterpart: `sys:handle_system_msg/6`.
#[derive(Debug)]
pub struct System {
    module: &'static str,
    parent: Option<Pid>,
    mode: Mode,
}

/// What a process does when a system message is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum After {
    /// Go on, in the [mode](System::mode) that is now set.
    Continue,
    /// End with this reason, as it ends otherwise.
    Terminate(ExitReason),
}

impl System {
    /// The system part of a running process in which `module` runs and that `parent` started.
    #[must_use]
    pub fn new(module: &'static str, parent: Option<Pid>) -> Self {
        Self { module, parent, mode: Mode::Running }
    }

    /// Whether the process should take messages.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Answers a system message. `describe` tells the state to whoever asks for the status.
    ///
    /// Suspending what is suspended and resuming what runs changes nothing; it is not counted.
    pub fn handle<S: 'static>(
        &mut self,
        message: SystemMessage,
        state: &mut S,
        describe: impl FnOnce(&S) -> Option<String>,
    ) -> After {
        match message {
            SystemMessage::Suspend(reply) => {
                self.mode = Mode::Suspended;
                reply.send(());
            }
            SystemMessage::Resume(reply) => {
                self.mode = Mode::Running;
                reply.send(());
            }
            SystemMessage::GetStatus(reply) => reply.send(StatusInfo {
                pid: current().unwrap_or(Pid::OUTSIDE),
                module: self.module,
                parent: self.parent,
                mode: self.mode,
                state_type: type_name::<S>(),
                // A description must never take the process down.
                state: catch_unwind(AssertUnwindSafe(|| describe(state)))
                    .unwrap_or_else(|_| Some("the description of the state panicked".to_owned())),
            }),
            SystemMessage::State(visit) => visit.run(state),
            SystemMessage::Terminate(reason, reply) => {
                // The answer goes first, as in OTP: who asked waits for the end by a monitor.
                reply.send(());
                return After::Terminate(reason);
            }
        }
        After::Continue
    }
}
