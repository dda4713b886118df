use erlang_process::{Name, Pid, Subject, whereis};
use tokio::time::Instant;

use super::{nanoseconds_each, processes::spawn_idle};
use crate::{measure::scattered, systems::otp::in_process};

const MORE: u64 = 1_000;

pub(super) async fn register(count: u64) -> f64 {
    let (before, more) = (unregistered(0, count).await, unregistered(count, MORE).await);
    in_process(async move {
        register_all(&before);
        let start = Instant::now();
        register_all(&more);
        nanoseconds_each(MORE, start)
    })
    .await
}

pub(super) async fn look_up(count: u64) -> f64 {
    let named = unregistered(0, count).await;
    in_process(async move {
        register_all(&named);
        let start = Instant::now();
        for (name, _) in scattered(&named, 0) {
            assert!(whereis(*name).is_some());
        }
        nanoseconds_each(count, start)
    })
    .await
}

/// Processes, each with the name that it is to have.
async fn unregistered(first: u64, count: u64) -> Vec<(Name<u64>, Pid)> {
    let names = (first..first + count).map(|number| Name::fixed(format!("worker {number}").leak()));
    let processes = spawn_idle(count).await;
    names.zip(processes.iter().filter_map(Subject::pid)).collect()
}

fn register_all(named: &[(Name<u64>, Pid)]) {
    for (name, pid) in named {
        erlang_process::register(*pid, *name).expect("the name is free");
    }
}
