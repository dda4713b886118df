//! Timers against those who cancel them, against the end of their process, and against a clock that falls
//! asleep.

use std::time::Duration;

use super::{
    Token, explore,
    puppet::{Puppet, Task},
    thread,
};
use crate::{
    Cancelled, ExitReason, MissedTicks, Subject, Timer, rt,
    sync::{Arc, AtomicU64, Ordering},
};

const HOUR: Duration = Duration::from_secs(3600);

/// Has the process set a timer for this subject, and takes the clock that it started.
fn set(process: &mut Puppet<u8>, subject: &Subject<u8>, delay: Duration) -> (Timer, Option<Task>) {
    let subject = subject.clone();
    let timer = process.does(move || subject.send_after(delay, 1)).unwrap();
    (timer, rt::spawned())
}

#[test]
fn a_timer_fires_or_is_cancelled_and_never_both() {
    explore(["fired", "cancelled"], |world| {
        let mut receiver = world.puppet::<u8>();
        let own = receiver.subject.clone();
        let (timer, clock) = set(&mut receiver, &own, HOUR);
        let mut clock = clock.unwrap();
        rt::advance(HOUR);
        let firing = thread::spawn(move || {
            let _ = clock.poll();
            clock
        });
        let cancelled = timer.cancel();
        let clock = firing.join().unwrap();
        match (cancelled, &receiver.messages()[..]) {
            (Cancelled::Cancelled { .. }, []) => world.saw("cancelled"),
            (Cancelled::TimerNotFound, [1]) => world.saw("fired"),
            other => panic!("{other:?}"),
        }
        drop(clock);
    });
}

#[test]
fn an_interval_that_is_cancelled_begins_no_further_tick() {
    explore(["before the first", "while one is made", "between two", "after the last"], |world| {
        let mut receiver = world.puppet::<u8>();
        let own = receiver.subject.clone();
        let ticks = Arc::new(AtomicU64::new(0));
        let timer = receiver.does({
            let ticks = ticks.clone();
            let tick = move || {
                ticks.fetch_add(1, Ordering::AcqRel);
                1
            };
            move || own.send_interval(HOUR, MissedTicks::Burst, tick)
        });
        let (timer, mut clock) = (timer.unwrap(), rt::spawned().unwrap());
        rt::advance(2 * HOUR);
        let ticking = thread::spawn(move || {
            let _ = clock.poll();
            clock
        });
        assert!(matches!(timer.cancel(), Cancelled::Cancelled { .. }));
        let before = ticks.load(Ordering::Acquire);
        let mut clock = ticking.join().unwrap();
        let after = ticks.load(Ordering::Acquire);
        match (before, after) {
            (0, 0) => world.saw("before the first"),
            (1, 1) => world.saw("between two"),
            (2, 2) => world.saw("after the last"),
            (before, after) if after == before + 1 => world.saw("while one is made"),
            other => panic!("{other:?}"),
        }
        rt::advance(HOUR);
        let _ = clock.poll();
        assert_eq!(receiver.messages().len() as u64, after);
        drop(clock);
    });
}

#[test]
fn a_timer_that_is_set_while_its_process_ends_ends_too() {
    explore(["set for the living", "set for the dead"], |world| {
        let (mut a, mut b) = (world.puppet::<u8>(), world.puppet::<u8>());
        let subject = b.subject.clone();
        let ending = thread::spawn(move || b.ends(ExitReason::Normal));
        let (timer, clock) = set(&mut a, &subject, HOUR);
        let dead = subject.try_send(0).is_err();
        ending.join().unwrap();
        assert_eq!(timer.remaining(), None);
        world.saw(if dead { "set for the dead" } else { "set for the living" });
        // In the end nothing may hold the process: not the clock either, which goes on.
        world.keep(clock.unwrap());
    });
}

#[test]
fn what_a_timer_was_to_send_is_dropped_once_whether_its_process_ends_or_it_is_cancelled() {
    explore(["cancelled", "ended with the process"], |world| {
        let (mut receiver, dropped) = (world.puppet::<Token>(), Arc::default());
        let token = Token(Arc::clone(&dropped));
        let own = receiver.subject.clone();
        let timer = receiver.does(move || own.send_after(HOUR, token)).unwrap();
        let mut clock = rt::spawned().unwrap();
        let cancelling = thread::spawn(move || timer.cancel());
        receiver.ends(ExitReason::Normal);
        match cancelling.join().unwrap() {
            Cancelled::Cancelled { remaining } => {
                assert_eq!(remaining, HOUR);
                world.saw("cancelled");
            }
            Cancelled::TimerNotFound => world.saw("ended with the process"),
        }
        assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 1);
        rt::advance(HOUR);
        assert!(!clock.is_woken(), "the clock waits for a timer that is gone");
        let _ = clock.poll();
        world.keep(clock);
    });
}

#[test]
fn of_two_clocks_that_are_started_at_once_one_runs_and_keeps_the_timers_of_both() {
    explore(["one was started", "two were started"], |world| {
        let (mut a, mut b) = (world.puppet::<u8>(), world.puppet::<u8>());
        let (own, others) = (a.subject.clone(), b.subject.clone());
        let starting = thread::spawn(move || {
            let (_, clock) = set(&mut b, &others, HOUR);
            (b, clock)
        });
        let (_, clock) = set(&mut a, &own, HOUR);
        let (mut b, other) = starting.join().unwrap();
        world.saw(if clock.is_some() && other.is_some() { "two were started" } else { "one was started" });
        rt::advance(HOUR);
        let running = [clock, other]
            .into_iter()
            .flatten()
            .filter_map(|mut clock| clock.poll().is_pending().then_some(clock));
        let running: Vec<_> = running.collect();
        assert_eq!(running.len(), 1);
        assert_eq!((a.messages(), b.messages()), (vec![1], vec![1]));
        world.keep(running);
    });
}

#[test]
fn a_clock_that_falls_asleep_while_a_timer_is_set_is_woken_for_it() {
    explore(["fired at once", "woken"], |world| {
        let mut receiver = world.puppet::<u8>();
        let own = receiver.subject.clone();
        let (_late, clock) = set(&mut receiver, &own, HOUR);
        let mut clock = clock.unwrap();
        let falling_asleep = thread::spawn(move || {
            let _ = clock.poll();
            clock
        });
        let (_early, none) = set(&mut receiver, &own, Duration::ZERO);
        assert!(none.is_none());
        let mut clock = falling_asleep.join().unwrap();
        if receiver.messages().is_empty() {
            assert!(clock.is_woken(), "nobody told the clock of an earlier timer");
            let _ = clock.poll();
            assert_eq!(receiver.messages(), [1]);
            world.saw("woken");
        } else {
            world.saw("fired at once");
        }
    });
}

#[test]
fn a_timer_that_is_set_while_its_runtime_ends_is_gone_with_it() {
    explore(["on the runtime that ends", "on the next"], |world| {
        let mut receiver = world.puppet::<u8>();
        let own = receiver.subject.clone();
        let (_first, clock) = set(&mut receiver, &own, HOUR);
        let ending = thread::spawn(move || drop(clock));
        let (second, next) = set(&mut receiver, &own, HOUR);
        ending.join().unwrap();
        match next {
            None => {
                assert_eq!(second.remaining(), None);
                world.saw("on the runtime that ends");
            }
            Some(next) => {
                assert_eq!(second.remaining(), Some(HOUR));
                world.saw("on the next");
                drop(next);
            }
        }
    });
}
