use erlang_process::{Groups, Subject};
use tokio::time::Instant;

use super::{nanoseconds_each, processes::spawn_idle};
use crate::systems::otp::in_process;

pub(super) async fn join(count: u64) -> f64 {
    let members = spawn_idle(count).await;
    in_process(async move {
        let groups = Groups::new();
        let start = Instant::now();
        join_all(&groups, &members);
        nanoseconds_each(count, start)
    })
    .await
}

pub(super) async fn send(count: u64) -> f64 {
    const MESSAGES: u64 = 100_000;
    let members = spawn_idle(count).await;
    in_process(async move {
        let groups = Groups::new();
        join_all(&groups, &members);
        let rounds = (MESSAGES / count).max(1);
        let start = Instant::now();
        for round in 0..rounds {
            groups.send("all", round);
        }
        nanoseconds_each(rounds * count, start)
    })
    .await
}

pub(super) async fn leave(count: u64) -> f64 {
    let members = spawn_idle(count).await;
    in_process(async move {
        let groups = Groups::new();
        join_all(&groups, &members);
        let start = Instant::now();
        for member in members.iter().filter_map(Subject::pid) {
            groups.leave("all", member).expect("it has joined");
        }
        nanoseconds_each(count, start)
    })
    .await
}

fn join_all(groups: &Groups<&'static str, u64>, members: &[Subject<u64>]) {
    for member in members {
        groups.join("all", member).expect("it lives");
    }
}
