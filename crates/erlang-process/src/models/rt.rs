//! The door for spawning and time under a model checker: what is spawned waits until the model polls it, and time
//! stands still until the model [advances](advance) it. What happens first is for the schedule to say.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    mem,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
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

thread_local! {
    /// What the calling thread has spawned to run on a thread of its own, and not yet taken.
    static BLOCKING: RefCell<Vec<Work>> = const { RefCell::new(Vec::new()) };
}

pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// Keeps work until the model gives it a thread.
pub(crate) fn spawn_blocking(_: impl FnOnce() -> String, work: impl FnOnce() + Send + 'static) {
    BLOCKING.with(|blocking| blocking.borrow_mut().push(Box::new(work)));
}

/// What the calling thread has spawned last to run on a thread of its own.
pub(crate) fn spawned_blocking() -> Option<Work> {
    BLOCKING.with(|blocking| blocking.borrow_mut().pop())
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
    /// Whom to wake when a time has come.
    static SLEEPING: RefCell<BTreeMap<u64, (Instant, Waker)>> = const { RefCell::new(BTreeMap::new()) };
    static SLEEPS: Cell<u64> = const { Cell::new(0) };
}

/// Lets time pass, and wakes whose time has come. It passes in one step: no checker knows that others may look at the
/// clock meanwhile.
pub(crate) fn advance(duration: Duration) {
    PASSED.set(PASSED.get() + duration);
    let now = now();
    let due = SLEEPING.with_borrow_mut(|sleeping| {
        let (due, later): (BTreeMap<_, _>, _) =
            mem::take(sleeping).into_iter().partition(|(_, (at, _))| *at <= now);
        *sleeping = later;
        due
    });
    for (_, waker) in due.into_values() {
        waker.wake();
    }
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

/// Wakes who has polled it last, when [`advance`] comes to its time.
pub(crate) struct Sleep {
    number: u64,
    at: Instant,
}

pub(crate) fn poll_sleep(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    sleep.poll(cx)
}

pub(crate) fn sleep_until(at: Instant) -> Sleep {
    SLEEPS.set(SLEEPS.get() + 1);
    Sleep { number: SLEEPS.get(), at }
}

impl Sleep {
    pub(crate) fn deadline(&self) -> Instant {
        self.at
    }

    pub(crate) fn is_elapsed(&self) -> bool {
        self.at <= now()
    }

    pub(crate) fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.wake_nobody();
        self.at = at;
    }

    fn wake_nobody(&self) {
        let waker = SLEEPING.with_borrow_mut(|sleeping| sleeping.remove(&self.number));
        drop(waker);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.wake_nobody();
        if self.is_elapsed() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        SLEEPING.with_borrow_mut(|sleeping| sleeping.insert(self.number, (self.at, waker)));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.wake_nobody();
    }
}
