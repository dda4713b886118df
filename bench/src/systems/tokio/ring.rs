use std::sync::{Arc, OnceLock};

use tokio::{sync::mpsc, time::Instant};

use super::in_task;
use crate::{
    measure::{Countdown, rate},
    row::RING,
};

/// The tasks of the ring, known when all are there. A token is how many hops it has yet to go.
type Ring = Arc<OnceLock<Vec<mpsc::UnboundedSender<u64>>>>;

pub(super) async fn run(count: u64, tokens: u64) -> f64 {
    in_task(async move {
        let (ring, running) = (Ring::default(), Countdown::from(tokens));
        let members = (0..RING).map(|place| member(place, ring.clone(), running.clone())).collect();
        let members = ring.get_or_init(|| members);

        let start = Instant::now();
        for (_, member) in (0..tokens).zip(members) {
            member.send(count / tokens).expect("the ring runs");
        }
        running.zero().await;
        rate(count, start)
    })
    .await
}

fn member(place: u64, ring: Ring, running: Arc<Countdown>) -> mpsc::UnboundedSender<u64> {
    let (address, mut mailbox) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut token = mailbox.recv().await;
        let next = next(&ring, place);
        drop(ring);
        while let Some(hops) = token {
            match hops {
                0 => running.one_less(),
                _ => next.send(hops - 1).expect("the ring runs"),
            }
            token = mailbox.recv().await;
        }
    });
    address
}

fn next(ring: &Ring, place: u64) -> mpsc::UnboundedSender<u64> {
    let members = ring.get().expect("tokens come when all are there");
    members[usize::try_from((place + 1) % RING).expect("small")].clone()
}
