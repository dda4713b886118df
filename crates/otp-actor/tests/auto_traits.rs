//! What can be sent to another thread, shared by threads, moved while it is polled, and used after a panic was caught: a promise
//! to users, which a private field can break.

use std::{
    panic::{RefUnwindSafe, UnwindSafe},
    time::Duration,
};

use erlang_process::{ExitReason, Pid, Reply};
use otp_actor::{self as actor, *};

fn all<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

fn shared<T: Send + Sync + Unpin>() {}

fn sent<T: Send + Unpin>() {}

fn future<F: Future + Send>(_: impl FnOnce() -> F) {}

#[test]
fn plain_values() {
    all::<Started<u8>>();
}

#[test]
fn handles_and_reasons() {
    shared::<StartError>();
    shared::<Next>();
    shared::<InitAck<u8>>();
    shared::<agent::Agent<u8>>();
}

#[test]
fn what_one_thread_uses() {
    sent::<Step<u8>>();
    sent::<Initialised<u8, u8, u8>>();
    sent::<Request<u8>>();
    sent::<Requests<u8, u8>>();
}

/// States and messages that threads cannot share are enough.
#[test]
fn futures_are_sent() {
    type State = std::cell::Cell<u8>;

    let (pid, second) = (Pid::OUTSIDE, Duration::from_secs(1));
    let new = || actor::new(State::default()).on_message(|_: &mut State, _: State| Next::Continue);
    future(|| new().start());
    future(|| new().start_unlinked());
    future(|| new().start_monitored());
    future(|| actor::stop(pid, ExitReason::Normal, second));
    future(|| agent::new(State::default).start());
    let targets = [("one", erlang_process::Name::<Reply<u8>>::new("target").subject())];
    future(|| multi_call(targets, second, |reply| reply));
}
