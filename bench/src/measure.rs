//! Taking samples, and what the systems share to take them.

use std::{
    env, fs, panic,
    process::Command,
    sync::{
        Arc, Once, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
    time::Instant,
};

use crate::{
    row::{self, Row, Threads, Work},
    systems::{self, System},
};

/// What a system reached in each round.
pub(crate) struct Samples {
    pub(crate) system: &'static System,
    sorted: Vec<f64>,
}

impl Samples {
    pub(crate) fn min(&self) -> f64 {
        self.sorted[0]
    }

    pub(crate) fn median(&self) -> f64 {
        let (low, high) = ((self.sorted.len() - 1) / 2, self.sorted.len() / 2);
        f64::midpoint(self.sorted[low], self.sorted[high])
    }

    pub(crate) fn max(&self) -> f64 {
        self.sorted[self.sorted.len() - 1]
    }
}

/// Takes a row's samples of all systems that do it.
pub(crate) fn rounds(row: &Row, rounds: usize) -> Vec<Samples> {
    let mut values = vec![Vec::new(); systems::ALL.len()];
    for round in 0..rounds {
        // Whoever goes first finds another machine than who goes last: they take turns.
        for turn in 0..systems::ALL.len() {
            let system = (round + turn) % systems::ALL.len();
            values[system].extend(match row.work {
                Work::Idle { .. } => sample_in_child(row, &systems::ALL[system]),
                _ => sample(row, &systems::ALL[system]),
            });
        }
    }
    let samples = systems::ALL.iter().zip(values).filter(|(_, values)| !values.is_empty());
    samples
        .map(|(system, mut sorted)| {
            sorted.sort_by(f64::total_cmp);
            Samples { system, sorted }
        })
        .collect()
}

/// Takes one sample, on a runtime of its own; `None` if the system does not do the row.
pub(crate) fn sample(row: &Row, system: &System) -> Option<f64> {
    let sample = (system.sample)(row.work)?;
    Some(runtime(row.threads).block_on(sample))
}

/// Takes one sample in a fresh process of this program, where no other sample has left its memory.
fn sample_in_child(row: &Row, system: &System) -> Option<f64> {
    let program = env::current_exe().expect("a program knows its path");
    let output = Command::new(program).args(["--sample", row.name, system.name]).output();
    let output = output.expect("the program can start itself");
    match output.status.code() {
        Some(0) => String::from_utf8_lossy(&output.stdout).trim().parse().ok(),
        // It says that the system does not do the row.
        Some(2) => None,
        _ => panic!("{} failed: {}", row.name, String::from_utf8_lossy(&output.stderr)),
    }
}

fn runtime(threads: Threads) -> Runtime {
    let mut builder = match threads {
        Threads::Current => Builder::new_current_thread(),
        Threads::Two => Builder::new_multi_thread(),
    };
    builder.worker_threads(2).enable_time().build().expect("a runtime starts")
}

/// How many a second: so many since then.
pub(crate) fn rate(count: u64, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

/// How many more bytes are resident than the `before` that this returned, for each of so many.
pub(crate) fn bytes_each(count: u64, before: u64) -> f64 {
    (resident_bytes() - before) as f64 / count as f64
}

/// The memory that this program occupies now.
pub(crate) fn resident_bytes() -> u64 {
    const PAGE: u64 = 4096;
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux says what is resident");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the second number is the resident pages") * PAGE
}

/// Counts down to zero and lets one wait for that.
pub(crate) struct Countdown {
    left: AtomicU64,
    zero: Notify,
}

impl Countdown {
    pub(crate) fn from(count: u64) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(count), zero: Notify::new() })
    }

    pub(crate) fn one_less(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.zero.notify_one();
        }
    }

    pub(crate) async fn zero(&self) {
        self.zero.notified().await;
    }
}

/// How many children a second a tree starts, and stops.
pub(crate) struct TreeRates {
    pub(crate) start: f64,
    pub(crate) stop: f64,
}

/// Counts one less when it is dropped.
pub(crate) struct OneLess(pub(crate) Arc<Countdown>);

impl Drop for OneLess {
    fn drop(&mut self) {
        self.0.one_less();
    }
}

/// The names in the rows about names: texts, as a program would have them.
pub(crate) fn names() -> &'static [&'static str] {
    static NAMES: OnceLock<Vec<&str>> = OnceLock::new();
    NAMES.get_or_init(|| (0..row::NAMES).map(|number| &*format!("worker {number}").leak()).collect())
}

/// Every item once, scattered, from this place on.
pub(crate) fn scattered<T>(all: &[T], start: usize) -> impl Iterator<Item = &T> {
    // A prime that divides the length of none.
    const STRIDE: usize = 7_919;
    (0..all.len()).map(move |step| &all[(start + step * STRIDE) % all.len()])
}

/// Panics as a child does that is to be restarted, which the panic hook need not print.
pub(crate) fn planned_panic() -> ! {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref() != Some(&PLANNED) {
                loud(info);
            }
        }));
    });
    panic::panic_any(PLANNED)
}

const PLANNED: &str = "planned";
