//! Each operation is done to [`MORE`] timers beside so many that are pending.

use std::time::Duration;

use erlang_process::{Cancelled, Subject, Timer};
use tokio::time::Instant;

use super::nanoseconds_each;
use crate::{
    measure::{bytes_each, resident_bytes},
    systems::otp::in_process,
};

const MORE: u64 = 1_000;

const HOUR: Duration = Duration::from_secs(3600);

pub(super) async fn set(count: u64) -> f64 {
    in_process(async move {
        let own = subject();
        set_all(&own, count);
        let start = Instant::now();
        set_all(&own, MORE);
        nanoseconds_each(MORE, start)
    })
    .await
}

pub(super) async fn cancel(count: u64) -> f64 {
    in_process(async move {
        let own = subject();
        set_all(&own, count);
        let more = set_all(&own, MORE);
        let start = Instant::now();
        for timer in more {
            assert!(matches!(timer.cancel(), Cancelled::Cancelled { .. }));
        }
        nanoseconds_each(MORE, start)
    })
    .await
}

/// From when they are due until their messages are received.
pub(super) async fn fire(count: u64) -> f64 {
    in_process(async move {
        let own = subject();
        set_all(&own, count);
        let due = subject();
        let now = Instant::now();
        (0..MORE).for_each(|number| drop(due.send_at(now, number)));
        let start = Instant::now();
        for number in 0..MORE {
            assert_eq!(due.receive_forever().await, Ok(number));
        }
        nanoseconds_each(MORE, start)
    })
    .await
}

pub(super) async fn pending(count: u64) -> f64 {
    in_process(async move {
        let own = subject();
        let before = resident_bytes();
        // What holds them is not counted.
        drop(set_all(&own, count));
        bytes_each(count, before)
    })
    .await
}

/// So many, of which no two are due at once, and which are not set in the order in which they are due.
fn set_all(own: &Subject<u64>, count: u64) -> Vec<Timer> {
    let delay = |number: u64| HOUR + Duration::from_millis(number * 7_919 % count);
    (0..count).map(|number| own.send_after(delay(number), number)).collect()
}

fn subject() -> Subject<u64> {
    Subject::new().expect("a process measures")
}
