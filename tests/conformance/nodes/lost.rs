//! What becomes of everything between two nodes when the connection is lost and comes back.

use erlang_process::{
    self as process, AliasMode, Dest, ExitReason, MonitorAlias, Name, Node, NodeEvent, Pid, Signal, Subject,
};

use super::connection::{Heard, Puppet, Side, nothing, puppets, rest};
use crate::support::boom;

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
        puppet.does(move || Node::current().monitor_nodes(&Subject::to_pid(pid).unwrap())).await;
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
    for (round, arrived) in (0..6).flat_map(|arrived| [arrived; 2]).enumerate() {
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

        // Links hold from either end, whichever is the first, and one unlink removes them.
        assert!(!a.does(move || process::demonitor(monitor)).await);
        let (from_a, from_b) = ((&a, &b, b_there), (&b, &a, a_there));
        let ends = if round % 2 == 0 { [from_a, from_b] } else { [from_b, from_a] };
        for (one, other, other_there) in ends {
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
        puppet.does(move || Node::current().monitor_nodes(&Subject::to_pid(pid).unwrap())).await;
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
