use std::time::Duration;

use tokio::{
    sync::{
        mpsc::{self, UnboundedSender},
        oneshot,
    },
    time::{Instant, timeout},
};

use super::in_task;
use crate::measure::rate;

type Request = (u64, oneshot::Sender<u64>);

pub(super) async fn run(count: u64) -> f64 {
    let server = server();
    in_task(async move {
        let start = Instant::now();
        for number in 0..count {
            let (reply, answer) = oneshot::channel();
            server.send((number, reply)).expect("the server runs");
            assert_eq!(answer.await, Ok(number + 1));
        }
        rate(count, start)
    })
    .await
}

pub(super) async fn run_with_timeout(count: u64) -> f64 {
    let server = server();
    in_task(async move {
        let start = Instant::now();
        for number in 0..count {
            let (reply, answer) = oneshot::channel();
            server.send((number, reply)).expect("the server runs");
            assert_eq!(timeout(Duration::from_secs(5), answer).await, Ok(Ok(number + 1)));
        }
        rate(count, start)
    })
    .await
}

fn server() -> UnboundedSender<Request> {
    let (requests, mut mailbox) = mpsc::unbounded_channel::<Request>();
    tokio::spawn(async move {
        while let Some((number, reply)) = mailbox.recv().await {
            let _ = reply.send(number + 1);
        }
    });
    requests
}
