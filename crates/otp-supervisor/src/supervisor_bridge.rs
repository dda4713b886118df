//! Things that are no process, in a supervision tree: a child process of the operating system, a thread, a connection pool
//! of another library, anything that is started and stopped.
//!
//! A bridge is a process that starts the thing, holds it, and stops it: its supervisor sees a child like any other.
//!
//! ```
//! use erlang_process::ExitReason;
//! use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
//! use otp_supervisor::supervisor_bridge::{self, Bridge};
//! # use std::io; struct Pool; impl Pool {
//! #     async fn connect(_: &str) -> io::Result<Self> { Ok(Self) }
//! #     async fn close(self) {}
//! #     async fn failed(&mut self) -> io::Error { std::future::pending().await }
//! # }
//!
//! struct Database(Pool);
//!
//! impl Bridge for Database {
//!     async fn ended(&mut self) -> ExitReason {
//!         ExitReason::error(self.0.failed().await)
//!     }
//!
//!     async fn terminate(self, _reason: ExitReason) {
//!         self.0.close().await;
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let database = supervision::worker(|| {
//!     supervisor_bridge::start(|| async { Ok::<_, io::Error>(Some(Database(Pool::connect("db").await?))) })
//! });
//! let tree = supervisor::new(Strategy::OneForOne).add(database).start().await?;
//! tree.data.stop().await?;
//! # Ok(()) }
//! ```
//!
//! Counterpart: `supervisor_bridge` in Erlang.

use std::{
    convert::Infallible,
    error::Error,
    future::{pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use erlang_process::{ExitMessage, ExitReason, Pid, Selector, Spawn, Subject, trap_exits};
use otp_actor::{InitAck, StartError, Started, start_process};
use otp_system::{After, Event as SystemEvent, EventKind, Mode, System, SystemMessage};

use crate::report;

/// Something that is no process, and has been started.
///
/// Counterpart: the behaviour `supervisor_bridge`.
pub trait Bridge: Send + Sized + 'static {
    /// Waits until it has ended by itself, and says why: the bridge ends for the same reason. Without this, it never does.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped and made anew while the bridge runs, so it must not lose anything by that.
    ///
    /// Counterpart: the exit of the process that `init/1` returns.
    fn ended(&mut self) -> impl Future<Output = ExitReason> + Send {
        pending()
    }

    /// Stops it, because the bridge is told to end, for this reason. Not called where it has [ended](Self::ended) by itself,
    /// nor where the bridge is killed: what has to happen always belongs into its `Drop`.
    ///
    /// Counterpart: `terminate/2`.
    fn terminate(self, reason: ExitReason) -> impl Future<Output = ()> + Send;
}

/// Starts a bridge, linked with the calling process if there is one, and with it what `init` makes, in the bridge's process.
/// `None` means that there is nothing to do, which is no failure.
///
/// # Errors
///
/// [`StartError::InitFailed`] with the error of `init`, [`StartError::Ignored`] where it returns `None`,
/// [`StartError::InitExited`] if it panics.
///
/// # Cancel safety
///
/// Dropping the future kills the bridge, unless it was returned.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// Counterpart: `supervisor_bridge:start_link/2`, and its `init/1`.
pub async fn start<B, E, F>(init: impl FnOnce() -> F + Send + 'static) -> Result<Started<()>, StartError>
where
    B: Bridge,
    E: Into<Box<dyn Error + Send + Sync>> + Send,
    F: Future<Output = Result<Option<B>, E>> + Send,
{
    let body = |_: Subject<Infallible>, ack: InitAck<()>| async move {
        if let Err(error) = trap_exits(true) {
            return ExitReason::error(error);
        }
        let parent = ack.parent();
        match init().await {
            Ok(Some(bridge)) => match ack.ready(()) {
                Ok(()) => run(bridge, parent).await,
                Err(reason) => {
                    bridge.terminate(reason.clone()).await;
                    reason
                }
            },
            Ok(None) => {
                ack.ignore();
                ExitReason::Normal
            }
            Err(error) => {
                ack.failed(error);
                ExitReason::Normal
            }
        }
    };
    start_process(Spawn::new().runs(|| "otp_supervisor::supervisor_bridge"), Duration::MAX, body).await
}

/// What a bridge meets.
enum Event {
    Ended(ExitReason),
    Exit(ExitMessage),
    System(SystemMessage),
    Unexpected(String),
}

async fn run<B: Bridge>(mut bridge: B, parent: Option<Pid>) -> ExitReason {
    let mut running = Selector::new()
        .select_trapped_exits(Event::Exit)
        .select_raw(Event::System)
        .select_other(|message| Event::Unexpected(message.to_string()));
    let mut suspended = Selector::new().select_raw(Event::System);
    if let Some(parent) = parent {
        suspended = suspended.select_trapped_exit_of(parent, Event::Exit);
    }
    let mut system = System::new("supervisor_bridge", parent);
    loop {
        let event = match system.mode() {
            Mode::Running => next(&mut bridge, &mut running).await,
            Mode::Suspended => received(&mut suspended).await,
        };
        if system.is_debugged() {
            debug(&mut system, &event, &bridge);
        }
        let reason = match event {
            Event::Ended(reason) => {
                report::bridge_ended(&reason);
                return reason;
            }
            Event::Exit(exit) if Some(exit.pid) == parent => Some(exit.reason),
            Event::Exit(_) => None,
            Event::System(message) => match system.handle(message, &mut bridge, |_| None) {
                After::Continue => None,
                After::Terminate(reason) => Some(reason),
            },
            Event::Unexpected(message) => {
                report::unexpected(&message);
                None
            }
        };
        if let Some(reason) = reason {
            bridge.terminate(reason.clone()).await;
            return reason;
        }
    }
}

/// Tells those who look on what has come in.
fn debug<B: Bridge>(system: &mut System, event: &Event, bridge: &B) {
    match event {
        Event::Ended(reason) => {
            let text = format!("the end of what is bridged: {reason}");
            system.event(&SystemEvent::of(EventKind::In, reason, Some(&text)), bridge);
        }
        Event::Exit(exit) => {
            let text = format!("the end of {}: {}", exit.pid, exit.reason);
            system.event(&SystemEvent::of(EventKind::In, exit, Some(&text)), bridge);
        }
        Event::System(_) | Event::Unexpected(_) => {}
    }
}

/// The next message, or the end of what is bridged, which comes first if both are there.
async fn next<B: Bridge>(bridge: &mut B, selector: &mut Selector<Event>) -> Event {
    let mut ended = pin!(bridge.ended());
    let mut received = pin!(received(selector));
    poll_fn(|context| match ended.as_mut().poll(context) {
        Poll::Ready(reason) => Poll::Ready(Event::Ended(reason)),
        Poll::Pending => received.as_mut().poll(context),
    })
    .await
}

async fn received(selector: &mut Selector<Event>) -> Event {
    selector.receive_forever().await.unwrap_or_else(|error| Event::Ended(ExitReason::error(error)))
}
