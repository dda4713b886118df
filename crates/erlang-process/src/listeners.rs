//! Those who are told of what happens to a table.

use std::{collections::BTreeMap, mem};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    cell::Process,
    membership::{self, Members},
    observe::{Watched, Watching},
    pid::Pid,
    process::quietly,
    scope,
    subject::Subject,
    sync::{Arc, AtomicBool, Mutex, Ordering},
};

/// Who is told: a subject, bound to the process that it means when this is made. It is that process, then, which hears what
/// there is to hear until it ends, whoever holds a name or a key later.
pub(crate) struct Listener<E> {
    process: Process,
    subject: Subject<E>,
}

impl<E: Send + 'static> Listener<E> {
    /// `None` if there is no such process.
    pub(crate) fn new(subject: &Subject<E>) -> Option<Self> {
        Some(Self { process: subject.process()?, subject: subject.clone() })
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// A function that the subject is mapped by may panic: that is not for who tells.
    pub(crate) fn tell(&self, event: E) {
        quietly(|| drop(self.subject.send_to(&self.process, event, None)));
    }
}

/// Those who get an event each time, as long as their processes live.
pub(crate) struct Listeners<E> {
    /// Whether anyone has ever listened: most tables never take the lock.
    listening: AtomicBool,
    all: Mutex<All<E>>,
}

struct All<E> {
    next: u64,
    /// In the order in which they began.
    by_number: BTreeMap<u64, Arc<Listener<E>>>,
    /// Those of each process, so that its end costs what it had and no more. Processes of several nodes may share a pid.
    of: FxHashMap<Pid, FxHashSet<u64>>,
}

impl<E> Listeners<E> {
    pub(crate) fn new() -> Arc<Self> {
        let all = All { next: 0, by_number: BTreeMap::new(), of: FxHashMap::default() };
        Arc::new(Self { listening: AtomicBool::new(false), all: Mutex::new(all) })
    }
}

impl<E: Send + 'static> Listeners<E> {
    /// Tells this subject as well, from now on. `None` if its process has ended.
    pub(crate) fn add(self: &Arc<Self>, subject: &Subject<E>) -> Option<Watching> {
        let table: Arc<dyn Members> = self.clone();
        let listener = Arc::new(Listener::new(subject)?);
        let process = listener.process();
        let number = {
            let mut all = self.all.lock();
            // Under the lock, which the end of the process takes after this: it finds the listener.
            if !membership::enter(process, &table) {
                return None;
            }
            let number = all.next;
            all.next += 1;
            all.of.entry(process.head().pid).or_default().insert(number);
            all.by_number.insert(number, listener.clone());
            number
        };
        self.listening.store(true, Ordering::Release);
        Some(Watching::new(self, number))
    }

    /// Tells all listeners.
    pub(crate) fn tell(&self, event: impl Fn() -> E) {
        if !self.listening.load(Ordering::Acquire) {
            return;
        }
        let listeners: Vec<_> = self.all.lock().by_number.values().cloned().collect();
        for listener in listeners {
            listener.tell(event());
            scope::discard(listener);
        }
    }
}

impl<E: Send + 'static> Watched for Listeners<E> {
    fn stop(&self, number: u64) -> bool {
        let removed = {
            let mut all = self.all.lock();
            let removed = all.by_number.remove(&number);
            if let Some(listener) = &removed {
                let pid = listener.process().head().pid;
                if let Some(numbers) = all.of.get_mut(&pid) {
                    numbers.remove(&number);
                    if numbers.is_empty() {
                        all.of.remove(&pid);
                    }
                }
            }
            removed
        };
        removed.is_some()
    }
}

impl<E: Send + 'static> Members for Listeners<E> {
    fn release(&self, pid: Pid) {
        let mut gone = Vec::new();
        {
            let mut all = self.all.lock();
            let All { by_number, of, .. } = &mut *all;
            let mut stay = of.remove(&pid).unwrap_or_default();
            stay.retain(|number| {
                let alive =
                    by_number.get(number).is_some_and(|listener| listener.process().head().is_alive());
                if !alive {
                    gone.extend(by_number.remove(number));
                }
                alive
            });
            if !stay.is_empty() {
                of.insert(pid, stay);
            }
        }
        // Each by itself: if two panicked at once, the program would abort.
        gone.into_iter().for_each(scope::discard);
    }
}

impl<E> Drop for Listeners<E> {
    fn drop(&mut self) {
        // Each by itself, as above.
        let all = mem::take(&mut self.all.lock().by_number);
        all.into_values().for_each(scope::discard);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Node, NodeEvent, join, kill, spawn_unlinked};

    #[tokio::test]
    async fn who_listens_is_forgotten_with_its_end() {
        let node = Node::new();
        let running = node.run(async {
            let listeners = Listeners::<u8>::new();
            let count = || listeners.all.lock().by_number.len();
            let pid = spawn_unlinked(std::future::pending::<()>());
            let subject = Subject::<u8>::to_pid(pid).unwrap();
            for _ in 0..2 {
                assert!(listeners.add(&subject).is_some());
                assert!(listeners.add(&subject.map(|event| event)).is_some());
            }
            let kept = Subject::new().unwrap();
            assert!(listeners.add(&kept).is_some());
            assert_eq!(count(), 5);
            kill(pid);
            assert!(listeners.add(&subject).is_none());
            assert_eq!(count(), 5, "its end has begun");
            join(pid).await;
            assert_eq!(count(), 1);
            listeners.tell(|| 7);
            assert_eq!(kept.receive_forever().await, Ok(7));
            assert_eq!(listeners.all.lock().of.len(), 1);
        });
        running.await.unwrap();
    }

    #[tokio::test]
    async fn who_listens_twice_is_told_twice_until_each_is_stopped() {
        let node = Node::new();
        let running = node.run(async {
            let node = Node::current();
            let events = Subject::new().unwrap();
            let [first, second] = [(); 2].map(|()| node.monitor_nodes(&events).unwrap());
            let ending = spawn_unlinked(std::future::pending::<()>());
            let ended = node.monitor_nodes(&Subject::to_pid(ending).unwrap()).unwrap();
            kill(ending);
            join(ending).await;
            assert!(!ended.stop());
            let other = node.node_id("other", 1).unwrap();
            let told = async || {
                node.announce(NodeEvent::Up(other));
                let mut told = 0;
                while events.receive(Duration::ZERO).await.is_ok() {
                    told += 1;
                }
                told
            };
            assert_eq!(told().await, 2);
            assert!(first.stop());
            assert_eq!(told().await, 1);
            assert!(second.stop());
            assert_eq!(told().await, 0);
        });
        running.await.unwrap();
    }

    #[tokio::test]
    async fn who_listens_and_stops_over_and_over_leaves_nothing() {
        let node = Node::new();
        let running = node.run(async {
            let process = crate::scope::cell().unwrap();
            let subject = Subject::<u8>::new().unwrap();
            for _ in 0..100 {
                let listeners = Listeners::<u8>::new();
                assert!(listeners.add(&subject).unwrap().stop());
                assert!(listeners.all.lock().of.is_empty());
                listeners.add(&subject).unwrap();
            }
            assert_eq!(process.with(|control, _| control.rare_mut().tables.len()), 1);
        });
        running.await.unwrap();
    }
}
