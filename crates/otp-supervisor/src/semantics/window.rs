//! How often is too often: the restart intensity.

use std::{collections::VecDeque, time::Duration};

/// The restarts of the last period, and the decision whether one more is allowed.
///
/// The clock is read as Erlang reads it: in whole seconds, cut off, both edges of the period included. A restart
/// at second *t* still counts at second *t + period*. Since the seconds are cut off, two restarts count together
/// when they are less than a period apart, do not when they are a period and a second or more apart, and in
/// between it depends on where the second hand stood. A period that is not a whole number of seconds, which
/// Erlang does not know, is measured exactly.
///
/// ```
/// use std::time::Duration;
/// use otp_supervisor::semantics::Window;
///
/// let mut window = Window::new(1, Duration::from_secs(5));
/// assert!(window.admit(Duration::from_secs(10)));
/// assert!(!window.admit(Duration::from_millis(15_999)), "second 15 is still in the window of second 10");
/// assert!(window.admit(Duration::from_secs(16)));
/// ```
///
/// At most `intensity` instants are kept, and a decision costs amortized constant time.
///
/// Counterpart: `add_restart` in `supervisor.erl`.
#[derive(Clone, Debug)]
pub struct Window {
    intensity: u32,
    period: Duration,
    restarts: VecDeque<Duration>,
}

impl Window {
    /// An empty window that tolerates `intensity` restarts within one `period`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::Window;
    ///
    /// // Zero: the first one is too many.
    /// let mut strict = Window::new(0, Duration::from_secs(5));
    /// assert!(!strict.admit(Duration::from_secs(10)));
    /// ```
    #[must_use]
    pub fn new(intensity: u32, period: Duration) -> Self {
        Self { intensity, period, restarts: VecDeque::new() }
    }

    /// How many restarts are tolerated, and within which period.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::Window;
    ///
    /// let window = Window::new(3, Duration::from_secs(5));
    /// assert_eq!(window.limits(), (3, Duration::from_secs(5)));
    /// ```
    #[must_use]
    pub fn limits(&self) -> (u32, Duration) {
        (self.intensity, self.period)
    }

    /// The same restarts, with other limits from here on.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::Window;
    ///
    /// let now = Duration::from_secs(10);
    /// let mut window = Window::new(1, Duration::from_secs(5));
    /// assert!(window.admit(now));
    /// // One has been, so that there is room for one more.
    /// window.change(2, Duration::from_secs(5));
    /// assert!(window.admit(now));
    /// assert!(!window.admit(now));
    /// ```
    pub fn change(&mut self, intensity: u32, period: Duration) {
        self.intensity = intensity;
        self.period = period;
    }

    /// Counts one restart at `now`, if it is allowed; if it is not, the supervisor gives up.
    ///
    /// `now` is the time since an arbitrary but constant instant. A clock that steps back
    /// forgets nothing early.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::Window;
    ///
    /// let mut window = Window::new(2, Duration::from_secs(60));
    /// let admitted = [0, 1, 2, 61, 62].map(|second| window.admit(Duration::from_secs(second)));
    /// assert_eq!(admitted, [true, true, false, true, true]);
    /// ```
    #[must_use]
    pub fn admit(&mut self, now: Duration) -> bool {
        let period = self.period;
        let whole_seconds = period.subsec_nanos() == 0;
        let now = if whole_seconds { Duration::from_secs(now.as_secs()) } else { now };
        while self.restarts.front().is_some_and(|then| then.saturating_add(period) < now) {
            self.restarts.pop_front();
        }
        let allowed = self.restarts.len() < self.intensity as usize;
        if allowed {
            self.restarts.push_back(now);
        }
        allowed
    }
}
