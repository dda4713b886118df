use std::sync::Arc;

use erlang_process::{Name, Spawn, Subject, spawn, whereis};
use tokio::time::Instant;

use super::in_process;
use crate::{
    measure::{Countdown, OneLess, names, rate, scattered},
    row::NAMES,
};

pub(super) async fn look_up(count: u64, lookers: u64) -> f64 {
    in_process(async move {
        register_all(count / NAMES);
        let running = Countdown::from(lookers);
        let start = Instant::now();
        for looker in 0..lookers {
            let end = OneLess(running.clone());
            spawn(async move {
                for _ in 0..count / NAMES / lookers {
                    for name in scattered(names(), looker * NAMES / lookers) {
                        assert!(whereis(Name::<u64>::fixed(name)).is_some());
                    }
                }
                drop(end);
            });
        }
        running.zero().await;
        rate(count, start)
    })
    .await
}

pub(super) async fn send(count: u64, producers: u64) -> f64 {
    in_process(async move {
        let waiting = register_all(count / NAMES);
        let start = Instant::now();
        for producer in 0..producers {
            spawn(async move {
                for _ in 0..count / NAMES / producers {
                    for name in scattered(names(), producer * NAMES / producers) {
                        Name::<u64>::fixed(name).subject().send(1);
                    }
                }
            });
        }
        waiting.zero().await;
        rate(count, start)
    })
    .await
}

/// Processes with names; returns the count of those that have not had all of their messages.
fn register_all(messages: u64) -> Arc<Countdown> {
    let waiting = Countdown::from(NAMES);
    for name in names() {
        let waiting = waiting.clone();
        let process =
            Spawn::new().named(Name::<u64>::fixed(name)).prepare(|subject: Subject<u64>| async move {
                for _ in 0..messages {
                    subject.receive_forever().await.expect("it is its own");
                }
                waiting.one_less();
            });
        process.expect("the name is free").start();
    }
    waiting
}
