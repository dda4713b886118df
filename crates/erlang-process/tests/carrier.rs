//! What a carrier may do, and what becomes of processes when it does.

#![allow(clippy::unwrap_used)]

use std::task::{Context, Poll};

use erlang_process::{
    Carrier, Dest, ExitReason, Node, NodeEvent, NodeId, Pid, Reply, Signal, Spawn, Subject, TooManyNodes,
    Undelivered,
};

/// Panics instead of taking anything.
struct Broken;

impl Carrier for Broken {
    fn deliver(&self, _: Option<Pid>, _: Dest, _: Signal) -> Result<(), Undelivered> {
        panic!("the carrier's");
    }

    fn poll_ready(&self, _: NodeId, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

#[tokio::test]
async fn a_carrier_that_panics_ends_nobody_who_did_not_call_it() {
    let node = Node::new();
    assert!(node.set_carrier(Box::new(Broken)).is_ok());
    let far = Pid::from_parts(node.node_id("far", 1).unwrap(), 7, 0);
    let server = Spawn::new().on(&node).prepare(|requests: Subject<Reply<()>>| async move {
        while let Ok(reply) = requests.receive_forever().await {
            reply.send(());
        }
    });
    let server = server.unwrap();
    let (pid, requests, ended) = (server.pid(), server.subject(), server.ended());
    server.start();
    for peer in [far, Pid::from_parts(far.node(), 8, 0)] {
        node.signal(Some(peer), pid, Signal::Link);
        node.signal(Some(peer), pid, Signal::Unlink(1));
    }
    // When it runs, it owes two acknowledgements.
    requests.call(std::time::Duration::from_secs(60), |reply| reply).await.unwrap();
    node.signal(None, pid, Signal::Exit { reason: ExitReason::Kill, link: false });
    assert_eq!(ended.await, ExitReason::Killed);
}

#[test]
fn nodes_that_are_forgotten_make_room_for_others() {
    let node = Node::new();
    let stays = node.node_id("stays", 1).unwrap();
    let known: Vec<_> = (1..65_536).map(|creation| node.node_id("comes back", creation).unwrap()).collect();
    assert_eq!(node.node_id("another", 1), Err(TooManyNodes));
    assert_eq!(node.node_id("stays", 1), Ok(stays));

    node.announce(NodeEvent::Up(stays));
    node.announce(NodeEvent::Up(known[0]));
    assert_eq!(node.nodes(), [stays, known[0]]);
    for id in &known {
        assert!(node.forget_node(*id));
    }
    assert!(!node.forget_node(known[0]));
    assert_eq!((node.nodes(), node.node_name(known[0])), (vec![stays], None));
    // It is another one.
    let again = node.node_id("comes back", 1).unwrap();
    assert!(!known.contains(&again));
    assert_eq!(
        node.node_name(again).map(|(name, creation)| (name.to_string(), creation)),
        Some(("comes back".into(), 1))
    );
    // Nor does it come back by what is said of it.
    node.announce(NodeEvent::Up(known[0]));
    node.announce(NodeEvent::Down(stays));
    assert_eq!(node.nodes(), []);
}
