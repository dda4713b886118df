//! Deadlines of receives and calls, and messages that are sent later.

use std::{
    fmt,
    future::{pending, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    cell::{AnyCellExt, Process},
    rt::{self, AbortHandle, Instant, Sleep},
    scope::{self, Scope},
    subject::Subject,
    sync::{Arc, Mutex},
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
        if timeout.is_zero() { Self::Passed } else { rt::deadline(timeout).map_or(Self::Never, Self::At) }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Never => Poll::Pending,
            Self::Passed => Poll::Ready(()),
            Self::Own(sleep) => sleep.as_mut().poll(cx),
            Self::At(at) => match scope::with(|scope| scope.poll_timer(*at, cx)).flatten() {
                Some(poll) => poll,
                None => {
                    let mut sleep = Box::pin(rt::sleep_until(*at));
                    let poll = sleep.as_mut().poll(cx);
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
                Some(timer.sleep.as_mut().poll(cx))
            }
            None if !self.cell.with(|control, _| control.is_task_waker(cx.waker())) => None,
            None => {
                let mut timer =
                    SharedTimer { sleep: Box::pin(rt::sleep_until(at)), waker: cx.waker().clone() };
                let poll = timer.sleep.as_mut().poll(cx);
                self.local_mut().timer = Some(timer);
                Some(poll)
            }
        }
    }
}

/// Gives a future a time limit, as `tokio::time::timeout` does, with the one timer that a process keeps for
/// all its deadlines. [`Duration::MAX`] is no limit.
///
/// # Errors
///
/// [`Elapsed`] if the time is over first; the future is dropped then.
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

/// A message that is to be sent later, see [`Subject::send_after`].
///
/// Dropping it changes nothing; [`cancel`](Self::cancel) stops it.
///
/// Counterpart: the timer reference of `erlang:send_after/3`, `Timer` in Gleam.
pub struct Timer {
    /// `None` lies beyond what the clock can say.
    due: Option<Instant>,
    message: Arc<Mutex<Option<Fire>>>,
    /// The process that the message goes to, unless it goes to a name.
    receiver: Option<Process>,
    task: AbortHandle,
}

type Fire = Box<dyn FnOnce() + Send>;

/// What became of a timer that was cancelled.
///
/// Counterpart: `Cancelled` in Gleam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The timer was stopped, this long before its message was due. The message will never be sent.
    Cancelled {
        /// How long it still had to run.
        remaining: Duration,
    },
    /// The timer had fired or was cancelled before, or the process that it was for is dead. Its message may
    /// already be in a mailbox.
    TimerNotFound,
}

impl Timer {
    /// Stops the timer: exactly one of its message being sent and `Cancelled` being returned happens.
    ///
    /// Counterpart: `erlang:cancel_timer/1`, `process.cancel_timer` in Gleam.
    pub fn cancel(&self) -> Cancelled {
        let message = self.message.lock().take();
        self.task.abort();
        let dead = self.receiver.as_ref().is_some_and(|process| !process.head().is_alive());
        if message.is_none() || dead {
            return Cancelled::TimerNotFound;
        }
        let remaining = self.due.map_or(Duration::MAX, |due| due.saturating_duration_since(rt::now()));
        Cancelled::Cancelled { remaining }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("due", &self.due).finish_non_exhaustive()
    }
}

impl<M: Send + 'static> Subject<M> {
    /// Sends a message after a delay, unless the [`Timer`] is cancelled. A name is looked up when the delay
    /// is over; a process that is gone by then gets nothing. [`Duration::MAX`] is never over.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `erlang:send_after/3`, `process.send_after` in Gleam.
    pub fn send_after(&self, delay: Duration, message: M) -> Timer {
        let subject = self.clone();
        let fire: Fire = Box::new(move || subject.send(message));
        let message = Arc::new(Mutex::new(Some(fire)));
        let due = rt::deadline(delay);
        let task = rt::spawn({
            let message = message.clone();
            async move {
                match due {
                    Some(due) => rt::sleep_until(due).await,
                    None => pending().await,
                }
                let fire = message.lock().take();
                if let Some(fire) = fire {
                    fire();
                }
            }
        });
        Timer { due, message, receiver: self.fixed_process(), task }
    }
}
