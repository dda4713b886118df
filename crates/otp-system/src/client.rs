//! Asking a process, by its pid.

use std::{error::Error, time::Duration};

use erlang_process::{CallError, ExitReason, Pid, Reply, Subject};

use crate::{
    error::SystemError,
    message::{StatusInfo, SystemMessage, Visit, VisitError},
};

/// Runs `read` on the state of a process, inside it, and returns what it makes of it. Works while the
/// process runs and while it is suspended; the message waits its turn in the mailbox.
///
/// ```
/// use std::time::Duration;
///
/// async fn how_many(board: erlang_process::Pid) -> Result<usize, otp_system::SystemError> {
///     otp_system::get_state(board, Duration::from_secs(1), |names: &Vec<String>| names.len()).await
/// }
/// ```
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
/// ```
/// use std::time::Duration;
///
/// async fn double(counter: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     otp_system::replace_state(counter, Duration::from_secs(1), |count: &u64| count * 2).await
/// }
/// ```
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
/// ```
/// use std::time::Duration;
///
/// async fn tell(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     println!("{:?}", otp_system::get_status(pid, Duration::from_secs(1)).await?);
///     Ok(())
/// }
/// ```
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
/// ```
/// use std::time::Duration;
///
/// // What is sent to it meanwhile waits in its mailbox.
/// async fn while_it_rests(pid: erlang_process::Pid, work: impl Future<Output = ()>) -> Result<(), otp_system::SystemError> {
///     let second = Duration::from_secs(1);
///     otp_system::suspend(pid, second).await?;
///     work.await;
///     otp_system::resume(pid, second).await
/// }
/// ```
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
/// ```
/// use std::time::Duration;
///
/// async fn go_on(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     otp_system::resume(pid, Duration::from_secs(1)).await
/// }
/// ```
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
/// ```
/// use erlang_process::ExitReason;
/// use std::time::Duration;
///
/// async fn end(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     otp_system::terminate(pid, ExitReason::Shutdown, Duration::from_secs(5)).await
/// }
/// ```
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

/// Lets `migrate` make a new state of the old one, in a process that is [suspended](suspend): for the moment in which
/// what its state means has changed, and it must not be used meanwhile.
///
/// `migrate` gets the old state and the result replaces it. If it returns an error, or panics, the state stays what it
/// was, and the process goes on with that.
///
/// ```
/// use std::time::Duration;
///
/// async fn clear_negative(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     let second = Duration::from_secs(1);
///     otp_system::suspend(pid, second).await?;
///     otp_system::change_code(pid, second, |balance: &i64| u64::try_from(*balance).map(|balance| balance as i64)).await?;
///     otp_system::resume(pid, second).await
/// }
/// ```
///
/// # Errors
///
/// As [`get_state`], and [`SystemError::NotSuspended`]; [`SystemError::ChangeFailed`] with the error of `migrate`.
///
/// # Cancel safety
///
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:change_code/5`, with `migrate` for `code_change/3`.
pub async fn change_code<S: 'static, E>(
    pid: Pid,
    timeout: Duration,
    migrate: impl FnOnce(&S) -> Result<S, E> + Send + 'static,
) -> Result<(), SystemError>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let change = move |state: &mut S| {
        *state = migrate(state).map_err(|error| VisitError::Failed(error.into().into()))?;
        Ok(())
    };
    visited(call(pid, timeout, |reply| SystemMessage::ChangeCode(Visit::new(change, reply))).await?)
}

async fn visit<S: 'static, R: Send + 'static>(
    pid: Pid,
    timeout: Duration,
    visit: impl FnOnce(&mut S) -> R + Send + 'static,
) -> Result<R, SystemError> {
    let visit = |state: &mut S| Ok(visit(state));
    visited(call(pid, timeout, |reply| SystemMessage::State(Visit::new(visit, reply))).await?)
}

fn visited<R>(visited: Result<R, VisitError>) -> Result<R, SystemError> {
    visited.map_err(|error| match error {
        VisitError::WrongState { expected, found } => SystemError::WrongState { expected, found },
        VisitError::Panicked(text) => SystemError::CallbackFailed(text),
        VisitError::NotSuspended => SystemError::NotSuspended,
        VisitError::Failed(error) => SystemError::ChangeFailed(error),
    })
}

pub(crate) async fn call<R: Send + 'static>(
    pid: Pid,
    timeout: Duration,
    request: impl FnOnce(Reply<R>) -> SystemMessage,
) -> Result<R, SystemError> {
    let subject = Subject::to_pid(pid).ok_or(CallError::NoProc)?;
    Ok(subject.call(timeout, request).await?)
}
