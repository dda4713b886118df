//! Why a request to a supervisor failed.

use std::{error::Error, fmt};

use erlang_process::{CallError, Pid};
use otp_actor::{StartError, Started};
use tokio::sync::oneshot;

use crate::{
    child_spec::ChildId,
    semantics::{Answer, ChildKey, CommandError, FlagsError, RulesError},
    shell::Outcome,
};

/// Why a request to a supervisor failed.
///
/// Counterpart: the error returns of the functions of `supervisor`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SupervisorError {
    /// A child with this id runs.
    AlreadyStarted(Pid),
    /// A child with this id is there and does not run.
    AlreadyPresent,
    /// The child runs.
    Running,
    /// The child is being restarted.
    Restarting,
    /// There is no such child.
    NotFound,
    /// There are as many children as there may be.
    MaxChildren,
    /// The child cannot be supervised so.
    InvalidRules(RulesError<ChildId>),
    /// The child was killed, and this process of it does not end. It is not started again, or forgotten, before it has.
    Unresponsive(Pid),
    /// The supervisor cannot be changed to these flags.
    InvalidFlags(FlagsError),
    /// The child did not start.
    StartFailed(StartError),
    /// The child chose not to run.
    Ignored,
    /// The supervisor did not answer: it is gone, or ended.
    Call(CallError),
}

impl fmt::Display for SupervisorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyStarted(pid) => write!(f, "the child is already started as {pid}"),
            Self::AlreadyPresent => f.write_str("a child with this id is already present"),
            Self::Running => f.write_str("the child is running"),
            Self::Restarting => f.write_str("the child is being restarted"),
            Self::NotFound => f.write_str("there is no such child"),
            Self::MaxChildren => f.write_str("the supervisor has as many children as it may have"),
            Self::InvalidRules(error) => error.fmt(f),
            Self::Unresponsive(pid) => write!(f, "the child was killed, and its process {pid} does not end"),
            Self::InvalidFlags(error) => error.fmt(f),
            Self::StartFailed(error) => write!(f, "the child did not start: {error}"),
            Self::Ignored => f.write_str("the child chose not to run"),
            Self::Call(error) => write!(f, "the supervisor did not answer: {error}"),
        }
    }
}

impl Error for SupervisorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InvalidRules(error) => error.source(),
            Self::InvalidFlags(error) => error.source(),
            Self::StartFailed(error) => Some(error),
            Self::Call(error) => Some(error),
            _ => None,
        }
    }
}

impl From<CallError> for SupervisorError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<CommandError<ChildId, Pid, StartError>> for SupervisorError {
    fn from(error: CommandError<ChildId, Pid, StartError>) -> Self {
        match error {
            CommandError::InvalidRules(error) => Self::InvalidRules(error),
            error => plain(error),
        }
    }
}

impl From<CommandError<ChildKey, Pid, StartError>> for SupervisorError {
    fn from(error: CommandError<ChildKey, Pid, StartError>) -> Self {
        plain(error)
    }
}

/// The errors that do not name a child's id.
fn plain<I>(error: CommandError<I, Pid, StartError>) -> SupervisorError {
    match error {
        CommandError::AlreadyStarted(pid) => SupervisorError::AlreadyStarted(pid),
        CommandError::AlreadyPresent => SupervisorError::AlreadyPresent,
        CommandError::Running => SupervisorError::Running,
        CommandError::Restarting => SupervisorError::Restarting,
        CommandError::MaxChildren => SupervisorError::MaxChildren,
        CommandError::StartFailed(error) => SupervisorError::StartFailed(error),
        CommandError::Unresponsive(pid) => SupervisorError::Unresponsive(pid),
        CommandError::InvalidFlags(error) => SupervisorError::InvalidFlags(error),
        CommandError::NotFound | CommandError::InvalidRules(_) => SupervisorError::NotFound,
    }
}

/// What a command has come to: the pid of the child, for those that start one, unless it chose not to run.
pub(crate) fn answered<I>(outcome: Outcome<I>) -> Result<Option<Pid>, SupervisorError>
where
    SupervisorError: From<CommandError<I, Pid, StartError>>,
{
    match outcome? {
        Answer::Started(pid) => Ok(Some(pid)),
        Answer::Ignored | Answer::Done => Ok(None),
    }
}

/// Joins the pid of a child with the data that its start has left.
pub(crate) async fn started<D>(
    pid: Option<Pid>,
    data: oneshot::Receiver<D>,
) -> Result<Started<D>, SupervisorError> {
    match (pid, data.await) {
        (Some(pid), Ok(data)) => Ok(Started { pid, data }),
        _ => Err(SupervisorError::Ignored),
    }
}
