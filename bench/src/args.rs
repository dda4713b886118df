//! The command line.

use crate::{
    fairness::{self, Load},
    growth::{self, Series},
    row::{self, Row, Threads},
    systems::{self, System},
};

pub(crate) const USAGE: &str = "\
usage: otp-bench [table] [--rows ROW,...] [--rounds N] [--json FILE] [--svg FILE]
       otp-bench growth [--rows SERIES,...] [--rounds N] [--up-to N] [--json FILE]
       otp-bench fairness [--rounds N] [--json FILE]
       otp-bench instructions [--write]

  table                the same work on every system: medians, ratios to bare tokio, spread
  growth               what an operation costs when there are many of a thing
  fairness             how long a call takes alone, and beside a thousand busy processes
  instructions         how many instructions an operation takes, against bench/instructions.json

  --rows ROW,...       only the rows whose names start with one of these: `call` runs all calls
  --rounds N           how often each system does each row (5)
  --up-to N            only sizes up to this
  --json FILE          write the figures to this file as well
  --svg FILE           draw the table to this file
  --write              write what is counted to bench/instructions.json

For profilers, one row once:
       otp-bench --sample ROW SYSTEM [--count N] [--one-thread]
       otp-bench --grown SERIES SIZE
       otp-bench --latency SYSTEM alone|busy
";

/// What to do.
pub(crate) enum Command {
    Help,
    Table(Table),
    Growth { series: Vec<&'static Series>, rounds: usize, up_to: u64, json: Option<String> },
    Fairness { rounds: usize, json: Option<String> },
    Instructions { write: bool },
    Sample(Row, &'static System),
    Grown(&'static Series, u64),
    Latency(&'static fairness::System, Load),
}

pub(crate) struct Table {
    pub(crate) rows: Vec<&'static Row>,
    pub(crate) rounds: usize,
    pub(crate) json: Option<String>,
    pub(crate) svg: Option<String>,
}

/// Reads the arguments; an error is a sentence for the user.
pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut args = args.peekable();
    let verb = args.next_if(|first| !first.starts_with("--") || SAMPLES.contains(&&**first));
    match verb.as_deref() {
        None | Some("table") => table(Options::parse(args, &["rows", "rounds", "json", "svg"])?),
        Some("growth") => growth(Options::parse(args, &["rows", "rounds", "up-to", "json"])?),
        Some("fairness") => {
            let options = Options::parse(args, &["rounds", "json"])?;
            Ok(options
                .unless_help(Command::Fairness { rounds: options.rounds()?, json: options.text("json") }))
        }
        Some("instructions") => {
            let options = Options::parse(args, &["write"])?;
            Ok(options.unless_help(Command::Instructions { write: options.is_set("write") }))
        }
        Some("--sample") => {
            let (row, system) = two(&mut args, "--sample needs a row and a system")?;
            let options = Options::parse(args, &["count", "one-thread"])?;
            let mut row = *named(row::ALL, |row| row.name, &row)?;
            row.count = options.number("count")?.unwrap_or(row.count);
            if options.is_set("one-thread") {
                row.threads = Threads::Current;
            }
            Ok(Command::Sample(row, named(systems::ALL, |system| system.name, &system)?))
        }
        Some("--grown") => {
            let (series, size) = two(&mut args, "--grown needs a series and a size")?;
            let size = size.parse().map_err(|_| format!("{size:?} is no size"))?;
            Ok(Command::Grown(named(growth::ALL, |series| series.name, &series)?, size))
        }
        Some("--latency") => {
            let (system, load) = two(&mut args, "--latency needs a system and a load")?;
            let load = named(fairness::LOADS, |load| load.name(), &load)?;
            Ok(Command::Latency(named(fairness::SYSTEMS, |system| system.name, &system)?, *load))
        }
        Some(other) => Err(format!("unknown argument {other:?}")),
    }
}

/// What takes its arguments by their places, because programs write it.
const SAMPLES: &[&str] = &["--sample", "--grown", "--latency"];

fn table(options: Options) -> Result<Command, String> {
    Ok(options.unless_help(Command::Table(Table {
        rows: options.chosen(row::ALL, |row| row.name)?,
        rounds: options.rounds()?,
        json: options.text("json"),
        svg: options.text("svg"),
    })))
}

fn growth(options: Options) -> Result<Command, String> {
    Ok(options.unless_help(Command::Growth {
        series: options.chosen(growth::ALL, |series| series.name)?,
        rounds: options.rounds()?,
        up_to: options.number("up-to")?.unwrap_or(u64::MAX),
        json: options.text("json"),
    }))
}

fn two(args: &mut impl Iterator<Item = String>, otherwise: &str) -> Result<(String, String), String> {
    args.next().zip(args.next()).ok_or_else(|| otherwise.to_owned())
}

/// The options that were given, each with its value; those that are switches have an empty one.
struct Options(Vec<(String, String)>);

impl Options {
    fn parse(mut args: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, String> {
        let mut given = Vec::new();
        while let Some(option) = args.next() {
            let name = match &*option {
                "-h" => "help",
                long => long.strip_prefix("--").unwrap_or_default(),
            };
            let value = match name {
                "help" => String::new(),
                name if !known.contains(&name) => return Err(format!("unknown argument {option:?}")),
                "write" | "one-thread" => String::new(),
                _ => args.next().ok_or_else(|| format!("{option} needs a value"))?,
            };
            given.push((name.to_owned(), value));
        }
        Ok(Self(given))
    }

    fn unless_help(&self, command: Command) -> Command {
        if self.is_set("help") { Command::Help } else { command }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.clone())
    }

    fn is_set(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let number = |text: String| text.parse().ok().filter(|number| *number > 0).ok_or(text);
        let given = self.text(name).map(number).transpose();
        given.map_err(|text| format!("--{name} needs a number from 1 on, not {text:?}"))
    }

    fn rounds(&self) -> Result<usize, String> {
        let rounds = self.number("rounds")?.unwrap_or(5);
        usize::try_from(rounds).map_err(|_| format!("{rounds} rounds are too many"))
    }

    /// Those of `all` that the prefixes of `--rows` mean, in their order.
    fn chosen<T>(&self, all: &'static [T], name: fn(&T) -> &'static str) -> Result<Vec<&'static T>, String> {
        let Some(prefixes) = self.text("rows") else { return Ok(all.iter().collect()) };
        let prefixes: Vec<_> = prefixes.split(',').map(str::trim).collect();
        let unknown =
            |prefix: &&&str| prefix.is_empty() || !all.iter().any(|one| name(one).starts_with(**prefix));
        if let Some(prefix) = prefixes.iter().find(unknown) {
            return Err(unnamed(all, name, prefix));
        }
        let is_meant = |one: &&T| prefixes.iter().any(|prefix| name(one).starts_with(prefix));
        Ok(all.iter().filter(is_meant).collect())
    }
}

fn named<T>(all: &'static [T], name: fn(&T) -> &'static str, wanted: &str) -> Result<&'static T, String> {
    all.iter().find(|one| name(one) == wanted).ok_or_else(|| unnamed(all, name, wanted))
}

fn unnamed<T>(all: &[T], name: fn(&T) -> &'static str, wanted: &str) -> String {
    let names: Vec<_> = all.iter().map(name).collect();
    format!("there is no {wanted:?}, but: {}", names.join(", "))
}
