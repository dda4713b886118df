//! Those who are told of what happens to a table.

use std::{collections::BTreeMap, mem};

use rustc_hash::FxHashMap;

use crate::{
    cell::Process,
    membership::{self, Members},
    pid::Pid,
    process::quietly,
    scope,
    subject::Subject,
    sync::{Arc, AtomicBool, Mutex, Ordering},
};

/// The subjects that get an event each time, as long as their processes live.
pub(crate) struct Listeners<E> {
    /// Whether anyone has ever listened: most tables never take the lock.
    listening: AtomicBool,
    all: Mutex<All<E>>,
}

struct All<E> {
    next: u64,
    /// In the order in which they began.
    by_number: BTreeMap<u64, Listener<E>>,
    /// Those of each process, so that its end costs what it had and no more. Processes of several nodes may share a pid.
    of: FxHashMap<Pid, Vec<u64>>,
}

struct Listener<E> {
    subject: Subject<E>,
    /// The process behind the subject. `None` for the holder of a name, which may come back.
    process: Option<Process>,
}

impl<E> Listeners<E> {
    pub(crate) fn new() -> Arc<Self> {
        let all = All { next: 0, by_number: BTreeMap::new(), of: FxHashMap::default() };
        Arc::new(Self { listening: AtomicBool::new(false), all: Mutex::new(all) })
    }
}

impl<E: Send + 'static> Listeners<E> {
    /// Tells this subject as well, from now on, until the listener of this number is [removed](Self::remove).
    pub(crate) fn add(self: &Arc<Self>, subject: Subject<E>) -> u64 {
        let table: Arc<dyn Members> = self.clone();
        let listener = Listener { process: subject.fixed_process(), subject };
        let (number, refused) = {
            let mut all = self.all.lock();
            let number = all.next;
            all.next += 1;
            // Under the lock, which the end of the process takes after this: it finds the listener.
            if listener.process.as_ref().is_none_or(|process| membership::enter(process, &table)) {
                if let Some(process) = &listener.process {
                    all.of.entry(process.head().pid).or_default().push(number);
                }
                all.by_number.insert(number, listener);
                (number, None)
            } else {
                (number, Some(listener))
            }
        };
        self.listening.store(true, Ordering::Release);
        drop(refused);
        number
    }

    /// Whether there was a listener of this number.
    pub(crate) fn remove(&self, number: u64) -> bool {
        let removed = {
            let mut all = self.all.lock();
            let removed = all.by_number.remove(&number);
            if let Some(process) = removed.as_ref().and_then(|listener| listener.process.as_ref())
                && let Some(numbers) = all.of.get_mut(&process.head().pid)
            {
                numbers.retain(|other| *other != number);
            }
            removed
        };
        removed.is_some()
    }

    /// Tells all listeners.
    pub(crate) fn tell(&self, event: impl Fn() -> E) {
        if !self.listening.load(Ordering::Acquire) {
            return;
        }
        let subjects: Vec<_> =
            self.all.lock().by_number.values().map(|listener| listener.subject.clone()).collect();
        for subject in subjects {
            let event = event();
            // A function that it is mapped by may panic: that is not for who is told of.
            quietly(|| subject.send(event));
        }
    }
}

impl<E> Drop for Listeners<E> {
    fn drop(&mut self) {
        // Each by itself, as above.
        let all = mem::take(&mut self.all.lock().by_number);
        all.into_values().for_each(scope::discard);
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
                let process = by_number.get(number).and_then(|listener| listener.process.as_ref());
                let alive = process.is_some_and(|process| process.head().is_alive());
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Name, Node, NodeEvent, join, kill, spawn_unlinked};

    #[tokio::test]
    async fn who_listens_is_forgotten_with_its_end() {
        let node = Node::new();
        let running = node.run(async {
            let listeners = Listeners::<u8>::new();
            let count = || listeners.all.lock().by_number.len();
            let pid = spawn_unlinked(std::future::pending::<()>());
            for _ in 0..2 {
                listeners.add(Subject::to_pid(pid).unwrap());
                listeners.add(Subject::<u8>::to_pid(pid).unwrap().map(|event| event));
            }
            let (kept, name) = (Subject::new().unwrap(), Name::<u8>::new("comes and goes"));
            listeners.add(kept.clone());
            listeners.add(name.subject());
            assert_eq!(count(), 6);
            let late = Subject::<u8>::to_pid(pid).unwrap();
            kill(pid);
            listeners.add(late);
            assert_eq!(count(), 6, "its end has begun");
            join(pid).await;
            assert_eq!(count(), 2);
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
            let [first, second] = [(); 2].map(|()| node.monitor_nodes(events.clone()));
            let ending = spawn_unlinked(std::future::pending::<()>());
            let ended = node.monitor_nodes(Subject::to_pid(ending).unwrap());
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
}
