//! How processes are stopped: one, or many at once.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use erlang_process::{
    Down, ExitReason, Monitor, Pid, Selector, kill, monitor, send_exit, timeout, unlink, unlink_flush,
};
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use crate::semantics::{Shutdown, Stop};

/// What has become of a child that was to be stopped: why it really ended, or what will tell of its end if it was killed
/// and does not end.
pub(crate) type Stopped = Result<ExitReason, Monitor>;

/// Stops a child.
///
/// A monitor is what is waited for, so that a child that has unlinked itself cannot hang its supervisor.
pub(crate) async fn one(stop: &Stop<Pid>) -> Stopped {
    let Ok(watch) = monitor(stop.pid) else { return Ok(ExitReason::NoProc) };
    ask_to_end(stop);
    if let Some(patience) = patience(stop.shutdown)
        && let Ok(down) = timeout(patience, watch.down()).await
    {
        return Ok(true_reason(stop.pid, down.ok()));
    }
    let down = match stop.shutdown {
        Shutdown::Infinity => watch.down().await,
        Shutdown::BrutalKill => return Err(abandoned(stop.pid, watch)),
        Shutdown::After(_) => {
            kill(stop.pid);
            match timeout(Shutdown::KILL_PATIENCE, watch.down()).await {
                Ok(down) => down,
                Err(_) => return Err(abandoned(stop.pid, watch)),
            }
        }
    };
    Ok(true_reason(stop.pid, down.ok()))
}

/// How long a child is waited for before something else is done, if ever.
fn patience(shutdown: Shutdown) -> Option<Duration> {
    match shutdown {
        Shutdown::BrutalKill => Some(Shutdown::KILL_PATIENCE),
        Shutdown::After(patience) => Some(patience),
        Shutdown::Infinity => None,
    }
}

/// Waits no longer for a child: the monitor alone will tell of its end.
fn abandoned(pid: Pid, watch: Monitor) -> Monitor {
    let _ = unlink(pid);
    watch
}

/// Stops children at once, each with its own patience.
pub(crate) async fn all(stops: Vec<Stop<Pid>>) -> Vec<(Stop<Pid>, Stopped)> {
    let start = Instant::now();
    let mut waiting: FxHashMap<Monitor, Stop<Pid>> = FxHashMap::default();
    let mut downs = Selector::new();
    for stop in stops {
        if let Ok(watch) = monitor(stop.pid) {
            ask_to_end(&stop);
            downs = downs.select_monitor(watch, |down| down);
            waiting.insert(watch, stop);
        }
    }
    // When the patience with each is at its end, the first one first.
    let mut limits: BinaryHeap<Reverse<(Duration, Monitor)>> = waiting
        .iter()
        .filter_map(|(watch, stop)| Some(Reverse((patience(stop.shutdown)?, *watch))))
        .collect();

    let mut ended = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let left = limits.peek().map(|Reverse((limit, _))| limit.saturating_sub(start.elapsed()));
        if let Ok(down) = downs.receive(left.unwrap_or(Duration::MAX)).await {
            if let Some(stop) = waiting.remove(&down.monitor) {
                ended.push((stop, Ok(true_reason(stop.pid, Some(down)))));
            }
        } else if let Some(Reverse((limit, watch))) = limits.pop()
            && let Some(stop) = waiting.get_mut(&watch)
        {
            if stop.shutdown == Shutdown::BrutalKill {
                ended.push((*stop, Err(abandoned(stop.pid, watch))));
                waiting.remove(&watch);
            } else {
                kill(stop.pid);
                stop.shutdown = Shutdown::BrutalKill;
                limits.push(Reverse((limit.saturating_add(Shutdown::KILL_PATIENCE), watch)));
            }
        }
    }
    ended
}

fn ask_to_end(stop: &Stop<Pid>) {
    let reason = match stop.shutdown {
        Shutdown::BrutalKill => ExitReason::Kill,
        Shutdown::After(_) | Shutdown::Infinity => ExitReason::Shutdown,
    };
    send_exit(stop.pid, reason);
}

/// Why a child that is gone has ended, and takes its exit out of the mailbox. Where it was gone before it was
/// monitored, only the exit knows; it came before the monitor was answered.
fn true_reason(pid: Pid, down: Option<Down>) -> ExitReason {
    let exit = unlink_flush(pid).ok().flatten();
    match (down.map(|down| down.reason), exit) {
        (Some(ExitReason::NoProc) | None, Some(reason)) => reason,
        (Some(reason), _) => reason,
        (None, None) => ExitReason::NoProc,
    }
}
