//! The place where a task leaves its outcome.

use std::{
    mem,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use erlang_process::{ExitReason, Node, after_exit, current};

/// What a task brings: its value, or why its process ended without one.
pub(crate) type Outcome<T> = Result<T, ExitReason>;

/// What is done with the outcome of a task that is no longer awaited.
pub(crate) type Forward<T> = Box<dyn FnOnce(Outcome<T>) + Send>;

/// The place of one outcome, between the process that makes it and whoever has the task.
///
/// No user code runs and nothing of the user's is dropped under its lock.
pub(crate) struct Slot<T> {
    state: Mutex<State<T>>,
    /// Where the process lives, if there is one. A node outlives the panics of all who live there.
    node: OnceLock<AssertUnwindSafe<Node>>,
}

enum State<T> {
    /// The outcome may still come. Left by the process only, once.
    Waiting(Option<Waker>),
    /// The outcome has come.
    Done(Outcome<T>),
    /// When the outcome comes it goes on from here.
    Forward(Forward<T>),
    /// The outcome was taken, or nobody wants it.
    Over,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::Waiting(None)), node: OnceLock::new() }
    }

    pub(crate) fn filled(value: T) -> Self {
        Self { state: Mutex::new(State::Done(Ok(value))), node: OnceLock::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the process lives. That of the caller if there is none.
    pub(crate) fn node(&self) -> Node {
        self.node.get().map_or_else(Node::current, |node| node.0.clone())
    }

    /// Whether the caller runs on the node of the process.
    pub(crate) fn is_here(&self) -> bool {
        self.node.get().is_none_or(|node| node.is(&Node::current()))
    }

    fn replace(&self, state: State<T>) -> State<T> {
        mem::replace(&mut *self.lock(), state)
    }

    fn put(&self, outcome: Outcome<T>) {
        let mut outcome = Some(outcome);
        let before = {
            let mut state = self.lock();
            let next = match &*state {
                State::Waiting(_) => outcome.take().map_or(State::Over, State::Done),
                _ => State::Over,
            };
            mem::replace(&mut *state, next)
        };
        match (before, outcome) {
            (State::Waiting(Some(waker)), _) => waker.wake(),
            (State::Forward(forward), Some(outcome)) => forward(outcome),
            _ => {}
        }
    }

    /// The outcome. After it was taken there is no such process any more.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        // Here: a waker that is not tokio's is cloned by whoever made it.
        let waker = cx.waker().clone();
        let previous = {
            let mut state = self.lock();
            match &mut *state {
                State::Waiting(previous) => previous.replace(waker),
                _ => {
                    return Poll::Ready(match mem::replace(&mut *state, State::Over) {
                        State::Done(outcome) => outcome,
                        _ => Err(ExitReason::NoProc),
                    });
                }
            }
        };
        drop(previous);
        Poll::Pending
    }

    /// The outcome, if it has come.
    pub(crate) fn take(&self) -> Option<Outcome<T>> {
        let mut state = self.lock();
        if !matches!(&*state, State::Done(_)) {
            return None;
        }
        match mem::replace(&mut *state, State::Over) {
            State::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether the outcome was taken, or is not wanted.
    pub(crate) fn is_over(&self) -> bool {
        matches!(&*self.lock(), State::Over)
    }

    /// The outcome, if it has come. If not, nobody wants it any more.
    pub(crate) fn give_up(&self) -> Option<Outcome<T>> {
        match self.replace(State::Over) {
            State::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Has the outcome go on from here when it comes, or at once if it is there.
    pub(crate) fn forward(&self, forward: Forward<T>) {
        let mut forward = Some(forward);
        let before = {
            let mut state = self.lock();
            let next = match &*state {
                State::Waiting(_) => forward.take().map_or(State::Over, State::Forward),
                _ => State::Over,
            };
            mem::replace(&mut *state, next)
        };
        match (before, forward) {
            (State::Done(outcome), Some(forward)) => forward(outcome),
            (_, Some(forward)) => forward(Err(ExitReason::NoProc)),
            (_, None) => {}
        }
    }
}

/// The end of the slot that is the process's. Dropped without a value, the slot gets the reason for which the process
/// ends: when everyone else was told of it, or an owner could see the failure of a task that it is about to end with.
pub(crate) struct Putter<T: Send + 'static> {
    slot: Option<Arc<Slot<T>>>,
    value: When,
}

/// When a value is put into the slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// At once.
    Made,
    /// When everyone else was told of the end of the process: a supervisor, which then has room for another.
    Ended,
}

impl<T: Send + 'static> Putter<T> {
    /// For a process that is spawned here.
    pub(crate) fn new(slot: Arc<Slot<T>>, value: When) -> Self {
        let _ = slot.node.set(AssertUnwindSafe(Node::current()));
        Self { slot: Some(slot), value }
    }

    pub(crate) fn put(mut self, value: T) {
        let Some(slot) = self.slot.take() else { return };
        match self.value {
            When::Made => slot.put(Ok(value)),
            When::Ended => drop(after_exit(move |_| slot.put(Ok(value)))),
        }
    }
}

impl<T: Send + 'static> Drop for Putter<T> {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        if current().is_some() {
            let _ = after_exit(move |reason| slot.put(Err(reason.clone())));
        } else {
            slot.put(Err(ExitReason::NoProc));
        }
    }
}
