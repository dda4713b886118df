//! Why something could not be done to a registry.

use std::{error, fmt};

use crate::{pid::Pid, process::NotAProcess};

/// Why a process could not be registered under a key.
///
/// Counterpart: the errors of `Registry.register/3` in Elixir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryError {
    /// A process holds the key of a unique registry.
    AlreadyRegistered {
        /// The process that holds it, which may be the calling one.
        holder: Pid,
    },
    /// The caller is not a process of the registry's node, or is about to end.
    NotAProcess,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRegistered { holder } => write!(f, "the key is registered by {holder}"),
            Self::NotAProcess => f.write_str("the caller is not a process of the registry's node"),
        }
    }
}

impl error::Error for RegistryError {}

impl From<NotAProcess> for RegistryError {
    fn from(_: NotAProcess) -> Self {
        Self::NotAProcess
    }
}

/// The calling process does not hold the key.
///
/// Counterpart: `:error` of `Registry.update_value/3` in Elixir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHolder;

impl fmt::Display for NotHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the calling process does not hold the key")
    }
}

impl error::Error for NotHolder {}
