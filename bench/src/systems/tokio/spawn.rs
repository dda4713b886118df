use tokio::{sync::mpsc, time::Instant};

use super::in_task;
use crate::{measure::rate, row::SPAWNS};

pub(super) async fn run() -> f64 {
    in_task(async {
        let start = Instant::now();
        let tasks: Vec<_> = (0..SPAWNS)
            .map(|_| {
                let (_address, mailbox) = mpsc::unbounded_channel::<u64>();
                tokio::spawn(async move { drop(mailbox) })
            })
            .collect();
        for task in tasks {
            task.await.expect("the task ends by itself");
        }
        rate(SPAWNS, start)
    })
    .await
}
