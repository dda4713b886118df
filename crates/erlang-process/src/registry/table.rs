//! The entries of a registry, and what each process holds of them.

use std::{
    any::{Any, TypeId},
    borrow::Borrow,
    hash::{Hash, RandomState},
};

use rustc_hash::FxHashMap;

use super::{
    error::RegistryError,
    event::RegistryEvent,
    shard::{Entry, Removed, Shard},
};
use crate::{
    cell::Process,
    keyed::{Keyed, Probe, Sought},
    listeners::Listeners,
    membership::{self, Members},
    node::Node,
    pid::Pid,
    scope,
    sync::{Arc, AtomicU64, MODELLED, Mutex, Ordering},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Unique,
    Duplicate,
}

pub(super) struct Table<K, V> {
    node: Node,
    hasher: RandomState,
    /// What entries are told apart by, in the order in which they were made.
    serials: AtomicU64,
    pub(super) shards: Box<[Mutex<Shard<K, V>>]>,
    /// What each process holds, so that its end costs no more than that.
    holders: Box<[Mutex<Holders<K>>]>,
    pub(super) listeners: Arc<Listeners<RegistryEvent<K, V>>>,
    pub(super) meta: Mutex<FxHashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

type Holders<K> = FxHashMap<Pid, Held<K>>;

pub(super) struct Held<K> {
    process: Process,
    /// The serials of its entries under each key, ascending.
    keys: FxHashMap<Keyed<K>, Vec<u64>>,
}

const SHARDS: usize = if MODELLED { 2 } else { 16 };

impl<K, V> Table<K, V> {
    pub(super) fn new(node: Node) -> Self {
        Self {
            node,
            hasher: RandomState::new(),
            serials: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            holders: (0..SHARDS).map(|_| Mutex::default()).collect(),
            listeners: Listeners::new(),
            meta: Mutex::default(),
        }
    }

    pub(super) fn shard(&self, hash: u64) -> &Mutex<Shard<K, V>> {
        &self.shards[usize::try_from(hash >> 32).unwrap_or_default() % SHARDS]
    }

    fn holders(&self, pid: Pid) -> &Mutex<Holders<K>> {
        &self.holders[usize::try_from(pid.id()).unwrap_or_default() % SHARDS]
    }

    pub(super) fn next_serial(&self) -> u64 {
        self.serials.fetch_add(1, Ordering::Relaxed)
    }

    /// The calling process, if it is one of the registry's node.
    pub(super) fn caller(&self) -> Option<Process> {
        scope::cell().filter(|process| process.head().node.is(&self.node))
    }
}

impl<K, V> Table<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn keyed(&self, key: K) -> Keyed<K> {
        Keyed::new(&self.hasher, key)
    }

    pub(super) fn sought<'a, Q: Hash + ?Sized>(&self, key: &'a Q) -> Sought<'a, Q> {
        Sought::new(&self.hasher, key)
    }

    pub(super) fn register(
        self: &Arc<Self>,
        process: &Process,
        key: K,
        value: V,
        keys: Keys,
    ) -> Result<(), RegistryError> {
        let members: Arc<dyn Members> = self.clone();
        let (key, value) = (self.keyed(key), Arc::new(value));
        let pid = process.head().pid;
        let dead = {
            let mut shard = self.shard(key.hash).lock();
            if keys == Keys::Unique
                && let Some(slot) = shard.slots.get(&key)
                && let Some((_, holder)) = slot.alive().next()
            {
                return Err(RegistryError::AlreadyRegistered { holder: holder.process.head().pid });
            }
            let serial = self.next_serial();
            {
                let mut holders = self.holders(pid).lock();
                // Under this lock, which the end of the process takes after this: it finds the entry.
                if !membership::enter(process, &members) {
                    return Err(RegistryError::NotAProcess);
                }
                let held = holders
                    .entry(pid)
                    .or_insert_with(|| Held { process: process.clone(), keys: FxHashMap::default() });
                held.keys.entry(key.clone()).or_default().push(serial);
            }
            let slot = shard.slots.entry(key.clone()).or_default();
            let entry = Entry { process: process.clone(), value: value.clone() };
            match keys {
                // Whoever is still there is dead, and leaves the key when it finds that it is another's.
                Keys::Unique => slot.replace(serial, entry),
                Keys::Duplicate => {
                    slot.insert(serial, entry);
                    None
                }
            }
        };
        // The value of one that has ended.
        if let Some(dead) = dead {
            scope::discard(dead);
        }
        self.listeners.tell(|| RegistryEvent::Registered {
            key: K::clone(key.key()),
            pid,
            value: V::clone(&value),
        });
        Ok(())
    }

    /// Removes what a process holds under a key, or those of it that are chosen. Returns how many.
    pub(super) fn unregister<Q: Eq + ?Sized>(
        self: &Arc<Self>,
        process: &Process,
        key: &Sought<'_, Q>,
        chosen: Option<&[u64]>,
    ) -> usize
    where
        K: Borrow<Q>,
    {
        let pid = process.head().pid;
        let Some((key, removed)) = self.remove(process, key, chosen) else { return 0 };
        let count = removed.entries.len();
        drop(removed);
        self.listeners.tell(|| RegistryEvent::Unregistered { key: K::clone(&key), pid });
        count
    }

    fn remove<Q: Eq + ?Sized>(
        self: &Arc<Self>,
        process: &Process,
        key: &Sought<'_, Q>,
        chosen: Option<&[u64]>,
    ) -> Option<(Arc<K>, Removed<K, V>)>
    where
        K: Borrow<Q>,
    {
        let members: Arc<dyn Members> = self.clone();
        let pid = process.head().pid;
        let mut removed = Removed::default();
        let mut shard = self.shard(key.hash).lock();
        let held_key;
        let serials = {
            let mut holders = self.holders(pid).lock();
            let held = holders.get_mut(&pid)?;
            held_key = held.keys.get_key_value(key.probe())?.0.key().clone();
            let serials = held.keys.get_mut(key.probe())?;
            let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(serials)
                .into_iter()
                .partition(|serial| chosen.is_none_or(|chosen| chosen.binary_search(serial).is_ok()));
            *serials = kept;
            if serials.is_empty() {
                removed.keys.extend(held.keys.remove_entry(key.probe()).map(|(key, _)| key));
            }
            if held.keys.is_empty() {
                membership::leave(process, &members);
                removed.held = holders.remove(&pid);
            }
            gone
        };
        shard.remove(key.probe(), &serials, &mut removed);
        drop(shard);
        (!serials.is_empty()).then_some((held_key, removed))
    }

    /// The process that holds a unique key, and its value.
    pub(super) fn holder<Q: Eq + ?Sized>(&self, key: &Sought<'_, Q>) -> Option<(Process, Arc<V>)>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key.hash).lock();
        let (_, entry) = shard.slots.get(key.probe())?.alive().next()?;
        Some((entry.process.clone(), entry.value.clone()))
    }

    pub(super) fn entries_of<Q: Eq + ?Sized>(&self, key: &Sought<'_, Q>) -> Vec<(Pid, Arc<V>)>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key.hash).lock();
        let Some(slot) = shard.slots.get(key.probe()) else { return Vec::new() };
        slot.alive().map(|(_, entry)| (entry.process.head().pid, entry.value.clone())).collect()
    }

    /// All entries, in the order of their serials.
    pub(super) fn entries(&self) -> Vec<(u64, Arc<K>, Pid, Arc<V>)> {
        let mut entries = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            for (key, slot) in &shard.slots {
                entries.extend(slot.alive().map(|(serial, entry)| {
                    (serial, key.key().clone(), entry.process.head().pid, entry.value.clone())
                }));
            }
        }
        entries.sort_unstable_by_key(|(serial, ..)| *serial);
        entries
    }

    pub(super) fn keys_of(&self, pid: Pid) -> Vec<Arc<K>> {
        let mut keys: Vec<_> = {
            let holders = self.holders(pid).lock();
            let Some(held) = holders.get(&pid).filter(|held| held.process.head().is_alive()) else {
                return Vec::new();
            };
            let keys = held.keys.iter();
            keys.flat_map(|(key, serials)| serials.iter().map(|serial| (*serial, key.key().clone())))
                .collect()
        };
        keys.sort_unstable_by_key(|(serial, _)| *serial);
        keys.into_iter().map(|(_, key)| key).collect()
    }

    pub(super) fn values_of<Q: Eq + ?Sized>(&self, key: &Sought<'_, Q>, pid: Pid) -> Vec<(u64, Arc<V>)>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key.hash).lock();
        let holders = self.holders(pid).lock();
        let held = holders.get(&pid).filter(|held| held.process.head().is_alive());
        let serials = held.and_then(|held| held.keys.get(key.probe()));
        let (Some(serials), Some(slot)) = (serials, shard.slots.get(key.probe())) else { return Vec::new() };
        let value = |serial: &u64| Some((*serial, slot.get(*serial)?.value.clone()));
        serials.iter().filter_map(value).collect()
    }

    /// Puts another value in the place of one, which is returned.
    pub(super) fn replace<Q: Eq + ?Sized>(
        &self,
        key: &Sought<'_, Q>,
        serial: u64,
        value: Arc<V>,
    ) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        let mut shard = self.shard(key.hash).lock();
        let entry = shard.slots.get_mut(key.probe())?.get_mut(serial)?;
        Some(std::mem::replace(&mut entry.value, value))
    }
}

impl<K, V> Members for Table<K, V>
where
    K: Eq + Send + Sync,
    V: Send + Sync,
{
    fn release(&self, pid: Pid) {
        let held = self.holders(pid).lock().remove(&pid);
        let Some(held) = held else { return };
        let mut removed = Removed::default();
        let mut keys: Vec<_> = held.keys.into_iter().collect();
        // The oldest first: what is dropped has an order, and that of the table is never the same.
        keys.sort_unstable_by_key(|(_, serials)| serials.first().copied());
        for (key, serials) in keys {
            self.shard(key.hash).lock().remove(&key as &dyn Probe<K>, &serials, &mut removed);
            removed.keys.push(key);
        }
        removed.discard();
    }
}
