#![doc = include_str!("../README.md")]

mod await_all;
#[cfg(feature = "supervised")]
mod called;
mod callers;
mod error;
mod many;
mod slot;
mod spawn;
mod stream;
#[cfg(feature = "supervised")]
mod supervised;
mod task;
mod woken;
mod work;
mod yield_many;
mod yield_several;

pub use crate::{
    await_all::{await_all, await2, await3, await4},
    callers::callers,
    error::{AwaitAllError, AwaitError},
    spawn::{completed, spawn, spawn_blocking, spawn_blocking_unlinked, spawn_unlinked},
    stream::{
        AsyncStream, ElementError, Failed, Iter, Progress, ProgressWatch, StreamOnTimeout, async_stream,
        async_stream_from,
    },
    task::Task,
    yield_many::{YieldMany, YieldOnTimeout, yield_many},
    yield_several::{yield2, yield3, yield4},
};

#[cfg(feature = "supervised")]
pub use crate::supervised::{Supervisor, SupervisorBuilder, SupervisorMessage};
