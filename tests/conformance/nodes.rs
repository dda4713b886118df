//! Two nodes in one program, see `connection`: what holds between them, what is on its way, and what becomes of it
//! all when the connection is cut and comes back.

use std::{
    any::Any,
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use erlang_process::{
    self as process, AliasMode, Dest, Down, ExitMessage, ExitReason, InjectError, LinkError, MonitorAlias,
    Name, Node, NodeEvent, NodeId, Pid, ReceiveError, Reference, Selector, Signal, Spawn, Subject,
};

use crate::{
    connection::{Heard, Joined, Puppet, ROOM, Side, rest},
    support::{LONG, StartLine, boom, dead, idle, on, server, trapped, trapped_now, unread, until},
};

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

// Slow connections

/// A node of its own for the test, and a process on each of two that are joined.
fn puppets(trapping: bool) -> (Joined, Puppet, Puppet) {
    let joined = Joined::new();
    let (a, b) = (Puppet::new(&joined.a, trapping), Puppet::new(&joined.b, trapping));
    (joined, a, b)
}

fn nothing() -> (Vec<Pid>, Vec<Dest>, Vec<Pid>) {
    (vec![], vec![], vec![])
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_has_not_arrived() {
    let (joined, a, b) = puppets(true);
    let (a_there, b_there) = (joined.there(a.pid), joined.there(b.pid));
    joined.slow();
    let monitor = a
        .does(move || {
            process::link(b_there).unwrap();
            process::monitor(b_there).unwrap()
        })
        .await;
    // Here both are there at once, there when they arrive.
    assert_eq!(a.relations(), (vec![b_there], vec![b_there.into()], vec![]));
    assert_eq!(b.relations(), nothing());
    assert!(joined.arrive(Side::B));
    assert_eq!(b.relations(), (vec![a_there], vec![], vec![]));
    assert!(joined.arrive(Side::B));
    assert_eq!(b.relations(), (vec![a_there], vec![], vec![a_there]));

    // Whatever its kind, what one sends to another arrives in the order in which it was sent.
    a.does(move || {
        let node = Node::current();
        for text in ["first", "second"] {
            node.signal(process::current(), b_there, Signal::Message(Box::new(text)));
            process::send_exit(b_there, boom());
        }
    })
    .await;
    assert_eq!((b.heard().await, joined.under_way_to(Side::B)), (vec![], 4));
    joined.arrive_all().await;
    let exit = Heard::Exit(a_there, boom());
    let expected = [Heard::Message("first"), exit.clone(), Heard::Message("second"), exit];
    assert_eq!(b.heard().await, expected);

    // So is the end: known there, and not yet here.
    b.ends(ExitReason::Shutdown).await;
    assert_eq!(a.relations(), (vec![b_there], vec![b_there.into()], vec![]));
    joined.arrive_all().await;
    let mut heard = a.heard().await;
    heard.sort_by_key(|heard| matches!(heard, Heard::Down(..)));
    let down = Heard::Down(monitor.reference(), b_there.into(), ExitReason::Shutdown);
    assert_eq!(heard, [Heard::Exit(b_there, ExitReason::Shutdown), down]);
    assert_eq!(a.relations(), nothing());
}

#[tokio::test(start_paused = true)]
async fn a_link_that_meets_an_end_on_its_way_finds_nobody() {
    let (joined, a, b) = puppets(true);
    let b_there = joined.there(b.pid);
    joined.slow();
    let monitor = a
        .does(move || {
            process::link(b_there).unwrap();
            process::monitor(b_there).unwrap()
        })
        .await;
    b.ends(boom()).await;
    assert_eq!(a.heard().await, []);
    joined.arrive_all().await;
    let down = Heard::Down(monitor.reference(), b_there.into(), ExitReason::NoProc);
    assert_eq!(a.heard().await, [Heard::Exit(b_there, ExitReason::NoProc), down]);
    assert_eq!(a.relations(), nothing());
}

#[tokio::test(start_paused = true)]
async fn two_ends_that_cross_touch_nobody() {
    let (joined, a, b) = puppets(false);
    let (a_there, b_there) = (joined.there(a.pid), joined.there(b.pid));
    a.does(move || process::link(b_there).unwrap()).await;
    b.does(move || process::monitor(a_there).unwrap()).await;
    joined.slow();
    a.ends(boom()).await;
    b.ends(ExitReason::Shutdown).await;
    joined.arrive_all().await;
    assert_eq!((joined.a.processes(), joined.b.processes()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_unlink_and_an_exit_that_cross() {
    for again in [false, true] {
        let (joined, a, b) = puppets(true);
        let b_there = joined.there(b.pid);
        a.does(move || process::link(b_there).unwrap()).await;
        joined.slow();
        b.ends(boom()).await;
        a.does(move || {
            process::unlink(b_there).unwrap();
            if again {
                // The exit on its way belongs to the old link; the new one finds nobody.
                process::link(b_there).unwrap();
            }
        })
        .await;
        assert!(joined.arrive(Side::A));
        let heard = a.heard().await;
        joined.arrive_all().await;
        let heard = [heard, a.heard().await].concat();
        match again {
            false => assert_eq!(heard, []),
            // Which of the two ends it hears of is for the protocol to say; once it is.
            true => assert!(matches!(&heard[..], [Heard::Exit(pid, _)] if *pid == b_there), "{heard:?}"),
        }
        assert_eq!(a.relations(), nothing());
    }
}

#[tokio::test(start_paused = true)]
async fn links_and_unlinks_from_both_ends_that_cross() {
    // Each does up to three things while nothing arrives. Whatever they were, then both agree.
    const LINK: bool = true;
    let habits: Vec<Vec<bool>> = (0..15_u32)
        .map(|bits| (0..(bits + 1).ilog2()).map(|bit| (bits + 1) >> bit & 1 == 1).collect())
        .collect();
    for habit_a in &habits {
        for habit_b in &habits {
            let (joined, a, b) = puppets(true);
            let (a_there, b_there) = (joined.there(a.pid), joined.there(b.pid));
            joined.slow();
            for (puppet, peer, habit) in [(&a, b_there, habit_a), (&b, a_there, habit_b)] {
                let habit = habit.clone();
                puppet
                    .does(move || {
                        for what in habit {
                            if what == LINK {
                                process::link(peer).unwrap()
                            } else {
                                process::unlink(peer).unwrap()
                            }
                        }
                    })
                    .await;
            }
            joined.arrive_all().await;
            let linked = a.relations().0 == [b_there];
            assert_eq!(b.relations().0 == [a_there], linked, "{habit_a:?} {habit_b:?}");
            // Nothing is left of what was said: the next link holds, and one unlink removes it.
            a.does(move || process::link(b_there).unwrap()).await;
            joined.arrive_all().await;
            assert_eq!((a.relations().0, b.relations().0), (vec![b_there], vec![a_there]));
            b.does(move || process::unlink(a_there).unwrap()).await;
            joined.arrive_all().await;
            assert_eq!((a.relations(), b.relations()), (nothing(), nothing()), "{habit_a:?} {habit_b:?}");
            assert_eq!((a.heard().await, b.heard().await), (vec![], vec![]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_demonitor_and_a_down_that_cross() {
    let (joined, a, b) = puppets(true);
    let b_there = joined.there(b.pid);
    let monitor = a.does(move || process::monitor(b_there).unwrap()).await;
    joined.slow();
    b.ends(boom()).await;
    assert!(a.does(move || process::demonitor(monitor)).await, "nothing had come yet");
    joined.arrive_all().await;
    assert_eq!((a.heard().await, a.relations()), (vec![], nothing()));
}

#[tokio::test(start_paused = true)]
async fn a_monitor_by_name_stays_where_it_has_arrived() {
    let (joined, a, b) = puppets(true);
    let (first, second) = (Puppet::new(&joined.b, true), Puppet::new(&joined.b, true));
    let a_there = joined.there(a.pid);
    let name = Name::<u8>::new("moving");
    let at_b = Dest::Name(name.registered_name(), joined.other);
    let moves_to = |pid| {
        let _ = joined.b.unregister(name);
        joined.b.register(pid, name).unwrap();
    };
    joined.slow();

    // The name is looked up when the monitor arrives.
    moves_to(b.pid);
    let monitor = a.does(move || process::monitor(at_b).unwrap()).await;
    moves_to(first.pid);
    joined.arrive_all().await;
    assert_eq!((b.relations(), first.relations()), (nothing(), (vec![], vec![], vec![a_there])));

    // It is taken back where it is, and not where the name is now, which has one too.
    moves_to(second.pid);
    let other = a.does(move || process::monitor(at_b).unwrap()).await;
    assert!(a.does(move || process::demonitor(monitor)).await);
    joined.arrive_all().await;
    assert_eq!((first.relations(), second.relations()), (nothing(), (vec![], vec![], vec![a_there])));

    // By its watcher's end, too, and with the name free, or with its holder dead.
    let monitor = a.does(move || process::monitor(at_b).unwrap()).await;
    joined.arrive_all().await;
    joined.b.unregister(name).unwrap();
    assert!(a.does(move || process::demonitor(other)).await);
    joined.arrive_all().await;
    assert_eq!(second.relations(), (vec![], vec![], vec![a_there]));
    joined.b.register(second.pid, name).unwrap();
    second.ends(boom()).await;
    assert!(a.does(move || process::demonitor(monitor)).await);
    moves_to(first.pid);
    a.does(move || process::monitor(at_b).unwrap()).await;
    joined.arrive_all().await;
    moves_to(b.pid);
    a.ends(ExitReason::Normal).await;
    joined.arrive_all().await;
    assert_eq!((first.relations(), b.relations()), (nothing(), nothing()));
}

#[tokio::test(start_paused = true)]
async fn a_reply_ends_the_monitor_of_its_request_across_nodes() {
    let (joined, a, b) = puppets(true);
    let b_there = joined.there(b.pid);
    joined.slow();
    let request = move || process::monitor_with_alias(b_there, MonitorAlias::ReplyDemonitor).unwrap();
    let (in_time, too_late) = a.does(move || (request(), request())).await;
    let to = |monitor: process::Monitor| Dest::Alias(joined.reference_there(monitor.reference()));
    let replies = [(to(in_time), "reply"), (to(in_time), "one too many"), (to(too_late), "too late")];
    b.does(move || {
        for (to, text) in replies {
            Node::current().signal(process::current(), to, Signal::Message(Box::new(text)));
        }
    })
    .await;
    // The caller has given up waiting when the replies arrive.
    assert!(a.does(move || process::demonitor(too_late)).await);
    joined.arrive_all().await;
    assert_eq!(a.heard().await, [Heard::Message("reply")]);
    assert_eq!((a.relations(), b.relations()), (nothing(), nothing()));
}

#[tokio::test(start_paused = true)]
async fn a_sender_waits_for_room_on_the_way() {
    let (joined, _, b) = puppets(true);
    let (a, b_there) = (joined.a.clone(), joined.there(b.pid));
    let room = |node: NodeId| {
        let a = a.clone();
        poll_fn(move |cx| a.poll_ready(node, cx))
    };
    joined.slow();
    for _ in 0..ROOM {
        room(joined.other).await;
        a.signal(None, b_there, Signal::Message(Box::new("message")));
    }
    for end in [false, true] {
        let mut waits = pin!(room(joined.other));
        assert_eq!(poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx))).await, Poll::Pending);
        // Other ways are not this one.
        room(NodeId::HERE).await;
        if end {
            joined.cut();
        } else {
            assert!(joined.arrive(Side::B));
        }
        waits.await;
        a.signal(None, b_there, Signal::Message(Box::new("message")));
    }
    assert_eq!(joined.under_way_to(Side::B), 0, "all is lost");
}

// Lost connections

#[tokio::test(start_paused = true)]
async fn a_cut_ends_all_that_crosses_it() {
    let (joined, a, b) = puppets(true);
    let (c, d) = (Puppet::new(&joined.a, false), Puppet::new(&joined.b, false));
    let (a_there, b_there, d_there) = (joined.there(a.pid), joined.there(b.pid), joined.there(d.pid));
    let (c_pid, other) = (c.pid, joined.other);
    let name = Name::<u8>::new("far");
    let at_b = Dest::Name(name.registered_name(), other);
    joined.b.register(b.pid, name).unwrap();
    for puppet in [&a, &b] {
        let pid = puppet.pid;
        puppet.does(move || Node::current().monitor_nodes(Subject::to_pid(pid).unwrap())).await;
    }
    let monitors = a
        .does(move || {
            process::link(b_there).unwrap();
            process::link(c_pid).unwrap();
            let by_name = process::monitor(at_b).unwrap();
            let ended = process::monitor(b_there).unwrap();
            assert!(process::demonitor(ended));
            let request = process::monitor_with_alias(b_there, MonitorAlias::ReplyDemonitor).unwrap();
            let here = process::monitor(c_pid).unwrap();
            [process::monitor(b_there).unwrap(), by_name, request, here].map(process::Monitor::reference)
        })
        .await;
    let [by_pid, by_name, request, here] = monitors;
    b.does(move || process::monitor(a_there).unwrap()).await;
    c.does(move || process::link(d_there).unwrap()).await;

    joined.cut();
    // Who does not trap ends with it, and tells those who are linked with it here.
    let gone = ExitReason::NoConnection;
    assert_eq!((c.ended().await, d.ended().await), (gone.clone(), gone.clone()));
    let mut heard = a.heard().await;
    assert_eq!(heard.pop(), Some(Heard::Down(here, c_pid.into(), gone.clone())));
    assert_eq!(heard.pop(), Some(Heard::Exit(c_pid, gone.clone())));
    // Only when all is told that it means.
    assert_eq!(heard.pop(), Some(Heard::Node(NodeEvent::Down(other))));
    let expected = [
        Heard::Exit(b_there, gone.clone()),
        Heard::Down(by_pid, b_there.into(), gone.clone()),
        Heard::Down(by_name, at_b, gone.clone()),
        Heard::Down(request, b_there.into(), gone.clone()),
    ];
    assert_eq!(heard.len(), expected.len(), "{heard:?}");
    assert!(expected.iter().all(|expected| heard.contains(expected)), "{heard:?}");
    let mut heard = b.heard().await;
    assert_eq!(heard.pop(), Some(Heard::Node(NodeEvent::Down(other))));
    assert_eq!((heard.len(), heard.contains(&Heard::Exit(a_there, gone))), (2, true), "{heard:?}");
    assert_eq!((a.relations(), b.relations()), (nothing(), nothing()));

    // The request is over: its alias is, too, for those who are here.
    a.does(move || {
        Node::current().signal(None, Dest::Alias(request), Signal::Message(Box::new("too late")));
    })
    .await;
    assert_eq!(a.heard().await, []);
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_everything_bounces() {
    let (joined, a, b) = puppets(true);
    let b_there = joined.there(b.pid);
    let alias = joined.reference_there(b.does(|| process::alias(AliasMode::ExplicitUnalias).unwrap()).await);
    let name = Name::<u8>::new("far");
    joined.b.register(b.pid, name).unwrap();
    let at_b = Dest::Name(name.registered_name(), joined.other);
    let send = |to: Dest, text: &'static str| {
        a.does(move || Node::current().signal(process::current(), to, Signal::Message(Box::new(text))))
    };
    let all = [b_there.into(), at_b, Dest::Alias(alias)];
    for to in all {
        send(to, "before").await;
    }
    joined.cut();
    for to in all {
        send(to, "lost").await;
        let monitor = a.does(move || process::monitor(to).unwrap().reference()).await;
        assert_eq!(a.heard().await, [Heard::Down(monitor, to, ExitReason::NoConnection)]);
    }
    a.does(move || process::link(b_there).unwrap()).await;
    assert_eq!(a.heard().await, [Heard::Exit(b_there, ExitReason::NoConnection)]);
    assert_eq!((a.relations(), b.relations()), (nothing(), nothing()));
    let calling = a.does(move || process::send_exit(b_there, boom()));
    calling.await;

    // The alias of a process is its own, whatever connection there is.
    joined.reconnect();
    for to in all {
        send(to, "after").await;
    }
    let expected = ["before", "before", "before", "after", "after", "after"].map(Heard::Message);
    assert_eq!(b.heard().await, expected);
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_is_lost_for_ever() {
    let (joined, a, b) = puppets(true);
    let (a_there, b_there) = (joined.there(a.pid), joined.there(b.pid));
    let linked = Puppet::new(&joined.b, true);
    let linked_there = joined.there(linked.pid);
    a.does(move || process::link(linked_there).unwrap()).await;
    joined.slow();
    let sent = a
        .does(move || {
            let node = Node::current();
            node.signal(process::current(), b_there, Signal::Message(Box::new("lost")));
            process::send_exit(b_there, boom());
            process::link(b_there).unwrap();
            process::unlink(linked_there).unwrap();
            process::monitor(b_there).unwrap().reference()
        })
        .await;
    b.does(move || Node::current().signal(process::current(), a_there, Signal::Message(Box::new("lost"))))
        .await;
    assert_eq!((joined.under_way_to(Side::A), joined.under_way_to(Side::B)), (1, 5));
    joined.cut();
    let gone = ExitReason::NoConnection;
    let mut heard = a.heard().await;
    heard.sort_by_key(|heard| matches!(heard, Heard::Down(..)));
    // What was never there for the other is over for this one.
    assert_eq!(heard, [Heard::Exit(b_there, gone.clone()), Heard::Down(sent, b_there.into(), gone.clone())]);
    assert_eq!(linked.heard().await, [Heard::Exit(a_there, gone)]);
    joined.reconnect();
    joined.arrive_all().await;
    assert_eq!((a.heard().await, b.heard().await, linked.heard().await), (vec![], vec![], vec![]));
    for puppet in [&a, &b, &linked] {
        assert_eq!(puppet.relations(), nothing());
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_knows_nothing_of_the_old_one() {
    let (joined, a, b) = puppets(true);
    let (a_there, b_there) = (joined.there(a.pid), joined.there(b.pid));
    joined.slow();
    // Whatever was between the two when the connection was lost, and however much of it had arrived.
    for arrived in 0..6 {
        let monitor = a
            .does(move || {
                process::link(b_there).unwrap();
                let monitor = process::monitor(b_there).unwrap();
                process::unlink(b_there).unwrap();
                monitor
            })
            .await;
        b.does(move || process::unlink(a_there).unwrap()).await;
        for _ in 0..arrived {
            joined.arrive(Side::B);
            rest().await;
        }
        joined.cut();
        let gone = |there: Pid| Heard::Down(monitor.reference(), there.into(), ExitReason::NoConnection);
        assert_eq!(a.heard().await, [gone(b_there)], "{arrived}");
        // A link whose unlink had not arrived there was there still.
        let ended: Vec<_> = [Heard::Exit(a_there, ExitReason::NoConnection)].into_iter().collect();
        let heard = b.heard().await;
        assert!(heard.is_empty() || heard == ended, "{heard:?}");
        joined.reconnect();

        // Links hold from either end, and one unlink removes them.
        assert!(!a.does(move || process::demonitor(monitor)).await);
        for (one, other, other_there) in [(&a, &b, b_there), (&b, &a, a_there)] {
            let one_there = joined.there(one.pid);
            one.does(move || process::link(other_there).unwrap()).await;
            joined.arrive_all().await;
            assert_eq!(
                (one.relations().0, other.relations().0),
                (vec![other_there], vec![one_there]),
                "{arrived}"
            );
            other.does(move || process::unlink(one_there).unwrap()).await;
            joined.arrive_all().await;
            assert_eq!((one.relations(), other.relations()), (nothing(), nothing()), "{arrived}");
        }
    }

    // What is made anew holds, and nothing else does.
    let monitor = a
        .does(move || {
            process::link(b_there).unwrap();
            process::monitor(b_there).unwrap().reference()
        })
        .await;
    b.does(move || process::monitor(a_there).unwrap()).await;
    joined.arrive_all().await;
    b.ends(boom()).await;
    joined.arrive_all().await;
    let mut heard = a.heard().await;
    heard.sort_by_key(|heard| matches!(heard, Heard::Down(..)));
    assert_eq!(heard, [Heard::Exit(b_there, boom()), Heard::Down(monitor, b_there.into(), boom())]);
    assert_eq!(a.relations(), nothing());
}

#[tokio::test(start_paused = true)]
async fn nodes_come_before_what_they_send_and_go_after_it() {
    let (joined, a, b) = puppets(true);
    let (a_there, b_there, other) = (joined.there(a.pid), joined.there(b.pid), joined.other);
    for puppet in [&a, &b] {
        let pid = puppet.pid;
        puppet.does(move || Node::current().monitor_nodes(Subject::to_pid(pid).unwrap())).await;
    }
    for _ in 0..3 {
        for (puppet, peer) in [(&a, b_there), (&b, a_there)] {
            puppet
                .does(move || {
                    Node::current().signal(process::current(), peer, Signal::Message(Box::new("message")));
                })
                .await;
        }
        joined.cut();
        joined.reconnect();
    }
    let round =
        [Heard::Message("message"), Heard::Node(NodeEvent::Down(other)), Heard::Node(NodeEvent::Up(other))];
    for puppet in [&a, &b] {
        assert_eq!(puppet.heard().await, [round.clone(), round.clone(), round.clone()].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn an_earlier_incarnation_of_a_node_is_another_node() {
    let (joined, a, b) = puppets(true);
    let earlier = joined.a.node_id("b", 0).unwrap();
    assert_ne!(earlier, joined.other);
    assert_eq!(
        joined.a.node_name(earlier).map(|(name, creation)| (name.to_string(), creation)),
        Some(("b".into(), 0))
    );
    let old = Pid::from_parts(earlier, b.pid.id(), b.pid.serial());
    let monitor = a
        .does(move || {
            process::link(old).unwrap();
            Node::current().signal(process::current(), old, Signal::Message(Box::new("to the dead")));
            process::monitor(old).unwrap().reference()
        })
        .await;
    let gone = ExitReason::NoConnection;
    assert_eq!(a.heard().await, [Heard::Exit(old, gone.clone()), Heard::Down(monitor, old.into(), gone)]);
    assert_eq!((b.heard().await, b.relations()), (vec![], nothing()));
}

// Bodies

/// What a peer sends: a term of theirs.
#[derive(Debug, PartialEq)]
enum Term {
    Number(i64),
    Text(&'static str),
}

#[tokio::test(start_paused = true)]
async fn what_comes_from_outside_reaches_what_is_exposed_and_nothing_else() {
    let joined = Joined::new();
    joined.typed();
    let number = |body: Box<dyn Any + Send>| match body.downcast::<Term>() {
        Ok(term) => match *term {
            Term::Number(number) => {
                u8::try_from(number).map_err(|_| Box::new(Term::Number(number)) as Box<_>)
            }
            text => Err(Box::new(text) as Box<_>),
        },
        Err(other) => Err(other),
    };
    joined.b.expose::<u8>(number);
    let (name, untyped_name) = (Name::<u8>::new("exposed"), Name::<String>::new("hidden"));
    let aliases = Subject::<Reference>::new();
    assert!(aliases.is_err(), "this is no process");
    let numbers = Arc::<std::sync::Mutex<Vec<u8>>>::default();
    let told = Arc::<std::sync::Mutex<Option<Reference>>>::default();

    // Its own messages are numbers, by its name as well.
    let exposed = Spawn::new().on(&joined.b).named(name).prepare({
        let (numbers, told) = (numbers.clone(), told.clone());
        move |own: Subject<u8>| async move {
            let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
            *told.lock().unwrap() = Some(alias);
            let mut all = Selector::new()
                .select(&own, |number| number)
                .select_alias(alias, |number: u8| number)
                .select_other(|other| panic!("{other}"));
            loop {
                let number = all.receive_forever().await.unwrap();
                numbers.lock().unwrap().push(number);
            }
            #[allow(unreachable_code)]
            ExitReason::Normal
        }
    });
    let exposed = joined.there(exposed.unwrap().start());
    // Those of this one are not exposed, whatever it is sent to.
    let hidden = Spawn::new().on(&joined.b).named(untyped_name).prepare(|_: Subject<String>| pending::<()>());
    let hidden = hidden.unwrap().start();
    rest().await;
    let alias = joined.reference_there(told.lock().unwrap().unwrap());
    let at_b = |name| Dest::Name(name, joined.other);
    let send = |to: Dest, term: Term| joined.a.signal(None, to, Signal::Message(Box::new(term)));

    send(exposed.into(), Term::Number(1));
    send(at_b(name.registered_name()), Term::Number(2));
    send(Dest::Alias(alias), Term::Number(3));
    rest().await;
    assert_eq!((&numbers.lock().unwrap()[..], joined.refused()), (&[1, 2, 3][..], vec![]));

    let nobody = at_b(Name::<u8>::new("nobody").registered_name());
    let refused = |to: Dest, term: Term| {
        send(to, term);
        joined.refused()
    };
    let not_a_message = InjectError::Refused(Box::new(())).to_string();
    for term in [Term::Text("no number"), Term::Number(1_000)] {
        assert_eq!(refused(exposed.into(), term), [not_a_message.clone()]);
    }
    for to in [joined.there(hidden).into(), at_b(untyped_name.registered_name())] {
        assert_eq!(refused(to, Term::Number(4)), [InjectError::NotExposed.to_string()]);
    }
    assert_eq!(refused(nobody, Term::Number(5)), [InjectError::NoProc.to_string()]);
    rest().await;
    assert_eq!(numbers.lock().unwrap().len(), 3);
    assert_eq!(joined.b.info(hidden).unwrap().message_queue_len, 0, "nothing has reached it");
}
