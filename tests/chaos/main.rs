//! Chaos: a tree of two thousand children on many threads, a nemesis that does to it whatever can be done, and calms in
//! which nothing may be left over.
//!
//! | variable | |
//! |---|---|
//! | `OTP_CHAOS_SECONDS` | how long; 5 if not set, 60 in CI, 1,200 for the thorough run |
//! | `OTP_CHAOS_SEED` | the nemesis has the same plans again; threads do not, and each run prints its own |
//!
//! ```text
//! root                         one for one, never gives up
//! ├── branch 0 .. 9            by turns one for one, rest for one, one for all
//! │   ├── twig 0 .. 9          by turns the three strategies, and a factory; gives up often
//! │   │   ├── leaf 0 .. 19     with a name, a token, and links to others
//! └── quiet                    nobody touches it, and it has to answer all the time
//! ```

#![allow(clippy::unwrap_used)]

mod nemesis;
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::Write,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use erlang_process::{self as process, Dest, Info, Node, Pid};
use peak_alloc::PeakAlloc;
use tokio::{
    runtime::{Builder, Handle},
    time::{Instant, sleep, timeout},
};

use crate::{
    nemesis::Nemesis,
    tree::{Forest, Order},
};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Long enough for everything; only a test that fails waits for it.
const LONG: Duration = Duration::from_secs(60);

/// How long the nemesis has between two calms.
const STORM: Duration = Duration::from_secs(2);

/// How much memory may grow from the second quarter of the calms to the last.
const GROWTH: f64 = 0.05;

#[test]
fn nothing_is_left_over_when_it_is_calm() {
    process::capture_panics();
    let number = |variable| env::var(variable).ok().map(|value| value.parse::<u64>().unwrap());
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into();
    let seconds = number("OTP_CHAOS_SECONDS").unwrap_or(5);
    let seed = number("OTP_CHAOS_SEED").unwrap_or_else(now);
    say(&format!("{seconds} seconds of chaos, OTP_CHAOS_SEED={seed}"));

    let runtime = Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        let node = Node::new();
        // What runs of its own is counted from here.
        let tasks = Handle::current().metrics().num_alive_tasks();
        node.clone().run(chaos(seed, Duration::from_secs(seconds))).await.unwrap();
        eventually("no process is left", || node.processes().is_empty()).await;
        eventually("no task is left", || Handle::current().metrics().num_alive_tasks() == tasks).await;
        assert_eq!(node.registered().len(), 0, "no name is left");
    });
}

async fn chaos(seed: u64, time: Duration) {
    process::trap_exits(true).unwrap();
    let token = Arc::new(());
    let forest = Forest::plant(&token).await;
    let mut nemesis = Nemesis::new(seed, forest.clone());
    let (node, watched) = (Node::current(), watch_the_quiet_one(forest.clone()));
    let watch = tokio::spawn(async move { node.run(watched).await });

    let end = Instant::now() + time;
    let mut calms = Vec::new();
    // A nemesis that does nothing proves nothing.
    while Instant::now() < end || !nemesis.did_everything() {
        nemesis.storm(STORM.min(time)).await;
        let leaves = calm(&forest, &token).await;
        calms.push(ALLOCATED.current_usage());
        say(&format!("calm: {leaves} leaves, {} bytes, {}", calms.last().unwrap(), nemesis.told()));
    }
    forest.enough.store(true, Ordering::Relaxed);
    let calls = watch.await.unwrap().unwrap();
    assert!(calls > 0, "the quiet one was never asked");
    has_no_slope(&calms);

    forest.root.stop().await.unwrap();
    drop((forest, nemesis));
    eventually("each process has given its token back", || Arc::strong_count(&token) == 1).await;
}

/// Waits until the tree has come to rest, and looks whether everything is where it belongs. How many leaves there are.
async fn calm(forest: &Forest, token: &Arc<()>) -> usize {
    let node = Node::current();
    let deadline = Instant::now() + LONG;
    loop {
        // Not that something has come by then: only not to ask all the time.
        sleep(Duration::from_millis(5)).await;
        let wrong = match forest.look().await {
            None => "the tree does not come to rest".to_owned(),
            Some(seen) => match wrong(&node, &seen, forest, token) {
                None => return seen.leaves.len(),
                Some(wrong) => wrong,
            },
        };
        assert!(Instant::now() < deadline, "{wrong}");
    }
}

/// What is not as it should be, if anything.
fn wrong(node: &Node, seen: &tree::Seen, forest: &Forest, token: &Arc<()>) -> Option<String> {
    let all: BTreeSet<Pid> = node.processes().into_iter().collect();
    let expected: BTreeSet<Pid> =
        seen.pids.iter().copied().chain(forest.outside.lock().unwrap().iter().copied()).collect();
    if all != expected {
        let lost: Vec<_> = all.difference(&expected).filter_map(|pid| node.info(*pid)).collect();
        let dead: Vec<_> = expected.difference(&all).collect();
        return Some(format!("alive, but in no tree: {lost:?}; in a tree, but not alive: {dead:?}"));
    }
    let infos: BTreeMap<Pid, Info> = all.iter().filter_map(|pid| Some((*pid, node.info(*pid)?))).collect();
    for (pid, info) in &infos {
        for other in &info.links {
            if infos.get(other).is_none_or(|info| !info.links.contains(pid)) {
                return Some(format!("the link of {pid} with {other} has one end"));
            }
        }
        for watched in &info.monitors {
            if let Dest::Pid(watched) = watched
                && !infos.contains_key(watched)
            {
                return Some(format!("{pid} monitors {watched}, which is dead"));
            }
        }
        if info.message_queue_len > 0 {
            return Some(format!("{pid} has {} messages that it does not take", info.message_queue_len));
        }
    }
    for name in node.registered() {
        if node.whereis(name).is_none_or(|pid| !infos.contains_key(&pid)) {
            return Some(format!("the name {name} leads to nobody"));
        }
    }
    let named = infos.values().filter(|info| info.name.is_some()).count();
    if named != node.registered().len() {
        return Some(format!(
            "{named} processes have a name, and {} names are taken",
            node.registered().len()
        ));
    }
    // One is with each leaf, one with the forest, one with the test.
    let tokens = Arc::strong_count(token);
    if tokens != seen.leaves.len() + 2 {
        return Some(format!("{} leaves have {tokens} tokens", seen.leaves.len()));
    }
    None
}

/// Calls the quiet one all the time: it must not notice. How often.
async fn watch_the_quiet_one(forest: Forest) -> usize {
    forest.outside.lock().unwrap().extend(process::current());
    let mut calls = 0;
    let pid = forest.quiet.pid();
    while !forest.enough.load(Ordering::Relaxed) {
        forest.quiet.call(LONG, Order::Ping).await.expect("the quiet one does not answer");
        calls += 1;
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(pid, forest.quiet.pid(), "the quiet one was restarted");
    calls
}

/// A line through the calms must not rise: the first quarter is the tree's growing up.
fn has_no_slope(calms: &[usize]) {
    if calms.len() < 8 {
        return;
    }
    let quarter = calms.len() / 4;
    let mean = |calms: &[usize]| calms.iter().sum::<usize>() as f64 / calms.len() as f64;
    let (second, last) = (mean(&calms[quarter..2 * quarter]), mean(&calms[calms.len() - quarter..]));
    assert!(last < second * (1.0 + GROWTH), "memory grows from {second:.0} to {last:.0} bytes: {calms:?}");
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(timeout(LONG, wait).await.is_ok(), "not so: {what}");
}

/// Past the test harness, which keeps what a test prints to itself when it passes.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}
