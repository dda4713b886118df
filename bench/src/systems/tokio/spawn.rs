use tokio::{sync::mpsc, time::Instant};

use super::in_task;
use crate::measure::rate;

pub(super) async fn run(count: u64) -> f64 {
    in_task(async move {
        let start = Instant::now();
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let (_address, mailbox) = mpsc::unbounded_channel::<u64>();
                tokio::spawn(async move { drop(mailbox) })
            })
            .collect();
        for task in tasks {
            task.await.expect("the task ends by itself");
        }
        rate(count, start)
    })
    .await
}
