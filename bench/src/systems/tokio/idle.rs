use tokio::sync::mpsc;

use crate::{
    measure::{Countdown, bytes_each, resident_bytes},
    row::IDLE,
};

pub(super) async fn run() -> f64 {
    let waiting = Countdown::from(IDLE);
    let before = resident_bytes();
    for _ in 0..IDLE {
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
    bytes_each(IDLE, before)
}
