//! What can be sent to another thread, shared by threads, moved while it is polled, and used after a panic was caught: a promise
//! to users, which a private field can break.

use std::{
    panic::{RefUnwindSafe, UnwindSafe},
    time::Duration,
};

use erlang_process::Pid;
use otp_system::*;

fn all<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

fn shared<T: Send + Sync + Unpin>() {}

fn sent<T: Send + Unpin>() {}

fn future<F: Future + Send>(_: impl FnOnce() -> F) {}

#[test]
fn plain_values() {
    all::<Mode>();
    all::<EventKind>();
    all::<Debugging>();
    all::<LoggedEvent>();
    all::<Statistics>();
    all::<StatusInfo>();
}

#[test]
fn handles_and_reasons() {
    shared::<SystemError>();
}

#[test]
fn what_one_thread_uses() {
    sent::<SystemMessage>();
    sent::<DebugOptions>();
    sent::<DebugRequest>();
    sent::<System>();
    sent::<Visit>();
}

#[test]
fn futures_are_sent() {
    let (pid, second) = (Pid::OUTSIDE, Duration::from_secs(1));
    future(|| get_state(pid, second, |state: &u8| *state));
    future(|| replace_state(pid, second, |state: &u8| *state));
    future(|| get_status(pid, second));
    future(|| suspend(pid, second));
    future(|| resume(pid, second));
    future(|| trace(pid, second, true));
    future(|| log(pid, second, None));
    future(|| logged(pid, second));
    future(|| statistics(pid, second, true));
    future(|| counted(pid, second));
    future(|| no_debug(pid, second));
}
