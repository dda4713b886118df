//! Who asked for a task: the processes on whose behalf it runs.

use erlang_process::{Node, Pid, current};

/// The processes on whose behalf the calling one runs, the nearest first: who awaits this task, who awaits that
/// one if it is a task itself, and so on, sixteen at most. Empty outside any process.
///
/// A task under a supervisor was *spawned* by the supervisor, which is what the
/// [ancestors](erlang_process::Info::ancestors) of its [`Info`](erlang_process::Info) say; who has *asked* for it, its
/// [callers](erlang_process::Info::callers). For all other processes both are the same.
///
/// ```
/// use std::time::Duration;
/// use erlang_process as process;
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let asked_by = task::spawn(async { task::callers() });
/// let callers = asked_by.await_timeout(Duration::from_secs(1)).await?;
/// assert_eq!(callers.first().copied(), process::current());
/// # Ok::<_, task::AwaitError>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `Process.get(:"$callers")` in Elixir.
#[must_use]
pub fn callers() -> Vec<Pid> {
    current().and_then(|pid| Node::current().info(pid)).map(|info| info.callers).unwrap_or_default()
}

/// The callers of a task that the calling process asks for and another one spawns.
pub(crate) fn of_my_task() -> Vec<Pid> {
    current().into_iter().chain(callers()).collect()
}
