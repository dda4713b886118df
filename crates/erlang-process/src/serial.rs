//! Hashing for what is numbered one after another: processes, references.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A table whose keys are numbered one after another.
///
/// They mostly come and go in that order too. Sixteen neighbours lie side by side, so that who goes through them
/// mostly finds the next one in the cache.
pub(crate) type SerialMap<K, V> = HashMap<K, V, BuildHasherDefault<SerialHasher>>;

/// Tables take the place of a key from the lower bits of its hash, and tell keys in one place apart by the uppermost.
/// The lowest bits are those of the number; the others are mixed, or numbers at a distance of a power of two would
/// crowd in few places.
#[derive(Default)]
pub(crate) struct SerialHasher(u64);

/// How many bits of a number are as they are.
const SIDE_BY_SIDE: u32 = 4;

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
        let mixed = (self.0 >> SIDE_BY_SIDE).wrapping_mul(MIX);
        let place = (mixed ^ mixed >> 32) << SIDE_BY_SIDE | self.0 & ((1 << SIDE_BY_SIDE) - 1);
        place & !UPPERMOST | self.0.wrapping_mul(MIX) & UPPERMOST
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
    fn most_neighbours_lie_side_by_side() {
        let check = |places: Vec<u64>| {
            let pairs = places.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count();
            assert!(pairs >= 16 * 15, "{pairs} of {}", places.len() - 1);
        };
        for start in [1, (1 << 18) - 5, (1 << 50) - 5] {
            check(places((start..=start + 256).map(|number| Reference::here(number, Some(Pid::here(7))))));
            check(places((start..=start + 256).map(Pid::here)));
        }
        check(places((0..=256).map(|id| Pid::from_parts(NodeId(3), id, 0))));
    }

    #[test]
    fn numbers_at_any_distance_do_not_crowd() {
        for distance in (0..32).map(|power| 1 << power) {
            let places = places((1..=1024).map(|number| Pid::here(number * distance)));
            let groups = places.into_iter().map(|place| place % 2048 / 16);
            let mut crowd = [0; 128];
            groups.for_each(|group| crowd[usize::try_from(group).unwrap_or_default()] += 1);
            // Eight in each, if they were spread evenly.
            let most = crowd.iter().max();
            assert!(most <= Some(&40), "{most:?} at a distance of {distance}");
        }
    }
}
