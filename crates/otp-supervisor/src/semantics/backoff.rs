//! Restarts that are put off: an option beyond Erlang.

use std::time::Duration;

/// How long a child's restarts are put off: the first for a while, each further one in a row for twice as long as the one
/// before, up to a limit. A child that has run well for some time begins anew.
///
/// Erlang's supervisors restart at once, as ours do without this. It is for children whose failure passes with time, such as a
/// service that is away: they need not use up the restarts that are tolerated within a moment.
///
/// ```
/// use std::time::Duration;
/// use otp_supervisor::semantics::Backoff;
///
/// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
/// let delays = [0, 1, 2, 3, 4].map(|restarts| backoff.delay(restarts).as_millis());
/// assert_eq!(delays, [100, 200, 400, 800, 1_000]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    reset_after: Duration,
}

impl Backoff {
    /// Puts the first restart off for `first`, and none for longer than `most`. A child that has run for as long as
    /// `most` is taken for healthy: its next restart is a first one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::Backoff;
    ///
    /// let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    /// assert_eq!(backoff.delay(0), Duration::from_secs(1));
    /// assert_eq!(backoff.delay(100), Duration::from_secs(60));
    /// ```
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, reset_after: most }
    }

    /// The same, with another time after which a child that has run for so long is taken for healthy.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::Backoff;
    ///
    /// // A child that has run for ten minutes is healthy, though a minute is the longest that it is put off.
    /// let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60)).reset_after(Duration::from_secs(600));
    /// assert_eq!(backoff.delay(100), Duration::from_secs(60));
    /// ```
    #[must_use]
    pub const fn reset_after(self, reset_after: Duration) -> Self {
        Self { reset_after, ..self }
    }

    /// For how long a restart is put off before which there were so many others in a row.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::Backoff;
    ///
    /// let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    /// // The fourth in a row.
    /// assert_eq!(backoff.delay(3), Duration::from_secs(8));
    /// ```
    #[must_use]
    pub fn delay(self, restarts: u32) -> Duration {
        let factor = 1_u32.checked_shl(restarts).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.most)
    }
}

/// The restarts in a row of one child whose restarts are put off.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Streak {
    restarts: u32,
    /// When the last of them came to run.
    running_since: Option<Duration>,
}

impl Streak {
    /// One restart more. Returns for how long it is put off.
    pub(super) fn restart(&mut self, backoff: Backoff, now: Duration) -> Duration {
        let healthy = |since| now.saturating_sub(since) >= backoff.reset_after;
        if self.running_since.take().is_some_and(healthy) {
            self.restarts = 0;
        }
        let delay = backoff.delay(self.restarts);
        self.restarts = self.restarts.saturating_add(1);
        delay
    }

    /// The child runs.
    pub(super) fn runs(&mut self, now: Duration) {
        self.running_since = Some(now);
    }
}
