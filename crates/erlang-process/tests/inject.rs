//! What carriers put in.

#![allow(clippy::unwrap_used)]

use std::{future::pending, pin::pin, time::Duration};

use erlang_process::{
    Bound, Dest, ExitReason, InjectError, MailboxFull, Name, Node, Prepared, Signal, Spawn, Subject, WhenFull,
};
use tokio::time::timeout;

/// A process that takes numbers, with room for one.
fn reader(node: &Node, when_full: WhenFull) -> Prepared<u32, impl Future<Output = ()> + Send + use<>> {
    node.expose::<u32>(|body| body.downcast().map(|number| *number));
    let room = Bound::new(1, when_full);
    Spawn::new().on(node).mailbox(room).prepare(|_: Subject<u32>| pending::<()>()).unwrap()
}

fn queue(node: &Node, reader: &Prepared<u32, impl Future<Output = ()> + Send + 'static>) -> u64 {
    node.info(reader.pid()).unwrap().message_queue_len
}

#[tokio::test]
async fn a_mailbox_that_is_full_says_so_and_gives_the_body_back() {
    for when_full in [WhenFull::Wait, WhenFull::Refuse] {
        let node = Node::new();
        let reader = reader(&node, when_full);
        node.inject(reader.pid(), Box::new(1_u32)).unwrap();
        let Err(InjectError::Full(body)) = node.inject(reader.pid(), Box::new(2_u32)) else { panic!() };
        assert_eq!(body.downcast_ref(), Some(&2_u32));
        assert_eq!(queue(&node, &reader), 1);
    }
}

#[tokio::test]
async fn a_mailbox_that_drops_what_is_too_much_has_taken_it() {
    for when_full in [WhenFull::DropNewest, WhenFull::DropOldest] {
        let node = Node::new();
        let reader = reader(&node, when_full);
        for number in 1..=3_u32 {
            node.inject(reader.pid(), Box::new(number)).unwrap();
        }
        assert_eq!(queue(&node, &reader), 1);
    }
}

#[tokio::test]
async fn a_process_that_would_rather_end_does() {
    let node = Node::new();
    let reader = reader(&node, WhenFull::Exit);
    let ended = reader.ended();
    node.inject(reader.pid(), Box::new(1_u32)).unwrap();
    let refused = node.inject(reader.pid(), Box::new(2_u32));
    assert!(matches!(refused, Err(InjectError::NoProc)));
    drop(reader);
    assert_eq!(ended.await, ExitReason::error(MailboxFull { capacity: 1 }));
}

#[tokio::test]
async fn room_that_was_kept_for_what_is_no_message_is_free_again() {
    let node = Node::new();
    let reader = reader(&node, WhenFull::Wait);
    let refused = node.inject(reader.pid(), Box::new("one"));
    assert!(matches!(refused, Err(InjectError::Refused(_))));
    let refused = node.inject_wait(reader.pid(), Box::new("one")).await;
    assert!(matches!(refused, Err(InjectError::Refused(_))));
    node.inject_wait(reader.pid(), Box::new(1_u32)).await.unwrap();
    assert_eq!(queue(&node, &reader), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_gets_it_or_learns_of_the_end() {
    let node = Node::new();
    let full = reader(&node, WhenFull::Wait);
    let pid = full.pid();
    node.inject(pid, Box::new(1_u32)).unwrap();
    let mut second = pin!(node.inject_wait(pid, Box::new(2_u32)));
    assert!(timeout(Duration::from_secs(1), &mut second).await.is_err());
    drop(full);
    assert!(matches!(second.await, Err(InjectError::NoProc)));

    let room = Bound::new(1, WhenFull::Wait);
    let reads = Spawn::new().on(&node).mailbox(room).prepare(|numbers: Subject<u32>| async move {
        for number in 1..=3 {
            assert_eq!(numbers.receive_forever().await, Ok(number));
        }
    });
    let reads = reads.unwrap();
    let (pid, ended) = (reads.pid(), reads.ended());
    reads.start();
    for number in 1..=3_u32 {
        node.inject_wait(pid, Box::new(number)).await.unwrap();
    }
    assert_eq!(ended.await, ExitReason::Normal);
}

#[tokio::test]
async fn what_is_for_another_node_is_for_nobody_here() {
    let node = Node::new();
    let name = Name::<u32>::new("numbers");
    node.expose::<u32>(|body| body.downcast().map(|number| *number));
    let pid = Spawn::new().on(&node).named(name).prepare(|_: Subject<u32>| pending::<()>()).unwrap().start();
    let far = node.node_id("far", 1).unwrap();
    let there = Dest::Name(name.registered_name(), far);
    assert!(matches!(node.inject(there, Box::new(1_u32)), Err(InjectError::NoProc)));
    assert_eq!(node.info(pid).unwrap().message_queue_len, 0);
    node.inject(name.registered_name(), Box::new(1_u32)).unwrap();
    assert_eq!(node.info(pid).unwrap().message_queue_len, 1);
    node.signal(None, pid, Signal::Exit { reason: ExitReason::Kill, link: false });
}
