//! The door for spawning and time under a model checker: what is spawned waits until the model polls it, and time
//! stands still until the model [advances](advance) it. What happens first is for the schedule to say.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
    time::Duration,
};

use crate::{models::puppet::Task, sync::thread_local};

pub(crate) use self::real::*;

// What is not replaced below. Nobody uses what is.
#[allow(dead_code, unused_imports)]
#[path = "../rt.rs"]
mod real;

thread_local! {
    /// What the calling thread has spawned and not yet taken.
    static SPAWNED: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a future until the model takes it.
pub(crate) fn spawn(_: impl FnOnce() -> String, future: impl Future<Output = ()> + Send + 'static) {
    SPAWNED.with(|spawned| spawned.borrow_mut().push(Task::new(future)));
}

/// What the calling thread has spawned last.
pub(crate) fn spawned() -> Option<Task> {
    SPAWNED.with(|spawned| spawned.borrow_mut().pop())
}

/// There is one runtime.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id;

pub(crate) fn id() -> Id {
    Id
}

std::thread_local! {
    /// How much time has passed since the beginning. All threads of a model share one thread of the system.
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Lets time pass. No checker knows that it may race with those who look at the clock: do it while nobody does.
pub(crate) fn advance(duration: Duration) {
    PASSED.set(PASSED.get() + duration);
}

pub(crate) fn now() -> Instant {
    static BEGINNING: LazyLock<Instant> = LazyLock::new(real::now);
    *BEGINNING + PASSED.get()
}

pub(crate) fn after(delay: Duration) -> Instant {
    now() + delay
}

pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    now().checked_add(timeout)
}

/// Wakes nobody: after [`advance`] the model polls what waits.
pub(crate) struct Sleep(Instant);

pub(crate) fn poll_sleep(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    sleep.poll(cx)
}

pub(crate) fn sleep_until(at: Instant) -> Sleep {
    Sleep(at)
}

impl Sleep {
    pub(crate) fn deadline(&self) -> Instant {
        self.0
    }

    pub(crate) fn is_elapsed(&self) -> bool {
        self.0 <= now()
    }

    pub(crate) fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.0 = at;
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.is_elapsed() { Poll::Ready(()) } else { Poll::Pending }
    }
}
