//! Asking a process, by its pid.

use std::{error::Error, fmt, time::Duration};

use erlang_process::{CallError, ExitReason, Pid, Reply, Subject};

use crate::message::{StatusInfo, SystemMessage, Visit, VisitError};

/// Runs `read` on the state of a process, inside it, and returns what it makes of it. Works while the
/// process runs and while it is suspended; the message waits its turn in the mailbox.
///
/// # Errors
///
/// [`SystemError`]: the process is not there or does not answer in time, its state is of another type than
/// `S`, or `read` panicked, which does not harm the process.
///
/// # Cancel safety
///
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:get_state/2`, `system.get_state` in Gleam.
pub async fn get_state<S: 'static, R: Send + 'static>(
    pid: Pid,
    timeout: Duration,
    read: impl FnOnce(&S) -> R + Send + 'static,
) -> Result<R, SystemError> {
    visit(pid, timeout, |state: &mut S| read(state)).await
}

/// Replaces the state of a process by what `replace` makes of it, inside it.
///
/// # Errors
///
/// As [`get_state`]. If `replace` panics the state is what it was.
///
/// # Cancel safety
///
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:replace_state/3`.
pub async fn replace_state<S: 'static>(
    pid: Pid,
    timeout: Duration,
    replace: impl FnOnce(&S) -> S + Send + 'static,
) -> Result<(), SystemError> {
    visit(pid, timeout, |state: &mut S| *state = replace(state)).await
}

/// Asks a process how it is.
///
/// # Errors
///
/// [`SystemError`]: the process is not there, or does not answer in time.
///
/// # Cancel safety
///
/// Dropping the future changes nothing.
///
/// Counterpart: `sys:get_status/2`.
pub async fn get_status(pid: Pid, timeout: Duration) -> Result<StatusInfo, SystemError> {
    call(pid, timeout, SystemMessage::GetStatus).await
}

/// Makes a process stop taking messages other than system messages. They wait until it is [resumed](resume).
/// Suspending twice is the same as once.
///
/// # Errors
///
/// [`SystemError`]: the process is not there, or does not answer in time.
///
/// # Cancel safety
///
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:suspend/2`, `system.suspend` in Gleam.
pub async fn suspend(pid: Pid, timeout: Duration) -> Result<(), SystemError> {
    call(pid, timeout, SystemMessage::Suspend).await
}

/// Makes a suspended process take messages again, in the order in which they came. Once is enough, however
/// often it was suspended.
///
/// # Errors
///
/// [`SystemError`]: the process is not there, or does not answer in time.
///
/// # Cancel safety
///
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:resume/2`, `system.resume` in Gleam.
pub async fn resume(pid: Pid, timeout: Duration) -> Result<(), SystemError> {
    call(pid, timeout, SystemMessage::Resume).await
}

/// Tells a process to end in an orderly way with this reason, and returns when it has agreed to. Its end can
/// be awaited with [`join`](erlang_process::join()).
///
/// # Errors
///
/// [`SystemError`]: the process is not there, or does not answer in time. The request is not taken back.
///
/// # Cancel safety
///
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:terminate/3`.
pub async fn terminate(pid: Pid, reason: ExitReason, timeout: Duration) -> Result<(), SystemError> {
    call(pid, timeout, |reply| SystemMessage::Terminate(reason, reply)).await
}

async fn visit<S: 'static, R: Send + 'static>(
    pid: Pid,
    timeout: Duration,
    visit: impl FnOnce(&mut S) -> R + Send + 'static,
) -> Result<R, SystemError> {
    let visited = call(pid, timeout, |reply| SystemMessage::State(Visit::new(visit, reply))).await?;
    visited.map_err(|error| match error {
        VisitError::WrongState { expected, found } => SystemError::WrongState { expected, found },
        VisitError::Panicked(text) => SystemError::CallbackFailed(text),
    })
}

async fn call<R: Send + 'static>(
    pid: Pid,
    timeout: Duration,
    request: impl FnOnce(Reply<R>) -> SystemMessage,
) -> Result<R, SystemError> {
    let subject = Subject::to_pid(pid).ok_or(CallError::NoProc)?;
    Ok(subject.call(timeout, request).await?)
}

/// Why a system request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SystemError {
    /// The process did not answer: it is not there, it ended, or the time was over. A process that does not
    /// speak the protocol lets the time run out.
    Call(CallError),
    /// The state is of another type.
    WrongState {
        /// The type that was asked for.
        expected: &'static str,
        /// The type of the state.
        found: &'static str,
    },
    /// The function that was to visit the state panicked, with this text.
    CallbackFailed(String),
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::WrongState { expected, found } => write!(f, "the state is a {found}, not a {expected}"),
            Self::CallbackFailed(text) => write!(f, "the visit to the state panicked: {text}"),
        }
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Call(error) => error.source(),
            Self::WrongState { .. } | Self::CallbackFailed(_) => None,
        }
    }
}

impl From<CallError> for SystemError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}
