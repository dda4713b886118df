//! A task: one value, made in a process of its own.

use std::{
    fmt,
    future::{pending, poll_fn},
    mem,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use erlang_process::{
    ExitReason, Node, Pid, Signal, Subject, current, exit, is_alive, timeout as limit, unlink, unlink_flush,
};

use crate::{error::AwaitError, slot::Slot};

/// A value that is being made by another process. Made by [`spawn`](crate::spawn()) and its like, used up by awaiting it.
///
/// Dropping it unawaited changes nothing for the process: it goes on, linked with its owner, and its value is
/// dropped.
///
/// | | the task afterwards | when the time is over |
/// |---|---|---|
/// | [`await_timeout`](Self::await_timeout), [`await_forever`](Self::await_forever) | used up | goes on, its value is dropped |
/// | [`await_or_exit`](Self::await_or_exit) | used up | its owner ends, and it with it if they are linked |
/// | [`yield_timeout`](Self::yield_timeout) | can be asked again | goes on, can be asked again |
/// | [`pipe_to`](Self::pipe_to) | used up, its value comes as a message | |
/// | [`shutdown`](Self::shutdown), [`brutal_kill`](Self::brutal_kill) | has ended | is killed |
/// | [`ignore`](Self::ignore) | goes on by itself | |
///
/// ```
/// use otp_task as task;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// // Both run while neither is awaited.
/// let (tea, toast) = (task::spawn(async { "tea" }), task::spawn(async { "toast" }));
/// let second = Duration::from_secs(1);
/// assert_eq!((tea.await_timeout(second).await, toast.await_timeout(second).await), (Ok("tea"), Ok("toast")));
/// # }
/// ```
///
/// Counterpart: `%Task{}` in Elixir, `Task` of the former task module in Gleam.
#[must_use = "the value of a task that is not awaited is dropped"]
pub struct Task<T> {
    pid: Pid,
    /// Where the process and its owner live: pids are numbers of their node.
    node: Node,
    owner: Option<Pid>,
    slot: Arc<Slot<T>>,
}

impl<T: Send + 'static> Task<T> {
    /// Of the calling process, if there is one on this node.
    pub(crate) fn new(pid: Pid, node: Node, slot: Arc<Slot<T>>) -> Self {
        let owner = current().filter(|_| Node::current().is(&node));
        Self { pid, node, owner, slot }
    }

    /// The process that makes the value.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let stuck = task::spawn_unlinked(std::future::pending::<()>());
    /// erlang_process::kill(stuck.pid());
    /// assert!(stuck.await_forever().await.is_err());
    /// # }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The process that may await the task; `None` if it was spawned outside any process of its node, and anyone may.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let task = task::spawn(async { 42 });
    /// assert_eq!(task.owner(), erlang_process::current());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn owner(&self) -> Option<Pid> {
        self.owner
    }

    /// Waits for the value, for as long as `timeout`.
    ///
    /// With a timeout of zero it takes a value that is already there. [`Duration::MAX`] is no limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_task::{self as task, AwaitError};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let stuck = task::spawn(std::future::pending::<()>());
    /// assert_eq!(stuck.await_timeout(Duration::from_secs(5)).await, Err(AwaitError::Timeout));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AwaitError`]. When the time is over the task goes on, still linked with its owner; its value is
    /// dropped when it comes, and never seen.
    ///
    /// # Signals
    ///
    /// An owner that does not trap exits ends with a linked task that ends badly, and does not return from here. One
    /// that traps exits gets the reason as the error, and finds an
    /// [`ExitMessage`](erlang_process::ExitMessage) in its mailbox: for the link, whether the task ended well
    /// or badly. Awaiting itself puts nothing there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the task, as if it had never been awaited.
    ///
    /// Counterpart: `Task.await/2` in Elixir, which ends the caller where this returns an error; `task.try_await`
    /// of the former task module in Gleam.
    pub async fn await_timeout(mut self, timeout: Duration) -> Result<T, AwaitError> {
        self.yield_timeout(timeout).await.unwrap_or(Err(AwaitError::Timeout))
    }

    /// Waits for the value, however long that takes.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(task::spawn(async { 42 }).await_forever().await?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`await_timeout`](Self::await_timeout), without the timeout.
    ///
    /// # Signals
    ///
    /// As [`await_timeout`](Self::await_timeout).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the task, as if it had never been awaited.
    ///
    /// Counterpart: `Task.await(task, :infinity)` in Elixir, `task.try_await_forever` of the former task module
    /// in Gleam.
    pub async fn await_forever(self) -> Result<T, AwaitError> {
        self.await_timeout(Duration::MAX).await
    }

    /// Waits for the value, and ends the calling process if there is none in time: for who has no use for going on
    /// without it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use erlang_process as process;
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let process = process::run(async {
    ///     let value: u32 = task::spawn(async { 42 }).await_or_exit(Duration::from_secs(1)).await;
    ///     value + task::spawn(std::future::pending::<u32>()).await_or_exit(Duration::ZERO).await
    /// });
    /// assert_eq!(process.await.unwrap_err().to_string(), "the task was not done in time");
    /// # }
    /// ```
    ///
    /// # Signals
    ///
    /// As [`await_timeout`](Self::await_timeout). The exit reason is the [`AwaitError`], and abnormal.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the task, as if it had never been awaited.
    ///
    /// # Panics
    ///
    /// To end the process, see [`exit`]; outside any process it is a panic like any other.
    ///
    /// Counterpart: `Task.await/2` in Elixir, `task.await` of the former task module in Gleam.
    pub async fn await_or_exit(self, timeout: Duration) -> T {
        match self.await_timeout(timeout).await {
            Ok(value) => value,
            Err(error) => exit(ExitReason::error(error)),
        }
    }

    /// Waits for the value, for as long as `timeout`, and can be asked again if it has not come: `None`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let mut slow = task::spawn(async { tokio::time::sleep(Duration::from_secs(3)).await });
    /// let mut seconds = 0;
    /// while slow.yield_timeout(Duration::from_secs(1)).await.is_none() {
    ///     seconds += 1;
    /// }
    /// assert!((2..=3).contains(&seconds));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AwaitError`], never [`Timeout`](AwaitError::Timeout). A task brings one outcome: asked again after that,
    /// its process is gone, [`NoProc`](ExitReason::NoProc).
    ///
    /// # Signals
    ///
    /// As [`await_timeout`](Self::await_timeout).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the value is taken in the poll that returns it.
    ///
    /// Counterpart: `Task.yield/2` in Elixir, which waits for its timeout when asked again after the outcome.
    pub async fn yield_timeout(&mut self, timeout: Duration) -> Option<Result<T, AwaitError>> {
        if let Err(error) = self.check_owner() {
            return Some(Err(error));
        }
        let outcome = match self.slot.take() {
            // Without asking the clock.
            Some(outcome) => outcome.map_err(AwaitError::Exited),
            None => match limit(timeout, poll_fn(|cx| self.poll(cx))).await {
                Ok(outcome) => outcome,
                Err(_) => return None,
            },
        };
        Some(unless_ending(outcome).await)
    }

    /// Has the outcome sent to a subject when it comes, as the message that `map` makes of it: so an actor starts work
    /// without keeping its mailbox waiting, and takes the value with whatever
    /// [`Selector`](erlang_process::Selector) it receives with. Returns at once.
    ///
    /// ```
    /// use std::time::Duration;
    /// use erlang_process::{self as process, ExitReason, Selector, Subject};
    /// use otp_task as task;
    ///
    /// enum Message { Tick, Page(Result<String, ExitReason>) }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # process::run(async {
    /// let (ticks, pages) = (Subject::new()?, Subject::new()?);
    /// let mut mailbox = Selector::new().select(&ticks, |()| Message::Tick).select(&pages, Message::Page);
    ///
    /// task::spawn_unlinked(async { "<html>".to_owned() }).pipe_to(&pages, |page| page);
    /// let first = mailbox.receive(Duration::from_secs(1)).await?;
    /// assert!(matches!(first, Message::Page(Ok(page)) if page == "<html>"));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Ordering
    ///
    /// A value that comes later is sent by the task's process before it ends: it lies in the mailbox before an exit message
    /// of its link. A failure is known, and sent, after that message.
    ///
    /// `map` runs where the outcome is known first: here, if it is there; in the task's process, which a panic in `map` ends,
    /// if a value comes later; outside any process if the task fails. There a panic is reported, and no message comes.
    ///
    /// The handle is used up, and whoever has it may do this. To stop the task nevertheless, keep its [pid](Self::pid).
    ///
    /// # Signals
    ///
    /// An owner that is linked with a task that fails, and does not trap exits, ends with it; that is why who wants to be
    /// told of failures spawns the task [unlinked](crate::spawn_unlinked).
    ///
    /// Counterpart: the `{ref, result}` and `DOWN` messages of a task in Elixir, handled in `handle_info`.
    pub fn pipe_to<M: Send + 'static>(
        self,
        subject: &Subject<M>,
        map: impl FnOnce(Result<T, ExitReason>) -> M + Send + 'static,
    ) {
        let subject = subject.clone();
        self.slot.forward(Box::new(move |outcome| subject.send(map(outcome))));
    }

    /// Asks the task to end and waits until it has, for as long as `patience`; then it is killed. The link, if there is
    /// one, is removed first, so that the owner does not end with it.
    ///
    /// | | |
    /// |---|---|
    /// | `Some(Ok(value))` | the value was there, or came meanwhile |
    /// | `None` | it ended because it was asked to |
    /// | `Some(Err(Exited(reason)))` | it ended by itself; [`Killed`](ExitReason::Killed) if it had to be |
    ///
    /// ```
    /// use std::time::Duration;
    /// use erlang_process as process;
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # process::run(async {
    /// // Five seconds to answer, five more to clean up, and our own life does not hang on it.
    /// let seconds = Duration::from_secs(5);
    /// let mut task = task::spawn(async { 42 });
    /// let outcome = match task.yield_timeout(seconds).await {
    ///     Some(outcome) => Some(outcome),
    ///     None => task.shutdown(seconds).await,
    /// };
    /// assert_eq!(outcome, Some(Ok(42)));
    /// # }).await.unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AwaitError::Exited`], with [`NoProc`](ExitReason::NoProc) if the outcome was taken already;
    /// [`AwaitError::NotOwner`], and the task goes on.
    ///
    /// # Signals
    ///
    /// The task gets [`Shutdown`](ExitReason::Shutdown), and a kill when the patience is over. A task that never awaits,
    /// or blocks its thread, can be waited for longer than that. What the link has told the mailbox before stays there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future once it was polled kills the task: who gives up waiting has no patience left.
    ///
    /// Counterpart: `Task.shutdown/2` in Elixir.
    pub async fn shutdown(self, patience: Duration) -> Option<Result<T, AwaitError>> {
        self.stop(ExitReason::Shutdown, patience).await
    }

    /// Kills the task and waits until it has ended. As [`shutdown`](Self::shutdown), without patience: `None` if it
    /// ended by being killed.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let endless = task::spawn(std::future::pending::<()>());
    /// assert_eq!(endless.brutal_kill().await, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    ///
    /// # Cancel safety
    ///
    /// The task is killed in the first poll.
    ///
    /// Counterpart: `Task.shutdown(task, :brutal_kill)` in Elixir.
    pub async fn brutal_kill(self) -> Option<Result<T, AwaitError>> {
        self.stop(ExitReason::Kill, Duration::MAX).await
    }

    async fn stop(mut self, request: ExitReason, patience: Duration) -> Option<Result<T, AwaitError>> {
        if let Err(error) = self.check_owner() {
            return Some(Err(error));
        }
        self.end(request, patience).await
    }

    /// Ends the process: first by this request, and when the patience is over by a kill.
    pub(crate) async fn end(
        &mut self,
        request: ExitReason,
        patience: Duration,
    ) -> Option<Result<T, AwaitError>> {
        if self.slot.is_over() {
            return Some(Err(AwaitError::Exited(ExitReason::NoProc)));
        }
        if self.is_mine() {
            let _ = unlink(self.pid);
        }
        let done_as_told =
            if request == ExitReason::Kill { ExitReason::Killed } else { ExitReason::Shutdown };
        let mut ended = pin!(self.node.join(self.pid));
        self.send_exit(request);
        let killer = KillOnDrop(self);
        if limit(patience, ended.as_mut()).await.is_err() {
            killer.0.send_exit(ExitReason::Kill);
            ended.await;
        }
        mem::forget(killer);
        match poll_fn(|cx| self.poll(cx)).await {
            Err(AwaitError::Exited(reason)) if reason == done_as_told => None,
            outcome => Some(outcome),
        }
    }

    /// Lets the task go on by itself: no link, and what it brings is dropped. Its outcome, if it was there already.
    ///
    /// ```
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // It goes on, whatever becomes of the one who spawned it.
    /// let sending = task::spawn(async { println!("sent") });
    /// assert_eq!(sending.ignore(), None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AwaitError::Exited`] if the task had ended without a value; [`AwaitError::NotOwner`], and nothing has
    /// changed.
    ///
    /// Counterpart: `Task.ignore/1` in Elixir.
    pub fn ignore(mut self) -> Option<Result<T, AwaitError>> {
        if let Err(error) = self.check_owner() {
            return Some(Err(error));
        }
        self.let_go()
    }

    pub(crate) fn let_go(&mut self) -> Option<Result<T, AwaitError>> {
        if self.is_mine() {
            let _ = unlink(self.pid);
        }
        self.slot.give_up().map(|outcome| outcome.map_err(AwaitError::Exited))
    }

    pub(crate) fn check_owner(&self) -> Result<(), AwaitError> {
        if self.owner.is_none() || self.is_mine() { Ok(()) } else { Err(AwaitError::NotOwner) }
    }

    /// Whether the outcome was taken.
    pub(crate) fn is_over(&self) -> bool {
        self.slot.is_over()
    }

    /// The value, or the end of the process without one. After that, `NoProc`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, AwaitError>> {
        self.slot.poll(cx).map_err(AwaitError::Exited)
    }

    /// Whether there is an [outcome](Self::outcome).
    pub(crate) fn poll_done(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.slot.poll_done(cx)
    }

    /// The outcome, if it has come and was not taken before.
    pub(crate) fn outcome_so_far(&mut self) -> Option<Result<T, AwaitError>> {
        match self.check_owner() {
            Ok(()) => Some(self.slot.take()?.map_err(AwaitError::Exited)),
            Err(refused) => Some(Err(refused)),
        }
    }

    /// The outcome that has come.
    pub(crate) fn outcome(&mut self) -> Result<T, AwaitError> {
        self.slot.take().unwrap_or(Err(ExitReason::NoProc)).map_err(AwaitError::Exited)
    }
}

impl<T> Task<T> {
    /// Whether the calling process is the owner.
    fn is_mine(&self) -> bool {
        self.owner.is_some() && self.owner == current() && Node::current().is(&self.node)
    }

    fn send_exit(&self, reason: ExitReason) {
        let sender = current().filter(|_| Node::current().is(&self.node));
        self.node.signal(sender, self.pid, Signal::Exit { reason, link: false });
    }

    /// Ends the process at once and without its owner, for who has no use for the task any more. An owner that traps exits
    /// finds no message of it. Who is not the owner, but has the task, cannot take a link away, and so leaves a task alone
    /// that an owner who lives is linked with.
    pub(crate) fn abandon(&self, linked: bool) {
        if self.is_mine() {
            let _ = unlink_flush(self.pid);
        } else if linked && self.owner.is_some_and(|owner| self.node.is_alive(owner)) {
            return;
        }
        self.send_exit(ExitReason::Kill);
    }

    /// Takes the exit message of the process out of the mailbox, if it is the owner's.
    pub(crate) fn flush(&self) {
        if self.is_mine() {
            let _ = unlink_flush(self.pid);
        }
    }

    /// Waits until the process has ended.
    pub(crate) fn join(&self) -> impl Future<Output = ExitReason> + Send + use<T> {
        self.node.join(self.pid)
    }
}

/// Kills a task that nobody waits for any more.
struct KillOnDrop<'a, T>(&'a Task<T>);

impl<T> Drop for KillOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.send_exit(ExitReason::Kill);
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("pid", &self.pid).field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// Returns the outcome, unless the calling process ends with the task that failed: its last poll may be
/// running just now, and should not get to see what it does not survive.
pub(crate) async fn unless_ending<T>(outcome: Result<T, AwaitError>) -> Result<T, AwaitError> {
    match outcome {
        Err(AwaitError::Exited(_)) => unless_dead(outcome).await,
        _ => outcome,
    }
}

/// Returns this, unless the calling process has been told to end.
pub(crate) async fn unless_dead<T>(value: T) -> T {
    if is_ending() { pending().await } else { value }
}

/// Whether the calling process has been told to end, and is about to. What its destructors wait for while it unwinds they
/// wait for to the end.
pub(crate) fn is_ending() -> bool {
    !thread::panicking() && current().is_some_and(|pid| !is_alive(pid))
}
