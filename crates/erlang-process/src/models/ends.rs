//! The end of a process: one reason, and nothing left of it when others hear.

use std::{
    pin::pin,
    slice,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use super::{explore, kill, thread};
use crate::{
    ExitReason, Name, Pid, Spawn, link, monitor,
    process::joined,
    rt,
    sync::{AtomicBool, Ordering},
    trap_exits,
};

/// What a future comes to in one poll.
fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn a_process_that_is_killed_as_it_ends_has_one_reason_and_everyone_is_told_that() {
    explore(["normal", "killed"], |world| {
        let (mut watcher, mut linked) = (world.puppet::<()>(), world.puppet::<()>());
        let mut a = world.puppet::<()>();
        let pid = a.pid;
        watcher.does(move || monitor(pid)).unwrap().unwrap();
        linked.does(move || (trap_exits(true), link(pid))).unwrap().1.unwrap();
        let mut joining = Box::pin(joined(a.process.clone()));
        assert!(joining.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());

        let killing = thread::spawn({
            let node = world.node.clone();
            move || {
                node.signal(None, pid, kill());
                assert!(!node.is_alive(pid), "alive after it was killed");
            }
        });
        a.ends(ExitReason::Normal);
        killing.join().unwrap();

        let reason = a.reason().unwrap();
        let told: Vec<_> = watcher.downs().into_iter().map(|down| down.reason).collect();
        assert_eq!(told, slice::from_ref(&reason));
        let told: Vec<_> = linked.exits().into_iter().map(|exit| exit.reason).collect();
        assert_eq!(told, slice::from_ref(&reason));
        assert_eq!(now(joining), Some(reason.clone()));
        match reason {
            ExitReason::Normal => world.saw("normal"),
            ExitReason::Killed => world.saw("killed"),
            other => panic!("{other}"),
        }
    });
}

#[test]
fn who_waits_for_the_end_of_a_process_from_outside_is_told_the_reason() {
    explore(["waited", "was late"], |world| {
        let mut a = world.puppet::<()>();
        let process = a.process.clone();
        let joining = thread::spawn(move || {
            let mut joining = Box::pin(joined(process));
            let first = joining.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            (joining, first)
        });
        a.ends(ExitReason::Shutdown);
        let (joining, first) = joining.join().unwrap();
        match first {
            Poll::Ready(reason) => {
                assert_eq!(reason, ExitReason::Shutdown);
                world.saw("was late");
            }
            Poll::Pending => {
                assert_eq!(now(joining), Some(ExitReason::Shutdown));
                world.saw("waited");
            }
        }
    });
}

/// Something that a process owns. Whether it is released is asked while it is: so the flag is one that the
/// checkers know of.
struct Owned(Arc<AtomicBool>);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_hears_of_an_end_finds_nothing_left() {
    const NAME: Name<()> = Name::fixed("the name");

    explore(["woken by it", "found it there"], |world| {
        let released = Arc::new(AtomicBool::new(false));
        let owned = Owned(released.clone());
        let (task, subject) = world.process(move |_: crate::Subject<()>| async move {
            let _owned = owned;
            std::future::pending::<()>().await;
        });
        let pid = subject.pid().unwrap();
        drop(subject);
        world.node.register(pid, NAME).unwrap();
        let ok = Arc::new(Mutex::new(None));
        let (waiting, _) = world.process({
            let (node, ok) = (world.node.clone(), ok.clone());
            move |own: crate::Subject<()>| async move {
                let own = own.pid().unwrap();
                let down = monitor(pid).unwrap().down().await.unwrap();
                let released = released.load(Ordering::Relaxed);
                let seen = (down.reason, released, node.is_alive(pid), node.register(own, NAME));
                *ok.lock().unwrap() = Some(seen);
            }
        });
        let ending = thread::spawn({
            let node = world.node.clone();
            move || {
                node.signal(None, pid, kill());
                task.run();
            }
        });
        waiting.run();
        ending.join().unwrap();
        let (reason, released, alive, registered) = ok.lock().unwrap().take().unwrap();
        assert_eq!((released, alive, registered), (true, false, Ok(())));
        match reason {
            ExitReason::Killed => world.saw("woken by it"),
            ExitReason::NoProc => world.saw("found it there"),
            other => panic!("{other}"),
        }
    });
}

#[test]
fn who_is_told_that_there_is_no_such_process_finds_everyone_told() {
    explore(["told the reason", "told noproc"], |world| {
        let (mut early, mut late) = (world.puppet::<()>(), world.puppet::<()>());
        let mut a = world.puppet::<()>();
        let pid = a.pid;
        early.does(move || (trap_exits(true), link(pid), monitor(pid))).unwrap().1.unwrap();
        let ending = thread::spawn(move || a.ends(ExitReason::Shutdown));
        late.does(move || monitor(pid)).unwrap().unwrap();
        // Whenever it has heard: not only when all is over.
        let mut heard = late.downs();
        let told = world.node.info(early.pid).unwrap().message_queue_len;
        if heard.is_empty() {
            ending.join().unwrap();
            heard = late.downs();
        } else {
            if heard[0].reason == ExitReason::NoProc {
                assert_eq!(told, 2, "told noproc before those who knew it were told");
            }
            ending.join().unwrap();
        }
        match heard[0].reason {
            ExitReason::Shutdown => world.saw("told the reason"),
            ExitReason::NoProc => world.saw("told noproc"),
            ref other => panic!("{other}"),
        }
    });
}

#[test]
fn a_child_that_is_spawned_by_a_parent_that_is_killed_ends_with_it() {
    explore(["the child ran", "the child never ran", "there was no child"], |world| {
        let mut parent = world.puppet::<()>();
        let pid = parent.pid;
        let killing = thread::spawn({
            let node = world.node.clone();
            move || node.signal(None, pid, kill())
        });
        let ran = Arc::new(AtomicBool::new(false));
        let child: Option<Pid> = parent.does({
            let ran = ran.clone();
            move || {
                let body = async move {
                    ran.store(true, Ordering::Relaxed);
                    std::future::pending::<()>().await;
                };
                Spawn::new().spawn(body).unwrap()
            }
        });
        let Some(child) = child else {
            killing.join().unwrap();
            world.saw("there was no child");
            return;
        };
        world.watch(child);
        let mut task = rt::spawned().unwrap();
        let _ = task.poll();
        killing.join().unwrap();
        parent.poll();
        assert_eq!(parent.reason(), Some(ExitReason::Killed));
        assert!(task.poll().is_ready(), "the child outlived its parent");
        world.saw(if ran.load(Ordering::Relaxed) { "the child ran" } else { "the child never ran" });
    });
}
