//! A mailbox that its process takes each message out of under the lock: that of a process that can receive priority
//! messages, or whose mailbox is bounded.
//!
//! Other processes move what has come to where only they can reach it. Nobody could put a message in front of those, or
//! drop the oldest of them. So a process that wants that pays for it, with a lock for each message.

use std::{any::Any, collections::VecDeque, marker::PhantomData, task::Waker};

use super::{
    Process,
    envelope::{AnyMessage, Envelope, Key},
    mailbox::{AnyInbox, Extent, Opened, Queue},
    room::Room,
};
use crate::{
    bound::{Bound, Turn, WhenFull},
    process::quietly,
};

/// What a process is to receive, under its lock.
pub(super) struct Store<M> {
    /// Priority messages, oldest first. They lie before all others.
    urgent: VecDeque<Envelope<M>>,
    ordinary: VecDeque<Envelope<M>>,
    /// How many messages were taken out.
    removals: u64,
    /// Whether priority messages have come since the process has last asked for more.
    fresh: bool,
    /// If the mailbox is bounded.
    room: Option<Box<Room>>,
}

/// Whether a message with this key counts in a bounded mailbox: all but what travels as a signal.
pub(super) fn counts(key: Key) -> bool {
    matches!(key, Key::Own | Key::Subject(_) | Key::Name(_))
}

impl<M: 'static> Store<M> {
    /// A store of what the process has fetched already.
    pub(super) fn new(fetched: VecDeque<Envelope<M>>, removals: u64, bound: Option<Bound>) -> Self {
        let room = bound.map(|bound| Box::new(Room::new(bound)));
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
    pub(super) fn absorb(&mut self, come: impl Iterator<Item = Envelope<M>>) -> bool {
        let before = self.ordinary.len();
        self.ordinary.extend(come);
        std::mem::take(&mut self.fresh) || self.ordinary.len() > before
    }

    /// There is something that the process has not asked for.
    pub(super) fn refresh(&mut self) {
        self.fresh = true;
    }

    fn extent(&self) -> Extent {
        Extent { removals: self.removals, urgent: self.urgent.len() }
    }

    fn get(&self, index: usize) -> Option<&Envelope<M>> {
        match index.checked_sub(self.urgent.len()) {
            None => self.urgent.get(index),
            Some(index) => self.ordinary.get(index),
        }
    }

    /// Takes a message out. Returns whom to wake, who can send one more.
    fn remove(&mut self, index: usize) -> Option<(Envelope<M>, Option<Waker>)> {
        let removed = match index.checked_sub(self.urgent.len()) {
            None => self.urgent.remove(index),
            Some(index) => self.ordinary.remove(index),
        }?;
        self.removals += 1;
        let waker = self.room.as_mut().filter(|_| counts(removed.key())).and_then(|room| room.leave());
        Some((removed, waker))
    }

    /// Puts a message that counts in, if there is room, or in place of the oldest, which is returned.
    pub(super) fn offer(
        &mut self,
        message: Envelope<M>,
        turn: Option<Turn>,
    ) -> Result<Option<Envelope<M>>, (Envelope<M>, Bound)> {
        let mut gone = None;
        if let Some(room) = &mut self.room
            && !room.enter(turn)
        {
            let oldest = match room.bound.when_full() {
                WhenFull::DropOldest => self.ordinary.iter().position(|message| counts(message.key())),
                _ => None,
            };
            let Some(oldest) = oldest else { return Err((message, room.bound)) };
            // Its room is the new one's.
            gone = self.ordinary.remove(oldest);
            self.removals += 1;
        }
        self.ordinary.push_back(message);
        self.fresh = true;
        Ok(gone)
    }
}

/// How many keys are looked at under one lock.
const KEYS: usize = 32;

/// What stands for the inbox of a process whose messages are in a [`Store`].
pub(super) struct Locked<M> {
    process: Process,
    /// The store as it was when the process last looked: what it found holds as long as this does.
    seen: Extent,
    /// The keys of some messages in a row, as they were then, and the index of the first.
    keys: Vec<Key>,
    first: usize,
    message: PhantomData<fn(M)>,
}

impl<M: Send + 'static> Locked<M> {
    pub(super) fn new(process: Process) -> Self {
        Self { process, seen: Extent::default(), keys: Vec::new(), first: 0, message: PhantomData }
    }

    fn with<R>(&self, visit: impl FnOnce(&mut Store<M>) -> R) -> Option<R> {
        self.process.with(|_, queue| {
            let queue: &mut dyn Any = queue;
            queue.downcast_mut::<Queue<M>>()?.store().map(visit)
        })
    }
}

impl<M: Send + 'static> AnyInbox for Locked<M> {
    fn extent(&mut self) -> Extent {
        let now = self.with(|store| store.extent()).unwrap_or_default();
        if self.seen != now {
            self.seen = now;
            self.keys.clear();
        }
        now
    }

    fn own_type(&self) -> std::any::TypeId {
        std::any::TypeId::of::<M>()
    }

    fn key(&mut self, index: usize) -> Option<Key> {
        if let Some(known) = index.checked_sub(self.first).and_then(|index| self.keys.get(index)) {
            return Some(*known);
        }
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        self.with(|store| {
            keys.extend((index..index + KEYS).map_while(|index| store.get(index)).map(Envelope::key))
        });
        (self.keys, self.first) = (keys, index);
        self.keys.first().copied()
    }

    fn open(
        mut self: Box<Self>,
        index: usize,
        put_back: &mut dyn FnMut(Box<dyn AnyInbox>, Opened),
        take: &mut dyn FnMut(&mut dyn Any),
    ) {
        let seen = self.seen;
        let removed = self.with(|store| if store.extent() == seen { store.remove(index) } else { None });
        let removed = removed.flatten();
        self.keys.clear();
        put_back(self, if removed.is_some() { Opened::Taken } else { Opened::Changed });
        if let Some((envelope, waker)) = removed {
            waker.into_iter().for_each(Waker::wake);
            envelope.open(take);
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((oldest, waker)) = self.with(|store| store.remove(0)).flatten() else { return false };
        // First: who drops messages may panic.
        waker.into_iter().for_each(Waker::wake);
        drop(oldest);
        true
    }

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
