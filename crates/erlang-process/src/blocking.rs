//! Processes that have a thread of their own and may block it, and how code that is not async waits.

use std::{
    cell::{Cell, OnceCell},
    convert::Infallible,
    fmt,
    future::poll_fn,
    panic::resume_unwind,
    pin::{Pin, pin},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    call::{CallError, Reply},
    cell::Process,
    info::task_name,
    observe,
    process::{Next, SignalUnwind, attend, joined},
    reason::ExitReason,
    receive::ReceiveError,
    rt, scope,
    selector::Selector,
    signal::Signal,
    subject::Subject,
    sync::{Arc, AtomicBool, Mutex, Ordering, Parking, thread_local},
};

thread_local! {
    /// Whether the process on this thread has it for itself.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

thread_local! {
    /// What wakes this thread: the same whatever it waits for, so that a process knows its one waker again.
    static PARKER: OnceCell<Arc<Parker>> = const { OnceCell::new() };
}

/// Waits for a future on the calling thread, which it blocks: for code that is not async, in a process with a
/// [thread of its own](crate::spawn_blocking), or outside any process.
///
/// A process ends while it waits here as it does at an await: by unwinding, when an exit signal has come that ends it.
/// Only while it unwinds already it goes on waiting.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let child = process::spawn_blocking(|_: process::Subject<()>| {
///     let grandchild = process::spawn(async {});
///     assert_eq!(process::block_on(process::join(grandchild)), process::ExitReason::Normal);
/// });
/// process::join(child.pid().unwrap()).await;
/// # }
/// ```
///
/// # Panics
///
/// In a process that has no thread of its own: it would keep others from running, and perhaps itself from ever being
/// woken. Outside any process nobody can tell; do not call it in async code.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::of_this_thread();
    let waker = Waker::from(parker.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    let mut waiting = parker.wait();
    let process = scope::cell();
    assert!(
        process.is_none() || OWN.with(Cell::get),
        "a process that shares its thread would block others: spawn it with `spawn_blocking`"
    );
    loop {
        if let Some(process) = &process {
            match attend(process, &waker) {
                Next::Run => {}
                Next::End if thread::panicking() => {}
                Next::End => resume_unwind(Box::new(SignalUnwind)),
                Next::Wait => {
                    waiting.park_process(process);
                    continue;
                }
            }
            scope::begin_turn();
            if observe::loads() {
                observe::queue_shrank(process);
            }
        }
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        match &process {
            Some(process) => {
                scope::settle_orphans();
                waiting.park_process(process);
            }
            None => waiting.park(),
        }
    }
}

/// Runs a process to its end on a thread of its own.
pub(crate) fn start(process: Process, future: impl Future<Output = ()> + Send + 'static) {
    let queued = Arc::new(Mutex::new(Some(future)));
    let taken = queued.clone();
    let (begins, begun) = oneshot::channel::<Infallible>();
    let work = move || {
        let future = take(&taken);
        // The killer waits for that. What runs here may end without anything that wakes it.
        drop(begins);
        let Some(future) = future else { return };
        let _own = Own::enter();
        let parker = Parker::of_this_thread();
        let waker = Waker::from(parker.clone());
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        let mut waiting = parker.wait();
        while future.as_mut().poll(&mut cx).is_pending() {
            waiting.park();
        }
    };
    rt::spawn_blocking(|| task_name(&process), work);
    // A runtime that is shut down drops its tasks and then waits for such threads: this task has them end.
    let killer = Killer(process);
    let body = async move {
        // There may be no thread for it as long as others run. Dropped, it ends.
        drop(ended_in_the_queue(&killer.0, begun, &queued).await);
        drop(joined(killer.0.clone()).await);
    };
    rt::spawn(|| "killer".to_owned(), body);
}

/// Takes away what waits for a thread.
fn take<F>(queued: &Mutex<Option<F>>) -> Option<F> {
    queued.lock().take()
}

/// Waits until the process has a thread, or the reason of its end is decided. What it would have run is returned if it never
/// will.
async fn ended_in_the_queue<F>(
    process: &Process,
    mut begun: oneshot::Receiver<Infallible>,
    queued: &Mutex<Option<F>>,
) -> Option<F> {
    let mut ticket = None;
    poll_fn(|cx| {
        if Pin::new(&mut begun).poll(cx).is_ready() {
            return Poll::Ready(take(queued));
        }
        // Whatever wakes the process wakes this as well; once it runs, no more than once.
        let mut waker = Some(cx.waker().clone());
        let alive = process.with(|control, _| {
            let alive = control.is_alive();
            if alive {
                waker = waker.take().and_then(|waker| control.keep_waiter(&mut ticket, waker));
            }
            alive
        });
        if alive { Poll::Pending } else { Poll::Ready(take(queued)) }
    })
    .await
}

/// Kills a process when it is dropped.
struct Killer(Process);

impl Drop for Killer {
    fn drop(&mut self) {
        let head = self.0.head();
        let kill = Signal::Exit { reason: ExitReason::Kill, link: false };
        // Refused when it has ended.
        drop(self.0.deliver(None, head.pid.into(), kill));
    }
}

/// The thread belongs to one process as long as this is there.
struct Own;

impl Own {
    fn enter() -> Self {
        OWN.with(|own| own.set(true));
        Self
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        OWN.with(|own| own.set(false));
    }
}

/// Whether the process on this thread has it for itself.
pub(crate) fn is_own_thread() -> bool {
    OWN.with(Cell::get)
}

/// A thread that waits until it is woken.
struct Parker {
    thread: Parking,
    woken: AtomicBool,
    /// Whether a wait that is over has taken a wake, which may have been for the wait around it. Of the thread only.
    taken: AtomicBool,
}

impl Parker {
    fn of_this_thread() -> Arc<Self> {
        let (woken, taken) = (AtomicBool::new(false), AtomicBool::new(false));
        let new = || Arc::new(Self { thread: Parking::new(), woken, taken });
        PARKER.with(|parker| parker.get_or_init(new).clone())
    }

    /// Begins to wait. Waits nest: what one polls may wait itself.
    fn wait(&self) -> Waiting<'_> {
        Waiting { parker: self, taken: false, before: self.taken.swap(false, Ordering::Relaxed) }
    }
}

/// A thread waits for one thing.
struct Waiting<'a> {
    parker: &'a Parker,
    /// Whether it has taken a wake.
    taken: bool,
    /// Whether one before it has.
    before: bool,
}

impl Waiting<'_> {
    fn park(&mut self) {
        self.taken = true;
        if self.parker.taken.swap(false, Ordering::Relaxed) {
            return;
        }
        while !self.parker.woken.swap(false, Ordering::AcqRel) {
            self.parker.thread.park();
        }
    }

    /// The same for a process: meanwhile it is not running.
    fn park_process(&mut self, process: &Process) {
        process.head().turn();
        self.park();
        process.head().turn();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.parker.taken.store(self.before || self.taken, Ordering::Relaxed);
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Not a store: what each of several has done before is seen when the thread goes on.
        self.woken.swap(true, Ordering::AcqRel);
        self.thread.unpark();
    }
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parker").field(&self.thread).finish()
    }
}

impl<M: Send + 'static> Subject<M> {
    /// As [`receive`](Self::receive), for a process with a [thread of its own](crate::spawn_blocking).
    ///
    /// ```
    /// use erlang_process::{self as process, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let printer = process::spawn_blocking(|lines: Subject<String>| {
    ///     while let Ok(line) = lines.receive_blocking(Duration::from_secs(60)) {
    ///         // Writing to a slow terminal blocks.
    ///         println!("{line}");
    ///     }
    /// });
    /// printer.send("hello".to_owned());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    ///
    /// # Panics
    ///
    /// As [`block_on`].
    pub fn receive_blocking(&self, timeout: Duration) -> Result<M, ReceiveError> {
        block_on(self.receive(timeout))
    }

    /// As [`receive_forever`](Self::receive_forever), for a process with a
    /// [thread of its own](crate::spawn_blocking).
    ///
    /// ```
    /// use erlang_process::{self as process, Reply, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let adder = process::spawn_blocking(|requests: Subject<(Vec<u64>, Reply<u64>)>| {
    ///     while let Ok((numbers, reply)) = requests.receive_forever_blocking() {
    ///         reply.send(numbers.iter().sum());
    ///     }
    /// });
    /// let sum = adder.call(Duration::from_secs(1), |reply| (vec![1, 2, 3], reply)).await?;
    /// assert_eq!(sum, 6);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive_forever`](Self::receive_forever).
    ///
    /// # Panics
    ///
    /// As [`block_on`].
    pub fn receive_forever_blocking(&self) -> Result<M, ReceiveError> {
        block_on(self.receive_forever())
    }

    /// As [`call`](Self::call), for a process with a [thread of its own](crate::spawn_blocking), and for code
    /// outside any process that is not async.
    ///
    /// ```
    /// use erlang_process::{self as process, Reply, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let one = process::spawn_subject(|requests: Subject<Reply<u32>>| async move {
    ///     while let Ok(reply) = requests.receive_forever().await {
    ///         reply.send(1);
    ///     }
    /// });
    /// let two = tokio::task::spawn_blocking(move || one.call_blocking(Duration::from_secs(1), |reply| reply));
    /// assert_eq!(two.await?, Ok(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// As [`block_on`]; and outside a tokio runtime, unless the timeout is [`Duration::MAX`], as there is no clock.
    pub fn call_blocking<R: Send + 'static>(
        &self,
        timeout: Duration,
        request: impl FnOnce(Reply<R>) -> M,
    ) -> Result<R, CallError> {
        block_on(self.call(timeout, request))
    }
}

impl<T: 'static> Selector<T> {
    /// As [`receive`](Self::receive), for a process with a [thread of its own](crate::spawn_blocking).
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason, Selector, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let writer = process::spawn_unlinked(std::future::pending::<()>());
    /// let printer = process::spawn_blocking(move |lines: Subject<&str>| {
    ///     let monitor = process::monitor(writer)?;
    ///     let mut inbox = Selector::new().select(&lines, Some).select_monitor(monitor, |_| None);
    ///     while let Some(line) = inbox.receive_blocking(Duration::from_secs(60))? {
    ///         println!("{line}");
    ///     }
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// });
    /// let ended = process::monitor(printer.pid().unwrap())?;
    /// printer.send("hello");
    /// // The printer goes with the writer.
    /// process::kill(writer);
    /// assert_eq!(ended.down().await?.reason, ExitReason::Normal);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    ///
    /// # Panics
    ///
    /// As [`block_on`].
    pub fn receive_blocking(&mut self, timeout: Duration) -> Result<T, ReceiveError> {
        block_on(self.receive(timeout))
    }

    /// As [`receive_forever`](Self::receive_forever), for a process with a
    /// [thread of its own](crate::spawn_blocking).
    ///
    /// ```
    /// use erlang_process::{self as process, Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let texts = Subject::new()?;
    /// let told = texts.clone();
    /// let numbers = process::spawn_blocking(move |numbers: Subject<u32>| {
    ///     let mut inbox = Selector::new().select(&numbers, |n| format!("number {n}"));
    ///     while let Ok(text) = inbox.receive_forever_blocking() {
    ///         told.send(text);
    ///     }
    /// });
    /// numbers.send(7);
    /// assert_eq!(texts.receive_forever().await?, "number 7");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive_forever`](Self::receive_forever).
    ///
    /// # Panics
    ///
    /// As [`block_on`].
    pub fn receive_forever_blocking(&mut self) -> Result<T, ReceiveError> {
        block_on(self.receive_forever())
    }
}
