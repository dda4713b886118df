//! Simulated programs: many orders of events, each the same again for its seed.

#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    future::poll_fn,
    panic::catch_unwind,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use erlang_process::{
    self as process, ExitReason, Groups, Name, Node, RegisterError, Registry, Spawn, Subject, simulate,
    trouble,
};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);

/// What four processes come to, who send, wait, link and die.
fn trace(seed: u64) -> Vec<String> {
    simulate::once(seed, |chance| async move {
        let trace = Arc::new(Mutex::new(Vec::new()));
        let note = |text: String| trace.lock().unwrap().push(text);
        let inbox = Subject::new().unwrap();
        process::trap_exits(true).unwrap();
        let workers: Vec<_> = (0..4)
            .map(|number| {
                let (inbox, trace) = (inbox.clone(), trace.clone());
                process::spawn(async move {
                    for turn in 0..3 {
                        inbox.send((number, turn));
                        trace.lock().unwrap().push(format!("{number} has sent {turn}"));
                        tokio::task::yield_now().await;
                    }
                    sleep(MINUTE).await;
                })
            })
            .collect();
        note(format!("{} is killed", chance.below(4)));
        process::kill(workers[chance.below(4)]);
        while let Ok((number, turn)) = inbox.receive(Duration::from_secs(1)).await {
            note(format!("got {turn} of {number}"));
        }
        for worker in workers {
            let reason = process::join(worker).await;
            note(format!("{worker} {reason}"));
        }
        drop(inbox);
        Arc::into_inner(trace).unwrap().into_inner().unwrap()
    })
}

#[test]
fn a_seed_is_one_order_of_events_and_seeds_are_many() {
    let traces: BTreeSet<_> = (0..100)
        .map(|seed| {
            let first = trace(seed);
            assert_eq!(first, trace(seed), "the same seed");
            first
        })
        .collect();
    assert!(traces.len() > 90, "{} orders of 100 seeds", traces.len());
}

/// Notes that it was dropped.
#[derive(Clone)]
struct Noted(usize, Arc<Mutex<Vec<String>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(format!("the value {} is dropped", self.0));
    }
}

/// What groups, a registry and names show of eight processes that die.
fn trace_of_tables(seed: u64) -> Vec<String> {
    simulate::once(seed, |_| async {
        let node = Node::current();
        let (groups, registry) = (Groups::new(), Registry::unique());
        let trace = Arc::new(Mutex::new(Vec::new()));
        let (watch, _) = groups.monitor_scope().unwrap();
        let ready = Subject::new().unwrap();
        let workers: Vec<_> = (0..8)
            .map(|number| {
                let (registry, trace, ready) = (registry.clone(), trace.clone(), ready.clone());
                let name = Name::<()>::new("worker");
                let prepared =
                    Spawn::new().unlinked().named(name).prepare(move |_: Subject<()>| async move {
                        for key in 0..3 {
                            registry
                                .register((number, key), Noted(10 * number + key, trace.clone()))
                                .unwrap();
                        }
                        ready.send(());
                        std::future::pending::<()>().await;
                    });
                let prepared = prepared.unwrap();
                let worker = prepared.subject();
                prepared.start();
                groups.join(number, &worker).unwrap();
                worker.pid().unwrap()
            })
            .collect();
        for _ in &workers {
            ready.receive_forever().await.unwrap();
        }
        let note = |text: String| trace.lock().unwrap().push(text);
        note(format!("the groups are {:?}", groups.which_groups()));
        let holders: Vec<_> = node.registered().into_iter().map(|name| node.whereis(name)).collect();
        note(format!("names are held by {holders:?}"));
        for worker in &workers {
            process::kill(*worker);
        }
        // Who subscribes now is told of nobody who has ended, so the others are told before.
        let (_, now) = groups.monitor_scope().unwrap();
        assert!(now.is_empty());
        for worker in workers {
            process::join(worker).await;
        }
        while let Ok(event) = watch.events().receive(Duration::ZERO).await {
            note(format!("{event:?}"));
        }
        let trace = trace.lock().unwrap();
        trace.clone()
    })
}

#[test]
fn tables_of_keys_have_an_order_that_a_seed_repeats() {
    for seed in 0..10 {
        assert_eq!(trace_of_tables(seed), trace_of_tables(seed), "the same seed");
    }
}

#[test]
fn nothing_is_left_when_the_program_is_done() {
    let node = simulate::once(1, |_| async {
        for _ in 0..3 {
            process::spawn_unlinked(std::future::pending::<()>());
        }
        process::spawn_unlinked(sleep(10 * MINUTE));
        Node::current()
    });
    assert_eq!(node.processes().len(), 0);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn what_is_left_may_panic_when_it_is_dropped() {
    let seven = simulate::once(1, |_| async {
        Name::new("nobody").subject().send_after(MINUTE, Bomb);
        process::spawn_unlinked(async {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
        });
        7
    });
    assert_eq!(seven, 7);
}

#[test]
fn who_gives_way_all_the_time_keeps_nobody_out() {
    let seven = simulate::once(1, |_| async {
        process::spawn_unlinked(async {
            for _ in 0..u64::MAX {
                tokio::task::yield_now().await;
            }
        });
        tokio::spawn(async { 7 }).await.unwrap()
    });
    assert_eq!(seven, 7);
}

#[test]
fn the_clock_is_simulated() {
    let waited = simulate::once(5, |_| async {
        let before = Instant::now();
        let child = process::spawn(sleep(10 * MINUTE));
        process::join(child).await;
        before.elapsed()
    });
    assert!(waited >= 10 * MINUTE);
}

/// Two who both look first and then register.
async fn race() -> usize {
    const NAME: Name<()> = Name::fixed("the one");
    let results = Subject::new().unwrap();
    for _ in 0..2 {
        let results = results.clone();
        process::spawn(async move {
            let free = process::whereis(NAME).is_none();
            tokio::task::yield_now().await;
            let own = Spawn::new().named(NAME).spawn(std::future::pending::<()>());
            results.send(free && matches!(own, Err(RegisterError::NameTaken { .. })));
        });
    }
    let mut fooled = 0;
    for _ in 0..2 {
        fooled += usize::from(results.receive(MINUTE).await.unwrap());
    }
    fooled
}

#[test]
fn a_race_is_found() {
    let fooled = (0..50).filter(|seed| simulate::once(*seed, |_| race()) > 0).count();
    assert!((1..50).contains(&fooled), "by some schedules, not by all: {fooled}");
}

/// Lets whoever is ready run, without tokio's turn.
async fn give_way() {
    let mut given = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut given, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Whether one takes all of its steps before the other has taken its first.
async fn overtaking() -> bool {
    let steps = Subject::new().unwrap();
    for runner in 0..2 {
        let steps = steps.clone();
        process::spawn(async move {
            for _ in 0..20 {
                steps.send(runner);
                give_way().await;
            }
        });
    }
    let mut runners = Vec::new();
    for _ in 0..40 {
        runners.push(steps.receive(MINUTE).await.unwrap());
    }
    runners[..20].iter().all(|runner| *runner == runners[0])
}

#[test]
fn one_is_held_up_for_long_by_some_schedules() {
    let overtaken = (0..100).filter(|seed| simulate::once(*seed, |_| overtaking())).count();
    assert!((10..90).contains(&overtaken), "{overtaken} of 100");
}

/// Who has come through three trouble points, how they have ended, and how long it took.
fn troubles(seed: u64, one_in: usize) -> (usize, Vec<ExitReason>, Duration) {
    simulate::once(seed, move |chance| async move {
        chance.make_trouble(one_in);
        let (through, before) = (Subject::new().unwrap(), Instant::now());
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let through = through.clone();
                process::spawn_monitor(async move {
                    trouble::may_wait("at the door").await;
                    trouble::may_fail("in the hall");
                    trouble::may_wait("on the stairs").await;
                    through.send(());
                })
                .unwrap()
            })
            .collect();
        let mut ends = Vec::new();
        for (_, watch) in workers {
            ends.push(watch.down().await.unwrap().reason);
        }
        let mut count = 0;
        while through.receive(Duration::ZERO).await.is_ok() {
            count += 1;
        }
        (count, ends, before.elapsed())
    })
}

#[test]
fn there_is_trouble_where_a_program_asks_for_it() {
    let failure = ExitReason::error("trouble: in the hall");
    let (mut failed, mut waited) = (0, 0);
    for seed in 0..100 {
        let (through, ends, took) = troubles(seed, 3);
        assert_eq!(troubles(seed, 3), (through, ends.clone(), took), "the same seed");
        let failures = ends.iter().filter(|end| **end == failure).count();
        assert_eq!(failures + through, 3, "{ends:?}");
        failed += failures;
        waited += usize::from(!took.is_zero());

        let (through, _, took) = troubles(seed, 0);
        assert_eq!((through, took), (3, Duration::ZERO), "nobody has asked");
    }
    assert!((30..270).contains(&failed), "{failed} of 300 have failed");
    assert!((10..100).contains(&waited), "{waited} of 100 have waited");
}

#[tokio::test]
async fn there_is_no_trouble_outside_a_simulation() {
    let ended = process::run(async {
        trouble::may_wait("here").await;
        trouble::may_fail("here");
    });
    assert_eq!(ended.await, Ok(()));
}

#[test]
fn a_program_that_fails_says_why() {
    let failed = catch_unwind(|| {
        simulate::many(3, |chance| async move { assert!(chance.below(1) > 0, "told") });
    });
    let told = failed.unwrap_err().downcast::<String>().unwrap();
    assert!(told.contains("told"), "{told}");
    // The thread simulates no more.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reason = runtime.block_on(async { process::join(process::spawn_unlinked(async {})).await });
    assert!(matches!(reason, ExitReason::Normal | ExitReason::NoProc));
}

#[test]
fn a_process_that_a_tokio_task_spawns_runs_at_once() {
    let waited = simulate::once(1, |_| async {
        let before = Instant::now();
        let node = Node::current();
        let value = tokio::spawn(async move { node.run(async { 7 }).await }).await.unwrap();
        assert_eq!(value, Ok(7));
        before.elapsed()
    });
    assert_eq!(waited, Duration::ZERO);
}
