#![doc = include_str!("../README.md")]

mod child_info;
mod child_spec;
mod error;
mod report;
mod shell;
mod stop;
mod supervised;
mod unresponsive;

pub mod application;
pub mod factory_supervisor;
pub mod partition_supervisor;
pub mod semantics;
pub mod static_supervisor;
pub mod supervisor_bridge;
#[cfg(feature = "testing")]
pub mod testing;

/// What children are made of: [`worker`](supervision::worker), [`supervisor`](supervision::supervisor) and
/// [`process`](supervision::process).
///
/// Counterpart: `gleam/otp/supervision`.
pub mod supervision {
    pub use crate::child_spec::{process, supervisor, worker};
}

pub use crate::{
    child_info::ChildInfo,
    child_spec::{ChildId, ChildSpec, FailedToStartChild},
    error::SupervisorError,
    semantics::{
        AutoShutdown, Backoff, ChildType, Counts, FlagsError, Presence, Restart, RulesError, SetupError,
        Shutdown, Strategy,
    },
    supervised::Supervised,
};
