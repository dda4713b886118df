//! Aliases against those who withdraw them, against a second message, and against the ends of those they wait for.

use super::{World, explore, puppet::downs, thread};
use crate::{
    AliasMode, Dest, ExitReason, MonitorAlias, Reference, Selector, Signal, alias, demonitor_flush,
    monitor_with_alias, receive, unalias,
};

/// Has a thread send these through an alias, one after the other.
fn sending<const N: usize>(world: &World, alias: Reference, numbers: [u8; N]) -> thread::JoinHandle<()> {
    let node = world.node.clone();
    thread::spawn(move || {
        for number in numbers {
            node.signal(None, Dest::Alias(alias), Signal::Message(Box::new(number)));
        }
    })
}

/// What has come to the calling process through this alias.
fn through(alias: Reference) -> Vec<u8> {
    receive::drain(&mut Selector::new().select_alias(alias, |number: u8| number))
}

#[test]
fn of_two_messages_through_an_alias_for_one_message_one_gets_in() {
    explore(["one", "the other"], |world| {
        let mut a = world.puppet::<()>();
        let alias = a.does(|| alias(AliasMode::Reply)).unwrap().unwrap();
        let senders = [sending(world, alias, [1]), sending(world, alias, [2])];
        for sender in senders {
            sender.join().unwrap();
        }
        match a.does(move || through(alias)).unwrap()[..] {
            [1] => world.saw("one"),
            [2] => world.saw("the other"),
            ref other => panic!("{other:?}"),
        }
        assert!(!a.does(move || unalias(alias)).unwrap(), "active after its one message");
    });
}

/// What unalias returns tells of an alias for one message whether that has come.
fn unalias_against_send(mode: AliasMode) {
    explore(["came before", "dropped"], move |world| {
        let mut a = world.puppet::<()>();
        let alias = a.does(move || alias(mode)).unwrap().unwrap();
        let sender = sending(world, alias, [1]);
        let (active, before) = a.does(move || (unalias(alias), through(alias))).unwrap();
        sender.join().unwrap();
        assert_eq!(a.does(move || through(alias)), Some(vec![]), "after unalias had returned");
        assert_eq!(active, before.is_empty() || mode == AliasMode::ExplicitUnalias);
        world.saw(if before.is_empty() { "dropped" } else { "came before" });
    });
}

#[test]
fn nothing_comes_through_an_alias_once_unalias_has_returned() {
    unalias_against_send(AliasMode::ExplicitUnalias);
}

#[test]
fn an_alias_for_one_message_that_was_active_when_it_was_withdrawn_brings_none() {
    unalias_against_send(AliasMode::Reply);
}

#[test]
fn a_request_is_answered_or_the_end_of_its_server_is_heard_and_never_both() {
    explore(["answered", "ended"], |world| {
        let (mut a, mut b) = (world.puppet::<()>(), world.puppet::<()>());
        let server = b.pid;
        let monitor = a.does(move || monitor_with_alias(server, MonitorAlias::ReplyDemonitor));
        let alias = monitor.unwrap().unwrap().reference();
        // By another, to which the server has handed the request.
        let answering = sending(world, alias, [1]);
        b.ends(ExitReason::Shutdown);
        answering.join().unwrap();
        let (replies, downs) = a.does(move || (through(alias), downs())).unwrap();
        match (&replies[..], &downs[..]) {
            ([1], []) => world.saw("answered"),
            ([], [down]) if down.reason == ExitReason::Shutdown => world.saw("ended"),
            other => panic!("{other:?}"),
        }
        assert!(!a.does(move || unalias(alias)).unwrap());
        assert_eq!(a.monitors(), (0, 0));
    });
}

#[test]
fn a_request_that_is_given_up_as_it_is_answered_is_either() {
    explore(["answered", "given up"], |world| {
        let (mut a, b) = (world.puppet::<()>(), world.puppet::<()>());
        let server = b.pid;
        let monitor = a.does(move || monitor_with_alias(server, MonitorAlias::ReplyDemonitor));
        let monitor = monitor.unwrap().unwrap();
        let alias = monitor.reference();
        let answering = sending(world, alias, [1]);
        let (active, replies) = a.does(move || (demonitor_flush(monitor), through(alias))).unwrap();
        answering.join().unwrap();
        assert_eq!(a.does(move || (through(alias), downs())), Some((vec![], vec![])));
        match (active, &replies[..]) {
            (false, [1]) => world.saw("answered"),
            (true, []) => world.saw("given up"),
            other => panic!("{other:?}"),
        }
        assert_eq!((a.monitors(), b.monitors()), ((0, 0), (0, 0)));
    });
}

#[test]
fn nothing_comes_through_the_alias_of_a_monitor_after_it_has_told_of_the_end() {
    explore(["both before", "one before", "none before"], |world| {
        let (mut a, mut b) = (world.puppet::<()>(), world.puppet::<()>());
        let target = b.pid;
        let monitor = a.does(move || monitor_with_alias(target, MonitorAlias::Demonitor)).unwrap().unwrap();
        let alias = monitor.reference();
        let sender = sending(world, alias, [1, 2]);
        b.ends(ExitReason::Shutdown);
        sender.join().unwrap();
        let mut all = Selector::new().select_alias(alias, Some::<u8>).select_monitor(monitor, |_| None);
        match a.does(move || receive::drain(&mut all)).unwrap()[..] {
            [Some(1), Some(2), None] => world.saw("both before"),
            [Some(1), None] => world.saw("one before"),
            [None] => world.saw("none before"),
            ref other => panic!("{other:?}"),
        }
    });
}
