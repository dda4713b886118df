//! Requests whose answers are waited for later, and to several at once.

use std::time::Duration;

use erlang_process::{self as process, CallError, ExitReason, Groups, Name, Reply, Subject};
use otp_actor::{self as actor, Requests, abcast, multi_call, send_request};

use super::{MS, Note, notes, read};
use crate::support::{LONG, alone, unread};

/// Answers after so long.
async fn slow(_: &mut (), (after, reply): (Duration, Reply<Duration>)) {
    tokio::time::sleep(after).await;
    reply.send(after);
}

async fn slow_actor() -> Subject<(Duration, Reply<Duration>)> {
    actor::new(()).on_message_async(slow).start().await.unwrap().data
}

#[tokio::test(start_paused = true)]
async fn gs_74_a_request_and_its_answer() {
    alone(async {
        let slow = slow_actor().await;
        let request = send_request(&slow, |reply| (MS, reply));
        assert_eq!(request.receive(LONG).await, Ok(MS));
        assert_eq!(send_request(&slow, |reply| (MS, reply)).await, Ok(MS));
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_75_waiting_again() {
    alone(async {
        let slow = slow_actor().await;
        let request = send_request(&slow, |reply| (200 * MS, reply));
        let request = request.wait(50 * MS).await.unwrap_err();
        assert_eq!(request.wait(LONG).await.unwrap(), Ok(200 * MS));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_76_an_answer_that_is_too_late_is_never_seen() {
    alone(async {
        let slow = slow_actor().await;
        let request = send_request(&slow, |reply| (200 * MS, reply));
        assert_eq!(request.receive(50 * MS).await, Err(CallError::Timeout));
        assert_eq!(slow.call(LONG, |reply| (MS, reply)).await, Ok(MS));
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_77_a_request_to_nobody() {
    alone(async {
        let nobody = Name::<(Duration, Reply<Duration>)>::new("nobody").subject();
        let request = send_request(&nobody, |reply| (MS, reply));
        assert_eq!(request.receive(LONG).await, Err(CallError::NoProc));
        let started = actor::new(()).on_message_async(slow).start_unlinked().await.unwrap();
        let request = send_request(&started.data, |reply| (LONG, reply));
        process::kill(started.pid);
        assert_eq!(request.receive(LONG).await, Err(CallError::Down(ExitReason::Killed)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_78_check_before_and_after_the_answer() {
    alone(async {
        let slow = slow_actor().await;
        let request = send_request(&slow, |reply| (200 * MS, reply));
        let request = request.check().unwrap_err();
        tokio::time::sleep(300 * MS).await;
        assert_eq!(request.check().unwrap(), Ok(200 * MS));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_81_an_empty_collection() {
    alone(async {
        let mut requests = Requests::<(), ()>::new();
        assert!(requests.wait(LONG).await.unwrap().is_none());
        assert!(requests.receive(LONG).await.unwrap().is_none());
        assert!(requests.check().is_none());
        assert!(requests.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_82_a_collection_whose_time_is_over() {
    alone(async {
        let mut requests = Requests::new();
        for ms in [300, 100, 200] {
            let slow = slow_actor().await;
            requests.add(ms, send_request(&slow, move |reply| (ms * MS, reply)));
        }
        assert!(requests.wait(50 * MS).await.is_err());
        assert_eq!(requests.len(), 3);
        let mut answered = Vec::new();
        while let Ok(Some((label, answer))) = requests.wait(120 * MS).await {
            assert_eq!(answer, Ok(label * MS));
            answered.push(label);
        }
        assert_eq!(answered, [100, 200, 300]);

        for ms in [100, 300] {
            let slow = slow_actor().await;
            requests.add(ms, send_request(&slow, move |reply| (ms * MS, reply)));
        }
        assert_eq!(requests.labels().copied().collect::<Vec<_>>(), [100, 300]);
        assert_eq!(requests.receive(150 * MS).await.unwrap().unwrap().0, 100);
        assert!(requests.receive(50 * MS).await.is_err());
        assert!(requests.is_empty(), "all are abandoned");
        tokio::time::sleep(1000 * MS).await;
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn multi_call_and_abcast() {
    alone(async {
        let group = Groups::<&str, (Duration, Reply<Duration>)>::new();
        for _ in 0..3 {
            group.join("slow", &slow_actor().await).unwrap();
        }
        let name = Name::new("nobody");
        let targets = group.subjects("slow").into_iter().chain([name.subject()]).enumerate();
        let (answers, failed) = multi_call(targets, LONG, |reply| (10 * MS, reply)).await;
        assert_eq!(answers, [(0, 10 * MS), (1, 10 * MS), (2, 10 * MS)]);
        assert_eq!(failed, [(3, CallError::NoProc)]);
        let targets = group.subjects("slow").into_iter().enumerate();
        let (answers, failed) = multi_call(targets, 5 * MS, |reply| (10 * MS, reply)).await;
        assert_eq!((answers.len(), failed.len()), (0, 3));
        assert!(failed.iter().all(|(_, error)| *error == CallError::Timeout));

        let all: Vec<_> = [notes().await, notes().await].into();
        let subjects = all.iter().map(|started| started.data.clone());
        assert_eq!(abcast(subjects, || Note::Plain("to all")), 2);
        for started in &all {
            assert_eq!(read(started).await.len(), 1);
        }
    })
    .await;
}
