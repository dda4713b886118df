//! How many instructions an operation takes, against the numbers that are committed: a guard that noise cannot
//! trip.
//!
//! Each path runs twice under callgrind, a sample of the row with few operations and one with many; what starting
//! the program takes is in both and falls out of the difference. On one thread, where the same program does the
//! same: numbers repeat to a part in a thousand.

use std::{env, fs, io, path::Path, process::Command};

use serde_json::{Map, Value, json};

/// The hot paths: rows, and how many operations are enough.
const PATHS: &[(&str, u64)] = &[
    ("spawn", 4_000),
    ("call ct", 5_000),
    ("call with timeout ct", 5_000),
    ("send 1→1", 20_000),
    ("ring 1", 5_000),
    ("monitor", 2_000),
    ("restart by error", 2_000),
    ("tasks", 2_000),
    ("actor start", 2_000),
    ("actor call ct", 5_000),
];

/// How many times as many instructions fail the check.
const TOLERANCE: f64 = 1.04;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

/// Counts, and holds against the file or writes it.
pub(crate) fn run(write: bool) -> Result<(), String> {
    let known = if write { Map::new() } else { read()? };
    let (mut counted, mut failures) = (Map::new(), Vec::new());
    for (row, count) in PATHS {
        let Some(instructions) = each(row, *count)? else {
            return without_valgrind();
        };
        counted.insert((*row).into(), json!(instructions.round()));
        let before = known.get(*row).and_then(Value::as_f64);
        let change = before.map(|before| instructions / before);
        let shown =
            change.map_or_else(|| "new".to_owned(), |change| format!("{:+.1} %", 100.0 * (change - 1.0)));
        println!("{row:<20}  {instructions:>7.0}  {shown}");
        if !write && change.is_none_or(|change| change > TOLERANCE) {
            failures.push(*row);
        }
    }
    if write {
        return fs::write(FILE, format!("{:#}\n", Value::Object(counted))).map_err(|error| error.to_string());
    }
    match &*failures {
        [] => Ok(()),
        rows => Err(format!(
            "more instructions than {FILE} allows: {}\n\
             If that is meant, `otp-bench instructions --write` says so.",
            rows.join(", ")
        )),
    }
}

fn read() -> Result<Map<String, Value>, String> {
    let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{FILE}: {error}"))
}

fn without_valgrind() -> Result<(), String> {
    if env::var_os("CI").is_some() {
        return Err("valgrind is not installed, and CI counts instructions".into());
    }
    eprintln!("SKIPPED: valgrind is not installed, no instructions were counted");
    Ok(())
}

/// Instructions for each operation; `None` without valgrind.
fn each(row: &str, count: u64) -> Result<Option<f64>, String> {
    let (few, many) = (count, 3 * count);
    let Some(more) = instructions(row, many)? else { return Ok(None) };
    let Some(less) = instructions(row, few)? else { return Ok(None) };
    Ok(Some((more - less) / (many - few) as f64))
}

fn instructions(row: &str, count: u64) -> Result<Option<f64>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(Path::new(&program));
    valgrind.args(["--sample", row, "otp", "--one-thread", "--count", &count.to_string()]);
    let output = match valgrind.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        output => output.map_err(|error| format!("valgrind: {error}"))?,
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let collected = collected.and_then(|(_, number)| number.trim().parse().ok());
    match collected {
        Some(instructions) if output.status.success() => Ok(Some(instructions)),
        _ => Err(format!("valgrind failed on {row}: {said}")),
    }
}
