use tokio::{sync::mpsc, time::Instant};

use super::in_task;
use crate::{measure::rate, row::FAN};

pub(super) async fn run(count: u64) -> f64 {
    in_task(async move {
        let (address, mut answers) = mpsc::unbounded_channel();
        let others: Vec<_> = (0..FAN)
            .map(|_| {
                let (other, mut mailbox) = mpsc::unbounded_channel::<u64>();
                let address = address.clone();
                tokio::spawn(async move {
                    while let Some(number) = mailbox.recv().await {
                        address.send(number).expect("the asker runs");
                    }
                });
                other
            })
            .collect();

        let start = Instant::now();
        for round in 0..count / (2 * FAN) {
            for other in &others {
                other.send(round).expect("the others run");
            }
            for _ in 0..FAN {
                assert_eq!(answers.recv().await, Some(round));
            }
        }
        rate(count, start)
    })
    .await
}
