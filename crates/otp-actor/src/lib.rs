#![doc = include_str!("../README.md")]

mod builder;
mod handler;
mod next;
mod server;
mod start;

pub use crate::{
    builder::{Builder, Init, Initialised, Initialiser, New, State, new, with_initialiser},
    handler::{AsyncFnHandler, AsyncHandler, FnHandler, Handler},
    next::{IntoNext, Next, Selecting},
    start::{InitAck, StartError, Started, start_process},
};
