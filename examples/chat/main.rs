//! A chat server that heals itself: lines over TCP, so that `nc` is a client.
//!
//! ```text
//! cargo run --release --example chat -- [--port 4000] [--host 127.0.0.1] [--max-clients 1000]
//! nc 127.0.0.1 4000
//! ```
//!
//! # The tree
//!
//! ```text
//! application::new(..).run()       SIGINT and SIGTERM stop the tree in order
//! └── chat                         static supervisor, rest for one
//!     ├── history                  actor: the last lines of each room
//!     ├── directory                actor: who is here, under which nick, in which room
//!     ├── rooms                    factory supervisor, transient: restarts what panics
//!     │   ├── room lobby           actor: tells everyone in it what one says
//!     │   └── ...
//!     ├── sessions                 factory supervisor, temporary, at most --max-clients
//!     │   ├── guest-1              process: one client, its socket, the lines that wait for it
//!     │   └── ...
//!     └── listener                 process: the port; last to start, first to stop
//! ```
//!
//! A child knows those above it and nothing of those below: hence *rest for one*. What each crash means:
//!
//! | it crashes | what happens |
//! |---|---|
//! | a room | it is restarted, asks the directory for its members and the history for its lines, and goes on; other rooms do not notice |
//! | a session | its client is gone; the directory, which monitors it, frees its nick and its place |
//! | the listener | it listens again, at the same port; nobody who is connected notices |
//! | sessions, rooms | clients are told and disconnected, and can come back at once; lines are kept |
//! | the directory | the same: who is where is known to it alone, and all who rely on that begin anew |
//! | the history | the same, and lines are lost |
//!
//! # Who tells what to whom
//!
//! Everything that a client reads from its room comes to its session through one mailbox, in one order. The
//! directory alone decides who is in which room. It tells the room by the room's *name*, which whoever runs the
//! room at the time holds; a room that was down in between reads the same from the list that it starts with, and
//! what it is told twice it ignores. What must happen once, such as a line, a session sends to the very process
//! that let it in. When that one crashes, the next one says so, and the session sends again what was not answered:
//! what was answered lies in its mailbox before.
#![allow(clippy::print_stderr, clippy::print_stdout)]

mod command;
mod directory;
mod farewell;
mod history;
mod lines;
mod listener;
mod options;
mod outbox;
mod room;
mod server;
mod session;
mod tree;
mod word;

use std::{env, error::Error, io, process::ExitCode};

use otp_supervisor::application;
use tracing_subscriber::EnvFilter;

use crate::options::Asked;

/// A crash is one line: the report of the process itself. Those of the actor that it was, of its supervisor, and of each
/// start, are for those who ask for them.
const LOG: &str = "info,otp_actor::crash=off,otp_supervisor::report=off,otp_supervisor::progress=off";

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options::parse(env::args_os().skip(1)) {
        Ok(Asked::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Serve(options)) => options,
        Err(error) => {
            eprintln!("chat: {error}\n\n{}", options::HELP.trim_end());
            return ExitCode::from(2);
        }
    };
    let filter = env::var("RUST_LOG").unwrap_or_else(|_| LOG.to_owned());
    tracing_subscriber::fmt()
        .compact()
        .with_writer(io::stderr)
        .with_env_filter(EnvFilter::builder().parse_lossy(filter))
        .init();

    match application::new(|| server::start(options)).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {}", root_cause(&error));
            ExitCode::FAILURE
        }
    }
}

/// What was wrong in the first place.
fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}
