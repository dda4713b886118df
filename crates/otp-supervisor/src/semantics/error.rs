//! What can be wrong with a setup, a command or an event.

use std::{error::Error, fmt};

use super::ChildKey;

/// Flags that make no sense.
///
/// Counterpart: `{supervisor_data, E}` in Erlang. The other cases that Erlang knows cannot be written down here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlagsError {
    /// The period is zero: `{invalid_period, 0}`.
    InvalidPeriod,
}

/// Child rules that make no sense.
///
/// Counterpart: `{start_spec, E}` at start, the bare `E` from `start_child`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RulesError<I> {
    /// The child is significant, but its supervisor does not shut down for anyone:
    /// `{bad_combination, [{auto_shutdown, never}, {significant, true}]}`.
    SignificantNever(I),
    /// The child is significant, but as a permanent one it never ends for good:
    /// `{bad_combination, [{restart, permanent}, {significant, true}]}`.
    SignificantPermanent(I),
    /// A child before it has the same id: `{duplicate_child_name, Id}`.
    Duplicate(I),
}

/// A supervisor that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupError<I> {
    /// Its flags are wrong. They are looked at first.
    Flags(FlagsError),
    /// A child is wrong: the first one that is.
    Rules(RulesError<I>),
}

/// Why a command was not carried out.
///
/// Counterpart: the `{error, E}` answers of Erlang's `supervisor` and Elixir's `DynamicSupervisor`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError<I, P, F> {
    /// A child with this id is running: `{already_started, Pid}`.
    AlreadyStarted(P),
    /// A child with this id is known, but has no process: `already_present`.
    AlreadyPresent,
    /// The child is running, and must not for this: `running`.
    Running,
    /// The child is about to be started again, and must not for this: `restarting`.
    Restarting,
    /// There is no such child: `not_found`.
    NotFound,
    /// There are as many children as there may be: Elixir's `max_children`.
    MaxChildren,
    /// The rules of a new child make no sense.
    InvalidRules(RulesError<I>),
    /// The child was killed and this process of it does not end; as long as it lives, the child is not started, stopped or
    /// forgotten. What the command was to stop has been killed: it ends at its next await.
    Unresponsive(P),
    /// The flags that the supervisor is to change to make no sense.
    InvalidFlags(FlagsError),
    /// The child's start failed. A new child is forgotten, a known one stays without a process.
    StartFailed(F),
}

/// An event that cannot be now; it comes back as it was, and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfTurn<E> {
    /// The event that was refused.
    pub event: E,
    /// What can be instead.
    pub awaiting: Awaiting,
}

/// What a machine can be fed with next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaiting {
    /// [`Boot`](super::Event::Boot), before anything else.
    Boot,
    /// The next message of the mailbox: an exit, a retry, a command, or the request to shut down.
    Message,
    /// How the start of this child came out.
    Start(ChildKey),
    /// How this child ended.
    Stop(ChildKey),
    /// How the children that are being stopped at once ended: so many are still missing.
    StopAll(usize),
    /// Nothing more: the supervisor has exited.
    Nothing,
}

impl fmt::Display for FlagsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidPeriod => f.write_str("the restart period is zero"),
        }
    }
}

impl<I: fmt::Debug> fmt::Display for RulesError<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignificantNever(id) => {
                write!(f, "child {id:?} is significant, but automatic shutdown is never")
            }
            Self::SignificantPermanent(id) => write!(f, "child {id:?} is significant, but permanent"),
            Self::Duplicate(id) => write!(f, "two children have the id {id:?}"),
        }
    }
}

impl<I: fmt::Debug> fmt::Display for SetupError<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flags(error) => error.fmt(f),
            Self::Rules(error) => error.fmt(f),
        }
    }
}

impl<I: fmt::Debug, P, F: fmt::Display> fmt::Display for CommandError<I, P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyStarted(_) => f.write_str("a child with this id is running"),
            Self::AlreadyPresent => f.write_str("a child with this id is known, but not running"),
            Self::Running => f.write_str("the child is running"),
            Self::Restarting => f.write_str("the child is being restarted"),
            Self::NotFound => f.write_str("there is no such child"),
            Self::MaxChildren => f.write_str("there are as many children as there may be"),
            Self::Unresponsive(_) => f.write_str("the child was killed and does not end"),
            Self::InvalidFlags(error) => error.fmt(f),
            Self::InvalidRules(error) => error.fmt(f),
            Self::StartFailed(error) => write!(f, "the child did not start: {error}"),
        }
    }
}

impl<E> fmt::Display for OutOfTurn<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("event out of turn: ")?;
        match self.awaiting {
            Awaiting::Boot => f.write_str("the supervisor has not booted"),
            Awaiting::Message => f.write_str("no answer is awaited"),
            Awaiting::Start(key) => write!(f, "child {key} is being started"),
            Awaiting::Stop(key) => write!(f, "child {key} is being stopped"),
            Awaiting::StopAll(left) => write!(f, "{left} children are being stopped"),
            Awaiting::Nothing => f.write_str("the supervisor has exited"),
        }
    }
}

impl Error for FlagsError {}
impl<I: fmt::Debug> Error for RulesError<I> {}
impl<I: fmt::Debug> Error for SetupError<I> {}
impl<I: fmt::Debug, P: fmt::Debug, F: fmt::Debug + fmt::Display> Error for CommandError<I, P, F> {}
impl<E: fmt::Debug> Error for OutOfTurn<E> {}

impl<I> From<FlagsError> for SetupError<I> {
    fn from(error: FlagsError) -> Self {
        Self::Flags(error)
    }
}

impl<I> From<RulesError<I>> for SetupError<I> {
    fn from(error: RulesError<I>) -> Self {
        Self::Rules(error)
    }
}
