//! How processes come and go, as those are told who watch a node.

#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use erlang_process::{
    self as process, Bound, ExitReason, LifeEvent, Name, Node, Pid, ReceiveError, RegisteredName, Selector,
    Spawn, Subject, WhenFull,
};

const LONG: Duration = Duration::from_secs(60);

async fn in_a_process(body: impl Future<Output = ()> + Send + 'static) {
    tokio::time::timeout(LONG, Node::new().run(body)).await.unwrap().unwrap();
}

/// Watches the current node.
fn watch() -> Subject<LifeEvent> {
    let events = Subject::new().unwrap();
    Node::current().life_events(&events).unwrap();
    events
}

async fn next(events: &Subject<LifeEvent>) -> LifeEvent {
    events.receive(LONG).await.unwrap()
}

async fn none(events: &Subject<LifeEvent>) {
    assert_eq!(events.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
}

async fn wait() {
    pending::<()>().await;
}

#[tokio::test]
async fn a_life_is_told_in_order() {
    in_a_process(async {
        let events = watch();
        let (first, second) = (Name::<()>::new("first"), Name::<()>::new("second"));
        let pid = Spawn::new().unlinked().named(first).spawn(wait()).unwrap();
        process::unregister(first).unwrap();
        process::register(pid, second).unwrap();
        process::kill(pid);
        process::join(pid).await;

        let parent = process::current();
        let initial_call = "life_events::wait";
        assert_eq!(next(&events).await, LifeEvent::Spawned { pid, parent, initial_call });
        let name = first.registered_name();
        assert_eq!(next(&events).await, LifeEvent::Registered { pid, name });
        assert_eq!(next(&events).await, LifeEvent::Unregistered { pid, name });
        let name = second.registered_name();
        assert_eq!(next(&events).await, LifeEvent::Registered { pid, name });
        assert_eq!(next(&events).await, LifeEvent::Unregistered { pid, name });
        assert_eq!(next(&events).await, LifeEvent::Exited { pid, reason: ExitReason::Killed });
        none(&events).await;
    })
    .await;
}

/// Whoever tells of a process, and however soon: who hears of it finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_told_of_can_be_found() {
    let node = Node::new();
    let watcher = Spawn::new().on(&node).prepare(|_: Subject<bool>| wait()).unwrap();
    let lost = Arc::new(AtomicUsize::new(0));
    let found = watcher.subject().map({
        let (node, lost) = (node.clone(), lost.clone());
        move |event| {
            if let LifeEvent::Spawned { pid, .. } = event
                && node.info(pid).is_none()
            {
                lost.fetch_add(1, Ordering::Relaxed);
            }
            true
        }
    });
    node.life_events(&found).unwrap();
    let spawning = (0..4).map(|_| {
        let node = node.clone();
        tokio::spawn(async move {
            let room = Bound::new(1, WhenFull::Refuse);
            let spawned = |_| Spawn::new().on(&node).mailbox(room).spawn(pending::<()>()).unwrap();
            (0..2_000).map(spawned).collect::<Vec<_>>()
        })
    });
    for spawning in spawning.collect::<Vec<_>>() {
        drop(spawning.await.unwrap());
    }
    assert_eq!(lost.load(Ordering::Relaxed), 0);
    watcher.start();
}

#[tokio::test]
async fn who_ends_without_having_run_is_told_as_well() {
    in_a_process(async {
        let events = watch();
        drop(Spawn::new().unlinked().prepare(|_: Subject<()>| wait()).unwrap());
        let LifeEvent::Spawned { pid, .. } = next(&events).await else { panic!() };
        assert_eq!(next(&events).await, LifeEvent::Exited { pid, reason: ExitReason::Killed });
    })
    .await;
}

#[tokio::test]
async fn what_is_left_for_the_exit_is_done_before_the_world_is_told_and_is_told_why() {
    in_a_process(async {
        let (events, left) = (watch(), Subject::new().unwrap());
        let mut both = Selector::new().select(&events, Ok).select(&left, Err);
        let (leave, ready) = (left.clone(), Subject::new().unwrap());
        let running = ready.clone();
        let pid = process::spawn_unlinked(async move {
            let told = move |reason: &ExitReason| leave.send((reason.clone(), process::current()));
            process::after_exit(told).unwrap();
            running.send(());
            wait().await;
        });
        ready.receive(LONG).await.unwrap();
        process::kill(pid);
        let reason = ExitReason::Killed;
        assert!(matches!(both.receive(LONG).await, Ok(Ok(LifeEvent::Spawned { .. }))));
        assert_eq!(both.receive(LONG).await, Ok(Err((reason.clone(), None))));
        assert_eq!(both.receive(LONG).await, Ok(Ok(LifeEvent::Exited { pid, reason })));
    })
    .await;
}

#[tokio::test]
async fn neither_other_nodes_nor_oneself() {
    in_a_process(async {
        let events = watch();
        Node::new().run(async {}).await.unwrap();
        let me = process::current().unwrap();
        let name = Name::<()>::new("mine");
        process::register(me, name).unwrap();
        process::unregister(name).unwrap();
        none(&events).await;
    })
    .await;
}

#[tokio::test]
async fn until_it_is_stopped() {
    in_a_process(async {
        let (events, others) = (Subject::new().unwrap(), watch());
        let watching = Node::current().life_events(&events).unwrap();
        assert!(watching.stop());
        let pid = process::spawn(async {});
        assert_eq!(next(&others).await.pid(), pid);
        none(&events).await;
    })
    .await;
}

#[tokio::test]
async fn a_watcher_may_cause_events_where_it_is_told() {
    in_a_process(async {
        let spawned = Subject::new().unwrap();
        let tell = spawned.clone();
        // Its function runs in whoever tells, and spawns on this node as well.
        let target = Subject::<Pid>::new().unwrap();
        let mapped = target.map(move |event: LifeEvent| {
            let name = Name::<()>::new("seen");
            if let LifeEvent::Spawned { pid, .. } = event {
                let registered = process::register(pid, name);
                tell.send(registered.is_ok());
            }
            event.pid()
        });
        Node::current().life_events(&mapped).unwrap();
        let pid = process::spawn_unlinked(wait());
        assert_eq!(spawned.receive(LONG).await, Ok(true));
        assert_eq!(target.receive(LONG).await, Ok(pid));
        assert_eq!(target.receive(LONG).await, Ok(pid), "that it was registered");
    })
    .await;
}

/// Where a process stands, as its events say.
#[derive(Default)]
struct Life {
    name: Option<RegisteredName>,
    over: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_storm_each_life_is_in_order() {
    const PROCESSES: usize = 300;
    in_a_process(async {
        let events = watch();
        let names = [(); 4].map(|()| Name::<()>::new("contended"));
        for _ in 0..PROCESSES {
            let pid = process::spawn_unlinked(wait());
            for name in names {
                process::spawn_unlinked(async move { process::register(pid, name).map(drop) });
            }
            process::spawn_unlinked(async move { process::unregister(names[0]) });
            process::spawn_unlinked(async move { process::kill(pid) });
        }
        let mut lives = HashMap::<Pid, Life>::new();
        let mut over = 0;
        while over < PROCESSES * 7 {
            let event = next(&events).await;
            let pid = event.pid();
            if let LifeEvent::Spawned { .. } = event {
                assert!(lives.insert(pid, Life::default()).is_none(), "{event:?}");
                continue;
            }
            let life = lives.get_mut(&pid).unwrap_or_else(|| panic!("not yet spawned: {event:?}"));
            assert!(!life.over, "{event:?}");
            match event {
                LifeEvent::Registered { name, .. } => assert_eq!(life.name.replace(name), None),
                LifeEvent::Unregistered { name, .. } => assert_eq!(life.name.take(), Some(name)),
                LifeEvent::Exited { .. } => {
                    assert_eq!(life.name, None);
                    life.over = true;
                    over += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        none(&events).await;
    })
    .await;
}

#[tokio::test]
async fn who_watches_another_node_hears_of_the_process_there_with_his_own_number() {
    let (here, there) = (Node::new(), Node::new());
    let running = here.run(async move {
        let events = Subject::new().unwrap();
        there.life_events(&events).unwrap();
        let pid = Spawn::new().on(&there).spawn(async {}).unwrap();
        assert_eq!(Some(pid), process::current());
        assert!(matches!(next(&events).await, LifeEvent::Spawned { .. }));
        assert_eq!(next(&events).await, LifeEvent::Exited { pid, reason: ExitReason::Normal });
        // The watch is still there.
        let pid = Spawn::new().on(&there).spawn(async {}).unwrap();
        assert!(matches!(next(&events).await, LifeEvent::Spawned { .. }));
        assert_eq!(next(&events).await, LifeEvent::Exited { pid, reason: ExitReason::Normal });
    });
    tokio::time::timeout(LONG, running).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_causes_an_event_tells_some_and_leaves_the_rest_to_others() {
    let (node, told) = (Node::new(), Arc::new(AtomicUsize::new(0)));
    let watcher = Spawn::new().on(&node).prepare(|_: Subject<()>| wait()).unwrap();
    let pid = Spawn::new().on(&node).spawn(pending::<()>()).unwrap();
    let (name, all) = (Name::<()>::new("comes and goes"), 100_000);
    let (enough, mut is_enough) = tokio::sync::watch::channel(false);
    // Each event causes the next one.
    let events = watcher.subject().map({
        let (node, told) = (node.clone(), told.clone());
        move |event| {
            if told.fetch_add(1, Ordering::Relaxed) == all {
                enough.send_replace(true);
            } else if matches!(event, LifeEvent::Registered { .. }) {
                node.unregister(name).unwrap();
            } else {
                node.register(pid, name).unwrap();
            }
        }
    });
    let watching = node.life_events(&events).unwrap();
    node.register(pid, name).unwrap();
    assert!(told.load(Ordering::Relaxed) < 1_000);
    is_enough.wait_for(|enough| *enough).await.unwrap();
    assert!(watching.stop());
    watcher.start();
}

/// Where there is no runtime that they could be left to.
#[test]
fn outside_any_runtime_all_is_told_by_who_causes_it() {
    let (node, told) = (Node::new(), Arc::new(AtomicUsize::new(0)));
    let watcher = Spawn::new().on(&node).prepare(|_: Subject<()>| wait()).unwrap();
    let other = Spawn::new().on(&node).prepare(|_: Subject<()>| wait()).unwrap();
    let (name, pid) = (Name::<()>::new("comes and goes"), other.pid());
    let events = watcher.subject().map({
        let (node, told) = (node.clone(), told.clone());
        move |event| match event {
            LifeEvent::Registered { .. } => node.unregister(name).unwrap(),
            _ if told.fetch_add(1, Ordering::Relaxed) == 999 => {}
            _ => node.register(pid, name).unwrap(),
        }
    });
    node.life_events(&events).unwrap();
    node.register(pid, name).unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 1_000);
    drop((watcher, other));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb");
    }
}

/// A defect here ends the program.
#[tokio::test]
async fn what_watchers_leave_may_panic_each_by_itself() {
    let node = Node::new();
    let watcher = Spawn::new().on(&node).prepare(|_: Subject<()>| wait()).unwrap();
    let (subject, ended) = (watcher.subject(), watcher.ended());
    for _ in 0..2 {
        let bomb = Bomb;
        node.life_events(&subject.map(move |_| _ = &bomb)).unwrap();
        let bomb = Bomb;
        node.monitor_nodes(&subject.map(move |_| _ = &bomb)).unwrap();
    }
    drop(watcher);
    ended.await;
    // Of those who live on, it is the node that leaves them.
    let watcher = Spawn::new().prepare(|_: Subject<()>| wait()).unwrap();
    for _ in 0..2 {
        let bomb = Bomb;
        node.life_events(&watcher.subject().map(move |_| _ = &bomb)).unwrap();
        let bomb = Bomb;
        node.monitor_nodes(&watcher.subject().map(move |_| _ = &bomb)).unwrap();
    }
    drop(node);
    watcher.start();
}

#[tokio::test]
async fn who_watches_by_a_name_is_the_process_that_holds_it() {
    in_a_process(async {
        let name = Name::<LifeEvent>::new("watcher");
        assert!(Node::current().life_events(&name.subject()).is_none(), "nobody");
        process::register(process::current().unwrap(), name).unwrap();
        let mut events = Selector::new().select(&name.subject(), |event| event);
        Node::current().life_events(&name.subject()).unwrap();
        process::unregister(name).unwrap();
        let pid = Spawn::new().unlinked().named(name).spawn(wait()).unwrap();
        assert_eq!(Node::current().info(pid).unwrap().message_queue_len, 0);
        process::kill(pid);
        process::join(pid).await;
        process::register(process::current().unwrap(), name).unwrap();
        let event = events.receive(LONG).await;
        assert!(matches!(event, Ok(LifeEvent::Spawned { pid: spawned, .. }) if spawned == pid));
    })
    .await;
}
