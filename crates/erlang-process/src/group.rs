//! Groups: addresses of any number of processes.
//!
//! A scope is one table behind one lock. What happens to a group and what its subscribers are told of it is one
//! step under that lock: events are put into the mailboxes of the subscribers there, in the order in which
//! things happen, and the subscribers are woken when the lock is released. So a snapshot and the events after
//! it have no gap and no repeat, and who returns from a join or a leave, or hears of an end, knows that every
//! subscriber has the event. The lock of the scope may be held while a process's is taken, never the other way
//! round.
//!
//! Under it the `Eq` of groups runs and no other code of the user's: groups are hashed before, and groups and
//! members are cloned and dropped after, except that what is shared is counted.

use std::{
    any::{Any, TypeId},
    borrow::Borrow,
    collections::{BTreeMap, HashMap},
    error, fmt,
    hash::{Hash, RandomState},
};

use rustc_hash::FxHashMap;

use crate::{
    cell::{AnyMessage, Key, Process, Tagged, Wake},
    membership::{self, Members},
    node::Node,
    pid::Pid,
    process::NotAProcess,
    receive::{self, Pattern, ReceiveError},
    registry::{Keyed, Sought},
    scope::{self, Scope},
    selector::take,
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
    /// Counterpart: `pg:start/1`.
    #[must_use]
    pub fn new() -> Self {
        Self::on(&Node::current())
    }

    /// A new scope without groups, on this node.
    #[must_use]
    pub fn on(node: &Node) -> Self {
        let table = Table { node: node.clone(), hasher: RandomState::new(), state: Mutex::default() };
        Self { table: Arc::new(table) }
    }

    /// Makes the process behind a subject a member of a group, in addition to whatever memberships it has. Anyone
    /// may do this. The membership is that process's, also where the subject is that of a name, which may
    /// have another holder later.
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
        let left = self.table.leave(&Sought::new(&self.table.hasher, group), &pids);
        if left { Ok(()) } else { Err(NotJoined) }
    }

    /// The members of a group, in the order in which they joined, each as often as it did. Empty if there is no
    /// such group.
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
    #[must_use]
    pub fn subjects<Q>(&self, group: &Q) -> Vec<Subject<M>>
    where
        G: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.table.members(&Sought::new(&self.table.hasher, group), |member| member.subject.clone())
    }

    /// Sends a message to all members of a group, once for each membership. Returns how many took it. Never
    /// blocks, never fails.
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
        let mut members = self.table.members(&Sought::new(&self.table.hasher, group), Member::clone);
        let Some(last) = members.pop() else { return 0 };
        let mut sent = 0;
        for member in members {
            sent += usize::from(member.send(message.clone()));
        }
        sent + usize::from(last.send(message))
    }

    /// The groups that have members, in no order.
    ///
    /// Counterpart: `pg:which_groups/1`.
    #[must_use]
    pub fn which_groups(&self) -> Vec<G> {
        self.table.which_groups().into_iter().map(|group| G::clone(&group)).collect()
    }

    /// The groups that have members on this node: all of them.
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

/// A subscription to the events of a scope or a group, see [`Groups::monitor_scope`] and [`Groups::monitor`].
///
/// Dropping it ends nothing; [`Groups::demonitor`] does.
///
/// ```
/// use erlang_process::{self as process, GroupEvent, Groups, Selector, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let groups = Groups::<u32, ()>::new();
/// let (monitor, _) = groups.monitor_scope()?;
/// groups.join(7, &Subject::new()?).unwrap();
///
/// let mut selector = Selector::new().select(monitor.events(), |event| *event.group() == 7);
/// assert_eq!(selector.receive_forever().await, Ok(true));
/// assert!(groups.demonitor(monitor));
/// # Ok::<_, process::NotAProcess>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: the reference that `pg:monitor/2` returns.
pub struct GroupMonitor<G> {
    /// What tells the subscription from others, and its events from other messages.
    key: Key,
    events: Subject<GroupEvent<G>>,
}

impl<G> GroupMonitor<G> {
    /// Where the subscriber receives its events, alone or with a [`Selector`](crate::Selector).
    #[must_use]
    pub fn events(&self) -> &Subject<GroupEvent<G>> {
        &self.events
    }
}

impl<G> Clone for GroupMonitor<G> {
    fn clone(&self) -> Self {
        Self { key: self.key, events: self.events.clone() }
    }
}

impl<G> fmt::Debug for GroupMonitor<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupMonitor").field(&self.key).finish()
    }
}

/// Something that has happened to a group.
///
/// It is one value for all who are told, which is why the group is shared.
///
/// Counterpart: `{Ref, join | leave, Group, Pids}`. The subject that it comes to stands for the reference.
#[derive(Debug, PartialEq, Eq)]
pub enum GroupEvent<G> {
    /// Processes have joined.
    Joined {
        /// This group.
        group: Arc<G>,
        /// Who, in the order in which they were given; more than once who has joined more than once.
        pids: Arc<[Pid]>,
    },
    /// Memberships have ended, because the processes were taken out or because they have ended.
    Left {
        /// This group.
        group: Arc<G>,
        /// Whose; more than once for more than one membership.
        pids: Arc<[Pid]>,
    },
}

impl<G> GroupEvent<G> {
    /// The group that it happened to.
    #[must_use]
    pub fn group(&self) -> &G {
        match self {
            Self::Joined { group, .. } | Self::Left { group, .. } => group,
        }
    }

    /// Who has joined or left.
    #[must_use]
    pub fn pids(&self) -> &[Pid] {
        match self {
            Self::Joined { pids, .. } | Self::Left { pids, .. } => pids,
        }
    }
}

impl<G> Clone for GroupEvent<G> {
    fn clone(&self) -> Self {
        match self {
            Self::Joined { group, pids } => Self::Joined { group: group.clone(), pids: pids.clone() },
            Self::Left { group, pids } => Self::Left { group: group.clone(), pids: pids.clone() },
        }
    }
}

/// Why nobody has joined a group.
///
/// Counterpart: what `pg:join/3` raises for pids of other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// There is no such process.
    NoProc,
    /// The process lives on another node than the scope.
    NotLocal,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoProc => "there is no such process",
            Self::NotLocal => "the process lives on another node",
        })
    }
}

impl error::Error for JoinError {}

/// The process is not a member of the group.
///
/// Counterpart: `not_joined`, which `pg:leave/3` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJoined;

impl fmt::Display for NotJoined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process is not a member of the group")
    }
}

impl error::Error for NotJoined {}

/// The events of one subscription that are in the mailbox.
struct EventsOf<'a, G>(&'a GroupMonitor<G>);

impl<G: Send + Sync + 'static> Pattern for EventsOf<'_, G> {
    type Output = GroupEvent<G>;

    fn check(&self, _: &Scope) -> Result<(), ReceiveError> {
        Ok(())
    }

    fn wants(&self, key: Key, _: TypeId) -> bool {
        key == self.0.key
    }

    fn take(&mut self, _: Key, _: TypeId, message: &mut dyn Any) -> Option<GroupEvent<G>> {
        take(message)
    }
}

// What it is made of

struct Table<G, M> {
    node: Node,
    hasher: RandomState,
    state: Mutex<State<G, M>>,
}

struct State<G, M> {
    /// Groups that have members or are monitored.
    groups: FxHashMap<Keyed<G>, Group<M>>,
    /// Who monitors the scope.
    subscribers: FxHashMap<Key, Process>,
    /// What each process has here, so that its end costs no more than that.
    processes: FxHashMap<Pid, Entered<G>>,
    /// What memberships are told apart by, in the order in which they were made.
    next: u64,
    /// How many groups were looked at when memberships ended.
    #[cfg(test)]
    visited: usize,
}

struct Group<M> {
    members: BTreeMap<u64, Member<M>>,
    /// Who monitors the group.
    subscribers: FxHashMap<Key, Process>,
}

struct Member<M> {
    process: Process,
    subject: Subject<M>,
}

struct Entered<G> {
    process: Process,
    /// The serials of its memberships in each group, ascending.
    memberships: FxHashMap<Keyed<G>, Vec<u64>>,
    /// What it monitors: a group, or the scope.
    monitors: FxHashMap<Key, Option<Keyed<G>>>,
}

/// What is left to do when the lock is released: waking those who got an event, and dropping.
struct Aftermath<G, M> {
    woken: Vec<(Process, Wake)>,
    refused: Vec<Box<dyn AnyMessage>>,
    members: Vec<Member<M>>,
    keys: Vec<Keyed<G>>,
    processes: Vec<Process>,
    groups: Vec<Group<M>>,
    entered: Vec<Entered<G>>,
}

impl<G, M> Aftermath<G, M> {
    fn new() -> Self {
        Self {
            woken: Vec::new(),
            refused: Vec::new(),
            members: Vec::new(),
            keys: Vec::new(),
            processes: Vec::new(),
            groups: Vec::new(),
            entered: Vec::new(),
        }
    }

    fn settle(self) {
        for (process, wake) in self.woken {
            process.wake(wake);
        }
    }
}

impl<M: Send + 'static> Member<M> {
    fn is_alive(&self) -> bool {
        self.process.head().is_alive()
    }

    fn send(&self, message: M) -> bool {
        self.subject.send_to(&self.process, message).is_ok()
    }
}

impl<M> Clone for Member<M> {
    fn clone(&self) -> Self {
        Self { process: self.process.clone(), subject: self.subject.clone() }
    }
}

/// Each group with its members.
type Snapshot<G> = Vec<(Arc<G>, Vec<Pid>)>;

impl<G, M> Table<G, M>
where
    G: Hash + Eq + Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    /// Whether anyone has joined.
    fn join(self: &Arc<Self>, group: Keyed<G>, joining: Vec<Member<M>>) -> bool {
        let table: Arc<dyn Members> = self.clone();
        let mut after = Aftermath::new();
        let joined = {
            let mut state = self.state.lock();
            let mut pids = Vec::with_capacity(joining.len());
            for member in joining {
                let pid = member.process.head().pid;
                // Under the lock, which the end of the process takes after this: it finds the membership.
                if !membership::enter(&member.process, &table) {
                    after.members.push(member);
                    continue;
                }
                let serial = state.next;
                state.next += 1;
                let entered = state.entered(&member.process);
                entered.memberships.entry(group.clone()).or_default().push(serial);
                state.groups.entry(group.clone()).or_default().members.insert(serial, member);
                pids.push(pid);
            }
            let joined = !pids.is_empty();
            if joined {
                let event = GroupEvent::Joined { group: group.key().clone(), pids: pids.into() };
                state.tell(&group, &event, &mut after);
            }
            joined
        };
        after.settle();
        joined
    }

    /// Whether anyone has left.
    fn leave<Q: Eq + ?Sized>(self: &Arc<Self>, group: &Sought<'_, Q>, pids: &[Pid]) -> bool
    where
        G: Borrow<Q>,
    {
        let table: Arc<dyn Members> = self.clone();
        let mut after = Aftermath::new();
        let left = {
            let mut state = self.state.lock();
            let Some(group) = state.groups.get_key_value(group.probe()).map(|(group, _)| group.clone())
            else {
                return false;
            };
            let mut left = Vec::with_capacity(pids.len());
            for pid in pids {
                // Who has ended has left already; its own events tell that.
                let entered = state.processes.get_mut(pid).filter(|entered| entered.is_alive());
                let Some(serials) = entered.and_then(|entered| entered.memberships.get_mut(&group)) else {
                    continue;
                };
                if let Some(serial) = serials.pop() {
                    state.end_membership(&group, *pid, serial, &mut after);
                    state.leave_table(*pid, &table, &mut after);
                    left.push(*pid);
                }
            }
            let any = !left.is_empty();
            if any {
                let event = GroupEvent::Left { group: group.key().clone(), pids: left.into() };
                state.tell(&group, &event, &mut after);
                state.forget_unused(&group, &mut after);
            }
            // The clone may be the last.
            after.keys.push(group);
            any
        };
        after.settle();
        left
    }

    fn members<Q, T>(&self, group: &Sought<'_, Q>, of: impl Fn(&Member<M>) -> T) -> Vec<T>
    where
        G: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let state = self.state.lock();
        let Some(group) = state.groups.get(group.probe()) else { return Vec::new() };
        group.members.values().filter(|member| member.is_alive()).map(of).collect()
    }

    fn which_groups(&self) -> Vec<Arc<G>> {
        let state = self.state.lock();
        let existing = state.groups.iter().filter(|(_, group)| group.members.values().any(Member::is_alive));
        existing.map(|(key, _)| key.key().clone()).collect()
    }

    /// Subscribes the calling process to a group or to all, and returns their members.
    fn monitor(
        self: &Arc<Self>,
        group: Option<Keyed<G>>,
    ) -> Result<(GroupMonitor<G>, Snapshot<G>), NotAProcess> {
        let process = scope::cell().ok_or(NotAProcess)?;
        if !process.head().node.is(&self.node) {
            return Err(NotAProcess);
        }
        let events = Subject::new()?;
        let key = events.key().ok_or(NotAProcess)?;
        let table: Arc<dyn Members> = self.clone();
        let mut after = Aftermath::new();
        let snapshot = {
            let mut state = self.state.lock();
            if !membership::enter(&process, &table) {
                return Err(NotAProcess);
            }
            state.entered(&process).monitors.insert(key, group.clone());
            let keys = match &group {
                Some(group) => vec![group.clone()],
                None => state.groups.keys().cloned().collect(),
            };
            // Those who have ended have left, for this subscriber too: the others are told now, and their
            // release finds nothing more to tell.
            for key in &keys {
                state.bury(key, &mut after);
            }
            let mut snapshot = Vec::new();
            for key in &keys {
                if let Some(group) = state.groups.get(key)
                    && !group.members.is_empty()
                {
                    let members = group.members.values().map(|member| member.process.head().pid);
                    snapshot.push((key.key().clone(), members.collect()));
                }
            }
            let subscribers = match &group {
                Some(group) => &mut state.groups.entry(group.clone()).or_default().subscribers,
                None => &mut state.subscribers,
            };
            subscribers.insert(key, process.clone());
            after.keys.extend(keys);
            snapshot
        };
        after.settle();
        Ok((GroupMonitor { key, events }, snapshot))
    }

    /// Whether the calling process had this subscription.
    fn demonitor(self: &Arc<Self>, key: Key) -> bool {
        let Some(process) = scope::cell().filter(|process| process.head().node.is(&self.node)) else {
            return false;
        };
        let table: Arc<dyn Members> = self.clone();
        let pid = process.head().pid;
        let mut after = Aftermath::new();
        let ended = {
            let mut state = self.state.lock();
            match state.processes.get_mut(&pid).and_then(|entered| entered.monitors.remove(&key)) {
                Some(group) => {
                    state.end_monitor(key, group, &mut after);
                    state.leave_table(pid, &table, &mut after);
                    true
                }
                None => false,
            }
        };
        after.settle();
        ended
    }
}

impl<G, M> Members for Table<G, M>
where
    G: Eq + Send + Sync + 'static,
    M: Send + 'static,
{
    fn release(&self, pid: Pid) {
        let mut after = Aftermath::new();
        {
            let mut state = self.state.lock();
            if let Some(mut entered) = state.processes.remove(&pid) {
                for (key, group) in entered.monitors.drain() {
                    state.end_monitor(key, group, &mut after);
                }
                let mut memberships = Vec::new();
                for (group, serials) in &entered.memberships {
                    memberships.extend(serials.iter().map(|serial| (*serial, group)));
                }
                memberships.sort_unstable_by_key(|(serial, _)| *serial);
                for (serial, group) in memberships {
                    state.end_membership(group, pid, serial, &mut after);
                    let event = GroupEvent::Left { group: group.key().clone(), pids: [pid].into() };
                    state.tell(group, &event, &mut after);
                    state.forget_unused(group, &mut after);
                }
                after.entered.push(entered);
            }
        }
        after.settle();
    }
}

impl<G, M> State<G, M>
where
    G: Eq + Send + Sync + 'static,
    M: Send + 'static,
{
    fn entered(&mut self, process: &Process) -> &mut Entered<G> {
        self.processes.entry(process.head().pid).or_insert_with(|| Entered {
            process: process.clone(),
            memberships: FxHashMap::default(),
            monitors: FxHashMap::default(),
        })
    }

    /// Puts an event into the mailboxes of all who are subscribed.
    fn tell(&self, group: &Keyed<G>, event: &GroupEvent<G>, after: &mut Aftermath<G, M>) {
        let of_group = self.groups.get(group).map(|group| &group.subscribers);
        for (key, subscriber) in self.subscribers.iter().chain(of_group.into_iter().flatten()) {
            let message: Box<dyn AnyMessage> = Box::new(Tagged { key: *key, body: event.clone() });
            let told = subscriber.with(|control, queue| {
                if !control.is_alive() {
                    return Err(message);
                }
                queue.push_other(message);
                Ok(control.message_came(subscriber.head()))
            });
            match told {
                Ok(wake) => after.woken.push((subscriber.clone(), wake)),
                Err(refused) => after.refused.push(refused),
            }
        }
    }

    /// Removes a membership that its process has no longer.
    fn end_membership(&mut self, group: &Keyed<G>, pid: Pid, serial: u64, after: &mut Aftermath<G, M>) {
        #[cfg(test)]
        {
            self.visited += 1;
        }
        if let Some(group) = self.groups.get_mut(group) {
            after.members.extend(group.members.remove(&serial));
        }
        // The process may be forgotten already.
        let Some(entered) = self.processes.get_mut(&pid) else { return };
        if entered.memberships.get(group).is_some_and(Vec::is_empty) {
            after.keys.extend(entered.memberships.remove_entry(group).map(|(key, _)| key));
        }
    }

    fn end_monitor(&mut self, key: Key, group: Option<Keyed<G>>, after: &mut Aftermath<G, M>) {
        let Some(group) = group else {
            after.processes.extend(self.subscribers.remove(&key));
            return;
        };
        if let Some(group) = self.groups.get_mut(&group) {
            after.processes.extend(group.subscribers.remove(&key));
        }
        self.forget_unused(&group, after);
        after.keys.push(group);
    }

    /// Ends the memberships in a group of processes that have ended.
    fn bury(&mut self, group: &Keyed<G>, after: &mut Aftermath<G, M>) {
        let Some(members) = self.groups.get(group).map(|group| &group.members) else { return };
        let dead: Vec<_> = members
            .iter()
            .filter(|(_, member)| !member.is_alive())
            .map(|(serial, member)| (*serial, member.process.head().pid))
            .collect();
        for (serial, pid) in dead {
            if let Some(entered) = self.processes.get_mut(&pid)
                && let Some(serials) = entered.memberships.get_mut(group)
            {
                serials.retain(|other| *other != serial);
            }
            self.end_membership(group, pid, serial, after);
            let event = GroupEvent::Left { group: group.key().clone(), pids: [pid].into() };
            self.tell(group, &event, after);
        }
        self.forget_unused(group, after);
    }

    /// Forgets a group without members that nobody monitors.
    fn forget_unused(&mut self, group: &Keyed<G>, after: &mut Aftermath<G, M>) {
        let unused = |group: &Group<M>| group.members.is_empty() && group.subscribers.is_empty();
        if self.groups.get(group).is_some_and(unused)
            && let Some((key, group)) = self.groups.remove_entry(group)
        {
            after.keys.push(key);
            after.groups.push(group);
        }
    }

    /// Forgets a process that has nothing here any more.
    fn leave_table(&mut self, pid: Pid, table: &Arc<dyn Members>, after: &mut Aftermath<G, M>) {
        let unused = |entered: &Entered<G>| entered.memberships.is_empty() && entered.monitors.is_empty();
        if self.processes.get(&pid).is_some_and(unused)
            && let Some(entered) = self.processes.remove(&pid)
        {
            membership::leave(&entered.process, table);
            after.entered.push(entered);
        }
    }
}

impl<G> Entered<G> {
    fn is_alive(&self) -> bool {
        self.process.head().is_alive()
    }
}

impl<G, M> Default for State<G, M> {
    fn default() -> Self {
        Self {
            groups: FxHashMap::default(),
            subscribers: FxHashMap::default(),
            processes: FxHashMap::default(),
            next: 0,
            #[cfg(test)]
            visited: 0,
        }
    }
}

impl<M> Default for Group<M> {
    fn default() -> Self {
        Self { members: BTreeMap::new(), subscribers: FxHashMap::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Spawn;

    /// What the end of a process costs is counted, not timed.
    #[tokio::test]
    async fn the_end_of_a_process_costs_what_it_had_however_many_groups_there_are() {
        let node = Node::new();
        let visited = node.run(async {
            let groups = Groups::<u32, ()>::new();
            let (staying, dying) = (member(), member());
            for group in 0..20_000 {
                groups.join(group, &staying).unwrap();
            }
            for group in [7, 7, 19_999] {
                groups.join(group, &dying).unwrap();
            }
            let pid = dying.pid().unwrap();
            crate::kill(pid);
            crate::join(pid).await;
            assert_eq!(groups.members(&7).len(), 1);
            groups.table.state.lock().visited
        });
        assert_eq!(visited.await, Ok(3));
    }

    fn member() -> Subject<()> {
        let prepared =
            Spawn::new().unlinked().prepare(|_: Subject<()>| std::future::pending::<()>()).unwrap();
        let subject = prepared.subject();
        prepared.start();
        subject
    }
}
