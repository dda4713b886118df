//! Registries. Tests that begin with `regx_` are named by their rows in the catalogue of semantics.

#![allow(clippy::unwrap_used)]

mod addresses;
mod keys;
mod listeners;
mod locks;
mod meddlers;

use std::{future::pending, time::Duration};

use erlang_process::{self as process, Node, Pid, Subject};
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);

/// How often a race is run.
const ROUNDS: usize = 1000;

/// A process that does this and then stays.
async fn doing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (Pid, T) {
    let (sender, done) = oneshot::channel();
    let pid = process::spawn_unlinked(async move {
        drop(sender.send(work()));
        pending::<()>().await;
    });
    (pid, done.await.unwrap())
}

/// Ends a process and waits until that is over.
async fn end(pid: Pid) {
    process::kill(pid);
    process::join(pid).await;
}

/// Everything that is in the mailbox for this subject.
async fn received<M: Send + 'static>(subject: &Subject<M>) -> Vec<M> {
    let mut messages = Vec::new();
    while let Ok(message) = subject.receive(Duration::ZERO).await {
        messages.push(message);
    }
    messages
}

/// Runs a test as a process of a node of its own.
async fn on_a_node<F: Future<Output = ()> + Send + 'static>(test: F) {
    Node::new().run(test).await.unwrap();
}
