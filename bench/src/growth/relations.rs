use erlang_process::{ExitReason, Monitor, Pid, Selector, Subject, trap_exits};
use tokio::time::Instant;

use super::{nanoseconds_each, processes::spawn_idle};
use crate::systems::otp::in_process;

pub(super) async fn link(count: u64) -> f64 {
    let others = pids(&spawn_idle(count).await);
    in_process(async move {
        let start = Instant::now();
        link_all(&others);
        nanoseconds_each(count, start)
    })
    .await
}

pub(super) async fn unlink(count: u64) -> f64 {
    let others = pids(&spawn_idle(count).await);
    in_process(async move {
        link_all(&others);
        let start = Instant::now();
        for pid in others {
            erlang_process::unlink(pid).expect("a process measures");
        }
        nanoseconds_each(count, start)
    })
    .await
}

pub(super) async fn exit(count: u64) -> f64 {
    let others = pids(&spawn_idle(count).await);
    in_process(async move {
        trap_exits(true).expect("a process measures");
        link_all(&others);
        let start = Instant::now();
        for pid in others {
            erlang_process::send_exit(pid, ExitReason::Kill);
        }
        let mut exits = Selector::new().select_trapped_exits(drop);
        for _ in 0..count {
            exits.receive_forever().await.expect("a process can receive");
        }
        nanoseconds_each(count, start)
    })
    .await
}

pub(super) async fn monitor(count: u64) -> f64 {
    let others = pids(&spawn_idle(count).await);
    in_process(async move {
        let start = Instant::now();
        monitor_all(&others);
        nanoseconds_each(count, start)
    })
    .await
}

pub(super) async fn demonitor(count: u64) -> f64 {
    let others = pids(&spawn_idle(count).await);
    in_process(async move {
        let monitors = monitor_all(&others);
        let start = Instant::now();
        for monitor in monitors {
            assert!(erlang_process::demonitor(monitor));
        }
        nanoseconds_each(count, start)
    })
    .await
}

pub(super) async fn down(count: u64) -> f64 {
    let others = spawn_idle(count).await;
    in_process(async move {
        monitor_all(&pids(&others));
        let start = Instant::now();
        for other in others {
            other.send(0);
        }
        let mut ends = Selector::new().select_monitors(drop);
        for _ in 0..count {
            ends.receive_forever().await.expect("a process can receive");
        }
        nanoseconds_each(count, start)
    })
    .await
}

fn pids(subjects: &[Subject<u64>]) -> Vec<Pid> {
    subjects.iter().filter_map(Subject::pid).collect()
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
