//! The process table: who lives on a node.

use crate::{
    cell::Process,
    pid::Pid,
    serial::SerialMap,
    sync::{AtomicU64, MODELLED, Mutex, Ordering},
};

/// All processes of a node, by number. For look-ups by pid and for listing: whoever holds a subject reaches
/// its process without coming here.
pub(crate) struct Table {
    next: AtomicU64,
    shards: Box<[Mutex<Shard>]>,
}

/// Neighbours lie in different ones, so numbers are counted in steps of as many as there are.
type Shard = SerialMap<u64, Process>;

const SHARDS: u64 = if MODELLED { 2 } else { 64 };

impl Table {
    pub(crate) fn new() -> Self {
        Self { next: AtomicU64::new(1), shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Where a process is entered, and as what.
    fn place(&self, pid: Pid) -> (&Mutex<Shard>, u64) {
        let number = pid.number();
        (&self.shards[usize::try_from(number % SHARDS).unwrap_or_default()], number / SHARDS)
    }

    /// A pid that no process has had.
    pub(crate) fn next_pid(&self) -> Pid {
        Pid::here(self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn insert(&self, process: Process) {
        let (shard, key) = self.place(process.head().pid);
        shard.lock().insert(key, process);
    }

    pub(crate) fn remove(&self, pid: Pid) {
        let (shard, key) = self.place(pid);
        let removed = shard.lock().remove(&key);
        drop(removed);
    }

    pub(crate) fn find(&self, pid: Pid) -> Option<Process> {
        let (shard, key) = self.place(pid);
        shard.lock().get(&key).cloned()
    }

    /// Who is being polled, in which poll, in the order of the pids.
    pub(crate) fn polls(&self) -> Vec<(Pid, u64)> {
        let mut polls = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            polls.extend(shard.values().filter_map(|process| {
                let (number, running) = process.head().polls();
                running.then_some((process.head().pid, number))
            }));
        }
        polls.sort_unstable();
        polls
    }

    /// How many are alive.
    pub(crate) fn count(&self) -> usize {
        let alive =
            |shard: &Mutex<Shard>| shard.lock().values().filter(|process| process.head().is_alive()).count();
        self.shards.iter().map(alive).sum()
    }

    /// The pids of all that are alive, in the order of their numbers.
    pub(crate) fn alive(&self) -> Vec<Pid> {
        let mut pids = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            pids.extend(shard.values().map(|process| process.head()).filter(|h| h.is_alive()).map(|h| h.pid));
        }
        pids.sort_unstable();
        pids
    }
}
