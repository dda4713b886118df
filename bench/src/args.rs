//! The command line.

use crate::{
    row::{self, Row},
    systems::{self, System},
};

pub(crate) const USAGE: &str = "\
usage: otp-bench [--rows ROW,...] [--rounds N] [--json FILE]
       otp-bench --sample ROW SYSTEM

  --rows ROW,...       only the rows whose names start with one of these: `call` runs all calls
  --rounds N           how often each system does each row (5)
  --json FILE          write the medians to this file as well
  --sample ROW SYSTEM  do one row once, on one system, and print the value: for profilers
";

/// What to do.
pub(crate) enum Command {
    Help,
    Run(Args),
    Sample(&'static Row, &'static System),
}

pub(crate) struct Args {
    pub(crate) rows: Vec<&'static Row>,
    pub(crate) rounds: usize,
    pub(crate) json: Option<String>,
}

/// Reads the arguments; an error is a sentence for the user.
pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut run = Args { rows: row::ALL.iter().collect(), rounds: 5, json: None };
    while let Some(option) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{option} needs a value"));
        match &*option {
            "--help" | "-h" => return Ok(Command::Help),
            "--rows" => run.rows = rows(&value()?)?,
            "--rounds" => {
                let rounds = value()?;
                run.rounds = rounds
                    .parse()
                    .ok()
                    .filter(|rounds| *rounds > 0)
                    .ok_or_else(|| format!("--rounds needs a number from 1 on, not {rounds:?}"))?;
            }
            "--json" => run.json = Some(value()?),
            "--sample" => {
                let (row, system) = (value()?, value()?);
                return Ok(Command::Sample(
                    row::ALL.iter().find(|r| r.name == row).ok_or_else(|| no_row(&row))?,
                    systems::ALL.iter().find(|s| s.name == system).ok_or_else(|| no_system(&system))?,
                ));
            }
            _ => return Err(format!("unknown argument {option:?}")),
        }
    }
    Ok(Command::Run(run))
}

/// The rows that one of these prefixes means, in the order of the table.
fn rows(prefixes: &str) -> Result<Vec<&'static Row>, String> {
    let prefixes: Vec<_> = prefixes.split(',').map(str::trim).collect();
    if let Some(prefix) = prefixes.iter().find(|p| p.is_empty() || !row::ALL.iter().any(|r| r.is(p))) {
        return Err(no_row(prefix));
    }
    Ok(row::ALL.iter().filter(|row| prefixes.iter().any(|prefix| row.is(prefix))).collect())
}

fn no_row(name: &str) -> String {
    let names: Vec<_> = row::ALL.iter().map(|row| row.name).collect();
    format!("no row {name:?}; there are: {}", names.join(", "))
}

fn no_system(name: &str) -> String {
    let names: Vec<_> = systems::ALL.iter().map(|system| system.name).collect();
    format!("no system {name:?}; there are: {}", names.join(", "))
}
