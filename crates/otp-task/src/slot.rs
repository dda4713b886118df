//! The place where a task leaves its value.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use erlang_process::ExitReason;

/// What is done with the outcome of a task that is no longer awaited.
pub(crate) type Forward<T> = Box<dyn FnOnce(Result<T, ExitReason>) + Send>;

/// The place of one value, between the process that makes it and whoever has the task.
///
/// No user code runs and nothing of the user's is dropped under its lock.
pub(crate) struct Slot<T>(Mutex<State<T>>);

enum State<T> {
    /// The value may still come. Left by the process only, once.
    Waiting(Option<Waker>),
    /// The value has come.
    Value(T),
    /// When the outcome comes it goes on from here.
    Forward(Forward<T>),
    /// There will be no value: none was made, or it was taken.
    Over,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State::Waiting(None)))
    }

    pub(crate) fn filled(value: T) -> Self {
        Self(Mutex::new(State::Value(value)))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, state: State<T>) -> State<T> {
        mem::replace(&mut *self.lock(), state)
    }

    fn put(&self, value: T) {
        let mut value = Some(value);
        let before = {
            let mut state = self.lock();
            match &*state {
                State::Waiting(_) => match value.take() {
                    Some(value) => mem::replace(&mut *state, State::Value(value)),
                    None => return,
                },
                _ => mem::replace(&mut *state, State::Over),
            }
        };
        match (before, value) {
            (State::Waiting(Some(waker)), _) => waker.wake(),
            (State::Forward(forward), Some(value)) => forward(Ok(value)),
            _ => {}
        }
    }

    /// There will be no value.
    fn close(&self) {
        let waker = {
            let mut state = self.lock();
            match &mut *state {
                State::Waiting(waker) => {
                    let waker = waker.take();
                    *state = State::Over;
                    waker
                }
                _ => None,
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The value; `None` if there will be none.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let previous = {
            let mut state = self.lock();
            match &mut *state {
                State::Waiting(Some(waker)) if waker.will_wake(cx.waker()) => return Poll::Pending,
                State::Waiting(waker) => waker.replace(cx.waker().clone()),
                _ => {
                    return match mem::replace(&mut *state, State::Over) {
                        State::Value(value) => Poll::Ready(Some(value)),
                        _ => Poll::Ready(None),
                    };
                }
            }
        };
        drop(previous);
        Poll::Pending
    }

    /// The value, if it has come.
    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        match &*state {
            State::Value(_) => match mem::replace(&mut *state, State::Over) {
                State::Value(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// Has the outcome go on from here when it comes. Gives `forward` back, with the value if there is one, when
    /// it can only be called now.
    pub(crate) fn forward(&self, forward: Forward<T>) -> Result<(), (Forward<T>, Option<T>)> {
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
            (State::Value(value), Some(forward)) => Err((forward, Some(value))),
            (_, Some(forward)) => Err((forward, None)),
            (_, None) => Ok(()),
        }
    }

    /// Where the outcome is to go on, if it has not.
    pub(crate) fn take_forward(&self) -> Option<Forward<T>> {
        match self.replace(State::Over) {
            State::Forward(forward) => Some(forward),
            _ => None,
        }
    }
}

/// The end of the slot that is the process's: dropped without a value, there will be none.
pub(crate) struct Putter<T>(Option<Arc<Slot<T>>>);

impl<T> Putter<T> {
    pub(crate) fn new(slot: Arc<Slot<T>>) -> Self {
        Self(Some(slot))
    }

    pub(crate) fn put(mut self, value: T) {
        if let Some(slot) = self.0.take() {
            slot.put(value);
        }
    }
}

impl<T> Drop for Putter<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.close();
        }
    }
}
