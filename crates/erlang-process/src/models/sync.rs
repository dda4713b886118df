//! What stands behind the door for locks and atomics where a model checker has nothing that fits.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{PoisonError, atomic::Ordering},
};

use crate::sync::{AtomicBool, CheckedMutex, Condvar};

std::thread_local! {
    /// What each static holds, by its address. All threads of a model share one thread of the system, and others run
    /// at the same time: what they count must not change how this one runs.
    static HELD: RefCell<BTreeMap<usize, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// A number that a `static` holds. No checker sees that it is read.
pub(crate) struct StaticAtomicU64 {
    initial: u64,
}

impl StaticAtomicU64 {
    pub(crate) const fn new(initial: u64) -> Self {
        Self { initial }
    }

    pub(crate) fn load(&'static self, _: Ordering) -> u64 {
        self.change(|held| held)
    }

    pub(crate) fn fetch_add(&'static self, more: u64, _: Ordering) -> u64 {
        self.change(|held| held + more)
    }

    pub(crate) fn fetch_sub(&'static self, less: u64, _: Ordering) -> u64 {
        self.change(|held| held - less)
    }

    /// Returns what it held before.
    fn change(&'static self, change: impl FnOnce(u64) -> u64) -> u64 {
        HELD.with_borrow_mut(|all| {
            let held = all.entry(std::ptr::from_ref(self).addr()).or_insert(self.initial);
            std::mem::replace(held, change(*held))
        })
    }
}

/// A value that is set once. A checker sees by a flag who finds it.
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: AtomicBool,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { value: std::sync::OnceLock::new(), is_set: AtomicBool::new(false) }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_set.store(true, Ordering::Release);
        Ok(())
    }
}

/// A thread that waits until it is unparked. loom's own wakes a thread that waits for a lock, too.
#[derive(Default)]
pub(crate) struct Parking {
    unparked: CheckedMutex<bool>,
    changed: Condvar,
}

impl Parking {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn park(&self) {
        let mut unparked = self.unparked.lock().unwrap_or_else(PoisonError::into_inner);
        while !std::mem::take(&mut *unparked) {
            unparked = self.changed.wait(unparked).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn unpark(&self) {
        *self.unparked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

impl std::fmt::Debug for Parking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parking").finish_non_exhaustive()
    }
}
