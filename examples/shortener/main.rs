//! A link shortener over HTTP: axum's handlers call an actor, and axum's server is a supervised child.
//!
//! ```text
//! cargo run --release --package otp-examples --example shortener -- [PORT]
//!
//! curl -d https://www.rust-lang.org 127.0.0.1:3000/           # 1
//! curl -i 127.0.0.1:3000/1                                    # 303 See Other
//! curl 127.0.0.1:3000/1/hits                                  # 1
//! ```
//!
//! # The tree
//!
//! ```text
//! Application::run                 SIGINT and SIGTERM stop the tree in order
//! └── supervisor, rest for one
//!     ├── links                    actor: what is short for what, and how often it was asked for
//!     └── server                   process: the port; last to start, first to stop
//! ```
//!
//! A handler runs in a task of axum's, which is no process: a call works from there as from anywhere. While `links` is being
//! restarted requests are answered with 503. The server listens before its start is done, so that the program fails at
//! once if the port is taken; asked to stop, it takes no more connections and finishes the requests that it has.

mod links;
mod routes;
mod server;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use otp_supervisor::{Shutdown, Strategy, application, static_supervisor as supervisor, supervision};

#[tokio::main]
async fn main() -> ExitCode {
    let port = env::args().nth(1).map_or(Ok(3000), |port| port.parse());
    let Ok(port) = port else {
        let _ = writeln!(io::stderr(), "Usage: shortener [PORT]");
        return ExitCode::from(2);
    };
    tracing_subscriber::fmt().compact().with_writer(io::stderr).init();
    // Longer than any request takes.
    let patience = Shutdown::After(Duration::from_secs(30));
    let tree = move || {
        supervisor::new(Strategy::RestForOne)
            .add(supervision::worker(links::start).id("links"))
            .add(supervision::worker(move || server::start(port)).id("server").shutdown(patience))
            .start()
    };
    match application::new(tree).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "shortener ends");
            ExitCode::FAILURE
        }
    }
}
