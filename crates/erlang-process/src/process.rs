//! A process: a future that is wrapped, and the protocol by which it ends.

use std::{
    any::{Any, type_name},
    convert::Infallible,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;
use tokio::sync::oneshot;

use crate::{
    bound::Bound,
    cell::{Head, Links, Process, Rare, Relations},
    life::LifeEvent,
    link::unlink,
    node::Node,
    observe, panic,
    pid::Pid,
    reason::{ExitReason, IntoExitReason, Panic},
    report,
    scope::{self, Deferred, Scope},
    signal::{Dest, Signal},
    spawn::Spawn,
    subject::Subject,
    sync::Arc,
};

/// The calling process; `None` outside any process.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// assert!(process::current().is_some());
/// let in_a_task = tokio::spawn(async { process::current() }).await?;
/// assert_eq!(in_a_task, None);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `self/0`.
#[must_use]
pub fn current() -> Option<Pid> {
    scope::with(|scope| scope.cell.head().pid)
}

/// Whether this process lives: false as soon as a reason for its end is decided. A process to which the
/// caller has sent an untrappable exit is not alive when that call returns.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let pid = process::spawn_unlinked(std::future::pending::<()>());
/// assert!(process::is_alive(pid));
/// process::kill(pid);
/// assert!(!process::is_alive(pid));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `is_process_alive/1`, `process.is_alive` in Gleam.
#[must_use]
pub fn is_alive(pid: Pid) -> bool {
    Node::current().is_alive(pid)
}

/// Ends the calling process with this reason, from however deep inside its code.
///
/// The stack is unwound, so that everything on it is dropped, but no panic is reported. Outside any process
/// this is a panic like any other. With `panic = "abort"` it ends the program.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// fn parse(text: &str) -> u32 {
///     text.parse().unwrap_or_else(|error| process::exit(ExitReason::error(error)))
/// }
///
/// let reason = process::run(async { parse("seven") }).await;
/// assert_eq!(reason, Err(ExitReason::error("invalid digit found in string")));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// Always: that is how it leaves.
///
/// Counterpart: `exit/1`.
pub fn exit(reason: ExitReason) -> ! {
    if current().is_some() {
        resume_unwind(Box::new(ExitUnwind(reason)))
    } else {
        panic_any(format!("exit outside any process: {reason}"))
    }
}

/// Sends an exit signal to a process, which ends with `reason` unless it [traps exits](trap_exits).
///
/// | reason | the receiver |
/// |---|---|
/// | [`Kill`](ExitReason::Kill) | ends with [`Killed`](ExitReason::Killed), even if it traps |
/// | [`Normal`](ExitReason::Normal), not trapping | is not touched, unless it is the sender itself, which ends |
/// | any other, not trapping | ends with that reason |
/// | any other, trapping | gets an [`ExitMessage`] |
///
/// Nothing happens if the process is dead. A process on this node is no longer [alive](is_alive) when this
/// returns, even while it is still being dropped. A process that so ends itself does not return from here.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let (pid, monitor) = process::spawn_monitor(std::future::pending::<()>())?;
/// process::send_exit(pid, ExitReason::Shutdown);
/// assert_eq!(monitor.down().await?.reason, ExitReason::Shutdown);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Signals
///
/// The receiver ends at its next await point; code that never awaits cannot be stopped.
///
/// Counterpart: `exit/2`, `process.send_exit` and `process.send_abnormal_exit` in Gleam.
pub fn send_exit(pid: Pid, reason: ExitReason) {
    Node::current().send_exit(pid, reason);
}

impl Node {
    /// Sends an exit signal to a process of this node, see [`send_exit`]: for code outside the node, such as a test that has a
    /// node of its own.
    ///
    /// It is sent by the calling process if that is of this node, and else by [`Pid::OUTSIDE`].
    ///
    /// ```
    /// use erlang_process::{ExitReason, Node, Spawn};
    /// use std::future::pending;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), erlang_process::RegisterError> {
    /// let node = Node::new();
    /// let pid = Spawn::new().on(&node).spawn(pending::<()>())?;
    /// let ended = node.join(pid);
    /// node.send_exit(pid, ExitReason::Shutdown);
    /// assert_eq!(ended.await, ExitReason::Shutdown);
    /// # Ok(()) }
    /// ```
    ///
    /// Counterpart: `exit/2`.
    pub fn send_exit(&self, pid: Pid, reason: ExitReason) {
        let sender = scope::with(|scope| {
            let caller = scope.cell.head();
            caller.node.is(self).then_some(caller.pid)
        });
        let sender = sender.flatten();
        self.signal(sender, pid, Signal::Exit { reason, link: false });
        if sender == Some(pid) {
            leave_if_ended(pid);
        }
    }

    /// Ends a process of this node with [`Killed`](ExitReason::Killed), whether it traps exits or not, see [`kill`] and
    /// [`Node::send_exit`].
    ///
    /// ```
    /// use erlang_process::{Node, Spawn};
    /// use std::future::pending;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), erlang_process::RegisterError> {
    /// let node = Node::new();
    /// let pid = Spawn::new().on(&node).spawn(pending::<()>())?;
    /// node.kill(pid);
    /// assert!(!node.is_alive(pid));
    /// # Ok(()) }
    /// ```
    ///
    /// Counterpart: `exit(Pid, kill)`.
    pub fn kill(&self, pid: Pid) {
        self.send_exit(pid, ExitReason::Kill);
    }
}

/// Does not return if this is the calling process and a signal has ended it.
pub(crate) fn leave_if_ended(pid: Pid) {
    if current() == Some(pid) && !is_alive(pid) && !std::thread::panicking() {
        resume_unwind(Box::new(SignalUnwind));
    }
}

/// Ends a process with [`Killed`](ExitReason::Killed), whether it traps exits or not.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let (pid, monitor) = process::spawn_monitor(std::future::pending::<()>())?;
/// process::kill(pid);
/// assert_eq!(monitor.down().await?.reason, ExitReason::Killed);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `exit(Pid, kill)`, `process.kill` in Gleam.
pub fn kill(pid: Pid) {
    send_exit(pid, ExitReason::Kill);
}

/// Decides whether exit signals become [`ExitMessage`]s in the calling process's mailbox instead of ending
/// it. Returns what was set before.
///
/// The setting counts at the moment at which a signal comes. A message that came by it stays when trapping
/// is switched off.
///
/// ```
/// use erlang_process::{self as process, Selector};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// process::trap_exits(true)?;
/// let child = process::spawn(async { Err::<(), _>("no luck") });
/// // Without trapping, this process would have ended with its child.
/// let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await?;
/// assert_eq!((exit.pid, exit.reason.to_string()), (child, "no luck".to_owned()));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process.
///
/// Counterpart: `process_flag(trap_exit, Flag)`, `process.trap_exits` in Gleam.
pub fn trap_exits(trap: bool) -> Result<bool, NotAProcess> {
    let cell = scope::cell().ok_or(NotAProcess)?;
    Ok(cell.with(|control, _| control.set_trapping(trap)))
}

/// Says what the calling process is, for those who look at it with [`Node::info`].
///
/// ```
/// use erlang_process::{self as process, Node};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// process::set_label("order 4711")?;
/// let info = Node::current().info(process::current().unwrap()).unwrap();
/// assert_eq!(info.label.as_deref(), Some("order 4711"));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process.
///
/// Counterpart: `proc_lib:set_label/1`.
pub fn set_label(label: &str) -> Result<(), NotAProcess> {
    let cell = scope::cell().ok_or(NotAProcess)?;
    let label = label.into();
    let previous = cell.with(|control, _| control.rare_mut().label.replace(label));
    drop(previous);
    Ok(())
}

/// Does this when the calling process ends, however it ends: when those who are linked with it were told, and before those
/// who monitor or [join] it are, who so find it done. For reports, and for those who are to learn of the end after who
/// has to end with it. It is given the reason, runs outside any process and before the process's own crash report; a
/// panic in it is reported, and nothing else comes of it.
///
/// Those who monitor or join the process wait for it: keep it short, and let what takes longer be done by another process
/// or task.
///
/// ```
/// use erlang_process as process;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (tell, told) = tokio::sync::oneshot::channel();
/// process::run(async {
///     process::after_exit(move |_| drop(tell.send("it is over")))
/// }).await??;
/// assert_eq!(told.await?, "it is over");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process.
pub fn after_exit(work: impl FnOnce(&ExitReason) + Send + 'static) -> Result<(), NotAProcess> {
    scope::with(|scope| scope.defer(Box::new(work))).ok_or(NotAProcess)
}

/// Runs a future as a process of the current node and returns its value, or the reason for which it ended
/// without one. Not linked to the caller. If the caller gives up waiting, the process is killed.
///
/// This is how code that is not in any process, such as `main` or a test, gets everything that only
/// processes have. It is also faster: the body of `main` runs on a thread of its own, and every message to
/// it wakes that thread.
///
/// ```
/// use erlang_process::{self as process, ExitReason, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let answer = process::run(async {
///     let subject = Subject::new()?;
///     subject.send(42);
///     subject.receive_forever().await
/// });
/// assert_eq!(answer.await.unwrap().unwrap(), 42);
///
/// let reason = process::run(async { process::exit(ExitReason::Shutdown) as () }).await;
/// assert_eq!(reason, Err(ExitReason::Shutdown));
/// # }
/// ```
///
/// # Errors
///
/// The process's exit reason, if it ended before its future did.
///
/// # Cancel safety
///
/// Dropping the future kills the process.
///
/// # Panics
///
/// Outside a tokio runtime.
pub async fn run<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> Result<T, ExitReason> {
    Node::current().run(future).await
}

impl Node {
    /// Runs a future as a process of this node, see [`run`].
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason, Node};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let node = Node::new();
    /// assert_eq!(node.run(async { 42 }).await, Ok(42));
    ///
    /// // It does not come to its end.
    /// let stopped: Result<u32, _> = node.run(async { process::exit(ExitReason::Shutdown) }).await;
    /// assert_eq!(stopped, Err(ExitReason::Shutdown));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The process's exit reason, if it ended before its future did.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the process.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn run<T, F>(&self, future: F) -> Result<T, ExitReason>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (sender, mut value) = oneshot::channel();
        let process =
            Spawn::new().on(self).unlinked().runs(type_name::<F>).prepare_unnamed(
                move |_: Subject<Infallible>| async move { drop(sender.send(future.await)) },
            );
        let ended = process.ended();
        let mut running = KillOnDrop { node: self, pid: process.start(), armed: true };
        let reason = ended.await;
        running.armed = false;
        value.try_recv().map_err(|_| reason)
    }
}

struct KillOnDrop<'a> {
    node: &'a Node,
    pid: Pid,
    armed: bool,
}

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.node.signal(None, self.pid, Signal::Exit { reason: ExitReason::Kill, link: false });
        }
    }
}

/// Waits for the end of a process and returns its reason, from any async code: when this returns, everything
/// the process owned is released. [`NoProc`](ExitReason::NoProc) if there is no such process.
///
/// The process is looked up by the call: who calls in time learns the reason, however late the future is polled.
///
/// Inside a process, a [monitor](crate::monitor()) says the same and more.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pid = process::spawn(async {});
/// // However it ended, nothing of it is there any more. Who comes too late for the reason gets `noproc`.
/// let reason = process::join(pid).await;
/// assert!(matches!(reason, ExitReason::Normal | ExitReason::NoProc));
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future changes nothing.
///
/// # Panics
///
/// For a process of another node, outside a tokio runtime.
pub fn join(pid: Pid) -> impl Future<Output = ExitReason> + Send + use<> {
    Node::current().join(pid)
}

impl Node {
    /// Waits for the end of a process as this node knows it, see [`join`].
    ///
    /// ```
    /// use erlang_process::{ExitReason, Node, Spawn};
    /// use std::future::pending;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// // Asked from outside the node, whose processes have numbers of their own.
    /// let node = Node::new();
    /// let pid = node.run(async { Spawn::new().unlinked().spawn(pending::<()>()) }).await.unwrap().unwrap();
    /// let ended = node.join(pid);
    /// node.run(async move { erlang_process::kill(pid) }).await.unwrap();
    /// assert_eq!(ended.await, ExitReason::Killed);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Panics
    ///
    /// For a process of another node, outside a tokio runtime.
    pub fn join(&self, pid: Pid) -> impl Future<Output = ExitReason> + Send + use<> {
        // Whoever asks is bound to this process, even if it has ended when the future is polled.
        let (node, process) = (self.clone(), self.find(pid));
        async move {
            match process {
                Some(process) => joined(process).await,
                None if pid.node().is_here() => ExitReason::NoProc,
                // Only a process can monitor what is not here.
                None => {
                    let monitoring = node.run(async move {
                        let monitor = crate::monitor(pid)?;
                        monitor.down().await
                    });
                    match monitoring.await {
                        Ok(Ok(down)) => down.reason,
                        Ok(Err(_)) => ExitReason::NoProc,
                        Err(reason) => reason,
                    }
                }
            }
        }
    }
}

/// Waits for the end of this process, which may be over.
pub(crate) async fn joined(process: Process) -> ExitReason {
    let (sender, reason) = oneshot::channel();
    let mut gone = Vec::new();
    let dead = process.with(|control, _| {
        if control.is_dead() {
            return control.exit_reason().cloned();
        }
        gone = control.join(sender);
        None
    });
    drop(gone);
    match dead {
        Some(reason) => reason,
        None => reason.await.unwrap_or(ExitReason::NoProc),
    }
}

/// The end of another process, as a message to one that [traps exits](trap_exits).
///
/// Received with [`Selector::select_trapped_exits`](crate::Selector::select_trapped_exits).
///
/// ```
/// use erlang_process::{self as process, ExitMessage, ExitReason, Selector};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// process::trap_exits(true)?;
/// let child = process::spawn(async { Err::<(), _>("no luck") });
/// let ExitMessage { pid, reason } = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await?;
/// assert_eq!((pid, reason), (child, ExitReason::error("no luck")));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `{'EXIT', Pid, Reason}` in Erlang, `ExitMessage` in Gleam.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitMessage {
    /// Who ended, or sent the signal; [`Pid::OUTSIDE`] if that was code outside any process.
    pub pid: Pid,
    /// Why.
    pub reason: ExitReason,
}

/// The caller is not a process: it has no mailbox and no relations.
///
/// A plain tokio task is no process, and neither is the body of `main`; see [`run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAProcess;

impl fmt::Display for NotAProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the caller is not a process")
    }
}

impl std::error::Error for NotAProcess {}

/// Thrown by [`exit`].
struct ExitUnwind(ExitReason);

/// Thrown when a process ends itself by a signal: the reason is already decided.
pub(crate) struct SignalUnwind;

pin_project! {
    /// A process as its runtime sees it.
    pub(crate) struct ProcessFuture<F> {
        // Present until the exit protocol has run.
        scope: Option<Scope>,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for ProcessFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            // The runtime is shut down, or the process was never started.
            let this = this.project();
            if let Some(scope) = this.scope.take() {
                // A process that panics while it starts another ends of its panic, and not of the other's end.
                if std::thread::panicking() {
                    let _ = unlink(scope.cell.head().pid);
                }
                finish(scope, this.future, Ending::Dropped);
            }
        }
    }
}

/// How a process ended, when not by a signal.
enum Ending {
    /// By itself, with this reason.
    Own(ExitReason),
    /// By a signal, whose reason is decided.
    Signalled,
    /// Its runtime dropped it.
    Dropped,
}

impl<F> ProcessFuture<F> {
    pub(crate) fn new(process: Process) -> Self {
        Self { scope: Some(Scope::new(process)), future: None }
    }

    /// Gives the process a bounded mailbox.
    pub(crate) fn bound(&mut self, bound: Bound) {
        if let Some(scope) = &mut self.scope {
            scope.take_under_lock(Some(bound));
        }
    }

    /// Takes what the process is to run.
    pub(crate) fn wrap(&mut self, future: F) {
        self.future = Some(future);
    }
}

impl<F> Future for ProcessFuture<F>
where
    F: Future<Output: IntoExitReason>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(scope) = &*this.scope else { return Poll::Ready(()) };
        let head = scope.cell.head();
        if head.flags() != 0 {
            match attend(&scope.cell, cx.waker()) {
                Next::Run => {}
                Next::Wait => return Poll::Pending,
                Next::End => {
                    if let Some(scope) = this.scope.take() {
                        finish(scope, this.future, Ending::Signalled);
                    }
                    return Poll::Ready(());
                }
            }
        }

        head.turn();
        let begun = observe::begin();
        let mut ending = None;
        scope::enter_in_place(this.scope, || {
            let polled = catch_unwind(AssertUnwindSafe(|| match this.future.as_mut().as_pin_mut() {
                Some(future) => {
                    if let Poll::Ready(output) = future.poll(cx) {
                        ending = Some(Ending::Own(output.into_exit_reason()));
                    }
                }
                None => ending = Some(Ending::Own(ExitReason::Normal)),
            }));
            if let Err(payload) = polled {
                ending = Some(reason_of(payload));
            }
        });
        let Some(scope) = &mut *this.scope else { return Poll::Ready(()) };
        let head = scope.cell.head();
        head.turn();

        if observe::loads() {
            observe::polled(&scope.cell, begun);
        }

        let ending = match ending {
            None if head.is_alive() => {
                scope.settle_orphans();
                return Poll::Pending;
            }
            None => Ending::Signalled,
            Some(ending) => ending,
        };
        if let Some(scope) = this.scope.take() {
            finish(scope, this.future, ending);
        }
        Poll::Ready(())
    }
}

/// What a process is to do that has looked at its flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Run,
    /// Until it is woken.
    Wait,
    End,
}

/// Does what a flag is raised for.
pub(crate) fn attend(process: &Process, waker: &Waker) -> Next {
    let head = process.head();
    if head.flags() & Head::NEW != 0 {
        let waker = waker.clone();
        // Under the lock, where all is put down that wakes: what came before, and woke nobody, is seen from here on.
        process.with(|_, _| {
            head.lower(Head::NEW);
            head.set_task_waker(waker);
        });
    }
    if head.flags() & Head::OWES != 0 {
        acknowledge(head, process.with(|control, _| control.take_owed(head)));
    }
    // Last: who decided the reason before the waker was there has woken nobody.
    match head.flags() {
        flags if flags & Head::EXITING != 0 => Next::End,
        flags if flags & Head::SUSPENDED != 0 => Next::Wait,
        _ => Next::Run,
    }
}

/// Sends the acknowledgements that this process owes. Only for the process itself, so that they keep their
/// place among its other signals.
pub(crate) fn acknowledge(head: &Head, owed: Vec<(Pid, u64)>) {
    for (peer, id) in owed {
        // A carrier that panics is not to end a process that did not call it.
        quietly(|| head.node.signal(Some(head.pid), peer, Signal::UnlinkAck(id)));
    }
}

/// Runs a future and catches its panic, or its [`exit`], as a reason.
///
/// A signal that ends the calling process is not caught: nothing stops that.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let caught = process::catch(async { process::exit(ExitReason::Shutdown) as u32 }).await;
/// assert_eq!(caught, Err(ExitReason::Shutdown));
/// # }).await.unwrap();
/// # }
/// ```
///
/// # Errors
///
/// The reason that the process would have ended with.
///
/// # Cancel safety
///
/// As the future itself.
///
/// Counterpart: `catch`.
pub async fn catch<F: Future>(future: F) -> Result<F::Output, ExitReason> {
    let mut future = pin!(future);
    poll_fn(|cx| match rescue(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(reason) => Poll::Ready(Err(reason)),
    })
    .await
}

/// As [`catch`], of code that does not await.
///
/// ```
/// use erlang_process::rescue;
///
/// assert_eq!(rescue(|| 7), Ok(7));
/// # std::panic::set_hook(Box::new(|_| {}));
/// let reason = rescue(|| panic!("oh no")).unwrap_err();
/// assert_eq!(reason.to_string(), "panicked: oh no");
/// ```
///
/// # Errors
///
/// The reason that the process would have ended with.
///
/// Counterpart: `catch`, `exception.rescue` in Gleam.
pub fn rescue<T>(work: impl FnOnce() -> T) -> Result<T, ExitReason> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match reason_of(payload) {
        Ending::Own(reason) => reason,
        Ending::Signalled | Ending::Dropped => resume_unwind(Box::new(SignalUnwind)),
    })
}

fn reason_of(payload: Box<dyn Any + Send>) -> Ending {
    let payload = match payload.downcast::<ExitUnwind>() {
        Ok(exit) => return Ending::Own(exit.0),
        Err(payload) => payload,
    };
    if payload.is::<SignalUnwind>() {
        return Ending::Signalled;
    }
    let reason = ExitReason::Panic(panic::describe(&*payload));
    quietly(|| drop(payload));
    Ending::Own(reason)
}

/// The exit protocol, run once for each process. Whoever learns of the end finds nothing left of the
/// process: its name goes first, then everything its future owns, and only then are others told.
fn finish<F>(scope: Scope, future: Pin<&mut Option<F>>, ending: Ending) {
    // It may end while another process runs on this thread, which has nothing to do with it.
    scope::leave(|| run_exit_protocol(scope, future, ending));
}

fn run_exit_protocol<F>(scope: Scope, mut future: Pin<&mut Option<F>>, ending: Ending) {
    let head = scope.cell.head();
    let own = matches!(ending, Ending::Own(_));
    // Panics that are not the reason of the end.
    let mut panics = Vec::new();
    let decided = match ending {
        Ending::Own(reason) => reason,
        Ending::Signalled | Ending::Dropped => ExitReason::Killed,
    };

    let (too_late, (name, tables)) = scope.cell.with(|control, _| {
        let (too_late, entries) = (control.begin_exit(head, decided), control.take_entries());
        if let Some(name) = entries.0 {
            head.node.note(head.pid, || LifeEvent::Unregistered { pid: head.pid, name });
        }
        (too_late, entries)
    });
    let by_itself = own && too_late.is_none();
    if let Some(too_late) = too_late {
        quietly(|| match too_late {
            ExitReason::Panic(panic) => panics.push(panic),
            other => drop(other),
        });
    }
    if let Some(name) = name {
        head.node.names().release(name, head.pid);
    }
    for table in tables.into_iter().filter_map(|table| table.upgrade()) {
        // The last handle of a table drops what users have put there.
        quietly(move || {
            table.release(head.pid);
            drop(table);
        });
    }

    // What is dropped may block, as a poll may, and is found as one.
    head.turn();
    let drop_future = || noting(&mut panics, || future.set(None));
    let (_, Some(scope)) = scope::enter(scope, drop_future) else { return };
    let Some((process, deferred)) = discard(scope, &mut panics) else { return };
    let head = process.head();
    head.turn();

    let (reason, relations) = process.with(|control, queue| {
        queue.free();
        let reason = control.exit_reason().cloned().unwrap_or(ExitReason::Killed);
        (reason, control.take_relations(!deferred.is_empty()))
    });
    // Who asks for the process from now on is told that there is none: when all who knew it have been told.
    let mut label = None;
    let mut late = None;
    if let Some((links, relations)) = relations {
        label = tell(head, &reason, links, relations, deferred);
        late = process.with(|control, _| control.end_exit());
    }
    head.node.table().remove(head.pid);
    if let Some(rare) = late.and_then(|relations| relations.rare) {
        answer_late(head, &reason, *rare);
    }
    if observe::loads() {
        head.node.observers().forget(head.pid);
    }
    head.node.note(head.pid, || LifeEvent::Exited { pid: head.pid, reason: reason.clone() });
    head.node.tell();
    if by_itself || head.has_failed() {
        quietly(|| report::crash(head, name, label.as_deref(), &reason));
    }
    if !panics.is_empty() {
        report_each(panics, |panic| report::panicked_while_ending(head, panic));
    }
}

#[cold]
fn report_each(panics: Vec<Panic>, report: impl Fn(&Panic)) {
    for panic in panics {
        quietly(|| report(&panic));
    }
}

/// Drops what the process has received and not read. Callers whose requests it did not answer learn the
/// reason from the requests being dropped. What is left is the shared half, and what is still to be done.
fn discard(mut scope: Scope, panics: &mut Vec<Panic>) -> Option<(Process, Vec<Deferred>)> {
    if let Some(mut inbox) = scope.take_messages() {
        // Each by itself: if two panicked at once, the program would abort.
        let drop_all = || while noting(panics, || inbox.drop_oldest()).unwrap_or(true) {};
        scope = scope::enter(scope, drop_all).1?;
    }
    scope.settle_orphans();
    let deferred = scope.take_deferred();
    let Scope { cell, local } = scope;
    quietly(|| drop(local));
    Some((cell, deferred))
}

/// Tells everyone who is bound to the process that it has ended, and does what was left for this moment. Returns its label.
fn tell(
    head: &Head,
    reason: &ExitReason,
    links: Links,
    relations: Option<Box<Relations>>,
    deferred: Vec<Deferred>,
) -> Option<Arc<str>> {
    // A carrier or a waker that panics must not keep the end from the others.
    let send = |to: Dest, signal| {
        quietly(|| head.node.signal(Some(head.pid), to, signal));
    };
    let exit = |links: Links| {
        for (peer, _) in links.into_entries().filter(|(_, link)| link.is_active()) {
            send(peer.into(), Signal::Exit { reason: reason.clone(), link: true });
        }
        for work in deferred {
            let mut panics = Vec::new();
            noting(&mut panics, || work(reason));
            report_each(panics, |panic| report::panicked_after_exit(head, panic));
        }
    };
    let Some(mut relations) = relations else {
        exit(links);
        return None;
    };
    let (owed, label) = match &mut relations.rare {
        Some(rare) => (std::mem::take(&mut rare.owed), rare.label.take()),
        None => (Vec::new(), None),
    };
    for (peer, id) in owed {
        send(peer.into(), Signal::UnlinkAck(id));
    }
    exit(links);
    for (reference, watcher) in relations.watchers.into_entries() {
        let down = Signal::Down { reference, target: watcher.target, reason: reason.clone() };
        send(watcher.pid.into(), down);
    }
    for (reference, monitored) in relations.monitors {
        send(monitored.to(), Signal::Demonitor(reference));
    }
    if let Some(rare) = relations.rare {
        answer_late(head, reason, *rare);
    }
    label
}

/// Answers those who asked for the process when its end had begun.
fn answer_late(head: &Head, reason: &ExitReason, rare: Rare) {
    for (sender, signal) in rare.late {
        quietly(|| {
            head.node.answer_for_the_dead(Some(sender), head.pid.into(), signal, ExitReason::NoProc);
        });
    }
    for joiner in rare.joiners {
        quietly(|| drop(joiner.send(reason.clone())));
    }
}

/// As [`quietly`], of an ending process: what the panic was is noted, as nothing else tells of it.
fn noting<T>(panics: &mut Vec<Panic>, work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => Some(result),
        Err(payload) => {
            note(panics, payload);
            None
        }
    }
}

#[cold]
fn note(panics: &mut Vec<Panic>, payload: Box<dyn Any + Send>) {
    quietly(|| match reason_of(payload) {
        Ending::Own(ExitReason::Panic(panic)) => panics.push(panic),
        // It has left what it did by `exit`.
        Ending::Own(_) | Ending::Signalled | Ending::Dropped => {}
    });
}

/// Runs code of the user's whose panic must not stop what we are about to do.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => Some(result),
        Err(payload) => {
            // What it threw may panic again when it is dropped; there it ends.
            std::mem::forget(catch_unwind(AssertUnwindSafe(|| drop(payload))));
            None
        }
    }
}
