#![doc = include_str!("../README.md")]

mod alias;
mod blocking;
mod bound;
mod call;
mod carrier;
mod cell;
mod clock;
mod deadline;
mod far;
mod group;
mod info;
mod keyed;
mod life;
mod lineage;
mod link;
mod listeners;
mod membership;
#[cfg(all(test, any(otp_loom, otp_shuttle)))]
mod models;
mod monitor;
mod name;
mod node;
mod observe;
mod owners;
mod panic;
mod pid;
mod priority;
mod process;
mod reason;
mod receive;
mod reference;
mod registry;
mod report;
#[cfg_attr(all(test, any(otp_loom, otp_shuttle)), path = "models/rt.rs")]
mod rt;
mod scope;
mod selector;
mod send;
mod serial;
mod signal;
#[cfg(all(feature = "testing", not(any(otp_loom, otp_shuttle))))]
pub mod simulate;
mod slot;
mod spawn;
mod subject;
mod suspend;
mod sync;
mod system_monitor;
mod table;
mod timer;
pub mod trouble;

pub use crate::{
    alias::{AliasMode, alias, unalias},
    blocking::block_on,
    bound::{Bound, MailboxFull, WhenFull},
    call::{CallError, Reply, count_replies},
    carrier::{Carrier, Undelivered},
    clock::MissedTicks,
    deadline::{Elapsed, timeout},
    group::{GroupEvent, GroupMonitor, Groups, JoinError, NotJoined},
    info::{Info, Status},
    life::LifeEvent,
    link::{LinkError, link, unlink, unlink_flush},
    monitor::{Down, Monitor, MonitorAlias, demonitor, demonitor_flush, monitor, monitor_with_alias},
    name::{Name, NotRegistered, RegisterError, RegisteredName, register, unregister, whereis},
    node::{InjectError, Node, NodeEvent, TooManyNodes},
    observe::Watching,
    panic::{capture_panics, isolates_panics},
    pid::{NodeId, ParsePidError, Pid},
    priority::{
        link_with_priority, monitor_with_priority, priority_alias, send_exit_with_priority,
        send_with_priority,
    },
    process::{
        ExitMessage, NotAProcess, after_exit, catch, current, exit, is_alive, join, kill, rescue, run,
        send_exit, set_label, trap_exits,
    },
    reason::{ExitReason, IntoExitReason, Panic, SharedError},
    receive::{ReceiveError, flush_messages},
    reference::Reference,
    registry::{DuplicateKeys, NotHolder, Registry, RegistryError, RegistryEvent, UniqueKeys},
    selector::{Selector, Unexpected},
    send::{call, send},
    signal::{Dest, Signal},
    spawn::{
        Prepared, Spawn, spawn, spawn_blocking, spawn_local, spawn_monitor, spawn_subject, spawn_unlinked,
    },
    subject::{SendError, Subject},
    suspend::{SuspendError, Suspension, suspend},
    system_monitor::{RunningPolls, SystemEvent, SystemMonitor},
    timer::{Cancelled, Timer, exit_after, exit_at},
};
