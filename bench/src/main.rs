//! The benchmark: the same work on bare tokio, on the crates of this workspace, on other actor libraries and
//! on the BEAM, in one run.
//!
//! Absolute figures wander with the machine; the ratios within one run are what counts. So every row runs
//! its systems in turn, round after round, each in a process of its own, and the table shows medians.
//!
//! A row is data, in [`row`]. A system is a folder or a file in [`systems`] and a line in [`systems::ALL`]: the
//! others need not know of it. What only concerns our own, how costs grow, how fair it is and how many
//! instructions it takes, is in [`growth`], [`fairness`] and [`instructions`].

mod args;
mod chart;
mod fairness;
mod growth;
mod instructions;
mod measure;
mod report;
mod row;
mod systems;

use std::{fs, process::ExitCode};

use crate::{
    args::{Command, Table, USAGE},
    report::Report,
};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match args::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(error) => return refuse(&error),
    };
    let done = match command {
        Command::Help => {
            print!("{USAGE}");
            Ok(())
        }
        Command::Table(table) => run(table),
        Command::Growth { series, rounds, up_to, json } => {
            writable(json.as_deref()).and_then(|()| write(json, &growth::run(&series, rounds, up_to)))
        }
        Command::Fairness { rounds, json } => {
            writable(json.as_deref()).and_then(|()| write(json, &fairness::run(rounds)))
        }
        Command::Instructions { write } => instructions::run(write),
        Command::Sample(row, system) => match measure::sample(&row, system) {
            Some(value) => {
                println!("{value}");
                Ok(())
            }
            None => return refuse(&format!("{} does not do the row {:?}", system.name, row.name)),
        },
        Command::Grown(series, size) => {
            println!("{}", growth::sample(series, size));
            Ok(())
        }
        Command::Latency(system, load) => match fairness::sample(system, load) {
            Some(latencies) => {
                println!("{latencies}");
                Ok(())
            }
            None => return refuse(&format!("{} is not here", system.name)),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(Table { rows, rounds, json, svg }: Table) -> Result<(), String> {
    writable(json.as_deref())?;
    writable(svg.as_deref())?;
    let mut report = Report::start();
    for row in rows {
        report.add(row, measure::rounds(row, rounds));
    }
    if let Some(path) = svg {
        fs::write(&path, chart::draw(&report.rows)).map_err(|error| format!("{path}: {error}"))?;
    }
    write(json, &report.json())
}

/// Fails if the file cannot be written: who mistyped the path should not learn so minutes later.
fn writable(path: Option<&str>) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| format!("{path}: {error}"))?;
    Ok(())
}

fn write(path: Option<String>, figures: &serde_json::Value) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    fs::write(&path, format!("{figures:#}\n")).map_err(|error| format!("{path}: {error}"))
}

fn refuse(error: &str) -> ExitCode {
    eprintln!("{error}\n\n{USAGE}");
    ExitCode::from(2)
}
