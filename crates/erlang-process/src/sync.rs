//! The one door for locks, atomics and the variables of a thread: a model checker replaces them here and
//! nowhere else.
//!
//! Under a model checker several threads of a model share one of the system's, and the world begins anew for
//! each schedule. So what a thread owns goes through here as well, and what a `static` holds is of one model alone.

use std::fmt;

pub(crate) use std::sync::{Arc, OnceLock as StaticOnceLock, Weak, atomic::Ordering};

pub(crate) use self::checked::{
    AtomicBool, AtomicU8, AtomicU64, OnceLock, Parking, StaticAtomicU64, thread_local,
};

#[cfg(all(test, any(otp_loom, otp_shuttle)))]
pub(crate) use self::checked::{Condvar, Mutex as CheckedMutex};

/// Whether a model checker runs this. Tables are small then: it looks at every lock there is.
pub(crate) const MODELLED: bool = cfg!(all(test, any(otp_loom, otp_shuttle)));

#[cfg(not(all(test, any(otp_loom, otp_shuttle))))]
mod checked {
    pub(crate) use std::{
        sync::{
            Mutex, MutexGuard, OnceLock,
            atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicU64 as StaticAtomicU64},
        },
        thread_local,
    };

    /// A thread that waits until it is unparked.
    #[derive(Debug)]
    pub(crate) struct Parking(std::thread::Thread);

    impl Parking {
        /// Of the calling thread, which alone may park.
        pub(crate) fn new() -> Self {
            Self(std::thread::current())
        }

        pub(crate) fn park(&self) {
            std::thread::park();
        }

        pub(crate) fn unpark(&self) {
            self.0.unpark();
        }
    }
}

#[cfg(all(test, otp_loom))]
mod checked {
    pub(crate) use loom::sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU64},
    };

    pub(crate) use crate::models::sync::{OnceLock, Parking, StaticAtomicU64};

    /// loom's own does not know `const` initializers.
    macro_rules! variable {
        ($(#[$meta:meta])* static $name:ident: $type:ty = const { $init:expr };) => {
            loom::thread_local! { $(#[$meta])* static $name: $type = $init; }
        };
    }
    pub(crate) use variable as thread_local;
}

#[cfg(all(test, otp_shuttle))]
mod checked {
    pub(crate) use shuttle::{
        sync::{
            Condvar, Mutex, MutexGuard,
            atomic::{AtomicBool, AtomicU8, AtomicU64},
        },
        thread_local,
    };

    pub(crate) use crate::models::sync::{OnceLock, Parking, StaticAtomicU64};
}

/// A mutex that is never poisoned.
///
/// No user code runs, no user value is dropped and nothing is woken while one of these is held, so that
/// a panic cannot leave what it guards half changed.
#[derive(Default)]
pub(crate) struct Mutex<T: ?Sized>(checked::Mutex<T>);

pub(crate) type Guard<'a, T> = checked::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(checked::Mutex::new(value))
    }
}

impl<T: ?Sized> Mutex<T> {
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}
