//! Why something could not be done to a group.

use std::{error, fmt};

/// Why nobody has joined a group.
///
/// Counterpart: what `pg:join/3` raises for pids of other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// There is no such process.
    NoProc,
    /// The process lives on another node than the scope.
    NotLocal,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoProc => "there is no such process",
            Self::NotLocal => "the process lives on another node",
        })
    }
}

impl error::Error for JoinError {}

/// The process is not a member of the group.
///
/// Counterpart: `not_joined`, which `pg:leave/3` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJoined;

impl fmt::Display for NotJoined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process is not a member of the group")
    }
}

impl error::Error for NotJoined {}
