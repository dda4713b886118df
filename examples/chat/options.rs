//! What the program is told when it is started.

use std::{ffi::OsString, fmt::Display, str::FromStr};

pub(crate) const HELP: &str = "\
A chat server: lines over TCP, for clients such as nc.

Usage: chat [--port PORT] [--host HOST] [--max-clients NUMBER]

  --port PORT           where to listen; 0 is any port that is free [default: 4000]
  --host HOST           the address to listen at [default: 127.0.0.1]
  --max-clients NUMBER  how many may be connected at once [default: 1000]
  --help                this text

RUST_LOG=info shows the reports of processes and supervisors.
";

/// What the arguments ask for.
pub(crate) enum Asked {
    Help,
    Serve(Options),
}

pub(crate) struct Options {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) max_clients: usize,
}

/// Reads the arguments: `--name value` or `--name=value`.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut options = Options { host: "127.0.0.1".to_owned(), port: 4000, max_clients: 1000 };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let argument = text(argument)?;
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = || match value.clone() {
            Some(value) => Ok(value),
            None => arguments.next().map(text).unwrap_or_else(|| Err(format!("{name} needs a value"))),
        };
        match name {
            "--help" | "-h" => return Ok(Asked::Help),
            "--host" => options.host = value()?,
            "--port" => options.port = number(name, &value()?)?,
            "--max-clients" => options.max_clients = number(name, &value()?)?,
            _ => return Err(format!("unknown argument {argument:?}")),
        }
    }
    if options.max_clients == 0 {
        return Err("--max-clients has to be at least 1".to_owned());
    }
    Ok(Asked::Serve(options))
}

fn text(argument: OsString) -> Result<String, String> {
    argument.into_string().map_err(|argument| format!("{argument:?} is not UTF-8"))
}

fn number<N: FromStr<Err: Display>>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|error| format!("{name} {value:?}: {error}"))
}
