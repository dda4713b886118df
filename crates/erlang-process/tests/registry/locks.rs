//! The locks of keys.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
};

use erlang_process::{self as process, ExitReason, Node, Pid, Registry, Subject};
use tokio::sync::oneshot;

use crate::{ROUNDS, SECOND, end, on_a_node, received};

/// One that holds the lock of a key, or waits for it, and writes down when it had it.
struct Locker {
    pid: Pid,
    /// Lets it give the lock back.
    open: Option<oneshot::Sender<()>>,
}

async fn locker(
    registry: &Registry<&'static str, ()>,
    key: &'static str,
    log: &Subject<(&'static str, Pid)>,
    panics: bool,
) -> Locker {
    let (registry, log) = (registry.clone(), log.clone());
    let (open, opened) = oneshot::channel();
    let (sender, queued) = oneshot::channel();
    let pid = process::spawn_unlinked(async move {
        let this = process::current().unwrap();
        let mut locked = Box::pin(registry.lock(key, || async {
            log.send(("locked", this));
            opened.await.ok();
            if panics {
                process::exit(ExitReason::Shutdown);
            }
            log.send(("done", this));
        }));
        // The first poll takes the place in the queue.
        let mut sender = Some(sender);
        poll_fn(|cx| {
            let poll = locked.as_mut().poll(cx);
            if let Some(sender) = sender.take() {
                sender.send(()).unwrap();
            }
            poll
        })
        .await;
    });
    queued.await.unwrap();
    Locker { pid, open: Some(open) }
}

impl Locker {
    fn open(&mut self) {
        self.open.take().unwrap().send(()).unwrap();
    }
}

#[tokio::test]
async fn regx_15_a_lock_is_held_by_one_at_a_time_in_the_order_in_which_they_came() {
    on_a_node(async {
        let (registry, log) = (Registry::unique(), Subject::new().unwrap());
        let mut lockers = Vec::new();
        for _ in 0..3 {
            lockers.push(locker(&registry, "key", &log, false).await);
        }
        for locker in &mut lockers {
            assert_eq!(log.receive(SECOND).await, Ok(("locked", locker.pid)));
            assert_eq!(received(&log).await, []);
            locker.open();
            assert_eq!(log.receive(SECOND).await, Ok(("done", locker.pid)));
        }
    })
    .await;
}

#[tokio::test]
async fn regx_15_a_lock_is_free_when_its_holder_panics_or_is_killed() {
    on_a_node(async {
        let (registry, log) = (Registry::unique(), Subject::new().unwrap());
        let mut exits = locker(&registry, "key", &log, true).await;
        let killed = locker(&registry, "key", &log, false).await;
        let mut last = locker(&registry, "key", &log, false).await;
        assert_eq!(log.receive(SECOND).await, Ok(("locked", exits.pid)));
        exits.open();
        assert_eq!(log.receive(SECOND).await, Ok(("locked", killed.pid)));
        end(killed.pid).await;
        assert_eq!(log.receive(SECOND).await, Ok(("locked", last.pid)));
        last.open();
        assert_eq!(log.receive(SECOND).await, Ok(("done", last.pid)));
    })
    .await;
}

#[tokio::test]
async fn regx_15_one_who_has_ended_while_waiting_is_passed_over() {
    on_a_node(async {
        let (registry, log) = (Registry::unique(), Subject::new().unwrap());
        let mut first = locker(&registry, "key", &log, false).await;
        let ended = locker(&registry, "key", &log, false).await;
        let dying = locker(&registry, "key", &log, false).await;
        let mut last = locker(&registry, "key", &log, false).await;
        assert_eq!(log.receive(SECOND).await, Ok(("locked", first.pid)));
        end(ended.pid).await;
        first.open();
        // Its end is decided and it is still in the queue.
        process::kill(dying.pid);
        assert_eq!(log.receive(SECOND).await, Ok(("done", first.pid)));
        assert_eq!(log.receive(SECOND).await, Ok(("locked", last.pid)));
        last.open();
        assert_eq!(log.receive(SECOND).await, Ok(("done", last.pid)));
    })
    .await;
}

#[tokio::test]
async fn regx_16_locks_of_different_keys_are_held_at_the_same_time() {
    on_a_node(async {
        let (registry, log) = (Registry::unique(), Subject::new().unwrap());
        let mut one = locker(&registry, "one", &log, false).await;
        let mut two = locker(&registry, "two", &log, false).await;
        assert_eq!(log.receive(SECOND).await, Ok(("locked", one.pid)));
        assert_eq!(log.receive(SECOND).await, Ok(("locked", two.pid)));
        two.open();
        assert_eq!(log.receive(SECOND).await, Ok(("done", two.pid)));
        one.open();
        assert_eq!(log.receive(SECOND).await, Ok(("done", one.pid)));
    })
    .await;
}

/// Each has taken the lock, given it up, or died, in every state of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_are_exclusive_under_storm() {
    on_a_node(async {
        let registry = Registry::<usize, ()>::unique();
        let (inside, together) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let done = Arc::new(AtomicUsize::new(0));
        let mut pids = Vec::new();
        for number in 0..ROUNDS {
            let (registry, done) = (registry.clone(), done.clone());
            let (inside, together) = (inside.clone(), together.clone());
            pids.push(process::spawn_unlinked(async move {
                struct Inside(Arc<AtomicBool>);
                impl Drop for Inside {
                    fn drop(&mut self) {
                        self.0.store(false, Ordering::SeqCst);
                    }
                }
                registry
                    .lock(7, || async move {
                        together.fetch_or(inside.swap(true, Ordering::SeqCst), Ordering::SeqCst);
                        let _inside = Inside(inside);
                        for _ in 0..number % 4 {
                            tokio::task::yield_now().await;
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                    })
                    .await;
            }));
            if number % 3 == 0 {
                process::kill(pids[number / 2]);
            }
        }
        for pid in pids {
            process::join(pid).await;
        }
        assert!(!together.load(Ordering::SeqCst), "two at a time");
        assert!(done.load(Ordering::SeqCst) > ROUNDS / 3);
        assert_eq!(registry.lock(7, || async { 1 }).await, 1);
    })
    .await;
}

/// A future that is polled once and dropped has left no trace in the queue of a lock.
#[tokio::test]
async fn a_lock_that_is_given_up_in_the_queue_is_free_for_the_next() {
    let registry = Registry::<u8, ()>::unique_on(&Node::new());
    registry
        .lock(1, || async {
            let mut waiting = Box::pin(registry.lock(1, || async {}));
            poll_fn(|cx| {
                assert!(waiting.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        })
        .await;
    registry.lock(1, || async {}).await;
}
