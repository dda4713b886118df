//! The part of a registry's entries that one lock guards.

use std::{borrow::Borrow, collections::BTreeMap};

use rustc_hash::FxHashMap;

use super::{lock::Lock, table::Held};
use crate::{
    cell::Process,
    keyed::{Keyed, Probe},
    scope,
    sync::Arc,
};

pub(super) struct Shard<K, V> {
    pub(super) slots: FxHashMap<Keyed<K>, Slot<V>>,
    /// The locks that someone holds or waits for.
    pub(super) locks: FxHashMap<Keyed<K>, Lock>,
}

/// The entries under one key, by their serials. Most keys have one, which needs no allocation.
pub(super) struct Slot<V> {
    first: Option<(u64, Entry<V>)>,
    more: BTreeMap<u64, Entry<V>>,
}

pub(super) struct Entry<V> {
    pub(super) process: Process,
    /// Shared, so that a look-up clones and drops it when the lock is released.
    pub(super) value: Arc<V>,
}

/// What was taken out under a lock, to be dropped when that is released.
pub(super) struct Removed<K, V> {
    pub(super) keys: Vec<Keyed<K>>,
    pub(super) entries: Vec<Entry<V>>,
    pub(super) slots: Vec<Slot<V>>,
    pub(super) held: Option<Held<K>>,
}

impl<K, V> Default for Removed<K, V> {
    fn default() -> Self {
        Self { keys: Vec::new(), entries: Vec::new(), slots: Vec::new(), held: None }
    }
}

impl<K, V> Removed<K, V> {
    /// Drops what was a process's that has ended.
    pub(super) fn discard(self) {
        // Each by itself: one that panics when it is dropped must not end the program with the next.
        self.keys.into_iter().for_each(scope::discard);
        self.entries.into_iter().for_each(scope::discard);
        self.slots.into_iter().for_each(scope::discard);
        scope::discard(self.held);
    }
}

impl<K: Eq, V> Shard<K, V> {
    /// Removes those of the entries under a key with these serials that are there.
    pub(super) fn remove<'a, Q: Eq + ?Sized>(
        &mut self,
        key: &'a (dyn Probe<Q> + 'a),
        serials: &[u64],
        removed: &mut Removed<K, V>,
    ) where
        K: Borrow<Q> + 'a,
    {
        let Some(slot) = self.slots.get_mut(key) else { return };
        removed.entries.extend(serials.iter().filter_map(|serial| slot.remove(*serial)));
        if slot.is_empty()
            && let Some((key, slot)) = self.slots.remove_entry(key)
        {
            removed.keys.push(key);
            removed.slots.push(slot);
        }
    }
}

impl<K, V> Default for Shard<K, V> {
    fn default() -> Self {
        Self { slots: FxHashMap::default(), locks: FxHashMap::default() }
    }
}

impl<V> Slot<V> {
    pub(super) fn alive(&self) -> impl Iterator<Item = (u64, &Entry<V>)> {
        let first = self.first.iter().map(|(serial, entry)| (*serial, entry));
        let more = self.more.iter().map(|(serial, entry)| (*serial, entry));
        first.chain(more).filter(|(_, entry)| entry.process.head().is_alive())
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }

    pub(super) fn get(&self, serial: u64) -> Option<&Entry<V>> {
        match &self.first {
            Some((first, entry)) if *first == serial => Some(entry),
            _ => self.more.get(&serial),
        }
    }

    pub(super) fn get_mut(&mut self, serial: u64) -> Option<&mut Entry<V>> {
        match &mut self.first {
            Some((first, entry)) if *first == serial => Some(entry),
            _ => self.more.get_mut(&serial),
        }
    }

    /// Puts an entry last: under the lock, serials only grow.
    pub(super) fn insert(&mut self, serial: u64, entry: Entry<V>) {
        if self.is_empty() {
            self.first = Some((serial, entry));
        } else {
            self.more.insert(serial, entry);
        }
    }

    /// Puts an entry in the place of the only one, which is returned.
    pub(super) fn replace(&mut self, serial: u64, entry: Entry<V>) -> Option<(u64, Entry<V>)> {
        self.first.replace((serial, entry))
    }

    fn remove(&mut self, serial: u64) -> Option<Entry<V>> {
        match self.first.take_if(|(first, _)| *first == serial) {
            Some((_, entry)) => Some(entry),
            None => self.more.remove(&serial),
        }
    }
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self { first: None, more: BTreeMap::new() }
    }
}
