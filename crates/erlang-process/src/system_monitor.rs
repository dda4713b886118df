//! Watching for what harms a whole system: processes that do not let others run, and mailboxes that overflow.

use std::{fmt, time::Duration};

use crate::{node::Node, observe::Watching, pid::Pid, subject::Subject};

/// What is to be reported of the processes of a node, see [`Node::system_monitor`].
///
/// ```
/// use erlang_process::SystemMonitor;
/// use std::time::Duration;
///
/// // A start for a service: nobody keeps a thread for long, no mailbox overflows.
/// let limits = SystemMonitor::new().long_poll(Duration::from_millis(50)).long_message_queue(10_000, 1_000);
/// ```
///
/// Counterpart: the options of `erlang:system_monitor/2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "nothing is monitored before `Node::system_monitor`"]
pub struct SystemMonitor {
    pub(crate) long_poll: Option<Duration>,
    pub(crate) long_queue: Option<(u64, u64)>,
}

impl SystemMonitor {
    /// Nothing yet.
    ///
    /// ```
    /// use erlang_process::SystemMonitor;
    /// use std::time::Duration;
    ///
    /// let polls = SystemMonitor::new().long_poll(Duration::from_millis(50));
    /// assert_ne!(polls, SystemMonitor::new());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Each poll of a process that took this long or longer, in real time, whatever tokio's clock says: so long
    /// it has kept its thread from all others. A busy loop and a call that blocks are seen so, when they are over; what
    /// never is over is found by [`Node::polls`].
    ///
    /// Processes with a [thread of their own](crate::spawn_blocking) are left out.
    ///
    /// ```
    /// use erlang_process::{self as process, Node, Subject, SystemEvent, SystemMonitor};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # Node::new().run(async {
    /// let events = Subject::new()?;
    /// // Each poll, as each takes some time: to see how long they are.
    /// Node::current().system_monitor(SystemMonitor::new().long_poll(Duration::ZERO), &events);
    /// let sums = process::spawn(async { assert_eq!((1..=1_000_u64).sum::<u64>(), 500_500) });
    /// let event = events.receive_forever().await?;
    /// assert!(matches!(event, SystemEvent::LongPoll { pid, took } if pid == sums && took > Duration::ZERO));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `long_schedule`.
    pub fn long_poll(mut self, limit: Duration) -> Self {
        self.long_poll = Some(limit);
        self
    }

    /// Each message queue that grows beyond `high` messages, once, and again when it has fallen to `low`; at the end of
    /// the poll in which it did, or of the turn in which a process with a thread of its own did. `low` is `high` at most.
    ///
    /// ```
    /// use erlang_process::{self as process, Node, Subject, SystemEvent, SystemMonitor};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # Node::new().run(async {
    /// let events = Subject::new()?;
    /// Node::current().system_monitor(SystemMonitor::new().long_message_queue(2, 0), &events);
    /// let slow = process::spawn_subject(|_: Subject<u32>| std::future::pending::<()>());
    /// (1..=3).for_each(|job| slow.send(job));
    /// let event = events.receive_forever().await?;
    /// assert_eq!(event, SystemEvent::LongMessageQueue { pid: slow.pid().unwrap(), len: 3 });
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `long_message_queue`.
    pub fn long_message_queue(mut self, high: u64, low: u64) -> Self {
        self.long_queue = Some((high, low.min(high)));
        self
    }
}

/// Something that does harm, see [`SystemMonitor`].
///
/// ```
/// use erlang_process::{self as process, Node, Subject, SystemEvent, SystemMonitor};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # Node::new().run(async {
/// let events = Subject::new()?;
/// Node::current().system_monitor(SystemMonitor::new().long_message_queue(2, 0), &events);
/// # let slow = process::spawn_subject(|_: Subject<u32>| std::future::pending::<()>());
/// # (1..=3).for_each(|job| slow.send(job));
/// let warning = match events.receive_forever().await? {
///     SystemEvent::LongPoll { pid, took } => format!("{pid} has kept its thread for {took:?}"),
///     SystemEvent::LongMessageQueue { pid, len } => format!("{len} messages wait for {pid}"),
///     other => format!("{other:?}"),
/// };
/// assert_eq!(warning, "3 messages wait for <0.2.0>");
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `{monitor, Pid, Event, Info}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SystemEvent {
    /// A process has not let others run for so long.
    LongPoll {
        /// Which.
        pid: Pid,
        /// How long its poll took.
        took: Duration,
    },
    /// The messages in a mailbox have become too many.
    LongMessageQueue {
        /// Whose.
        pid: Pid,
        /// How many there were.
        len: u64,
    },
    /// They have become few again.
    ShortMessageQueue {
        /// Whose.
        pid: Pid,
        /// How many there were.
        len: u64,
    },
}

impl Node {
    /// Sends what the processes of this node do that harms the whole to a subject, until its process ends or
    /// [stops](Watching::stop) watching. `None` if that has ended already. There may be several, each with its own
    /// limits; none is told about itself. Of a named subject it is the process that holds the name now.
    ///
    /// Before the first, it costs one load of a flag for each poll and each message. With one, each poll
    /// asks for the time twice.
    ///
    /// ```
    /// use std::time::Duration;
    /// use erlang_process::{self as process, Node, Subject, SystemEvent, SystemMonitor};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # Node::new().run(async {
    /// let events = Subject::new()?;
    /// let limits = SystemMonitor::new().long_poll(Duration::from_millis(10)).long_message_queue(1_000, 100);
    /// let watching = Node::current().system_monitor(limits, &events);
    ///
    /// let rude = process::spawn(async { std::thread::sleep(Duration::from_millis(20)) });
    /// let event = events.receive(Duration::from_secs(1)).await;
    /// assert!(matches!(event, Ok(SystemEvent::LongPoll { pid, .. }) if pid == rude));
    /// # drop(watching);
    /// # Ok::<_, process::NotAProcess>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `erlang:system_monitor/2`.
    pub fn system_monitor(&self, limits: SystemMonitor, subject: &Subject<SystemEvent>) -> Option<Watching> {
        self.watch_loads(limits, subject)
    }

    /// Which processes of this node are being polled now. Asked [later](RunningPolls::still_running), it tells which of
    /// them have not come out of that poll since: caught in a loop without an await, or in a call that blocks. Dropping what a
    /// process leaves behind when it ends is a poll too.
    ///
    /// Nobody inside a runtime can count on being run when its threads are caught: ask from a thread outside. Nothing is
    /// measured for this by the processes.
    ///
    /// ```no_run
    /// use std::{thread, time::Duration};
    /// use erlang_process::Node;
    ///
    /// thread::spawn(|| loop {
    ///     let polls = Node::global().polls();
    ///     thread::sleep(Duration::from_secs(5));
    ///     for pid in polls.still_running() {
    ///         eprintln!("{pid} has not let others run for five seconds");
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn polls(&self) -> RunningPolls {
        RunningPolls { node: self.clone(), polls: self.table().polls() }
    }
}

/// The polls that were under way on a node at one moment, see [`Node::polls`].
///
/// ```
/// use erlang_process::{self as process, Node};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # Node::new().run(async {
/// let polls = Node::current().polls();
/// tokio::task::yield_now().await;
/// // Who asks is in a poll itself; here he is in another since.
/// assert_eq!(polls.pids(), [process::current().unwrap()]);
/// assert_eq!(polls.still_running(), []);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
pub struct RunningPolls {
    node: Node,
    polls: Vec<(Pid, u64)>,
}

impl RunningPolls {
    /// The processes that were being polled then, oldest first.
    ///
    /// ```
    /// use erlang_process::{self as process, Node};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # Node::new().run(async {
    /// process::spawn(std::future::pending::<()>());
    /// // On one thread that is who asks.
    /// assert_eq!(Node::current().polls().pids(), [process::current().unwrap()]);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        self.polls.iter().map(|(pid, _)| *pid).collect()
    }

    /// Those among them that are still in that same poll. A process with a
    /// [thread of its own](crate::spawn_blocking) is, as long as it does not wait for anything.
    ///
    /// ```
    /// use erlang_process::{self as process, Node};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # Node::new().run(async {
    /// let polls = Node::current().polls();
    /// assert_eq!(polls.still_running(), [process::current().unwrap()]);
    /// // An await that has to wait ends the poll.
    /// tokio::task::yield_now().await;
    /// assert_eq!(polls.still_running(), []);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn still_running(&self) -> Vec<Pid> {
        let running = |&(pid, number): &(Pid, u64)| {
            let process = self.node.find(pid)?;
            (process.head().polls() == (number, true)).then_some(pid)
        };
        self.polls.iter().filter_map(running).collect()
    }
}

impl fmt::Debug for RunningPolls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.polls.iter().map(|(pid, _)| pid)).finish()
    }
}
