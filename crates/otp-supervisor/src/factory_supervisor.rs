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
//! | [`worker`] | are restarted after a crash, with the argument they were first started with |
//! | [`supervisor`] | the same, and get all the time they need to stop |
//! | [`temporary`] | are never restarted, so that their argument is moved into them: a socket, say |
//! | [`process`] | the same, of any async function |
//!
//! Counterpart: `simple_one_for_one` in Erlang, `DynamicSupervisor` in Elixir, `gleam/otp/factory_supervisor`.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use erlang_process::{CallError, ExitReason, IntoExitReason, Name, Pid, Reply, Spawn, Subject, spawn};
use otp_actor::{InitAck, StartError, Started, start_process};
use otp_system::DebugOptions;
use tokio::sync::oneshot;

use crate::{
    child_info::ChildInfo,
    child_spec::{ChildId, ChildSpec, Launch, Start, launch, launching},
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
    Builder::new(ChildType::Worker, Restart::Transient, restartable(start))
}

/// A factory of supervisors, which get all the time they need to stop their children.
///
/// Counterpart: `factory_supervisor.supervisor_child` in Gleam.
pub fn supervisor<A, D, F>(start: impl Fn(A) -> F + Send + Sync + 'static) -> Builder<A, D>
where
    A: Clone + Send + 'static,
    D: Send + 'static,
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    Builder::new(ChildType::Supervisor, Restart::Transient, restartable(start))
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
    let start = Arc::new(start);
    let make = move |argument| -> Start<D> {
        let (start, mut argument) = (start.clone(), Some(argument));
        Box::new(move |taker| match argument.take() {
            Some(argument) => launching(start(argument), taker),
            None => Box::pin(async { Err(StartError::failed("a temporary child is started once")) }),
        })
    };
    Builder::new(ChildType::Worker, Restart::Temporary, Arc::new(make))
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

/// Makes the start of a child from its argument.
type Make<A, D> = Arc<dyn Fn(A) -> Start<D> + Send + Sync>;

fn restartable<A, D: 'static, F>(start: impl Fn(A) -> F + Send + Sync + 'static) -> Make<A, D>
where
    A: Clone + Send + 'static,
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    let start = Arc::new(start);
    Arc::new(move |argument: A| {
        let start = start.clone();
        Box::new(move |taker| launching(start(argument.clone()), taker))
    })
}

/// A factory supervisor to be started.
///
/// Counterpart: `Builder` of `factory_supervisor` in Gleam.
#[must_use = "a supervisor does nothing before it is started"]
pub struct Builder<A, D> {
    make: Make<A, D>,
    template: Template,
    flags: FactoryFlags,
    name: Option<Name<Message<A, D>>>,
    debug: DebugOptions,
}

impl<A: Send + 'static, D: Send + 'static> Builder<A, D> {
    fn new(child_type: ChildType, restart: Restart, make: Make<A, D>) -> Self {
        Self {
            make,
            template: Template {
                restart,
                shutdown: child_type.default_shutdown(),
                child_type,
                backoff: None,
            },
            flags: FactoryFlags::default(),
            name: None,
            debug: DebugOptions::new(),
        }
    }

    /// How many restarts are tolerated in which time, all children taken together; one more and the
    /// supervisor gives up: it stops its children and itself, with the reason `shutdown`. Without this, 1 in
    /// 5 seconds.
    ///
    /// As in OTP, time is counted in whole seconds.
    ///
    /// Counterpart: `intensity` and `period`, `factory_supervisor.restart_tolerance` in Gleam.
    pub fn restart_tolerance(mut self, intensity: u32, period: Duration) -> Self {
        self.flags.intensity = intensity;
        self.flags.period = period;
        self
    }

    /// How many children there may be at once. Without this, any number.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{SupervisorError, factory_supervisor};
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

    /// Restarts children whenever they end, for whatever reason. Temporary children stay temporary.
    ///
    /// Counterpart: `restart => permanent`, `factory_supervisor.restart_strategy` in Gleam.
    pub fn permanent(mut self) -> Self {
        if self.template.restart != Restart::Temporary {
            self.template.restart = Restart::Permanent;
        }
        self
    }

    /// How children are stopped, and how long each is given. Without this, 5 seconds for workers.
    ///
    /// Counterpart: `shutdown`, `factory_supervisor.timeout` in Gleam.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.template.shutdown = shutdown;
        self
    }

    /// Puts the restarts of each child off, see [`ChildSpec::backoff`](crate::ChildSpec::backoff). OTP does not know this.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.template.backoff = Some(backoff);
        self
    }

    /// Begins with these debug functions, see [`otp_system`]. They see what the supervisor takes out of its mailbox.
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
    /// # Errors
    ///
    /// [`StartError::InitFailed`] if the period is zero; [`StartError::AlreadyStarted`] if the name is taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the supervisor, unless it was returned.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `factory_supervisor.start` in Gleam.
    pub async fn start(self) -> Result<Started<Supervisor<A, D>>, StartError> {
        let Self { make, template, flags, name, debug } = self;
        let core = semantics::Factory::new(flags).map_err(StartError::failed)?;
        let mut spawn = Spawn::new().runs(|| "otp_supervisor::factory_supervisor");
        if let Some(name) = name {
            spawn = spawn.named(name);
        }
        let body = move |own: Subject<Message<A, D>>, ack: InitAck<Supervisor<A, D>>| {
            let handle = Supervisor { subject: name.map_or_else(|| own.clone(), Name::subject) };
            let core = Children { core, template, make };
            shell::run::<Factory<A, D>>(core, [], own, debug, ack, handle)
        };
        start_process(spawn, Duration::MAX, body).await
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
/// Counterpart: `Supervisor` of `factory_supervisor` in Gleam.
pub struct Supervisor<A, D> {
    subject: Subject<Message<A, D>>,
}

impl<A: Send + 'static, D: Send + 'static> Supervisor<A, D> {
    /// The supervisor that holds this name, whenever it is used.
    ///
    /// Counterpart: `factory_supervisor.get_by_name` in Gleam.
    #[must_use]
    pub fn named(name: Name<Message<A, D>>) -> Self {
        Self { subject: name.subject() }
    }

    /// The supervisor's process; `None` if nobody holds its name.
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

    /// Starts a child with this argument that is restarted as `restart` says, whatever is said for the others.
    /// Temporary children stay temporary: what they were made from is used up.
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
        self.start(argument, Some(restart)).await
    }

    async fn start(&self, argument: A, restart: Option<Restart>) -> Result<Started<D>, SupervisorError> {
        let (asked, data) = oneshot::channel();
        let pid = self.call(|reply| Request::StartChild(argument, restart, asked, reply)).await??;
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

    /// Stops the children, all at once, and then the supervisor, with the reason `shutdown`. Returns when it
    /// is gone.
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
    /// Counterpart: `supervisor:stop/1`.
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
    StartChild(A, Option<Restart>, oneshot::Sender<D>, Reply<Answered>),
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
            Request::StartChild(argument, restart, asked, reply) => {
                let child: Launch = launch((shell.core.make)(argument), Some(asked));
                let mut template = shell.core.template;
                if let Some(restart) = restart.filter(|_| template.restart != Restart::Temporary) {
                    template.restart = restart;
                }
                let command = FactoryCommand::StartChild(template);
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
