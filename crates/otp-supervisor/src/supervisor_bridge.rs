//! Things that are no process, in a supervision tree: a child process of the operating system, a thread, a connection pool
//! of another library, anything that is started and stopped.
//!
//! A bridge is a process that starts the thing, holds it, and stops it: its supervisor sees a child like any other.
//!
//! ```
//! use erlang_process::ExitReason;
//! use otp_supervisor::{Strategy, Supervised, static_supervisor as supervisor};
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
//! let database = supervisor_bridge::new(|| async { Ok::<_, io::Error>(Some(Database(Pool::connect("db").await?))) });
//! let tree = supervisor::new(Strategy::OneForOne).add(database.supervised()).start().await?;
//! tree.data.stop().await?;
//! # Ok(()) }
//! ```
//!
//! Counterpart: `supervisor_bridge` in Erlang.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::{pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use erlang_process::{ExitMessage, ExitReason, Pid, Selector, Spawn, Subject, trap_exits};
use otp_actor::{InitAck, StartError, Started, start_process};
use otp_system::{After, DebugOptions, Event as SystemEvent, EventKind, Mode, System, SystemMessage};

use crate::{child_spec::ChildSpec, report, supervised::Supervised, supervision};

/// Something that is no process, and has been started.
///
/// ```
/// use erlang_process::ExitReason;
/// use otp_supervisor::supervisor_bridge::Bridge;
/// use std::{sync::mpsc::Sender, thread::JoinHandle};
///
/// /// A thread that works off what it is sent, until nobody can send any more.
/// struct Worker {
///     jobs: Sender<u32>,
///     thread: JoinHandle<()>,
/// }
///
/// impl Bridge for Worker {
///     async fn terminate(self, _: ExitReason) {
///         drop(self.jobs);
///         drop(tokio::task::spawn_blocking(|| self.thread.join()).await);
///     }
/// }
/// ```
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

/// A bridge to what `init` makes, in the bridge's process, at each start; `None` means that there is nothing to do, which is
/// no failure.
///
/// Counterpart: `init/1` of `supervisor_bridge`.
pub fn new<I, F, B, E>(init: I) -> Builder<I>
where
    I: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<Option<B>, E>> + Send,
    B: Bridge,
    E: Into<Box<dyn Error + Send + Sync>> + Send,
{
    Builder { init, debug: DebugOptions::new() }
}

/// A bridge to be started.
#[derive(Clone)]
#[must_use = "a bridge does nothing before it is started"]
pub struct Builder<I> {
    init: I,
    debug: DebugOptions,
}

impl<I, F, B, E> Builder<I>
where
    I: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<Option<B>, E>> + Send,
    B: Bridge,
    E: Into<Box<dyn Error + Send + Sync>> + Send,
{
    /// Begins with these debug functions, see [`otp_system`]. They see what the bridge takes out of its mailbox, and the end of
    /// what is bridged.
    ///
    /// Counterpart: the option `debug` of `gen_server:start_link/4`.
    pub fn debug(mut self, options: DebugOptions) -> Self {
        self.debug = options;
        self
    }

    /// Starts the bridge, linked with the calling process if there is one, and with it what it is a bridge to.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    /// use otp_supervisor::supervisor_bridge::{self, Bridge};
    /// use std::{io, sync::{Arc, atomic::{AtomicBool, Ordering}}, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// struct Lamp(Arc<AtomicBool>);
    ///
    /// impl Bridge for Lamp {
    ///     async fn terminate(self, _: ExitReason) {
    ///         self.0.store(false, Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let shines = Arc::new(AtomicBool::new(false));
    /// let switch = shines.clone();
    /// let lamp = supervisor_bridge::new(|| async move {
    ///     switch.store(true, Ordering::Relaxed);
    ///     Ok::<_, io::Error>(Some(Lamp(switch)))
    /// });
    /// let lamp = lamp.start().await?;
    /// assert!(shines.load(Ordering::Relaxed));
    /// otp_actor::stop(lamp.pid, ExitReason::Shutdown, Duration::from_secs(5)).await?;
    /// assert!(!shines.load(Ordering::Relaxed));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError::InitFailed`] with the error of the function that [`new`] was given, [`StartError::Ignored`] where it
    /// returns `None`, [`StartError::InitExited`] if it panics.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the bridge, unless it was returned.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `supervisor_bridge:start_link/2`.
    pub async fn start(self) -> Result<Started<()>, StartError> {
        let Self { init, debug } = self;
        let body = |_: Subject<Infallible>, ack: InitAck<()>| async move {
            if let Err(error) = trap_exits(true) {
                return ExitReason::error(error);
            }
            let parent = ack.parent();
            match init().await {
                Ok(Some(bridge)) => match ack.ready(()) {
                    Ok(()) => run(bridge, parent, debug).await,
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
        let spawn = Spawn::new().runs(|| "otp_supervisor::supervisor_bridge");
        start_process(spawn, Duration::MAX, body).await
    }
}

impl<I, F, B, E> Supervised for Builder<I>
where
    I: FnOnce() -> F + Clone + Send + 'static,
    F: Future<Output = Result<Option<B>, E>> + Send + 'static,
    B: Bridge,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    type Data = ();

    fn supervised(self) -> ChildSpec {
        supervision::worker(move || self.clone().start())
    }
}

impl<I> fmt::Debug for Builder<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("debug", &self.debug).finish_non_exhaustive()
    }
}

/// What a bridge meets.
enum Event {
    Ended(ExitReason),
    Exit(ExitMessage),
    System(SystemMessage),
    Unexpected(String),
}

async fn run<B: Bridge>(mut bridge: B, parent: Option<Pid>, debug: DebugOptions) -> ExitReason {
    let mut running = Selector::new()
        .select_trapped_exits(Event::Exit)
        .select_raw(Event::System)
        .select_other(|message| Event::Unexpected(message.to_string()));
    let mut suspended = Selector::new().select_raw(Event::System);
    if let Some(parent) = parent {
        suspended = suspended.select_trapped_exit_of(parent, Event::Exit);
    }
    let mut system = System::new("supervisor_bridge", parent).debugging(debug);
    loop {
        let event = match system.mode() {
            Mode::Running => next(&mut bridge, &mut running).await,
            Mode::Suspended => received(&mut suspended).await,
        };
        if system.is_debugged() {
            tell(&mut system, &event, &bridge);
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
fn tell<B: Bridge>(system: &mut System, event: &Event, bridge: &B) {
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
