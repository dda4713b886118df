//! How far a search of a mailbox has come.

/// A place in a mailbox, and what is known of those before it: that they were looked at.
///
/// It stays right while others take messages out and put urgent ones before the rest. A few may be looked at again
/// then, but none is passed over; and where the mailbox only grows, each is looked at once.
#[derive(Default)]
pub(crate) struct Position {
    /// All before this one were looked at, but for the urgent ones from `urgent` to `all_urgent`.
    next: usize,
    urgent: usize,
    all_urgent: usize,
    /// How many messages were ever taken out.
    removals: u64,
}

/// What a search has to know of a mailbox to go on where it stopped.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    /// How many messages were ever taken out.
    pub(super) removals: u64,
    /// How many of those in it are urgent, and lie before all others.
    pub(super) urgent: usize,
}

impl Position {
    /// Whether anything was looked at.
    pub(crate) fn is_start(&self) -> bool {
        self.next == 0
    }

    /// Takes in what has become of the mailbox. What holds then, holds as long as that stays as it is.
    #[inline]
    pub(super) fn follow(&mut self, now: Extent) {
        let removed = now.removals.wrapping_sub(self.removals);
        if removed > 0 {
            // Nobody knows from where. By so many places may have moved up what was not looked at.
            let known = self.all_urgent == 0 && now.urgent == 0;
            self.next = if known {
                self.next.saturating_sub(usize::try_from(removed).unwrap_or(usize::MAX))
            } else {
                0
            };
            self.removals = now.removals;
            self.urgent = 0;
        } else if self.next < self.urgent {
            // Those that have come lie ahead.
            self.urgent = now.urgent;
        }
        self.all_urgent = now.urgent;
    }

    /// Which message is to be looked at.
    #[inline]
    pub(super) fn index(&self) -> usize {
        if self.urgent < self.all_urgent { self.urgent } else { self.next }
    }

    /// It was looked at, and stays.
    #[inline]
    pub(super) fn pass(&mut self) {
        if self.urgent < self.all_urgent {
            self.urgent += 1;
        }
        self.next += 1;
    }

    /// It is taken out.
    #[inline]
    pub(super) fn take(&mut self) {
        self.removals = self.removals.wrapping_add(1);
        if self.urgent < self.all_urgent {
            self.all_urgent -= 1;
        } else if self.next < self.urgent {
            self.urgent -= 1;
            self.all_urgent -= 1;
        }
    }
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A mailbox of numbered messages, and a search of it.
    #[derive(Default)]
    struct Searched {
        urgent: Vec<u64>,
        ordinary: Vec<u64>,
        removals: u64,
        next: u64,
        position: Position,
        /// How often each was looked at.
        looks: HashMap<u64, u32>,
    }

    impl Searched {
        fn push(&mut self, urgent: bool) {
            let messages = if urgent { &mut self.urgent } else { &mut self.ordinary };
            messages.push(self.next);
            self.next += 1;
        }

        fn len(&self) -> usize {
            self.urgent.len() + self.ordinary.len()
        }

        fn get(&self, index: usize) -> Option<u64> {
            self.urgent.iter().chain(&self.ordinary).nth(index).copied()
        }

        fn remove(&mut self, index: usize) -> u64 {
            self.removals += 1;
            match index.checked_sub(self.urgent.len()) {
                None => self.urgent.remove(index),
                Some(index) => self.ordinary.remove(index),
            }
        }

        /// Looks at so many messages, or takes the last of them out.
        fn look(&mut self, most: usize, take: bool) {
            self.position.follow(Extent { removals: self.removals, urgent: self.urgent.len() });
            for looks in 1..=most {
                let index = self.position.index();
                let Some(message) = self.get(index) else {
                    let mut all = self.urgent.iter().chain(&self.ordinary);
                    assert!(all.all(|n| self.looks.contains_key(n)), "one was passed over");
                    return;
                };
                *self.looks.entry(message).or_default() += 1;
                if take && looks == most {
                    self.position.take();
                    self.remove(index);
                } else {
                    self.position.pass();
                }
            }
        }

        fn look_at_all(&mut self) {
            self.look(usize::MAX, false);
        }
    }

    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap() % limit
        }
    }

    /// Anything in any order, with urgent messages and with messages that others take out, or without.
    fn search(seed: u64, urgent: bool, others: bool) -> Searched {
        let (mut searched, mut dice) = (Searched::default(), Dice(seed));
        for _ in 0..200 {
            match dice.below(6) {
                0..=2 => searched.push(urgent && dice.below(3) == 0),
                3 if others && searched.len() > 0 => {
                    let index = dice.below(searched.len());
                    searched.remove(index);
                }
                4 => searched.look(1 + dice.below(6), dice.below(2) == 0),
                _ => searched.look(1 + dice.below(6), false),
            }
        }
        searched.look_at_all();
        searched
    }

    #[test]
    fn no_message_is_passed_over() {
        for seed in 0..300 {
            search(seed, true, true);
            search(seed, false, true);
        }
    }

    #[test]
    fn each_is_looked_at_once_where_only_the_search_itself_takes_messages_out() {
        for seed in 0..300 {
            for urgent in [false, true] {
                let looks = search(seed, urgent, false).looks;
                assert!(looks.values().all(|looks| *looks == 1), "seed {seed}: {looks:?}");
            }
        }
    }

    #[test]
    fn who_drives_the_oldest_out_makes_nobody_begin_anew() {
        let mut searched = Searched::default();
        for _ in 0..100 {
            searched.push(false);
            searched.look(1, false);
        }
        for _ in 0..100 {
            searched.remove(0);
            searched.push(false);
            searched.look_at_all();
        }
        assert!(searched.looks.values().all(|looks| *looks == 1), "{:?}", searched.looks);
    }
}
