//! Why awaiting a task failed.

use std::{error::Error, fmt};

use erlang_process::ExitReason;

/// Why awaiting a task brought no value.
///
/// Counterpart: the exit of the caller of `Task.await/2` in Elixir, `AwaitError` of the former task module in
/// Gleam.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AwaitError {
    /// The task was not done in time. It goes on, and its value will be dropped.
    Timeout,
    /// The task ended without a value, for this reason.
    Exited(ExitReason),
    /// The caller is not the process that spawned the task: nobody else can await it. The task goes on.
    NotOwner,
}

impl fmt::Display for AwaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("the task was not done in time"),
            Self::Exited(reason) => write!(f, "the task ended without a value: {reason}"),
            Self::NotOwner => f.write_str("only the process that spawned a task can await it"),
        }
    }
}

impl Error for AwaitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Exited(reason) => Some(reason),
            Self::Timeout | Self::NotOwner => None,
        }
    }
}

/// Why awaiting several tasks failed: which of them, and how. Turned into an [`AwaitError`] by `?` where it does not
/// matter which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitAllError {
    /// The place of the task among those that were awaited, from zero.
    pub index: usize,
    /// Why it brought no value.
    pub error: AwaitError,
}

impl fmt::Display for AwaitAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} of those awaited: {}", self.index, self.error)
    }
}

impl Error for AwaitAllError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl From<AwaitAllError> for AwaitError {
    fn from(error: AwaitAllError) -> Self {
        error.error
    }
}
