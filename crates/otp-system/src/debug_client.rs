//! Debugging a process, by its pid: what is done with its events.
//!
//! An event costs what is done with it; as long as nothing is, a process makes none.

use std::{any::type_name, borrow::Cow, path::Path, time::Duration};

use erlang_process::{Pid, Reply};

use crate::{
    client::call,
    debug::{Debugging, Installed, Statistics},
    error::SystemError,
    event::{Event, LoggedEvent},
    message::{Command, DebugRequest, SystemMessage},
};

/// Makes each event of a process a tracing event of the target `otp_system::trace`, or stops it.
///
/// ```
/// use std::time::Duration;
///
/// // Each event becomes a tracing event of the target `otp_system::trace`.
/// async fn watch(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     otp_system::trace(pid, Duration::from_secs(1), true).await
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
/// Counterpart: `sys:trace/3`, which prints.
pub async fn trace(pid: Pid, timeout: Duration, on: bool) -> Result<(), SystemError> {
    ask(pid, timeout, |reply| Command::Trace(on, reply)).await
}

/// Makes a process keep its last `limit` events; `None`, or zero, makes it keep none. They are also part of its
/// [status](crate::get_status), and of its crash report.
///
/// ```
/// use std::time::Duration;
///
/// async fn last_ten(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     let second = Duration::from_secs(1);
///     otp_system::log(pid, second, Some(10)).await?;
///     // ... and when something is odd:
///     for event in otp_system::logged(pid, second).await? {
///         println!("{event}");
///     }
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
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:log/3` with `{true, N}` and `false`.
pub async fn log(pid: Pid, timeout: Duration, limit: Option<usize>) -> Result<(), SystemError> {
    ask(pid, timeout, |reply| Command::Log(limit, reply)).await
}

/// The events that a process keeps, the oldest first.
///
/// ```
/// use std::time::Duration;
///
/// async fn count(pid: erlang_process::Pid) -> Result<usize, otp_system::SystemError> {
///     Ok(otp_system::logged(pid, Duration::from_secs(1)).await?.len())
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
/// Counterpart: `sys:log/3` with `get`.
pub async fn logged(pid: Pid, timeout: Duration) -> Result<Vec<LoggedEvent>, SystemError> {
    ask(pid, timeout, Command::Logged).await
}

/// Makes a process write its events to this file, a line each, or, with `None`, close the one it has. A file that is
/// there is overwritten.
///
/// The process writes as it handles its messages, and so waits for the disk.
///
/// ```
/// use std::{path::Path, time::Duration};
///
/// async fn record(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     otp_system::log_to_file(pid, Duration::from_secs(1), Some(Path::new("events.log"))).await
/// }
/// ```
///
/// # Errors
///
/// [`SystemError`]: the process is not there, or does not answer in time; [`SystemError::OpenFile`].
///
/// # Cancel safety
///
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:log_to_file/3`.
pub async fn log_to_file(pid: Pid, timeout: Duration, path: Option<&Path>) -> Result<(), SystemError> {
    let path = path.map(Path::to_owned);
    ask(pid, timeout, |reply| Command::LogToFile(path, reply)).await?.map_err(SystemError::OpenFile)
}

/// Makes a process count from now on, or no longer.
///
/// ```
/// use std::time::Duration;
///
/// async fn begin(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     otp_system::statistics(pid, Duration::from_secs(1), true).await
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
/// Counterpart: `sys:statistics/3` with `true` and `false`.
pub async fn statistics(pid: Pid, timeout: Duration, on: bool) -> Result<(), SystemError> {
    ask(pid, timeout, |reply| Command::Statistics(on, reply)).await
}

/// What a process has counted; `None` if it does not count.
///
/// ```
/// use std::time::Duration;
///
/// async fn tell(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     if let Some(counted) = otp_system::counted(pid, Duration::from_secs(1)).await? {
///         println!("{} in, {} out", counted.messages_in, counted.messages_out);
///     }
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
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:statistics/3` with `get`.
pub async fn counted(pid: Pid, timeout: Duration) -> Result<Option<Statistics>, SystemError> {
    ask(pid, timeout, Command::Counted).await
}

/// Calls `function` with each event of a process and the state that it has then, inside it, until the function is
/// [done](Debugging::Done), panics, or is [removed](remove). Where there is one with this id already, nothing is done.
///
/// ```
/// use std::time::Duration;
/// use otp_system::{Debugging, EventKind};
///
/// # async fn example(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
/// let second = Duration::from_secs(1);
/// // Tells of the next three messages, and what the state is before each.
/// let mut left = 3;
/// otp_system::install(pid, second, "three", move |event, count: &u64| {
///     if event.kind() != EventKind::In {
///         return Debugging::Continue;
///     }
///     println!("{event} while the count is {count}");
///     left -= 1;
///     if left == 0 { Debugging::Done } else { Debugging::Continue }
/// }).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`SystemError`]: the process is not there, or does not answer in time; [`SystemError::WrongState`] if its state is not an `S`.
///
/// # Cancel safety
///
/// Dropping the future does not take the request back.
///
/// Counterpart: `sys:install/3`.
pub async fn install<S: 'static>(
    pid: Pid,
    timeout: Duration,
    id: impl Into<Cow<'static, str>>,
    function: impl FnMut(&Event<'_>, &S) -> Debugging + Send + 'static,
) -> Result<(), SystemError> {
    let installed = Installed::new(id.into(), function);
    ask(pid, timeout, |reply| Command::Install(installed, reply))
        .await?
        .map_err(|found| SystemError::WrongState { expected: type_name::<S>(), found })
}

/// Removes an [installed](install) function. Nothing happens if there is none with this id.
///
/// ```
/// use std::time::Duration;
///
/// async fn forget(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     otp_system::remove(pid, Duration::from_secs(1), "big numbers").await
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
/// Counterpart: `sys:remove/3`.
pub async fn remove(
    pid: Pid,
    timeout: Duration,
    id: impl Into<Cow<'static, str>>,
) -> Result<(), SystemError> {
    let id = id.into();
    ask(pid, timeout, |reply| Command::Remove(id, reply)).await
}

/// Switches everything off: trace, log, file, statistics, and removes what is installed.
///
/// ```
/// use std::time::Duration;
///
/// async fn quiet(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
///     otp_system::no_debug(pid, Duration::from_secs(1)).await
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
/// Counterpart: `sys:no_debug/2`.
pub async fn no_debug(pid: Pid, timeout: Duration) -> Result<(), SystemError> {
    ask(pid, timeout, Command::NoDebug).await
}

async fn ask<R: Send + 'static>(
    pid: Pid,
    timeout: Duration,
    command: impl FnOnce(Reply<R>) -> Command,
) -> Result<R, SystemError> {
    call(pid, timeout, |reply| SystemMessage::Debug(DebugRequest(command(reply)))).await
}
