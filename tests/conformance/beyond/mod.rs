//! What the catalogue does not say and has to hold all the same.

mod calls;
mod ends;
mod mailbox;

use std::{
    future::{Future, pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use erlang_process::{
    self as process, ExitReason, Name, Node, NodeEvent, NodeId, ReceiveError, Reply, Selector, Signal, Spawn,
    Subject,
};

use crate::support::{Drops, LONG, OnDrop, Token, alone, boom, idle, on, server, trapped, unread, until};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_process_when_its_end_is_told() {
    alone(async {
        process::trap_exits(true).unwrap();
        let me = process::current().unwrap();
        let name = Name::<()>::new("tidy");
        for how in 0..3 {
            // What the process owns notes, when it is dropped, what we have been told by then.
            let told = Arc::new(Mutex::new(Vec::new()));
            let owned = || {
                let told = told.clone();
                OnDrop(move || {
                    told.lock().unwrap().push(Node::current().info(me).unwrap().message_queue_len);
                })
            };
            let (local, read_late, unread) = (owned(), owned(), owned());
            let (pid, inbox) = server(move |inbox: Subject<OnDrop<_>>| async move {
                let _local = local;
                let other = Subject::<()>::new().unwrap();
                // The first message goes to the inner queue, and stays there.
                assert_eq!(other.receive(MS).await, Err(ReceiveError::Timeout));
                match how {
                    0 => {}
                    1 => process::exit(ExitReason::Shutdown),
                    _ => pending().await,
                }
                drop(inbox);
            });
            process::register(pid, name).unwrap();
            process::link(pid).unwrap();
            let monitor = process::monitor(pid).unwrap();
            inbox.send(read_late);
            tokio::time::sleep(MS / 2).await;
            inbox.send(unread);
            if how == 2 {
                process::kill(pid);
            }
            monitor.down().await.unwrap();
            trapped().await;
            assert_eq!(*told.lock().unwrap(), [0, 0, 0]);
            assert_eq!(process::whereis(name), None);
            assert!(!Node::current().processes().contains(&pid));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_only_when_the_future_is_dropped() {
    alone(async {
        let me = process::current().unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = order.clone();
        let pid = process::spawn_unlinked(async move {
            let dying = process::current().unwrap();
            let _guard = OnDrop(|| {
                // Whoever drops it, it is still this process; it is dead to all, and nobody has been told.
                assert_eq!(process::current(), Some(dying));
                assert!(!process::is_alive(dying));
                note.lock().unwrap().push(Node::current().info(me).unwrap().message_queue_len);
            });
            pending::<()>().await;
        });
        let monitor = process::monitor(pid).unwrap();
        tokio::task::yield_now().await;
        process::kill(pid);
        monitor.down().await.unwrap();
        assert_eq!(*order.lock().unwrap(), [0]);
    })
    .await;
}

/// Spawns processes on the runtime that are bound to each other, and returns when all are.
async fn entangle(node: &Node, count: usize) {
    let node = node.clone();
    on(&node.clone(), async move {
        let mut all = Vec::new();
        for index in 0..count {
            let name = Name::<u8>::new("entangled");
            let before = all.clone();
            let ready = Subject::new().unwrap();
            let tell = ready.clone();
            let pid = Spawn::new().unlinked().named(name).spawn(async move {
                process::trap_exits(index % 2 == 0).unwrap();
                for other in before {
                    process::link(other).unwrap();
                    process::monitor(other).unwrap();
                }
                tell.send(());
                pending::<()>().await;
            });
            ready.receive_forever().await.unwrap();
            all.push(pid.unwrap());
        }
        assert_eq!(node.processes().len(), count + 1);
    })
    .await;
}

#[test]
fn a_runtime_that_is_shut_down_leaves_nothing_behind() {
    for workers in [1, 2] {
        let node = Node::new();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).enable_all().build().unwrap();
        // A survivor on another runtime is told.
        let survivor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(entangle(&node, 50));
        let victims = node.processes();
        assert_eq!(victims.len(), 50);
        let watched = node.clone();
        let told = survivor.block_on(async move {
            on(&watched, async move {
                process::trap_exits(true).unwrap();
                let monitors: Vec<_> = victims.iter().map(|pid| process::monitor(*pid).unwrap()).collect();
                for pid in &victims {
                    process::link(*pid).unwrap();
                }
                std::thread::spawn(move || drop(runtime)).join().unwrap();
                for monitor in monitors {
                    assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
                }
                for _ in &victims {
                    assert_eq!(trapped().await.reason, ExitReason::Killed);
                }
                let info = Node::current().info(process::current().unwrap()).unwrap();
                (info.links, info.monitors, info.monitored_by, info.message_queue_len)
            })
            .await
        });
        assert_eq!(told, (vec![], vec![], vec![], 0));
        assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
    }
}

#[test]
fn a_process_that_was_never_polled_ends_with_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let node = Node::new();
    let drops = Drops::default();
    let pid = {
        let _entered = runtime.enter();
        let token = drops.token();
        Spawn::new().on(&node).named(Name::<u8>::new("unborn")).spawn(async move { drop(token) }).unwrap()
    };
    assert!(node.is_alive(pid));
    let handle = runtime.handle().clone();
    drop(runtime);
    assert_eq!(drops.count(), 1);
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));

    // And one that is spawned when the runtime is gone.
    let token = drops.token();
    let _entered = handle.enter();
    let pid =
        Spawn::new().on(&node).named(Name::<u8>::new("unborn")).spawn(async move { drop(token) }).unwrap();
    assert!(!node.is_alive(pid));
    assert_eq!(drops.count(), 2);
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
}

#[test]
fn spawning_outside_a_runtime_leaves_nothing_behind() {
    let node = Node::new();
    let spawn = || Spawn::new().on(&node).named(Name::<u8>::new("homeless")).spawn(pending::<()>());
    assert!(catch_unwind(AssertUnwindSafe(spawn)).is_err());
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_panics_before_there_is_a_future_leaves_nothing_behind() {
    process::capture_panics();
    let node = Node::new();
    on(&node, async {
        let name = Name::<u8>::new("stillborn");
        let prepare = || {
            Spawn::new()
                .named(name)
                .prepare(|_: Subject<u8>| -> std::future::Pending<()> { panic!("stillborn") })
        };
        assert!(catch_unwind(AssertUnwindSafe(prepare)).is_err());
        let me = process::current().unwrap();
        assert_eq!(Node::current().processes(), [me]);
        assert_eq!(Node::current().info(me).unwrap().links, []);
    })
    .await;
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_fails_the_spawn_and_nobody_else() {
    alone(async {
        let name = Name::<u8>::new("taken");
        process::register(process::current().unwrap(), name).unwrap();
        let before = Node::current().processes();
        assert!(Spawn::new().named(name).spawn(async {}).is_err());
        assert_eq!(Node::current().processes(), before);
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_prepared_process_that_is_dropped_ends_as_one_that_was_killed() {
    alone(async {
        process::trap_exits(true).unwrap();
        let prepared = Spawn::new().prepare(|_: Subject<u8>| async {}).unwrap();
        let (pid, monitor) = (prepared.pid(), process::monitor(prepared.pid()).unwrap());
        drop(prepared);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
        assert_eq!(trapped().await, process::ExitMessage { pid, reason: ExitReason::Killed });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_parent_that_is_ending_ends_with_it() {
    alone(async {
        let told = Subject::<Pin<Box<dyn Future<Output = ExitReason> + Send>>>::new().unwrap();
        let tell = told.clone();
        let parent = process::spawn_unlinked(async move {
            let _guard = OnDrop(|| {
                let child = Spawn::new().prepare(|_: Subject<u8>| pending::<()>()).unwrap();
                tell.send(Box::pin(child.ended()));
                child.start();
            });
            boom()
        });
        let child_ended = told.receive_forever().await.unwrap();
        assert_eq!(child_ended.await, boom());
        process::join(parent).await;
    })
    .await;
}

#[derive(Debug)]
struct TalkativeError(Subject<u8>);

impl std::fmt::Display for TalkativeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("talkative")
    }
}

impl std::error::Error for TalkativeError {}

impl Drop for TalkativeError {
    fn drop(&mut self) {
        self.0.send(1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reason_that_comes_too_late_may_do_anything_when_it_is_dropped() {
    alone(async {
        let (pid, _) = server(|own: Subject<u8>| async move {
            let me = process::current().unwrap();
            let exit = Signal::Exit { reason: ExitReason::Shutdown, link: false };
            Node::current().signal(None, me, exit);
            // Decided; so this error is dropped by the exit, and sends to the very process.
            ExitReason::error(TalkativeError(own))
        });
        assert_eq!(process::join(pid).await, ExitReason::Shutdown);
    })
    .await;
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[tokio::test(start_paused = true)]
async fn panics_in_destructors_keep_the_end_from_nobody() {
    process::capture_panics();
    alone(async {
        process::trap_exits(true).unwrap();
        let drops = Drops::default();
        let (pid, inbox) = server(|_: Subject<(PanicsOnDrop, Token)>| async {
            let _local = PanicsOnDrop;
            pending::<()>().await;
        });
        process::link(pid).unwrap();
        let monitor = process::monitor(pid).unwrap();
        tokio::task::yield_now().await;
        for _ in 0..3 {
            inbox.send((PanicsOnDrop, drops.token()));
        }
        process::kill(pid);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
        assert_eq!(trapped().await.reason, ExitReason::Killed);
        assert_eq!(drops.count(), 3);
        assert!(!Node::current().processes().contains(&pid));
    })
    .await;
}

struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("in a waker");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_keeps_the_end_from_nobody() {
    process::capture_panics();
    alone(async {
        let pid = idle();
        let mut joins = Vec::new();
        for _ in 0..3 {
            let mut join = Box::pin(process::join(pid));
            let waker = Waker::from(Arc::new(PanickingWaker));
            assert!(join.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            joins.push(join);
        }
        let mut last = Box::pin(process::join(pid));
        assert!(last.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        process::kill(pid);
        assert_eq!(last.await, ExitReason::Killed);
        assert!(!Node::current().processes().contains(&pid));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn those_who_watch_nodes_are_told_as_long_as_they_live() {
    alone(async {
        let node = Node::current();
        let events = Subject::<NodeEvent>::new().unwrap();
        node.monitor_nodes(&events).unwrap();
        let other = node.clone();
        process::run(async move { other.monitor_nodes(&Subject::new().unwrap()) }).await.unwrap();
        let id = node.node_id("b", 1).unwrap();
        assert_ne!(id, NodeId::HERE);
        for event in [NodeEvent::Up(id), NodeEvent::Down(id)] {
            node.announce(event);
            assert_eq!(events.receive(MS).await, Ok(event));
        }
    })
    .await;
}

/// Announces another node when it is dropped.
#[derive(Debug)]
struct AnnouncingError(Node);

impl std::fmt::Display for AnnouncingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("announcing")
    }
}

impl std::error::Error for AnnouncingError {}

impl Drop for AnnouncingError {
    fn drop(&mut self) {
        self.0.announce(NodeEvent::Down(NodeId::HERE));
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_of_a_process_may_be_dropped_with_its_watch_over_nodes() {
    alone(async {
        let node = Node::current();
        let (pid, _) = server(|own: Subject<NodeEvent>| async move {
            let node = Node::current();
            node.monitor_nodes(&own).unwrap();
            ExitReason::error(AnnouncingError(node))
        });
        process::join(pid).await;
        node.announce(NodeEvent::Up(NodeId::HERE));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_mailbox_lets_others_run() {
    alone(async {
        let (numbers, turns) = (Subject::<u32>::new().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = turns.clone();
        let other = process::spawn_unlinked(async move {
            poll_fn::<(), _>(|cx| {
                counted.fetch_add(1, Ordering::SeqCst);
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        });
        for number in 0..10_000 {
            numbers.send(number);
        }
        for number in 0..10_000 {
            assert_eq!(numbers.receive(Duration::ZERO).await, Ok(number));
        }
        assert!(turns.load(Ordering::SeqCst) >= 10);
        process::kill(other);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn run_kills_what_nobody_waits_for() {
    let node = Node::new();
    let drops = Drops::default();
    let token = drops.token();
    let running = node.run(async move {
        let _token = token;
        pending::<()>().await;
    });
    assert!(tokio::time::timeout(MS, running).await.is_err());
    until(|| drops.count() == 1).await;
    until(|| node.processes().is_empty()).await;
}

/// Messages that hold a `dyn Trait` can be received and asked for in a process: this has to compile.
#[tokio::test(start_paused = true)]
async fn messages_may_be_of_any_kind() {
    type Work = Box<dyn FnOnce(u32) -> u32 + Send>;
    alone(async {
        let (_, worker) = server(|calls: Subject<(Work, Reply<Work>)>| async move {
            while let Ok((work, reply)) = calls.receive(LONG).await {
                let result = work(1);
                reply.send(Box::new(move |number| result + number));
            }
        });
        let result =
            worker.call(LONG, |reply| (Box::new(|number: u32| number + 1) as Work, reply)).await.unwrap();
        assert_eq!(result(40), 42);
        let subject = Subject::<Work>::new().unwrap();
        subject.send(result_of_nothing());
        let mut selector = Selector::new().select(&subject, |work| work);
        assert_eq!(selector.receive_forever().await.unwrap()(1), 1);
        subject.send(result_of_nothing());
        assert_eq!(process::timeout(MS, subject.receive_forever()).await.unwrap().unwrap()(2), 2);
    })
    .await;

    fn result_of_nothing() -> Work {
        Box::new(|number| number)
    }
}
