//! Our own: processes with their own subjects, calls, names and monitors; actors, tasks and supervisors.

mod actor;
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

use std::time::Duration;

use super::Sample;
use crate::row::{Row, Work};

pub(super) fn sample(row: &Row) -> Option<Sample> {
    let count = row.count;
    Some(match row.work {
        Work::Spawn { linked: false } => Sample::tokio(spawn::run(count)),
        Work::Spawn { linked: true } => Sample::tokio(spawn::run_linked(count)),
        Work::Idle { linked: false } => Sample::tokio(idle::run(count)),
        Work::Idle { linked: true } => Sample::tokio(in_process(idle::run(count))),
        Work::Call { timeout: false } => Sample::tokio(call::run(count, Duration::MAX)),
        Work::Call { timeout: true } => Sample::tokio(call::run(count, Duration::from_secs(5))),
        Work::Send { producers } => Sample::tokio(send::run(count, producers)),
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
        Work::ActorStart => Sample::tokio(actor::start(count)),
        Work::ActorIdle => Sample::tokio(actor::idle(count)),
        Work::ActorCall => Sample::tokio(actor::call(count)),
        Work::ActorSend { producers } => Sample::tokio(actor::send(count, producers)),
    })
}

/// Runs a future as a process, as everything that is measured does.
pub(crate) async fn in_process<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    erlang_process::run(future).await.expect("the process ends by itself")
}
