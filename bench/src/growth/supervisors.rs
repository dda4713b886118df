use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use erlang_process::ExitReason;
use otp_supervisor::{
    ChildSpec, Strategy,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};
use tokio::{sync::Notify, time::Instant};

use super::nanoseconds_each;
use crate::systems::otp::in_process;

pub(super) async fn start(children: u64) -> f64 {
    in_process(async move {
        let start = Instant::now();
        let supervisor = supervisor_of((0..children).map(|_| idle())).await;
        let cost = nanoseconds_each(children, start);
        supervisor.stop().await.expect("the supervisor stops");
        cost
    })
    .await
}

pub(super) async fn stop(children: u64) -> f64 {
    in_process(async move {
        let supervisor = supervisor_of((0..children).map(|_| idle())).await;
        let start = Instant::now();
        supervisor.stop().await.expect("the supervisor stops");
        nanoseconds_each(children, start)
    })
    .await
}

pub(super) async fn restart(children: u64) -> f64 {
    const RESTARTS: u64 = 5_000;
    in_process(async move {
        let (go, restarted) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let failing = {
            let (go, restarted, starts) = (go.clone(), restarted.clone(), Arc::new(AtomicU64::new(0)));
            supervision::process(move || {
                let (go, restarted, starts) = (go.clone(), restarted.clone(), starts.clone());
                async move {
                    match starts.fetch_add(1, Ordering::Relaxed) {
                        0 => go.notified().await,
                        RESTARTS => {
                            restarted.notify_one();
                            std::future::pending().await
                        }
                        _ => {}
                    }
                    Err::<(), _>(ExitReason::error("planned"))
                }
            })
        };
        let others = (1..children).map(|_| idle());
        let supervisor = supervisor_of(others.chain([failing])).await;
        let start = Instant::now();
        go.notify_one();
        restarted.notified().await;
        let cost = nanoseconds_each(RESTARTS, start);
        supervisor.stop().await.expect("the supervisor stops");
        cost
    })
    .await
}

fn idle() -> ChildSpec {
    supervision::process(std::future::pending::<()>)
}

async fn supervisor_of(children: impl Iterator<Item = ChildSpec>) -> Supervisor {
    let tree = supervisor::new(Strategy::OneForOne).restart_tolerance(u32::MAX, Duration::from_secs(1));
    let tree = children.fold(tree, supervisor::Builder::add).start().await.expect("the children start");
    erlang_process::unlink(tree.pid).expect("a process measures");
    tree.data
}
