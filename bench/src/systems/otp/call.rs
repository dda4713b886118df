use std::time::Duration;

use erlang_process::{Reply, Subject, spawn_subject};
use tokio::time::Instant;

use super::in_process;
use crate::measure::rate;

pub(super) async fn run(count: u64, timeout: Duration) -> f64 {
    in_process(async move {
        let server = spawn_subject(|subject: Subject<(u64, Reply<u64>)>| async move {
            while let Ok((number, reply)) = subject.receive_forever().await {
                reply.send(number + 1);
            }
        });
        let start = Instant::now();
        for number in 0..count {
            assert_eq!(server.call(timeout, |reply| (number, reply)).await, Ok(number + 1));
        }
        rate(count, start)
    })
    .await
}
