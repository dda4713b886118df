//! A map that has one entry more often than many.

use std::{hash::Hash, mem};

use crate::serial::SerialMap;

/// A map whose first entry costs no allocation: a child has one link, to its supervisor, and one monitor at most.
#[derive(Default)]
pub(crate) enum Few<K, V> {
    #[default]
    None,
    One(K, V),
    /// More than one, or once more than one.
    Many(Box<SerialMap<K, V>>),
}

impl<K: Eq + Hash, V> Few<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self {
            Self::One(known, value) if known == key => Some(value),
            Self::Many(map) => map.get(key),
            Self::None | Self::One(..) => None,
        }
    }

    /// Inserts an entry. Returns the value that the key had.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Self::One(known, before) if *known == key => Some(mem::replace(before, value)),
            Self::Many(map) => map.insert(key, value),
            Self::None => {
                *self = Self::One(key, value);
                None
            }
            Self::One(..) => {
                let mut map: SerialMap<_, _> = mem::take(self).into_entries().collect();
                map.insert(key, value);
                *self = Self::Many(Box::new(map));
                None
            }
        }
    }

    /// Removes an entry. A map of many that becomes empty gives its memory back.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            Self::One(known, _) if known == key => {
                mem::take(self).into_entries().next().map(|(_, value)| value)
            }
            Self::Many(map) => {
                let removed = map.remove(key);
                if map.is_empty() {
                    *self = Self::None;
                }
                removed
            }
            Self::None | Self::One(..) => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(key, value) => (Some((key, value)), None),
            Self::Many(map) => (None, Some(map.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub(crate) fn into_entries(self) -> impl Iterator<Item = (K, V)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(key, value) => (Some((key, value)), None),
            Self::Many(map) => (None, Some(map.into_iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_of_any_size() {
        let mut few = Few::default();
        for (size, key) in (0..5).enumerate() {
            assert_eq!(few.iter().count(), size);
            assert_eq!(few.get(&key), None);
            assert_eq!(few.remove(&key), None);
            assert_eq!(few.insert(key, key), None);
            assert_eq!(few.insert(key, key + 10), Some(key));
        }
        for key in 0..5 {
            assert_eq!(few.get(&key), Some(&(key + 10)));
            assert_eq!(few.remove(&key), Some(key + 10));
            assert_eq!(few.get(&key), None);
            assert_eq!(few.remove(&key), None);
            assert_eq!(few.values().count(), 4 - key);
        }
        assert!(matches!(few, Few::None));
    }

    #[test]
    fn one_entry_is_replaced_and_removed_in_place() {
        let mut few = Few::default();
        few.insert('a', 1);
        assert_eq!(few.insert('a', 2), Some(1));
        assert!(matches!(few, Few::One('a', 2)));
        assert_eq!(few.remove(&'b'), None);
        assert_eq!(few.into_entries().collect::<Vec<_>>(), [('a', 2)]);
    }
}
