use tokio::time::Instant;

use super::in_task;
use crate::measure::rate;

pub(super) async fn run(count: u64) -> f64 {
    in_task(async move {
        let start = Instant::now();
        let tasks: Vec<_> = (0..count).map(|number| tokio::spawn(async move { number + 1 })).collect();
        for (number, task) in (0..).zip(tasks) {
            assert_eq!(task.await.expect("the task ends by itself"), number + 1);
        }
        rate(count, start)
    })
    .await
}
