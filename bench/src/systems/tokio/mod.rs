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
mod supervisor;
mod tasks;

use super::Sample;
use crate::row::{Row, Work};

pub(super) fn sample(row: &Row) -> Option<Sample> {
    let count = row.count;
    Some(match row.work {
        // A task has no links, and one that handles messages is an actor.
        Work::Spawn { .. } => Sample::tokio(spawn::run(count)),
        // Whoever starts an actor waits until it is initialised.
        Work::ActorStart => Sample::tokio(supervisor::start(count)),
        Work::Idle { .. } | Work::ActorIdle => Sample::tokio(idle::run(count)),
        Work::Call { timeout: false } | Work::ActorCall => Sample::tokio(call::run(count)),
        Work::Call { timeout: true } => Sample::tokio(call::run_with_timeout(count)),
        Work::Send { producers } | Work::ActorSend { producers } => {
            Sample::tokio(send::run(count, producers))
        }
        Work::SendFromThreads { producers } => Sample::tokio(send::run_from_threads(count, producers)),
        Work::Ring { tokens } => Sample::tokio(ring::run(count, tokens)),
        Work::FanOut => Sample::tokio(fan_out::run(count)),
        Work::Lookup { lookers } => Sample::tokio(names::look_up(count, lookers)),
        Work::NamedSend { producers } => Sample::tokio(names::send(count, producers)),
        Work::Monitor => Sample::tokio(monitor::run(count)),
        Work::Restart { by } => Sample::tokio(restart::run(count, by)),
        Work::SupervisorStart => Sample::tokio(supervisor::start(count)),
        Work::SupervisorStop => Sample::tokio(supervisor::stop(count)),
        Work::Tasks => Sample::tokio(tasks::run(count)),
    })
}

/// Runs a future as a task, as everything that is measured does.
pub(crate) async fn in_task<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(future).await.expect("the task ends by itself")
}
