//! A job queue that forgets nothing: command lines are read from stdin, kept in a database, and run by a pool of workers.
//!
//! ```text
//! cargo run --release --package otp-examples --example jobs -- DATABASE [WORKERS [BACK-OFF-MS]]
//!
//! echo 'curl -sO https://example.org' | jobs queue.redb 4
//! ```
//!
//! # The tree
//!
//! ```text
//! Application::run                 SIGINT and SIGTERM stop the tree in order
//! └── supervisor, rest for one
//!     ├── store                    process with a thread of its own: the database, and who works at what
//!     ├── workers                  supervisor, one for one
//!     │   ├── worker 1             process: takes a job, runs it, takes the next
//!     │   └── ...
//!     └── gate                     process: opens the queue, and closes it when the program is to stop
//! ```
//!
//! A job is in the database before it is said to be queued, and until it is done. One that fails is tried again, each time
//! after twice as long, five times in all; then it is buried. The store monitors whoever has taken a job: when a worker
//! crashes, its job is taken back. When the program crashes, the next one finds all jobs in the database: each is
//! done once at least, and not once at most.
//!
//! To stop is to drain. The gate is the last child, and so the first that is asked to end: from then on no job is given
//! out. Then each worker has half a minute for the job that it has. What is left is there the next time.

mod gate;
mod intake;
mod store;
mod worker;

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use otp_actor::{StartError, Started};
use otp_supervisor::{
    Shutdown, Strategy, application,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};
use tokio::runtime::Handle;

struct Options {
    database: PathBuf,
    workers: usize,
    back_off: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(options) = options(env::args().skip(1)) else {
        let _ = writeln!(io::stderr(), "Usage: jobs DATABASE [WORKERS [BACK-OFF-MS]]");
        return ExitCode::from(2);
    };
    tracing_subscriber::fmt().compact().with_writer(io::stderr).init();
    match application::new(|| start(options)).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "jobs ends");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let database = arguments.next()?.into();
    let workers = arguments.next().map_or(Some(2), |text| text.parse().ok())?;
    let back_off = arguments.next().map_or(Some(1_000), |text| text.parse().ok())?;
    Some(Options { database, workers, back_off: Duration::from_millis(back_off) })
}

async fn start(options: Options) -> Result<Started<Supervisor>, StartError> {
    let Options { database, workers, back_off } = options;
    let tree = supervisor::new(Strategy::RestForOne)
        .add(supervision::worker(move || store::start(database.clone(), back_off)).id("store"))
        .add(supervision::supervisor(move || start_workers(workers)).id("workers"))
        .add(supervision::process(gate::keep).id("gate"))
        .start()
        .await?;
    // No process: it waits for stdin, which nothing can interrupt. Nobody waits for it.
    let runtime = Handle::current();
    thread::spawn(move || {
        // Its calls have timeouts, which are the runtime's.
        let _context = runtime.enter();
        intake::read();
    });
    Ok(tree)
}

async fn start_workers(count: usize) -> Result<Started<Supervisor>, StartError> {
    let patience = Shutdown::After(Duration::from_secs(30));
    let worker =
        |number| supervision::process(worker::work).id(format!("worker {number}")).shutdown(patience);
    let workers = supervisor::new(Strategy::OneForOne).restart_tolerance(10, Duration::from_secs(1));
    (1..=count).map(worker).fold(workers, supervisor::Builder::add).start().await
}
