//! Monitors against exits.

use super::{explore, puppet::downs, thread};
use crate::{ExitReason, demonitor, demonitor_flush, monitor};

#[test]
fn who_monitors_a_process_that_ends_hears_of_it_once() {
    explore(["by its end", "as noproc"], |world| {
        let (mut a, mut b) = (world.puppet::<()>(), world.puppet::<()>());
        let target = b.pid;
        let end = thread::spawn(move || b.ends(ExitReason::Shutdown));
        let monitor = a.does(move || monitor(target)).unwrap().unwrap();
        end.join().unwrap();
        let heard = a.downs();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!((heard[0].monitor, heard[0].pid()), (monitor, Some(target)));
        match heard[0].reason {
            ExitReason::Shutdown => world.saw("by its end"),
            ExitReason::NoProc => world.saw("as noproc"),
            ref other => panic!("{other}"),
        }
        assert_eq!(a.monitors(), (0, 0));
    });
}

#[test]
fn a_monitor_that_was_active_when_it_was_ended_is_silent_and_any_other_has_spoken() {
    explore(["active", "over"], |world| {
        let (mut a, mut b) = (world.puppet::<()>(), world.puppet::<()>());
        let target = b.pid;
        let monitor = a.does(move || monitor(target)).unwrap().unwrap();
        let end = thread::spawn(move || b.ends(ExitReason::Shutdown));
        let active = a.does(move || demonitor(monitor)).unwrap();
        let before = a.downs().len();
        end.join().unwrap();
        assert_eq!(a.downs(), [], "after demonitor had returned");
        assert_eq!(before, if active { 0 } else { 1 });
        world.saw(if active { "active" } else { "over" });
        assert_eq!(a.monitors(), (0, 0));
    });
}

#[test]
fn nothing_comes_of_a_monitor_that_was_ended_and_flushed() {
    explore(["active", "over"], |world| {
        let (mut a, mut b) = (world.puppet::<()>(), world.puppet::<()>());
        let target = b.pid;
        let monitor = a.does(move || monitor(target)).unwrap().unwrap();
        let end = thread::spawn(move || b.ends(ExitReason::Shutdown));
        let (active, flushed) = a.does(move || (demonitor_flush(monitor), downs())).unwrap();
        end.join().unwrap();
        assert_eq!((flushed, a.downs()), (vec![], vec![]));
        world.saw(if active { "active" } else { "over" });
        assert_eq!(a.monitors(), (0, 0));
    });
}

#[test]
fn nothing_comes_of_a_monitor_that_was_made_and_flushed_while_its_process_ended() {
    explore(["active", "over"], |world| {
        let (mut a, mut b) = (world.puppet::<()>(), world.puppet::<()>());
        let target = b.pid;
        let end = thread::spawn(move || b.ends(ExitReason::Shutdown));
        let (active, flushed) = a
            .does(move || {
                let monitor = monitor(target).unwrap();
                (demonitor_flush(monitor), downs())
            })
            .unwrap();
        end.join().unwrap();
        assert_eq!((flushed, a.downs()), (vec![], vec![]));
        world.saw(if active { "active" } else { "over" });
        assert_eq!(a.monitors(), (0, 0));
    });
}

#[test]
fn a_watcher_that_ends_while_it_demonitors_leaves_nothing_with_the_watched() {
    explore(["demonitored", "ended first"], |world| {
        let (mut a, b) = (world.puppet::<()>(), world.puppet::<()>());
        let (watcher, target) = (a.pid, b.pid);
        let kill = thread::spawn({
            let node = world.node.clone();
            move || node.signal(None, watcher, super::kill())
        });
        let ended = a.does(move || demonitor(monitor(target).unwrap()));
        kill.join().unwrap();
        a.poll();
        assert_eq!(a.reason(), Some(ExitReason::Killed));
        assert_eq!(b.monitors(), (0, 0));
        world.saw(if ended.is_some() { "demonitored" } else { "ended first" });
    });
}
