//! Calls that are answered by nobody.

#![allow(clippy::unwrap_used)]

use std::{future::pending, time::Duration};

use erlang_process::{self as process, CallError, ExitReason, Node, Reply, Spawn, Subject};
use tokio::sync::oneshot;

/// Runs a test as a process of a node of its own.
async fn on_a_node<F: Future<Output = ()> + Send + 'static>(test: F) {
    Node::new().run(test).await.unwrap();
}

/// A process that hands the reply of the first request on, and ends; and that reply.
fn leaving() -> (Subject<Reply<()>>, oneshot::Receiver<Reply<()>>) {
    let (hand, handed) = oneshot::channel();
    let spawn = Spawn::new().unlinked().prepare(|requests: Subject<Reply<()>>| async move {
        hand.send(requests.receive_forever().await.unwrap()).unwrap();
        Err::<(), _>(ExitReason::Shutdown)
    });
    let prepared = spawn.unwrap();
    let subject = prepared.subject();
    prepared.start();
    (subject, handed)
}

#[tokio::test]
async fn a_reply_that_outlives_its_process_says_what_is_known_when_it_is_dropped() {
    on_a_node(async {
        let node = Node::current();
        for (by_a_process, told) in [(false, CallError::NoProc), (true, CallError::Unanswered)] {
            let (server, handed) = leaving();
            let ended = node.join(server.pid().unwrap());
            let dropping = async move {
                let reply = handed.await.unwrap();
                ended.await;
                drop(reply);
                pending::<()>().await;
            };
            if by_a_process {
                process::spawn(dropping);
            } else {
                tokio::spawn(dropping);
            }
            assert_eq!(server.call(Duration::MAX, |reply| reply).await, Err(told));
        }
    })
    .await;
}
