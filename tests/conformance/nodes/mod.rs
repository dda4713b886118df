//! Two nodes in one program, see `connection`: what holds between them, what is on its way, and what becomes of it
//! all when the connection is cut and comes back.

mod calls;
mod chance;
mod connection;
mod lost;
mod outside;
mod slow;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use erlang_process::{
    self as process, AliasMode, Dest, Down, ExitMessage, ExitReason, LinkError, Name, Node, NodeId, Pid,
    ReceiveError, Reference, Selector, Signal, Spawn, Subject,
};

use self::connection::Joined;
use crate::support::{LONG, StartLine, boom, dead, idle, on, server, trapped, trapped_now, unread, until};

fn info(node: &Node, pid: Pid) -> process::Info {
    node.info(pid).unwrap()
}

fn me() -> Pid {
    process::current().unwrap()
}

#[tokio::test(start_paused = true)]
async fn links_hold_across_nodes() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        process::trap_exits(true).unwrap();
        let me_there = joined.there(me());
        let (pid, far) = joined.idle();
        process::link(far).unwrap();
        process::link(far).unwrap();
        assert_eq!((info(&joined.a, me()).links, info(&joined.b, pid).links), (vec![far], vec![me_there]));
        process::send_exit(far, boom());
        assert_eq!(trapped().await, ExitMessage { pid: far, reason: boom() });
        assert_eq!(info(&joined.a, me()).links, []);

        // Made there, and ended here.
        let mine = process::spawn_unlinked(async {
            process::Subject::<()>::new().unwrap().receive(LONG).await.map(drop)
        });
        let mine_there = joined.there(mine);
        let linked = Spawn::new().on(&joined.b).prepare(move |_: Subject<u8>| async move {
            process::link(mine_there).unwrap();
            pending::<()>().await;
        });
        let linked = linked.unwrap();
        let ended = linked.ended();
        linked.start();
        until(|| !info(&joined.a, mine).links.is_empty()).await;
        process::kill(mine);
        assert_eq!(ended.await, ExitReason::Killed);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_far_process_that_is_dead_is_a_signal_always() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        let (pid, far) = joined.idle();
        joined.b.signal(None, pid, Signal::Exit { reason: ExitReason::Kill, link: false });
        until(|| joined.b.processes().is_empty()).await;
        let (_, monitor) = process::spawn_monitor(async move {
            assert_eq!(process::link(far), Ok(()));
            pending::<()>().await;
        })
        .unwrap();
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::NoProc);
        let monitor = process::monitor(far).unwrap();
        let down = Down { monitor, target: far.into(), reason: ExitReason::NoProc };
        assert_eq!(monitor.down().await, Ok(down));
        assert_eq!(process::join(far).await, ExitReason::NoProc);
        // Here it is an error in who does not trap.
        assert_eq!(process::link(dead().await), Err(LinkError::NoProc));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn unlinks_are_acknowledged_across_nodes() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        process::trap_exits(true).unwrap();
        let (pid, far) = joined.idle();
        for _ in 0..10 {
            process::link(far).unwrap();
            process::unlink(far).unwrap();
            assert_eq!((info(&joined.a, me()).links, info(&joined.b, pid).links), (vec![], vec![]));
            // Before and after the other has had time to acknowledge.
            process::link(far).unwrap();
            tokio::task::yield_now().await;
            process::unlink(far).unwrap();
            tokio::task::yield_now().await;
        }
        process::send_exit(far, boom());
        until(|| joined.b.processes().is_empty()).await;
        assert_eq!(trapped_now().await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_agree_on_a_link_across_nodes() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        for round in 0..500_u32 {
            // Two that link and unlink each other at once.
            let start = StartLine::default();
            let habit = |other: Subject<Pid>, done: Subject<()>, pattern: u32, start: StartLine| async move {
                let other = other.receive_forever().await.unwrap();
                start.wait_for(2);
                for bit in 0..64 {
                    if pattern >> (bit % 32) & 1 == 1 {
                        process::link(other).unwrap();
                    } else {
                        process::unlink(other).unwrap();
                    }
                }
                done.send(());
                pending::<()>().await;
            };
            let done = Subject::new().unwrap();
            let pattern = round.wrapping_mul(0x9e37_79b9);
            let (done_a, done_b, start_a) = (done.clone(), done.clone(), start.clone());
            let a = Spawn::new().unlinked().prepare(move |s| habit(s, done_a, pattern, start_a)).unwrap();
            let b = Spawn::new()
                .on(&joined.b)
                .prepare(move |s| habit(s, done_b, !pattern.rotate_left(7), start))
                .unwrap();
            let (to_a, to_b) = (a.subject(), b.subject());
            let (a, b) = (a.start(), b.start());
            to_a.send(joined.there(b));
            to_b.send(joined.there(a));
            for _ in 0..2 {
                done.receive(LONG).await.unwrap();
            }
            let linked = info(&joined.a, a).links == [joined.there(b)];
            assert_eq!(info(&joined.b, b).links == [joined.there(a)], linked);
            process::kill(a);
            joined.b.signal(None, b, Signal::Exit { reason: ExitReason::Kill, link: false });
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn monitors_hold_across_nodes() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        let (pid, far) = joined.idle();
        let monitors = [process::monitor(far).unwrap(), process::monitor(far).unwrap()];
        let me_there = joined.there(me());
        assert_eq!(info(&joined.b, pid).monitored_by, [me_there, me_there]);
        assert!(process::demonitor(monitors[0]));
        assert_eq!(info(&joined.b, pid).monitored_by, [me_there]);
        process::send_exit(far, boom());
        let down = Down { monitor: monitors[1], target: far.into(), reason: boom() };
        assert_eq!(monitors[1].down().await, Ok(down));
        assert_eq!(unread(), 0);

        // Who watches from afar and ends is forgotten.
        let (pid, far) = joined.idle();
        process::run(async move { process::monitor(far).unwrap() }).await.unwrap();
        assert_eq!(info(&joined.b, pid).monitored_by, []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_are_found_across_nodes() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        let name = Name::<u8>::new("far");
        let at_b = Dest::Name(name.registered_name(), joined.other);
        let monitor = process::monitor(at_b).unwrap();
        let down = Down { monitor, target: at_b, reason: ExitReason::NoProc };
        assert_eq!(monitor.down().await, Ok(down));

        let (pid, _) = joined.idle();
        joined.b.register(pid, name).unwrap();
        assert_eq!(process::whereis(name), None, "names are each node's own");
        let monitor = process::monitor(at_b).unwrap();
        joined.b.signal(None, pid, Signal::Exit { reason: ExitReason::Shutdown, link: false });
        let down = Down { monitor, target: at_b, reason: ExitReason::Shutdown };
        assert_eq!(monitor.down().await, Ok(down));
        assert_eq!(joined.b.whereis(name), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn messages_travel_to_pids_names_and_aliases() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        let aliases = Subject::<Reference>::new().unwrap();
        let tell = aliases.clone();
        let name = Name::<u8>::new("receiver");
        let receiver = Spawn::new().on(&joined.b).named(name).prepare(move |_: Subject<u8>| async move {
            let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
            tell.send(alias);
            let mut all =
                Selector::new().select_raw(|text: &str| text).select_alias(alias, |text: &str| text);
            for expected in ["to the pid", "to the name", "to the alias"] {
                assert_eq!(all.receive(LONG).await, Ok(expected));
            }
        });
        let receiver = receiver.unwrap();
        let (far, ended) = (joined.there(receiver.pid()), receiver.ended());
        receiver.start();
        let alias = aliases.receive_forever().await.unwrap();
        let alias = Reference::from_words(joined.other, alias.words()).unwrap();
        let send =
            |to: Dest, text: &'static str| joined.a.signal(Some(me()), to, Signal::Message(Box::new(text)));
        send(far.into(), "to the pid");
        send(Dest::Name(name.registered_name(), joined.other), "to the name");
        send(Dest::Alias(alias), "to the alias");
        assert_eq!(ended.await, ExitReason::Normal);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_carrier_there_is_no_connection() {
    on(&Node::new(), async {
        let far = Pid::from_parts(Node::current().node_id("nowhere", 1).unwrap(), 1, 0);
        no_connection(far).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_carrier_without_a_way_says_so() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        joined.cut();
        no_connection(joined.idle().1).await;
    })
    .await;
}

/// What each signal to a process that cannot be reached comes to.
async fn no_connection(far: Pid) {
    assert!(!process::is_alive(far));
    let monitor = process::monitor(far).unwrap();
    let down = Down { monitor, target: far.into(), reason: ExitReason::NoConnection };
    assert_eq!(monitor.down().await, Ok(down));
    assert_eq!(process::join(far).await, ExitReason::NoConnection);
    process::send_exit(far, boom());
    process::unlink(far).unwrap();

    let (_, monitor) = process::spawn_monitor(async move {
        assert_eq!(process::link(far), Ok(()));
        pending::<()>().await;
    })
    .unwrap();
    assert_eq!(monitor.down().await.unwrap().reason, ExitReason::NoConnection);
    process::trap_exits(true).unwrap();
    process::link(far).unwrap();
    assert_eq!(trapped().await, ExitMessage { pid: far, reason: ExitReason::NoConnection });
    let info = Node::current().info(me()).unwrap();
    assert_eq!((info.links, info.monitors, unread()), (vec![], vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn a_process_is_prepared_for_a_parent_far_away() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        process::trap_exits(true).unwrap();
        let me_there = joined.there(me());
        // What a carrier does for a spawn request: link and monitor are there before it runs, by the
        // reference that the parent gave.
        for killed_before in [false, true] {
            let (watched, _) = server(|_: Subject<u8>| pending::<()>());
            let reference = process::monitor(watched).unwrap().reference();
            let reference = Reference::from_words(joined.other, reference.words()).unwrap();
            let ran = Arc::new(AtomicBool::new(false));
            let runs = ran.clone();
            let child = Spawn::new()
                .on(&joined.b)
                .linked_to(me_there)
                .prepare(move |_: Subject<u8>| async move {
                    runs.store(true, Ordering::SeqCst);
                    boom()
                })
                .unwrap();
            let pid = child.pid();
            assert_eq!(joined.b.info(pid).unwrap().parent, Some(me_there));
            if killed_before {
                joined.b.signal(None, pid, Signal::Exit { reason: ExitReason::Kill, link: false });
            }
            child.monitored_by(me_there, reference);
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(!ran.load(Ordering::SeqCst), "it waits to be started");
            let downs = Subject::<()>::new().unwrap();
            assert_eq!(downs.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
            child.start();
            let expected = if killed_before { ExitReason::Killed } else { boom() };
            let down = Selector::new().select_monitors(|down| down).receive(LONG).await.unwrap();
            assert_eq!((down.monitor.reference().words(), down.reason), (reference.words(), expected));
            assert_eq!(ran.load(Ordering::SeqCst), !killed_before);
            // The parent knows of no link: it did not ask for one here.
            assert_eq!(trapped_now().await, None);
        }
        assert_eq!(idle().node(), NodeId::HERE);
    })
    .await;
}
