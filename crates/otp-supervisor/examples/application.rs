//! A program that is a supervision tree, and says what it does.
//!
//! ```text
//! application           stops the tree in order on SIGINT or SIGTERM
//! └── root (one for one)
//!     ├── store
//!     └── door
//! ```
//!
//! `cargo run -p otp-supervisor --example application`, and Ctrl-C. An argument makes it misbehave: `stubborn` (the door does
//! not stop when asked to), `closed` (a start phase fails), `broken` (the door does not start), `doomed` (the door crashes
//! until the supervisor gives up), `done` (the root ends normally), `slow` (the door takes for ever to start), `jammed` (a start
//! phase fails, and the door does not stop before a signal comes).

#![allow(clippy::print_stdout)]

use std::{
    env,
    future::{pending, ready},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use erlang_process::{ExitReason, Selector, spawn, trap_exits};
use otp_actor::{StartError, Started};
use otp_supervisor::{
    ChildSpec, Shutdown, Strategy, application,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> ExitCode {
    let how = env::args().nth(1).unwrap_or_default();
    let closed = ["closed", "jammed"].contains(&how.as_str());
    let application = application::new(move || start(how))
        .start_phase("unlock", || async {
            println!("phase unlock");
            Ok::<_, StartError>(())
        })
        .start_phase("open", move || async move {
            println!("phase open");
            if closed { Err("it is closed") } else { Ok(()) }
        });
    match application.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(how: String) -> Result<Started<Supervisor>, StartError> {
    match how.as_str() {
        "done" => {
            let pid = spawn(async { println!("nothing to do") });
            // What its starter gets does not matter to an application.
            let data = Supervisor::named(erlang_process::Name::new("nobody"));
            Ok(Started { pid, data })
        }
        _ => {
            let store = child("store", Shutdown::WORKER, String::new());
            let door = child("door", Shutdown::Infinity, how);
            supervisor::new(Strategy::OneForOne).add(store).add(door).start().await
        }
    }
}

/// Says when it stops, and that it has started.
struct Noted(&'static str);

impl Drop for Noted {
    fn drop(&mut self) {
        println!("stop {}", self.0);
    }
}

/// Stops when a signal comes, after it was asked to.
async fn jammed(trapping: oneshot::Sender<()>) -> Result<(), ExitReason> {
    trap_exits(true).map_err(ExitReason::error)?;
    let _ = trapping.send(());
    let asked = Selector::new().select_trapped_exits(|exit| exit.reason).receive_forever().await;
    let mut signal = pin!(tokio::signal::ctrl_c());
    // It is listened to from here on.
    tokio::select! {
        biased;
        _ = &mut signal => {}
        () = ready(()) => {}
    }
    println!("jammed");
    signal.await.map_err(ExitReason::error)?;
    println!("free");
    Err(asked.map_err(ExitReason::error)?)
}

fn child(name: &'static str, shutdown: Shutdown, how: String) -> ChildSpec {
    let start = move || {
        let how = how.clone();
        async move {
            match how.as_str() {
                "broken" => return Err(StartError::failed("it is broken")),
                "slow" => {
                    println!("starting {name}");
                    pending::<()>().await;
                }
                _ => {}
            }
            let noted = Noted(name);
            println!("start {name}");
            let jams = how == "jammed";
            let (trapping, is_trapping) = oneshot::channel();
            let pid = spawn(async move {
                let _noted = noted;
                match how.as_str() {
                    "stubborn" => drop(trap_exits(true)),
                    "doomed" => return Err(ExitReason::error("doomed")),
                    _ => {}
                }
                println!("run {name}");
                if jams {
                    return jammed(trapping).await;
                }
                tokio::time::sleep(Duration::MAX).await;
                Ok(())
            });
            if jams {
                let _ = is_trapping.await;
            }
            Ok(Started { pid, data: () })
        }
    };
    supervision::worker(start).id(name).shutdown(shutdown)
}
