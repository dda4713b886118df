//! What processes of other nodes ask of names.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    cell::Process,
    membership::{self, Members},
    pid::Pid,
    reference::Reference,
    sync::{Arc, AtomicBool, Mutex, Ordering},
};

/// Which process has taken a monitor that was asked of a name from afar.
///
/// Who is here looks a name up once and sends all that follows to the process that it found. Who is elsewhere
/// knows nothing but the name, and a name may have moved on when the monitor is taken back: the reference is what
/// tells then whose it is.
pub(crate) struct FarMonitors {
    /// Whether there has ever been one: most nodes never take the lock.
    any: AtomicBool,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    by: FxHashMap<Reference, Process>,
    /// The same the other way round, so that the end of a process costs what it had and no more.
    of: FxHashMap<Pid, FxHashSet<Reference>>,
}

impl FarMonitors {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { any: AtomicBool::new(false), taken: Mutex::default() })
    }

    /// This process is about to take the monitor.
    pub(crate) fn enter(self: &Arc<Self>, process: &Process, reference: Reference) {
        let table: Arc<dyn Members> = self.clone();
        let mut taken = self.taken.lock();
        // Under the lock, which the end of the process takes after this: it finds the monitor.
        if membership::enter(process, &table) {
            taken.of.entry(process.head().pid).or_default().insert(reference);
            let previous = taken.by.insert(reference, process.clone());
            drop(taken);
            drop(previous);
            self.any.store(true, Ordering::Release);
        }
    }

    /// The process that has taken the monitor, which ends.
    pub(crate) fn leave(self: &Arc<Self>, reference: Reference) -> Option<Process> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut taken = self.taken.lock();
        let process = taken.by.remove(&reference)?;
        let pid = process.head().pid;
        if let Some(references) = taken.of.get_mut(&pid) {
            references.remove(&reference);
            if references.is_empty() {
                taken.of.remove(&pid);
                let table: Arc<dyn Members> = self.clone();
                membership::leave(&process, &table);
            }
        }
        Some(process)
    }
}

impl Members for FarMonitors {
    fn release(&self, pid: Pid) {
        let mut gone = Vec::new();
        {
            let mut taken = self.taken.lock();
            for reference in taken.of.remove(&pid).unwrap_or_default() {
                gone.extend(taken.by.remove(&reference));
            }
        }
        drop(gone);
    }
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
mod tests {
    use std::future::pending;

    use crate::{Dest, Name, Node, NodeId, Pid, Reference, Signal, Spawn};

    #[tokio::test]
    async fn a_monitor_of_a_name_is_taken_back_from_who_has_it_whoever_says_so() {
        let node = Node::new();
        let far = Pid::from_parts(node.node_id("far", 1).unwrap(), 7, 0);
        for (number, says) in [(1, Some(far)), (2, None)] {
            let name = Name::<()>::new("moves on");
            let holder = || Spawn::new().on(&node).unlinked().named(name).spawn(pending::<()>()).unwrap();
            let first = holder();
            let reference = Reference::from_words(far.node(), &[number]).unwrap();
            let at = Dest::Name(name.registered_name(), NodeId::HERE);
            node.signal(Some(far), at, Signal::Monitor { reference, target: at });
            let watchers = |pid| node.info(pid).unwrap().monitored_by;
            assert_eq!(watchers(first), [far]);

            node.unregister(name).unwrap();
            let second = holder();
            // This one by its own pid.
            node.signal(Some(far), second, Signal::Monitor { reference, target: second.into() });
            node.signal(says, at, Signal::Demonitor(reference));
            assert_eq!((watchers(first), watchers(second)), (vec![], vec![far]));
        }
    }
}
