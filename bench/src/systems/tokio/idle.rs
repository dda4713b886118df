use tokio::sync::mpsc;

use crate::measure::{Countdown, bytes_each, resident_bytes};

pub(super) async fn run(count: u64) -> f64 {
    let waiting = Countdown::from(count);
    let before = resident_bytes();
    for _ in 0..count {
        let (address, mut mailbox) = mpsc::unbounded_channel::<u64>();
        // Without an address the task would end. Nobody uses it, so that it need not be kept anywhere.
        std::mem::forget(address);
        let waiting = waiting.clone();
        tokio::spawn(async move {
            waiting.one_less();
            mailbox.recv().await
        });
    }
    waiting.zero().await;
    bytes_each(count, before)
}
