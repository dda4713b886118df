//! The table and the JSON file.

use std::{fs::File, io};

use serde_json::{Value, json};

use crate::{
    measure::Samples,
    row::{Bar, Row},
};

/// The medians so far.
#[derive(Default)]
pub(crate) struct Report {
    json: Vec<Value>,
}

impl Report {
    pub(crate) const HEAD: &str = "\
row               system     median  unit    ratio  spread                bar
----------------  ------  ---------  -----  ------  --------------------  ---------------";

    /// Adds a row and prints it.
    pub(crate) fn add(&mut self, row: &Row, systems: Vec<Samples>) {
        let bare = systems.iter().find(|samples| samples.system.name == "tokio").map(Samples::median);
        for samples in &systems {
            let value = samples.median();
            let ratio = bare.map(|bare| value / bare);
            let name = samples.system.name;
            println!(
                "{:<16}  {name:<6}  {:>9}  {:<5}  {:>6}  {:<20}  {}",
                row.name,
                human(value),
                row.unit,
                ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
                format!("{} – {}", human(samples.min()), human(samples.max())),
                if name == "otp" { verdict(row.bar, value, ratio) } else { String::new() },
            );
            self.json.push(
                json!({"row": row.name, "system": name, "value": value, "unit": row.unit, "ratio": ratio}),
            );
        }
    }

    pub(crate) fn write_json(&self, file: File) -> io::Result<()> {
        serde_json::to_writer_pretty(file, &self.json).map_err(Into::into)
    }
}

/// The bar, and whether it is reached.
fn verdict(bar: Bar, value: f64, ratio: Option<f64>) -> String {
    let (bar, reached) = match bar {
        Bar::None => return String::new(),
        Bar::Ratio(bar) => (format!("≥ {bar}"), ratio.is_some_and(|ratio| ratio >= bar)),
        Bar::AtMost(bar) => (format!("≤ {bar}"), value <= bar),
    };
    if reached { bar } else { format!("{bar}  MISSED") }
}

/// Three or four digits, as much as a noisy machine is good for.
fn human(value: f64) -> String {
    match value {
        10_000_000.0.. => format!("{:.1} M", value / 1e6),
        1_000_000.0.. => format!("{:.2} M", value / 1e6),
        10_000.0.. => format!("{:.0} k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}
