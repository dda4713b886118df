use std::time::Duration;

use otp_task as task;
use tokio::time::Instant;

use super::in_process;
use crate::measure::rate;

pub(super) async fn run(count: u64) -> f64 {
    in_process(async move {
        let start = Instant::now();
        let tasks: Vec<_> = (0..count).map(|number| task::spawn(async move { number + 1 })).collect();
        for (number, task) in (0..).zip(tasks) {
            let value = task.await_timeout(Duration::from_secs(5)).await;
            assert_eq!(value.expect("the task ends by itself"), number + 1);
        }
        rate(count, start)
    })
    .await
}
