use std::time::Duration;

use erlang_process::{Reply, Subject, spawn_subject};
use tokio::time::Instant;

use super::nanoseconds_each;
use crate::{
    measure::{Countdown, OneLess, bytes_each, resident_bytes},
    systems::otp::in_process,
};

pub(super) async fn spawn(count: u64) -> f64 {
    in_process(async move {
        let alive = Countdown::from(count);
        let start = Instant::now();
        for _ in 0..count {
            let end = OneLess(alive.clone());
            erlang_process::spawn_unlinked(async move { drop(end) });
        }
        alive.zero().await;
        nanoseconds_each(count, start)
    })
    .await
}

pub(super) async fn idle(count: u64) -> f64 {
    let before = resident_bytes();
    let all = spawn_idle(count).await;
    // What holds them is not counted.
    drop(all);
    bytes_each(count, before)
}

pub(super) async fn call(count: u64) -> f64 {
    const CALLS: u64 = 100_000;
    let _idle = spawn_idle(count).await;
    in_process(async {
        let server = spawn_subject(|subject: Subject<(u64, Reply<u64>)>| async move {
            while let Ok((number, reply)) = subject.receive_forever().await {
                reply.send(number);
            }
        });
        let start = Instant::now();
        for number in 0..CALLS {
            let answer = server.call(Duration::from_secs(5), |reply| (number, reply)).await;
            assert_eq!(answer, Ok(number));
        }
        nanoseconds_each(CALLS, start)
    })
    .await
}

/// Processes that wait for a message and are linked with none.
pub(super) async fn spawn_idle(count: u64) -> Vec<Subject<u64>> {
    let waiting = Countdown::from(count);
    let spawn = |_| {
        let waiting = waiting.clone();
        spawn_subject(|subject: Subject<u64>| async move {
            waiting.one_less();
            drop(waiting);
            let _ = subject.receive_forever().await;
        })
    };
    let all = (0..count).map(spawn).collect();
    waiting.zero().await;
    all
}
