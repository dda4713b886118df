//! What holds for a supervisor as a whole.

use std::time::Duration;

use super::FlagsError;

/// Who else is restarted along with a child.
///
/// `simple_one_for_one` is not among these: it is a machine of its own, [`Factory`](super::Factory).
///
/// Counterpart: `strategy()` in Erlang, `Strategy` in Gleam.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Nobody.
    #[default]
    OneForOne,
    /// Everybody: the others are stopped in reverse start order, then all are started in start order.
    OneForAll,
    /// Those that were started after it, in the same manner. The earlier ones notice nothing.
    RestForOne,
}

/// Whether the end of significant children ends the supervisor.
///
/// Only an end that the child came to *by itself*, and that is not answered by a restart, counts.
///
/// Counterpart: `auto_shutdown()` in Erlang, `AutoShutdown` in Gleam.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AutoShutdown {
    /// It does not, and no child may be significant.
    #[default]
    Never,
    /// The end of any one does.
    AnySignificant,
    /// The end of the last one does.
    AllSignificant,
}

impl AutoShutdown {
    /// Whether the end of one significant child, after which `left` others are still there, ends the supervisor.
    ///
    /// A child that is waiting for its restart is there, and so is one that is dead but whose exit has not been
    /// handled; one that was terminated through the API is not.
    ///
    /// ```
    /// use otp_supervisor::AutoShutdown;
    ///
    /// // One has ended, another is there.
    /// assert!(AutoShutdown::AnySignificant.fires(1));
    /// assert!(!AutoShutdown::AllSignificant.fires(1));
    /// ```
    ///
    /// Counterpart: `do_auto_shutdown`.
    #[must_use]
    pub fn fires(self, left: usize) -> bool {
        match self {
            Self::Never => false,
            Self::AnySignificant => true,
            Self::AllSignificant => left == 0,
        }
    }
}

/// The flags of a static [`Supervisor`](super::Supervisor).
///
/// Counterpart: `sup_flags()` in Erlang. The default is Erlang's: `one_for_one`, one restart in five seconds, no
/// automatic shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Who is restarted along with a child.
    pub strategy: Strategy,
    /// How many restarts within one [`period`](Self::period) are tolerated. Zero: the first one needed is the end.
    pub intensity: u32,
    /// The period of the restart intensity. Not zero; see [`Window`](super::Window) for how it is measured.
    pub period: Duration,
    /// Whether the end of significant children ends the supervisor.
    pub auto_shutdown: AutoShutdown,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            intensity: 1,
            period: Duration::from_secs(5),
            auto_shutdown: AutoShutdown::Never,
        }
    }
}

/// The flags of a [`Factory`](super::Factory).
///
/// The strategy is always one for one, and there is no automatic shutdown: since OTP 27 Erlang refuses to combine
/// the two, and Elixir always did.
///
/// Counterpart: `sup_flags()` with `simple_one_for_one` in Erlang, the options of `DynamicSupervisor` in Elixir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactoryFlags {
    /// As [`Flags::intensity`].
    pub intensity: u32,
    /// As [`Flags::period`].
    pub period: Duration,
    /// How many children there may be at a time, those waiting for their restart included. `None`: any number.
    pub max_children: Option<usize>,
}

impl Default for FactoryFlags {
    fn default() -> Self {
        let Flags { intensity, period, .. } = Flags::default();
        Self { intensity, period, max_children: None }
    }
}

/// What is wrong with a period, if anything.
pub(super) fn check_period(period: Duration) -> Result<(), FlagsError> {
    if period.is_zero() { Err(FlagsError::InvalidPeriod) } else { Ok(()) }
}
