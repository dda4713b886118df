//! What can be sent to another thread, shared by threads, moved while it is polled, and used after a panic was caught: a promise
//! to users, which a private field can break.

use std::panic::{RefUnwindSafe, UnwindSafe};

use otp_supervisor::{
    application::ApplicationError, factory_supervisor, partition_supervisor, semantics, static_supervisor,
    supervisor_bridge, *,
};

fn all<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

fn shared<T: Send + Sync + Unpin>() {}

fn sent<T: Send + Unpin>() {}

fn future<F: Future + Send>(_: impl FnOnce() -> F) {}

#[test]
fn plain_values() {
    all::<AutoShutdown>();
    all::<ChildType>();
    all::<Counts>();
    all::<Presence<u8>>();
    all::<Restart>();
    all::<Shutdown>();
    all::<Strategy>();
    all::<ChildInfo<u8>>();
    all::<ChildId>();
    all::<semantics::Flags>();
    all::<semantics::FactoryFlags>();
    all::<semantics::ChildKey>();
    all::<semantics::Supervisor<u8, u8, u8, u8>>();
    all::<semantics::Factory<u8, u8, u8>>();
}

#[test]
fn handles_and_reasons() {
    shared::<SupervisorError>();
    shared::<FailedToStartChild>();
    shared::<ApplicationError>();
    shared::<static_supervisor::Supervisor>();
    shared::<factory_supervisor::Builder<u8, u8>>();
    shared::<factory_supervisor::Supervisor<u8, u8>>();
    shared::<partition_supervisor::Supervisor<u8>>();
}

#[test]
fn what_one_thread_uses() {
    sent::<ChildSpec<u8>>();
    sent::<static_supervisor::Builder>();
    sent::<static_supervisor::Message>();
    sent::<factory_supervisor::Message<u8, u8>>();
    sent::<partition_supervisor::Builder<u8>>();
    sent::<supervisor_bridge::Builder<fn()>>();
}

#[test]
fn futures_are_sent() {
    fn new() -> static_supervisor::Builder {
        static_supervisor::new(Strategy::OneForOne)
    }

    future(|| new().start());
    let one = static_supervisor::Supervisor::named(erlang_process::Name::new("supervisor"));
    future(|| one.which_children());
    future(|| one.count_children());
    future(|| one.stop());
    future(|| application::new(|| new().start()).run());
}
