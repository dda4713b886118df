//! What can be sent to another thread, shared by threads, moved while it is polled, and used after a panic was caught: a promise
//! to users, which a private field can break.

use std::{
    cell::Cell,
    future::{Ready, pending},
    panic::{RefUnwindSafe, UnwindSafe},
    time::Duration,
};

use erlang_process::*;

fn all<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

fn shared<T: Send + Sync + Unpin>() {}

fn sent<T: Send + Unpin>() {}

fn future<F: Future + Send>(_: impl FnOnce() -> F) {}

#[test]
fn plain_values() {
    all::<Pid>();
    all::<NodeId>();
    all::<ParsePidError>();
    all::<Reference>();
    all::<Name<u8>>();
    all::<RegisteredName>();
    all::<Monitor>();
    all::<Dest>();
    all::<AliasMode>();
    all::<MonitorAlias>();
    all::<Bound>();
    all::<WhenFull>();
    all::<MissedTicks>();
    all::<Cancelled>();
    all::<Status>();
    all::<Info>();
    all::<UniqueKeys>();
    all::<DuplicateKeys>();
    all::<SystemMonitor>();
    all::<Elapsed>();
    all::<JoinError>();
    all::<LinkError>();
    all::<MailboxFull>();
    all::<NotAProcess>();
    all::<NotHolder>();
    all::<NotJoined>();
    all::<NotRegistered>();
    all::<Panic>();
    all::<ReceiveError>();
    all::<RegisterError>();
    all::<RegistryError>();
    all::<SendError<u8>>();
    all::<SuspendError>();
    all::<TooManyNodes>();
    all::<NodeEvent>();
    all::<SystemEvent>();
    all::<GroupEvent<u8>>();
    all::<RegistryEvent<u8, u8>>();
}

#[test]
fn handles_and_reasons() {
    shared::<Spawn>();
    shared::<CallError>();
    shared::<ExitReason>();
    shared::<SharedError>();
    shared::<ExitMessage>();
    shared::<Down>();
    shared::<LifeEvent>();
    all::<Node>();
    shared::<Subject<u8>>();
    shared::<Groups<u8, u8>>();
    shared::<GroupMonitor<u8>>();
    shared::<Registry<u8, u8>>();
    shared::<Registry<u8, u8, DuplicateKeys>>();
    shared::<Timer>();
    shared::<Suspension>();
    shared::<Watching>();
    shared::<RunningPolls>();
}

#[test]
fn what_one_thread_uses() {
    sent::<InjectError>();
    sent::<Undelivered>();
    sent::<Signal>();
    sent::<Reply<u8>>();
    sent::<Selector<u8>>();
    sent::<Prepared<u8, Ready<()>>>();
}

/// Messages need not be `Sync` for their addresses to be.
#[test]
fn messages_need_only_be_sent() {
    shared::<Subject<Cell<u8>>>();
    shared::<Name<Cell<u8>>>();
}

#[test]
fn futures_are_sent() {
    let second = Duration::from_secs(1);
    let pid = Pid::OUTSIDE;
    future(|| join(pid));
    future(|| run(pending::<()>()));
    future(|| catch(pending::<()>()));
    future(|| timeout(second, pending::<()>()));
    let name = Name::<u8>::new("receiver");
    let own = name.subject();
    future(|| own.receive(second));
    future(|| own.receive_forever());
    future(|| own.send_wait(1));
    let server = Name::<Reply<u8>>::new("server").subject();
    future(|| server.call(second, |reply| reply));
    let mut selector = Selector::<u8>::new();
    future(|| selector.receive(second));
    future(|| selector.receive_forever());
}
