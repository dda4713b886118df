//! The locks of keys.

use super::table::Table;
use crate::{keyed::Keyed, sync::Arc};

/// Fair, so that those who wait are served in their order.
pub(super) type Lock = Arc<tokio::sync::Mutex<()>>;

/// One who holds a key's lock or waits for it. The lock is there as long as there is one.
pub(super) struct Turn<'a, K: Eq, V> {
    table: &'a Table<K, V>,
    key: Keyed<K>,
    pub(super) lock: Lock,
}

impl<'a, K: Eq, V> Turn<'a, K, V> {
    pub(super) fn new(table: &'a Table<K, V>, key: Keyed<K>) -> Self {
        let lock = table.shard(key.hash).lock().locks.entry(key.clone()).or_default().clone();
        Self { table, key, lock }
    }
}

impl<K: Eq, V> Drop for Turn<'_, K, V> {
    fn drop(&mut self) {
        let unused = {
            let locks = &mut self.table.shard(self.key.hash).lock().locks;
            // The table's and this one's: all others are counted under the lock, too.
            if Arc::strong_count(&self.lock) > 2 {
                // Given up under the lock, or the last two might each take the other for one who stays.
                self.lock = Lock::default();
                None
            } else {
                locks.remove_entry(&self.key)
            }
        };
        drop(unused);
    }
}
