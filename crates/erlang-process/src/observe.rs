//! Those who watch all processes of a node, and how they are told: what stands behind [`LifeEvent`] and
//! [`SystemMonitor`].
//!
//! What happens to a process is put down where it is decided, under its lock where others may decide as well, and told
//! when that is released. So events about one process have the order in which they came about, whoever causes them.

use std::{collections::VecDeque, fmt, mem, time::Duration};

use rustc_hash::FxHashSet;

use crate::{
    blocking,
    cell::{Control, Head, Heard, Process},
    life::LifeEvent,
    listeners::Listener,
    membership::{self, Members},
    node::Node,
    pid::Pid,
    rt, scope,
    subject::Subject,
    sync::{Arc, AtomicU64, Mutex, Ordering, StaticAtomicU64, Weak},
    system_monitor::{SystemEvent, SystemMonitor},
};

/// How many watch lives, and how many watch loads, on all nodes: for those to look at who would have to tell. Whom, is
/// for each node to say.
static LIVES: StaticAtomicU64 = StaticAtomicU64::new(0);
static LOADS: StaticAtomicU64 = StaticAtomicU64::new(0);

/// Whether anyone watches how processes come and go.
#[inline]
pub(crate) fn lives() -> bool {
    LIVES.load(Ordering::Relaxed) != 0
}

/// Whether anyone watches for long polls or message queues.
#[inline]
pub(crate) fn loads() -> bool {
    LOADS.load(Ordering::Relaxed) != 0
}

/// Who watches the processes of a node.
pub(crate) struct Observers {
    state: Mutex<State>,
    /// The shortest poll that anyone calls long, in nanoseconds.
    long_poll: AtomicU64,
    /// The longest queue that nobody calls long.
    long_queue: AtomicU64,
    /// How often anyone has begun to watch: what was heard of a queue before is news to him.
    begun: AtomicU64,
}

#[derive(Default)]
struct State {
    watches: Vec<Watch>,
    /// What is to be told, oldest first.
    untold: VecDeque<Telling>,
    /// Whether somebody is telling: one at a time, so that the order holds.
    telling: bool,
}

struct Watch {
    number: u64,
    watcher: Process,
    /// Its pid, if it lives on the node that it watches. Nobody is told about himself: each event would cause the next.
    itself: Option<Pid>,
    what: What,
}

enum What {
    Lives(Arc<Listener<LifeEvent>>),
    Loads {
        limits: SystemMonitor,
        listener: Arc<Listener<SystemEvent>>,
        /// Whose queues have become long and not yet short again.
        long: FxHashSet<Pid>,
    },
}

impl What {
    fn counter(&self) -> &'static StaticAtomicU64 {
        match self {
            Self::Lives(_) => &LIVES,
            Self::Loads { .. } => &LOADS,
        }
    }
}

/// An event for one who watches.
struct Telling {
    /// The number of the watch.
    watch: u64,
    event: Event,
}

enum Event {
    Life(Arc<Listener<LifeEvent>>, LifeEvent),
    Load(Arc<Listener<SystemEvent>>, SystemEvent),
}

/// How many events are told before whoever tells has done enough: a process that was about something else.
const TOLD_AT_ONCE: usize = 256;

impl Observers {
    pub(crate) fn new() -> Self {
        let never = || AtomicU64::new(u64::MAX);
        Self { state: Mutex::default(), long_poll: never(), long_queue: never(), begun: AtomicU64::new(0) }
    }

    // Telling

    /// Puts down what has happened to a process, to be [told](Self::tell). May be called under its lock.
    #[cold]
    pub(crate) fn note(&self, pid: Pid, event: &LifeEvent) {
        let State { watches, untold, .. } = &mut *self.state.lock();
        for watch in watches.iter().filter(|watch| watch.itself != Some(pid)) {
            if let What::Lives(listener) = &watch.what {
                let event = Event::Life(listener.clone(), event.clone());
                untold.push_back(Telling { watch: watch.number, event });
            }
        }
    }

    /// Tells what was put down, unless another thread does so already. Not under any lock.
    ///
    /// If that is much, or never ends because others put down more, it is left to a task of the runtime.
    #[cold]
    pub(crate) fn tell(self: &Arc<Self>) {
        if mem::replace(&mut self.state.lock().telling, true) {
            return;
        }
        let mut teller = Teller { observers: self.clone(), done: false };
        teller.tell_some();
        if !teller.done && rt::is_there() {
            rt::spawn(|| "tells who watches".to_owned(), teller.tell_all());
        }
    }

    // Loads

    /// A poll of this process has taken so long.
    fn poll_took(self: &Arc<Self>, pid: Pid, took: Duration) {
        if nanoseconds(took) < self.long_poll.load(Ordering::Relaxed) {
            return;
        }
        self.for_each_load(pid, |limits, _| {
            limits.long_poll.is_some_and(|limit| took >= limit).then_some(SystemEvent::LongPoll { pid, took })
        });
        self.tell();
    }

    /// Whether anyone may want to know of a queue of this length, of which so much was heard.
    fn is_news(&self, len: u64, heard: Heard) -> bool {
        len > self.long_queue.load(Ordering::Relaxed)
            && (len > heard.up_to || heard.begun != self.begun.load(Ordering::Acquire))
    }

    /// Puts down what the length of this process's queue means. Under its lock.
    fn measure(&self, head: &Head, control: &mut Control) {
        let (pid, len) = (head.pid, control.queue_len(head));
        let mut still_long = false;
        // Before the watches are looked at: who begins meanwhile has heard nothing.
        let begun = self.begun.load(Ordering::Acquire);
        let mut up_to = u64::MAX;
        self.for_each_load(pid, |limits, long| {
            let (high, low) = limits.long_queue?;
            let event = if len > high && long.insert(pid) {
                Some(SystemEvent::LongMessageQueue { pid, len })
            } else if len <= low && long.remove(&pid) {
                Some(SystemEvent::ShortMessageQueue { pid, len })
            } else {
                None
            };
            if long.contains(&pid) {
                still_long = true;
            } else {
                up_to = up_to.min(high);
            }
            event
        });
        control.set_heard(Heard { begun, up_to });
        if still_long {
            head.raise(Head::LONG_QUEUE);
        } else {
            head.lower(Head::LONG_QUEUE);
        }
    }

    fn for_each_load(
        &self,
        pid: Pid,
        mut judge: impl FnMut(&SystemMonitor, &mut FxHashSet<Pid>) -> Option<SystemEvent>,
    ) {
        let State { watches, untold, .. } = &mut *self.state.lock();
        for watch in watches.iter_mut().filter(|watch| watch.itself != Some(pid)) {
            if let What::Loads { limits, listener, long } = &mut watch.what {
                let event = judge(limits, long).map(|event| Event::Load(listener.clone(), event));
                untold.extend(event.map(|event| Telling { watch: watch.number, event }));
            }
        }
    }

    /// The process has ended.
    #[cold]
    pub(crate) fn forget(&self, pid: Pid) {
        self.for_each_load(pid, |_, long| {
            long.remove(&pid);
            None
        });
    }

    // Watching

    fn add(&self, watch: Watch) {
        watch.what.counter().fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.watches.push(watch);
        self.begun.fetch_add(1, Ordering::Release);
        self.set_limits(&state);
    }

    fn remove(&self, mut which: impl FnMut(&Watch) -> bool) -> bool {
        let (removed, unsaid) = {
            let mut state = self.state.lock();
            let watches = mem::take(&mut state.watches);
            let (removed, kept) = watches.into_iter().partition::<Vec<_>, _>(&mut which);
            state.watches = kept;
            self.set_limits(&state);
            // What they were to be told goes with them: if nobody else watches, nobody comes to tell it.
            let is_removed = |telling: &Telling| removed.iter().any(|watch| watch.number == telling.watch);
            let untold = mem::take(&mut state.untold);
            let (unsaid, untold) = untold.into_iter().partition::<VecDeque<_>, _>(is_removed);
            state.untold = untold;
            (removed, unsaid)
        };
        for watch in &removed {
            watch.what.counter().fetch_sub(1, Ordering::Relaxed);
        }
        let any = !removed.is_empty();
        // Each by itself: if two panicked at once, the program would abort.
        unsaid.into_iter().for_each(scope::discard);
        removed.into_iter().for_each(scope::discard);
        any
    }

    fn set_limits(&self, state: &State) {
        let (mut poll, mut queue) = (u64::MAX, u64::MAX);
        for watch in &state.watches {
            if let What::Loads { limits, .. } = &watch.what {
                poll = poll.min(limits.long_poll.map_or(u64::MAX, nanoseconds));
                queue = queue.min(limits.long_queue.map_or(u64::MAX, |(high, _)| high));
            }
        }
        self.long_poll.store(poll, Ordering::Relaxed);
        self.long_queue.store(queue, Ordering::Relaxed);
    }
}

impl Members for Observers {
    fn release(&self, _: Pid) {
        // Not by its pid: it may be that of another node.
        self.remove(|watch| !watch.watcher.head().is_alive());
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        self.remove(|_| true);
    }
}

/// Who tells what was put down. There is one at a time.
struct Teller {
    observers: Arc<Observers>,
    /// All is told, and another may begin.
    done: bool,
}

impl Teller {
    fn tell_some(&mut self) {
        let mut left = TOLD_AT_ONCE;
        while left > 0 {
            let some: Vec<_> = {
                let State { untold, telling, .. } = &mut *self.observers.state.lock();
                if untold.is_empty() {
                    (*telling, self.done) = (false, true);
                    return;
                }
                untold.drain(..untold.len().min(left)).collect()
            };
            left -= some.len();
            for Telling { event, .. } in some {
                match event {
                    Event::Life(listener, event) => tell(listener, event),
                    Event::Load(listener, event) => tell(listener, event),
                }
            }
        }
    }

    async fn tell_all(mut self) {
        loop {
            self.tell_some();
            if self.done {
                return;
            }
            rt::yield_now().await;
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        // There is no runtime, or no longer.
        while !self.done {
            self.tell_some();
        }
    }
}

fn tell<E: Send + 'static>(listener: Arc<Listener<E>>, event: E) {
    listener.tell(event);
    scope::discard(listener);
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// When a poll began, where anyone wants to know how long it takes.
pub(crate) type Begun = Option<rt::RealInstant>;

/// A poll begins.
#[inline]
pub(crate) fn begin() -> Begun {
    if loads() { Some(rt::real_now()) } else { None }
}

/// A poll is over.
#[cold]
pub(crate) fn polled(process: &Process, begun: Begun) {
    let head = process.head();
    let observers = head.node.observers();
    // A process with a thread of its own may take it as long as it likes.
    if let Some(begun) = begun
        && !blocking::is_own_thread()
    {
        observers.poll_took(head.pid, begun.elapsed());
    }
    if observers.long_queue.load(Ordering::Relaxed) != u64::MAX {
        queue_shrank(process);
    }
}

/// The process has perhaps taken messages out of its mailbox.
#[cold]
pub(crate) fn queue_shrank(process: &Process) {
    let head = process.head();
    // Looked at under the lock: who puts a message in may be about to find the queue long.
    let told = process.with(|control, _| {
        let long = head.flags() & Head::LONG_QUEUE != 0;
        if long {
            head.node.observers().measure(head, control);
        }
        long
    });
    if told {
        head.node.observers().tell();
    }
}

/// There are so many messages in the mailbox of this process, of which so much was heard. `look` looks again, under the
/// process's lock.
#[cold]
pub(crate) fn queue_grew(head: &Head, len: u64, heard: Heard, look: impl FnOnce(&dyn Fn(&mut Control))) {
    let observers = head.node.observers();
    if observers.is_news(len, heard) {
        look(&|control| observers.measure(head, control));
        observers.tell();
    }
}

impl Node {
    /// Has the process of a subject told of lives or loads.
    pub(crate) fn watch_lives(&self, subject: &Subject<LifeEvent>) -> Option<Watching> {
        let listener = Listener::new(subject)?;
        self.watch(listener.process().clone(), What::Lives(Arc::new(listener)))
    }

    pub(crate) fn watch_loads(
        &self,
        limits: SystemMonitor,
        subject: &Subject<SystemEvent>,
    ) -> Option<Watching> {
        let listener = Arc::new(Listener::new(subject)?);
        let watcher = listener.process().clone();
        self.watch(watcher, What::Loads { limits, listener, long: FxHashSet::default() })
    }

    fn watch(&self, watcher: Process, what: What) -> Option<Watching> {
        let (number, head) = (self.next_number(), watcher.head());
        let watching = Watching::new(self.observers(), number);
        let itself = head.node.is(self).then_some(head.pid);
        self.observers().add(Watch { number, watcher: watcher.clone(), itself, what });
        // Now, and not before: what is entered here is released when the process ends.
        let table: Arc<dyn Members> = self.observers().clone();
        if membership::enter(&watcher, &table) {
            return Some(watching);
        }
        watching.stop();
        None
    }
}

impl Watched for Observers {
    fn stop(&self, number: u64) -> bool {
        self.remove(|watch| watch.number == number)
    }
}

/// What is watched, and by whom.
pub(crate) trait Watched: Send + Sync {
    /// Ends the watch of this number. Whether there was one.
    fn stop(&self, number: u64) -> bool;
}

/// Somebody is told of what happens: until he ends, or until [`stop`](Self::stop). To drop this changes nothing.
///
/// Returned by [`Node::life_events`], [`Node::system_monitor`], [`Node::monitor_nodes`] and
/// [`Registry::listen`](crate::Registry::listen). All are given a subject, and tell the process that it means at that
/// moment, until that process ends: who takes over its name has to begin to watch itself.
///
/// ```
/// use erlang_process::{self as process, Node, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # Node::new().run(async {
/// let events = Subject::new()?;
/// // Who watches as long as he lives has no need to keep it.
/// drop(Node::current().life_events(&events));
/// let child = process::spawn(async {});
/// assert_eq!(events.receive_forever().await?.pid(), child);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
pub struct Watching {
    /// It may be gone, and is kept by nobody who only watches.
    watched: Weak<dyn Watched>,
    number: u64,
}

impl Watching {
    pub(crate) fn new(watched: &Arc<impl Watched + 'static>, number: u64) -> Self {
        let watched: Arc<dyn Watched> = watched.clone();
        Self { watched: Arc::downgrade(&watched), number }
    }

    /// No more events are sent; those that are may still come. Whether it was still watching.
    ///
    /// ```
    /// use erlang_process::{self as process, Node, ReceiveError, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # Node::new().run(async {
    /// let events = Subject::new()?;
    /// let watching = Node::current().life_events(&events).unwrap();
    /// assert!(watching.stop());
    /// process::join(process::spawn(async {})).await;
    /// assert_eq!(events.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[allow(clippy::must_use_candidate)]
    pub fn stop(self) -> bool {
        self.watched.upgrade().is_some_and(|watched| watched.stop(self.number))
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watching").field(&self.number).finish()
    }
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::{ExitReason, Spawn, join, kill};

    #[tokio::test]
    async fn nothing_is_left_of_a_watcher_that_has_ended() {
        let node = Node::new();
        let prepared = Spawn::new().on(&node).prepare(|_: Subject<LifeEvent>| pending::<()>()).unwrap();
        let (subject, ended) = (prepared.subject(), prepared.ended());
        let pid = prepared.start();
        let watches = || node.observers().state.lock().watches.len();

        let first = node.watch_lives(&subject).unwrap();
        let _second = node.watch_lives(&subject).unwrap();
        let loads = subject.map(|_| unreachable!());
        let limits = SystemMonitor::new().long_message_queue(7, 3);
        let _third = node.watch_loads(limits, &loads).unwrap();
        assert_eq!((watches(), node.observers().long_queue.load(Ordering::Relaxed)), (3, 7));
        assert!(first.stop());
        assert_eq!(watches(), 2);

        node.run(async move { kill(pid) }).await.unwrap();
        ended.await;
        assert_eq!((watches(), node.observers().long_queue.load(Ordering::Relaxed)), (0, u64::MAX));
        assert!(node.watch_lives(&subject).is_none());
        assert_eq!(watches(), 0);
        join(pid).await;
    }

    #[tokio::test]
    async fn nothing_is_left_of_what_a_watcher_that_has_stopped_was_to_be_told() {
        let node = Node::new();
        let watcher = Spawn::new().on(&node).prepare(|_: Subject<LifeEvent>| pending::<()>()).unwrap();
        let first = node.watch_lives(&watcher.subject()).unwrap();
        let second = node.watch_lives(&watcher.subject()).unwrap();
        let (pid, untold) = (Pid::OUTSIDE, || node.observers().state.lock().untold.len());
        node.observers().note(pid, &LifeEvent::Exited { pid, reason: ExitReason::Normal });
        assert_eq!(untold(), 2);
        // Before anyone came to tell.
        assert!(first.stop());
        assert_eq!(untold(), 1);
        assert!(second.stop());
        assert_eq!(untold(), 0);
        watcher.start();
    }
}
