use erlang_process::{spawn, spawn_unlinked};
use tokio::time::Instant;

use super::in_process;
use crate::{
    measure::{Countdown, OneLess, rate},
    row::SPAWNS,
};

pub(super) async fn run() -> f64 {
    in_process(async {
        let alive = Countdown::from(SPAWNS);
        let start = Instant::now();
        for _ in 0..SPAWNS {
            let end = OneLess(alive.clone());
            spawn_unlinked(async move { drop(end) });
        }
        alive.zero().await;
        rate(SPAWNS, start)
    })
    .await
}

pub(super) async fn run_linked() -> f64 {
    in_process(async {
        let alive = Countdown::from(SPAWNS);
        let start = Instant::now();
        for _ in 0..SPAWNS {
            let end = OneLess(alive.clone());
            spawn(async move { drop(end) });
        }
        alive.zero().await;
        rate(SPAWNS, start)
    })
    .await
}
