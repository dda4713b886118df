use std::sync::Arc;

use dashmap::DashMap;
use tokio::{
    sync::mpsc::{self, UnboundedSender},
    task::JoinSet,
    time::Instant,
};

use super::in_task;
use crate::{
    measure::{Countdown, names, rate, scattered},
    row::NAMES,
};

type Registry = Arc<DashMap<String, UnboundedSender<u64>>>;

pub(super) async fn look_up(count: u64, lookers: u64) -> f64 {
    in_task(async move {
        let (registry, _) = registry(count / NAMES);
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for looker in 0..lookers {
            let registry = registry.clone();
            tasks.spawn(async move {
                for _ in 0..count / NAMES / lookers {
                    for name in scattered(names(), looker * NAMES / lookers) {
                        let found = registry.get(*name).map(|address| address.clone());
                        assert!(found.is_some());
                    }
                }
            });
        }
        tasks.join_all().await;
        rate(count, start)
    })
    .await
}

pub(super) async fn send(count: u64, producers: u64) -> f64 {
    in_task(async move {
        let (registry, waiting) = registry(count / NAMES);
        let start = Instant::now();
        for producer in 0..producers {
            let registry = registry.clone();
            tokio::spawn(async move {
                for _ in 0..count / NAMES / producers {
                    for name in scattered(names(), producer * NAMES / producers) {
                        registry.get(*name).expect("all are named").send(1).expect("all run");
                    }
                }
            });
        }
        waiting.zero().await;
        rate(count, start)
    })
    .await
}

/// Tasks with names, and the count of those that have not had all of their messages.
fn registry(messages: u64) -> (Registry, Arc<Countdown>) {
    let waiting = Countdown::from(NAMES);
    let registry = names().iter().map(|name| {
        let (address, mut mailbox) = mpsc::unbounded_channel();
        let waiting = waiting.clone();
        tokio::spawn(async move {
            for _ in 0..messages {
                mailbox.recv().await;
            }
            waiting.one_less();
        });
        ((*name).to_owned(), address)
    });
    (Arc::new(registry.collect()), waiting)
}
