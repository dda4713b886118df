//! Those who are told of what happens to a table.

use crate::{
    cell::Process,
    membership::{self, Members},
    pid::Pid,
    process::quietly,
    subject::Subject,
    sync::{Arc, AtomicBool, Mutex, Ordering},
};

/// The subjects that get an event each time, as long as their processes live.
pub(crate) struct Listeners<E> {
    /// Whether anyone has ever listened: most tables never take the lock.
    listening: AtomicBool,
    all: Mutex<Vec<Listener<E>>>,
}

struct Listener<E> {
    subject: Subject<E>,
    /// The process behind the subject. `None` for the holder of a name, which may come back.
    process: Option<Process>,
}

impl<E> Listeners<E> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { listening: AtomicBool::new(false), all: Mutex::default() })
    }
}

impl<E: Send + 'static> Listeners<E> {
    /// Tells this subject as well, from now on.
    pub(crate) fn add(self: &Arc<Self>, subject: Subject<E>) {
        let table: Arc<dyn Members> = self.clone();
        let listener = Listener { process: subject.fixed_process(), subject };
        let refused = {
            let mut all = self.all.lock();
            // Under the lock, which the end of the process takes after this: it finds the listener.
            if listener.process.as_ref().is_none_or(|process| membership::enter(process, &table)) {
                all.push(listener);
                None
            } else {
                Some(listener)
            }
        };
        self.listening.store(true, Ordering::Release);
        drop(refused);
    }

    /// Tells all listeners.
    pub(crate) fn tell(&self, event: impl Fn() -> E) {
        if !self.listening.load(Ordering::Acquire) {
            return;
        }
        let subjects: Vec<_> = self.all.lock().iter().map(|listener| listener.subject.clone()).collect();
        for subject in subjects {
            let event = event();
            // A function that it is mapped by may panic: that is not for who is told of.
            quietly(|| subject.send(event));
        }
    }
}

impl<E: Send + 'static> Members for Listeners<E> {
    fn release(&self, _: Pid) {
        // Not by the pid: who listens may be a process of another node.
        let alive = |listener: &Listener<E>| {
            listener.process.as_ref().is_none_or(|process| process.head().is_alive())
        };
        let gone = {
            let mut all = self.all.lock();
            let (stay, gone) = std::mem::take(&mut *all).into_iter().partition::<Vec<_>, _>(alive);
            *all = stay;
            gone
        };
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, Node, join, kill, spawn_unlinked};

    #[tokio::test]
    async fn who_listens_is_forgotten_with_its_end() {
        let node = Node::new();
        let running = node.run(async {
            let listeners = Listeners::<u8>::new();
            let count = || listeners.all.lock().len();
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
        });
        running.await.unwrap();
    }
}
