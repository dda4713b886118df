//! What the process of a task runs.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use erlang_process::{ExitReason, IntoExitReason, Pid, Prepared, Spawn, Subject};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;

use crate::slot::{Putter, Slot, When};

pin_project! {
    /// Runs a future and leaves its value. A type with a name, so that crash reports and `info` name the future.
    pub(crate) struct Work<F>
    where
        F: Future,
        F::Output: Send,
        F::Output: 'static,
    {
        putter: Option<Putter<F::Output>>,
        #[pin]
        future: Option<F>,
    }
}

impl<F: Future<Output: Send + 'static>> Work<F> {
    /// Only where the process is spawned at once: it owns its end of the slot from here on.
    pub(crate) fn new(slot: Arc<Slot<F::Output>>, value: When, future: F) -> Self {
        Self { putter: Some(Putter::new(slot, value)), future: Some(future) }
    }
}

impl<F: Future<Output: Send + 'static>> Future for Work<F> {
    type Output = ExitReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitReason> {
        let mut this = self.project();
        if let Some(future) = this.future.as_mut().as_pin_mut() {
            let value = ready!(future.poll(cx));
            // Who has the value finds nothing of the task's left.
            this.future.set(None);
            if let Some(putter) = this.putter.take() {
                putter.put(value);
            }
        }
        Poll::Ready(ExitReason::Normal)
    }
}

pin_project! {
    /// Does nothing before it is told to go, and nothing at all if nobody can tell it any more: what somebody else spawns
    /// than who asks for it.
    pub(crate) struct Gated<W> {
        go: Option<oneshot::Receiver<()>>,
        #[pin]
        work: W,
    }
}

impl<W> Gated<W> {
    pub(crate) fn new(go: oneshot::Receiver<()>, work: W) -> Self {
        Self { go: Some(go), work }
    }
}

impl<W: Future<Output = ExitReason>> Future for Gated<W> {
    type Output = ExitReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitReason> {
        let this = self.project();
        if let Some(go) = this.go {
            if ready!(Pin::new(go).poll(cx)).is_err() {
                return Poll::Ready(ExitReason::Normal);
            }
            *this.go = None;
        }
        this.work.poll(cx)
    }
}

/// Makes the process of a task, which has no name that could be taken.
pub(crate) fn prepare<F>(spawn: Spawn, future: F) -> Prepared<Infallible, F>
where
    F: Future<Output: IntoExitReason> + 'static,
{
    spawn.prepare(|_: Subject<Infallible>| future).expect("a process without a name takes nobody's")
}

/// Spawns the process of a task, linked with whoever calls it.
pub(crate) type Launch = Box<dyn FnOnce() -> Pid + Send>;

/// How the process of a task is started: where other futures run, or on a thread of its own.
pub(crate) type Start<F> = fn(Prepared<Infallible, F>) -> Pid;

/// What a supervisor does to start a task on behalf of these. The future is made there and then: who refuses the task has
/// nothing of a process on its hands.
pub(crate) fn launch<F>(
    callers: Vec<Pid>,
    start: Start<F>,
    make: impl FnOnce() -> F + Send + 'static,
) -> Launch
where
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    Box::new(move || start(prepare(Spawn::new().callers(&callers), make())))
}
