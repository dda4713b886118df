//! What can become of an element other than a value.

use std::{error::Error, fmt};

use erlang_process::ExitReason;

/// Why an element has no value.
///
/// Counterpart: the reason in `{:exit, reason}`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElementError {
    /// Its task ended without a value, for this reason.
    Exited(ExitReason),
    /// Its task could not be started: the supervisor it was to be under is gone, or full. In
    /// [`ExitReason::Error`] lies the `SupervisorError`.
    NotStarted(ExitReason),
    /// Its task was not done in time, and was killed.
    Timeout,
}

impl fmt::Display for ElementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(reason) => write!(f, "the task ended without a value: {reason}"),
            Self::NotStarted(reason) => write!(f, "the task was not started: {reason}"),
            Self::Timeout => f.write_str("the task was not done in time and was killed"),
        }
    }
}

impl Error for ElementError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Exited(reason) | Self::NotStarted(reason) => Some(reason),
            Self::Timeout => None,
        }
    }
}

/// An element of a stream that has no value: which one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed<I = ()> {
    /// The place of the element in the source, from zero.
    pub index: usize,
    /// The element, if the stream was told to [keep it](super::AsyncStream::zip_input_on_exit).
    pub input: I,
    /// Why.
    pub error: ElementError,
}

impl<I> fmt::Display for Failed<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "element {}: {}", self.index, self.error)
    }
}

impl<I: fmt::Debug> Error for Failed<I> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
