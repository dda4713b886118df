//! The slot that the reply to a call is put into.

use std::{
    any::Any,
    task::{Context, Poll, Waker},
};

use crate::{
    call::CallError,
    cell::Process,
    scope,
    sync::{Arc, AtomicBool, Mutex, Ordering},
};

/// Where one caller waits for one reply at a time.
///
/// A process keeps the slot of its last call for the next one, so that a call allocates nothing. One that has
/// been given up is not used again: its reply may still come.
pub(crate) struct Slot<R> {
    /// The process that calls, if it is one: its task is woken.
    caller: Option<Process>,
    /// Whether there is a reply. Written under the lock.
    filled: AtomicBool,
    state: Mutex<State<R>>,
}

struct State<R> {
    reply: Option<Result<R, CallError>>,
    /// Who is woken, if it is not the caller's task.
    waker: Option<Waker>,
}

impl<R: Send + 'static> Slot<R> {
    /// A slot for the caller, who may be a process.
    pub(crate) fn open() -> Arc<Self> {
        let (kept, caller) = scope::with(|scope| {
            let kept = scope.local.as_mut().and_then(|local| local.slot.take());
            // Not in the look at the scope: what is not of this type is dropped.
            let caller = if kept.is_none() { Some(scope.cell.clone()) } else { None };
            (kept, caller)
        })
        .unwrap_or_default();
        match kept.map(|slot| slot.downcast()) {
            Some(Ok(slot)) => slot,
            Some(Err(other)) => {
                drop(other);
                Arc::new(Self::new(scope::cell()))
            }
            None => Arc::new(Self::new(caller)),
        }
    }

    fn new(caller: Option<Process>) -> Self {
        let state = State { reply: None, waker: None };
        Self { caller, filled: AtomicBool::new(false), state: Mutex::new(state) }
    }

    /// Keeps a slot whose reply has been taken for the next call.
    pub(crate) fn keep(self: Arc<Self>) {
        let slot: Arc<dyn Any + Send + Sync> = self;
        let mut slot = Some(slot);
        scope::with(|scope| {
            let kept = &mut scope.local_mut().slot;
            if kept.is_none() {
                *kept = slot.take();
            }
        });
    }

    /// Puts the reply in, unless the caller has given up.
    pub(crate) fn fill(self: &Arc<Self>, reply: Result<R, CallError>) {
        if Arc::strong_count(self) == 1 {
            return;
        }
        let waker = {
            let mut state = self.state.lock();
            state.reply = Some(reply);
            self.filled.store(true, Ordering::Release);
            state.waker.take()
        };
        match (waker, &self.caller) {
            (Some(waker), _) => waker.wake(),
            (None, Some(caller)) => caller.head().wake_task(),
            (None, None) => {}
        }
    }

    /// Takes the reply, or waits for it. `kept` is whether the slot has been given a waker to keep.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, kept: &mut bool) -> Poll<Result<R, CallError>> {
        if !self.filled.load(Ordering::Acquire) {
            let by_task = self.caller.as_ref().is_some_and(|caller| caller.head().is_task_waker(cx.waker()));
            if by_task && !*kept {
                return Poll::Pending;
            }
        }
        let mut state = self.state.lock();
        if let Some(reply) = self.empty(&mut state) {
            return Poll::Ready(reply);
        }
        *kept = true;
        let previous = match &state.waker {
            Some(known) if known.will_wake(cx.waker()) => None,
            _ => state.waker.replace(cx.waker().clone()),
        };
        drop(state);
        drop(previous);
        Poll::Pending
    }

    /// Takes the reply if it is there.
    pub(crate) fn take(&self) -> Option<Result<R, CallError>> {
        self.empty(&mut self.state.lock())
    }

    fn empty(&self, state: &mut State<R>) -> Option<Result<R, CallError>> {
        let reply = state.reply.take();
        self.filled.store(false, Ordering::Release);
        reply
    }
}
