//! How much room there is in a bounded mailbox, and who waits for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    task::Waker,
};

use crate::bound::{Bound, Turn, WhenFull};

/// The room in a bounded mailbox, under the lock of its process.
pub(crate) struct Room {
    pub(super) bound: Bound,
    /// How many messages that count are in the mailbox.
    taken: usize,
    /// Who waits, in the order in which they came. Nobody does while there is room.
    waiting: BTreeMap<Turn, Waker>,
    /// For whom room is kept.
    granted: BTreeSet<Turn>,
    next: Turn,
}

impl Room {
    pub(super) fn new(bound: Bound) -> Self {
        Self { bound, taken: 0, waiting: BTreeMap::new(), granted: BTreeSet::new(), next: 0 }
    }

    fn has_room(&self) -> bool {
        self.taken + self.granted.len() < self.bound.capacity()
    }

    /// Keeps room for a message that is still to come, or says by which bound there is none. None is kept where the
    /// message makes room for itself.
    pub(super) fn keep(&mut self) -> Result<Option<Turn>, Bound> {
        if self.bound.when_full() == WhenFull::DropOldest {
            return Ok(None);
        }
        if !self.has_room() {
            return Err(self.bound);
        }
        let turn = self.next;
        self.next += 1;
        self.granted.insert(turn);
        Ok(Some(turn))
    }

    /// Takes room for a message, if there is any or some is kept for it.
    pub(super) fn enter(&mut self, turn: Option<Turn>) -> bool {
        let is_kept = turn.is_some_and(|turn| self.granted.remove(&turn));
        if !is_kept && !self.has_room() {
            return false;
        }
        self.taken += 1;
        true
    }

    /// A message that counts has left the mailbox. Returns whom to wake, for whom its room is kept.
    pub(super) fn leave(&mut self) -> Option<Waker> {
        self.taken -= 1;
        self.grant()
    }

    fn grant(&mut self) -> Option<Waker> {
        let (turn, waker) = self.waiting.pop_first()?;
        self.granted.insert(turn);
        Some(waker)
    }

    /// Takes a place in the line, or looks whether its turn has come. Returns whether it has, or there is no line. What
    /// is left of the waker is to be dropped.
    pub(super) fn stand_in_line(&mut self, place: &mut Option<Turn>, waker: &mut Option<Waker>) -> bool {
        if self.bound.when_full() != WhenFull::Wait {
            return true;
        }
        let Some(turn) = *place else {
            let turn = self.next;
            self.next += 1;
            *place = Some(turn);
            if self.has_room() {
                self.granted.insert(turn);
                return true;
            }
            self.waiting.extend(waker.take().map(|waker| (turn, waker)));
            return false;
        };
        let Some(known) = self.waiting.get_mut(&turn) else { return true };
        if let Some(waker) = waker {
            std::mem::swap(known, waker);
        }
        false
    }

    /// Gives a place up. Returns whom to wake, who is next, and a waker to be dropped.
    pub(super) fn leave_line(&mut self, turn: Turn) -> (Option<Waker>, Option<Waker>) {
        if self.granted.remove(&turn) {
            return (self.grant(), None);
        }
        (None, self.waiting.remove(&turn))
    }

    /// Nobody is let in any more: whom to wake, to learn that.
    pub(super) fn dissolve(&mut self) -> BTreeMap<Turn, Waker> {
        std::mem::take(&mut self.waiting)
    }
}
