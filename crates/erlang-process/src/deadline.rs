//! Deadlines of receives and calls.

use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    rt::{self, Instant, Sleep},
    scope::{self, Scope},
};

/// The instant at which a receive or a call gives up.
///
/// Arming a timer of the runtime costs more than a call does. So a process keeps one, armed for the earliest
/// of its deadlines, and lets it stand when that deadline is met: later deadlines arm it anew only when it
/// would fire too late. Under constant timeouts that is once per timeout instead of once per call.
pub(crate) enum Deadline {
    Never,
    At(Instant),
    /// A timer of its own, where the process's cannot be used: outside any process, and under a combinator
    /// that polls with wakers of its own.
    Own(Pin<Box<Sleep>>),
    Passed,
}

/// The timer that a process keeps, and the waker that it wakes.
pub(crate) struct SharedTimer {
    sleep: Pin<Box<Sleep>>,
    waker: Waker,
}

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        match timeout {
            Duration::ZERO => Self::Passed,
            // Known without asking the clock, which costs a tenth of a call.
            Duration::MAX => Self::Never,
            _ => rt::deadline(timeout).map_or(Self::Never, Self::At),
        }
    }

    /// Whether it is over, by the clock: for who is woken anyway.
    pub(crate) fn has_passed(&self) -> bool {
        match self {
            Self::Never => false,
            Self::At(at) => *at <= rt::now(),
            Self::Own(sleep) => sleep.deadline() <= rt::now(),
            Self::Passed => true,
        }
    }

    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Never => Poll::Pending,
            _ => self.poll_timer(cx),
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Never => Poll::Pending,
            Self::Passed => Poll::Ready(()),
            Self::Own(sleep) => rt::poll_sleep(sleep.as_mut(), cx),
            Self::At(at) => match scope::with(|scope| scope.poll_timer(*at, cx)).flatten() {
                Some(poll) => poll,
                None => {
                    let mut sleep = Box::pin(rt::sleep_until(*at));
                    let poll = rt::poll_sleep(sleep.as_mut(), cx);
                    *self = Self::Own(sleep);
                    poll
                }
            },
        }
    }
}

impl Scope {
    /// Polls the process's timer for this deadline; `None` if it cannot serve who polls.
    fn poll_timer(&mut self, at: Instant, cx: &mut Context<'_>) -> Option<Poll<()>> {
        match self.local.as_mut().and_then(|local| local.timer.as_mut()) {
            Some(timer) if !timer.waker.will_wake(cx.waker()) => None,
            Some(timer) => {
                if !timer.sleep.is_elapsed() && timer.sleep.deadline() <= at {
                    return Some(Poll::Pending);
                }
                // Not by the timer: another deadline, polled before this one, may be waiting for it already.
                if at <= rt::now() {
                    return Some(Poll::Ready(()));
                }
                timer.sleep.as_mut().reset(at);
                Some(rt::poll_sleep(timer.sleep.as_mut(), cx))
            }
            None if !self.cell.head().is_task_waker(cx.waker()) => None,
            None => {
                let mut timer =
                    SharedTimer { sleep: Box::pin(rt::sleep_until(at)), waker: cx.waker().clone() };
                let poll = rt::poll_sleep(timer.sleep.as_mut(), cx);
                self.local_mut().timer = Some(timer);
                Some(poll)
            }
        }
    }
}

/// Gives a future a time limit, as `tokio::time::timeout` does, with the one timer that a process keeps for
/// all its deadlines. [`Duration::MAX`] is no limit.
///
/// ```
/// use erlang_process::timeout;
/// use std::{future, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # erlang_process::run(async {
/// let second = Duration::from_secs(1);
/// assert_eq!(timeout(second, async { 42 }).await, Ok(42));
/// assert!(timeout(second, future::pending::<()>()).await.is_err());
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`Elapsed`] if the time is over first; the future is dropped then.
///
/// # Panics
///
/// If the future has to wait, with a duration that is neither zero nor [`Duration::MAX`], outside a tokio runtime or on one
/// whose time is not [enabled](tokio::runtime::Builder::enable_time).
///
/// # Cancel safety
///
/// As the future itself.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut deadline = Deadline::after(duration);
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => deadline.poll(cx).map(|()| Err(Elapsed)),
    })
    .await
}

/// The time limit was over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit was over first")
    }
}

impl std::error::Error for Elapsed {}
