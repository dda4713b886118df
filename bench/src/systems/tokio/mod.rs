//! Bare tokio: a task and an unbounded channel for a process, a oneshot for a reply, a `JoinSet` for
//! monitors, a `DashMap` for names, a loop that spawns again for a supervisor.

mod call;
mod fan_out;
mod idle;
mod monitor;
mod names;
mod restart;
mod ring;
mod send;
mod spawn;
mod tree;

use super::Sample;
use crate::row::Work;

pub(super) fn sample(work: Work) -> Option<Sample> {
    Some(match work {
        // A task has no links.
        Work::Spawn { .. } => Box::pin(spawn::run()),
        Work::Idle { .. } => Box::pin(idle::run()),
        Work::Call { timeout: false } => Box::pin(call::run()),
        Work::Call { timeout: true } => Box::pin(call::run_with_timeout()),
        Work::Send { producers } => Box::pin(send::run(producers)),
        Work::Ring { tokens } => Box::pin(ring::run(tokens)),
        Work::FanOut => Box::pin(fan_out::run()),
        Work::Lookup { lookers } => Box::pin(names::look_up(lookers)),
        Work::NamedSend { producers } => Box::pin(names::send(producers)),
        Work::Monitor => Box::pin(monitor::run()),
        Work::Restart { by } => Box::pin(restart::run(by)),
        Work::Start => Box::pin(async { tree::run().await.start }),
        Work::Stop => Box::pin(async { tree::run().await.stop }),
    })
}

/// Runs a future as a task, as everything that is measured does.
async fn in_task<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(future).await.expect("the task ends by itself")
}
