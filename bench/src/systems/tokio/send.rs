use tokio::{sync::mpsc, task::yield_now, time::Instant};

use super::in_task;
use crate::{
    measure::rate,
    row::{SENDS, SENDS_PER_TURN},
};

pub(super) async fn run(producers: u64) -> f64 {
    in_task(async move {
        let (address, mut mailbox) = mpsc::unbounded_channel::<u64>();
        let start = Instant::now();
        let receiver = tokio::spawn(async move {
            for _ in 0..SENDS {
                mailbox.recv().await;
            }
        });
        for _ in 0..producers {
            let address = address.clone();
            tokio::spawn(async move {
                for number in 0..SENDS / producers {
                    address.send(number).expect("the receiver runs");
                    if number % SENDS_PER_TURN == 0 {
                        yield_now().await;
                    }
                }
            });
        }
        receiver.await.expect("the receiver ends by itself");
        rate(SENDS, start)
    })
    .await
}
