//! Simulated programs: many orders of events, each the same again for its seed.

#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    panic::catch_unwind,
    sync::{Arc, Mutex},
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Name, Node, RegisterError, Spawn, Subject, simulate};
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
