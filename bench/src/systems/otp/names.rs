use std::sync::Arc;

use erlang_process::{Name, Spawn, Subject, spawn, whereis};
use tokio::time::Instant;

use super::in_process;
use crate::{
    measure::{Countdown, OneLess, names, rate, scattered},
    row::{LOOKUPS, NAMED_SENDS, NAMES},
};

pub(super) async fn look_up(lookers: usize) -> f64 {
    in_process(async move {
        register_all();
        let running = Countdown::from(lookers as u64);
        let start = Instant::now();
        for looker in 0..lookers {
            let end = OneLess(running.clone());
            spawn(async move {
                for _ in 0..LOOKUPS / lookers {
                    for name in scattered(names(), looker * names().len() / lookers) {
                        assert!(whereis(Name::<u64>::fixed(name)).is_some());
                    }
                }
                drop(end);
            });
        }
        running.zero().await;
        rate(NAMES * LOOKUPS as u64, start)
    })
    .await
}

pub(super) async fn send(producers: usize) -> f64 {
    in_process(async move {
        let waiting = register_all();
        let start = Instant::now();
        for producer in 0..producers {
            spawn(async move {
                for _ in 0..NAMED_SENDS / producers {
                    for name in scattered(names(), producer * names().len() / producers) {
                        Name::<u64>::fixed(name).subject().send(1);
                    }
                }
            });
        }
        waiting.zero().await;
        rate(NAMES * NAMED_SENDS as u64, start)
    })
    .await
}

/// Processes with names; returns the count of those that have not had all of their messages.
fn register_all() -> Arc<Countdown> {
    let waiting = Countdown::from(NAMES);
    for name in names() {
        let waiting = waiting.clone();
        let process =
            Spawn::new().named(Name::<u64>::fixed(name)).prepare(|subject: Subject<u64>| async move {
                for _ in 0..NAMED_SENDS {
                    subject.receive_forever().await.expect("it is its own");
                }
                waiting.one_less();
            });
        process.expect("the name is free").start();
    }
    waiting
}
