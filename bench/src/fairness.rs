//! How long a call takes, alone and beside a thousand processes that are always busy.
//!
//! A busy process sends itself a message whenever it receives one, and so never waits. What is measured is how
//! soon the scheduler comes back to the caller and the server: the busy ones take turns with them.

use std::time::Duration;

use erlang_process::{Reply, Subject, spawn_subject};
use serde_json::{Map, Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    measure::{in_child, runtime},
    row::Threads,
    systems::{beam, otp::in_process, tokio::in_task},
};

const BUSY: u64 = 1_000;
const DURATION: Duration = Duration::from_secs(3);

/// What else there is to do.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    Alone,
    Busy,
}

pub(crate) const LOADS: &[Load] = &[Load::Alone, Load::Busy];

impl Load {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Busy => "busy",
        }
    }

    fn processes(self) -> u64 {
        match self {
            Self::Alone => 0,
            Self::Busy => BUSY,
        }
    }
}

/// Something that can be asked.
pub(crate) struct System {
    pub(crate) name: &'static str,
    /// Prints p50, p99 and p99.9 in nanoseconds, beside so many busy processes; `None` if it is not here.
    latencies: fn(u64) -> Option<String>,
}

pub(crate) const SYSTEMS: &[System] = &[
    System { name: "tokio", latencies: |busy| Some(runtime(Threads::Two).block_on(bare(busy))) },
    System { name: "otp", latencies: |busy| Some(runtime(Threads::Two).block_on(ours(busy))) },
    System {
        name: "beam",
        latencies: |busy| {
            let milliseconds = u64::try_from(DURATION.as_millis()).expect("seconds");
            beam::print(Threads::Two, "latency", &[busy, milliseconds])
        },
    },
];

/// Takes one sample.
pub(crate) fn sample(system: &System, load: Load) -> Option<String> {
    (system.latencies)(load.processes())
}

/// Takes all samples, prints medians as a table, and returns them by system and load.
pub(crate) fn run(rounds: usize) -> Value {
    println!("system  {BUSY} busy     p50 µs     p99 µs   p99.9 µs");
    let mut figures = Map::new();
    for system in SYSTEMS {
        let mut loads = Map::new();
        for load in LOADS {
            let Some([p50, p99, p999]) = medians(system, *load, rounds) else { continue };
            let [a, b, c] = [p50, p99, p999].map(|ns| format!("{:.1}", ns / 1e3));
            println!("{:<6}  {:<9} {a:>10} {b:>10} {c:>10}", system.name, load.name());
            loads.insert(load.name().into(), json!({"unit": "ns", "p50": p50, "p99": p99, "p99.9": p999}));
        }
        figures.insert(system.name.into(), Value::Object(loads));
    }
    Value::Object(figures)
}

fn medians(system: &System, load: Load, rounds: usize) -> Option<[f64; 3]> {
    let mut columns = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let printed = in_child(&["--latency", system.name, load.name()])?;
        for (column, word) in columns.iter_mut().zip(printed.split_whitespace()) {
            column.push(word.parse::<f64>().expect("a sample prints numbers"));
        }
    }
    Some(columns.map(|mut column| {
        column.sort_by(f64::total_cmp);
        column[column.len() / 2]
    }))
}

async fn bare(busy: u64) -> String {
    in_task(async move {
        for _ in 0..busy {
            let (own, mut mailbox) = mpsc::unbounded_channel();
            own.send(()).expect("it is its own");
            tokio::spawn(async move {
                while let Some(again) = mailbox.recv().await {
                    own.send(again).expect("it is its own");
                }
            });
        }
        let (server, mut requests) = mpsc::unbounded_channel::<(u64, oneshot::Sender<u64>)>();
        tokio::spawn(async move {
            while let Some((number, reply)) = requests.recv().await {
                let _ = reply.send(number + 1);
            }
        });
        let deadline = Instant::now() + DURATION;
        let mut taken = Vec::new();
        while Instant::now() < deadline {
            let start = Instant::now();
            let (reply, answer) = oneshot::channel();
            server.send((1, reply)).expect("the server runs");
            assert_eq!(answer.await, Ok(2));
            taken.push(start.elapsed());
        }
        percentiles(taken)
    })
    .await
}

async fn ours(busy: u64) -> String {
    in_process(async move {
        for _ in 0..busy {
            let process = spawn_subject(|own: Subject<()>| async move {
                while let Ok(again) = own.receive_forever().await {
                    own.send(again);
                }
            });
            process.send(());
        }
        let server = spawn_subject(|subject: Subject<(u64, Reply<u64>)>| async move {
            while let Ok((number, reply)) = subject.receive_forever().await {
                reply.send(number + 1);
            }
        });
        let deadline = Instant::now() + DURATION;
        let mut taken = Vec::new();
        while Instant::now() < deadline {
            let start = Instant::now();
            assert_eq!(server.call(Duration::MAX, |reply| (1, reply)).await, Ok(2));
            taken.push(start.elapsed());
        }
        percentiles(taken)
    })
    .await
}

fn percentiles(mut taken: Vec<Duration>) -> String {
    taken.sort_unstable();
    let at = |thousandths: usize| taken[(taken.len() * thousandths / 1_000).min(taken.len() - 1)].as_nanos();
    format!("{} {} {}", at(500), at(990), at(999))
}
