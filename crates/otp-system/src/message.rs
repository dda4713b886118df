//! The system messages.

use std::{
    any::{Any, type_name},
    borrow::Cow,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use erlang_process::{ExitReason, Pid, Reply, SharedError};

use crate::{
    debug::{Installed, Statistics},
    event::LoggedEvent,
};

/// What can be asked of any process that speaks this protocol, by its pid.
///
/// Sent by the functions of this crate, received with
/// [`Selector::select_raw`](erlang_process::Selector::select_raw), and answered by
/// [`System::handle`](crate::System::handle).
///
/// ```
/// use erlang_process::Reply;
/// use otp_system::{Mode, System, SystemMessage};
///
/// // What `suspend` sends, and what comes of it.
/// let mut system = System::new("adder", None);
/// drop(system.handle(SystemMessage::Suspend(Reply::new(|()| ())), &mut 0, |_| None));
/// assert_eq!(system.mode(), Mode::Suspended);
/// ```
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
    /// Let a visitor change your state from what it was before a change of the program to what it is after it. Only
    /// while suspended.
    ChangeCode(Visit),
    /// Do this with your events.
    Debug(DebugRequest),
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
            Self::ChangeCode(_) => "ChangeCode",
            Self::Debug(_) => "Debug",
            Self::Terminate(..) => "Terminate",
        })
    }
}

/// A visit to the state of a process, by a function that is run inside it.
///
/// The state needs no `Clone` and no `Debug`: what the visitor wants to know of it, it takes along.
///
/// ```
/// use erlang_process::{self as process, Selector, Subject};
/// use otp_system::SystemMessage;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// // Shows its state, and does nothing else of the protocol.
/// let counter = process::spawn_subject(|_: Subject<()>| async move {
///     let mut messages = Selector::new().select_raw(|message: SystemMessage| message);
///     while let Ok(message) = messages.receive_forever().await {
///         if let SystemMessage::State(visit) = message {
///             visit.run(&mut 42);
///         }
///     }
/// });
/// let count = otp_system::get_state(counter.pid().unwrap(), Duration::from_secs(1), |count: &i32| *count).await;
/// assert_eq!(count, Ok(42));
/// # }
/// ```
pub struct Visit(VisitState);

/// Gets the state, or none if it must not be visited now, and the name of its type for those who expect another.
type VisitState = Box<dyn FnOnce(Option<&mut dyn Any>, &'static str) + Send>;

impl Visit {
    /// A visit to a state of type `S`.
    pub(crate) fn new<S: 'static, R: Send + 'static>(
        visit: impl FnOnce(&mut S) -> Result<R, VisitError> + Send + 'static,
        reply: Reply<Result<R, VisitError>>,
    ) -> Self {
        Self(Box::new(move |state, found| {
            let outcome = match state.map(|state| state.downcast_mut::<S>()) {
                None => Err(VisitError::NotSuspended),
                Some(None) => Err(VisitError::WrongState { expected: type_name::<S>(), found }),
                Some(Some(state)) => catch_unwind(AssertUnwindSafe(|| visit(state)))
                    .unwrap_or_else(|payload| Err(VisitError::Panicked(text(&*payload)))),
            };
            reply.send(outcome);
        }))
    }

    /// Shows the state.
    ///
    /// ```
    /// use erlang_process::{self as process, Selector, Subject};
    /// use otp_system::SystemMessage;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let counter = process::spawn_subject(|_: Subject<()>| async move {
    ///     let mut count = 41;
    ///     let mut messages = Selector::new().select_raw(|message: SystemMessage| message);
    ///     while let Ok(message) = messages.receive_forever().await {
    ///         if let SystemMessage::State(visit) = message {
    ///             // Who visits may change it.
    ///             visit.run(&mut count);
    ///         }
    ///     }
    /// });
    /// let (counter, second) = (counter.pid().unwrap(), Duration::from_secs(1));
    /// assert_eq!(otp_system::replace_state(counter, second, |count: &i32| count + 1).await, Ok(()));
    /// assert_eq!(otp_system::get_state(counter, second, |count: &i32| *count).await, Ok(42));
    /// # }
    /// ```
    pub fn run<S: 'static>(self, state: &mut S) {
        (self.0)(Some(state), type_name::<S>());
    }

    /// Tells the visitor that this can be done in a suspended process only.
    ///
    /// ```
    /// use erlang_process::{self as process, Selector, Subject};
    /// use otp_system::{SystemError, SystemMessage};
    /// use std::{io, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let counter = process::spawn_subject(|_: Subject<()>| async move {
    ///     let mut messages = Selector::new().select_raw(|message: SystemMessage| message);
    ///     while let Ok(message) = messages.receive_forever().await {
    ///         if let SystemMessage::ChangeCode(visit) = message {
    ///             // Not while it runs.
    ///             visit.refuse();
    ///         }
    ///     }
    /// });
    /// let keep = |count: &i32| Ok::<_, io::Error>(*count);
    /// let changed = otp_system::change_code(counter.pid().unwrap(), Duration::from_secs(1), keep).await;
    /// assert_eq!(changed, Err(SystemError::NotSuspended));
    /// # }
    /// ```
    pub fn refuse(self) {
        (self.0)(None, "");
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
pub(crate) enum VisitError {
    WrongState {
        expected: &'static str,
        found: &'static str,
    },
    Panicked(String),
    NotSuspended,
    /// The visitor itself has failed.
    Failed(SharedError),
}

/// What is to be done with the events of a process.
///
/// Counterpart: `{debug, Command}`.
#[derive(Debug)]
pub struct DebugRequest(pub(crate) Command);

pub(crate) enum Command {
    Trace(bool, Reply<()>),
    Log(Option<usize>, Reply<()>),
    Logged(Reply<Vec<LoggedEvent>>),
    LogToFile(Option<PathBuf>, Reply<Result<(), SharedError>>),
    Statistics(bool, Reply<()>),
    Counted(Reply<Option<Statistics>>),
    Install(Installed, Reply<Result<(), &'static str>>),
    Remove(Cow<'static, str>, Reply<()>),
    NoDebug(Reply<()>),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trace(..) => "Trace",
            Self::Log(..) => "Log",
            Self::Logged(_) => "Logged",
            Self::LogToFile(..) => "LogToFile",
            Self::Statistics(..) => "Statistics",
            Self::Counted(_) => "Counted",
            Self::Install(..) => "Install",
            Self::Remove(..) => "Remove",
            Self::NoDebug(_) => "NoDebug",
        })
    }
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
    /// Whether anything is done with its events.
    pub debugged: bool,
    /// The events that it keeps, the oldest first, see [`log`](crate::log).
    pub log: Vec<LoggedEvent>,
}
