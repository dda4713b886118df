//! What can be seen of a process from outside.

use std::sync::Arc;

use crate::{
    cell::{AnyQueue, Cell, Head, Monitored, Process},
    name::RegisteredName,
    node::Node,
    pid::Pid,
    signal::Dest,
    sync::Ordering,
};

/// What [`type_name`](std::any::type_name) puts behind the name of a function for its body.
const BODY: &str = "::{{closure}}";

/// A process, seen from outside at one moment.
///
/// When it was started is not among it, as in Erlang: each spawn would have to ask for the time, and each process to
/// keep it. Who wants to know notes when [`LifeEvent::Spawned`](crate::LifeEvent::Spawned) comes.
///
/// ```
/// use erlang_process::{self as process, Node};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// process::set_label("reads the news")?;
/// let info = Node::current().info(process::current().unwrap()).unwrap();
/// assert_eq!(info.label.as_deref(), Some("reads the news"));
/// assert_eq!(info.message_queue_len, 0);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: the result of `process_info/1`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Who it is.
    pub pid: Pid,
    /// Who spawned it; `None` if that was code outside any process.
    pub parent: Option<Pid>,
    /// Its parent, that one's parent and so on, whether they live or not: the nearest sixteen.
    ///
    /// Counterpart: `$ancestors` of `proc_lib`.
    pub ancestors: Vec<Pid>,
    /// On whose behalf it runs, the nearest first, whether they live or not: who has asked for it, on whose behalf that
    /// one runs and so on, the nearest sixteen. They are its ancestors, unless it or one of these was spawned on behalf of
    /// [others](crate::Spawn::callers), as a task under a supervisor is.
    ///
    /// Counterpart: `$callers`, which Elixir's `Task` sets.
    pub callers: Vec<Pid>,
    /// The function that the future which it runs was written in, as the compiler names it.
    ///
    /// For people: the compiler may name it otherwise tomorrow.
    ///
    /// Counterpart: `initial_call`.
    pub initial_call: &'static str,
    /// The name that it holds.
    pub name: Option<RegisteredName>,
    /// What it calls itself, see [`set_label`](crate::set_label).
    pub label: Option<Arc<str>>,
    /// Whether it runs or waits.
    pub status: Status,
    /// Whether it traps exits.
    pub trapping_exits: bool,
    /// Whether it has anything by which it can get [priority messages](crate::priority_alias): an alias, a link or a
    /// monitor.
    ///
    /// Counterpart: `priority_messages`.
    pub priority_messages: bool,
    /// The processes it is linked with, in order of their pids.
    pub links: Vec<Pid>,
    /// What it monitors, as it named it.
    pub monitors: Vec<Dest>,
    /// The processes that monitor it, once for each monitor, in order of their pids.
    pub monitored_by: Vec<Pid>,
    /// How many messages wait in its mailbox.
    pub message_queue_len: u64,
    /// How many messages it has taken out of its mailbox since it was spawned.
    pub messages_handled: u64,
    /// How often it was polled. Seen twice the same while it is [`Status::Running`], it has not come out of one
    /// poll meanwhile.
    ///
    /// Counterpart: as near as there is to `reductions`.
    pub polls: u64,
}

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It waits: for a message, or for anything else that a future can wait for.
    Waiting,
    /// It is being polled.
    Running,
    /// Somebody has it [suspended](crate::suspend()), and it has come out of its last poll.
    Suspended,
}

impl Info {
    pub(crate) fn of(process: &Process) -> Option<Self> {
        let head = process.head();
        // Not under the lock: who spawned it may have given a function of his own.
        let initial_call = initial_call(head);
        let mut info = process.with(|control, _| {
            if !control.is_alive() {
                return None;
            }
            let handled = head.handled.load(Ordering::Relaxed);
            let (polls, running) = head.polls();
            let mut info = Self {
                pid: head.pid,
                parent: head.parent(),
                ancestors: head.ancestors().to_vec(),
                callers: head.callers().to_vec(),
                initial_call,
                name: None,
                label: None,
                status: match running {
                    true => Status::Running,
                    false if head.is_suspended() => Status::Suspended,
                    false => Status::Waiting,
                },
                trapping_exits: control.trapping(),
                priority_messages: control.takes_priority(),
                links: Vec::new(),
                monitors: Vec::new(),
                monitored_by: Vec::new(),
                message_queue_len: control.queue_len(head),
                messages_handled: handled,
                polls,
            };
            let active = control.links().iter().filter(|(_, link)| link.is_active());
            info.links.extend(active.map(|(pid, _)| *pid));
            if let Some(relations) = control.relations() {
                info.name = relations.name;
                info.label = relations.rare.as_ref().and_then(|rare| rare.label.clone());
                info.monitors.extend(relations.monitors.values().map(Monitored::target));
                info.monitored_by.extend(relations.watchers.values().map(|watcher| watcher.pid));
            }
            Some(info)
        })?;
        // Without the lock: there may be many.
        info.links.sort_unstable();
        info.monitored_by.sort_unstable();
        Some(info)
    }
}

impl Node {
    /// How many messages wait in the mailbox of a process of this node; `None` if it does not live. For those who look
    /// often: [`Node::info`] says this and all else, and copies whom the process is bound to.
    ///
    /// ```
    /// use erlang_process::{Node, Spawn, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), erlang_process::RegisterError> {
    /// let node = Node::new();
    /// let slow = Spawn::new().on(&node).prepare(|_: Subject<u8>| std::future::pending::<()>())?;
    /// slow.subject().send(1);
    /// assert_eq!(node.message_queue_len(slow.pid()), Some(1));
    /// # Ok(()) }
    /// ```
    ///
    /// Counterpart: `process_info(Pid, message_queue_len)`.
    #[must_use]
    pub fn message_queue_len(&self, pid: Pid) -> Option<u64> {
        let process = self.find(pid)?;
        process.with(|control, _| control.is_alive().then(|| control.queue_len(process.head())))
    }
}

/// The name of what a process runs, without what it shares with all other futures.
pub(crate) fn initial_call(head: &Head) -> &'static str {
    (head.initial_call)().trim_end_matches(BODY)
}

/// What tokio-console calls the task of a process: its pid, and its name, its label or what it runs.
pub(crate) fn task_name(process: &Cell<dyn AnyQueue>) -> String {
    let (name, label) = process.with(|control, _| {
        let relations = control.relations();
        let label = relations.and_then(|relations| relations.rare.as_ref()?.label.clone());
        (relations.and_then(|relations| relations.name), label)
    });
    let head = process.head();
    match (name, label) {
        (Some(name), _) => format!("{} {name}", head.pid),
        (None, Some(label)) => format!("{} {label}", head.pid),
        (None, None) => format!("{} {}", head.pid, initial_call(head)),
    }
}
