use erlang_process::{Subject, spawn_subject};

use crate::measure::{Countdown, bytes_each, resident_bytes};

/// Processes without links when run outside any process, linked ones when run in one.
pub(super) async fn run(count: u64) -> f64 {
    let waiting = Countdown::from(count);
    let before = resident_bytes();
    for _ in 0..count {
        let waiting = waiting.clone();
        spawn_subject(|subject: Subject<u64>| async move {
            waiting.one_less();
            drop(waiting);
            let _ = subject.receive_forever().await;
        });
    }
    waiting.zero().await;
    bytes_each(count, before)
}
