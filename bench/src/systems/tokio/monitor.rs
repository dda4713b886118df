use std::sync::Arc;

use tokio::{sync::Notify, task::JoinSet, time::Instant};

use super::in_task;
use crate::{
    measure::{Countdown, rate},
    row::MONITORED,
};

pub(super) async fn run() -> f64 {
    in_task(async {
        let (starting, end) = (Countdown::from(MONITORED), Arc::new(Notify::new()));
        let mut tasks = JoinSet::new();
        for _ in 0..MONITORED {
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
        rate(MONITORED, start)
    })
    .await
}
