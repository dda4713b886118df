//! What is on its way between two nodes.

use std::{future::poll_fn, pin::pin, task::Poll};

use erlang_process::{self as process, Dest, ExitReason, MonitorAlias, Name, Node, NodeId, Signal};

use super::connection::{Heard, Puppet, ROOM, Side, nothing, puppets};
use crate::support::boom;

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
