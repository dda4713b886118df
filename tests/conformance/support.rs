//! What the tests share.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use erlang_process::{
    self as process, ExitMessage, ExitReason, IntoExitReason, Node, Pid, ReceiveError, Selector, Spawn,
    Subject,
};

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
    Node::current().info(process::current().unwrap()).unwrap().message_queue_len
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
