//! Supervisors of many children of one kind, started while it runs.
//!
//! A factory knows how to make one kind of child from an argument. It starts with none; each
//! [`start_child`](Supervisor::start_child) adds one, and any number may live at once. Children are stopped all
//! at the same time.
//!
//! One process for each connection, all of which say good-bye when the tree is stopped:
//!
//! ```
//! use std::{error::Error, io, sync::Arc, time::Duration};
//! use erlang_process::{Name, Selector, trap_exits};
//! use otp_supervisor::{
//!     Shutdown, Strategy, Supervised,
//!     factory_supervisor::{self, Supervisor},
//!     static_supervisor as supervisor, supervision,
//! };
//! use tokio::{
//!     io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
//!     net::{TcpListener, TcpStream},
//! };
//!
//! const CONNECTIONS: Name<factory_supervisor::Message<TcpStream, ()>> = Name::fixed("connections");
//!
//! async fn serve(mut socket: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
//!     // So that it is asked to end; without this it ends where it awaits, and the socket is closed.
//!     trap_exits(true)?;
//!     let mut exits = Selector::new().select_trapped_exits(|exit| exit.reason);
//!     let (read, mut write) = socket.split();
//!     let mut lines = BufReader::new(read).lines();
//!     loop {
//!         let line = tokio::select! {
//!             reason = exits.receive_forever() => {
//!                 write.write_all(b"good-bye\n").await?;
//!                 return Err(reason?.into());
//!             }
//!             line = lines.next_line() => line?,
//!         };
//!         let Some(line) = line else { return Ok(()) };
//!         write.write_all(format!("{line}!\n").as_bytes()).await?;
//!     }
//! }
//!
//! async fn accept(listener: Arc<TcpListener>) -> io::Result<()> {
//!     loop {
//!         let (socket, _) = listener.accept().await?;
//!         if let Err(error) = Supervisor::named(CONNECTIONS).start_child(socket).await {
//!             eprintln!("a client is turned away: {error}");
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn Error>> {
//! let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await?);
//! let address = listener.local_addr()?;
//! let connections = factory_supervisor::process(serve)
//!     .max_children(1_000)
//!     .shutdown(Shutdown::After(Duration::from_secs(10)))
//!     .named(CONNECTIONS);
//! // The listener comes last, and so is the first to be stopped.
//! let tree = supervisor::new(Strategy::RestForOne)
//!     .add(connections.supervised().id("connections"))
//!     .add(supervision::process(move || accept(listener.clone())).id("listener"))
//!     .start()
//!     .await?;
//!
//! let mut client = BufReader::new(TcpStream::connect(address).await?);
//! client.write_all(b"hello\n").await?;
//! let mut said = String::new();
//! client.read_line(&mut said).await?;
//! assert_eq!(said, "hello!\n");
//! tree.data.stop().await?;
//! client.read_line(&mut said).await?;
//! assert_eq!(said, "hello!\ngood-bye\n");
//! # Ok(()) }
//! ```
//!
//! | | children |
//! |---|---|
//! | [`worker`] | are restarted after a crash, with a clone of the argument they were first started with |
//! | [`supervisor`] | the same, and get all the time they need to stop |
//! | [`temporary`] | are never restarted, so that their argument is moved into them: a socket, say |
//! | [`process`] | the same, of any async function |
//!
//! How children are restarted can be said otherwise, of all or of one, where their argument is [`Clone`]: the methods for that
//! are there for no others.
//!
//! Counterpart: `simple_one_for_one` in Erlang, `DynamicSupervisor` in Elixir, `gleam/otp/factory_supervisor`.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use erlang_process::{CallError, ExitReason, IntoExitReason, Name, Pid, Reply, Spawn, Subject, spawn};
use otp_actor::{InitAck, StartError, Started, start_process_cooperatively};
use otp_system::DebugOptions;
use tokio::sync::oneshot;

use crate::{
    child_info::ChildInfo,
    child_spec::{ChildId, ChildSpec, Launch, Launching, Taker, launch, launching},
    error::{SupervisorError, answered, started},
    semantics::{
        self, Backoff, ChildKey, ChildType, Counts, Effect, Event, FactoryCommand, FactoryFlags, Restart,
        Shutdown, Taken, Template,
    },
    shell::{self, Behaviour, Core, Outcome, Shell, stop_supervisor},
    supervised::Supervised,
    supervision,
};

/// A factory of workers that are restarted after a crash, with a clone of the argument that each was first
/// started with.
///
/// ```
/// use erlang_process::Reply;
/// use otp_actor as actor;
/// use otp_supervisor::factory_supervisor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rooms = factory_supervisor::worker(|name: String| {
///     let who = |name: &mut String, reply: Reply<String>| reply.send(name.clone());
///     actor::new(name).on_message(who).start()
/// });
/// let rooms = rooms.max_children(100).start().await?.data;
/// let kitchen = rooms.start_child("kitchen".to_owned()).await?;
/// assert_eq!(kitchen.data.call(std::time::Duration::from_secs(1), |reply| reply).await?, "kitchen");
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `factory_supervisor.worker_child` in Gleam.
pub fn worker<A, D, F>(start: impl Fn(A) -> F + Send + Sync + 'static) -> Builder<A, D>
where
    A: Clone + Send + 'static,
    D: Send + 'static,
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    Builder::new(ChildType::Worker, start).restart(Restart::Transient)
}

/// A factory of supervisors, which get all the time they need to stop their children.
///
/// ```
/// use otp_actor as actor;
/// use otp_supervisor::{Strategy, factory_supervisor, static_supervisor, supervision};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Each session has a tree of its own.
/// let sessions = factory_supervisor::supervisor(|user: &'static str| {
///     let inbox = supervision::worker(move || actor::new(user).on_message(|_: &mut &str, (): ()| ()).start());
///     static_supervisor::new(Strategy::OneForAll).add(inbox.id("inbox")).start()
/// });
/// let sessions = sessions.start().await?.data;
/// let joe = sessions.start_child("Joe").await?;
/// assert!(joe.data.which_child("inbox").await?.is_some());
/// assert_eq!(sessions.count_children().await?.supervisors, 1);
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `factory_supervisor.supervisor_child` in Gleam.
pub fn supervisor<A, D, F>(start: impl Fn(A) -> F + Send + Sync + 'static) -> Builder<A, D>
where
    A: Clone + Send + 'static,
    D: Send + 'static,
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    Builder::new(ChildType::Supervisor, start).restart(Restart::Transient)
}

/// A factory of workers that are never restarted. The argument is used once and need not be `Clone`.
/// An async function that has no handshake to make needs none: [`process`].
///
/// ```
/// use otp_actor as actor;
/// use otp_supervisor::factory_supervisor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // What is not `Clone`, such as a socket, can be handed to children that are never restarted.
/// struct Socket;
///
/// let connections = factory_supervisor::temporary(|socket: Socket| {
///     actor::new(socket).on_message(|_: &mut Socket, _line: String| ()).start()
/// });
/// let connections = connections.start().await?.data;
/// connections.start_child(Socket).await?;
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: children with `restart => temporary`.
pub fn temporary<A, D, F>(start: impl Fn(A) -> F + Send + Sync + 'static) -> Builder<A, D>
where
    A: Send + 'static,
    D: Send + 'static,
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    Builder::new(ChildType::Worker, start)
}

/// A factory of processes that run this async function, each with an argument of its own, and are never restarted. A child
/// counts as started when it is spawned.
///
/// ```
/// use otp_supervisor::factory_supervisor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let letters = factory_supervisor::process(|letter: String| async move {
///     println!("delivered: {letter}");
/// });
/// let letters = letters.start().await?.data;
/// let letter = letters.start_child("from Joe".to_owned()).await?;
/// erlang_process::join(letter.pid).await;
/// # Ok(())
/// # }
/// ```
///
/// What is not ready as soon as it is spawned, or has something to return to who starts it, starts with a handshake:
/// [`temporary`]. What is to be restarted is a [`worker`].
///
/// Counterpart: temporary children that are started by `proc_lib:spawn_link/3`; `Task.Supervisor.start_child/2` in Elixir.
pub fn process<A, F>(body: impl Fn(A) -> F + Send + Sync + 'static) -> Builder<A, ()>
where
    A: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    temporary(move |argument| {
        let body = body(argument);
        // Spawned by the future, not by the closure: only that runs in the supervisor.
        async { Ok(Started { pid: spawn(body), data: () }) }
    })
}

/// Starts a child with its argument, and hands its data to who has asked for it.
type Make<A, D> = Arc<dyn Fn(A, Option<Taker<D>>) -> Launching + Send + Sync>;

/// When a child is started again, and how it comes by its argument then; one that never is needs no copies of it.
type Restarts<A> = (Restart, Option<fn(&A) -> A>);

fn restarts<A: Clone>(restart: Restart) -> Restarts<A> {
    (restart, (restart != Restart::Temporary).then_some(A::clone))
}

/// The start of a child: once with its argument, or again and again with copies of it.
fn launch_of<A, D>(
    make: Make<A, D>,
    argument: A,
    copy: Option<fn(&A) -> A>,
    asked: oneshot::Sender<D>,
) -> Launch
where
    A: Send + 'static,
    D: Send + 'static,
{
    if let Some(copy) = copy {
        return launch(move |taker| make(copy(&argument), taker), Some(asked));
    }
    let mut argument = Some(argument);
    let start = move |taker| match argument.take() {
        Some(argument) => make(argument, taker),
        None => Box::pin(async { Err(StartError::failed("a temporary child is started once")) }),
    };
    launch(start, Some(asked))
}

/// A factory supervisor to be started.
///
/// ```
/// use otp_actor as actor;
/// use otp_supervisor::{Strategy, Supervised, factory_supervisor, static_supervisor as supervisor};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counters = factory_supervisor::worker(|from: u32| {
///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
/// });
/// // A factory in a tree. When it is restarted, it begins anew, without children.
/// let tree = supervisor::new(Strategy::OneForOne).add(counters.max_children(100).supervised().id("counters"));
/// assert_eq!(tree.start().await?.data.count_children().await?.supervisors, 1);
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `Builder` of `factory_supervisor` in Gleam.
#[must_use = "a supervisor does nothing before it is started"]
pub struct Builder<A, D> {
    make: Make<A, D>,
    template: Template,
    copy: Option<fn(&A) -> A>,
    flags: FactoryFlags,
    name: Option<Name<Message<A, D>>>,
    debug: DebugOptions,
}

impl<A: Send + 'static, D: Send + 'static> Builder<A, D> {
    /// Of children that are started once.
    fn new<F>(child_type: ChildType, start: impl Fn(A) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
    {
        Self {
            make: Arc::new(move |argument, taker| launching(start(argument), taker)),
            template: Template {
                restart: Restart::Temporary,
                shutdown: child_type.default_shutdown(),
                child_type,
                backoff: None,
            },
            copy: None,
            flags: FactoryFlags::default(),
            name: None,
            debug: DebugOptions::new(),
        }
    }

    /// How many children there may be at once. Without this, any number.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let one = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let one = one.max_children(1).start().await?.data;
    /// one.start_child(1).await?;
    /// assert!(one.start_child(2).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `max_children` of `DynamicSupervisor`.
    pub fn max_children(mut self, max: usize) -> Self {
        self.flags.max_children = Some(max);
        self
    }

    /// How children are stopped, and how long each is given. Without this, 5 seconds for workers.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{Shutdown, factory_supervisor};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// // They have nothing to lose.
    /// let counters = counters.shutdown(Shutdown::BrutalKill).start().await?.data;
    /// let counter = counters.start_child(7).await?;
    /// let info = counters.which_child(counter.pid).await?.unwrap();
    /// assert_eq!(info.rules.shutdown, Shutdown::BrutalKill);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `shutdown`, `factory_supervisor.timeout` in Gleam.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.template.shutdown = shutdown;
        self
    }

    /// Begins with these debug functions, see [`otp_system`]. They see what the supervisor takes out of its mailbox.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    /// use otp_system::DebugOptions;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.debug(DebugOptions::new().log(10)).start().await?;
    /// counters.data.start_child(7).await?;
    /// assert_eq!(otp_system::logged(counters.pid, Duration::from_secs(1)).await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: the option `debug` of `gen_server:start_link/4`.
    pub fn debug(mut self, options: DebugOptions) -> Self {
        self.debug = options;
        self
    }

    /// Registers the supervisor under this name, by which it is found when it was restarted: see
    /// [`Supervisor::named`].
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor::{self, Supervisor};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let name = Name::new("counters");
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// counters.named(name).start().await?;
    /// // From anywhere, also after it was restarted.
    /// Supervisor::named(name).start_child(7).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `factory_supervisor.named` in Gleam.
    pub fn named(mut self, name: Name<Message<A, D>>) -> Self {
        self.name = Some(name);
        self
    }

    /// Starts the supervisor, linked with the calling process if there is one, without children.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.start().await?.data;
    /// assert_eq!(counters.count_children().await?.active, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError::InitFailed`] if the period is zero; [`StartError::AlreadyStarted`] if the name is taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the supervisor, unless it was returned.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `factory_supervisor.start` in Gleam.
    pub async fn start(self) -> Result<Started<Supervisor<A, D>>, StartError> {
        let Self { make, template, copy, flags, name, debug } = self;
        let core = semantics::Factory::new(flags).map_err(StartError::failed)?;
        let mut spawn = Spawn::new().runs(|| "otp_supervisor::factory_supervisor");
        if let Some(name) = name {
            spawn = spawn.named(name);
        }
        let body = move |own: Subject<Message<A, D>>, ack: InitAck<Supervisor<A, D>>| {
            let handle = Supervisor { subject: name.map_or_else(|| own.clone(), Name::subject) };
            let core = Children { core, template, copy, make };
            shell::run::<Factory<A, D>>(core, [], own, debug, ack, handle)
        };
        start_process_cooperatively(spawn, body).await
    }
}

/// What says how children are restarted, with clones of their arguments.
impl<A: Clone + Send + 'static, D: Send + 'static> Builder<A, D> {
    /// When children are started again. Without this, those of [`temporary`] never, others after a crash.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{Restart, factory_supervisor};
    ///
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.restart(Restart::Permanent);
    /// ```
    ///
    /// Counterpart: `restart`, `factory_supervisor.restart_strategy` in Gleam.
    pub fn restart(mut self, restart: Restart) -> Self {
        (self.template.restart, self.copy) = restarts(restart);
        self
    }

    /// How many restarts are tolerated in which time, all children taken together; one more and the
    /// supervisor gives up: it stops its children and itself, with the reason `shutdown`. Without this, 1 in
    /// 5 seconds.
    ///
    /// As in OTP, time is counted in whole seconds.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// // Not a single crash.
    /// let counters = counters.restart_tolerance(0, Duration::from_secs(5)).start().await?;
    /// erlang_process::kill(counters.data.start_child(7).await?.pid);
    /// assert_eq!(erlang_process::join(counters.pid).await, ExitReason::Shutdown);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// As in OTP, time is counted in whole seconds.
    ///
    /// Counterpart: `intensity` and `period`, `factory_supervisor.restart_tolerance` in Gleam.
    pub fn restart_tolerance(mut self, intensity: u32, period: Duration) -> Self {
        self.flags.intensity = intensity;
        self.flags.period = period;
        self
    }

    /// Puts the restarts of each child off, see [`ChildSpec::backoff`](crate::ChildSpec::backoff). OTP does not know this.
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_actor as actor;
    /// use otp_supervisor::{Backoff, factory_supervisor};
    /// use std::time::Duration;
    /// use tokio::time::Instant;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clients = factory_supervisor::worker(|name: Name<u32>| {
    ///     actor::new(0).on_message(|count: &mut u32, add: u32| *count += add).named(name).start()
    /// });
    /// let clients = clients.backoff(Backoff::new(Duration::from_secs(1), Duration::from_secs(30))).start().await?.data;
    /// let name = Name::new("client");
    /// let client = clients.start_child(name).await?;
    /// let crashed = Instant::now();
    /// erlang_process::kill(client.pid);
    /// name.registered_after(client.pid).await;
    /// assert!(crashed.elapsed() >= Duration::from_secs(1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.template.backoff = Some(backoff);
        self
    }
}

impl<A: Send + 'static, D: Send + 'static> Supervised for Builder<A, D> {
    type Data = Supervisor<A, D>;

    fn supervised(self) -> ChildSpec<Supervisor<A, D>> {
        supervision::supervisor(move || self.clone().start())
    }
}

impl<A, D> Clone for Builder<A, D> {
    fn clone(&self) -> Self {
        Self {
            make: self.make.clone(),
            template: self.template,
            copy: self.copy,
            flags: self.flags,
            name: self.name,
            debug: self.debug.clone(),
        }
    }
}

impl<A, D> fmt::Debug for Builder<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("template", &self.template)
            .field("flags", &self.flags)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A running factory supervisor of children that are made from an `A` and used by a `D`.
///
/// ```
/// use erlang_process::Subject;
/// use otp_actor as actor;
/// use otp_supervisor::{SupervisorError, factory_supervisor::{self, Supervisor}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// /// Whoever has this can have counters.
/// #[derive(Clone)]
/// struct Counters(Supervisor<u32, Subject<u32>>);
///
/// impl Counters {
///     async fn begin(&self, from: u32) -> Result<Subject<u32>, SupervisorError> {
///         Ok(self.0.start_child(from).await?.data)
///     }
/// }
///
/// let counters = factory_supervisor::worker(|from: u32| {
///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
/// });
/// let counters = Counters(counters.start().await?.data);
/// counters.begin(7).await?.send(1);
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `Supervisor` of `factory_supervisor` in Gleam.
pub struct Supervisor<A, D> {
    subject: Subject<Message<A, D>>,
}

impl<A: Send + 'static, D: Send + 'static> Supervisor<A, D> {
    /// The supervisor that holds this name, whenever it is used.
    ///
    /// ```
    /// use erlang_process::{Name, Subject};
    /// use otp_supervisor::factory_supervisor::{Message, Supervisor};
    ///
    /// const COUNTERS: Name<Message<u32, Subject<u32>>> = Name::fixed("counters");
    ///
    /// let counters = Supervisor::named(COUNTERS);
    /// // It need not be there yet.
    /// assert_eq!(counters.pid(), None);
    /// ```
    ///
    /// Counterpart: `factory_supervisor.get_by_name` in Gleam.
    #[must_use]
    pub fn named(name: Name<Message<A, D>>) -> Self {
        Self { subject: name.subject() }
    }

    /// The supervisor's process; `None` if nobody holds its name.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let started = counters.start().await?;
    /// assert_eq!(started.data.pid(), Some(started.pid));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.subject.pid()
    }

    /// Starts a child with this argument.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.start().await?.data;
    /// let counter = counters.start_child(7).await?;
    /// counter.data.send(1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisorError`]: the child did not start, in which case nothing of it is kept, or there are as
    /// many children as there may be, or the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `supervisor:start_child/2`, `factory_supervisor.start_child` in Gleam.
    pub async fn start_child(&self, argument: A) -> Result<Started<D>, SupervisorError> {
        self.start(argument, None).await
    }

    async fn start(&self, argument: A, restarts: Option<Restarts<A>>) -> Result<Started<D>, SupervisorError> {
        let (asked, data) = oneshot::channel();
        let pid = self.call(|reply| Request::StartChild(argument, restarts, asked, reply)).await??;
        started(pid, data).await
    }

    /// Stops a child, and forgets it. A child that is being restarted goes by the pid that it had.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.start().await?.data;
    /// let counter = counters.start_child(7).await?;
    /// counters.terminate_child(counter.pid).await?;
    /// assert_eq!(counters.count_children().await?.active, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisorError::NotFound`] for a process that lives and is not its child; nothing for one that is
    /// dead. [`SupervisorError::Call`] if the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `supervisor:terminate_child/2`.
    pub async fn terminate_child(&self, pid: Pid) -> Result<(), SupervisorError> {
        self.call(|reply| Request::TerminateChild(pid, reply)).await?.map(drop)
    }

    /// All children, those that were started last first.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.start().await?.data;
    /// let (first, second) = (counters.start_child(1).await?, counters.start_child(2).await?);
    /// let pids: Vec<_> = counters.which_children().await?.iter().filter_map(|child| child.pid()).collect();
    /// assert_eq!(pids, [second.pid, first.pid]);
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
    pub async fn which_children(&self) -> Result<Vec<ChildInfo<ChildKey>>, CallError> {
        self.call(Request::WhichChildren).await
    }

    /// The child that has this process, or had it before its restart became due; `None` if there is none.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.start().await?.data;
    /// let counter = counters.start_child(7).await?;
    /// let info = counters.which_child(counter.pid).await?.unwrap();
    /// assert_eq!((info.pid(), info.restarts), (Some(counter.pid), 0));
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
    /// Counterpart: `supervisor:get_childspec/2` by pid.
    pub async fn which_child(&self, pid: Pid) -> Result<Option<ChildInfo<ChildKey>>, CallError> {
        self.call(|reply| Request::WhichChild(pid, reply)).await
    }

    /// How many children there are, and of which kinds.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.start().await?.data;
    /// for from in 0..10 {
    ///     counters.start_child(from).await?;
    /// }
    /// assert_eq!(counters.count_children().await?.active, 10);
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

    /// Stops the children, all at once, with the reason `shutdown`, and then the supervisor, with the reason `normal`: who is
    /// linked with it goes on. Returns when it is gone.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::factory_supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.start().await?.data;
    /// let counter = counters.start_child(7).await?;
    /// counters.stop().await?;
    /// // Nothing of it is left.
    /// assert!(!erlang_process::is_alive(counter.pid));
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
    /// Counterpart: `gen_server:stop/1`, `DynamicSupervisor.stop/1` in Elixir.
    pub async fn stop(&self) -> Result<(), CallError> {
        stop_supervisor(self.pid()).await
    }

    async fn call<R: Send + 'static>(
        &self,
        request: impl FnOnce(Reply<R>) -> Request<A, D>,
    ) -> Result<R, CallError> {
        self.subject.call(Duration::MAX, |reply| Message(request(reply))).await
    }
}

impl<A: Clone + Send + 'static, D: Send + 'static> Supervisor<A, D> {
    /// Starts a child with this argument that is restarted as `restart` says, whatever is said for the others.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{Restart, factory_supervisor};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counters = factory_supervisor::worker(|from: u32| {
    ///     actor::new(from).on_message(|count: &mut u32, add: u32| *count += add).start()
    /// });
    /// let counters = counters.start().await?.data;
    /// // This one need not come back.
    /// let guest = counters.start_child_with(7, Restart::Temporary).await?;
    /// let info = counters.which_child(guest.pid).await?.unwrap();
    /// assert_eq!(info.rules.restart, Restart::Temporary);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start_child`](Self::start_child).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `DynamicSupervisor.start_child/2` with a `:restart` of the child's own.
    pub async fn start_child_with(
        &self,
        argument: A,
        restart: Restart,
    ) -> Result<Started<D>, SupervisorError> {
        self.start(argument, Some(restarts(restart))).await
    }
}

impl<A, D> Clone for Supervisor<A, D> {
    fn clone(&self) -> Self {
        Self { subject: self.subject.clone() }
    }
}

impl<A, D> fmt::Debug for Supervisor<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Supervisor").field(&self.subject).finish()
    }
}

/// A message to a factory supervisor: what its name is for. Sent by the methods of [`Supervisor`].
///
/// Counterpart: `Message` of `factory_supervisor` in Gleam.
pub struct Message<A, D>(Request<A, D>);

enum Request<A, D> {
    StartChild(A, Option<Restarts<A>>, oneshot::Sender<D>, Reply<Answered>),
    TerminateChild(Pid, Reply<Answered>),
    WhichChildren(Reply<Vec<ChildInfo<ChildKey>>>),
    WhichChild(Pid, Reply<Option<ChildInfo<ChildKey>>>),
    CountChildren(Reply<Counts>),
    Retry(ChildKey),
}

/// The pid of the child, for the command that starts one, unless it chose not to run.
type Answered = Result<Option<Pid>, SupervisorError>;

impl<A, D> fmt::Debug for Message<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message")
    }
}

pub(crate) type FactoryCore = semantics::Factory<Pid, ExitReason, StartError>;

/// The core, and how children are made.
pub(crate) struct Children<A, D> {
    core: FactoryCore,
    template: Template,
    copy: Option<fn(&A) -> A>,
    make: Make<A, D>,
}

impl<A: Send + 'static, D: Send + 'static> Core for Children<A, D> {
    type Id = ChildKey;
    type Command = FactoryCommand<Pid>;
    type Rules = FactoryCore;

    fn child_id(id: ChildKey) -> ChildId {
        id.to_string().into()
    }

    fn rules(&mut self) -> &mut FactoryCore {
        &mut self.core
    }

    fn child(&self, key: ChildKey) -> Option<&semantics::Child<ChildKey, Pid>> {
        self.core.child(key)
    }

    fn child_of(&self, pid: Pid) -> Option<&semantics::Child<ChildKey, Pid>> {
        self.core.which_child(pid)
    }

    fn key(&self, id: &ChildKey) -> Option<ChildKey> {
        Some(*id)
    }

    fn handle(
        &mut self,
        now: Duration,
        event: Event<Self::Command, Pid, ExitReason, StartError>,
        effects: &mut Vec<Effect<ChildKey, Pid, ExitReason, StartError>>,
    ) -> Taken<Self::Command, Pid, ExitReason, StartError> {
        self.core.handle_into(now, event, effects)
    }
}

struct Factory<A, D>(PhantomData<fn(A, D)>);

impl<A: Send + 'static, D: Send + 'static> Behaviour for Factory<A, D> {
    type Core = Children<A, D>;
    type Request = Message<A, D>;
    type Handle = Supervisor<A, D>;
    const MODULE: &'static str = "factory_supervisor";

    fn retry(key: ChildKey) -> Message<A, D> {
        Message(Request::Retry(key))
    }

    async fn serve(shell: &mut Shell<Self>, Message(request): Message<A, D>) -> Option<ExitReason> {
        match request {
            Request::StartChild(argument, restarts, asked, reply) => {
                let Children { template, copy, make, .. } = &shell.core;
                let (restart, copy) = restarts.unwrap_or((template.restart, *copy));
                let child = launch_of(make.clone(), argument, copy, asked);
                let command = FactoryCommand::StartChild(Template { restart, ..*template });
                answer(shell.command(command, [child]).await, reply)
            }
            Request::TerminateChild(pid, reply) => {
                let alive = erlang_process::is_alive(pid);
                answer(shell.command(FactoryCommand::TerminateChild { pid, alive }, []).await, reply)
            }
            Request::WhichChildren(reply) => {
                reply.send(shell.core.core.which_children().map(|child| shell.info(child)).collect());
                None
            }
            Request::WhichChild(pid, reply) => {
                reply.send(shell.core.core.which_child(pid).map(|child| shell.info(child)));
                None
            }
            Request::CountChildren(reply) => {
                reply.send(shell.core.core.count_children());
                None
            }
            Request::Retry(key) => shell.feed(Event::Retry { key }).await,
        }
    }
}

fn answer(
    (outcome, ended): (Option<Outcome<ChildKey>>, Option<ExitReason>),
    reply: Reply<Answered>,
) -> Option<ExitReason> {
    if let Some(outcome) = outcome {
        reply.send(answered(outcome));
    }
    ended
}
