use std::sync::Arc;

use tokio::{sync::Notify, task::JoinSet, time::Instant};

use super::in_task;
use crate::measure::{Countdown, rate};

pub(super) async fn run(count: u64) -> f64 {
    in_task(async move {
        let (starting, end) = (Countdown::from(count), Arc::new(Notify::new()));
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let (starting, end) = (starting.clone(), end.clone());
            tasks.spawn(async move {
                let end = end.notified();
                starting.one_less();
                end.await;
            });
        }
        starting.zero().await;

        let start = Instant::now();
        end.notify_waiters();
        while tasks.join_next().await.is_some() {}
        rate(count, start)
    })
    .await
}
