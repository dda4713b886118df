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
    row::{LOOKUPS, NAMED_SENDS, NAMES},
};

type Registry = Arc<DashMap<String, UnboundedSender<u64>>>;

pub(super) async fn look_up(lookers: usize) -> f64 {
    in_task(async move {
        let (registry, _) = registry();
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for looker in 0..lookers {
            let registry = registry.clone();
            tasks.spawn(async move {
                for _ in 0..LOOKUPS / lookers {
                    for name in scattered(names(), looker * names().len() / lookers) {
                        let found = registry.get(*name).map(|address| address.clone());
                        assert!(found.is_some());
                    }
                }
            });
        }
        tasks.join_all().await;
        rate(NAMES * LOOKUPS as u64, start)
    })
    .await
}

pub(super) async fn send(producers: usize) -> f64 {
    in_task(async move {
        let (registry, waiting) = registry();
        let start = Instant::now();
        for producer in 0..producers {
            let registry = registry.clone();
            tokio::spawn(async move {
                for _ in 0..NAMED_SENDS / producers {
                    for name in scattered(names(), producer * names().len() / producers) {
                        registry.get(*name).expect("all are named").send(1).expect("all run");
                    }
                }
            });
        }
        waiting.zero().await;
        rate(NAMES * NAMED_SENDS as u64, start)
    })
    .await
}

/// Tasks with names, and the count of those that have not had all of their messages.
fn registry() -> (Registry, Arc<Countdown>) {
    let waiting = Countdown::from(NAMES);
    let registry = names().iter().map(|name| {
        let (address, mut mailbox) = mpsc::unbounded_channel();
        let waiting = waiting.clone();
        tokio::spawn(async move {
            for _ in 0..NAMED_SENDS {
                mailbox.recv().await;
            }
            waiting.one_less();
        });
        ((*name).to_owned(), address)
    });
    (Arc::new(registry.collect()), waiting)
}
