use erlang_process::{Subject, spawn_subject};

use crate::{
    measure::{Countdown, bytes_each, resident_bytes},
    row::IDLE,
};

/// Processes without links when run outside any process, linked ones when run in one.
pub(super) async fn run() -> f64 {
    let waiting = Countdown::from(IDLE);
    let before = resident_bytes();
    for _ in 0..IDLE {
        let waiting = waiting.clone();
        spawn_subject(|subject: Subject<u64>| async move {
            waiting.one_less();
            drop(waiting);
            let _ = subject.receive_forever().await;
        });
    }
    waiting.zero().await;
    bytes_each(IDLE, before)
}
