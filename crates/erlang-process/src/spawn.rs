//! Spawning processes.

use std::{
    any::{TypeId, type_name},
    convert::Infallible,
    fmt, mem,
};

use crate::{
    blocking,
    bound::Bound,
    cell::{AnyQueue, Birth, Cell, Link, Links, Monitored, OwnCell, Process, Relations, Watcher},
    info::{initial_call, task_name},
    life::LifeEvent,
    lineage::{self, Lineage},
    monitor::Monitor,
    name::{Name, RegisterError, RegisteredName},
    node::Node,
    observe, panic,
    pid::Pid,
    process::{NotAProcess, ProcessFuture, joined},
    reason::{ExitReason, IntoExitReason},
    reference::Reference,
    rt,
    scope::{self, Scope},
    signal::{Dest, Signal},
    subject::Subject,
    sync::Arc,
};

/// Spawns a process that is linked to the calling one, if there is one. Returns at once.
///
/// The link is there before the process runs, so that its end cannot be missed. A child of a parent that is
/// about to end ends with it.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let pid = process::spawn(async { /* a process */ });
/// process::join(pid).await;
/// assert!(!process::is_alive(pid));
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// Counterpart: `spawn_link/1`, `process.spawn` in Gleam.
pub fn spawn<F>(future: F) -> Pid
where
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    Spawn::new().wrap_unnamed(future).start()
}

/// Spawns a process that is not linked to the calling one. Returns at once.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// // Its end is nobody's business.
/// let pid = process::spawn_unlinked(async { Err::<(), _>("no luck") });
/// process::join(pid).await;
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// Counterpart: `spawn/1`, `process.spawn_unlinked` in Gleam.
pub fn spawn_unlinked<F>(future: F) -> Pid
where
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    Spawn::new().unlinked().wrap_unnamed(future).start()
}

/// Spawns a process that the calling one monitors and is not linked to. Returns at once.
///
/// The monitor is there before the process runs: it always tells the true reason, never `noproc`.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let (_pid, monitor) = process::spawn_monitor(async { Err::<(), _>("no luck") })?;
/// assert_eq!(monitor.down().await?.reason, ExitReason::error("no luck"));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process; nothing is spawned then.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// Counterpart: `spawn_monitor/1`.
pub fn spawn_monitor<F>(future: F) -> Result<(Pid, Monitor), NotAProcess>
where
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    if scope::cell().is_none() {
        return Err(NotAProcess);
    }
    let prepared = Spawn::new().unlinked().wrap_unnamed(future);
    let monitor = prepared.monitor()?;
    Ok((prepared.start(), monitor))
}

/// Spawns a linked process with a subject of its own, which the process is given to receive with and the
/// caller to send to. Messages to it are stored as they are, without an allocation for each.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let doubler = process::spawn_subject(|subject| async move {
///     while let Ok((number, reply)) = subject.receive_forever().await {
///         process::Reply::send(reply, number * 2);
///     }
/// });
/// let second = std::time::Duration::from_secs(1);
/// assert_eq!(doubler.call(second, |reply| (21, reply)).await, Ok(42));
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn spawn_subject<M, F>(body: impl FnOnce(Subject<M>) -> F) -> Subject<M>
where
    M: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    let prepared = Spawn::new().prepare_unnamed(body);
    let subject = prepared.subject();
    prepared.start();
    subject
}

/// Spawns a linked process around a future that cannot be sent to another thread, such as one that holds an `Rc`. It
/// stays on the calling thread, and has everything else that a process has.
///
/// It runs in the tokio [`LocalSet`](tokio::task::LocalSet) that the caller runs on. When that is dropped the process
/// ends with [`Killed`](ExitReason::Killed).
///
/// ```
/// use std::rc::Rc;
/// use erlang_process as process;
/// use tokio::task::LocalSet;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// LocalSet::new().run_until(async {
///     let shared = Rc::new(7);
///     let pid = process::spawn_local({
///         let shared = shared.clone();
///         async move {
///             tokio::task::yield_now().await;
///             assert_eq!(*shared, 7);
///         }
///     });
///     assert_eq!(process::join(pid).await, process::ExitReason::Normal);
///     assert_eq!(Rc::strong_count(&shared), 1);
/// }).await;
/// # }
/// ```
///
/// For a process with a subject of its own: [`Spawn::prepare`] and [`Prepared::start_local`].
///
/// # Under a supervisor
///
/// A supervisor runs on any thread, and so do those who start its children: no `LocalSet` is there. What is not `Send` gets a
/// thread of its own there, on which it is made and [awaited](crate::block_on). A child is then a `supervision::worker`
/// that spawns this, and returns `Started` with its pid:
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// use erlang_process::{Reply, Spawn, Subject, block_on};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counter = Spawn::new().spawn_blocking(|requests: Subject<Reply<u32>>| {
///     block_on(async move {
///         let count = Rc::new(Cell::new(0));
///         while let Ok(reply) = requests.receive_forever().await {
///             count.set(count.get() + 1);
///             reply.send(count.get());
///         }
///     })
/// })?;
/// assert_eq!(counter.call(Duration::from_secs(1), |reply| reply).await?, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// Outside a `LocalSet`: on a worker thread of a runtime, or in a process that was spawned in any other way than this.
pub fn spawn_local<F>(future: F) -> Pid
where
    F: Future<Output: IntoExitReason> + 'static,
{
    Spawn::new().wrap_unnamed(future).start_local()
}

/// Spawns a linked process that has a thread of its own, which it may block: for libraries that are not async, and for
/// long computations. It has everything else that a process has.
///
/// It waits with [`Subject::receive_blocking`], [`Selector::receive_blocking`](crate::Selector::receive_blocking) and
/// [`Subject::call_blocking`], and for anything that is async with [`block_on`](crate::block_on).
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{self as process, Reply, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let digests = process::spawn_blocking(|requests: Subject<(Vec<u8>, Reply<u8>)>| {
///     while let Ok((bytes, reply)) = requests.receive_forever_blocking() {
///         reply.send(bytes.iter().fold(0, |sum, byte| sum ^ byte));
///     }
/// });
/// let minute = Duration::from_secs(60);
/// assert_eq!(digests.call(minute, |reply| (vec![1, 2], reply)).await, Ok(3));
/// # }
/// ```
///
/// # Signals
///
/// A thread cannot be stopped from outside. An exit signal ends the process at its next receive or call, by unwinding;
/// to others it is dead at once, as ever. A runtime that is shut down kills such processes and waits until they have
/// ended.
///
/// # Time
///
/// A tokio clock that is paused does not advance by itself while such a process is there: tokio cannot see that it
/// waits.
///
/// The thread is one of those of `tokio::task::spawn_blocking`: when the runtime's limit is reached, 512 by default, the
/// process begins to run when another has ended.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn spawn_blocking<M, T, B>(body: B) -> Subject<M>
where
    M: Send + 'static,
    T: IntoExitReason,
    B: FnOnce(Subject<M>) -> T + Send + 'static,
{
    let prepared = Spawn::new().runs(type_name::<B>).prepare_unnamed(|subject| async move { body(subject) });
    let subject = prepared.subject();
    prepared.start_blocking();
    subject
}

/// How a process is to be spawned.
///
/// ```
/// use erlang_process::{Name, Spawn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), erlang_process::RegisterError> {
/// let name = Name::<String>::new("printer");
/// let pid = Spawn::new().unlinked().label("prints").named(name).spawn(async move {
///     while let Ok(_text) = name.subject().receive_forever().await {}
/// })?;
/// assert_eq!(erlang_process::whereis(name), Some(pid));
/// # Ok(()) }
/// ```
///
/// Counterpart: the options of `spawn_opt/2`.
#[derive(Clone, Debug)]
#[must_use = "nothing is spawned before `spawn`"]
pub struct Spawn {
    node: Option<Node>,
    link: LinkWith,
    name: Option<(RegisteredName, TypeId)>,
    label: Option<Arc<str>>,
    bound: Option<Bound>,
    callers: Option<Arc<[Pid]>>,
    /// What it is said to run, if that is not the future itself.
    runs: Option<fn() -> &'static str>,
}

/// Whom a process is linked with when it is spawned.
#[derive(Clone, Copy, Debug)]
enum LinkWith {
    /// Who spawns it. Not by his pid: that would mean another one on another node.
    Caller,
    Process(Pid),
    Nobody,
}

impl Default for Spawn {
    fn default() -> Self {
        Self::new()
    }
}

impl Spawn {
    /// A process that is linked to the one that spawns it, if there is one, and lives on its node.
    ///
    /// ```
    /// use erlang_process::{self as process, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let pid = Spawn::new().label("prints").spawn(async {})?;
    /// process::join(pid).await;
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn new() -> Self {
        Self {
            node: None,
            link: LinkWith::Caller,
            name: None,
            label: None,
            bound: None,
            callers: None,
            runs: None,
        }
    }

    /// No link to the process that spawns it.
    ///
    /// ```
    /// use erlang_process::Spawn;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// // Its crash is its own.
    /// Spawn::new().unlinked().spawn(async { Err::<(), _>("no luck") })?;
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn unlinked(mut self) -> Self {
        self.link = LinkWith::Nobody;
        self
    }

    /// A link to this process, in place of the one that spawns it. For a carrier that spawns for a parent on
    /// another node, which knows of the link already; of another node it is [the parent](crate::Info::parent), too.
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let parent = process::spawn_unlinked(std::future::pending::<()>());
    /// let child = Spawn::new().linked_to(parent).spawn(std::future::pending::<()>())?;
    /// let monitor = process::monitor(child)?;
    /// process::kill(parent);
    /// assert_eq!(monitor.down().await?.reason, ExitReason::Killed);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn linked_to(mut self, pid: Pid) -> Self {
        self.link = LinkWith::Process(pid);
        self
    }

    /// The process that it will be linked to, if the calling one spawns it.
    ///
    /// ```
    /// use erlang_process::{self as process, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// assert_eq!(Spawn::new().link(), process::current());
    /// assert_eq!(Spawn::new().unlinked().link(), None);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn link(&self) -> Option<Pid> {
        let caller = |scope: &mut Scope| {
            let caller = scope.cell.head();
            // A pid means something on its own node only.
            let is_theirs = self.node.as_ref().is_none_or(|node| node.is(&caller.node));
            is_theirs.then_some(caller.pid)
        };
        match self.link {
            LinkWith::Caller => scope::with(caller).flatten(),
            LinkWith::Process(pid) => Some(pid),
            LinkWith::Nobody => None,
        }
    }

    /// On this node. A process on another node than that of who spawns it is not linked to him.
    ///
    /// ```
    /// use erlang_process::{Node, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::new();
    /// let pid = Spawn::new().on(&node).spawn(std::future::pending::<()>())?;
    /// assert!(node.is_alive(pid));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on(mut self, node: &Node) -> Self {
        self.node = Some(node.clone());
        self
    }

    /// With this name, which it holds before it runs.
    ///
    /// ```
    /// use erlang_process::{Name, RegisterError, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let name = Name::<()>::new("only one");
    /// let first = Spawn::new().named(name).spawn(std::future::pending::<()>())?;
    /// let second = Spawn::new().named(name).spawn(async {});
    /// assert_eq!(second, Err(RegisterError::NameTaken { holder: first }));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn named<M: 'static>(mut self, name: Name<M>) -> Self {
        self.name = Some((name.registered_name(), TypeId::of::<M>()));
        self
    }

    /// With this label, see [`set_label`](crate::set_label).
    ///
    /// ```
    /// use erlang_process::{Node, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let pid = Spawn::new().label("order 4711").spawn(std::future::pending::<()>())?;
    /// assert_eq!(Node::current().info(pid).unwrap().label.as_deref(), Some("order 4711"));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With a bounded mailbox. Without this a mailbox takes whatever comes.
    ///
    /// ```
    /// use erlang_process::{Bound, SendError, Spawn, Subject, WhenFull};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let full = Spawn::new().mailbox(Bound::new(1, WhenFull::Refuse));
    /// let slow = full.prepare(|_: Subject<u32>| std::future::pending::<()>())?;
    /// slow.subject().send(1);
    /// assert_eq!(slow.subject().try_send(2), Err(SendError::Full(2)));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: none in OTP.
    pub fn mailbox(mut self, bound: Bound) -> Self {
        self.bound = Some(bound);
        self
    }

    /// On behalf of these, the nearest first, of whom sixteen are remembered, see
    /// [`Info::callers`](crate::Info::callers): where one process spawns what another has asked for. On another node than
    /// the caller's they are not remembered.
    ///
    /// ```
    /// use erlang_process::{self as process, Node, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// // A pool spawns what a client has asked for.
    /// let client = process::spawn(std::future::pending::<()>());
    /// let job = Spawn::new().callers(&[client]).spawn(std::future::pending::<()>())?;
    /// let info = Node::current().info(job).unwrap();
    /// assert_eq!((info.parent, info.callers), (process::current(), vec![client]));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `$callers`, which Elixir's `Task` sets.
    pub fn callers(mut self, callers: &[Pid]) -> Self {
        self.callers = Some(lineage::nearest(callers));
        self
    }

    /// What the process is said to run, in its [`Info`](crate::Info) and in reports, if that is not its future itself: for
    /// those who wrap the code of others. The function names it; [`type_name`] of a function does.
    ///
    /// ```
    /// use erlang_process::{Node, Spawn};
    /// use std::any::type_name;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// /// Counts the runs of a job.
    /// fn counted<J: Future<Output = ()> + Send + 'static>(job: J) -> Spawn {
    ///     Spawn::new().runs(type_name::<J>)
    /// }
    /// # async fn bake() { std::future::pending().await }
    /// let pid = counted(bake()).spawn(async { bake().await })?;
    /// assert!(Node::current().info(pid).unwrap().initial_call.ends_with("bake"));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `$initial_call` of `proc_lib`, which behaviours translate.
    pub fn runs(mut self, initial_call: fn() -> &'static str) -> Self {
        self.runs = Some(initial_call);
        self
    }

    /// Spawns the process.
    ///
    /// ```
    /// use erlang_process::{Name, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let name = Name::<u32>::new("numbers");
    /// Spawn::new().named(name).spawn(async move {
    ///     assert_eq!(name.subject().receive_forever().await, Ok(7));
    /// })?;
    /// name.subject().send(7);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RegisterError::NameTaken`] if another process holds its [name](Self::named); nothing is spawned
    /// then. Without a name it cannot fail.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn spawn<F>(self, future: F) -> Result<Pid, RegisterError>
    where
        F: Future<Output: IntoExitReason> + Send + 'static,
    {
        Ok(self.wrap(future)?.start())
    }

    /// Spawns a process that stays on this thread, see [`spawn_local`].
    ///
    /// ```
    /// use erlang_process::{self as process, Node, Spawn};
    /// use std::rc::Rc;
    /// use tokio::task::LocalSet;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// LocalSet::new().run_until(async {
    ///     let shared = Rc::new(7);
    ///     let prints = async move {
    ///         tokio::task::yield_now().await;
    ///         println!("{shared}");
    ///     };
    ///     let pid = Spawn::new().label("prints").spawn_local(prints).unwrap();
    ///     assert_eq!(Node::current().info(pid).unwrap().label.as_deref(), Some("prints"));
    ///     process::join(pid).await;
    /// }).await;
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    ///
    /// As [`spawn_local`].
    pub fn spawn_local<F>(self, future: F) -> Result<Pid, RegisterError>
    where
        F: Future<Output: IntoExitReason> + 'static,
    {
        Ok(self.wrap(future)?.start_local())
    }

    /// Spawns a process with a thread of its own, see [`spawn_blocking`].
    ///
    /// ```
    /// use erlang_process::{Name, Reply, Spawn, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let name = Name::<(Vec<u64>, Reply<u64>)>::new("adder");
    /// Spawn::new().named(name).spawn_blocking(|requests: Subject<(Vec<u64>, Reply<u64>)>| {
    ///     while let Ok((numbers, reply)) = requests.receive_forever_blocking() {
    ///         reply.send(numbers.iter().sum());
    ///     }
    /// })?;
    /// let sum = name.subject().call(Duration::from_secs(60), |reply| (vec![1, 2, 3], reply)).await;
    /// assert_eq!(sum, Ok(6));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    ///
    /// As [`spawn_blocking`].
    pub fn spawn_blocking<M, T, B>(self, body: B) -> Result<Subject<M>, RegisterError>
    where
        M: Send + 'static,
        T: IntoExitReason,
        B: FnOnce(Subject<M>) -> T + Send + 'static,
    {
        let mut spawn = self;
        spawn.runs.get_or_insert(type_name::<B>);
        let prepared = spawn.prepare(|subject| async move { body(subject) })?;
        let subject = prepared.subject();
        prepared.start_blocking();
        Ok(subject)
    }

    /// Makes the process with everything in place and does not yet run it: others can link to it, monitor it
    /// and send to it. It neither runs nor ends before it is [started](Prepared::start).
    ///
    /// ```
    /// use erlang_process::{Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let worker = Spawn::new().unlinked().prepare(|jobs: Subject<u32>| async move {
    ///     assert_eq!(jobs.receive_forever().await, Ok(7));
    /// })?;
    /// // It cannot have ended before it is monitored, nor run before it has mail.
    /// let monitor = worker.monitor()?;
    /// worker.subject().send(7);
    /// worker.start();
    /// assert!(monitor.down().await?.reason.is_orderly());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RegisterError::NameTaken`] if another process holds its [name](Self::named); nothing is made then, and the body is
    /// not called. Without a name it cannot fail.
    pub fn prepare<M, F>(self, body: impl FnOnce(Subject<M>) -> F) -> Result<Prepared<M, F>, RegisterError>
    where
        M: Send + 'static,
        F: Future<Output: IntoExitReason> + 'static,
    {
        let (name, link) = (self.name, self.link());
        let prepared = self.make(link, |cell| register(cell, name), |cell| body(Subject::own(cell.clone())));
        Ok(prepared?.linked(link))
    }

    /// Prepares a process without a name.
    pub(crate) fn prepare_unnamed<M, F>(self, body: impl FnOnce(Subject<M>) -> F) -> Prepared<M, F>
    where
        M: Send + 'static,
        F: Future<Output: IntoExitReason> + 'static,
    {
        let link = self.link();
        let Ok(prepared) = self.make(link, unnamed, |cell| body(Subject::own(cell.clone())));
        prepared.linked(link)
    }

    /// Prepares a process that has no use for its own subject.
    fn wrap<F>(self, future: F) -> Result<Prepared<Infallible, F>, RegisterError>
    where
        F: Future<Output: IntoExitReason> + 'static,
    {
        let (name, link) = (self.name, self.link());
        Ok(self.make(link, |cell| register(cell, name), |_| future)?.linked(link))
    }

    /// The same, without a name.
    fn wrap_unnamed<F>(self, future: F) -> Prepared<Infallible, F>
    where
        F: Future<Output: IntoExitReason> + 'static,
    {
        let link = self.link();
        let Ok(prepared) = self.make(link, unnamed, |_| future);
        prepared.linked(link)
    }

    /// Makes a process whose link only it knows of, or none if it does not get its name.
    fn make<M, F, E>(
        self,
        link: Option<Pid>,
        name: impl FnOnce(&Arc<OwnCell<M>>) -> Result<(), E>,
        body: impl FnOnce(&Arc<OwnCell<M>>) -> F,
    ) -> Result<Prepared<M, F>, E>
    where
        M: Send + 'static,
        F: Future<Output: IntoExitReason> + 'static,
    {
        panic::warn_if_fatal();
        let current = Node::current();
        // A pid means something on its own node only.
        let is_current = self.node.as_ref().is_none_or(|node| node.is(&current));
        let mut lineage = match link {
            // Its parent is that, and not whoever reads what comes from there.
            Some(far) if !far.node().is_here() => Some(Arc::new(Lineage::below(far, None))),
            _ if is_current => scope::with(Scope::lineage),
            _ => None,
        };
        if is_current && let Some(callers) = self.callers {
            lineage = Some(Arc::new(Lineage::on_behalf_of(lineage.as_deref(), callers)));
        }
        let node = self.node.unwrap_or(current);
        let pid = node.table().next_pid();
        let mut links = Links::default();
        if let Some(peer) = link {
            links.insert(peer, Link::Active);
        }
        let mut relations = None::<Box<Relations>>;
        if self.label.is_some() {
            relations.get_or_insert_default().rare.get_or_insert_default().label = self.label;
        }
        let birth = Birth {
            pid,
            node,
            lineage,
            initial_call: self.runs.unwrap_or(type_name::<F>),
            bounded: self.bound.is_some(),
        };
        let cell = Arc::new(OwnCell::<M>::new(birth, links, relations));
        // First the wrapper, then what it wraps: if the body panics, the process that was made ends.
        let mut future = ProcessFuture::new(cell.clone());
        if let Some(bound) = self.bound {
            future.bound(bound);
        }
        if observe::lives() {
            let process: Process = cell.clone();
            enter_observed(&process);
        } else {
            cell.head().node.table().insert(cell.clone());
        }
        name(&cell)?;
        // Into the wrapper that is there already: if the body panics, the process that was made ends.
        future.wrap(body(&cell));
        Ok(Prepared { cell, future })
    }
}

/// Enters a process in the table of its node, and tells those who watch.
#[cold]
fn enter_observed(process: &Process) {
    let head = process.head();
    // One step, for all who find it there: who is told of it finds it, and hears of nothing else before this.
    process.with(|_, _| {
        head.node.table().insert(process.clone());
        head.node.note(head.pid, || LifeEvent::Spawned {
            pid: head.pid,
            parent: head.parent(),
            initial_call: initial_call(head),
        });
    });
    head.node.tell();
}

/// Registers a process that is being made.
fn register<M: Send + 'static>(
    cell: &Arc<OwnCell<M>>,
    name: Option<(RegisteredName, TypeId)>,
) -> Result<(), RegisterError> {
    let Some((name, message)) = name else { return Ok(()) };
    let process: Process = cell.clone();
    process.head().node.names().register(&process, name, message).inspect_err(|_| {
        // There was no such process: nobody is to be told of its end.
        drop(process.with(|control, _| mem::take(control.links_mut())));
    })
}

/// The same for one without a name, which nobody can have taken.
#[allow(clippy::unnecessary_wraps)]
fn unnamed<M>(_: &Arc<OwnCell<M>>) -> Result<(), Infallible> {
    Ok(())
}

/// A process that is made and not yet started, see [`Spawn::prepare`].
///
/// Dropping it ends the process with [`Killed`](ExitReason::Killed) without having run.
///
/// ```
/// use erlang_process::{Spawn, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let echo = Spawn::new().prepare(|numbers: Subject<u32>| async move {
///     assert_eq!(numbers.receive_forever().await, Ok(7));
/// })?;
/// // It does not run yet, and can be sent to.
/// echo.subject().send(7);
/// echo.start();
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
#[must_use = "the process runs when it is started"]
pub struct Prepared<M, F> {
    cell: Arc<OwnCell<M>>,
    future: ProcessFuture<F>,
}

impl<M, F> Prepared<M, F>
where
    M: Send + 'static,
    F: Future<Output: IntoExitReason> + 'static,
{
    /// The pid of the process.
    ///
    /// ```
    /// use erlang_process::{self as process, Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let worker = Spawn::new().prepare(|_: Subject<()>| async {})?;
    /// // It is there before it runs.
    /// assert!(process::is_alive(worker.pid()));
    /// worker.start();
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn pid(&self) -> Pid {
        self.cell.head().pid
    }

    /// The node that it lives on.
    ///
    /// ```
    /// use erlang_process::{Node, Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::new();
    /// let worker = Spawn::new().on(&node).prepare(|_: Subject<()>| async {})?;
    /// assert!(worker.node().is(&node));
    /// worker.start();
    /// # Ok(())
    /// # }
    /// ```
    pub fn node(&self) -> &Node {
        &self.cell.head().node
    }

    /// The process's own subject.
    ///
    /// ```
    /// use erlang_process::{Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let done = Subject::new()?;
    /// let told = done.clone();
    /// let worker = Spawn::new().prepare(|jobs: Subject<u32>| async move {
    ///     told.send(jobs.receive_forever().await? * 2);
    ///     Ok::<_, erlang_process::ReceiveError>(())
    /// })?;
    /// worker.subject().send(21);
    /// worker.start();
    /// assert_eq!(done.receive_forever().await?, 42);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn subject(&self) -> Subject<M> {
        Subject::own(self.cell.clone())
    }

    /// Tells this process of the end by this monitor, which it knows of already.
    ///
    /// ```
    /// use erlang_process::{ExitReason, Node, Pid, Reference, Signal, Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use erlang_process::{Carrier, Dest, NodeId, Undelivered};
    /// # struct Wire(tokio::sync::mpsc::UnboundedSender<Signal>);
    /// # impl Carrier for Wire {
    /// #     fn deliver(&self, _: Option<Pid>, _: Dest, signal: Signal) -> Result<(), Undelivered> {
    /// #         self.0.send(signal).map_err(|error| Undelivered(error.0))
    /// #     }
    /// #     fn poll_ready(&self, _: NodeId, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
    /// #         std::task::Poll::Ready(())
    /// #     }
    /// # }
    /// # let (out, mut wire) = tokio::sync::mpsc::unbounded_channel();
    /// # let node = Node::new();
    /// # node.set_carrier(Box::new(Wire(out))).ok();
    /// // A carrier is asked to spawn for a process of another node, which monitors what it gets.
    /// let captain = Pid::from_parts(node.node_id("ship@sea", 1)?, 7, 0);
    /// let monitor = Reference::from_words(captain.node(), &[1, 2, 3]).unwrap();
    /// let worker = Spawn::new().on(&node).prepare(|_: Subject<()>| async {})?;
    /// worker.monitored_by(captain, monitor);
    /// worker.start();
    /// // Its end goes out over the wire.
    /// let Some(Signal::Down { reference, reason, .. }) = wire.recv().await else { panic!("another signal") };
    /// assert_eq!((reference, reason), (monitor, ExitReason::Normal));
    /// # Ok(())
    /// # }
    /// ```
    pub fn monitored_by(&self, watcher: Pid, reference: Reference) {
        let target = Dest::Pid(self.pid());
        // Not by a signal: someone may have killed the process already, and the true reason is still to come.
        let process: &Cell<dyn AnyQueue> = &*self.cell;
        process.with(|control, _| {
            control.relations_mut().watchers.insert(reference, Watcher { pid: watcher, target });
        });
    }

    /// Monitors the process for the calling one, before it runs: the monitor always tells the true reason, never
    /// `noproc`.
    ///
    /// ```
    /// use erlang_process::{ExitReason, Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let worker = Spawn::new().unlinked().prepare(|_: Subject<()>| async { Err::<(), _>("no luck") })?;
    /// let monitor = worker.monitor()?;
    /// worker.start();
    /// assert_eq!(monitor.down().await?.reason, ExitReason::error("no luck"));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotAProcess`] outside any process of the node on which this one lives.
    pub fn monitor(&self) -> Result<Monitor, NotAProcess> {
        let cell = scope::cell().filter(|cell| cell.head().node.is(self.node())).ok_or(NotAProcess)?;
        let head = cell.head();
        let reference = head.node.make_reference(Some(head.pid));
        cell.with(|control, _| {
            let child = self.pid().into();
            control.relations_mut().monitors.insert(reference, Monitored::new(child, child));
        });
        self.monitored_by(head.pid, reference);
        Ok(Monitor::from_reference(reference))
    }

    /// Lets the process run.
    ///
    /// ```
    /// use erlang_process::{Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let worker = Spawn::new().prepare(|_: Subject<()>| async {})?;
    /// let (expected, ended) = (worker.pid(), worker.ended());
    /// assert_eq!(worker.start(), expected);
    /// assert!(ended.await.is_orderly());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start(self) -> Pid
    where
        F: Send,
    {
        let pid = self.pid();
        rt::spawn(|| task_name(&*self.cell), self.future);
        pid
    }

    /// Lets the process run, and stay, on this thread, see [`spawn_local`].
    ///
    /// ```
    /// use erlang_process::{Spawn, Subject};
    /// use std::rc::Rc;
    /// use tokio::task::LocalSet;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// LocalSet::new().run_until(async {
    ///     let shared = Rc::new(7);
    ///     let worker = Spawn::new().prepare(|numbers: Subject<u32>| async move {
    ///         assert_eq!(numbers.receive_forever().await, Ok(*shared));
    ///     }).unwrap();
    ///     let (numbers, ended) = (worker.subject(), worker.ended());
    ///     worker.start_local();
    ///     numbers.send(7);
    ///     assert!(ended.await.is_orderly());
    /// }).await;
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`spawn_local`].
    pub fn start_local(self) -> Pid {
        let pid = self.pid();
        rt::spawn_local(|| task_name(&*self.cell), self.future);
        pid
    }

    /// Lets the process run on a thread of its own, where its future may block, see [`spawn_blocking`]: between its
    /// awaits as well as in [`block_on`](crate::block_on).
    ///
    /// ```
    /// use erlang_process::{Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let texts = Subject::new()?;
    /// let told = texts.clone();
    /// let reader = Spawn::new().prepare(|files: Subject<&str>| async move {
    ///     while let Ok(file) = files.receive_forever().await {
    ///         // Blocks its thread.
    ///         told.send(std::fs::read_to_string(file).is_ok());
    ///     }
    /// })?;
    /// reader.subject().send("no such file");
    /// reader.start_blocking();
    /// assert!(!texts.receive_forever().await?);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`spawn_blocking`].
    pub fn start_blocking(self) -> Pid
    where
        F: Send,
    {
        let pid = self.pid();
        blocking::start(self.cell, self.future);
        pid
    }

    /// Waits for the end of the process and returns its reason, from any async code and however late: it is
    /// never too late for the true reason, as it is with [`join`](crate::join).
    ///
    /// ```
    /// use erlang_process::{ExitReason, Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let worker = Spawn::new().unlinked().prepare(|_: Subject<()>| async {})?;
    /// let ended = worker.ended();
    /// worker.start();
    /// assert_eq!(ended.await, ExitReason::Normal);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub fn ended(&self) -> impl Future<Output = ExitReason> + Send + use<M, F> {
        joined(self.cell.clone())
    }

    /// Makes the other side of the link that the process was made with.
    fn linked(self, peer: Option<Pid>) -> Self {
        let Some(peer) = peer else { return self };
        let head = self.cell.head();
        let link = |process: &Process| {
            process.with(|control, _| match control.exit_reason() {
                None => {
                    control.links_mut().insert(head.pid, Link::Active);
                    Ok(())
                }
                Some(reason) => Err(reason.clone()),
            })
        };
        // Mostly it is the calling process, which is at hand.
        let caller = |scope: &mut Scope| {
            let caller = scope.cell.head();
            (caller.pid == peer && caller.node.is(&head.node)).then(|| link(&scope.cell))
        };
        let linked = match scope::with(caller).flatten() {
            Some(linked) => linked,
            None => match head.node.find(peer) {
                Some(process) => link(&process),
                None if peer.node().is_here() => Err(ExitReason::NoProc),
                None => Ok(()),
            },
        };
        if let Err(reason) = linked {
            self.dead_parent(peer, reason);
        }
        self
    }

    /// A child of a parent that ends before the child is there ends of the parent's reason.
    fn dead_parent(&self, parent: Pid, reason: ExitReason) {
        let head = self.cell.head();
        head.node.signal(Some(parent), head.pid, Signal::Exit { reason, link: true });
    }
}

impl<M, F> fmt::Debug for Prepared<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prepared").field(&self.cell.head().pid).finish()
    }
}
