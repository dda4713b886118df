//! Names against exits, against each other, and while they are sent to.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{Token, explore, puppet::Task, thread};
use crate::{ExitReason, Name, RegisterError, Subject, name::Waiter};

const NAME: Name<u8> = Name::fixed("the name");
const OTHER_NAME: Name<u8> = Name::fixed("another name");

#[test]
fn a_dead_process_owns_no_name() {
    explore(["registered first", "dead already", "dead and gone already"], |world| {
        let mut a = world.puppet::<u8>();
        let pid = a.pid;
        let registering = thread::spawn({
            let node = world.node.clone();
            move || (node.find(pid).is_none(), node.register(pid, NAME))
        });
        a.ends(ExitReason::Shutdown);
        // From here on nobody may find it by the name, whatever is still to come.
        assert_eq!(world.node.whereis(NAME), None);
        match registering.join().unwrap() {
            (_, Ok(())) => world.saw("registered first"),
            (false, Err(RegisterError::NoProc)) => world.saw("dead already"),
            (true, Err(RegisterError::NoProc)) => world.saw("dead and gone already"),
            (_, Err(other)) => panic!("{other}"),
        }
        assert_eq!((world.node.whereis(NAME), &world.node.registered()[..]), (None, &[][..]));
    });
}

#[test]
fn a_dead_process_is_refused_for_being_dead_and_not_for_its_heir() {
    explore(["registered first", "refused"], |world| {
        let (mut a, b) = (world.puppet::<u8>(), world.puppet::<u8>());
        let pid = a.pid;
        let registering = thread::spawn({
            let node = world.node.clone();
            move || node.register(pid, NAME)
        });
        a.ends(ExitReason::Shutdown);
        assert_eq!(world.node.register(b.pid, NAME), Ok(()));
        match registering.join().unwrap() {
            Ok(()) => world.saw("registered first"),
            Err(RegisterError::NoProc) => world.saw("refused"),
            Err(other) => panic!("a dead process was refused because {other}"),
        }
        assert_eq!(world.node.whereis(NAME), Some(b.pid));
    });
}

#[test]
fn who_sees_that_the_holder_is_dead_can_take_its_name() {
    explore(["alive", "dead"], |world| {
        let (mut a, mut b) = (world.puppet::<u8>(), world.puppet::<u8>());
        let (old, new) = (a.pid, b.pid);
        world.node.register(old, NAME).unwrap();
        let taking = thread::spawn({
            let node = world.node.clone();
            move || {
                let nameless = node.whereis(NAME).is_none();
                if node.is_alive(old) {
                    assert!(!nameless, "it gave up its name before its end was decided");
                    return false;
                }
                assert_eq!(node.whereis(NAME), None);
                assert_eq!(node.register(new, NAME), Ok(()));
                assert_eq!(node.whereis(NAME), Some(new));
                true
            }
        });
        a.ends(ExitReason::Shutdown);
        let taken = taking.join().unwrap();
        assert_eq!(world.node.whereis(NAME), taken.then_some(new));
        world.saw(if taken { "dead" } else { "alive" });
        b.ends(ExitReason::Shutdown);
        assert_eq!(world.node.registered(), []);
    });
}

#[test]
fn who_waits_for_a_name_is_woken_by_its_registration() {
    explore(["registered first", "woken"], |world| {
        let a = world.puppet::<u8>();
        let pid = a.pid;
        let registering = thread::spawn({
            let node = world.node.clone();
            move || node.register(pid, NAME)
        });
        let waiter = Waiter::new(world.node.clone(), NAME.registered_name(), None);
        let mut waiting = Task::new(async move { assert_eq!(waiter.await, pid) });
        let met = waiting.poll().is_ready();
        registering.join().unwrap().unwrap();
        assert!(met || waiting.is_woken() && waiting.poll().is_ready());
        world.saw(if met { "registered first" } else { "woken" });
    });
}

#[test]
fn of_two_that_register_one_name_one_wins_and_the_other_learns_who() {
    explore(["one", "the other"], |world| {
        let (a, b) = (world.puppet::<u8>(), world.puppet::<u8>());
        let (one, other) = (a.pid, b.pid);
        let registering = thread::spawn({
            let node = world.node.clone();
            move || node.register(one, NAME)
        });
        let results = (world.node.register(other, NAME), registering.join().unwrap());
        match results {
            (Ok(()), Err(RegisterError::NameTaken { holder })) => {
                assert_eq!((world.node.whereis(NAME), holder), (Some(other), other));
                world.saw("the other");
            }
            (Err(RegisterError::NameTaken { holder }), Ok(())) => {
                assert_eq!((world.node.whereis(NAME), holder), (Some(one), one));
                world.saw("one");
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn of_two_names_that_one_process_is_given_it_has_one() {
    explore(["one", "the other"], |world| {
        let a = world.puppet::<u8>();
        let pid = a.pid;
        let registering = thread::spawn({
            let node = world.node.clone();
            move || node.register(pid, OTHER_NAME)
        });
        let results = (world.node.register(pid, NAME), registering.join().unwrap());
        let held = world.node.registered();
        match results {
            (Ok(()), Err(RegisterError::AlreadyNamed { name })) => {
                assert_eq!((name, &held[..]), (NAME.registered_name(), &[name][..]));
                world.saw("one");
            }
            (Err(RegisterError::AlreadyNamed { name }), Ok(())) => {
                assert_eq!((name, &held[..]), (OTHER_NAME.registered_name(), &[name][..]));
                world.saw("the other");
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_name_that_is_taken_back_while_its_process_ends_is_free() {
    explore(["taken back", "free already"], |world| {
        let mut a = world.puppet::<u8>();
        world.node.register(a.pid, NAME).unwrap();
        let unregistering = thread::spawn({
            let (node, pid) = (world.node.clone(), a.pid);
            move || (node.is_alive(pid), node.unregister(NAME))
        });
        a.ends(ExitReason::Shutdown);
        assert_eq!(world.node.whereis(NAME), None);
        match unregistering.join().unwrap() {
            (true, Ok(())) => world.saw("taken back"),
            (false, Ok(())) => panic!("taken from the dead"),
            (_, Err(_)) => world.saw("free already"),
        }
        assert_eq!(world.node.registered(), []);
    });
}

#[test]
fn what_is_sent_to_a_name_that_changes_hands_finds_its_holder() {
    let outcomes = ["the old holder got it", "the new holder got it", "given back"];
    explore(outcomes, |world| {
        const NAME: Name<Token> = Name::fixed("the name");

        let dropped = Arc::new(AtomicUsize::new(0));
        let (mut old, mut new) = (world.puppet::<Token>(), world.puppet::<Token>());
        world.node.register(old.pid, NAME).unwrap();
        let subject = Subject::named(world.node.clone(), NAME.registered_name());
        let taking_over = thread::spawn({
            let node = world.node.clone();
            let heir = new.pid;
            move || {
                old.ends(ExitReason::Shutdown);
                node.register(heir, NAME).unwrap();
                old
            }
        });
        let before = world.node.whereis(NAME);
        let sent = subject.try_send(Token(dropped.clone()));
        let after = world.node.whereis(NAME);
        let old = taking_over.join().unwrap();
        let got = new.messages().len();
        match sent {
            Ok(()) if got == 1 => {
                assert_ne!(after, Some(old.pid));
                world.saw("the new holder got it");
            }
            Ok(()) => {
                assert_eq!(got, 0);
                assert_eq!(dropped.load(Ordering::Relaxed), 1, "the message was stranded");
                assert_ne!(before, Some(new.pid), "the new holder was there and did not get it");
                world.saw("the old holder got it");
            }
            Err(back) => {
                // Between two holders there is a moment in which there is none. The send must have met it.
                assert_eq!((got, dropped.load(Ordering::Relaxed)), (0, 0));
                drop(back);
                assert_ne!(after, Some(old.pid), "the old holder lived all the time");
                assert_ne!(before, Some(new.pid), "the new holder was there all the time");
                world.saw("given back");
            }
        }
        new.ends(ExitReason::Shutdown);
    });
}
