use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use erlang_process::{ExitReason, capture_panics};
use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
use tokio::{sync::Notify, time::Instant};

use super::in_process;
use crate::{
    measure::{planned_panic, rate},
    row::Failure,
};

/// A supervisor whose one child ends as often as it is measured, and then stays.
pub(super) async fn run(count: u64, by: Failure) -> f64 {
    capture_panics();
    in_process(async move {
        let restarted = Arc::new(Notify::new());
        let starts = Arc::new(AtomicU64::new(0));
        let child = {
            let restarted = restarted.clone();
            supervision::process(move || child(by, count, starts.clone(), restarted.clone()))
        };
        let start = Instant::now();
        let tree = supervisor::new(Strategy::OneForOne)
            .restart_tolerance(u32::MAX, Duration::from_secs(1))
            .add(child)
            .start()
            .await
            .expect("the child starts");
        restarted.notified().await;
        let rate = rate(count, start);
        erlang_process::unlink(tree.pid).expect("a process measures");
        tree.data.stop().await.expect("the supervisor stops");
        rate
    })
    .await
}

async fn child(
    by: Failure,
    count: u64,
    starts: Arc<AtomicU64>,
    restarted: Arc<Notify>,
) -> Result<(), ExitReason> {
    if starts.fetch_add(1, Ordering::Relaxed) == count {
        restarted.notify_one();
        std::future::pending::<()>().await;
    }
    match by {
        Failure::Error => Err(ExitReason::error("planned")),
        Failure::Panic => planned_panic(),
    }
}
