use std::time::Duration;

use erlang_process::{Reply, Selector, Subject, spawn, spawn_subject};
use tokio::{task::yield_now, time::Instant};

use super::nanoseconds_each;
use crate::systems::otp::in_process;

pub(super) async fn fill_and_drain(depth: u64) -> f64 {
    in_process(async move {
        let own = subject();
        let start = Instant::now();
        (0..depth).for_each(|number| own.send(number));
        for number in 0..depth {
            assert_eq!(own.receive_forever().await, Ok(number));
        }
        nanoseconds_each(depth, start)
    })
    .await
}

pub(super) async fn call(depth: u64) -> f64 {
    const CALLS: u64 = 100_000;
    in_process(async move {
        let own = subject();
        (0..depth).for_each(|number| own.send(number));
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

pub(super) async fn scan(depth: u64) -> f64 {
    in_process(async move {
        let (own, wanted) = (subject(), subject());
        (0..depth).for_each(|number| own.send(number));
        wanted.send(0);
        let start = Instant::now();
        assert_eq!(wanted.receive_forever().await, Ok(0));
        nanoseconds_each(depth, start)
    })
    .await
}

pub(super) async fn arrivals(depth: u64) -> f64 {
    const ARRIVALS: u64 = 10_000;
    in_process(async move {
        let own = subject();
        let wanted = Subject::new().expect("a process measures");
        (0..depth).for_each(|number| own.send(number));
        let sender = wanted.clone();
        spawn(async move {
            // It has passed over what was there before, and waits: there is but one thread.
            let start = Instant::now();
            for number in 0..ARRIVALS {
                own.send(number);
                // The receiver looks at this one before the next is sent.
                yield_now().await;
            }
            sender.send(start);
        });
        let start = wanted.receive_forever().await.expect("it is its own");
        nanoseconds_each(ARRIVALS, start)
    })
    .await
}

/// Selects subjects, sends to each, and receives.
pub(super) async fn select(subjects: u64) -> f64 {
    in_process(async move {
        let all: Vec<_> = (0..subjects).map(|_| subject()).collect();
        let start = Instant::now();
        let mut selector = Selector::new();
        for subject in &all {
            selector = selector.select(subject, |number| number);
        }
        for (number, subject) in (0..).zip(&all) {
            subject.send(number);
        }
        for number in 0..subjects {
            assert_eq!(selector.receive_forever().await, Ok(number));
        }
        nanoseconds_each(subjects, start)
    })
    .await
}

fn subject() -> Subject<u64> {
    Subject::new().expect("a process measures")
}
