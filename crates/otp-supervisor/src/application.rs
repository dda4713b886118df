//! The entry point of a program that is a supervision tree.
//!
//! ```no_run
//! use otp_supervisor::{Strategy, application, static_supervisor as supervisor, supervision};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), application::ApplicationError> {
//!     application::run(|| {
//!         supervisor::new(Strategy::OneForOne)
//!             .add(supervision::process(|| async { /* serve */ }))
//!             .start()
//!     })
//!     .await
//! }
//! ```

use std::{error::Error, fmt, io};

use erlang_process::{
    ExitMessage, ExitReason, Pid, Selector, Spawn, Subject, capture_panics, kill, run as run_process,
    send_exit, trap_exits,
};
use otp_actor::{StartError, Started};

/// Starts the root of a supervision tree, and returns when the tree has ended: by itself, or because the
/// operating system has asked for it, by SIGINT (Ctrl-C) or SIGTERM. Then the tree is stopped in order; a
/// second signal kills it.
///
/// Panics in processes become crash reports from here on, and are not printed: see
/// [`capture_panics`].
///
/// # Errors
///
/// [`ApplicationError`]: the root did not start, or ended for another reason than that it was done or was
/// asked to; or signals cannot be received.
///
/// # Cancel safety
///
/// Dropping the future kills the tree.
///
/// # Panics
///
/// Outside a tokio runtime with its I/O driver.
///
/// Counterpart: `application:start/1` with the type `permanent`, and `init:stop/0`.
pub async fn run<D, F>(start: impl FnOnce() -> F + Send + 'static) -> Result<(), ApplicationError>
where
    D: Send + 'static,
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    capture_panics();
    run_process(master(start)).await.unwrap_or_else(|reason| Err(ApplicationError::Ended(reason)))
}

enum Event {
    Ended(ExitReason),
    Asked,
}

/// The process above the root.
async fn master<D, F>(start: impl FnOnce() -> F) -> Result<(), ApplicationError>
where
    F: Future<Output = Result<Started<D>, StartError>>,
{
    let not_a_process = |error| ApplicationError::Start(StartError::failed(error));
    trap_exits(true).map_err(not_a_process)?;
    let asked = Subject::new().map_err(not_a_process)?;
    watch_signals(asked.clone())?;
    let root = start().await.map_err(ApplicationError::Start)?.pid;
    let mut events = Selector::new()
        .select(&asked, |()| Event::Asked)
        .select_trapped_exit_of(root, |exit: ExitMessage| Event::Ended(exit.reason));
    let mut asked_before = false;
    loop {
        match events.receive_forever().await {
            Ok(Event::Asked) if !asked_before => {
                tracing::info!(target: "otp_supervisor::application", "stopping");
                asked_before = true;
                send_exit(root, ExitReason::Shutdown);
            }
            Ok(Event::Asked) => kill(root),
            // A root that gives up ends with `shutdown`, too: that is no success unless it was asked for.
            Ok(Event::Ended(ExitReason::Normal)) => return Ok(()),
            Ok(Event::Ended(reason)) if asked_before && reason.is_orderly() => return Ok(()),
            Ok(Event::Ended(reason)) => return Err(ApplicationError::Ended(reason)),
            Err(error) => return Err(ApplicationError::Ended(ExitReason::error(error))),
        }
    }
}

/// Spawns a process that tells of each signal that asks the program to stop.
fn watch_signals(asked: Subject<()>) -> Result<Option<Pid>, ApplicationError> {
    let mut signals = Signals::new().map_err(ApplicationError::Signals)?;
    let watch = async move {
        loop {
            signals.next().await;
            asked.send(());
        }
        #[allow(unreachable_code)]
        ()
    };
    Ok(Spawn::new().label("signals").spawn(watch).ok())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        std::future::poll_fn(|cx| match self.interrupt.poll_recv(cx) {
            std::task::Poll::Ready(signal) => std::task::Poll::Ready(signal),
            std::task::Poll::Pending => self.terminate.poll_recv(cx),
        })
        .await;
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Why an application did not run, or did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum ApplicationError {
    /// Its root did not start.
    Start(StartError),
    /// Its root ended for this reason.
    Ended(ExitReason),
    /// The signals of the operating system cannot be received.
    Signals(io::Error),
}

impl fmt::Display for ApplicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the application did not start: {error}"),
            Self::Ended(reason) => write!(f, "the application ended: {reason}"),
            Self::Signals(error) => write!(f, "signals cannot be received: {error}"),
        }
    }
}

impl Error for ApplicationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Start(error) => Some(error),
            Self::Ended(reason) => Some(reason),
            Self::Signals(error) => Some(error),
        }
    }
}
