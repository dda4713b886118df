//! The one door for spawning and time.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

pub(crate) use tokio::time::{Instant, Sleep, sleep_until};
pub(crate) use tokio::{
    runtime::{Handle, Id},
    task::yield_now,
};

/// Hands a future to the runtime that the caller runs on. The name is made only where tokio-console can show it.
pub(crate) fn spawn(name: impl FnOnce() -> String, future: impl Future<Output = ()> + Send + 'static) {
    #[cfg(all(feature = "testing", not(any(otp_loom, otp_shuttle))))]
    let Err(future) = crate::simulate::take_over(future) else { return };
    #[cfg(all(feature = "tokio-console", tokio_unstable))]
    drop(tokio::task::Builder::new().name(&name()).spawn(future));
    #[cfg(not(all(feature = "tokio-console", tokio_unstable)))]
    drop((tokio::spawn(future), name));
}

/// Hands a future that stays on this thread to the tokio `LocalSet` that the caller runs on.
pub(crate) fn spawn_local(name: impl FnOnce() -> String, future: impl Future<Output = ()> + 'static) {
    #[cfg(all(feature = "tokio-console", tokio_unstable))]
    drop(tokio::task::Builder::new().name(&name()).spawn_local(future));
    #[cfg(not(all(feature = "tokio-console", tokio_unstable)))]
    drop((tokio::task::spawn_local(future), name));
}

/// Runs something on a thread that it may block, of the runtime that the caller runs on.
pub(crate) fn spawn_blocking(name: impl FnOnce() -> String, work: impl FnOnce() + Send + 'static) {
    #[cfg(all(feature = "tokio-console", tokio_unstable))]
    drop(tokio::task::Builder::new().name(&name()).spawn_blocking(work));
    #[cfg(not(all(feature = "tokio-console", tokio_unstable)))]
    drop((tokio::task::spawn_blocking(work), name));
}

/// Whether the caller runs on a runtime.
pub(crate) fn is_there() -> bool {
    Handle::try_current().is_ok()
}

/// Polls a timer, also when the task has had its turn: tokio's own timers are not armed then, and who has armed one once
/// relies on it.
pub(crate) fn poll_sleep(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    Pin::new(&mut tokio::task::unconstrained(sleep)).poll(cx)
}

/// A moment of real time.
pub(crate) type RealInstant = std::time::Instant;

/// Now, in real time: for how long a poll takes, during which tokio's clock may be paused.
#[allow(clippy::disallowed_methods)]
pub(crate) fn real_now() -> RealInstant {
    RealInstant::now()
}

/// Now, on tokio's clock, which tests can pause.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The runtime that the caller runs on. Panics outside any, as spawning does.
pub(crate) fn id() -> Id {
    Handle::current().id()
}

/// So long that nobody will see the end of it, and no longer than the clock can say.
pub(crate) const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The instant `delay` from now, or that at which nobody will be there.
pub(crate) fn after(delay: Duration) -> Instant {
    now() + delay.min(NEVER)
}

/// The instant `timeout` from now; `None` when that lies beyond what the clock can say, which is for ever.
pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    now().checked_add(timeout)
}
