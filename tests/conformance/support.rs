//! What the tests share.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use erlang_process::{
    self as process, ExitMessage, ExitReason, IntoExitReason, Node, Pid, ReceiveError, Reply, Selector,
    Spawn, Subject,
};
use tokio::time::Instant;

/// Long enough for everything that is to happen; only a test that fails waits for it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// How often a race is run.
pub(crate) const ROUNDS: usize = 2_000;

/// Runs the body as a process of a node of its own.
pub(crate) async fn alone<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
    on(&Node::new(), body).await
}

/// Runs the body as a process of this node.
pub(crate) async fn on<T: Send + 'static>(node: &Node, body: impl Future<Output = T> + Send + 'static) -> T {
    tokio::time::timeout(10 * LONG, node.run(body))
        .await
        .expect("the test hangs")
        .expect("the test's process ended")
}

/// A reason to end.
pub(crate) fn boom() -> ExitReason {
    ExitReason::error("boom")
}

/// A process that does nothing, bound to nobody.
pub(crate) fn idle() -> Pid {
    process::spawn_unlinked(pending::<()>())
}

/// A process with a subject of its own, bound to nobody.
pub(crate) fn server<M, F>(body: impl FnOnce(Subject<M>) -> F) -> (Pid, Subject<M>)
where
    M: Send + 'static,
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    let prepared = Spawn::new().unlinked().prepare(body).unwrap();
    let subject = prepared.subject();
    (prepared.start(), subject)
}

/// A process that has ended before this returns.
pub(crate) async fn dead() -> Pid {
    let pid = process::spawn_unlinked(async {});
    process::join(pid).await;
    pid
}

/// Why a process ends, as a monitor tells.
pub(crate) async fn end_of(pid: Pid) -> ExitReason {
    process::monitor(pid).unwrap().down().await.unwrap().reason
}

/// The next trapped exit.
pub(crate) async fn trapped() -> ExitMessage {
    Selector::new().select_trapped_exits(|exit| exit).receive_forever().await.unwrap()
}

/// A trapped exit that is in the mailbox.
pub(crate) async fn trapped_now() -> Option<ExitMessage> {
    match Selector::new().select_trapped_exits(|exit| exit).receive(Duration::ZERO).await {
        Ok(exit) => Some(exit),
        Err(ReceiveError::Timeout) => None,
        Err(error) => panic!("{error}"),
    }
}

/// How many messages of any kind are in the calling process's mailbox.
pub(crate) fn unread() -> u64 {
    unread_of(process::current().unwrap())
}

/// How many messages of any kind are in the mailbox of this process.
pub(crate) fn unread_of(pid: Pid) -> u64 {
    Node::current().info(pid).unwrap().message_queue_len
}

/// Lets others run until this holds: for what happens by itself and tells nobody.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

/// Counts how often it is dropped.
#[derive(Clone, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// What is counted.
    pub(crate) fn token(&self) -> Token {
        Token(self.clone())
    }
}

pub(crate) struct Token(Drops);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Runs this when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Polls a future with a waker of its own, as combinators do that keep many: it is polled again only when
/// that waker was woken.
pub(crate) async fn with_own_waker<F: Future>(future: F) -> F::Output {
    let own = Arc::new(OwnWaker::default());
    let waker = Waker::from(own.clone());
    let mut future = pin!(future);
    own.woken.store(1, Ordering::SeqCst);
    poll_fn(|cx| {
        *own.parent.lock().unwrap() = Some(cx.waker().clone());
        if own.woken.swap(0, Ordering::SeqCst) == 0 {
            return Poll::Pending;
        }
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

/// Waits for both, and polls the first before the second each time.
pub(crate) async fn in_order<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut from_a, mut from_b) = (None, None);
    poll_fn(|cx| {
        if from_a.is_none() {
            from_a = ready(a.as_mut().poll(cx));
        }
        if from_b.is_none() {
            from_b = ready(b.as_mut().poll(cx));
        }
        if from_a.is_some() && from_b.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (from_a.unwrap(), from_b.unwrap())
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A race, run until each of its outcomes has been seen.
///
/// One of those who race is given a handicap. It grows as long as the first outcome is seen, which is the one without
/// any, and shrinks when another is: so it goes to where now the one comes and now the other, whatever machine this
/// is and whatever else runs on it.
pub(crate) struct Race<const N: usize> {
    outcomes: [(&'static str, usize); N],
    at_least: usize,
    rounds: usize,
    handicap: u32,
    began: Instant,
}

/// A thread that is none of the runtime's. What a process wakes is run by its own thread first, and when that races on,
/// by none; what this one wakes is run by another.
pub(crate) struct Rival {
    jobs: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    begun: Arc<AtomicUsize>,
    given: usize,
}

impl Rival {
    pub(crate) fn new() -> Self {
        let (jobs, given) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let begun = Arc::<AtomicUsize>::default();
        let count = begun.clone();
        // It ends when nobody can give it more.
        std::thread::spawn(move || {
            while let Ok(job) = given.recv() {
                count.fetch_add(1, Ordering::SeqCst);
                job();
            }
        });
        Self { jobs, begun, given: 0 }
    }

    /// Does this, beginning now.
    pub(crate) fn begins(&mut self, job: impl FnOnce() + Send + 'static) {
        self.jobs.send(Box::new(job)).unwrap();
        self.given += 1;
        while self.begun.load(Ordering::SeqCst) < self.given {
            std::thread::yield_now();
        }
    }
}

/// A process that waits to be told to end, and then ends with [`boom`].
pub(crate) async fn mortal() -> (Pid, Subject<Option<Reply<()>>>) {
    let (pid, go) = server(|go: Subject<Option<Reply<()>>>| async move {
        while let Ok(Some(reply)) = go.receive_forever().await {
            reply.send(());
        }
        boom()
    });
    go.call(LONG, Some).await.unwrap();
    (pid, go)
}

/// How long who has it waits before it does its part.
#[derive(Clone, Copy, Default)]
pub(crate) struct Handicap(u32);

impl Handicap {
    pub(crate) fn wait(self) {
        // Not by time: a clock would be read at intervals longer than the race.
        for _ in 0..self.0 {
            std::hint::spin_loop();
        }
    }
}

impl<const N: usize> Race<N> {
    pub(crate) fn with(outcomes: [&'static str; N]) -> Self {
        Self {
            outcomes: outcomes.map(|outcome| (outcome, 0)),
            at_least: ROUNDS,
            rounds: 0,
            handicap: 0,
            began: Instant::now(),
        }
    }

    /// For races whose rounds take long.
    pub(crate) fn at_least(self, at_least: usize) -> Self {
        Self { at_least, ..self }
    }

    /// The next round; `None` when all has been seen.
    pub(crate) fn round(&mut self) -> Option<(usize, Handicap)> {
        let round = self.rounds;
        self.rounds += 1;
        if round >= self.at_least {
            let missing = self.outcomes.iter().find(|(_, count)| *count == 0);
            let (outcome, _) = missing?;
            assert!(self.began.elapsed() < LONG, "never seen in {round} rounds: {outcome}");
        }
        Some((round, Handicap(self.handicap)))
    }

    pub(crate) fn saw(&mut self, outcome: &str) {
        const LIMIT: u32 = 1 << 22;
        let index = self.outcomes.iter().position(|(known, _)| *known == outcome);
        let index = index.unwrap_or_else(|| panic!("no outcome of this race: {outcome}"));
        self.outcomes[index].1 += 1;
        self.handicap = if index == 0 { (self.handicap * 2 + 1).min(LIMIT) } else { self.handicap / 2 };
    }
}

/// Where threads meet before a race. Nobody waits for ever: there may be one processor only.
#[derive(Clone, Default)]
pub(crate) struct StartLine(Arc<AtomicUsize>);

impl StartLine {
    pub(crate) fn wait_for(&self, count: usize) {
        self.0.fetch_add(1, Ordering::SeqCst);
        for _ in 0..20_000 {
            if self.0.load(Ordering::SeqCst) >= count {
                return;
            }
            std::hint::spin_loop();
        }
    }
}

#[derive(Default)]
struct OwnWaker {
    woken: AtomicUsize,
    parent: std::sync::Mutex<Option<Waker>>,
}

impl Wake for OwnWaker {
    fn wake(self: Arc<Self>) {
        self.woken.store(1, Ordering::SeqCst);
        let parent = self.parent.lock().unwrap().clone();
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}
