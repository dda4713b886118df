//! System messages: look into any actor while it runs, suspend it, resume it, replace its state.
//!
//! Every actor and every supervisor of this family answers them; its author does nothing for it. A process of
//! your own can, too: see [`System`].
//!
//! ```
//! use std::time::Duration;
//!
//! # async fn example(pid: erlang_process::Pid) -> Result<(), otp_system::SystemError> {
//! let second = Duration::from_secs(1);
//! otp_system::suspend(pid, second).await?;
//! let count = otp_system::get_state(pid, second, |count: &u64| *count).await?;
//! otp_system::replace_state(pid, second, move |_: &u64| count + 1).await?;
//! otp_system::resume(pid, second).await?;
//! println!("{:?}", otp_system::get_status(pid, second).await?);
//! # Ok(())
//! # }
//! ```
//!
//! A system message waits its turn in the mailbox like any other. State is reached by a function that runs
//! inside the process, so that it needs neither `Clone` nor `Debug`; asking for a state of the wrong type is
//! an error that names both types.
//!
//! Counterpart: the module `sys` in Erlang, `gleam/otp/system` in Gleam.

mod client;
mod debug;
mod debug_client;
mod error;
mod event;
mod message;
mod system;

pub use crate::{
    client::{change_code, get_state, get_status, replace_state, resume, suspend, terminate},
    debug::{DebugOptions, Debugging, Statistics},
    debug_client::{counted, install, log, log_to_file, logged, no_debug, remove, statistics, trace},
    error::SystemError,
    event::{Event, EventKind, LoggedEvent},
    message::{DebugRequest, Mode, StatusInfo, SystemMessage, Visit},
    system::{After, System},
};
