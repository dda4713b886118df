//! Two nodes in one program and a connection between them that can be slow, be cut and come back: what a
//! distribution has to be, as small as it can be.
//!
//! It renames what it carries, keeps account of the links and monitors that cross it, and when it is cut it tells
//! each node what that means: so it is also the example that the documentation of `Carrier` asks for.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use erlang_process::{
    Carrier, Dest, Down, ExitMessage, ExitReason, Node, NodeEvent, NodeId, Pid, Reference, Selector, Signal,
    Spawn, Subject, Undelivered, trap_exits,
};

use crate::support::LONG;

/// Which of the two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    A,
    B,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(crate) fn other(self) -> Self {
        if self == Self::A { Self::B } else { Self::A }
    }
}

/// Two nodes and the connection between them, which is up and lets everything through at once.
#[derive(Clone)]
pub(crate) struct Joined {
    pub(crate) a: Node,
    pub(crate) b: Node,
    /// Each knows the other by this.
    pub(crate) other: NodeId,
    connection: Arc<Connection>,
}

struct Connection {
    a: Node,
    b: Node,
    other: NodeId,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    up: bool,
    /// Whether what is sent waits until it is let through.
    slow: bool,
    /// Whether messages go to the types that are exposed, and to nobody else.
    typed: bool,
    a: End,
    b: End,
    refused: Vec<String>,
}

/// One end of the connection.
#[derive(Default)]
struct End {
    /// What is on its way here, as it is named here.
    under_way: VecDeque<Sent>,
    account: Account,
    /// Who waits there until there is room for more.
    waiting: Vec<Waker>,
}

struct Sent {
    from: Option<Pid>,
    to: Dest,
    signal: Signal,
}

/// How many signals there is room for on the way to a node, for those who ask.
pub(crate) const ROOM: usize = 4;

impl State {
    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}

/// The relations of the processes of one node with those of the other, as that node has it: the first of two pids is
/// always its own.
#[derive(Default)]
struct Account {
    links: HashSet<(Pid, Pid)>,
    /// Unlinks from here that are not acknowledged.
    unlinks: HashMap<(Pid, Pid), u64>,
    /// Monitors of processes there by this one here.
    watching: HashMap<Reference, (Pid, Dest, Dest)>,
    /// Monitors of processes here by that one there.
    watched: HashMap<Reference, (Pid, Dest)>,
}

impl Account {
    fn sent(&mut self, Sent { from, to, signal }: &Sent) {
        let Some(from) = *from else { return };
        match (signal, *to) {
            (Signal::Link, Dest::Pid(to)) => drop(self.links.insert((from, to))),
            (Signal::Unlink(id), Dest::Pid(to)) => {
                self.links.remove(&(from, to));
                self.unlinks.insert((from, to), *id);
            }
            (Signal::Exit { link: true, .. }, Dest::Pid(to)) => drop(self.links.remove(&(from, to))),
            (Signal::Monitor { reference, target }, to) => {
                self.watching.insert(*reference, (from, to, *target));
            }
            (Signal::Demonitor(reference), _) => drop(self.watching.remove(reference)),
            (Signal::Down { reference, .. }, _) => drop(self.watched.remove(reference)),
            _ => {}
        }
    }

    fn got(&mut self, Sent { from, to, signal }: &Sent) {
        // The end of a name's holder comes from nobody.
        if let Signal::Down { reference, .. } = signal {
            self.watching.remove(reference);
        }
        let Some(from) = *from else { return };
        match (signal, *to) {
            (Signal::Link, Dest::Pid(to)) => drop(self.links.insert((to, from))),
            (Signal::Unlink(_) | Signal::Exit { link: true, .. }, Dest::Pid(to)) => {
                self.links.remove(&(to, from));
            }
            (Signal::UnlinkAck(id), Dest::Pid(to)) if self.unlinks.get(&(to, from)) == Some(id) => {
                self.unlinks.remove(&(to, from));
            }
            (Signal::Monitor { reference, .. }, to) => drop(self.watched.insert(*reference, (from, to))),
            (Signal::Demonitor(reference), _) => drop(self.watched.remove(reference)),
            _ => {}
        }
    }

    /// What it means that the connection is lost, as signals to those who are here.
    fn lost(self) -> Vec<Sent> {
        let reason = || ExitReason::NoConnection;
        let exits = self.links.into_iter().map(|(here, there)| Sent {
            from: Some(there),
            to: here.into(),
            signal: Signal::Exit { reason: reason(), link: true },
        });
        let acknowledged = self.unlinks.into_iter().map(|((here, there), id)| Sent {
            from: Some(there),
            to: here.into(),
            signal: Signal::UnlinkAck(id),
        });
        let downs = self.watching.into_iter().map(|(reference, (here, there, target))| Sent {
            from: if let Dest::Pid(there) = there { Some(there) } else { None },
            to: here.into(),
            signal: Signal::Down { reference, target, reason: reason() },
        });
        let demonitors = self.watched.into_iter().map(|(reference, (there, here))| Sent {
            from: Some(there),
            to: here,
            signal: Signal::Demonitor(reference),
        });
        exits.chain(acknowledged).chain(downs).chain(demonitors).collect()
    }
}

impl Connection {
    fn node(&self, side: Side) -> &Node {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    // What is here for the sender is there for the receiver, and the other way round: the two call each other by the
    // same number.

    fn turned(&self, node: NodeId) -> NodeId {
        if node.is_here() { self.other } else { NodeId::HERE }
    }

    fn pid(&self, pid: Pid) -> Pid {
        Pid::from_parts(self.turned(pid.node()), pid.id(), pid.serial())
    }

    fn reference(&self, reference: Reference) -> Reference {
        Reference::from_words(self.turned(reference.node()), reference.words()).unwrap()
    }

    fn dest(&self, dest: Dest) -> Dest {
        match dest {
            Dest::Pid(pid) => Dest::Pid(self.pid(pid)),
            Dest::Name(name, node) => Dest::Name(name, self.turned(node)),
            Dest::Alias(alias) => Dest::Alias(self.reference(alias)),
        }
    }

    fn renamed(&self, Sent { from, to, signal }: Sent) -> Sent {
        let signal = match signal {
            Signal::Monitor { reference, target } => {
                Signal::Monitor { reference: self.reference(reference), target: self.dest(target) }
            }
            Signal::Demonitor(reference) => Signal::Demonitor(self.reference(reference)),
            Signal::Down { reference, target, reason } => {
                Signal::Down { reference: self.reference(reference), target: self.dest(target), reason }
            }
            other => other,
        };
        Sent { from: from.map(|pid| self.pid(pid)), to: self.dest(to), signal }
    }

    /// Takes a signal from one node on its way to the other.
    fn send(&self, side: Side, sent: Sent) -> Result<(), Undelivered> {
        let arriving = {
            let mut state = self.state.lock().unwrap();
            // An earlier incarnation of the node has another number.
            if !state.up || sent.to.node() != self.other {
                return Err(Undelivered(sent.signal));
            }
            state.end(side).account.sent(&sent);
            let sent = self.renamed(sent);
            if state.slow {
                state.end(side.other()).under_way.push_back(sent);
                return Ok(());
            }
            state.end(side.other()).account.got(&sent);
            sent
        };
        self.arrive(side.other(), arriving);
        Ok(())
    }

    /// Brings the oldest signal on its way to this node there. Whether there was one.
    fn let_through(&self, side: Side) -> bool {
        let (sent, waiting) = {
            let mut state = self.state.lock().unwrap();
            let end = state.end(side);
            let Some(sent) = end.under_way.pop_front() else { return false };
            end.account.got(&sent);
            (sent, std::mem::take(&mut end.waiting))
        };
        waiting.into_iter().for_each(Waker::wake);
        self.arrive(side, sent);
        true
    }

    fn arrive(&self, side: Side, Sent { from, to, signal }: Sent) {
        let node = self.node(side);
        match signal {
            Signal::Message(body) if self.state.lock().unwrap().typed => {
                if let Err(error) = node.inject(to, body) {
                    self.state.lock().unwrap().refused.push(error.to_string());
                }
            }
            signal => node.signal(from, to, signal),
        }
    }

    fn cut(&self) {
        let (lost, waiting) = {
            let mut state = self.state.lock().unwrap();
            // In one step with the account: what is sent after this bounces, what was sent before is in it.
            assert!(std::mem::take(&mut state.up), "it is up");
            let ends = Side::BOTH.map(|side| std::mem::take(state.end(side)));
            let [a, b] = ends;
            ([(Side::A, a.account.lost()), (Side::B, b.account.lost())], [a.waiting, b.waiting].concat())
        };
        waiting.into_iter().for_each(Waker::wake);
        for (side, lost) in lost {
            for Sent { from, to, signal } in lost {
                self.node(side).signal(from, to, signal);
            }
            self.node(side).announce(NodeEvent::Down(self.other));
        }
    }
}

/// The carrier of one of the two nodes.
struct Wire {
    side: Side,
    connection: Weak<Connection>,
}

impl Carrier for Wire {
    fn deliver(&self, from: Option<Pid>, to: Dest, signal: Signal) -> Result<(), Undelivered> {
        let Some(connection) = self.connection.upgrade() else { return Err(Undelivered(signal)) };
        connection.send(self.side, Sent { from, to, signal })
    }

    fn poll_ready(&self, _: NodeId, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = self.connection.upgrade() else { return Poll::Ready(()) };
        let mut state = connection.state.lock().unwrap();
        let up = state.up;
        let end = state.end(self.side.other());
        if !up || end.under_way.len() < ROOM {
            return Poll::Ready(());
        }
        end.waiting.push(cx.waker().clone());
        Poll::Pending
    }
}

impl Joined {
    pub(crate) fn new() -> Self {
        let (a, b) = (Node::new(), Node::new());
        let (in_a, in_b) = (a.node_id("b", 1).unwrap(), b.node_id("a", 1).unwrap());
        assert_eq!(in_a, in_b);
        let state = State { up: true, ..State::default() };
        let connection =
            Arc::new(Connection { a: a.clone(), b: b.clone(), other: in_a, state: Mutex::new(state) });
        for (node, side) in [(&a, Side::A), (&b, Side::B)] {
            let wire = Wire { side, connection: Arc::downgrade(&connection) };
            assert!(node.set_carrier(Box::new(wire)).is_ok());
        }
        Self { a, b, other: in_a, connection }
    }

    pub(crate) fn node(&self, side: Side) -> &Node {
        self.connection.node(side)
    }

    /// How one node knows a process of the other.
    pub(crate) fn there(&self, pid: Pid) -> Pid {
        Pid::from_parts(self.other, pid.id(), pid.serial())
    }

    /// How one node knows a reference of the other.
    pub(crate) fn reference_there(&self, reference: Reference) -> Reference {
        Reference::from_words(self.other, reference.words()).unwrap()
    }

    /// A process of the other node that does nothing; as that knows it, and as this one does.
    pub(crate) fn idle(&self) -> (Pid, Pid) {
        let pid = Spawn::new().on(&self.b).spawn(pending::<()>()).unwrap();
        (pid, self.there(pid))
    }

    /// From now on signals are on their way until they are [let through](Self::arrive).
    pub(crate) fn slow(&self) {
        self.connection.state.lock().unwrap().slow = true;
    }

    /// How many signals are on their way to this node.
    pub(crate) fn under_way_to(&self, side: Side) -> usize {
        self.connection.state.lock().unwrap().end(side).under_way.len()
    }

    /// Lets the oldest signal on its way to this node through. Whether there was one.
    pub(crate) fn arrive(&self, side: Side) -> bool {
        self.connection.let_through(side)
    }

    /// Lets everything through, and all that comes of it, until all is at rest.
    pub(crate) async fn arrive_all(&self) {
        loop {
            rest().await;
            let any = Side::BOTH.map(|side| self.under_way_to(side) > 0);
            for side in Side::BOTH {
                while self.arrive(side) {}
            }
            if any == [false; 2] {
                return;
            }
        }
    }

    /// Ends the connection: what is on its way is lost, and both nodes learn what it means.
    pub(crate) fn cut(&self) {
        self.connection.cut();
    }

    /// Connects the two anew.
    pub(crate) fn reconnect(&self) {
        // Who hears of the node first hears that it is there.
        for side in Side::BOTH {
            self.node(side).announce(NodeEvent::Up(self.other));
        }
        self.connection.state.lock().unwrap().up = true;
    }

    /// From now on messages reach only what is exposed to them.
    pub(crate) fn typed(&self) {
        self.connection.state.lock().unwrap().typed = true;
    }

    /// Why messages were not delivered since the last time.
    pub(crate) fn refused(&self) -> Vec<String> {
        std::mem::take(&mut self.connection.state.lock().unwrap().refused)
    }
}

/// Lets everyone act until nobody has anything to do: while the clock is paused time passes only then.
pub(crate) async fn rest() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A process that does what it is told and notes what it hears.
pub(crate) struct Puppet {
    pub(crate) pid: Pid,
    node: Node,
    jobs: Subject<Job>,
    heard: Arc<Mutex<Vec<Heard>>>,
    ended: Mutex<Option<Pin<Box<dyn Future<Output = ExitReason> + Send>>>>,
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Exit(Pid, ExitReason),
    Down(Reference, Dest, ExitReason),
    Message(&'static str),
    Node(NodeEvent),
}

impl Puppet {
    pub(crate) fn new(node: &Node, trapping: bool) -> Self {
        let heard = Arc::<Mutex<Vec<_>>>::default();
        let note = heard.clone();
        let prepared = Spawn::new().on(node).unlinked().prepare(|jobs: Subject<Job>| async move {
            trap_exits(trapping).unwrap();
            let events = Subject::to_pid(erlang_process::current().unwrap()).unwrap();
            let mut all = Selector::new()
                .select(&jobs, |job| {
                    job();
                    None
                })
                .select(&events, |event| Some(Heard::Node(event)))
                .select_raw(|text| Some(Heard::Message(text)))
                .select_trapped_exits(|ExitMessage { pid, reason }| Some(Heard::Exit(pid, reason)))
                .select_monitors(|Down { monitor, target, reason }| {
                    Some(Heard::Down(monitor.reference(), target, reason))
                })
                // Through an alias.
                .select_other(|mut other| other.take().map(Heard::Message));
            loop {
                let heard = all.receive_forever().await.unwrap();
                note.lock().unwrap().extend(heard);
            }
        });
        let prepared = prepared.unwrap();
        let jobs = prepared.subject();
        let ended = Mutex::new(Some(Box::pin(prepared.ended()) as Pin<Box<_>>));
        Self { pid: prepared.start(), node: node.clone(), jobs, heard, ended }
    }

    /// Has the process do something, which must not end it.
    pub(crate) async fn does<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        self.tries(job).await.unwrap()
    }

    /// Has the process do something. `None` if it ends by that, or has ended.
    pub(crate) async fn tries<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let done = self.jobs.call(LONG, |reply| Box::new(move || reply.send(job())) as Job);
        done.await.ok().filter(|_| self.is_alive())
    }

    /// What it has heard since the last time.
    pub(crate) async fn heard(&self) -> Vec<Heard> {
        self.tries(|| ()).await;
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    /// Ends it.
    pub(crate) async fn ends(&self, reason: ExitReason) {
        self.jobs.send(Box::new(move || erlang_process::exit(reason)));
        self.ended().await;
    }

    /// Waits for its end, once.
    pub(crate) async fn ended(&self) -> ExitReason {
        let ended = self.ended.lock().unwrap().take();
        ended.expect("nobody has waited for it").await
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.node.is_alive(self.pid)
    }

    /// What is known of its relations: links, monitors, watchers.
    pub(crate) fn relations(&self) -> (Vec<Pid>, Vec<Dest>, Vec<Pid>) {
        let info = self.node.info(self.pid).unwrap();
        (info.links, info.monitors, info.monitored_by)
    }
}

/// Two nodes and a process on each.
pub(crate) fn puppets(trapping: bool) -> (Joined, Puppet, Puppet) {
    let joined = Joined::new();
    let (a, b) = (Puppet::new(&joined.a, trapping), Puppet::new(&joined.b, trapping));
    (joined, a, b)
}

/// The relations of who has none.
pub(crate) fn nothing() -> (Vec<Pid>, Vec<Dest>, Vec<Pid>) {
    (vec![], vec![], vec![])
}
