//! Suspending against running: no wake is lost, and a kill acts all the same.

use super::{explore, kill, thread};
use crate::ExitReason;

#[test]
fn what_a_suspended_process_was_woken_for_it_does_when_it_is_resumed() {
    explore(["ran at once", "ran when resumed"], |world| {
        let mut a = world.puppet::<()>();
        a.does(|| ()).unwrap();
        let process = a.process.clone();
        let debugger = thread::spawn(move || {
            assert!(process.with(|control, _| control.suspend(process.head())));
            process.wake(process.with(|control, _| control.resume(process.head())));
        });
        // The poll that this order causes may find the process suspended.
        let done = a.does(|| ()).is_some();
        debugger.join().unwrap();
        if done {
            world.saw("ran at once");
        } else {
            assert!(a.is_woken(), "nobody has woken it");
            a.poll();
            assert!(a.is_idle(), "resumed, and does not run");
            world.saw("ran when resumed");
        }
        a.ends(ExitReason::Normal);
    });
}

#[test]
fn a_process_that_is_suspended_and_killed_ends() {
    explore(["killed first", "suspended first"], |world| {
        let mut a = world.puppet::<()>();
        a.does(|| ()).unwrap();
        let killing = thread::spawn({
            let (node, pid) = (world.node.clone(), a.pid);
            move || node.signal(None, pid, kill())
        });
        let suspended = a.process.with(|control, _| control.suspend(a.process.head()));
        world.saw(if suspended { "suspended first" } else { "killed first" });
        killing.join().unwrap();
        assert!(a.is_woken(), "nobody has woken it");
        a.poll();
        assert_eq!(a.reason(), Some(ExitReason::Killed));
        a.process.wake(a.process.with(|control, _| control.resume(a.process.head())));
    });
}
