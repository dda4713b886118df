use std::sync::Arc;

use erlang_process::{Selector, spawn_monitor};
use tokio::{sync::Notify, time::Instant};

use super::in_process;
use crate::measure::{Countdown, rate};

pub(super) async fn run(count: u64) -> f64 {
    in_process(async move {
        let (starting, end) = (Countdown::from(count), Arc::new(Notify::new()));
        for _ in 0..count {
            let (starting, end) = (starting.clone(), end.clone());
            let spawned = spawn_monitor(async move {
                let end = end.notified();
                starting.one_less();
                end.await;
            });
            spawned.expect("a process can monitor");
        }
        starting.zero().await;

        let start = Instant::now();
        end.notify_waiters();
        let mut ends = Selector::new().select_monitors(drop);
        for _ in 0..count {
            ends.receive_forever().await.expect("a process can receive");
        }
        rate(count, start)
    })
    .await
}
