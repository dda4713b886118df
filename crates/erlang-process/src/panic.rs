//! Panics of processes: what they said, and where.

use std::{any::Any, cell::RefCell, panic, sync::Once};

use crate::{
    process::current,
    reason::{Panic, payload_text},
    sync::thread_local,
};

thread_local! {
    /// The panic that is unwinding the process on this thread.
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Makes panics in processes reports of this library, and nothing else: from now on a panic inside a process
/// is noted with its place and not printed. Its text and place are in the exit reason and in the crash
/// report. Panics outside any process go to the hook that was set before.
///
/// Without this the program's panic hook runs for every process that panics, before its end is known to
/// anyone; with backtraces switched on the standard hook takes a tenth of a second. A program that
/// supervises wants this; a library leaves it to the program. Calling it again changes nothing.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// process::capture_panics();
/// let reason = process::run(async { panic!("boom") as () }).await.unwrap_err();
/// let ExitReason::Panic(panic) = reason else { panic!("another reason") };
/// assert_eq!(panic.message(), "boom");
/// assert!(panic.location().is_some());
/// # Ok(())
/// # }
/// ```
pub fn capture_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let outside = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if current().is_some() {
                let panic = Panic::new(payload_text(info.payload()), info.location());
                drop(LAST.try_with(|last| last.replace(Some(panic))));
            } else {
                outside(info);
            }
        }));
    });
}

/// Whether the panic of a process ends that process and no other: false in a program that is built with
/// `panic = "abort"`, where it ends the program, and where [`exit`](crate::exit) does as well.
///
/// A program that relies on it checks this at its start. The first process that is spawned without it says so in a
/// warning of the tracing target `erlang_process`.
///
/// ```
/// assert!(erlang_process::isolates_panics(), "remove panic = \"abort\" from the profile");
/// ```
#[must_use]
pub const fn isolates_panics() -> bool {
    cfg!(panic = "unwind")
}

/// Warns once where panics are not isolated.
#[inline]
pub(crate) fn warn_if_fatal() {
    if !isolates_panics() {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            tracing::warn!(
                target: "erlang_process",
                "built with panic = \"abort\": the first process that panics or exits ends the program"
            );
        });
    }
}

/// What the panic with this payload was.
pub(crate) fn describe(payload: &(dyn Any + Send)) -> Panic {
    let noted = LAST.try_with(RefCell::take).ok().flatten();
    // A note that says something else is of a panic that was caught inside the process.
    let text = payload_text(payload);
    noted.filter(|panic| panic.message() == text).unwrap_or_else(|| Panic::new(text, None))
}
