//! What can be sent to another thread, shared by threads, moved while it is polled, and used after a panic was caught: a promise
//! to users, which a private field can break.

use std::{
    panic::{RefUnwindSafe, UnwindSafe},
    time::Duration,
};

use otp_task::*;

fn all<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

fn shared<T: Send + Sync + Unpin>() {}

fn future<F: Future + Send>(_: impl FnOnce() -> F) {}

#[test]
fn plain_values() {
    all::<Progress>();
    all::<ProgressWatch>();
    all::<YieldOnTimeout>();
    all::<StreamOnTimeout>();
    all::<Task<u8>>();
}

#[test]
fn handles_and_reasons() {
    shared::<AwaitError>();
    shared::<AwaitAllError>();
    shared::<ElementError>();
    shared::<Failed>();
}

#[test]
fn futures_are_sent() {
    let second = Duration::from_secs(1);
    future(|| completed(1).await_timeout(second));
    future(|| completed(1).await_forever());
    future(|| completed(1).await_or_exit(second));
    future(|| completed(1).shutdown(second));
    future(|| completed(1).brutal_kill());
    future(|| await_all([completed(1)], second));
    let mut one = completed(1);
    future(|| one.yield_timeout(second));
    let mut many = [completed(1)];
    future(|| yield_many(&mut many, second).outcomes());
    sent_value(async_stream([1], |number| async move { number }));
}

fn sent_value<T: Send + Unpin>(_: T) {}
