//! Priority messages against a receiver that takes.

use std::sync::{Arc, Mutex};

use super::{explore, thread};
use crate::{AliasMode, Dest, ExitReason, Selector, Signal, Subject, priority_alias};

#[test]
fn a_priority_message_wakes_who_waits_for_it_and_lies_before_what_is_there() {
    explore(["came before the ordinary one", "came after it"], |world| {
        let got = Arc::new(Mutex::new(Vec::new()));
        let alias = Arc::new(Mutex::new(None));
        let (mut receiver, address) = world.process({
            let (got, alias) = (got.clone(), alias.clone());
            move |own: Subject<u8>| async move {
                let made = priority_alias(AliasMode::ExplicitUnalias).unwrap();
                *alias.lock().unwrap() = Some(made);
                let mut selector = Selector::new().select(&own, |n| n).select_alias(made, |n: u8| n);
                for _ in 0..2 {
                    let message = selector.receive_forever().await.unwrap();
                    got.lock().unwrap().push(message);
                }
            }
        });
        assert!(receiver.poll().is_pending());
        let alias = alias.lock().unwrap().unwrap();
        let urgent = thread::spawn({
            let node = world.node.clone();
            move || node.signal(None, Dest::Alias(alias), Signal::PriorityMessage(Box::new(2_u8)))
        });
        address.send(1);
        receiver.run();
        urgent.join().unwrap();
        match got.lock().unwrap()[..] {
            [1, 2] => world.saw("came after it"),
            [2, 1] => world.saw("came before the ordinary one"),
            ref other => panic!("lost: {other:?}"),
        }
    });
}

#[test]
fn a_receive_that_is_overtaken_while_it_looks_loses_nothing() {
    explore(["overtaken", "not overtaken"], |world| {
        let mut a = world.puppet::<u8>();
        let own = a.subject.clone();
        let alias = a.does(|| priority_alias(AliasMode::ExplicitUnalias).unwrap()).unwrap();
        a.subject.send(1);
        let urgent = thread::spawn({
            let node = world.node.clone();
            move || {
                for n in [10_u8, 11] {
                    node.signal(None, Dest::Alias(alias), Signal::PriorityMessage(Box::new(n)));
                }
            }
        });
        let all = move || {
            crate::receive::drain(&mut Selector::new().select(&own, |n| n).select_alias(alias, |n: u8| n))
        };
        let mut got = a.does(all.clone()).unwrap();
        urgent.join().unwrap();
        got.extend(a.does(all).unwrap());
        world.saw(if got == [10, 11, 1] { "overtaken" } else { "not overtaken" });
        assert_eq!(got.iter().filter(|n| **n == 1).count(), 1, "{got:?}");
        got.retain(|n| *n != 1);
        assert_eq!(got, [10, 11]);
        a.ends(ExitReason::Normal);
    });
}

#[test]
fn a_priority_message_to_a_mailbox_that_closes_is_dropped() {
    explore(["dropped with the mailbox", "refused"], |world| {
        let token = Arc::new(());
        let mut a = world.puppet::<()>();
        let alias = a.does(|| priority_alias(AliasMode::ExplicitUnalias).unwrap()).unwrap();
        let process = a.process.clone();
        let urgent = thread::spawn({
            let (token, process) = (token.clone(), process.clone());
            move || {
                process.deliver(None, Dest::Alias(alias), Signal::PriorityMessage(Box::new(token))).is_ok()
            }
        });
        a.ends(ExitReason::Normal);
        world.saw(if urgent.join().unwrap() { "dropped with the mailbox" } else { "refused" });
        assert_eq!(Arc::strong_count(&token), 1, "a message was stranded");
        drop(process);
    });
}
