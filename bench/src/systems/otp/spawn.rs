use erlang_process::{spawn, spawn_unlinked};
use tokio::time::Instant;

use super::in_process;
use crate::measure::{Countdown, OneLess, rate};

pub(super) async fn run(count: u64) -> f64 {
    in_process(async move {
        let alive = Countdown::from(count);
        let start = Instant::now();
        for _ in 0..count {
            let end = OneLess(alive.clone());
            spawn_unlinked(async move { drop(end) });
        }
        alive.zero().await;
        rate(count, start)
    })
    .await
}

pub(super) async fn run_linked(count: u64) -> f64 {
    in_process(async move {
        let alive = Countdown::from(count);
        let start = Instant::now();
        for _ in 0..count {
            let end = OneLess(alive.clone());
            spawn(async move { drop(end) });
        }
        alive.zero().await;
        rate(count, start)
    })
    .await
}
