//! Keys of hash tables, hashed before the table's lock is taken.

use std::{
    borrow::Borrow,
    hash::{BuildHasher, Hash, Hasher, RandomState},
};

use crate::sync::Arc;

/// A key with its hash, which is made once and outside any lock. Clones share the key.
pub(crate) struct Keyed<K> {
    pub(crate) hash: u64,
    key: Arc<K>,
}

impl<K: Hash> Keyed<K> {
    pub(crate) fn new(hasher: &RandomState, key: K) -> Self {
        Self { hash: hasher.hash_one(&key), key: Arc::new(key) }
    }
}

impl<K> Keyed<K> {
    pub(crate) fn key(&self) -> &Arc<K> {
        &self.key
    }

    pub(crate) fn sought(&self) -> Sought<'_, K> {
        Sought { hash: self.hash, key: &self.key }
    }
}

impl<K> Clone for Keyed<K> {
    fn clone(&self) -> Self {
        Self { hash: self.hash, key: self.key.clone() }
    }
}

impl<K> Hash for Keyed<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<K: Eq> PartialEq for Keyed<K> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.key, &other.key) || self.key == other.key)
    }
}

impl<K: Eq> Eq for Keyed<K> {}

/// What a [`Keyed`] is looked for by: its key in any form, with the hash.
pub(crate) struct Sought<'a, Q: ?Sized> {
    pub(crate) hash: u64,
    key: &'a Q,
}

impl<'a, Q: Hash + ?Sized> Sought<'a, Q> {
    pub(crate) fn new(hasher: &RandomState, key: &'a Q) -> Self {
        Self { hash: hasher.hash_one(key), key }
    }
}

impl<Q: ?Sized> Sought<'_, Q> {
    pub(crate) fn probe(&self) -> &(dyn Probe<Q> + '_) {
        self
    }
}

/// The form in which a map of [`Keyed`] is asked.
pub(crate) trait Probe<Q: ?Sized> {
    fn hashed(&self) -> u64;
    fn key(&self) -> &Q;
}

impl<Q: ?Sized> Probe<Q> for Sought<'_, Q> {
    fn hashed(&self) -> u64 {
        self.hash
    }

    fn key(&self) -> &Q {
        self.key
    }
}

impl<K: Borrow<Q>, Q: ?Sized> Probe<Q> for Keyed<K> {
    fn hashed(&self) -> u64 {
        self.hash
    }

    fn key(&self) -> &Q {
        (*self.key).borrow()
    }
}

impl<'a, K: Borrow<Q> + 'a, Q: ?Sized + 'a> Borrow<dyn Probe<Q> + 'a> for Keyed<K> {
    fn borrow(&self) -> &(dyn Probe<Q> + 'a) {
        self
    }
}

impl<Q: ?Sized> Hash for dyn Probe<Q> + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hashed());
    }
}

impl<Q: Eq + ?Sized> PartialEq for dyn Probe<Q> + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.hashed() == other.hashed() && self.key() == other.key()
    }
}

impl<Q: Eq + ?Sized> Eq for dyn Probe<Q> + '_ {}
