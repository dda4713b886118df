//! Our own: processes with their own subjects, calls, names and monitors.

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
        Work::Spawn { linked: false } => Box::pin(spawn::run()),
        Work::Spawn { linked: true } => Box::pin(spawn::run_linked()),
        Work::Idle { linked: false } => Box::pin(idle::run()),
        Work::Idle { linked: true } => Box::pin(in_process(idle::run())),
        Work::Call { timeout: false } => Box::pin(call::run(std::time::Duration::MAX)),
        Work::Call { timeout: true } => Box::pin(call::run(std::time::Duration::from_secs(5))),
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

/// Runs a future as a process, as everything that is measured does.
async fn in_process<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    erlang_process::run(future).await.expect("the process ends by itself")
}
