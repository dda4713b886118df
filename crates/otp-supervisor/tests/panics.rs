//! Code of the user's that runs in a supervisor's process and panics there.

#![allow(clippy::unwrap_used)]

use std::{future::pending, time::Duration};

use erlang_process::{self as process, ExitReason, Node};
use otp_actor::Started;
use otp_supervisor::{
    ChildSpec, Restart, Strategy, SupervisorError, factory_supervisor, static_supervisor as supervisor,
    supervision,
};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped");
        }
    }
}

fn idle(id: &'static str) -> ChildSpec {
    supervision::process(pending::<()>).id(id)
}

/// A child whose start function panics when it is dropped.
fn explosive(id: &'static str) -> ChildSpec {
    let bomb = Bomb;
    let body = move || {
        let _in_the_function = &bomb;
        pending::<()>()
    };
    supervision::process(body).id(id)
}

/// Waits until nothing can run.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_argument_that_is_refused_is_dropped_without_harm() {
    let start = |bomb: Bomb| async move {
        std::mem::forget(bomb);
        Ok(Started { pid: process::spawn(pending::<()>()), data: () })
    };
    let factory = factory_supervisor::temporary(start).max_children(1).start().await.unwrap();
    let child = factory.data.start_child(Bomb).await.unwrap();
    let refused = factory.data.start_child(Bomb).await.map(drop);
    assert!(matches!(refused, Err(SupervisorError::MaxChildren)), "{refused:?}");
    settle().await;
    assert!(process::is_alive(factory.pid) && process::is_alive(child.pid));
}

#[tokio::test(start_paused = true)]
async fn a_start_function_is_dropped_without_harm() {
    let tree = supervisor::new(Strategy::OneForOne).add(idle("a")).start().await.unwrap();
    // It is refused.
    let refused = tree.data.start_child(explosive("a")).await.map(drop);
    assert!(matches!(refused, Err(SupervisorError::AlreadyStarted(_))), "{refused:?}");
    // Its child is forgotten.
    tree.data.start_child(explosive("b").restart(Restart::Temporary)).await.unwrap();
    tree.data.terminate_child("b").await.unwrap();
    // Another takes its place.
    tree.data.start_child(explosive("c")).await.unwrap();
    tree.data.code_change(supervisor::new(Strategy::OneForOne).add(idle("c"))).await.unwrap();
    settle().await;
    assert_eq!(tree.data.count_children().await.unwrap().active, 2);
    tree.data.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_ends_with_its_own_reason_whatever_it_drops() {
    let tree = supervisor::new(Strategy::OneForOne).add(explosive("a")).add(explosive("b"));
    let tree = tree.start().await.unwrap();
    let node = Node::current();
    let reason = node.run(async move {
        let watch = process::monitor(tree.pid).unwrap();
        tree.data.stop().await.unwrap();
        watch.down().await.unwrap().reason
    });
    assert_eq!(reason.await.unwrap(), ExitReason::Normal);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_start_whose_data_cannot_be_mapped() {
    let node = Node::new();
    let left = node.run(async {
        process::trap_exits(true).unwrap();
        let tree = supervisor::new(Strategy::OneForOne).start().await.unwrap().data;
        for _ in 0..3 {
            let start = || async { Ok(Started { pid: process::spawn(pending::<()>()), data: 1 }) };
            let child = supervision::worker(start).map_data(|_: u8| -> u8 { panic!("not this one") });
            let error = tree.start_child(child.id("a")).await.map(drop).unwrap_err();
            assert!(error.to_string().contains("not this one"), "{error}");
        }
        settle().await;
        assert_eq!(tree.count_children().await.unwrap().specs, 0);
        Node::current().processes().len()
    });
    assert_eq!(left.await.unwrap(), 2, "the supervisor, and who has started it");
}

#[tokio::test(start_paused = true)]
async fn a_child_runs_whatever_becomes_of_its_data() {
    let start = || async { Ok(Started { pid: process::spawn(pending::<()>()), data: Bomb }) };
    let mapped = supervision::worker(start).map_data(|bomb| (bomb, 1)).id("mapped");
    let tree = supervisor::new(Strategy::OneForOne).add(supervision::worker(start).id("a")).add(mapped);
    let tree = tree.start().await.unwrap().data;
    // It is asked for, and nobody waits for the answer.
    let asking = tree.start_child(supervision::worker(start).id("b"));
    assert!(tokio::time::timeout(Duration::ZERO, asking).await.is_err());
    assert_eq!(tree.count_children().await.unwrap().active, 3);
}
