use std::thread;

use erlang_process::{Subject, spawn, spawn_subject};
use tokio::{task::yield_now, time::Instant};

use super::in_process;
use crate::{
    measure::{Countdown, rate},
    row::SENDS_PER_TURN,
};

pub(super) async fn run(count: u64, producers: u64) -> f64 {
    in_process(async move {
        let running = Countdown::from(1);
        let start = Instant::now();
        let receiver = spawn_subject({
            let running = running.clone();
            |subject: Subject<u64>| async move {
                for _ in 0..count {
                    subject.receive_forever().await.expect("it is its own");
                }
                running.one_less();
            }
        });
        for _ in 0..producers {
            let receiver = receiver.clone();
            spawn(async move {
                for number in 0..count / producers {
                    receiver.send(number);
                    if number % SENDS_PER_TURN == 0 {
                        yield_now().await;
                    }
                }
            });
        }
        running.zero().await;
        rate(count, start)
    })
    .await
}

pub(super) async fn run_from_threads(count: u64, producers: u64) -> f64 {
    in_process(async move {
        let own = Subject::new().expect("a process measures");
        let start = Instant::now();
        for _ in 0..producers {
            let own = own.clone();
            thread::spawn(move || (0..count / producers).for_each(|number| own.send(number)));
        }
        for _ in 0..count {
            own.receive_forever().await.expect("it is its own");
        }
        rate(count, start)
    })
    .await
}
