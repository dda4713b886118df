//! A worker: takes a job, runs it, takes the next.

use std::{process::Stdio, time::Duration};

use erlang_process::{ExitReason, Selector, current, trap_exits};
use tokio::process::Command;

use crate::store::{Job, Message, STORE};

pub(crate) async fn work() -> Result<(), ExitReason> {
    // So that it is asked to end, and ends between two jobs.
    trap_exits(true).map_err(ExitReason::error)?;
    let mut exits = Selector::new().select_trapped_exits(|exit| exit.reason);
    let Some(own) = current() else { return Ok(()) };
    let store = STORE.subject();
    loop {
        let job = tokio::select! {
            biased;
            reason = exits.receive_forever() => return Err(reason.map_err(ExitReason::error)?),
            job = store.call(Duration::MAX, |reply| Message::Take(own, reply)) => job,
        };
        let Job { number, command } = job.map_err(ExitReason::error)?;
        let outcome = run(&command).await;
        // Not before this is known may the worker end.
        let noted = store.call(Duration::MAX, |reply| Message::Ended(number, outcome, reply)).await;
        noted.map_err(ExitReason::error)?;
    }
}

async fn run(command: &str) -> Result<(), String> {
    let mut shell = Command::new("sh");
    // A worker that is killed takes the command with it.
    shell.args(["-c", command]).stdin(Stdio::null()).kill_on_drop(true);
    match shell.status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
