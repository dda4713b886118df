//! The children of one machine, in start order, and who is who.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    ops::RangeBounds,
};

use super::{Child, ChildKey, ChildRules, Presence};

/// The children of one machine.
///
/// A new child goes to the end of the start order and has the highest key so far, and neither ever changes: the
/// order of the keys is the start order. The maps only find; whatever is walked is walked in the order of keys.
#[derive(Clone, Debug)]
pub(super) struct Roster<I, P> {
    children: BTreeMap<ChildKey, Child<I, P>>,
    by_id: HashMap<I, ChildKey>,
    /// Running children by their process, restarting ones by their last.
    by_pid: HashMap<P, ChildKey>,
    /// How many significant children are running or restarting.
    significant: usize,
    next: u64,
}

impl<I: Clone + Eq + Hash, P: Copy + Eq + Hash> Roster<I, P> {
    pub(super) fn new() -> Self {
        Self {
            children: BTreeMap::new(),
            by_id: HashMap::new(),
            by_pid: HashMap::new(),
            significant: 0,
            next: 0,
        }
    }

    /// The key of the next child to be added.
    pub(super) fn next_key(&self) -> ChildKey {
        ChildKey(self.next)
    }

    /// Adds a child without a process. Its id must be free.
    pub(super) fn add(&mut self, rules: ChildRules<I>) -> ChildKey {
        let key = self.next_key();
        self.next += 1;
        self.by_id.insert(rules.id.clone(), key);
        self.children.insert(key, Child { key, rules, presence: Presence::Undefined });
        key
    }

    /// Forgets a child altogether.
    pub(super) fn remove(&mut self, key: ChildKey) -> Option<Child<I, P>> {
        self.place(key, Presence::Undefined);
        let child = self.children.remove(&key)?;
        self.by_id.remove(&child.rules.id);
        Some(child)
    }

    /// Says where a child is now. Every change of a presence comes through here, so the maps and counts hold.
    pub(super) fn place(&mut self, key: ChildKey, presence: Presence<P>) {
        let Some(child) = self.children.get_mut(&key) else { return };
        let before = std::mem::replace(&mut child.presence, presence);
        if child.rules.significant {
            self.significant += usize::from(!matches!(presence, Presence::Undefined));
            self.significant -= usize::from(!matches!(before, Presence::Undefined));
        }
        if let Some(pid) = before.last() {
            // A start function may hand out a process that is another child's already: that one owns it now.
            if self.by_pid.get(&pid) == Some(&key) {
                self.by_pid.remove(&pid);
            }
        }
        if let Some(pid) = presence.last() {
            self.by_pid.insert(pid, key);
        }
    }

    pub(super) fn get(&self, key: ChildKey) -> Option<&Child<I, P>> {
        self.children.get(&key)
    }

    pub(super) fn named(&self, id: &I) -> Option<&Child<I, P>> {
        self.get(*self.by_id.get(id)?)
    }

    /// The child that has this process, or had it before it came to be restarting.
    pub(super) fn of(&self, pid: P) -> Option<&Child<I, P>> {
        self.get(*self.by_pid.get(&pid)?)
    }

    /// The children whose keys lie in a range, in start order.
    pub(super) fn range(
        &self,
        keys: impl RangeBounds<ChildKey>,
    ) -> impl DoubleEndedIterator<Item = &Child<I, P>> {
        self.children.range(keys).map(|(_, child)| child)
    }

    /// The first of a range.
    pub(super) fn lowest(&self, keys: impl RangeBounds<ChildKey>) -> Option<&Child<I, P>> {
        self.range(keys).next()
    }

    /// The last of a range.
    pub(super) fn highest(&self, keys: impl RangeBounds<ChildKey>) -> Option<&Child<I, P>> {
        self.range(keys).next_back()
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn significant(&self) -> usize {
        self.significant
    }
}
