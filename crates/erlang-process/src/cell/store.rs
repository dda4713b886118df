//! A mailbox that its process takes each message out of under the lock: that of a process that can receive priority
//! messages, or whose mailbox is bounded.
//!
//! Other processes move what has come to where only they can reach it. Nobody could put a message in front of those, or
//! drop the oldest of them. So a process that wants that pays for it, with a lock for each message.

use std::{any::Any, collections::VecDeque, task::Waker};

use super::{
    Process,
    envelope::{AnyMessage, Envelope, Key},
    mailbox::{AnyInbox, Block, Found, Inbox, LOOKS, Look, Queue},
    position::{Extent, Position},
    room::Room,
};
use crate::{
    bound::{Bound, Turn},
    process::quietly,
};

/// What a process is to receive, under its lock.
pub(super) struct Store<M> {
    /// Priority messages, oldest first. They lie before all others.
    urgent: VecDeque<Envelope<M>>,
    ordinary: Inbox<M>,
    /// How many messages were taken out.
    removals: u64,
    /// Whether priority messages have come since the process has last asked for more.
    fresh: bool,
    /// If the mailbox is bounded.
    room: Option<Box<Room>>,
}

/// A message that was taken out, and whom to wake, who can send one more.
type Removed<M> = (Envelope<M>, Option<Waker>);

/// Whether a message with this key counts in a bounded mailbox: all but what travels as a signal.
pub(super) fn counts(key: Key) -> bool {
    matches!(key, Key::Own | Key::Subject(_) | Key::Name(_))
}

impl<M: 'static> Store<M> {
    /// A store of what the process has fetched already.
    pub(super) fn new(fetched: Inbox<M>, bound: Option<Bound>) -> Self {
        let room = bound.map(|bound| Box::new(Room::new(bound)));
        let removals = fetched.removals;
        Self { urgent: VecDeque::new(), ordinary: fetched, removals, fresh: false, room }
    }

    pub(super) fn room(&mut self) -> Option<&mut Room> {
        self.room.as_deref_mut()
    }

    pub(super) fn push_urgent(&mut self, message: Box<dyn AnyMessage>) {
        self.urgent.push_back(Envelope::Other(message));
        self.fresh = true;
    }

    /// Takes in what has come as to any process. Whether there is anything that the process has not asked for.
    pub(super) fn absorb(&mut self, last: &mut Block<M>, full: &mut Vec<Block<M>>) -> bool {
        // A block is begun only for a message.
        let come = !last.is_empty();
        if come {
            self.ordinary.append(full, last);
        }
        std::mem::take(&mut self.fresh) || come
    }

    /// There is something that the process has not asked for.
    pub(super) fn refresh(&mut self) {
        self.fresh = true;
    }

    fn extent(&self) -> Extent {
        Extent { removals: self.removals, urgent: self.urgent.len() }
    }

    fn get(&mut self, index: usize) -> Option<&Envelope<M>> {
        match index.checked_sub(self.urgent.len()) {
            None => self.urgent.get(index),
            Some(index) => self.ordinary.get(index),
        }
    }

    /// Searches on from there, so far as is done under one lock, and takes out what it finds.
    fn look(&mut self, from: &mut Position, wants: &dyn Fn(Key) -> bool) -> (Look, Option<Removed<M>>) {
        from.follow(self.extent());
        for _ in 0..LOOKS {
            let index = from.index();
            let Some(key) = self.get(index).map(Envelope::key) else { return (Look::End, None) };
            if wants(key) {
                from.take();
                return (Look::Found(Found::new(key, index)), self.remove(index));
            }
            from.pass();
        }
        (Look::Further, None)
    }

    fn remove(&mut self, index: usize) -> Option<Removed<M>> {
        self.get(index)?;
        let removed = match index.checked_sub(self.urgent.len()) {
            None => self.urgent.remove(index),
            Some(index) => self.ordinary.remove(index),
        }?;
        self.removals += 1;
        if self.urgent.is_empty() && self.urgent.capacity() > Inbox::<M>::FIRST_KEPT {
            self.urgent = VecDeque::new();
        }
        let waker = self.room.as_mut().filter(|_| counts(removed.key())).and_then(|room| room.leave());
        Some((removed, waker))
    }

    /// Takes room for a message that counts, or says by which bound there is none.
    pub(super) fn enter(&mut self, turn: Option<Turn>) -> Option<Bound> {
        let room = self.room.as_mut()?;
        if room.enter(turn) { None } else { Some(room.bound) }
    }

    /// Takes the oldest message out that counts. Its room stays taken.
    pub(super) fn remove_oldest(&mut self) -> Option<Envelope<M>> {
        let mut index = 0;
        while !counts(self.ordinary.get(index)?.key()) {
            index += 1;
        }
        self.removals += 1;
        self.ordinary.remove(index)
    }
}

/// What stands for the inbox of a process whose messages are in a [`Store`].
pub(super) struct Locked<M> {
    process: Process,
    /// What was found, and is to be opened. Taken out under the lock that it was found under: without, others could
    /// drive it out.
    found: Option<Removed<M>>,
}

impl<M: Send + 'static> Locked<M> {
    pub(super) fn new(process: Process) -> Self {
        Self { process, found: None }
    }

    fn with<R>(&self, visit: impl FnOnce(&mut Store<M>) -> R) -> Option<R> {
        self.process.with(|_, queue| {
            let queue: &mut dyn Any = queue;
            queue.downcast_mut::<Queue<M>>()?.store().map(visit)
        })
    }
}

impl<M: Send + 'static> AnyInbox for Locked<M> {
    fn own_type(&self) -> std::any::TypeId {
        std::any::TypeId::of::<M>()
    }

    fn look(&mut self, from: &mut Position, wants: &dyn Fn(Key) -> bool) -> Look {
        let (look, found) = self.with(|store| store.look(from, wants)).unwrap_or((Look::End, None));
        self.found = found;
        look
    }

    fn open(
        mut self: Box<Self>,
        _: Found,
        put_back: &mut dyn FnMut(Box<dyn AnyInbox>),
        take: &mut dyn FnMut(&mut dyn Any),
    ) {
        let removed = self.found.take();
        put_back(self);
        if let Some((envelope, waker)) = removed {
            // That of a sender: its panic is not the receiver's, whose message would be lost.
            quietly(|| waker.map(Waker::wake));
            envelope.open(take);
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((oldest, waker)) = self.with(|store| store.remove(0)).flatten() else { return false };
        // First: who drops messages may panic.
        quietly(|| waker.map(Waker::wake));
        drop(oldest);
        true
    }

    fn has_spare_room(&self) -> bool {
        // A store gives back what it does not need whenever something is taken out.
        false
    }

    fn give_room_back(&mut self) {}

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl<M> Drop for Locked<M> {
    /// The process has ended: who waits for room learns that.
    fn drop(&mut self) {
        let waiting = self.process.with(|_, queue| queue.room().map(Room::dissolve));
        for (_, waker) in waiting.into_iter().flatten() {
            quietly(|| waker.wake());
        }
    }
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cell::Tagged;

    #[test]
    fn a_long_queue_gives_its_memory_back() {
        const MANY: u64 = 100_000;
        let mut store = Store::<u64>::new(Inbox::default(), None);
        let (mut last, mut full) = (Vec::new(), Vec::new());
        for number in 0..MANY {
            last.push(Envelope::Own(number));
            if last.len() == 64 {
                full.push(std::mem::take(&mut last));
            }
            store.push_urgent(Box::new(Tagged { key: Key::Subject(number), body: number }));
        }
        assert!(store.absorb(&mut last, &mut full));
        // Looked for, so that all of it lies side by side.
        let mut position = Position::default();
        while matches!(store.look(&mut position, &|_| false).0, Look::Further) {}
        let mut took = 0;
        while store.remove(0).is_some() {
            took += 1;
        }
        assert_eq!(took, 2 * MANY);
        let kept = (store.urgent.capacity(), store.ordinary.room());
        assert!(kept.0.max(kept.1) <= Inbox::<u64>::FIRST_KEPT, "{kept:?}");
    }
}
