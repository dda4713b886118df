use erlang_process::{Subject, spawn, spawn_subject};
use tokio::{task::yield_now, time::Instant};

use super::in_process;
use crate::{
    measure::{Countdown, rate},
    row::{SENDS, SENDS_PER_TURN},
};

pub(super) async fn run(producers: u64) -> f64 {
    in_process(async move {
        let running = Countdown::from(1);
        let start = Instant::now();
        let receiver = spawn_subject({
            let running = running.clone();
            |subject: Subject<u64>| async move {
                for _ in 0..SENDS {
                    subject.receive_forever().await.expect("it is its own");
                }
                running.one_less();
            }
        });
        for _ in 0..producers {
            let receiver = receiver.clone();
            spawn(async move {
                for number in 0..SENDS / producers {
                    receiver.send(number);
                    if number % SENDS_PER_TURN == 0 {
                        yield_now().await;
                    }
                }
            });
        }
        running.zero().await;
        rate(SENDS, start)
    })
    .await
}
