//! The entry point of a program that is a supervision tree.
//!
//! ```no_run
//! use otp_supervisor::{Strategy, application, static_supervisor as supervisor, supervision};
//!
//! async fn serve() -> std::io::Result<()> {
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:4000").await?;
//!     loop {
//!         let (_socket, client) = listener.accept().await?;
//!         println!("{client} was here");
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), application::ApplicationError> {
//!     let root = || {
//!         supervisor::new(Strategy::OneForOne)
//!             .add(supervision::process(serve).id("server"))
//!             .start()
//!     };
//!     application::new(root).run().await
//! }
//! ```
//!
//! | what happens | what the application does | exit code of this program |
//! |---|---|---|
//! | SIGINT (Ctrl-C) or SIGTERM | stops the tree in order, when it has started | 0 |
//! | the same once more | kills the tree, also while it starts | 1 |
//! | the root ends normally | is done | 0 |
//! | the root gives up, or ends for any other reason | is done | 1 |
//! | the root does not start, or its start panics | nothing is left of it | 1 |
//! | a start phase fails, or panics | stops the tree in order | 1 |
//!
//! At last, whatever the processes of the tree have spawned beside it is killed, and waited for
//! [as long as a kill is](crate::Shutdown::KILL_PATIENCE).
//!
//! A tokio runtime that is dropped waits for polls that are under way: a process that never awaits, or blocks its thread, keeps
//! the program there after the application is done. A program that must end all the same makes its runtime itself and
//! calls `shutdown_background` on it, or ends by [`std::process::exit`].

use std::{
    collections::BTreeSet,
    error::Error,
    fmt,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use erlang_process::{
    ExitMessage, ExitReason, Node, Pid, Selector, SharedError, Spawn, Subject, capture_panics, catch,
    current, join, kill, run as run_process, send_exit, timeout, trap_exits,
};
use otp_actor::{StartError, Started};

use crate::semantics::Shutdown;

/// An application whose supervision tree has this root.
///
/// ```no_run
/// use otp_supervisor::{Strategy, application, static_supervisor as supervisor, supervision};
///
/// #[tokio::main]
/// async fn main() -> Result<(), application::ApplicationError> {
///     // In place of what runs as long as the program does.
///     let child = || supervision::process(std::future::pending::<()>);
///     let start = move || supervisor::new(Strategy::OneForOne).add(child()).start();
///     // Returns when the tree has stopped: at a SIGTERM, or because it gave up.
///     application::new(start).run().await
/// }
/// ```
///
/// Counterpart: `start/2` of the behaviour `application`.
pub fn new<D, F>(start: impl FnOnce() -> F + Send + 'static) -> Application
where
    D: Send + 'static,
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    let start = move || -> Starting { Box::pin(async { Ok(start().await?.pid) }) };
    Application { start: Box::new(start), phases: Vec::new() }
}

/// An application to be run.
///
/// ```
/// use otp_supervisor::{Strategy, application, static_supervisor as supervisor};
///
/// let tree = || supervisor::new(Strategy::OneForOne).start();
/// let program = application::new(tree)
///     .start_phase("fill the cache", async || Ok::<_, std::io::Error>(()))
///     .start_phase("open the doors", async || Ok::<_, std::io::Error>(()));
/// // `program.run()` starts it.
/// ```
#[must_use = "an application does nothing before it is run"]
pub struct Application {
    start: Box<dyn FnOnce() -> Starting + Send>,
    phases: Vec<Phase>,
}

type Starting = Pin<Box<dyn Future<Output = Result<Pid, StartError>> + Send>>;

struct Phase {
    name: &'static str,
    run: Box<dyn FnOnce() -> Running + Send>,
}

type Running = Pin<Box<dyn Future<Output = Result<(), SharedError>> + Send>>;

impl Application {
    /// What is to be done when the tree runs, before the application counts as started: to open the doors when everybody is
    /// in place, say. Phases run one after the other, in the order in which they are given.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, application, static_supervisor as supervisor};
    ///
    /// let tree = || supervisor::new(Strategy::OneForOne).start();
    /// let program = application::new(tree).start_phase("open the doors", || async {
    ///     println!("everybody is in place");
    ///     Ok::<_, std::io::Error>(())
    /// });
    /// ```
    ///
    /// Counterpart: `start_phases` of an application, `start_phase/3`.
    pub fn start_phase<E, F>(mut self, name: &'static str, phase: impl FnOnce() -> F + Send + 'static) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let run = move || -> Running {
            Box::pin(async {
                let done = catch(async { phase().await }).await;
                let failed: SharedError = match done {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(error)) => error.into().into(),
                    Err(reason) => Arc::new(reason),
                };
                Err(failed)
            })
        };
        self.phases.push(Phase { name, run: Box::new(run) });
        self
    }

    /// Starts the root and runs the phases, and returns when the tree has ended: by itself, or because the operating system has
    /// asked for it, by SIGINT (Ctrl-C) or SIGTERM. Then the tree is stopped in order, and phases that are left do not run; a
    /// second signal kills it, also while it starts. Nothing that a process of the tree has spawned is left but
    /// what cannot be killed. Further signals do nothing: what never awaits has to be ended from outside, by SIGKILL.
    ///
    /// To stop the program from inside, and with success, end the root with the reason `normal`: by `stop` of a supervisor, or
    /// `otp_actor::stop(root, ExitReason::Normal, Duration::MAX)`.
    ///
    /// A root that gives up ends with the reason that it is also asked to end with. If a signal comes while it stops its
    /// children because it gives up, the tree counts as stopped in order; its report (`otp_supervisor::shutdown`) tells.
    ///
    /// Panics in processes become crash reports from here on, and are not printed: see
    /// [`capture_panics`].
    ///
    /// ```
    /// use erlang_process::{CallError, ExitReason, Name};
    /// use otp_supervisor::{Strategy, application, static_supervisor::{self as supervisor, Message, Supervisor}};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// const TREE: Name<Message> = Name::fixed("tree");
    ///
    /// // A program that is done at once, and with success.
    /// let done = async || {
    ///     let root = Supervisor::named(TREE).pid().ok_or(CallError::NoProc)?;
    ///     otp_actor::stop(root, ExitReason::Normal, Duration::MAX).await
    /// };
    /// application::new(|| supervisor::new(Strategy::OneForOne).named(TREE).start()).start_phase("work", done).run().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ApplicationError`]: the root did not start, a phase failed, or the root ended for another reason than that it was done
    /// or was asked to; or signals cannot be received.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the tree.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O driver.
    ///
    /// Counterpart: `application:start/1` with the type `permanent`, and `init:stop/0`. Whatever is left, the application
    /// master of OTP kills by its group leader.
    pub async fn run(self) -> Result<(), ApplicationError> {
        capture_panics();
        run_process(master(self)).await.unwrap_or_else(|reason| Err(ApplicationError::Ended(reason)))
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phases = self.phases.iter().map(|phase| phase.name);
        f.debug_struct("Application").field("phases", &phases.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

enum Event {
    Ended(ExitReason),
    Asked,
}

/// The process above the root.
async fn master(application: Application) -> Result<(), ApplicationError> {
    let Application { start, phases } = application;
    let not_a_process = |error| ApplicationError::Start(StartError::failed(error));
    trap_exits(true).map_err(not_a_process)?;
    let asked = Subject::new().map_err(not_a_process)?;
    watch_signals(asked.clone())?;
    let outcome = tree(start, phases, Selector::new().select(&asked, |()| Event::Asked)).await;
    // An application that ends normally takes nobody along by a link; that holds for who watches the signals as well.
    kill_all().await;
    outcome
}

/// Starts the tree, and sees to it until it has ended.
async fn tree(
    start: Box<dyn FnOnce() -> Starting + Send>,
    phases: Vec<Phase>,
    mut signals: Selector<Event>,
) -> Result<(), ApplicationError> {
    let mut starting: Starting = Box::pin(async {
        catch(async { start().await }).await.unwrap_or_else(|reason| Err(StartError::InitExited(reason)))
    });
    let (started, asked_before) = match interruptible(&mut starting, &mut signals).await {
        Ok(started) => (started, false),
        Err(Event::Ended(reason)) => return Err(ApplicationError::Ended(reason)),
        // What is half started is stopped when it has started; or killed, when they will not wait for that.
        Err(Event::Asked) => match interruptible(&mut starting, &mut signals).await {
            Ok(started) => (started, true),
            Err(_) => {
                kill_all().await;
                return Err(ApplicationError::Ended(ExitReason::Killed));
            }
        },
    };
    let root = started.map_err(ApplicationError::Start)?;
    let mut tree = Tree {
        root,
        events: signals.select_trapped_exit_of(root, |exit: ExitMessage| Event::Ended(exit.reason)),
    };
    if asked_before {
        return tree.stopped(Ok(()), true).await;
    }
    for Phase { name, run } in phases {
        // Whatever is left of a phase is dropped before the tree is stopped, which may wait for that.
        let done = interruptible(&mut run(), &mut tree.events).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return tree.stopped(Err(ApplicationError::StartPhase { name, error }), false).await;
            }
            Err(Event::Asked) => return tree.stopped(Ok(()), true).await,
            Err(Event::Ended(reason)) => return ended(reason),
        }
    }
    match tree.event().await {
        Event::Asked => tree.stopped(Ok(()), true).await,
        Event::Ended(reason) => ended(reason),
    }
}

/// What comes of a future, unless something happens before.
async fn interruptible<T>(
    future: &mut Pin<Box<dyn Future<Output = T> + Send>>,
    events: &mut Selector<Event>,
) -> Result<T, Event> {
    let mut event = pin!(next(events));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending => event.as_mut().poll(context).map(Err),
    })
    .await
}

async fn next(events: &mut Selector<Event>) -> Event {
    events.receive_forever().await.unwrap_or_else(|error| Event::Ended(ExitReason::error(error)))
}

/// The tree, and what is heard of it.
struct Tree {
    root: Pid,
    events: Selector<Event>,
}

impl Tree {
    async fn event(&mut self) -> Event {
        next(&mut self.events).await
    }

    /// Stops the tree in order, which somebody has `asked` for or not, and kills it if that is asked for once more. Returns what
    /// is to be told if it is done.
    async fn stopped(
        &mut self,
        outcome: Result<(), ApplicationError>,
        mut asked: bool,
    ) -> Result<(), ApplicationError> {
        tracing::info!(target: "otp_supervisor::application", "stopping");
        send_exit(self.root, ExitReason::Shutdown);
        let reason = loop {
            match self.event().await {
                Event::Ended(reason) => break reason,
                // That is what is being done.
                Event::Asked if !asked => asked = true,
                Event::Asked => {
                    kill_all().await;
                    // Not waited for any longer: it may block its thread.
                    break ExitReason::Killed;
                }
            }
        };
        if reason.is_orderly() { outcome } else { outcome.and(Err(ApplicationError::Ended(reason))) }
    }
}

/// What the end of a root means that nobody has asked for. One that gives up ends with `shutdown`: that is no success.
fn ended(reason: ExitReason) -> Result<(), ApplicationError> {
    match reason {
        ExitReason::Normal => Ok(()),
        reason => Err(ApplicationError::Ended(reason)),
    }
}

/// Kills all processes that come from this one, and waits until they are gone, as long as one waits for that.
async fn kill_all() {
    let killing = async {
        loop {
            let all = descendants();
            if all.is_empty() {
                return;
            }
            all.iter().copied().for_each(kill);
            for pid in all {
                join(pid).await;
            }
            // Some may have been spawned meanwhile.
        }
    };
    // Who does not end by then has been reported, or will be seen by whoever drops the runtime.
    let _ = timeout(Shutdown::KILL_PATIENCE, killing).await;
}

/// The processes that this one has spawned, or one that comes from it.
fn descendants() -> BTreeSet<Pid> {
    let node = Node::current();
    let others: Vec<_> = node.processes().into_iter().filter_map(|pid| node.info(pid)).collect();
    let mut family: BTreeSet<Pid> = current().into_iter().collect();
    // The oldest come first: who has spawned somebody is here before it.
    for info in others {
        if info.ancestors.iter().any(|ancestor| family.contains(ancestor)) {
            family.insert(info.pid);
        }
    }
    current().map(|own| family.remove(&own));
    family
}

/// Spawns a process that tells of each signal that asks the program to stop.
fn watch_signals(asked: Subject<()>) -> Result<(), ApplicationError> {
    let mut signals = Signals::new().map_err(ApplicationError::Signals)?;
    let watch = async move {
        loop {
            signals.next().await;
            asked.send(());
        }
    };
    let _ = Spawn::new().label("signals").spawn(watch);
    Ok(())
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
///
/// It prints in words and with all that led to it, as `Debug` too: that is how a `main` that returns it ends.
///
/// ```
/// use otp_actor::StartError;
/// use otp_supervisor::application::ApplicationError;
///
/// let error = ApplicationError::Start(StartError::failed("no disk"));
/// assert_eq!(format!("{error:?}"), "the application did not start: the initialiser failed: no disk");
/// ```
///
/// A supervisor gives up with the reason `shutdown`, as in OTP, which names no child: which one it was, and why it ended, is in
/// the reports of the supervisor, under the targets `otp_supervisor::shutdown` and `otp_supervisor::report`.
#[non_exhaustive]
pub enum ApplicationError {
    /// Its root did not start.
    Start(StartError),
    /// One of its start phases failed, or panicked.
    StartPhase {
        /// Which.
        name: &'static str,
        /// Why.
        error: SharedError,
    },
    /// Its root ended for this reason.
    Ended(ExitReason),
    /// The signals of the operating system cannot be received.
    Signals(io::Error),
}

impl fmt::Display for ApplicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the application did not start: {error}"),
            Self::StartPhase { name, error } => write!(f, "the start phase {name} failed: {error}"),
            Self::Ended(ExitReason::Shutdown) => f.write_str(
                "the application ended: shutdown: its root was stopped, or gave up, as its reports tell",
            ),
            Self::Ended(reason) => write!(f, "the application ended: {reason}"),
            Self::Signals(error) => write!(f, "signals cannot be received: {error}"),
        }
    }
}

impl fmt::Debug for ApplicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ApplicationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Start(error) => Some(error),
            Self::StartPhase { error, .. } => Some(&**error),
            Self::Ended(reason) => Some(reason),
            Self::Signals(error) => Some(error),
        }
    }
}
