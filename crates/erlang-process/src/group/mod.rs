//! Groups: addresses of any number of processes.
//!
//! A scope is one table behind one lock. What happens to a group and what its subscribers are told of it is one
//! step under that lock: events are put into the mailboxes of the subscribers there, in the order in which
//! things happen, and the subscribers are woken when the lock is released. So a snapshot and the events after
//! it have no gap and no repeat, and who returns from a join or a leave, or hears of an end, knows that every
//! subscriber has the event. The lock of the scope may be held while a process's is taken, never the other way
//! round.
//!
//! Under it the `Eq` and the `Borrow` of groups run and no other code of the user's: groups are hashed before, and groups
//! and members are cloned and dropped after, except that what is shared is counted.

mod aftermath;
mod error;
mod event;
mod monitor;
mod state;
mod table;

use std::{
    borrow::Borrow,
    collections::HashMap,
    fmt,
    hash::{Hash, RandomState},
};

use self::{aftermath::discard_all, monitor::EventsOf, state::Member, table::Table};
pub use self::{
    error::{JoinError, NotJoined},
    event::GroupEvent,
    monitor::GroupMonitor,
};
use crate::{
    keyed::{Keyed, Sought},
    node::Node,
    pid::Pid,
    process::NotAProcess,
    receive,
    subject::Subject,
    sync::{Arc, Mutex},
};

/// A scope of groups: processes that take messages of type `M` join groups that are called by values of type
/// `G`.
///
/// A group is there as long as it has members. A process can join any number of groups, and each any number of
/// times: it is then listed, and gets what is [sent](Self::send), that many times, and leaves as often.
///
/// A scope is a value: whoever has a clone of it uses the same scope. It belongs to a [`Node`], and processes of
/// that node join. Two scopes have nothing to do with each other.
///
/// ```
/// use erlang_process::{self as process, GroupEvent, Groups, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let rooms = Groups::<&str, String>::new();
/// let (monitor, members) = rooms.monitor("kitchen")?;
/// assert!(members.is_empty());
///
/// let (ready, greeting) = (Subject::new()?, Subject::new()?);
/// let guest = process::spawn({
///     let (rooms, ready, greeting) = (rooms.clone(), ready.clone(), greeting.clone());
///     async move {
///         let messages = Subject::new()?;
///         ready.send(rooms.join("kitchen", &messages));
///         greeting.send(messages.receive_forever().await.unwrap_or_default());
///         Ok::<_, process::NotAProcess>(())
///     }
/// });
/// assert_eq!(ready.receive_forever().await, Ok(Ok(())));
///
/// // To all who are in the group.
/// assert_eq!(rooms.members("kitchen"), [guest]);
/// assert_eq!(rooms.send("kitchen", "welcome".to_owned()), 1);
/// assert_eq!(greeting.receive_forever().await.unwrap(), "welcome");
///
/// // Who comes and who goes.
/// let events = monitor.events();
/// assert!(matches!(events.receive_forever().await, Ok(GroupEvent::Joined { .. })));
/// assert!(matches!(events.receive_forever().await, Ok(GroupEvent::Left { .. })));
/// assert!(rooms.members("kitchen").is_empty());
/// # Ok::<_, process::NotAProcess>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # When a process ends
///
/// From the moment at which its reason is decided it is in no group. Before anyone is told of its end, its
/// memberships are gone, each with an event of its own, and its monitors. That costs what the process had,
/// however many groups there are.
///
/// A scope is there as long as anyone has a handle of it, or a monitor. Its members do not keep it.
///
/// # Members are subjects
///
/// What joins is a subject, so that a group takes typed messages; the member is its process. Where groups are
/// only to be listed and monitored, any type of message will do, and
/// [`Subject::to_pid`] makes a member of any pid.
///
/// # When not to use it
///
/// To find the one process that is responsible for something there is [`Registry`](crate::Registry).
///
/// Counterpart: `pg` in Erlang. There a scope is a process, which can be restarted and then has lost its members.
pub struct Groups<G, M> {
    table: Arc<Table<G, M>>,
}

impl<G, M> Groups<G, M>
where
    G: Hash + Eq + Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    /// A new scope without groups, on the node of the calling process.
    ///
    /// ```
    /// use std::sync::LazyLock;
    /// use erlang_process::{Groups, Node};
    ///
    /// // One scope for a whole program. Not `new`: it would be on the node of whoever is the first to use it.
    /// static TOPICS: LazyLock<Groups<String, &str>> = LazyLock::new(|| Groups::on(&Node::global()));
    /// ```
    ///
    /// Counterpart: `pg:start/1`.
    #[must_use]
    pub fn new() -> Self {
        Self::on(&Node::current())
    }

    /// A new scope without groups, on this node.
    ///
    /// ```
    /// use erlang_process::{Groups, JoinError, Node, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let node = Node::new();
    /// let rooms = Groups::<&str, ()>::on(&node);
    /// assert_eq!(rooms.join("kitchen", &Subject::new()?), Err(JoinError::NotLocal));
    ///
    /// // A process of that node can join.
    /// let guests = rooms.clone();
    /// node.run(async move { guests.join("kitchen", &Subject::new().unwrap()) }).await??;
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn on(node: &Node) -> Self {
        let table = Table { node: node.clone(), hasher: RandomState::new(), state: Mutex::default() };
        Self { table: Arc::new(table) }
    }

    /// Makes the process behind a subject a member of a group, in addition to whatever memberships it has. Anyone
    /// may do this. The membership is that process's, also where the subject is that of a name, which may
    /// have another holder later.
    ///
    /// ```
    /// use erlang_process::{self as process, Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let workers = Groups::<&str, u32>::new();
    /// let jobs = Subject::new()?;
    /// workers.join("idle", &jobs)?;
    /// assert_eq!(workers.members("idle"), [process::current().unwrap()]);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`JoinError::NoProc`] if the process is dead, or nobody holds the subject's name;
    /// [`JoinError::NotLocal`] if it is a process of another node.
    ///
    /// # Signals
    ///
    /// Subscribers get one [`GroupEvent::Joined`].
    ///
    /// Counterpart: `pg:join/3`.
    pub fn join(&self, group: G, member: &Subject<M>) -> Result<(), JoinError> {
        self.join_all(group, [member.clone()])
    }

    /// Makes many processes members of a group at once, in this order. A subject that is there twice joins
    /// twice.
    ///
    /// ```
    /// use erlang_process::{Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let workers = Groups::<&str, u32>::new();
    /// workers.join_all("idle", [Subject::new()?, Subject::new()?])?;
    /// assert_eq!(workers.members("idle").len(), 2);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`JoinError::NotLocal`] if one is a process of another node: then none has joined.
    /// [`JoinError::NoProc`] if all are dead; where some live, they join.
    ///
    /// # Signals
    ///
    /// Subscribers get one [`GroupEvent::Joined`] with all of them.
    ///
    /// Counterpart: `pg:join/3` with a list.
    pub fn join_all(&self, group: G, members: impl IntoIterator<Item = Subject<M>>) -> Result<(), JoinError> {
        let (mut asked, mut joining) = (false, Vec::new());
        for subject in members {
            asked = true;
            let Some(process) = subject.process() else { continue };
            if !process.head().node.is(&self.table.node) {
                return Err(JoinError::NotLocal);
            }
            joining.push(Member { process, subject });
        }
        let joined = self.table.join(Keyed::new(&self.table.hasher, group), joining);
        if joined || !asked { Ok(()) } else { Err(JoinError::NoProc) }
    }

    /// Ends one membership of a process in a group, that with the subject that joined last. Anyone may do this.
    ///
    /// ```
    /// use erlang_process::{self as process, Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let workers = Groups::<&str, u32>::new();
    /// let own = process::current().unwrap();
    /// workers.join("idle", &Subject::new()?)?;
    /// workers.leave("idle", own)?;
    /// assert!(workers.leave("idle", own).is_err());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotJoined`] if it is not a member.
    ///
    /// # Signals
    ///
    /// Subscribers get one [`GroupEvent::Left`].
    ///
    /// Counterpart: `pg:leave/3`.
    pub fn leave<Q>(&self, group: &Q, pid: Pid) -> Result<(), NotJoined>
    where
        G: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.leave_all(group, [pid])
    }

    /// Ends memberships of many processes in a group at once: one for each time that the process is there.
    ///
    /// ```
    /// use erlang_process::{self as process, Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let workers = Groups::new();
    /// let worker = || process::spawn_subject(|_: Subject<u32>| std::future::pending::<()>());
    /// workers.join_all("idle", [worker(), worker()])?;
    /// // There is work for everyone.
    /// workers.leave_all("idle", workers.members("idle"))?;
    /// assert!(workers.members("idle").is_empty());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotJoined`] if none of them is a member.
    ///
    /// # Signals
    ///
    /// Subscribers get one [`GroupEvent::Left`] with all who have left.
    ///
    /// Counterpart: `pg:leave/3` with a list.
    pub fn leave_all<Q>(&self, group: &Q, pids: impl IntoIterator<Item = Pid>) -> Result<(), NotJoined>
    where
        G: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let pids: Vec<_> = pids.into_iter().collect();
        let left = self.table.leave(&Sought::new(&self.table.hasher, group), &pids, |_| true);
        if left { Ok(()) } else { Err(NotJoined) }
    }

    /// Ends a membership of this very subject, where its process has joined with several. A subject that is
    /// [mapped](Subject::map) is the same only as its clones.
    ///
    /// ```
    /// use erlang_process::{Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let topics = Groups::<&str, u32>::new();
    /// let (first, second) = (Subject::new()?, Subject::new()?);
    /// topics.join_all("rust", [first.clone(), second.clone()])?;
    /// topics.leave_with("rust", &first)?;
    /// topics.send("rust", 7);
    /// assert_eq!(second.receive_forever().await?, 7);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotJoined`] if the group has no such member.
    ///
    /// Counterpart: none; what joins in `pg` is a pid.
    pub fn leave_with<Q>(&self, group: &Q, member: &Subject<M>) -> Result<(), NotJoined>
    where
        G: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let process = member.process().ok_or(NotJoined)?;
        let is_it = |joined: &Member<M>| {
            Arc::ptr_eq(&joined.process, &process) && joined.subject.is_same_address(member)
        };
        let group = Sought::new(&self.table.hasher, group);
        let left = self.table.leave(&group, &[process.head().pid], is_it);
        if left { Ok(()) } else { Err(NotJoined) }
    }

    /// The members of a group, in the order in which they joined, each as often as it did. Empty if there is no
    /// such group.
    ///
    /// ```
    /// use erlang_process::Groups;
    ///
    /// let rooms = Groups::<&str, ()>::new();
    /// assert!(rooms.members("an empty room").is_empty());
    /// ```
    ///
    /// Counterpart: `pg:get_members/2`.
    #[must_use]
    pub fn members<Q>(&self, group: &Q) -> Vec<Pid>
    where
        G: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.table.members(&Sought::new(&self.table.hasher, group), |member| member.process.head().pid)
    }

    /// The members of a group that are processes of this node: all of them.
    ///
    /// ```
    /// use erlang_process::{self as process, Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let workers = Groups::<&str, u32>::new();
    /// workers.join("idle", &Subject::new()?)?;
    /// assert_eq!(workers.local_members("idle"), [process::current().unwrap()]);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `pg:get_local_members/2`.
    #[must_use]
    pub fn local_members<Q>(&self, group: &Q) -> Vec<Pid>
    where
        G: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.members(group)
    }

    /// The members of a group as the subjects that have joined, in the order in which they did: for those who
    /// choose one among them, or call each.
    ///
    /// ```
    /// use erlang_process::{Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let workers = Groups::<&str, u32>::new();
    /// let jobs = Subject::new()?;
    /// workers.join("idle", &jobs)?;
    /// // One of them, where `send` would take all.
    /// if let Some(worker) = workers.subjects("idle").first() {
    ///     worker.send(7);
    /// }
    /// assert_eq!(jobs.receive_forever().await?, 7);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn subjects<Q>(&self, group: &Q) -> Vec<Subject<M>>
    where
        G: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.table.members(&Sought::new(&self.table.hasher, group), |member| member.subject.clone())
    }

    /// Sends a message to all members of a group, once for each membership. Returns how many took it. Never
    /// blocks, never fails: where a function by which a member's subject is [mapped](Subject::map) panics, that member gets
    /// nothing.
    ///
    /// ```
    /// use erlang_process::{Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let topics = Groups::<&str, &str>::new();
    /// let news = Subject::new()?;
    /// topics.join("rust", &news)?;
    /// assert_eq!(topics.send("rust", "a release"), 1);
    /// assert_eq!(topics.send("cobol", "a release"), 0);
    /// assert_eq!(news.receive_forever().await?, "a release");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Ordering
    ///
    /// The members are those of one moment. What one process sends to a group arrives at each member in the
    /// order in which it was sent, together with whatever else that process sends it.
    ///
    /// Counterpart: `[Pid ! Message || Pid <- pg:get_members(Scope, Group)]`.
    pub fn send<Q>(&self, group: &Q, message: M) -> usize
    where
        G: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        M: Clone,
    {
        let Some(listed) = self.table.listed(&Sought::new(&self.table.hasher, group)) else { return 0 };
        // Not by iterating to the end: the last one gets the message itself.
        let (mut sent, mut message) = (0, Some(message));
        let mut alive = listed.iter().filter(|member| member.is_alive()).peekable();
        while let Some(member) = alive.next() {
            let message = if alive.peek().is_some() { message.clone() } else { message.take() };
            sent += message.map_or(0, |message| usize::from(member.send(message)));
        }
        discard_all(listed);
        sent
    }

    /// The groups that have members, in the order in which the oldest of these joined.
    ///
    /// ```
    /// use erlang_process::{Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let rooms = Groups::<&str, ()>::new();
    /// rooms.join("kitchen", &Subject::new()?)?;
    /// assert_eq!(rooms.which_groups(), ["kitchen"]);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `pg:which_groups/1`.
    #[must_use]
    pub fn which_groups(&self) -> Vec<G> {
        self.table.which_groups().into_iter().map(|group| G::clone(&group)).collect()
    }

    /// The groups that have members on this node: all of them.
    ///
    /// ```
    /// use erlang_process::{Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let rooms = Groups::<&str, ()>::new();
    /// rooms.join("kitchen", &Subject::new()?)?;
    /// assert_eq!(rooms.which_local_groups(), ["kitchen"]);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `pg:which_local_groups/1`.
    #[must_use]
    pub fn which_local_groups(&self) -> Vec<G> {
        self.which_groups()
    }

    /// Subscribes the calling process to everything that happens to any group of the scope from now on, and
    /// returns the members of all groups as they are now: what is in the one is not in the other. Each call
    /// makes a subscription of its own.
    ///
    /// A subscriber that is a member gets the events of its own joining and leaving, too. A subscription ends
    /// with its process, or by [`demonitor`](Self::demonitor).
    ///
    /// ```
    /// use erlang_process::{self as process, Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let rooms = Groups::<&str, ()>::new();
    /// rooms.join("kitchen", &Subject::new()?)?;
    /// let (monitor, guests) = rooms.monitor_scope()?;
    /// assert_eq!(guests["kitchen"], [process::current().unwrap()]);
    ///
    /// // What comes after that is an event.
    /// rooms.join("hall", &Subject::new()?)?;
    /// assert_eq!(*monitor.events().receive_forever().await?.group(), "hall");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotAProcess`] if the caller is not a process of the scope's node, or is about to end.
    ///
    /// # Ordering
    ///
    /// Events come in the order in which things happen. An event is in the mailbox when the call that made it
    /// returns, and, where it was made by the end of a process, before anyone is told of the end.
    ///
    /// Counterpart: `pg:monitor_scope/1`.
    #[allow(clippy::type_complexity)]
    pub fn monitor_scope(&self) -> Result<(GroupMonitor<G>, HashMap<G, Vec<Pid>>), NotAProcess> {
        let (monitor, snapshot) = self.table.monitor(None)?;
        let groups = snapshot.into_iter().map(|(group, members)| (G::clone(&group), members));
        Ok((monitor, groups.collect()))
    }

    /// Subscribes the calling process to everything that happens to one group from now on, whether it exists or
    /// not, and returns its members as they are now. Otherwise as [`monitor_scope`](Self::monitor_scope).
    ///
    /// ```
    /// use erlang_process::{GroupEvent, Groups, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let rooms = Groups::<&str, ()>::new();
    /// let (monitor, members) = rooms.monitor("kitchen")?;
    /// assert!(members.is_empty());
    /// rooms.join("kitchen", &Subject::new()?)?;
    /// assert!(matches!(monitor.events().receive_forever().await?, GroupEvent::Joined { .. }));
    /// rooms.demonitor(monitor);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotAProcess`] if the caller is not a process of the scope's node, or is about to end.
    ///
    /// Counterpart: `pg:monitor/2`.
    pub fn monitor(&self, group: G) -> Result<(GroupMonitor<G>, Vec<Pid>), NotAProcess> {
        let (monitor, snapshot) = self.table.monitor(Some(Keyed::new(&self.table.hasher, group)))?;
        Ok((monitor, snapshot.into_iter().next().map(|(_, members)| members).unwrap_or_default()))
    }

    /// Ends a subscription of the calling process, and drops those of its events that are in the mailbox and not
    /// yet received. Whether there was one: subscriptions of other processes are left alone.
    ///
    /// ```
    /// use erlang_process::{Groups, ReceiveError, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let rooms = Groups::<&str, ()>::new();
    /// let (monitor, _) = rooms.monitor("kitchen")?;
    /// let events = monitor.events().clone();
    /// rooms.join("kitchen", &Subject::new()?)?;
    /// // The event of this was in the mailbox, and no longer is.
    /// assert!(rooms.demonitor(monitor));
    /// assert_eq!(events.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `pg:demonitor/2`.
    pub fn demonitor(&self, monitor: GroupMonitor<G>) -> bool {
        let ended = self.table.demonitor(monitor.key);
        if ended {
            drop(receive::drain(&mut EventsOf(&monitor)));
        }
        ended
    }
}

impl<G, M> Default for Groups<G, M>
where
    G: Hash + Eq + Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<G, M> Clone for Groups<G, M> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone() }
    }
}

impl<G, M> fmt::Debug for Groups<G, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").finish_non_exhaustive()
    }
}
