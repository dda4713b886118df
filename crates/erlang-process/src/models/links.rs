//! Links against exits, unlinks and each other.

use super::{
    World, explore, kill,
    puppet::{Puppet, exits},
    thread,
};
use crate::{ExitReason, LinkError, is_alive, link, trap_exits, unlink};

/// Two processes, the first of which traps exits.
fn trapping_and_other(world: &World) -> (Puppet, Puppet) {
    let (mut a, b) = (world.puppet(), world.puppet());
    a.does(|| trap_exits(true)).unwrap().unwrap();
    (a, b)
}

/// Links the first process with the second.
fn linked((mut a, b): (Puppet, Puppet)) -> (Puppet, Puppet) {
    let peer = b.pid;
    a.does(move || link(peer)).unwrap().unwrap();
    (a, b)
}

fn ending(mut process: Puppet, reason: ExitReason) -> thread::JoinHandle<()> {
    thread::spawn(move || process.ends(reason))
}

#[test]
fn who_links_with_a_process_that_ends_hears_of_it_once() {
    explore(["by its exit", "as noproc"], |world| {
        let (mut a, b) = trapping_and_other(world);
        let peer = b.pid;
        let end = ending(b, ExitReason::Shutdown);
        a.does(move || link(peer)).unwrap().unwrap();
        end.join().unwrap();
        let heard = a.exits();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!(heard[0].pid, peer);
        match heard[0].reason {
            ExitReason::Shutdown => world.saw("by its exit"),
            ExitReason::NoProc => world.saw("as noproc"),
            ref other => panic!("{other}"),
        }
        assert_eq!(a.links(), []);
    });
}

#[test]
fn who_does_not_trap_and_links_with_a_process_that_ends_is_refused_or_ends_too() {
    explore(["refused", "ended of its exit", "ended of noproc"], |world| {
        let (mut a, b) = (world.puppet::<()>(), world.puppet());
        let peer = b.pid;
        let end = ending(b, ExitReason::Shutdown);
        let linked = a.does(move || link(peer)).unwrap();
        end.join().unwrap();
        a.poll();
        match (linked, a.reason()) {
            (Err(LinkError::NoProc), None) => world.saw("refused"),
            (Ok(()), Some(ExitReason::Shutdown)) => world.saw("ended of its exit"),
            (Ok(()), Some(ExitReason::NoProc)) => world.saw("ended of noproc"),
            other => panic!("{other:?}"),
        }
        assert_eq!(a.links(), []);
    });
}

#[test]
fn nothing_comes_through_a_link_once_unlink_has_returned() {
    explore(["nothing came", "it was already there"], |world| {
        let (mut a, b) = linked(trapping_and_other(world));
        let peer = b.pid;
        let end = ending(b, ExitReason::Shutdown);
        let before = a.does(move || {
            unlink(peer).unwrap();
            exits().len()
        });
        end.join().unwrap();
        assert_eq!(a.exits(), [], "after unlink had returned");
        match before.unwrap() {
            0 => world.saw("nothing came"),
            1 => world.saw("it was already there"),
            more => panic!("{more} exits of one process"),
        }
        assert_eq!(a.links(), []);
    });
}

#[test]
fn who_does_not_trap_and_lives_when_unlink_has_returned_is_not_ended_by_the_peer() {
    explore(["lives", "ended first", "ended meanwhile"], |world| {
        let (mut a, b) = linked((world.puppet(), world.puppet()));
        let (own, peer) = (a.pid, b.pid);
        let end = ending(b, ExitReason::Shutdown);
        let alive = a.does(move || {
            unlink(peer).unwrap();
            is_alive(own)
        });
        end.join().unwrap();
        a.poll();
        match (alive, a.reason()) {
            (Some(true), None) => world.saw("lives"),
            (Some(false), Some(ExitReason::Shutdown)) => world.saw("ended meanwhile"),
            (None, Some(ExitReason::Shutdown)) => world.saw("ended first"),
            other => panic!("{other:?}"),
        }
        assert_eq!(a.links(), []);
    });
}

#[test]
fn two_that_link_each_other_have_one_link_and_die_once() {
    explore(
        ["one after the other, ended", "one after the other, killed", "at once, ended", "at once, killed"],
        |world| {
            let (mut a, mut b) = trapping_and_other(world);
            let (one, other) = (a.pid, b.pid);
            let linking = thread::spawn(move || {
                let was_linked = b.is_linked(one);
                b.does(move || link(one)).unwrap().unwrap();
                (b, was_linked)
            });
            let was_linked = a.is_linked(other);
            a.does(move || link(other)).unwrap().unwrap();
            let (mut b, other_was_linked) = linking.join().unwrap();
            assert_eq!((a.links(), b.links()), (vec![other], vec![one]));

            // Twice: by what it returns, and by a signal.
            let killing = thread::spawn({
                let node = world.node.clone();
                move || node.signal(None, other, kill())
            });
            b.ends(ExitReason::Shutdown);
            let heard = a.exits();
            killing.join().unwrap();
            assert_eq!(a.exits(), []);
            let crossed = !was_linked && !other_was_linked;
            world.saw(match (&heard[..], crossed) {
                ([exit], false) if exit.reason == ExitReason::Shutdown => "one after the other, ended",
                ([exit], false) if exit.reason == ExitReason::Killed => "one after the other, killed",
                ([exit], true) if exit.reason == ExitReason::Shutdown => "at once, ended",
                ([exit], true) if exit.reason == ExitReason::Killed => "at once, killed",
                other => panic!("{other:?}"),
            });
        },
    );
}

#[test]
fn when_two_linked_processes_end_at_once_a_third_hears_of_each_once_and_the_truth() {
    let outcomes = ["each of its own", "the first of the other's", "the second of the other's"];
    explore(outcomes, |world| {
        let (mut c, b) = trapping_and_other(world);
        let (mut a, b) = linked((world.puppet(), b));
        let (first, second) = (a.pid, b.pid);
        c.does(move || link(first).and_then(|()| link(second))).unwrap().unwrap();
        let mut b = b;
        let end = thread::spawn(move || {
            b.ends(ExitReason::NoConnection);
            b
        });
        a.ends(ExitReason::Shutdown);
        let b = end.join().unwrap();
        let reasons = (a.reason().unwrap(), b.reason().unwrap());
        match reasons {
            (ExitReason::Shutdown, ExitReason::NoConnection) => world.saw("each of its own"),
            (ExitReason::NoConnection, ExitReason::NoConnection) => world.saw("the first of the other's"),
            (ExitReason::Shutdown, ExitReason::Shutdown) => world.saw("the second of the other's"),
            ref other => panic!("{other:?}"),
        }
        let mut heard: Vec<_> = c.exits().into_iter().map(|exit| (exit.pid, exit.reason)).collect();
        heard.sort_by_key(|(pid, _)| *pid);
        let mut told = [(first, reasons.0), (second, reasons.1)];
        told.sort_by_key(|(pid, _)| *pid);
        assert_eq!(heard, told);
    });
}

/// Lets both do what they have to do of themselves, until neither has.
fn rest(a: &mut Puppet, b: &mut Puppet) {
    while a.is_woken() || b.is_woken() {
        a.poll();
        b.poll();
    }
}

#[test]
fn a_link_and_an_unlink_that_cross_leave_both_sides_agreed() {
    explore(["linked", "not linked"], |world| {
        let (mut a, mut b) = linked((world.puppet(), world.puppet()));
        let (one, other) = (a.pid, b.pid);
        let unlinking = thread::spawn(move || {
            b.does(move || unlink(one)).unwrap().unwrap();
            b
        });
        a.does(move || link(other)).unwrap().unwrap();
        let mut b = unlinking.join().unwrap();
        rest(&mut a, &mut b);
        if a.is_linked(other) {
            assert!(b.is_linked(one), "only one side is linked");
            world.saw("linked");
        } else {
            assert_eq!((a.links(), b.links()), (vec![], vec![]));
            world.saw("not linked");
        }
    });
}

#[test]
fn after_link_and_unlink_by_one_and_unlink_and_link_by_the_other_both_sides_agree() {
    explore(["linked", "not linked"], |world| {
        let (mut a, mut b) = linked((world.puppet(), world.puppet()));
        let (one, other) = (a.pid, b.pid);
        let linking = thread::spawn(move || {
            b.does(move || (unlink(one), link(one))).unwrap().1.unwrap();
            b
        });
        a.does(move || (link(other), unlink(other))).unwrap().1.unwrap();
        let mut b = linking.join().unwrap();
        rest(&mut a, &mut b);
        assert_eq!(a.is_linked(other), b.is_linked(one), "{:?} {:?}", a.links(), b.links());
        if a.is_linked(other) {
            world.saw("linked");
        } else {
            assert_eq!((a.links(), b.links()), (vec![], vec![]));
            world.saw("not linked");
        }
    });
}

#[test]
fn an_acknowledgement_of_an_earlier_unlink_does_not_count_for_a_later_one() {
    explore(["linked", "not linked"], |world| {
        let (mut a, mut b) = linked((world.puppet(), world.puppet()));
        let (one, other) = (a.pid, b.pid);
        let linking = thread::spawn(move || {
            b.does(move || (unlink(one), link(one))).unwrap().1.unwrap();
            b
        });
        a.does(move || (unlink(other), link(other), unlink(other))).unwrap().1.unwrap();
        let mut b = linking.join().unwrap();
        rest(&mut a, &mut b);
        assert_eq!(a.is_linked(other), b.is_linked(one), "{:?} {:?}", a.links(), b.links());
        world.saw(if a.is_linked(other) { "linked" } else { "not linked" });
    });
}

#[test]
fn a_process_that_links_and_ends_while_the_other_unlinks_leaves_nothing_behind() {
    explore(["heard of it", "heard nothing"], |world| {
        let (mut b, mut a) = linked(trapping_and_other(world));
        let (one, other) = (a.pid, b.pid);
        let unlinking = thread::spawn(move || {
            b.does(move || unlink(one)).unwrap().unwrap();
            b
        });
        a.does(move || link(other)).unwrap().unwrap();
        a.ends(ExitReason::Shutdown);
        let mut b = unlinking.join().unwrap();
        rest(&mut a, &mut b);
        match b.exits().len() {
            0 => world.saw("heard nothing"),
            1 => world.saw("heard of it"),
            more => panic!("{more} exits of one process"),
        }
        assert_eq!(b.links(), []);
    });
}

#[test]
fn a_process_that_is_killed_while_it_links_and_the_other_unlinks_leaves_nothing_behind() {
    explore(["heard of it", "heard nothing"], |world| {
        let (mut b, mut a) = linked(trapping_and_other(world));
        let (one, other) = (a.pid, b.pid);
        let unlinking = thread::spawn(move || {
            b.does(move || unlink(one)).unwrap().unwrap();
            b
        });
        let killing = thread::spawn({
            let node = world.node.clone();
            move || node.signal(None, one, kill())
        });
        a.does(move || link(other));
        killing.join().unwrap();
        a.poll();
        assert_eq!(a.reason(), Some(ExitReason::Killed));
        let mut b = unlinking.join().unwrap();
        rest(&mut a, &mut b);
        match b.exits().len() {
            0 => world.saw("heard nothing"),
            1 => world.saw("heard of it"),
            more => panic!("{more} exits of one process"),
        }
        assert_eq!(b.links(), []);
    });
}
