//! Watches sites: whether their ports can be connected with. The service that the guide in `docs/guide` builds.
//!
//! ```text
//! cargo run --release --package otp-examples --example uptime -- [--once] example.org:80 127.0.0.1:4000
//! ```
//!
//! # The tree
//!
//! ```text
//! Application::run                 SIGINT and SIGTERM stop the tree in order
//! └── supervisor, rest for one
//!     ├── board                    actor: what is known of each site
//!     └── checkers                 supervisor, one for one
//!         ├── example.org:80       process: checks its site for ever
//!         └── ...
//! ```
//!
//! A checker that crashes is restarted alone. When the board crashes its knowledge is lost: the checkers, which come
//! after it, are restarted as well, and each checks at once.
#![allow(clippy::print_stdout)]

mod board;
mod check;
mod checker;
mod once;
mod tree;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use erlang_process as process;
use otp_supervisor::application;

use crate::check::connect;

#[tokio::main]
async fn main() -> ExitCode {
    let mut sites: Vec<String> = env::args().skip(1).collect();
    let once = sites.first().is_some_and(|first| first == "--once");
    if once {
        sites.remove(0);
    }
    if sites.is_empty() || sites.iter().any(|site| site.starts_with('-')) {
        let _ = writeln!(io::stderr(), "Usage: uptime [--once] HOST:PORT...");
        return ExitCode::from(2);
    }
    tracing_subscriber::fmt().compact().with_writer(io::stderr).init();
    if once { check_once(sites).await } else { watch(sites).await }
}

async fn watch(sites: Vec<String>) -> ExitCode {
    match application::new(|| tree::start(sites, connect)).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "uptime ends");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line for each site, and fails if one is down.
async fn check_once(sites: Vec<String>) -> ExitCode {
    // Tasks have an owner where a process spawns them. The body of `main` is none.
    let outcomes = process::run(once::check_all(sites, connect, Duration::from_secs(2))).await;
    let outcomes = outcomes.unwrap_or_default();
    for (site, outcome) in &outcomes {
        println!("{site} {outcome}");
    }
    let all_up = !outcomes.is_empty() && outcomes.iter().all(|(_, outcome)| outcome.is_up());
    if all_up { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
