//! Each operation is done to [`MORE`] processes by one that has so many relations already.

use erlang_process::{ExitReason, Monitor, Pid, Selector, Subject, trap_exits};
use tokio::time::Instant;

use super::{nanoseconds_each, processes::spawn_idle};
use crate::systems::otp::in_process;

const MORE: u64 = 1_000;

pub(super) async fn link(count: u64) -> f64 {
    let (before, more) = others(count).await;
    in_process(async move {
        link_all(&before);
        let start = Instant::now();
        link_all(&more);
        nanoseconds_each(MORE, start)
    })
    .await
}

pub(super) async fn unlink(count: u64) -> f64 {
    let (before, more) = others(count).await;
    in_process(async move {
        link_all(&before);
        link_all(&more);
        let start = Instant::now();
        for pid in more {
            erlang_process::unlink(pid).expect("a process measures");
        }
        nanoseconds_each(MORE, start)
    })
    .await
}

pub(super) async fn exit(count: u64) -> f64 {
    let (before, more) = others(count).await;
    in_process(async move {
        trap_exits(true).expect("a process measures");
        link_all(&before);
        link_all(&more);
        let start = Instant::now();
        for pid in more {
            erlang_process::send_exit(pid, ExitReason::Kill);
        }
        let mut exits = Selector::new().select_trapped_exits(drop);
        for _ in 0..MORE {
            exits.receive_forever().await.expect("a process can receive");
        }
        nanoseconds_each(MORE, start)
    })
    .await
}

pub(super) async fn monitor(count: u64) -> f64 {
    let (before, more) = others(count).await;
    in_process(async move {
        monitor_all(&before);
        let start = Instant::now();
        monitor_all(&more);
        nanoseconds_each(MORE, start)
    })
    .await
}

pub(super) async fn demonitor(count: u64) -> f64 {
    let (before, more) = others(count).await;
    in_process(async move {
        monitor_all(&before);
        let monitors = monitor_all(&more);
        let start = Instant::now();
        for monitor in monitors {
            assert!(erlang_process::demonitor(monitor));
        }
        nanoseconds_each(MORE, start)
    })
    .await
}

pub(super) async fn down(count: u64) -> f64 {
    let (before, more) = others(count).await;
    in_process(async move {
        monitor_all(&before);
        monitor_all(&more);
        let start = Instant::now();
        for pid in more {
            erlang_process::kill(pid);
        }
        let mut ends = Selector::new().select_monitors(drop);
        for _ in 0..MORE {
            ends.receive_forever().await.expect("a process can receive");
        }
        nanoseconds_each(MORE, start)
    })
    .await
}

/// So many, and then [`MORE`].
async fn others(count: u64) -> (Vec<Pid>, Vec<Pid>) {
    (pids(count).await, pids(MORE).await)
}

async fn pids(count: u64) -> Vec<Pid> {
    spawn_idle(count).await.iter().filter_map(Subject::pid).collect()
}

fn link_all(others: &[Pid]) {
    for pid in others {
        erlang_process::link(*pid).expect("it lives");
    }
}

fn monitor_all(others: &[Pid]) -> Vec<Monitor> {
    let monitor = |pid: &Pid| erlang_process::monitor(*pid).expect("a process measures");
    others.iter().map(monitor).collect()
}
