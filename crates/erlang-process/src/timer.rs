//! Messages that are sent later, and exits.

use std::{fmt, time::Duration};

use crate::{
    cell::Process,
    clock::{Action, Clock, MissedTicks, TimerId},
    membership::{self, Members},
    node::Node,
    pid::Pid,
    reason::ExitReason,
    rt::{self, Instant},
    signal::Signal,
    subject::Subject,
    sync::Arc,
};

/// Something that is to happen later: a message, see [`Subject::send_after`], or an exit, see
/// [`exit_after`].
///
/// Dropping it changes nothing; [`cancel`](Self::cancel) stops it. Clones are the same timer. A timer for a process ends with that
/// process. One for a name does not, except that an interval ends with the process that held the name when it was set.
///
/// A timer is kept by the tokio runtime that it was set on, whichever runtime its receiver runs on: when that runtime is
/// shut down the timer is gone, and its message is dropped; so is that of one which is set after that.
///
/// Times are those of tokio's clock, which tests can pause, and as fine as that is: one millisecond. Timers
/// that are due together fire in the order in which they were set.
///
/// ```
/// use erlang_process::{Cancelled, Subject};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # erlang_process::run(async {
/// let inbox = Subject::new()?;
/// let late = inbox.send_after(Duration::from_secs(60), "too late");
/// inbox.send_after(Duration::from_secs(1), "in time");
/// // Whatever it is that comes first, the timer is no longer wanted.
/// assert_eq!(inbox.receive_forever().await?, "in time");
/// assert!(matches!(late.cancel(), Cancelled::Cancelled { .. }));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: the timer reference of `erlang:send_after/3`, `Timer` in Gleam.
#[derive(Clone)]
pub struct Timer {
    clock: Arc<Clock>,
    id: TimerId,
    /// The process that it ends with.
    receiver: Option<Process>,
}

/// What became of a timer that was cancelled.
///
/// ```
/// use erlang_process::{Cancelled, Subject};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # erlang_process::run(async {
/// let timer = Subject::new()?.send_after(Duration::from_secs(60), "time is up");
/// let bonus = match timer.cancel() {
///     Cancelled::Cancelled { remaining } => remaining,
///     Cancelled::TimerNotFound => Duration::ZERO,
/// };
/// assert!(bonus > Duration::ZERO);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `Cancelled` in Gleam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The timer was stopped, this long before it was due. It will never fire.
    Cancelled {
        /// How long it still had to run.
        remaining: Duration,
    },
    /// The timer had fired or was cancelled before, or the process that it was for is dead. Its message may
    /// already be in a mailbox.
    TimerNotFound,
}

impl Timer {
    /// Stops the timer: exactly one of its firing and `Cancelled` being returned happens. An interval begins no
    /// further tick; one that has begun on another thread may still come.
    ///
    /// Anyone may do this.
    ///
    /// ```
    /// use erlang_process::{Cancelled, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let subject = Subject::new()?;
    /// let timer = subject.send_after(Duration::from_secs(60), "wake up");
    /// assert!(matches!(timer.cancel(), Cancelled::Cancelled { .. }));
    /// assert_eq!(timer.cancel(), Cancelled::TimerNotFound);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `erlang:cancel_timer/1`, `process.cancel_timer` in Gleam.
    pub fn cancel(&self) -> Cancelled {
        match self.clock.cancel(self.id) {
            Some(remaining) if self.is_wanted() => Cancelled::Cancelled { remaining },
            _ => Cancelled::TimerNotFound,
        }
    }

    /// How long the timer has still to run, an interval to its next tick; `None` if it has fired or was
    /// cancelled, or the process that it was for is dead.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let timer = Subject::new()?.send_after(Duration::from_secs(60), ());
    /// tokio::time::sleep(Duration::from_secs(20)).await;
    /// assert!(timer.remaining().is_some_and(|left| left <= Duration::from_secs(40)));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `erlang:read_timer/1`.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.clock.remaining(self.id).filter(|_| self.is_wanted())
    }

    fn is_wanted(&self) -> bool {
        self.receiver.as_ref().is_none_or(|process| process.head().is_alive())
    }

    fn set(due: Instant, receiver: Option<Process>, action: Action) -> Self {
        // That of its own node, on which no other process has its pid.
        let clock = match &receiver {
            Some(process) => process.head().node.clock(),
            None => Node::current().clock(),
        };
        let id = clock.set(due, receiver.as_ref().map(|process| process.head().pid), action);
        if let Some(process) = &receiver {
            let table: Arc<dyn Members> = clock.clone();
            // Set before it is entered: whatever the process leaves behind, its end removes.
            if !membership::enter(process, &table) {
                clock.cancel(id);
            }
        }
        Self { clock, id, receiver }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}

impl<M: Send + 'static> Subject<M> {
    /// Sends a message after a delay, unless the [`Timer`] is cancelled. A name is looked up when the delay
    /// is over; a process that is gone by then gets nothing. [`Duration::MAX`] is never over. It is kept by the runtime of
    /// the caller, and gone with that.
    ///
    /// The function of a [mapped](Self::map) subject runs when the delay is over, in the task that keeps all timers of the
    /// runtime: one that blocks keeps all of them waiting.
    ///
    /// Nothing is promised about the order of this message and one that is sent directly, even with a delay
    /// of zero.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let subject = Subject::new()?;
    /// subject.send_after(Duration::from_secs(60), "wake up");
    /// assert_eq!(subject.receive_forever().await?, "wake up");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and on one whose time is not [enabled](tokio::runtime::Builder::enable_time).
    ///
    /// Counterpart: `erlang:send_after/3`, `process.send_after` in Gleam.
    pub fn send_after(&self, delay: Duration, message: M) -> Timer {
        self.send_at(rt::after(delay), message)
    }

    /// Sends a message at this instant, or at once if it is over, unless the [`Timer`] is cancelled.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use std::time::Duration;
    /// use tokio::time::Instant;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let subject = Subject::new()?;
    /// let due = Instant::now() + Duration::from_secs(60);
    /// subject.send_at(due, "wake up");
    /// subject.receive_forever().await?;
    /// assert!(Instant::now() >= due);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and on one whose time is not [enabled](tokio::runtime::Builder::enable_time).
    ///
    /// Counterpart: `erlang:send_after/4` with `{abs, true}`.
    pub fn send_at(&self, at: Instant, message: M) -> Timer {
        let subject = self.clone();
        let action = Action::Once(Box::new(move || subject.send(message)));
        Timer::set(at, self.fixed_process(), action)
    }

    /// Sends a message each `period`, the first after one period, until the [`Timer`] is cancelled or the
    /// process has ended. A period of less than a millisecond is taken as one.
    ///
    /// `message` runs in the task that keeps all timers of the runtime, as the function of a [mapped](Self::map) subject
    /// does: one that blocks keeps all of them waiting.
    ///
    /// An interval for a name, or for a key of a registry, ends with the process that holds it now; if nobody does, it has
    /// ended already. So one that an actor's initialiser sets is the actor's own: who is started after a crash sets
    /// another. Each tick goes to who has the name then.
    ///
    /// ```
    /// use erlang_process::{MissedTicks, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let ticks = Subject::new()?;
    /// let timer = ticks.send_interval(Duration::from_secs(1), MissedTicks::Skip, || "tick");
    /// for _ in 0..3 {
    ///     assert_eq!(ticks.receive_forever().await?, "tick");
    /// }
    /// timer.cancel();
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and on one whose time is not [enabled](tokio::runtime::Builder::enable_time).
    ///
    /// Counterpart: `timer:send_interval/3`.
    pub fn send_interval(
        &self,
        period: Duration,
        missed: MissedTicks,
        message: impl Fn() -> M + Send + Sync + 'static,
    ) -> Timer {
        let subject = self.clone();
        let period = period.clamp(Duration::from_millis(1), rt::NEVER);
        let tick = Arc::new(move || subject.send(message()));
        let receiver = self.process();
        let has_receiver = receiver.is_some();
        let timer = Timer::set(rt::after(period), receiver, Action::Every { period, missed, tick });
        if !has_receiver {
            timer.cancel();
        }
        timer
    }
}

/// Sends an exit signal to a process after a delay, unless the [`Timer`] is cancelled, see
/// [`send_exit`](crate::send_exit). It is kept by the runtime of the caller, and gone with that.
///
/// The signal does not come from the calling process but from [outside any](Pid::OUTSIDE), as in OTP it comes from the
/// timer server. So [`Normal`](ExitReason::Normal) ends nobody, the caller included.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # erlang_process::run(async {
/// let (pid, monitor) = process::spawn_monitor(std::future::pending::<()>())?;
/// process::exit_after(pid, Duration::from_secs(60), ExitReason::Shutdown);
/// assert_eq!(monitor.down().await?.reason, ExitReason::Shutdown);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime, and on one whose time is not [enabled](tokio::runtime::Builder::enable_time).
///
/// Counterpart: `timer:exit_after/3` and, with [`ExitReason::Kill`], `timer:kill_after/2`.
pub fn exit_after(pid: Pid, delay: Duration, reason: ExitReason) -> Timer {
    exit_at(pid, rt::after(delay), reason)
}

/// Sends an exit signal to a process at this instant, or at once if it is over, unless the [`Timer`] is cancelled. Otherwise
/// as [`exit_after`].
///
/// ```
/// use erlang_process::{self as process, ExitReason};
/// use std::time::Duration;
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # erlang_process::run(async {
/// // All of them end at the same time.
/// let end = Instant::now() + Duration::from_secs(60);
/// let (pid, monitor) = process::spawn_monitor(std::future::pending::<()>())?;
/// process::exit_at(pid, end, ExitReason::Shutdown);
/// assert_eq!(monitor.down().await?.reason, ExitReason::Shutdown);
/// assert!(Instant::now() >= end);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime, and on one whose time is not [enabled](tokio::runtime::Builder::enable_time).
///
/// Counterpart: none; `erlang:send_after/4` has `{abs, true}` for messages.
pub fn exit_at(pid: Pid, at: Instant, reason: ExitReason) -> Timer {
    let node = Node::current();
    let sender = node.clone();
    let exit = move || sender.signal(None, pid, Signal::Exit { reason, link: false });
    let receiver = node.find(pid);
    let is_gone = receiver.is_none() && pid.node().is_here();
    let timer = Timer::set(at, receiver, Action::Once(Box::new(exit)));
    if is_gone {
        timer.clock.cancel(timer.id);
    }
    timer
}
