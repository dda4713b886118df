//! The table and its JSON.

use serde_json::{Map, Value, json};

use crate::{
    measure::Samples,
    row::{Bar, Row, Unit},
    systems::Role,
};

/// The medians so far.
pub(crate) struct Report {
    pub(crate) rows: Vec<(&'static Row, Vec<Samples>)>,
}

impl Report {
    /// A table without rows: prints its head.
    pub(crate) fn start() -> Self {
        if !cfg!(feature = "peers") {
            println!("Without the feature `peers`: no ractor, kameo, xtra and actix.");
        }
        println!(
            "row                   system     median  unit    ratio  spread                bar
--------------------  ------  ---------  -----  ------  --------------------  ---------------"
        );
        Self { rows: Vec::new() }
    }

    /// Adds a row and prints it.
    pub(crate) fn add(&mut self, row: &'static Row, systems: Vec<Samples>) {
        for samples in &systems {
            let ours = samples.system.role == Role::Ours;
            println!(
                "{:<20}  {:<6}  {:>9}  {:<5}  {:>6}  {:<20}  {}",
                row.name,
                samples.system.name,
                human(samples.median()),
                unit(row),
                ratio(samples, &systems).map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
                format!("{} – {}", human(samples.min()), human(samples.max())),
                if ours { verdict(row.bar, samples.median(), &systems) } else { String::new() },
            );
        }
        self.rows.push((row, systems));
    }

    /// By row, and there by system.
    pub(crate) fn json(&self) -> Value {
        let figures = |row: &Row, all: &[Samples], samples: &Samples| {
            json!({
                "median": samples.median(),
                "unit": unit(row),
                "ratio": ratio(samples, all),
                "min": samples.min(),
                "max": samples.max(),
            })
        };
        let row = |(row, all): &(&Row, Vec<Samples>)| {
            let systems = all.iter().map(|samples| (samples.system.name.into(), figures(row, all, samples)));
            (row.name.into(), Value::Object(systems.collect()))
        };
        Value::Object(self.rows.iter().map(row).collect::<Map<_, _>>())
    }
}

/// How many times what bare tokio reaches.
pub(crate) fn ratio(samples: &Samples, all: &[Samples]) -> Option<f64> {
    let bare = all.iter().find(|samples| samples.system.role == Role::Bare)?;
    Some(samples.median() / bare.median())
}

fn unit(row: &Row) -> &'static str {
    match row.unit {
        Unit::Rate => "1/s",
        Unit::Bytes => "bytes",
    }
}

/// The bar, and whether it is reached.
fn verdict(bar: Bar, value: f64, all: &[Samples]) -> String {
    let best =
        |role| all.iter().filter(|samples| samples.system.role == role).map(Samples::median).reduce(f64::max);
    let times = |bar: f64, of: Option<f64>| of.is_some_and(|of| value >= bar * of);
    let (bar, reached) = match bar {
        Bar::None => return String::new(),
        Bar::Peers(_) if best(Role::Peer).is_none() => return String::new(),
        Bar::Peers(bar) => (format!("≥ {bar} of a peer"), times(bar, best(Role::Peer))),
        Bar::Ratio(bar) => (format!("≥ {bar}"), times(bar, best(Role::Bare))),
        Bar::AtMost(bar) => (format!("≤ {bar}"), value <= bar),
    };
    if reached { bar } else { format!("{bar}  MISSED") }
}

/// Three or four digits, as much as a noisy machine is good for.
pub(crate) fn human(value: f64) -> String {
    match value {
        10_000_000.0.. => format!("{:.1} M", value / 1e6),
        1_000_000.0.. => format!("{:.2} M", value / 1e6),
        10_000.0.. => format!("{:.0} k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}
