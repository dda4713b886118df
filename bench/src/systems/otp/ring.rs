use std::sync::{Arc, OnceLock};

use erlang_process::{Subject, spawn_subject};
use tokio::time::Instant;

use super::in_process;
use crate::{
    measure::{Countdown, rate},
    row::RING,
};

/// The processes of the ring, known when all are there. A token is how many hops it has yet to go.
type Ring = Arc<OnceLock<Vec<Subject<u64>>>>;

pub(super) async fn run(count: u64, tokens: u64) -> f64 {
    in_process(async move {
        let (ring, running) = (Ring::default(), Countdown::from(tokens));
        let members = (0..RING).map(|place| member(place, ring.clone(), running.clone())).collect();
        let members = ring.get_or_init(|| members);

        let start = Instant::now();
        for (_, member) in (0..tokens).zip(members) {
            member.send(count / tokens);
        }
        running.zero().await;
        rate(count, start)
    })
    .await
}

fn member(place: u64, ring: Ring, running: Arc<Countdown>) -> Subject<u64> {
    spawn_subject(move |subject: Subject<u64>| async move {
        let mut token = subject.receive_forever().await;
        let next = next(&ring, place);
        drop(ring);
        while let Ok(hops) = token {
            match hops {
                0 => running.one_less(),
                _ => next.send(hops - 1),
            }
            token = subject.receive_forever().await;
        }
    })
}

fn next(ring: &Ring, place: u64) -> Subject<u64> {
    let members = ring.get().expect("tokens come when all are there");
    members[usize::try_from((place + 1) % RING).expect("small")].clone()
}
