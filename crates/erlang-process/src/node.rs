//! Nodes: the tables that processes live in, and the one door through which every signal travels.

use std::{
    any::{Any, TypeId},
    collections::BTreeSet,
    fmt,
    future::poll_fn,
    panic::{RefUnwindSafe, UnwindSafe},
    task::{Context, Poll},
};

use rustc_hash::FxHashMap;

use crate::{
    bound::Place,
    carrier::{Carrier, Undelivered},
    cell::{Key, Process, Refusal, Tagged, Unsent},
    clock::Clock,
    far::FarMonitors,
    info::Info,
    listeners::Listeners,
    name::{Name, Names, NotRegistered, RegisterError, RegisteredName},
    observe::{Observers, Watching},
    pid::{NodeId, Pid},
    reason::ExitReason,
    reference::Reference,
    rt, scope,
    signal::{Dest, Signal},
    subject::Subject,
    sync::{Arc, AtomicU64, Mutex, OnceLock, Ordering, StaticOnceLock},
    table::Table,
};

/// A node: a world of processes, with their pids and names.
///
/// There is one by default, and most programs never mention it: every function of this crate works on the
/// node of the calling process, or on the [global](Self::global) one outside any process. A program that
/// makes further nodes has further worlds, isolated from each other: a test can have its own, and two nodes
/// in one program can be joined by a [`Carrier`].
///
/// ```
/// use erlang_process::{self as process, Node};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let node = Node::new();
/// let pid = node.run(async { process::current() }).await.unwrap();
/// assert_eq!(pid.unwrap().to_string(), "<0.1.0>");
/// # }
/// ```
///
/// A handle is a reference: clones are the same node.
///
/// Counterpart: an Erlang node.
#[derive(Clone)]
pub struct Node(
    /// `None` is the global node: its handles are free, and no counter is shared by all processes.
    Option<Arc<Tables>>,
);

// No code of the user's runs while anything of a node is half done.
impl UnwindSafe for Node {}
impl RefUnwindSafe for Node {}

/// The tables of the node that all share who do not make their own.
static GLOBAL: StaticOnceLock<Tables> = StaticOnceLock::new();

struct Tables {
    processes: Table,
    names: Names,
    references: AtomicU64,
    carrier: OnceLock<Box<dyn Carrier>>,
    exposed: Mutex<FxHashMap<TypeId, Expose>>,
    known: Mutex<Known>,
    far_monitors: Arc<FarMonitors>,
    /// One clock for each runtime that timers were set on.
    clocks: Mutex<Vec<(rt::Id, Arc<Clock>)>>,
    listeners: Arc<Listeners<NodeEvent>>,
    observers: Arc<Observers>,
}

impl Tables {
    fn new() -> Self {
        Self {
            processes: Table::new(),
            names: Names::new(),
            references: AtomicU64::new(1),
            carrier: OnceLock::new(),
            exposed: Mutex::default(),
            known: Mutex::default(),
            far_monitors: FarMonitors::new(),
            clocks: Mutex::default(),
            listeners: Listeners::new(),
            observers: Arc::new(Observers::new()),
        }
    }
}

type Expose = Arc<dyn Fn(&Place, Key, Body) -> Result<(), InjectError> + Send + Sync>;
type Body = Box<dyn Any + Send>;

/// The other nodes that this one has heard of. It stores them for a carrier and knows nothing else of them.
#[derive(Default)]
struct Known {
    /// The numbers of each name, by creation.
    ids: FxHashMap<Arc<str>, FxHashMap<u32, NodeId>>,
    names: FxHashMap<NodeId, (Arc<str>, u32)>,
    /// The last number that was given.
    last: u32,
    /// Those that have been announced to be up.
    up: BTreeSet<NodeId>,
}

/// How many other nodes, counted with their restarts, a node can know at a time.
const KNOWN_NODES: usize = 65_536;

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl Node {
    /// A new node without processes.
    ///
    /// ```
    /// use erlang_process::{self as process, Name, Node};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Nobody on the other node is found by this name.
    /// let node = Node::new();
    /// let name = Name::<()>::new("board");
    /// node.run(async move { process::register(process::current().unwrap(), name) }).await??;
    /// assert_eq!(Node::global().whereis(name), None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self(Some(Arc::new(Tables::new())))
    }

    /// The node that all share who do not make their own.
    ///
    /// ```
    /// use erlang_process::{self as process, Node};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// // Outside any process, so on the global node.
    /// let pid = process::spawn(std::future::pending::<()>());
    /// assert!(Node::global().is_alive(pid));
    /// assert!(!Node::new().is_alive(pid));
    /// # }
    /// ```
    #[must_use]
    pub fn global() -> Self {
        Self(None)
    }

    /// The node of the calling process, or the global one outside any process.
    ///
    /// ```
    /// use erlang_process::Node;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // The node of the process that asks; the global one outside any.
    /// assert!(Node::current().is(&Node::global()));
    /// let node = Node::new();
    /// let same = node.clone();
    /// assert!(node.run(async move { Node::current().is(&same) }).await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `node/0`.
    #[must_use]
    pub fn current() -> Self {
        scope::with(|scope| scope.cell.head().node.clone()).unwrap_or_else(Self::global)
    }

    /// Whether both are the same node.
    ///
    /// ```
    /// use erlang_process::Node;
    ///
    /// let node = Node::new();
    /// assert!(node.is(&node.clone()));
    /// assert!(!node.is(&Node::new()));
    /// ```
    #[must_use]
    #[inline]
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(tables), Some(others)) => Arc::ptr_eq(tables, others),
            _ => false,
        }
    }

    /// A reference that this node has not made before.
    ///
    /// ```
    /// use erlang_process::Node;
    ///
    /// let node = Node::new();
    /// assert_ne!(node.reference(), node.reference());
    /// ```
    ///
    /// Counterpart: `make_ref/0`, `reference.new` in Gleam.
    #[must_use]
    pub fn reference(&self) -> Reference {
        self.make_reference(None)
    }

    pub(crate) fn make_reference(&self, owner: Option<Pid>) -> Reference {
        Reference::here(self.next_number(), owner)
    }

    /// A number that this node has not given before.
    pub(crate) fn next_number(&self) -> u64 {
        self.tables().references.fetch_add(1, Ordering::Relaxed)
    }

    fn tables(&self) -> &Tables {
        match &self.0 {
            None => GLOBAL.get_or_init(Tables::new),
            Some(tables) => tables,
        }
    }

    /// The clock of the runtime that the caller runs on.
    pub(crate) fn clock(&self) -> Arc<Clock> {
        let runtime = rt::id();
        if let Some(clock) = self.running_clock(runtime) {
            return clock;
        }
        // Started without the lock, as that wakes the runtime. If another thread was first, this one ends.
        let clock = Clock::start();
        let gone = {
            let mut clocks = self.tables().clocks.lock();
            let first = clocks.iter().find(|(id, first)| *id == runtime && !first.is_stopped());
            if let Some(first) = first.map(|(_, first)| first.clone()) {
                drop(clocks);
                return first;
            }
            let all = std::mem::take(&mut *clocks);
            let (gone, running) = all.into_iter().partition::<Vec<_>, _>(|(_, clock)| clock.is_stopped());
            *clocks = running;
            clocks.push((runtime, clock.clone()));
            gone
        };
        drop(gone);
        clock
    }

    fn running_clock(&self, runtime: rt::Id) -> Option<Arc<Clock>> {
        let clocks = self.tables().clocks.lock();
        let running = clocks.iter().find(|(id, clock)| *id == runtime && !clock.is_stopped());
        running.map(|(_, clock)| clock.clone())
    }

    pub(crate) fn table(&self) -> &Table {
        &self.tables().processes
    }

    pub(crate) fn names(&self) -> &Names {
        &self.tables().names
    }

    pub(crate) fn observers(&self) -> &Arc<Observers> {
        &self.tables().observers
    }

    pub(crate) fn find(&self, pid: Pid) -> Option<Process> {
        if pid.node().is_here() { self.tables().processes.find(pid) } else { None }
    }

    /// All processes of this node that are alive, oldest first.
    ///
    /// ```
    /// use erlang_process::{self as process, Node};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let own = process::current().unwrap();
    /// assert!(Node::current().processes().contains(&own));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `processes/0`.
    #[must_use]
    pub fn processes(&self) -> Vec<Pid> {
        self.tables().processes.alive()
    }

    /// Whether this process lives: false as soon as a reason for its end is decided, and for processes of
    /// other nodes.
    ///
    /// ```
    /// use erlang_process::{ExitReason, Node, Signal, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::new();
    /// let pid = Spawn::new().on(&node).spawn(std::future::pending::<()>())?;
    /// assert!(node.is_alive(pid));
    /// // At once, though it has yet to end.
    /// node.signal(None, pid, Signal::Exit { reason: ExitReason::Kill, link: false });
    /// assert!(!node.is_alive(pid));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `is_process_alive/1`.
    #[must_use]
    pub fn is_alive(&self, pid: Pid) -> bool {
        self.find(pid).is_some_and(|process| process.head().is_alive())
    }

    /// What can be seen of a process of this node from outside; `None` once it is dead.
    ///
    /// ```
    /// use erlang_process::{self as process, Node, Status};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let pid = process::spawn(std::future::pending::<()>());
    /// tokio::task::yield_now().await;
    /// let info = Node::current().info(pid).unwrap();
    /// assert_eq!((info.parent, info.status), (process::current(), Status::Waiting));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process_info/1`.
    #[must_use]
    pub fn info(&self, pid: Pid) -> Option<Info> {
        Info::of(&self.find(pid)?)
    }

    /// Gives a process of this node a name, see [`register`](crate::register).
    ///
    /// ```
    /// use erlang_process::{Name, Node, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (node, name) = (Node::new(), Name::<u32>::new("stock"));
    /// let pid = Spawn::new().on(&node).spawn(std::future::pending::<()>())?;
    /// node.register(pid, name)?;
    /// assert_eq!(node.whereis(name), Some(pid));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`register`](crate::register).
    pub fn register<M: Send + 'static>(&self, pid: Pid, name: Name<M>) -> Result<(), RegisterError> {
        let process = self.find(pid).ok_or(RegisterError::NoProc)?;
        self.tables().names.register(&process, name.registered_name(), TypeId::of::<M>())
    }

    /// Takes a name from whoever holds it, see [`unregister`](crate::unregister).
    ///
    /// ```
    /// use erlang_process::{Name, Node, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (node, name) = (Node::new(), Name::<u32>::new("stock"));
    /// let pid = Spawn::new().on(&node).named(name).spawn(std::future::pending::<()>())?;
    /// node.unregister(name)?;
    /// // It lives, without a name.
    /// assert_eq!((node.is_alive(pid), node.whereis(name)), (true, None));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`unregister`](crate::unregister).
    pub fn unregister(&self, name: impl Into<RegisteredName>) -> Result<(), NotRegistered> {
        self.tables().names.unregister(name.into())
    }

    /// The process of this node that holds the name.
    ///
    /// ```
    /// use erlang_process::{Name, Node, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (node, name) = (Node::new(), Name::<u32>::new("stock"));
    /// let pid = Spawn::new().on(&node).named(name).spawn(std::future::pending::<()>())?;
    /// assert_eq!(node.whereis(name), Some(pid));
    /// // Each node has names of its own.
    /// assert_eq!(Node::global().whereis(name), None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `whereis/1`, `process.named` in Gleam.
    #[must_use]
    pub fn whereis(&self, name: impl Into<RegisteredName>) -> Option<Pid> {
        self.tables().names.whereis(name.into())
    }

    /// The name that is held on this node and reads like this, as it [prints](RegisteredName): for those who have
    /// it from outside the program, such as carriers and debuggers. Names that nobody holds are not found, so that
    /// what comes from outside makes none.
    ///
    /// ```
    /// use erlang_process::{Name, Node, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), erlang_process::RegisterError> {
    /// let node = Node::new();
    /// let stock = Name::<u32>::fixed("stock");
    /// let pid = Spawn::new().on(&node).named(stock).spawn(std::future::pending::<()>())?;
    ///
    /// let name = node.existing_name("stock").unwrap();
    /// assert_eq!((name, node.whereis(name)), (stock.registered_name(), Some(pid)));
    /// assert_eq!(node.existing_name("flow"), None);
    /// # Ok(()) }
    /// ```
    ///
    /// Counterpart: `binary_to_existing_atom/1`.
    #[must_use]
    pub fn existing_name(&self, text: &str) -> Option<RegisteredName> {
        self.tables().names.existing(text)
    }

    /// The subject of a name as this node knows it, see [`Name::subject`].
    ///
    /// ```
    /// use erlang_process::{Name, Node, Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // From outside the node, where the name is nobody's.
    /// let (node, name) = (Node::new(), Name::<u32>::new("stock"));
    /// let stock = Spawn::new().on(&node).named(name).prepare(|stock: Subject<u32>| async move {
    ///     assert_eq!(stock.receive_forever().await, Ok(7));
    /// })?;
    /// node.subject(name).send(7);
    /// let ended = stock.ended();
    /// stock.start();
    /// assert!(ended.await.is_orderly());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subject<M: Send + 'static>(&self, name: Name<M>) -> Subject<M> {
        Subject::named(self.clone(), name.registered_name())
    }

    /// A subject that reaches a process of this node by its pid, see [`Subject::to_pid`].
    ///
    /// ```
    /// use erlang_process::{Node, Selector, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::new();
    /// let pid = Spawn::new().on(&node).spawn(async {
    ///     let mut texts = Selector::new().select_raw(|text: &str| text);
    ///     assert_eq!(texts.receive_forever().await, Ok("from another node"));
    /// })?;
    /// let ended = node.join(pid);
    /// node.subject_to(pid).unwrap().send("from another node");
    /// assert!(ended.await.is_orderly());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subject_to<M: Send + 'static>(&self, pid: Pid) -> Option<Subject<M>> {
        Some(Subject::raw(self.find(pid)?))
    }

    /// All names that are held on this node, that of the oldest process first.
    ///
    /// ```
    /// use erlang_process::{self as process, Name, Node};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let name = Name::<()>::new("listed");
    /// process::register(process::current().unwrap(), name)?;
    /// assert!(Node::current().registered().contains(&name.registered_name()));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `registered/0`.
    #[must_use]
    pub fn registered(&self) -> Vec<RegisteredName> {
        self.tables().names.all()
    }

    /// Sends a signal: the one door through which everything travels that is not a typed message to a
    /// subject. What it does here it has done when this returns; what goes to another node is handed to the
    /// [`Carrier`].
    ///
    /// This is what the functions of this crate are made of, and where a carrier puts in what arrives from
    /// afar. `from` is the process that sends, or `None` for code outside any process.
    ///
    /// A signal that finds nobody is answered in place of the dead: a monitor with a down, a link with an
    /// exit, an unlink with its acknowledgement, the reason being `noproc`, or `noconnection` when there is
    /// no way to the node. A message is dropped.
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason, Node, Signal};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// // What `kill` does.
    /// let pid = process::spawn_unlinked(std::future::pending::<()>());
    /// let kill = Signal::Exit { reason: ExitReason::Kill, link: false };
    /// Node::current().signal(process::current(), pid, kill);
    /// assert!(!process::is_alive(pid));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn signal(&self, from: Option<Pid>, to: impl Into<Dest>, signal: Signal) {
        let to = to.into();
        if let Err((signal, reason)) = self.route(from, to, signal) {
            self.answer_for_the_dead(from, to, signal, reason);
        }
    }

    fn route(&self, from: Option<Pid>, to: Dest, signal: Signal) -> Result<(), (Signal, ExitReason)> {
        if !to.node().is_here() {
            let Some(carrier) = self.tables().carrier.get() else {
                return Err((signal, ExitReason::NoConnection));
            };
            return carrier
                .deliver(from, to, signal)
                .map_err(|Undelivered(signal)| (signal, ExitReason::NoConnection));
        }
        match self.receiver(from, to, &signal) {
            Some(process) => process.deliver(from, to, signal).map_err(|signal| (signal, ExitReason::NoProc)),
            None => Err((signal, ExitReason::NoProc)),
        }
    }

    /// The destination that means the same process for ever which this one means now; of this node that is a
    /// pid, and where there is no process, the pid of none.
    pub(crate) fn pin(&self, to: Dest) -> Dest {
        match to {
            Dest::Name(..) | Dest::Alias(_) if to.node().is_here() => {
                let process =
                    self.resolve(to).filter(|process| process.with(|control, _| control.is_open(to)));
                process.map_or(Pid::OUTSIDE, |process| process.head().pid).into()
            }
            to => to,
        }
    }

    /// The process of this node that this signal goes to.
    fn receiver(&self, from: Option<Pid>, to: Dest, signal: &Signal) -> Option<Process> {
        let from_afar = from.is_some_and(|from| !from.node().is_here());
        match (signal, to) {
            (Signal::Monitor { reference, .. }, Dest::Name(..)) if from_afar => {
                let process = self.resolve(to)?;
                self.tables().far_monitors.enter(&process, *reference);
                Some(process)
            }
            // It may have been asked of a name and be taken back by pid, but not the other way round. By its reference, not
            // by who takes it back: a carrier may not say on whose behalf it does.
            (Signal::Demonitor(reference), _) if from_afar || !reference.node().is_here() => {
                self.tables().far_monitors.leave(*reference).or_else(|| match to {
                    Dest::Name(..) => None,
                    Dest::Pid(_) | Dest::Alias(_) => self.resolve(to),
                })
            }
            _ => self.resolve(to),
        }
    }

    /// The process of this node that a signal to this destination goes to.
    fn resolve(&self, to: Dest) -> Option<Process> {
        match to {
            Dest::Pid(pid) => self.find(pid),
            Dest::Name(name, _) => Some(self.tables().names.find(name)?.0),
            Dest::Alias(alias) => self.find(alias.owner()?),
        }
    }

    /// The same, with the key and the type of the messages that it takes by this destination.
    fn resolve_typed(&self, to: Dest) -> Option<(Process, Key, TypeId)> {
        if !to.node().is_here() {
            return None;
        }
        if let Dest::Name(name, _) = to {
            let (process, message) = self.tables().names.find(name)?;
            let key = if process.message_type() == message { Key::Own } else { Key::Name(name) };
            return Some((process, key, message));
        }
        let process = self.resolve(to)?;
        let message = process.message_type();
        Some((process, if let Dest::Alias(alias) = to { Key::Alias(alias) } else { Key::Own }, message))
    }

    pub(crate) fn answer_for_the_dead(
        &self,
        from: Option<Pid>,
        to: Dest,
        signal: Signal,
        reason: ExitReason,
    ) {
        let Some(sender) = from else { return };
        let dead = match to {
            Dest::Pid(pid) => Some(pid),
            Dest::Name(..) | Dest::Alias(_) => None,
        };
        let answer = match signal {
            Signal::Monitor { reference, target } => Signal::Down { reference, target, reason },
            Signal::Link => Signal::Exit { reason, link: true },
            Signal::Unlink(id) => Signal::UnlinkAck(id),
            Signal::Message(_)
            | Signal::PriorityMessage(_)
            | Signal::UnlinkAck(_)
            | Signal::Exit { .. }
            | Signal::PriorityExit { .. }
            | Signal::Demonitor(_)
            | Signal::Down { .. } => return,
        };
        self.signal(dead, sender, answer);
    }

    // Other nodes

    /// Sets the carrier that takes signals to other nodes. It can be set once.
    ///
    /// ```
    /// use erlang_process::{Carrier, Dest, Node, NodeId, Pid, Signal, Undelivered};
    /// use std::task::{Context, Poll};
    ///
    /// // Knows no way to anywhere.
    /// struct Nowhere;
    ///
    /// impl Carrier for Nowhere {
    ///     fn deliver(&self, _: Option<Pid>, _: Dest, signal: Signal) -> Result<(), Undelivered> {
    ///         Err(Undelivered(signal))
    ///     }
    ///
    ///     fn poll_ready(&self, _: NodeId, _: &mut Context<'_>) -> Poll<()> {
    ///         Poll::Ready(())
    ///     }
    /// }
    ///
    /// let node = Node::new();
    /// assert!(node.set_carrier(Box::new(Nowhere)).is_ok());
    /// assert!(node.set_carrier(Box::new(Nowhere)).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// Gives the carrier back if the node has one.
    pub fn set_carrier(&self, carrier: Box<dyn Carrier>) -> Result<(), Box<dyn Carrier>> {
        self.tables().carrier.set(carrier)
    }

    /// Ready when the way to this node takes more, as the [`Carrier`] says, which is to say so of nodes that cannot be
    /// reached: what is sent to them is dropped. Always ready for this node itself, and without a carrier.
    ///
    /// ```
    /// use erlang_process::{self as process, Node, Selector, Signal};
    /// use std::future::poll_fn;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// // Before it sends much to whoever asks, a process heeds the way there. That to one of its own node takes anything.
    /// let (node, reader) = (Node::current(), process::current().unwrap());
    /// for page in 1..=3_u32 {
    ///     poll_fn(|cx| node.poll_ready(reader.node(), cx)).await;
    ///     node.signal(process::current(), reader, Signal::Message(Box::new(page)));
    /// }
    /// let mut pages = Selector::new().select_raw(|page: u32| page);
    /// assert_eq!(pages.receive_forever().await?, 1);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn poll_ready(&self, node: NodeId, cx: &mut Context<'_>) -> Poll<()> {
        match self.tables().carrier.get() {
            Some(carrier) if !node.is_here() => carrier.poll_ready(node, cx),
            _ => Poll::Ready(()),
        }
    }

    /// Waits until the way to this node takes more, see [`poll_ready`](Self::poll_ready).
    ///
    /// ```
    /// use erlang_process::{self as process, Dest, Name, Node};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::current();
    /// let sea = node.node_id("ship@sea", 1)?;
    /// let log = Dest::Name(Name::<String>::fixed("log").registered_name(), sea);
    /// node.ready(sea).await;
    /// process::send(log, "land in sight".to_owned());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// Counterpart: that the sender is suspended when the buffer of a connection is full.
    pub async fn ready(&self, node: NodeId) {
        poll_fn(|cx| self.poll_ready(node, cx)).await;
    }

    /// The number by which this node knows another one: the same for the same name and creation, which
    /// tells a node from its earlier incarnations.
    ///
    /// ```
    /// use erlang_process::Node;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::new();
    /// let id = node.node_id("ship@sea", 1)?;
    /// assert_eq!(node.node_id("ship@sea", 1)?, id);
    /// // The same ship, started again.
    /// assert_ne!(node.node_id("ship@sea", 2)?, id);
    /// assert_eq!(node.node_name(id).unwrap().1, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`TooManyNodes`] while 65,536 are known and not [forgotten](Self::forget_node): what arrives from outside must not
    /// fill the memory.
    pub fn node_id(&self, name: &str, creation: u32) -> Result<NodeId, TooManyNodes> {
        let known = &mut *self.tables().known.lock();
        if let Some(id) = known.ids.get(name).and_then(|creations| creations.get(&creation)) {
            return Ok(*id);
        }
        if known.names.len() == KNOWN_NODES {
            return Err(TooManyNodes);
        }
        known.last = known.last.checked_add(1).ok_or(TooManyNodes)?;
        let id = NodeId(known.last);
        let name = known.ids.get_key_value(name).map_or_else(|| Arc::from(name), |(name, _)| name.clone());
        known.ids.entry(name.clone()).or_default().insert(creation, id);
        known.names.insert(id, (name, creation));
        Ok(id)
    }

    /// Forgets a node that will not come back, so that another one can be known in its place. For carriers: when a node has
    /// been started anew, its earlier incarnation is one. Returns whether it was known.
    ///
    /// Its number is not given again, so pids with it stay what they are. If the same name and creation come nevertheless,
    /// they are another node with a number of its own.
    ///
    /// ```
    /// use erlang_process::Node;
    ///
    /// let node = Node::new();
    /// let ship = node.node_id("ship@sea", 1)?;
    /// assert!(node.forget_node(ship));
    /// assert_eq!(node.node_name(ship), None);
    /// assert_ne!(node.node_id("ship@sea", 1)?, ship);
    /// # Ok::<_, erlang_process::TooManyNodes>(())
    /// ```
    #[allow(clippy::must_use_candidate)]
    pub fn forget_node(&self, node: NodeId) -> bool {
        let known = &mut *self.tables().known.lock();
        let Some((name, creation)) = known.names.remove(&node) else { return false };
        known.up.remove(&node);
        if let Some(creations) = known.ids.get_mut(&name) {
            creations.remove(&creation);
            if creations.is_empty() {
                known.ids.remove(&name);
            }
        }
        true
    }

    /// The nodes that can be reached: those of which the last [announcement](Self::announce) was that they are up.
    ///
    /// Who [watches nodes](Self::monitor_nodes) first and then asks for them misses none. He may hear again of one that
    /// he has found here, or that one is down that he has not.
    ///
    /// ```
    /// use erlang_process::{Node, NodeEvent};
    ///
    /// let node = Node::new();
    /// let ship = node.node_id("ship@sea", 1)?;
    /// assert_eq!(node.nodes(), []);
    /// // A carrier says so.
    /// node.announce(NodeEvent::Up(ship));
    /// assert_eq!(node.nodes(), [ship]);
    /// # Ok::<_, erlang_process::TooManyNodes>(())
    /// ```
    ///
    /// Counterpart: `nodes/0`.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        self.tables().known.lock().up.iter().copied().collect()
    }

    /// The name and the creation of a node that this one knows by number; `None` for this node itself and
    /// for numbers that it has not given, or whose node it has [forgotten](Self::forget_node).
    ///
    /// ```
    /// use erlang_process::{Node, NodeId};
    ///
    /// let node = Node::new();
    /// let id = node.node_id("ship@sea", 1)?;
    /// let (name, creation) = node.node_name(id).unwrap();
    /// assert_eq!((&*name, creation), ("ship@sea", 1));
    /// assert_eq!(node.node_name(NodeId::HERE), None);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn node_name(&self, node: NodeId) -> Option<(Arc<str>, u32)> {
        self.tables().known.lock().names.get(&node).cloned()
    }

    /// Tells all who [watch nodes](Self::monitor_nodes) of a node that came or went. For carriers.
    ///
    /// ```
    /// use erlang_process::{Node, NodeEvent, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let node = Node::current();
    /// let events = Subject::new()?;
    /// node.monitor_nodes(&events);
    /// let ship = node.node_id("ship@sea", 1)?;
    /// // The connection is lost.
    /// node.announce(NodeEvent::Down(ship));
    /// assert_eq!(events.receive_forever().await?, NodeEvent::Down(ship));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn announce(&self, event: NodeEvent) {
        {
            let Known { names, up, .. } = &mut *self.tables().known.lock();
            match event {
                NodeEvent::Up(node) => names.contains_key(&node) && up.insert(node),
                NodeEvent::Down(node) => up.remove(&node),
            };
        }
        self.tables().listeners.tell(|| event);
    }

    /// Sends every [`NodeEvent`] to this subject, until its process ends or [stops](Watching::stop) watching. `None` if that
    /// has ended already. Who does this twice is told twice. Of a named subject it is the process that holds the name now.
    ///
    /// ```
    /// use erlang_process::{Node, NodeEvent, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let node = Node::current();
    /// let events = Subject::new()?;
    /// let watching = node.monitor_nodes(&events).unwrap();
    /// // A carrier says so.
    /// let id = node.node_id("ship@sea", 1)?;
    /// node.announce(NodeEvent::Up(id));
    /// assert_eq!(events.receive_forever().await?, NodeEvent::Up(id));
    /// assert!(watching.stop());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `net_kernel:monitor_nodes/1`, where `false` ends all of a process's subscriptions at once.
    pub fn monitor_nodes(&self, subject: &Subject<NodeEvent>) -> Option<Watching> {
        self.tables().listeners.add(subject)
    }

    /// Lets bodies from other nodes reach the processes whose messages are `M`: `convert` turns a body, as
    /// the carrier brings it, into a message, or gives it back. Messages of types that are not exposed
    /// cannot come from outside.
    ///
    /// ```
    /// use erlang_process::{Node, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A carrier brings texts; processes with numbers as messages take them.
    /// let node = Node::new();
    /// node.expose::<u32>(|body| match body.downcast::<String>() {
    ///     Ok(text) => text.parse().map_err(|_| text as _),
    ///     Err(body) => Err(body),
    /// });
    /// node.clone().run(async move {
    ///     let own = erlang_process::spawn_subject(|numbers: Subject<u32>| async move {
    ///         assert_eq!(numbers.receive_forever().await, Ok(42));
    ///     });
    ///     node.inject(own.pid().unwrap(), Box::new("42".to_owned())).unwrap();
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn expose<M: Send + 'static>(
        &self,
        convert: impl Fn(Box<dyn Any + Send>) -> Result<M, Box<dyn Any + Send>> + Send + Sync + 'static,
    ) {
        let expose: Expose = Arc::new(move |place, key, body| {
            let message = convert(body).map_err(InjectError::Refused)?;
            let Place { process, turn } = place;
            let delivered = match key {
                Key::Own => process.push_own(message, *turn).is_ok(),
                // Whether the alias is active is for the process to say.
                Key::Alias(alias) => {
                    process.deliver(None, Dest::Alias(alias), Signal::Message(Box::new(message))).is_ok()
                }
                _ => process.push_other(Box::new(Tagged { key, body: message }), *turn).is_ok(),
            };
            if delivered { Ok(()) } else { Err(InjectError::NoProc) }
        });
        let previous = self.tables().exposed.lock().insert(TypeId::of::<M>(), expose);
        drop(previous);
    }

    /// Puts a message from another node into the mailbox of a process of this one, converted by the function
    /// with which its type is [exposed](Self::expose).
    ///
    /// ```
    /// use erlang_process::{InjectError, Node, Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::new();
    /// let reader = Spawn::new().on(&node).prepare(|_: Subject<u32>| std::future::pending::<()>())?;
    /// let pid = reader.start();
    /// assert!(matches!(node.inject(pid, Box::new(42_u32)), Err(InjectError::NotExposed)));
    ///
    /// node.expose::<u32>(|body| body.downcast().map(|number| *number));
    /// assert!(node.inject(pid, Box::new(42_u32)).is_ok());
    /// assert!(matches!(node.inject(pid, Box::new("forty-two")), Err(InjectError::Refused(_))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InjectError`]: there is no such process, its message type is not exposed, the body is not one, or the
    /// mailbox is [bounded](crate::Bound) and full. One that drops what is too much does so, and that is no error, as it is
    /// for [`Subject::try_send`].
    pub fn inject(&self, to: impl Into<Dest>, body: Box<dyn Any + Send>) -> Result<(), InjectError> {
        let (process, key, expose) = self.exposed(to.into())?;
        put_in(Place::new(process), key, &expose, body)
    }

    /// As [`inject`](Self::inject), and waits for room if the mailbox is [bounded](crate::Bound) and lets senders
    /// [wait](crate::WhenFull::Wait). The process is found before it waits, and the body converted after.
    ///
    /// ```
    /// use erlang_process::{Bound, InjectError, Node, Spawn, Subject, WhenFull};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::new();
    /// node.expose::<u32>(|body| body.downcast().map(|number| *number));
    /// let room = Bound::new(1, WhenFull::Wait);
    /// let reader = Spawn::new().on(&node).mailbox(room).prepare(|numbers: Subject<u32>| async move {
    ///     while numbers.receive_forever().await != Ok(2) {}
    /// })?;
    /// let (pid, ended) = (reader.pid(), reader.ended());
    /// node.inject(pid, Box::new(1_u32))?;
    /// assert!(matches!(node.inject(pid, Box::new(2_u32)), Err(InjectError::Full(_))));
    /// reader.start();
    /// node.inject_wait(pid, Box::new(2_u32)).await?;
    /// assert!(ended.await.is_orderly());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`inject`](Self::inject). If the process ends meanwhile there is none.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the place in the line up; nothing was put in then.
    pub async fn inject_wait(
        &self,
        to: impl Into<Dest>,
        body: Box<dyn Any + Send>,
    ) -> Result<(), InjectError> {
        let (process, key, expose) = self.exposed(to.into())?;
        let mut place = Place::new(process);
        if takes_room(key) {
            place.room().await;
        }
        put_in(place, key, &expose, body)
    }

    fn exposed(&self, to: Dest) -> Result<(Process, Key, Expose), InjectError> {
        let (process, key, message) = self.resolve_typed(to).ok_or(InjectError::NoProc)?;
        let expose = self.tables().exposed.lock().get(&message).cloned().ok_or(InjectError::NotExposed)?;
        Ok((process, key, expose))
    }
}

/// What goes to an alias travels as a signal, which gets in always.
fn takes_room(key: Key) -> bool {
    !matches!(key, Key::Alias(_))
}

/// Keeps room first: once it is converted, a body cannot be given back.
fn put_in(mut place: Place, key: Key, expose: &Expose, body: Body) -> Result<(), InjectError> {
    if !place.process.head().is_bounded() || place.turn.is_some() || !takes_room(key) {
        return expose(&place, key, body);
    }
    match place.take(body) {
        Ok(body) => expose(&place, key, body),
        Err(Unsent { why: Refusal::Dead, .. }) => Err(InjectError::NoProc),
        Err(Unsent { why: Refusal::Full, message }) => Err(InjectError::Full(message)),
        Err(Unsent { why: Refusal::Dropped, .. }) => Ok(()),
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("processes", &self.table().count()).finish_non_exhaustive()
    }
}

/// A node came or went.
///
/// ```
/// use erlang_process::{Node, NodeEvent, Subject};
/// use std::collections::BTreeSet;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let (node, events) = (Node::current(), Subject::new()?);
/// node.monitor_nodes(&events);
/// # let ship = node.node_id("ship@sea", 1)?;
/// # node.announce(NodeEvent::Up(ship));
/// let mut fleet = BTreeSet::new();
/// match events.receive_forever().await? {
///     NodeEvent::Up(id) => fleet.insert(id),
///     NodeEvent::Down(id) => fleet.remove(&id),
///     // There may be more kinds one day.
///     _ => false,
/// };
/// assert_eq!(fleet.len(), 1);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// The node can be reached.
    Up(NodeId),
    /// The node can no longer be reached.
    Down(NodeId),
}

/// A node knows as many other nodes as it can, until it [forgets](Node::forget_node) one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyNodes;

impl fmt::Display for TooManyNodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node table is full")
    }
}

impl std::error::Error for TooManyNodes {}

/// Why a message from outside was not delivered.
#[non_exhaustive]
pub enum InjectError {
    /// There is no such process on this node.
    NoProc,
    /// The process's messages cannot come from outside.
    NotExposed,
    /// The body is not a message of the process's; here it is.
    Refused(Box<dyn Any + Send>),
    /// The process's mailbox is [bounded](crate::Bound) and full; here is the body.
    Full(Box<dyn Any + Send>),
}

impl fmt::Display for InjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoProc => "there is no such process",
            Self::NotExposed => "the process's messages are not exposed",
            Self::Refused(_) => "the body is not a message of the process's type",
            Self::Full(_) => "the mailbox of the process is full",
        })
    }
}

impl fmt::Debug for InjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoProc => "NoProc",
            Self::NotExposed => "NotExposed",
            Self::Refused(_) => "Refused(..)",
            Self::Full(_) => "Full(..)",
        })
    }
}

impl std::error::Error for InjectError {}
