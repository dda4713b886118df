use tokio::{sync::mpsc, time::Instant};

use super::in_task;
use crate::{
    measure::{planned_panic, rate},
    row::Failure,
};

pub(super) async fn run(count: u64, by: Failure) -> f64 {
    in_task(async move {
        let start = Instant::now();
        for _ in 0..count {
            let ended = tokio::spawn(child(by)).await;
            assert!(!matches!(ended, Ok(Ok(()))));
        }
        rate(count, start)
    })
    .await
}

/// Children have mailboxes, as everything that is worth to be restarted.
fn child(by: Failure) -> impl Future<Output = Result<(), &'static str>> {
    let (_address, mailbox) = mpsc::unbounded_channel::<u64>();
    end(mailbox, by)
}

async fn end(_mailbox: mpsc::UnboundedReceiver<u64>, by: Failure) -> Result<(), &'static str> {
    match by {
        Failure::Error => Err("planned"),
        Failure::Panic => planned_panic(),
    }
}
