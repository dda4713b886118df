//! What one operation costs when there are many of a thing: it has to stay flat.

mod groups;
mod mailbox;
mod names;
mod processes;
mod relations;
mod supervisors;
mod timers;

use std::pin::Pin;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    measure::{in_child, number, runtime},
    report::human,
    row::Threads,
};

/// One operation, beside more and more of a thing.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    unit: &'static str,
    sizes: &'static [u64],
    sample: fn(u64) -> Sample,
}

/// What the operation costs, in the unit of the series.
type Sample = Pin<Box<dyn Future<Output = f64>>>;

const TO_A_MILLION: &[u64] = &[1_000, 10_000, 100_000, 1_000_000];
const TO_A_HUNDRED_THOUSAND: &[u64] = &[10, 100, 1_000, 10_000, 100_000];
const RELATIONS: &[u64] = &[1, 10, 100, 1_000, 10_000, 100_000];
const DEPTHS: &[u64] = &[0, 1_000, 10_000, 100_000, 1_000_000];

/// All series, in the order of the table.
pub(crate) const ALL: &[Series] = &[
    time("spawn, until all have ended", TO_A_MILLION, |n| Box::pin(processes::spawn(n))),
    bytes("idle", TO_A_MILLION, |n| Box::pin(processes::idle(n))),
    time("call beside idle processes", TO_A_MILLION, |n| Box::pin(processes::call(n))),
    time("send and receive, all sent first", TO_A_MILLION, |n| Box::pin(mailbox::fill_and_drain(n))),
    time("call by a process with a full mailbox", DEPTHS, |n| Box::pin(mailbox::call(n))),
    time("selective receive, a message passed over", TO_A_MILLION, |n| Box::pin(mailbox::scan(n))),
    time("selective receive, an arrival while it waits", DEPTHS, |n| Box::pin(mailbox::arrivals(n))),
    time("one of many subjects of a selector", TO_A_HUNDRED_THOUSAND, |n| Box::pin(mailbox::select(n))),
    time("link", RELATIONS, |n| Box::pin(relations::link(n))),
    time("unlink", RELATIONS, |n| Box::pin(relations::unlink(n))),
    time("exit signal to one of many links", RELATIONS, |n| Box::pin(relations::exit(n))),
    time("monitor", RELATIONS, |n| Box::pin(relations::monitor(n))),
    time("demonitor", RELATIONS, |n| Box::pin(relations::demonitor(n))),
    time("notice of an end, many monitored", RELATIONS, |n| Box::pin(relations::down(n))),
    time("register a name", TO_A_MILLION, |n| Box::pin(names::register(n))),
    time("look a name up", TO_A_MILLION, |n| Box::pin(names::look_up(n))),
    time("set a timer", TO_A_MILLION, |n| Box::pin(timers::set(n))),
    time("cancel a timer", TO_A_MILLION, |n| Box::pin(timers::cancel(n))),
    time("message of a timer", TO_A_MILLION, |n| Box::pin(timers::fire(n))),
    bytes("pending timer", TO_A_MILLION, |n| Box::pin(timers::pending(n))),
    time("supervisor start, a child", TO_A_HUNDRED_THOUSAND, |n| Box::pin(supervisors::start(n))),
    time("supervisor stop, a child", TO_A_HUNDRED_THOUSAND, |n| Box::pin(supervisors::stop(n))),
    time("restart of one of many children", TO_A_HUNDRED_THOUSAND, |n| Box::pin(supervisors::restart(n))),
    time("join a group", TO_A_HUNDRED_THOUSAND, |n| Box::pin(groups::join(n))),
    time("send to a group, a member", TO_A_HUNDRED_THOUSAND, |n| Box::pin(groups::send(n))),
    time("leave a group", TO_A_HUNDRED_THOUSAND, |n| Box::pin(groups::leave(n))),
];

const fn time(name: &'static str, sizes: &'static [u64], sample: fn(u64) -> Sample) -> Series {
    Series { name, unit: "ns", sizes, sample }
}

const fn bytes(name: &'static str, sizes: &'static [u64], sample: fn(u64) -> Sample) -> Series {
    Series { name, unit: "bytes", sizes, sample }
}

/// Takes one sample. On one thread: costs are what is looked for, and they are steadier there.
pub(crate) fn sample(series: &Series, size: u64) -> f64 {
    runtime(Threads::Current).block_on((series.sample)(size))
}

/// Takes all samples, prints medians as a table, and returns them by series and size.
pub(crate) fn run(all: &[&Series], rounds: usize, up_to: u64) -> Value {
    let mut head: Vec<u64> = all.iter().flat_map(|series| series.sizes).copied().collect();
    head.sort_unstable();
    head.dedup();
    head.retain(|size| *size <= up_to);
    println!("{:<46}{}", "", head.iter().map(|size| format!("{size:>10}")).collect::<String>());
    let mut figures = Map::new();
    for series in all {
        print!("{:<40} {:<5}", series.name, series.unit);
        let mut costs = Map::new();
        for size in &head {
            if !series.sizes.contains(size) {
                print!("{:>10}", "");
                continue;
            }
            let cost = median(series, *size, rounds);
            print!("{:>10}", human(cost));
            costs.insert(size.to_string(), json!(cost));
        }
        println!();
        figures.insert(series.name.into(), json!({"unit": series.unit, "costs": costs}));
    }
    Value::Object(figures)
}

fn median(series: &Series, size: u64, rounds: usize) -> f64 {
    let sample = || in_child(&["--grown", series.name, &size.to_string()]).expect("every series is ours");
    let mut costs: Vec<_> = (0..rounds).map(|_| number(&sample())).collect();
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

/// Nanoseconds for each of so many.
fn nanoseconds_each(count: u64, start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64 / count as f64
}
