//! Whose subjects a selector knows.

use rustc_hash::FxHashMap;

use crate::{
    cell::{Key, Process},
    sync::Arc,
};

/// The subjects that were selected, and the processes whose they are. More than one process, and nobody can receive.
#[derive(Default)]
pub(crate) struct Owners {
    /// Each process with the number of its subjects: one, where nothing is wrong.
    processes: Vec<(Process, usize)>,
    /// Whose subject has this key. Those of two processes may have one: the last.
    last: FxHashMap<Key, Process>,
    /// The others who have one with the same key.
    earlier: Vec<(Key, Process)>,
}

impl Owners {
    /// Whether nobody but this process owns a subject.
    pub(crate) fn are_none_but(&self, process: &Process) -> bool {
        self.processes.iter().all(|(owner, _)| Arc::ptr_eq(owner, process))
    }

    /// Whether more than one process owns a subject.
    #[inline]
    pub(crate) fn are_many(&self) -> bool {
        self.processes.len() > 1
    }

    pub(crate) fn add(&mut self, key: Key, owner: Process) {
        match self.last.insert(key, owner.clone()) {
            Some(last) if Arc::ptr_eq(&last, &owner) => return,
            Some(last) => self.earlier.push((key, last)),
            None => {}
        }
        if !self.remove_earlier(key, &owner) {
            match self.processes.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &owner)) {
                Some((_, count)) => *count += 1,
                None => self.processes.push((owner, 1)),
            }
        }
    }

    /// Returns whether it was the last with this key.
    pub(crate) fn remove(&mut self, key: Key, owner: &Process) -> bool {
        let is_last = self.last.get(&key).is_some_and(|last| Arc::ptr_eq(last, owner));
        if is_last {
            self.last.remove(&key);
        } else if !self.remove_earlier(key, owner) {
            return false;
        }
        if let Some(index) = self.processes.iter().position(|(known, _)| Arc::ptr_eq(known, owner)) {
            self.processes[index].1 -= 1;
            if self.processes[index].1 == 0 {
                self.processes.swap_remove(index);
            }
        }
        is_last
    }

    /// Adds those of another selector, as if they were selected after these.
    pub(crate) fn extend(&mut self, other: Self) {
        for (key, owner) in other.earlier.into_iter().chain(other.last) {
            self.add(key, owner);
        }
    }

    fn remove_earlier(&mut self, key: Key, owner: &Process) -> bool {
        let is = |(known, process): &(Key, Process)| *known == key && Arc::ptr_eq(process, owner);
        let index = self.earlier.iter().position(is);
        index.is_some_and(|index| {
            self.earlier.swap_remove(index);
            true
        })
    }
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Node, Spawn, Subject};

    fn process(node: &Node) -> Process {
        let prepared = Spawn::new().on(node).prepare(|_: Subject<()>| std::future::pending::<()>());
        prepared.unwrap().subject().process().unwrap()
    }

    #[test]
    fn who_has_many_subjects_is_one_owner() {
        let (node, mut owners) = (Node::new(), Owners::default());
        let (one, other) = (process(&node), process(&node));
        for _ in 0..2 {
            (0..10_000).for_each(|tag| owners.add(Key::Subject(tag), one.clone()));
        }
        assert!(owners.are_none_but(&one) && !owners.are_many());
        assert_eq!((owners.processes[0].1, owners.earlier.len()), (10_000, 0));
        owners.add(Key::Own, one.clone());
        owners.add(Key::Own, other.clone());
        assert!(owners.are_many());
        // The function is the last one's.
        assert!(!owners.remove(Key::Own, &one));
        assert!(owners.are_many());
        assert!(owners.remove(Key::Own, &other));
        assert!(!owners.remove(Key::Own, &other));
        assert!(owners.are_none_but(&one));
        (0..10_000).for_each(|tag| assert!(owners.remove(Key::Subject(tag), &one)));
        assert!(owners.are_none_but(&other));
    }
}
