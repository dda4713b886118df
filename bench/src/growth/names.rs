use erlang_process::{Name, Pid, Subject, whereis};
use tokio::time::Instant;

use super::{nanoseconds_each, processes::spawn_idle};
use crate::{measure::scattered, systems::otp::in_process};

pub(super) async fn register(count: u64) -> f64 {
    let (names, pids) = unregistered(count).await;
    in_process(async move {
        let start = Instant::now();
        register_all(&names, &pids);
        nanoseconds_each(count, start)
    })
    .await
}

pub(super) async fn look_up(count: u64) -> f64 {
    let (names, pids) = unregistered(count).await;
    in_process(async move {
        register_all(&names, &pids);
        let start = Instant::now();
        for name in scattered(&names, 0) {
            assert!(whereis(*name).is_some());
        }
        nanoseconds_each(count, start)
    })
    .await
}

type Names = Vec<Name<u64>>;

async fn unregistered(count: u64) -> (Names, Vec<Pid>) {
    let names = (0..count).map(|number| Name::fixed(format!("worker {number}").leak())).collect();
    let pids = spawn_idle(count).await.iter().filter_map(Subject::pid).collect();
    (names, pids)
}

fn register_all(names: &Names, pids: &[Pid]) {
    for (name, pid) in names.iter().zip(pids) {
        erlang_process::register(*pid, *name).expect("the name is free");
    }
}
