use std::time::Duration;

use erlang_process::{Reply, spawn};
use otp_actor::{self as actor, Next, StartError, Started};
use tokio::{task::yield_now, time::Instant};

use super::in_process;
use crate::{
    measure::{Countdown, bytes_each, rate, resident_bytes},
    row::SENDS_PER_TURN,
};

pub(super) async fn start(count: u64) -> f64 {
    in_process(async move {
        let start = Instant::now();
        for number in 0..count {
            started(actor::new(number).on_message(ignore).start()).await;
        }
        rate(count, start)
    })
    .await
}

pub(super) async fn idle(count: u64) -> f64 {
    let before = resident_bytes();
    for number in 0..count {
        started(actor::new(number).on_message(ignore).start()).await;
    }
    bytes_each(count, before)
}

pub(super) async fn call(count: u64) -> f64 {
    in_process(async move {
        let server = started(actor::new(0).on_message(answer).start()).await;
        let start = Instant::now();
        for number in 0..count {
            let answer = server.call(Duration::MAX, |reply| (number, reply)).await;
            assert_eq!(answer, Ok(number + 1));
        }
        rate(count, start)
    })
    .await
}

pub(super) async fn send(count: u64, producers: u64) -> f64 {
    in_process(async move {
        let running = Countdown::from(1);
        let end = running.clone();
        let start = Instant::now();
        let receiver = actor::new(0).on_message(move |received: &mut u64, _: u64| {
            *received += 1;
            if *received == count {
                end.one_less();
            }
        });
        let receiver = started(receiver.start()).await;
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

fn ignore(_: &mut u64, _: u64) -> Next {
    Next::Continue
}

fn answer(answered: &mut u64, (number, reply): (u64, Reply<u64>)) {
    *answered += 1;
    reply.send(number + 1);
}

async fn started<D>(start: impl Future<Output = Result<Started<D>, StartError>>) -> D {
    start.await.expect("the actor starts").data
}
