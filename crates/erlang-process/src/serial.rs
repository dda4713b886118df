//! Hashing for what is numbered one after another: processes, references.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A table whose keys are numbered one after another.
///
/// They mostly come and go in that order too. Neighbours lie side by side, so that who goes through them
/// finds the next one in the cache.
pub(crate) type SerialMap<K, V> = HashMap<K, V, BuildHasherDefault<SerialHasher>>;

/// Numbers themselves. Tables take the place of a key from the lower bits of its hash, and tell keys in one place
/// apart by the uppermost, which are mixed.
#[derive(Default)]
pub(crate) struct SerialHasher(u64);

/// The upper bits that tables look at apart.
const UPPERMOST: u64 = 0x7f << 57;

/// Odd, and as many ones as zeros in no order.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for SerialHasher {
    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.wrapping_mul(MIX).wrapping_add(number);
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0 & !UPPERMOST | self.0.wrapping_mul(MIX) & UPPERMOST
    }
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
mod tests {
    use std::hash::BuildHasher;

    use super::*;
    use crate::{Pid, Reference, pid::NodeId};

    fn places<K: std::hash::Hash>(keys: impl Iterator<Item = K>) -> Vec<u64> {
        let hasher = BuildHasherDefault::<SerialHasher>::default();
        keys.map(|key| hasher.hash_one(key) & !UPPERMOST).collect()
    }

    #[test]
    fn neighbours_lie_side_by_side() {
        for start in [1, (1 << 18) - 5, (1 << 50) - 5] {
            let references = (start..start + 10).map(|number| Reference::here(number, Some(Pid::here(7))));
            let expected: Vec<_> = (start..start + 10).collect();
            assert_eq!(places(references), expected);
        }
        assert_eq!(places((1..10).map(Pid::here)), (1..10).collect::<Vec<_>>());
        let elsewhere = (1..10).map(|id| Pid::from_parts(NodeId(3), id, 0));
        assert!(places(elsewhere).windows(2).all(|pair| pair[0] + 1 == pair[1]));
    }
}
