//! Stopping a process in an orderly way.

use std::{future::poll_fn, pin::pin, time::Duration};

use erlang_process::{CallError, ExitReason, Pid, current, join, timeout as limit};

/// Tells a process to end in an orderly way with this reason, and waits until it has ended: an actor terminates first, a
/// supervisor stops its children. Works with every process that answers [system messages](otp_system), from any async
/// code.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::ExitReason;
/// use otp_actor as actor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let started = actor::new(0).on_message(|sum: &mut u32, number: u32| *sum += number).start().await?;
/// actor::stop(started.pid, ExitReason::Normal, Duration::from_secs(5)).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`CallError::NoProc`] if there is no such process; [`CallError::CallingSelf`] for oneself;
/// [`CallError::Down`] if it ended, with another reason; [`CallError::Timeout`] if it has not ended in time, in which case
/// it is still told to and may end later.
///
/// # Cancel safety
///
/// Dropping the future does not take the request back.
///
/// Counterpart: `gen_server:stop/3`, `proc_lib:stop/3`.
pub async fn stop(pid: Pid, reason: ExitReason, timeout: Duration) -> Result<(), CallError> {
    if current() == Some(pid) {
        return Err(CallError::CallingSelf);
    }
    let mut ended = pin!(join(pid));
    let mut asked = pin!(otp_system::terminate(pid, reason.clone(), Duration::MAX));
    let mut asking = true;
    let stopping = poll_fn(|cx| {
        // Waited for before it is asked: then the true reason is told.
        let ended = ended.as_mut().poll(cx);
        asking = asking && asked.as_mut().poll(cx).is_pending();
        ended
    });
    match limit(timeout, stopping).await {
        Err(_) => Err(CallError::Timeout),
        Ok(ended) if ended == reason => Ok(()),
        Ok(ExitReason::NoProc) => Err(CallError::NoProc),
        Ok(ended) => Err(CallError::Down(ended)),
    }
}
