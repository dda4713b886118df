use tokio::{
    sync::{
        mpsc::{self, UnboundedSender},
        oneshot,
    },
    task::JoinHandle,
    time::Instant,
};

use super::in_task;
use crate::measure::rate;

pub(super) async fn start(count: u64) -> f64 {
    in_task(async move {
        let start = Instant::now();
        let _children = children(count).await;
        rate(count, start)
    })
    .await
}

pub(super) async fn stop(count: u64) -> f64 {
    in_task(async move {
        let children = children(count).await;
        let start = Instant::now();
        for (address, child) in children.into_iter().rev() {
            drop(address);
            child.await.expect("the child ends by itself");
        }
        rate(count, start)
    })
    .await
}

type Child = (UnboundedSender<u64>, JoinHandle<()>);

/// Children that are started one after the other; each says that it is ready.
async fn children(count: u64) -> Vec<Child> {
    let mut children = Vec::new();
    for _ in 0..count {
        let (address, mut mailbox) = mpsc::unbounded_channel();
        let (ready, started) = oneshot::channel();
        let child = tokio::spawn(async move {
            let _ = ready.send(());
            while mailbox.recv().await.is_some() {}
        });
        started.await.expect("the child starts");
        children.push((address, child));
    }
    children
}
