//! Who asked for a task: the processes on whose behalf it runs.

use std::{
    cell::RefCell,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use erlang_process::{Node, Pid, current};
use pin_project_lite::pin_project;

thread_local! {
    /// The callers of the task that runs on this thread, where they are not its ancestors.
    static CALLERS: RefCell<Option<Arc<[Pid]>>> = const { RefCell::new(None) };
}

/// How many callers of a task are remembered, as with ancestors.
const MOST: usize = 16;

/// The processes on whose behalf the calling one runs, the nearest first: who awaits this task, who awaits that
/// one if it is a task itself, and so on, sixteen at most. Empty outside any process.
///
/// A task under a supervisor was *spawned* by the supervisor, which is what the
/// [ancestors](erlang_process::Info::ancestors) of its [`Info`](erlang_process::Info) say; who has *asked* for it is
/// known here. For all other processes both are the same.
///
/// ```
/// use std::time::Duration;
/// use erlang_process as process;
/// use otp_task as task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let asked_by = task::spawn(async { task::callers() });
/// let callers = asked_by.await_timeout(Duration::from_secs(1)).await?;
/// assert_eq!(callers.first().copied(), process::current());
/// # Ok::<_, task::AwaitError>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `Process.get(:"$callers")` in Elixir.
#[must_use]
pub fn callers() -> Vec<Pid> {
    if let Some(callers) = CALLERS.with(|callers| callers.borrow().clone()) {
        return callers.to_vec();
    }
    current().and_then(|pid| Node::current().info(pid)).map(|info| info.ancestors).unwrap_or_default()
}

/// The callers of a task that the calling process asks for now; `None` where they are the ancestors.
pub(crate) fn inherited() -> Option<Arc<[Pid]>> {
    CALLERS.with(|callers| callers.borrow().is_some()).then(of_my_task)
}

/// The callers of a task that the calling process asks for now.
pub(crate) fn of_my_task() -> Arc<[Pid]> {
    current().into_iter().chain(callers()).take(MOST).collect()
}

pin_project! {
    /// Runs as long as the future that it wraps, and knows who asked for it.
    pub(crate) struct Called<F> {
        callers: Option<Arc<[Pid]>>,
        #[pin]
        future: F,
    }
}

impl<F> Called<F> {
    pub(crate) fn new(callers: Option<Arc<[Pid]>>, future: F) -> Self {
        Self { callers, future }
    }
}

impl<F: Future> Future for Called<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _back = Entered { before: CALLERS.replace(this.callers.clone()) };
        this.future.poll(cx)
    }
}

/// Puts back what was there, also when the poll panics.
struct Entered {
    before: Option<Arc<[Pid]>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CALLERS.set(self.before.take());
    }
}
