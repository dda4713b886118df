use std::thread;

use tokio::{sync::mpsc, task::yield_now, time::Instant};

use super::in_task;
use crate::{measure::rate, row::SENDS_PER_TURN};

pub(super) async fn run(count: u64, producers: u64) -> f64 {
    in_task(async move {
        let (address, mut mailbox) = mpsc::unbounded_channel::<u64>();
        let start = Instant::now();
        let receiver = tokio::spawn(async move {
            for _ in 0..count {
                mailbox.recv().await;
            }
        });
        for _ in 0..producers {
            let address = address.clone();
            tokio::spawn(async move {
                for number in 0..count / producers {
                    address.send(number).expect("the receiver runs");
                    if number % SENDS_PER_TURN == 0 {
                        yield_now().await;
                    }
                }
            });
        }
        receiver.await.expect("the receiver ends by itself");
        rate(count, start)
    })
    .await
}

pub(super) async fn run_from_threads(count: u64, producers: u64) -> f64 {
    in_task(async move {
        let (address, mut mailbox) = mpsc::unbounded_channel::<u64>();
        let start = Instant::now();
        for _ in 0..producers {
            let address = address.clone();
            thread::spawn(move || {
                (0..count / producers).for_each(|number| address.send(number).expect("the receiver runs"));
            });
        }
        for _ in 0..count {
            mailbox.recv().await;
        }
        rate(count, start)
    })
    .await
}
