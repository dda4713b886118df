#![doc = include_str!("../README.md")]

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
