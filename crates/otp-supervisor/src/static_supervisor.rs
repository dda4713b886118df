//! Supervisors whose children are specified once, each with an id.
//!
//! ```
//! use otp_actor::{StartError, Started};
//! use otp_supervisor::{Strategy, static_supervisor::{self as supervisor, Supervisor}};
//! # mod database_pool { pub fn supervised() -> otp_supervisor::ChildSpec {
//! #     otp_supervisor::supervision::process(std::future::pending::<()>) } }
//! # mod http_server { pub use super::database_pool::supervised; }
//!
//! async fn start_supervisor() -> Result<Started<Supervisor>, StartError> {
//!     supervisor::new(Strategy::OneForOne)
//!         .add(database_pool::supervised())
//!         .add(http_server::supervised())
//!         .start()
//!         .await
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let started = start_supervisor().await.unwrap();
//! # assert_eq!(started.data.count_children().await.unwrap().active, 2);
//! # started.data.stop().await.unwrap();
//! # }
//! ```
//!
//! Counterpart: `supervisor` in Erlang, `gleam/otp/static_supervisor`.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use erlang_process::{CallError, ExitReason, Name, Pid, Reply, Spawn, Subject};
use otp_actor::{InitAck, StartError, Started, start_process_cooperatively};
use otp_system::DebugOptions;
use tokio::sync::oneshot;

use crate::{
    child_info::ChildInfo,
    child_spec::{ChildId, ChildSpec, Launch, discard, launch},
    error::{SupervisorError, answered, started},
    semantics::{
        self, AutoShutdown, ChildKey, ChildRules, Command, Counts, Effect, Event, Flags, Presence, Strategy,
        Taken,
    },
    shell::{self, Behaviour, Core, Outcome, Shell, stop_supervisor},
    supervised::Supervised,
    supervision,
};

/// A supervisor with this strategy and no children yet.
///
/// ```
/// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tree = supervisor::new(Strategy::RestForOne)
///     .restart_tolerance(3, Duration::from_secs(5))
///     .add(supervision::process(std::future::pending::<()>).id("listener"))
///     .start()
///     .await?;
/// assert_eq!(tree.data.count_children().await?.active, 1);
/// tree.data.stop().await?;
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `static_supervisor.new` in Gleam.
pub fn new(strategy: Strategy) -> Builder {
    Builder {
        flags: Flags { strategy, ..Flags::default() },
        children: Vec::new(),
        name: None,
        debug: DebugOptions::new(),
    }
}

/// A supervisor to be started.
///
/// ```
/// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = |id| supervision::process(std::future::pending::<()>).id(id);
/// let tree = supervisor::new(Strategy::RestForOne)
///     .restart_tolerance(3, Duration::from_secs(10))
///     .add(server("ledger"))
///     .add(server("web"));
/// assert_eq!(tree.start().await?.data.count_children().await?.active, 2);
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `Builder` of `static_supervisor` in Gleam, the result of `init/1` in Erlang.
#[derive(Debug)]
#[must_use = "a supervisor does nothing before it is started"]
pub struct Builder {
    flags: Flags,
    children: Vec<(ChildRules<ChildId>, LaunchSlot)>,
    name: Option<Name<Message>>,
    debug: DebugOptions,
}

struct LaunchSlot(Launch);

impl LaunchSlot {
    /// A start that others have too.
    fn shared(launch: &Arc<Mutex<Launch>>) -> Self {
        let launch = launch.clone();
        Self(Box::new(move || {
            let mut launch = launch.lock().unwrap_or_else(PoisonError::into_inner);
            launch()
        }))
    }
}

impl fmt::Debug for LaunchSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl Builder {
    /// Adds a child. Children are started in the order in which they are added, and stopped in the reverse
    /// one.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// // Started in this order, stopped in the reverse.
    /// let tree = supervisor::new(Strategy::RestForOne)
    ///     .add(supervision::process(std::future::pending::<()>).id("database"))
    ///     .add(supervision::process(std::future::pending::<()>).id("listener"));
    /// ```
    ///
    /// Counterpart: `static_supervisor.add` in Gleam.
    #[allow(clippy::should_implement_trait)]
    pub fn add<D: Send + 'static>(mut self, child: ChildSpec<D>) -> Self {
        let rules = child.rules(ChildId::placed(self.children.len() as u64));
        self.children.push((rules, LaunchSlot(launch(child.start, None))));
        self
    }

    /// How many restarts are tolerated in which time; one more and the supervisor gives up: it stops its
    /// children and itself, with the reason `shutdown`. Without this, 1 in 5 seconds.
    ///
    /// As in OTP, time is counted in whole seconds.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor};
    /// use std::time::Duration;
    ///
    /// // Three in five seconds; at the fourth it gives up.
    /// let tree = supervisor::new(Strategy::OneForOne).restart_tolerance(3, Duration::from_secs(5));
    /// ```
    ///
    /// Counterpart: `intensity` and `period`, `static_supervisor.restart_tolerance` in Gleam.
    pub fn restart_tolerance(mut self, intensity: u32, period: Duration) -> Self {
        self.flags.intensity = intensity;
        self.flags.period = period;
        self
    }

    /// Whether the supervisor ends when significant children have ended. Without this, never.
    ///
    /// ```
    /// use otp_supervisor::{AutoShutdown, Restart, Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // The tree is there for one job, and ends with it.
    /// let job = supervision::process(async || ()).restart(Restart::Transient).significant(true);
    /// let tree = supervisor::new(Strategy::OneForAll)
    ///     .auto_shutdown(AutoShutdown::AnySignificant)
    ///     .add(supervision::process(std::future::pending::<()>).id("helper"))
    ///     .add(job)
    ///     .start()
    ///     .await?;
    /// erlang_process::join(tree.pid).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `auto_shutdown`, `static_supervisor.auto_shutdown` in Gleam.
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.flags.auto_shutdown = auto_shutdown;
        self
    }

    /// Registers the supervisor under this name, by which it is found when it was restarted: see
    /// [`Supervisor::named`].
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_supervisor::{Strategy, static_supervisor::{self as supervisor, Supervisor}};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let name = Name::new("tree");
    /// supervisor::new(Strategy::OneForOne).named(name).start().await?;
    /// assert_eq!(Supervisor::named(name).count_children().await?.active, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn named(mut self, name: Name<Message>) -> Self {
        self.name = Some(name);
        self
    }

    /// Begins with these debug functions, see [`otp_system`]. They see what the supervisor takes out of its mailbox.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor};
    /// use otp_system::DebugOptions;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tree = supervisor::new(Strategy::OneForOne).debug(DebugOptions::new().log(10)).start().await?;
    /// tree.data.count_children().await?;
    /// assert_eq!(otp_system::logged(tree.pid, Duration::from_secs(1)).await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: the option `debug` of `gen_server:start_link/4`.
    pub fn debug(mut self, options: DebugOptions) -> Self {
        self.debug = options;
        self
    }

    /// Starts the supervisor, linked with the calling process if there is one, and its children one after
    /// the other.
    ///
    /// ```
    /// use otp_actor::StartError;
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = || supervision::process(std::future::pending::<()>);
    /// let tree = supervisor::new(Strategy::OneForOne).add(server()).add(server()).start().await?;
    /// assert_eq!(tree.data.count_children().await?.active, 2);
    ///
    /// // Where one does not start, none is left.
    /// let broken = supervision::worker(async || Err::<otp_actor::Started<()>, _>(StartError::failed("no database")));
    /// let failed = supervisor::new(Strategy::OneForOne).add(server()).add(broken).start().await;
    /// assert!(matches!(failed, Err(StartError::InitFailed(_))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError::InitFailed`] if a child does not start, with
    /// [`FailedToStartChild`](crate::FailedToStartChild), or if the children cannot be supervised so, with
    /// [`SetupError`](semantics::SetupError); [`StartError::AlreadyStarted`] if the name is taken. Children
    /// that were started are stopped before the error is returned.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the start up, unless it was returned: the supervisor drops the start that it waits for, stops
    /// the children that run, in order, and ends. Nobody waits for that. The end of the process that waits for the start does
    /// the same.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `supervisor:start_link/2`, `static_supervisor.start` in Gleam.
    pub async fn start(self) -> Result<Started<Supervisor>, StartError> {
        let (rules, launches): (Vec<_>, Vec<_>) = self.children.into_iter().unzip();
        let core = semantics::Supervisor::new(self.flags, rules).map_err(StartError::failed)?;
        let keys: Vec<ChildKey> = core.which_children().rev().map(|child| child.key).collect();
        let children: Vec<_> = keys.into_iter().zip(launches.into_iter().map(|slot| slot.0)).collect();
        let mut spawn = Spawn::new().runs(|| "otp_supervisor::static_supervisor");
        if let Some(name) = self.name {
            spawn = spawn.named(name);
        }
        let (name, debug) = (self.name, self.debug);
        start_process_cooperatively(spawn, move |own: Subject<Message>, ack: InitAck<Supervisor>| {
            let handle = Supervisor { subject: name.map_or_else(|| own.clone(), Name::subject) };
            shell::run::<Static>(core, children, own, debug, ack, handle)
        })
        .await
    }
}

impl Supervised for Builder {
    type Data = Supervisor;

    fn supervised(self) -> ChildSpec<Supervisor> {
        let Self { flags, children, name, debug } = self;
        let children: Vec<_> =
            children.into_iter().map(|(rules, slot)| (rules, Arc::new(Mutex::new(slot.0)))).collect();
        supervision::supervisor(move || {
            let children = children.iter().map(|(rules, launch)| (rules.clone(), LaunchSlot::shared(launch)));
            Self { flags, children: children.collect(), name, debug: debug.clone() }.start()
        })
    }
}

/// A running supervisor of children that are known by their ids.
///
/// Requests wait while the supervisor starts or stops children, as long as that takes. A child that calls its
/// own supervisor while it starts waits for ever.
///
/// ```
/// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = supervision::process(std::future::pending::<()>).id("server");
/// let tree = supervisor::new(Strategy::OneForOne).add(server).start().await?.data;
/// // For repairs.
/// tree.terminate_child("server").await?;
/// tree.restart_child("server").await?;
/// assert_eq!(tree.count_children().await?.active, 1);
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `SupRef` in Erlang, `Supervisor` in Gleam.
#[derive(Clone, Debug)]
pub struct Supervisor {
    subject: Subject<Message>,
}

impl Supervisor {
    /// The supervisor that holds this name, whenever it is used.
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_supervisor::static_supervisor::{Message, Supervisor};
    ///
    /// const TREE: Name<Message> = Name::fixed("tree");
    ///
    /// let tree = Supervisor::named(TREE);
    /// // It need not be there yet.
    /// assert_eq!(tree.pid(), None);
    /// ```
    #[must_use]
    pub fn named(name: Name<Message>) -> Self {
        Self { subject: name.subject() }
    }

    /// The supervisor's process; `None` if nobody holds its name.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let started = supervisor::new(Strategy::OneForOne).start().await?;
    /// assert_eq!(started.data.pid(), Some(started.pid));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.subject.pid()
    }

    /// Adds a child at the end and starts it.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tree = supervisor::new(Strategy::OneForOne).start().await?.data;
    /// let late = supervision::process(std::future::pending::<()>).id("late");
    /// let started = tree.start_child(late).await?;
    /// assert!(erlang_process::is_alive(started.pid));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisorError`]: its id is taken, its rules are refused, or it did not start, in which case it is
    /// not added; or the supervisor is gone. One that chose not to run, [`SupervisorError::Ignored`], is kept without a
    /// process unless it is temporary, and [`restart_child`](Self::restart_child) tries it again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `supervisor:start_child/2`.
    pub async fn start_child<D: Send + 'static>(
        &self,
        child: ChildSpec<D>,
    ) -> Result<Started<D>, SupervisorError> {
        let (asked, data) = oneshot::channel();
        let pid = self
            .command(|reply| {
                let new = Box::new(move |id| (child.rules(id), launch(child.start, Some(asked))));
                Request::StartChild(new, reply)
            })
            .await?;
        started(pid, data).await
    }

    /// Stops a child and keeps its specification, unless it is temporary. A child that is being restarted
    /// no longer is; those of its group that were stopped with it and wait for its restart stay stopped.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = supervision::process(std::future::pending::<()>).id("worker");
    /// let tree = supervisor::new(Strategy::OneForOne).add(worker).start().await?.data;
    /// tree.terminate_child("worker").await?;
    /// // It is known, and can come back.
    /// assert_eq!(tree.count_children().await?.active, 0);
    /// assert!(tree.restart_child("worker").await?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisorError`]: there is no such child, or the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `supervisor:terminate_child/2`.
    pub async fn terminate_child(&self, id: impl Into<ChildId>) -> Result<(), SupervisorError> {
        self.command(|reply| Request::Command(Command::TerminateChild(id.into()), reply)).await.map(drop)
    }

    /// Starts a child that was stopped or has ended. Returns its pid, or `None` if it chose not to run. What its start returns
    /// besides is dropped, as at any restart.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = supervision::process(std::future::pending::<()>).id("worker");
    /// let tree = supervisor::new(Strategy::OneForOne).add(worker).start().await?.data;
    /// tree.terminate_child("worker").await?;
    /// assert!(tree.restart_child("worker").await?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisorError`]: there is no such child, it runs or is being restarted, or it did not start; or
    /// the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `supervisor:restart_child/2`.
    pub async fn restart_child(&self, id: impl Into<ChildId>) -> Result<Option<Pid>, SupervisorError> {
        self.command(|reply| Request::Command(Command::RestartChild(id.into()), reply)).await
    }

    /// Forgets a child that does not run.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = supervision::process(std::future::pending::<()>).id("worker");
    /// let tree = supervisor::new(Strategy::OneForOne).add(worker).start().await?.data;
    /// tree.terminate_child("worker").await?;
    /// tree.delete_child("worker").await?;
    /// assert!(tree.which_child("worker").await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisorError`]: there is no such child, or it runs or is being restarted; or the supervisor is
    /// gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `supervisor:delete_child/2`.
    pub async fn delete_child(&self, id: impl Into<ChildId>) -> Result<(), SupervisorError> {
        self.command(|reply| Request::Command(Command::DeleteChild(id.into()), reply)).await.map(drop)
    }

    /// Changes the supervisor to the flags and children of this builder, as if it had been started with them; its name and
    /// its debug functions stay what they are.
    ///
    /// Children with an id that is known keep their process, and are treated and started from here on as they are specified
    /// now. New ones are added and not started: that is for [`restart_child`](Self::restart_child). Those that the builder
    /// does not have stay, and come last in the start order. A child without an id is known by its place among those that the
    /// builder is given; one that was added without an id is nobody's that a builder has.
    ///
    /// The change holds for this process. If the supervisor is itself restarted, by the one above it, it begins as it was built.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tree = supervisor::new(Strategy::OneForOne).start().await?.data;
    /// // Other rules, for what runs and from here on.
    /// let worker = supervision::process(std::future::pending::<()>).id("worker");
    /// tree.code_change(supervisor::new(Strategy::OneForAll).add(worker)).await?;
    /// assert_eq!(tree.which_children().await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisorError`]: flags or children make no sense, and nothing is changed; or the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `code_change/3` of `supervisor`, where `init/1` returns something new.
    pub async fn code_change(&self, to: Builder) -> Result<(), SupervisorError> {
        self.command(|reply| Request::Change(to.flags, to.children, reply)).await.map(drop)
    }

    /// All children, those that were started last first.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = supervision::process(std::future::pending::<()>).id("worker");
    /// let tree = supervisor::new(Strategy::OneForOne).add(worker).start().await?.data;
    /// for child in tree.which_children().await? {
    ///     println!("{} {:?}, restarted {} times", child.rules.id, child.pid(), child.restarts);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// Counterpart: `supervisor:which_children/1`.
    pub async fn which_children(&self) -> Result<Vec<ChildInfo<ChildId>>, CallError> {
        self.call(Request::WhichChildren).await
    }

    /// One child; `None` if there is none with this id.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = supervision::process(std::future::pending::<()>).id("worker");
    /// let tree = supervisor::new(Strategy::OneForOne).add(worker).start().await?.data;
    /// assert!(tree.which_child("worker").await?.is_some_and(|child| child.pid().is_some()));
    /// assert!(tree.which_child("nobody").await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// Counterpart: `supervisor:which_child/2` and `supervisor:get_childspec/2`.
    pub async fn which_child(&self, id: impl Into<ChildId>) -> Result<Option<ChildInfo<ChildId>>, CallError> {
        self.call(|reply| Request::WhichChild(id.into(), reply)).await
    }

    /// How many children there are, and of which kinds.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = supervision::process(std::future::pending::<()>);
    /// let tree = supervisor::new(Strategy::OneForOne).add(worker).start().await?.data;
    /// let counts = tree.count_children().await?;
    /// assert_eq!((counts.specs, counts.active, counts.workers), (1, 1, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// Counterpart: `supervisor:count_children/1`.
    pub async fn count_children(&self) -> Result<Counts, CallError> {
        self.call(Request::CountChildren).await
    }

    /// Stops the children in reverse order, with the reason `shutdown`, and then the supervisor, with the reason `normal`:
    /// who is linked with it goes on. Returns when it is gone.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = supervision::process(std::future::pending::<()>).id("worker");
    /// let tree = supervisor::new(Strategy::OneForOne).add(worker).start().await?;
    /// // Returns when all have ended.
    /// tree.data.stop().await?;
    /// assert!(!erlang_process::is_alive(tree.pid));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::NoProc`] if it was gone already; [`CallError::Down`] with its reason, if it ended with
    /// another one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `gen_server:stop/1`, `Supervisor.stop/1` in Elixir. `supervisor:stop/1`, new in OTP 29, ends the supervisor
    /// with `shutdown`, as [`otp_actor::stop`] with that reason does.
    pub async fn stop(&self) -> Result<(), CallError> {
        stop_supervisor(self.pid()).await
    }

    async fn command(&self, request: impl FnOnce(Reply<Answered>) -> Request) -> Answered {
        self.call(request).await?
    }

    async fn call<R: Send + 'static>(
        &self,
        request: impl FnOnce(Reply<R>) -> Request,
    ) -> Result<R, CallError> {
        self.subject.call(Duration::MAX, |reply| Message(request(reply))).await
    }
}

/// A message to a supervisor of this kind: what its name is for. Sent by the methods of [`Supervisor`].
pub struct Message(Request);

enum Request {
    StartChild(NewChild, Reply<Answered>),
    Command(Command<ChildId>, Reply<Answered>),
    Change(Flags, Vec<(ChildRules<ChildId>, LaunchSlot)>, Reply<Answered>),
    WhichChildren(Reply<Vec<ChildInfo<ChildId>>>),
    WhichChild(ChildId, Reply<Option<ChildInfo<ChildId>>>),
    CountChildren(Reply<Counts>),
    Retry(ChildKey),
}

/// The rules and the start of a child that is to be added, given the id that it gets if it has none.
type NewChild = Box<dyn FnOnce(ChildId) -> (ChildRules<ChildId>, Launch) + Send>;

/// The pid of the child, for the commands that start one, unless it chose not to run.
type Answered = Result<Option<Pid>, SupervisorError>;

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message")
    }
}

pub(crate) type StaticCore = semantics::Supervisor<ChildId, Pid, ExitReason, StartError>;

impl Core for StaticCore {
    type Id = ChildId;
    type Command = Command<ChildId>;
    type Rules = Self;

    fn child_id(id: ChildId) -> ChildId {
        id
    }

    fn rules(&mut self) -> &mut Self {
        self
    }

    fn child(&self, key: ChildKey) -> Option<&semantics::Child<ChildId, Pid>> {
        self.child(key)
    }

    fn child_of(&self, pid: Pid) -> Option<&semantics::Child<ChildId, Pid>> {
        self.child_of(pid)
    }

    fn key(&self, id: &ChildId) -> Option<ChildKey> {
        self.which_child(id).map(|child| child.key)
    }

    fn handle(
        &mut self,
        now: Duration,
        event: Event<Self::Command, Pid, ExitReason, StartError>,
        effects: &mut Vec<Effect<ChildId, Pid, ExitReason, StartError>>,
    ) -> Taken<Self::Command, Pid, ExitReason, StartError> {
        self.handle_into(now, event, effects)
    }
}

struct Static;

impl Behaviour for Static {
    type Core = StaticCore;
    type Request = Message;
    type Handle = Supervisor;
    const MODULE: &'static str = "supervisor";

    fn retry(key: ChildKey) -> Message {
        Message(Request::Retry(key))
    }

    async fn serve(shell: &mut Shell<Self>, Message(request): Message) -> Option<ExitReason> {
        match request {
            Request::StartChild(child, reply) => {
                let (rules, launch) = child(ChildId::added(shell.next_number()));
                if let Some(pid) = in_the_way(shell, &rules.id) {
                    discard(launch);
                    reply.send(Err(SupervisorError::Unresponsive(pid)));
                    return None;
                }
                answer(shell.command(Command::StartChild(rules), [launch]).await, reply)
            }
            Request::Command(command, reply) => {
                let stuck = match &command {
                    Command::RestartChild(id) => in_the_way(shell, id),
                    Command::DeleteChild(id) => lingering(shell, id),
                    _ => None,
                };
                if let Some(pid) = stuck {
                    reply.send(Err(SupervisorError::Unresponsive(pid)));
                    return None;
                }
                answer(shell.command(command, []).await, reply)
            }
            Request::Change(flags, children, reply) => {
                let (rules, launches): (Vec<_>, Vec<_>) = children.into_iter().unzip();
                let launches = launches.into_iter().map(|slot| slot.0);
                answer(shell.command(Command::Change(flags, rules), launches).await, reply)
            }
            Request::WhichChildren(reply) => {
                reply.send(shell.core.which_children().map(|child| shell.info(child)).collect());
                None
            }
            Request::WhichChild(id, reply) => {
                reply.send(shell.core.which_child(&id).map(|child| shell.info(child)));
                None
            }
            Request::CountChildren(reply) => {
                reply.send(shell.core.count_children(erlang_process::is_alive));
                None
            }
            Request::Retry(key) => shell.feed(Event::Retry { key }).await,
        }
    }
}

/// The process of a child that has ended, but for one that it has left.
fn lingering(shell: &Shell<Static>, id: &ChildId) -> Option<Pid> {
    shell.lingering(shell.core.which_child(id)?)
}

/// A process that must have ended before a child with this id is started.
fn in_the_way(shell: &Shell<Static>, id: &ChildId) -> Option<Pid> {
    match shell.core.which_child(id).map(|child| child.presence) {
        None | Some(Presence::Undefined) => shell.unresponsive.of_start(id),
        Some(_) => lingering(shell, id),
    }
}

fn answer(
    (outcome, ended): (Option<Outcome<ChildId>>, Option<ExitReason>),
    reply: Reply<Answered>,
) -> Option<ExitReason> {
    // Without an outcome the supervisor has come to its end; the reply is dropped with it and says so.
    if let Some(outcome) = outcome {
        reply.send(answered(outcome));
    }
    ended
}
