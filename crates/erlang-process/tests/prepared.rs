//! Processes that are made and do not run yet.

#![allow(clippy::unwrap_used)]

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use erlang_process::{
    self as process, Carrier, Dest, ExitReason, Name, Node, NodeId, NotAProcess, Pid, RegisterError,
    Selector, Signal, Spawn, Subject, Undelivered,
};
use tokio::{sync::Notify, task::yield_now};

/// Notes what is sent to other nodes.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<String>>>);

impl Carrier for Noting {
    fn deliver(&self, _: Option<Pid>, to: Dest, signal: Signal) -> Result<(), Undelivered> {
        self.0.lock().unwrap().push(format!("{signal:?} to {to}"));
        Ok(())
    }

    fn poll_ready(&self, _: NodeId, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

#[tokio::test]
async fn a_parent_elsewhere_hears_nothing_of_a_process_whose_name_is_taken() {
    let (node, noting) = (Node::new(), Noting::default());
    assert!(node.set_carrier(Box::new(noting.clone())).is_ok());
    let parent = Pid::from_parts(node.node_id("elsewhere", 1).unwrap(), 1, 0);
    let name = Name::<()>::new("taken");
    let prepare = || Spawn::new().on(&node).linked_to(parent).named(name).prepare(|_: Subject<()>| async {});
    let first = prepare().unwrap();
    let holder = first.pid();
    assert_eq!(prepare().err(), Some(RegisterError::NameTaken { holder }));
    assert_eq!(*noting.0.lock().unwrap(), [""; 0]);
    // One that was there and never ran is another matter.
    drop(first);
    assert_eq!(noting.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_monitor_is_for_processes_of_the_same_node() {
    let (here, there) = (Node::new(), Node::new());
    let running = here.run(async move {
        let prepared = Spawn::new().on(&there).prepare(|_: Subject<()>| async {}).unwrap();
        assert_eq!(prepared.monitor().err(), Some(NotAProcess));
    });
    running.await.unwrap();
}

#[tokio::test]
async fn who_spawns_is_linked_with_and_not_who_has_said_how() {
    let (here, there) = (Node::new(), Node::new());
    let spawn = here.run(async { Spawn::new().label("said elsewhere") }).await.unwrap();
    let placed = here.run(async { Spawn::new() }).await.unwrap().on(&there);
    // The first on its node, as was the one that has said how.
    let stranger = Spawn::new().on(&there).prepare(|_: Subject<()>| pending::<()>()).unwrap();
    let stranger = stranger.start();
    let spawning = there.run(async move {
        process::trap_exits(true).unwrap();
        let caller = process::current();
        assert_ne!(caller, Some(stranger));
        for spawn in [spawn, placed] {
            assert_eq!(spawn.link(), caller);
            let child = spawn.spawn(async { Err::<(), _>("boom") }).unwrap();
            let mut exits = Selector::new().select_trapped_exits(|exit| exit.pid);
            assert_eq!(exits.receive_forever().await, Ok(child));
        }
    });
    spawning.await.unwrap();
    assert!(there.is_alive(stranger));
}

#[tokio::test]
async fn it_is_never_too_late_for_the_reason_of_a_process_that_nobody_knew() {
    let node = Node::new();
    let prepared = Spawn::new().on(&node).prepare(|_: Subject<()>| async { ExitReason::Shutdown }).unwrap();
    let ended = prepared.ended();
    prepared.start();
    while !node.processes().is_empty() {
        yield_now().await;
    }
    assert_eq!(ended.await, ExitReason::Shutdown);
}

/// Who is told of an end by a monitor, or by joining, finds that what was left for it is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_for_the_exit_is_done_when_others_than_links_are_told() {
    for round in 0..2_000 {
        let done = Arc::new(AtomicBool::new(false));
        let (work, begin) = (done.clone(), Arc::new(Notify::new()));
        let begun = begin.clone();
        let pid = process::spawn_unlinked(async move {
            begun.notified().await;
            process::after_exit(move |_| work.store(true, Ordering::SeqCst)).unwrap();
        });
        begin.notify_one();
        if round % 2 == 0 {
            process::join(pid).await;
        } else {
            let watching = process::run(async move { process::monitor(pid).unwrap().down().await });
            watching.await.unwrap().unwrap();
        }
        assert!(done.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn where_the_name_is_taken_the_body_is_not_called() {
    let node = Node::new();
    let name = Name::<()>::new("taken");
    let first = Spawn::new().on(&node).named(name).prepare(|_: Subject<()>| pending::<()>()).unwrap();
    let second = Spawn::new()
        .on(&node)
        .named(name)
        .prepare(|_: Subject<()>| -> std::future::Ready<()> { panic!("called") });
    assert_eq!(second.err(), Some(RegisterError::NameTaken { holder: first.pid() }));
    drop(first);
    // It has its name when the body is called, and not when that has panicked.
    let has_name = || node.registered() == [name.registered_name()];
    let prepare = || {
        Spawn::new().on(&node).named(name).prepare(|_: Subject<()>| -> std::future::Ready<()> {
            assert!(has_name());
            process::exit(ExitReason::Shutdown)
        })
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(prepare)).is_err());
    assert_eq!((node.registered(), node.processes()), (vec![], vec![]));
}

#[tokio::test]
async fn a_join_is_bound_to_the_process_when_it_is_called() {
    let node = Node::new();
    let running = node.run(async {
        let pid = process::spawn_unlinked(pending::<()>());
        let (free, of_node) = (process::join(pid), Node::current().join(pid));
        process::kill(pid);
        assert_eq!(process::monitor(pid).unwrap().down().await.unwrap().reason, ExitReason::NoProc);
        assert_eq!((free.await, of_node.await), (ExitReason::Killed, ExitReason::Killed));
    });
    running.await.unwrap();
}

#[tokio::test]
async fn an_exit_to_another_node_is_not_for_the_process_with_that_pid_here() {
    let (here, there) = (Node::new(), Node::new());
    let outside = there.clone();
    let running = here.run(async move {
        let me = process::current().unwrap();
        let other = Spawn::new().on(&outside).spawn(pending::<()>()).unwrap();
        assert_eq!(me, other, "each node counts for itself");
        let ended = outside.join(other);
        outside.kill(other);
        assert_eq!(ended.await, ExitReason::Killed);
        assert!(process::is_alive(me));
    });
    running.await.unwrap();
    assert_eq!(there.processes(), []);
}
