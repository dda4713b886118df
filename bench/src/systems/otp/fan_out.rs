use erlang_process::{Subject, spawn_subject};
use tokio::time::Instant;

use super::in_process;
use crate::{measure::rate, row::FAN};

pub(super) async fn run(count: u64) -> f64 {
    let (result, value) = tokio::sync::oneshot::channel();
    in_process(async move {
        spawn_subject(|answers: Subject<u64>| async move {
            let others: Vec<_> = (0..FAN).map(|_| other(answers.clone())).collect();

            let start = Instant::now();
            for round in 0..count / (2 * FAN) {
                for other in &others {
                    other.send(round);
                }
                for _ in 0..FAN {
                    assert_eq!(answers.receive_forever().await, Ok(round));
                }
            }
            let _ = result.send(rate(count, start));
        });
    })
    .await;
    value.await.expect("the asker ends by itself")
}

fn other(asker: Subject<u64>) -> Subject<u64> {
    spawn_subject(|subject: Subject<u64>| async move {
        while let Ok(number) = subject.receive_forever().await {
            asker.send(number);
        }
    })
}
