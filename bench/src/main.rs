//! The benchmark: the same work on bare tokio and on the crates of this workspace, in one run.
//!
//! Absolute figures wander with the machine; the ratios within one run are what counts. So every row runs
//! its systems in turn, round after round, and the table shows medians.
//!
//! A row is data, in [`row`]. A system is a folder in [`systems`] with one file for each kind of row, and a
//! line in [`systems::ALL`]: the others need not know of it.

mod args;
mod measure;
mod report;
mod row;
mod systems;

use std::{fs::File, process::ExitCode};

use crate::{
    args::{Args, Command, USAGE},
    report::Report,
};

fn main() -> ExitCode {
    let command = match args::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(error) => return refuse(&error),
    };
    match command {
        Command::Help => print!("{USAGE}"),
        Command::Sample(row, system) => match measure::sample(row, system) {
            Some(value) => println!("{value}"),
            None => return refuse(&format!("{} does not do the row {:?}", system.name, row.name)),
        },
        Command::Run(Args { rows, rounds, json }) => {
            // Opened now: who mistyped the path should not learn so minutes later.
            let json = match json.map(|path| File::create(&path).map_err(|error| format!("{path}: {error}")))
            {
                None => None,
                Some(Ok(file)) => Some(file),
                Some(Err(error)) => return refuse(&error),
            };
            let mut report = Report::default();
            println!("{}", Report::HEAD);
            for row in rows {
                report.add(row, measure::rounds(row, rounds));
            }
            if let Some(file) = json
                && let Err(error) = report.write_json(file)
            {
                eprintln!("the JSON file could not be written: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn refuse(error: &str) -> ExitCode {
    eprintln!("{error}\n\n{USAGE}");
    ExitCode::from(2)
}
