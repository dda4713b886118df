//! Calls and their replies.

use std::{
    future::{Future, pending},
    time::Duration,
};

use erlang_process::{self as process, CallError, ExitReason, Name, Reply, Subject};
use tokio::time::Instant;

use super::MS;
use crate::support::{Handicap, LONG, Race, alone, boom, server, unread};

type Question = Reply<u8>;

/// Calls a process that ends in this way when it is asked; what its caller learns.
async fn asked<F>(body: impl FnOnce(Subject<Question>) -> F) -> Result<u8, CallError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (_, subject) = server(body);
    subject.call(LONG, |reply| reply).await
}

#[tokio::test(start_paused = true)]
async fn callers_learn_why_they_get_no_reply() {
    process::capture_panics();
    alone(async {
        let start = Instant::now();
        let down = |reason| Err(CallError::Down(reason));
        // The request is dropped by a panic that unwinds, or stays in a variable, or in the mailbox.
        let answer = asked(|calls| async move {
            let _reply = calls.receive_forever().await.unwrap();
            panic!("dropped by unwinding");
        });
        match answer.await {
            Err(CallError::Down(ExitReason::Panic(panic))) => {
                assert_eq!(panic.message(), "dropped by unwinding")
            }
            other => panic!("{other:?}"),
        }
        let answer = asked(|calls| async move {
            let _reply = calls.receive_forever().await.unwrap();
            process::exit(ExitReason::Shutdown)
        });
        assert_eq!(answer.await, down(ExitReason::Shutdown));
        let answer = asked(|calls| async move {
            drop(calls.receive_forever().await.unwrap());
            process::exit(boom())
        });
        assert_eq!(answer.await, down(boom()), "dropped in the poll in which it ends");
        let answer = asked(|calls| async move {
            tokio::task::yield_now().await;
            drop(calls);
        });
        assert_eq!(answer.await, down(ExitReason::Normal), "never read");
        let answer = asked(|_| async {
            process::send_exit(process::current().unwrap(), ExitReason::Kill);
        });
        assert!(matches!(answer.await, Err(CallError::Down(ExitReason::Killed))), "killed unread");
        let answer = asked(|calls| async move {
            drop(calls.receive_forever().await.unwrap());
            pending().await
        });
        assert_eq!(answer.await, Err(CallError::Unanswered));
        assert_eq!(start.elapsed(), Duration::ZERO, "each at once");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_never_seen() {
    alone(async {
        let (_, subject) = server(|calls: Subject<Question>| async move {
            let reply = calls.receive_forever().await.unwrap();
            tokio::time::sleep(10 * MS).await;
            reply.send(1);
            calls.receive_forever().await.unwrap().send(2);
        });
        assert_eq!(subject.call(5 * MS, |reply| reply).await, Err(CallError::Timeout));
        tokio::time::sleep(10 * MS).await;
        assert_eq!(unread(), 0);
        assert_eq!(subject.call(5 * MS, |reply| reply).await, Ok(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_comes_in_time_or_never() {
    alone(async {
        let (_, calls) = server(|calls: Subject<(Handicap, Reply<usize>, usize)>| async move {
            while let Ok((handicap, reply, round)) = calls.receive_forever().await {
                handicap.wait();
                reply.send(round);
            }
        });
        let mut race = Race::with(["in time", "too late"]).at_least(300);
        while let Some((round, handicap)) = race.round() {
            match calls.call(MS, |reply| (handicap, reply, round)).await {
                Ok(answer) => {
                    assert_eq!(answer, round);
                    race.saw("in time");
                }
                Err(error) => {
                    assert_eq!(error, CallError::Timeout);
                    race.saw("too late");
                }
            }
            assert_eq!(unread(), 0);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_by_name_stays_with_the_holder_it_found() {
    alone(async {
        let name = Name::<Question>::new("moving");
        let holder = || {
            server(|calls: Subject<Question>| async move {
                let _reply = calls.receive_forever().await.unwrap();
                process::exit(boom()) as ()
            })
            .0
        };
        let (first, second) = (holder(), holder());
        process::register(first, name).unwrap();
        // The name moves while the request is made.
        let by_name = name.subject();
        let answer = by_name.call(LONG, |reply| {
            process::unregister(name).unwrap();
            process::register(second, name).unwrap();
            reply
        });
        assert_eq!(answer.await, Err(CallError::Down(boom())));
        assert!(!process::is_alive(first) && process::is_alive(second));
    })
    .await;
}
