//! The children of one machine, in start order, and who is who.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    hash::Hash,
    mem,
    ops::RangeBounds,
    time::Duration,
};

use rustc_hash::FxHashMap;

use super::{Child, ChildKey, ChildRules, Presence, Rekeyed};

/// The children of one machine.
///
/// A new child goes to the end of the start order and has the highest key so far, and neither ever changes: the
/// order of the keys is the start order. The maps only find; whatever is walked is walked in the order of keys.
#[derive(Clone, Debug)]
pub(super) struct Roster<I, P> {
    children: BTreeMap<ChildKey, Child<I, P>>,
    by_id: HashMap<I, ChildKey>,
    /// Running and unresponsive children by their process, restarting ones by their last.
    by_pid: FxHashMap<P, ChildKey>,
    /// How many significant children are running or restarting.
    significant: usize,
    /// The restarting children whose restart has been counted and is not before this time.
    put_off: BTreeMap<ChildKey, Duration>,
    next: u64,
}

impl<I: Clone + Eq + Hash, P: Copy + Eq + Hash> Roster<I, P> {
    pub(super) fn new() -> Self {
        Self {
            children: BTreeMap::new(),
            by_id: HashMap::new(),
            by_pid: FxHashMap::default(),
            significant: 0,
            put_off: BTreeMap::new(),
            next: 0,
        }
    }

    /// Makes room for so many children more.
    pub(super) fn reserve(&mut self, children: usize) {
        self.by_id.reserve(children);
        self.by_pid.reserve(children);
    }

    /// The key of the next child to be added.
    pub(super) fn next_key(&self) -> ChildKey {
        ChildKey(self.next)
    }

    /// Adds a child without a process. If its id is taken, that is returned.
    pub(super) fn add(&mut self, rules: ChildRules<I>) -> Result<ChildKey, I> {
        let key = self.next_key();
        match self.by_id.entry(rules.id.clone()) {
            Entry::Vacant(free) => free.insert(key),
            Entry::Occupied(_) => return Err(rules.id),
        };
        self.next += 1;
        self.children.insert(key, Child { key, rules, presence: Presence::Undefined });
        Ok(key)
    }

    /// Forgets a child altogether.
    pub(super) fn remove(&mut self, key: ChildKey) -> Option<Child<I, P>> {
        self.place(key, Presence::Undefined);
        let child = self.children.remove(&key)?;
        self.by_id.remove(&child.rules.id);
        Some(child)
    }

    /// Says where a child is now, and returns it. Every change of a presence comes through here, so the maps and counts hold.
    pub(super) fn place(&mut self, key: ChildKey, presence: Presence<P>) -> Option<&Child<I, P>> {
        let child = self.children.get_mut(&key)?;
        let before = std::mem::replace(&mut child.presence, presence);
        if child.rules.significant {
            self.significant += usize::from(is_there(presence));
            self.significant -= usize::from(is_there(before));
        }
        if !self.put_off.is_empty() {
            self.put_off.remove(&key);
        }
        if before.last() == presence.last() {
            return Some(child);
        }
        // A start function may hand out a process that is another child's already: that one owns it now.
        if let Some(Entry::Occupied(owned)) = before.last().map(|pid| self.by_pid.entry(pid))
            && *owned.get() == key
        {
            owned.remove();
        }
        if let Some(pid) = presence.last() {
            self.by_pid.insert(pid, key);
        }
        Some(child)
    }

    /// The child is restarting, by a restart that has been counted, and that is not to be before this time.
    pub(super) fn put_off(&mut self, key: ChildKey, last: Option<P>, until: Duration) {
        self.place(key, Presence::Restarting { last });
        self.put_off.insert(key, until);
    }

    /// Those whose restart has been counted, and the times before which it is not to be.
    pub(super) fn waiting(&self) -> &BTreeMap<ChildKey, Duration> {
        &self.put_off
    }

    /// Gives the children these rules, and all of them keys in the new start order. Those of whom nothing is said come last.
    pub(super) fn change(&mut self, rules: Vec<ChildRules<I>>) -> Vec<Rekeyed> {
        let Self { mut children, by_id, put_off, next, .. } = mem::replace(self, Self::new());
        self.next = next;
        let given: Vec<_> = rules
            .into_iter()
            .map(|rules| (by_id.get(&rules.id).and_then(|key| children.remove(key)), rules))
            .collect();
        let kept = children.into_values().map(|child| {
            let rules = child.rules.clone();
            (Some(child), rules)
        });
        let mut rekeyed = Vec::new();
        for (child, rules) in given.into_iter().chain(kept) {
            let Ok(key) = self.add(rules) else { continue };
            if let Some(child) = &child {
                self.place(key, child.presence);
                if let Some(until) = put_off.get(&child.key) {
                    self.put_off.insert(key, *until);
                }
            }
            rekeyed.push(Rekeyed { key, before: child.map(|child| child.key) });
        }
        rekeyed
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

/// Whether a significant child with this presence counts as one that is left. One that was told to end does not.
fn is_there<P>(presence: Presence<P>) -> bool {
    match presence {
        Presence::Running(_) | Presence::Restarting { .. } => true,
        Presence::Undefined | Presence::Unresponsive(_) => false,
    }
}
