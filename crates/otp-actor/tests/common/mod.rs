//! What the suites share.

#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each suite takes what it needs")]

use std::time::Duration;

use erlang_process::{self as process, ExitMessage, ExitReason, Node, Pid, Selector};
use tokio::sync::oneshot;

/// How often a race is run.
pub(crate) const ROUNDS: usize = 1000;

/// Long enough for whatever is about to happen anyway.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Runs as a process, on a node of its own; what fails inside fails the test.
pub(crate) async fn run<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
    process::capture_panics();
    Node::new().run(body).await.unwrap_or_else(|reason| panic!("{reason}"))
}

/// Takes everything that lies in the calling process's mailbox.
pub(crate) async fn mailbox() -> Vec<String> {
    let mut everything = Selector::new()
        .select_trapped_exits(|exit: ExitMessage| format!("exit {}", exit.reason))
        .select_other(|message| message.to_string());
    let mut found = Vec::new();
    while let Ok(message) = everything.receive(Duration::ZERO).await {
        found.push(message);
    }
    found
}

/// The next exit that the calling process traps.
pub(crate) async fn trapped() -> ExitMessage {
    Selector::new().select_trapped_exits(|exit| exit).receive(PATIENCE).await.unwrap()
}

/// Nothing but the calling process is on its node, and nothing has come of what was: no process, no name, no
/// relation, no message.
pub(crate) async fn assert_nothing_is_left() {
    let node = Node::current();
    let me = process::current().unwrap();
    assert_eq!(node.processes(), [me]);
    assert_eq!(node.registered(), []);
    let info = node.info(me).unwrap();
    assert_eq!((info.links, info.monitors, info.monitored_by), (vec![], vec![], vec![]));
    assert_eq!(mailbox().await, Vec::<String>::new());
}

/// The reason for which a process ends, however soon it does: it is watched when this returns.
pub(crate) fn end_of(pid: Pid) -> impl Future<Output = ExitReason> + Send {
    let monitor = process::monitor(pid).unwrap();
    async move { monitor.down().await.unwrap().reason }
}

/// Tells when it is dropped.
pub(crate) struct Told(Option<oneshot::Sender<()>>);

impl Told {
    pub(crate) fn new() -> (Self, oneshot::Receiver<()>) {
        let (sender, dropped) = oneshot::channel();
        (Self(Some(sender)), dropped)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.take().map(|sender| sender.send(()));
    }
}
