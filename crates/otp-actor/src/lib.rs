#![doc = include_str!("../README.md")]

pub mod agent;
mod builder;
mod callbacks;
mod gen_server;
mod handler;
mod init;
mod multi_call;
mod next;
mod report;
mod request;
mod requests;
mod sealed;
mod server;
mod start;
mod stop;
mod then;

pub use crate::{
    builder::{Builder, New, new, with_initialiser},
    callbacks::AsyncTerminate,
    gen_server::{GenServer, Server, ServerArgs, server},
    handler::{AsyncFnHandler, AsyncHandler, FnHandler, Handler},
    init::{BoxError, Init, Initialised, Initialiser, State},
    multi_call::{abcast, multi_call},
    next::{IntoNext, Next, Step},
    request::{Request, send_request},
    requests::Requests,
    start::{
        InitAck, StartError, Started, start_process, start_process_cooperatively, start_process_monitored,
    },
    stop::stop,
};
