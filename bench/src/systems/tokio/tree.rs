use tokio::{sync::mpsc, time::Instant};

use super::in_task;
use crate::{
    measure::{TreeRates, rate},
    row::CHILDREN,
};

/// A list of handles, each awaited when the address of its task is dropped, which ends it.
pub(super) async fn run() -> TreeRates {
    in_task(async {
        let start = Instant::now();
        let mut children = Vec::new();
        for _ in 0..CHILDREN {
            let (address, mut mailbox) = mpsc::unbounded_channel::<u64>();
            children.push((address, tokio::spawn(async move { mailbox.recv().await })));
        }
        let started = rate(CHILDREN, start);
        let start = Instant::now();
        while let Some((address, child)) = children.pop() {
            drop(address);
            child.await.expect("the child ends by itself");
        }
        TreeRates { start: started, stop: rate(CHILDREN, start) }
    })
    .await
}
