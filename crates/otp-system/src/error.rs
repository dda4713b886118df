//! Why a system request failed.

use std::{error::Error, fmt};

use erlang_process::{CallError, SharedError};

/// Why a system request failed.
///
/// Two are equal when they are of one kind and say the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SystemError {
    /// The process did not answer: it is not there, it ended, or the time was over. A process that does not
    /// speak the protocol lets the time run out.
    Call(CallError),
    /// The state is of another type.
    WrongState {
        /// The type that was asked for.
        expected: &'static str,
        /// The type of the state.
        found: &'static str,
    },
    /// The function that was to visit the state panicked, with this text.
    CallbackFailed(String),
    /// This can be done with a suspended process only.
    NotSuspended,
    /// The change of the state failed with this error, and the state is what it was.
    ChangeFailed(SharedError),
    /// The process cannot write to this file.
    OpenFile(SharedError),
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::WrongState { expected, found } => write!(f, "the state is a {found}, not a {expected}"),
            Self::CallbackFailed(text) => write!(f, "the visit to the state panicked: {text}"),
            Self::NotSuspended => f.write_str("the process is not suspended"),
            Self::ChangeFailed(error) => write!(f, "the change of the state failed: {error}"),
            Self::OpenFile(error) => write!(f, "the file cannot be opened: {error}"),
        }
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Call(error) => error.source(),
            Self::ChangeFailed(error) | Self::OpenFile(error) => Some(&**error),
            Self::WrongState { .. } | Self::CallbackFailed(_) | Self::NotSuspended => None,
        }
    }
}

impl PartialEq for SystemError {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.to_string() == other.to_string()
    }
}

impl Eq for SystemError {}

impl From<CallError> for SystemError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}
