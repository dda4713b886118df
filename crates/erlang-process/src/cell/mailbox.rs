//! The two halves of a mailbox: senders push into the in-queue under the process's lock; the process moves what
//! has come, whole, into the inbox that only it can reach, and reads from there.
//!
//! Messages lie in blocks. So a burst costs memory for the messages that there are and no more, nothing is copied
//! when many have come, and there is no large buffer to be kept or to be grown while a lock is held.

use std::{
    any::{Any, TypeId},
    collections::VecDeque,
    mem,
};

use super::{
    Process,
    envelope::{AnyMessage, Envelope, Key},
    position::{Extent, Position},
    room::Room,
    store::{Locked, Store},
};
use crate::{
    bound::{Bound, Turn, WhenFull},
    sync::MODELLED,
};

/// How many bytes of messages are in a block, where they are not larger themselves: what allocators serve fast.
const BLOCK_BYTES: usize = 1024;

/// The list of full blocks gives its own memory back when there were more.
const KEPT_BLOCKS: usize = 16;

/// The in-queue, seen by code that does not know the process's own message type.
pub(crate) trait AnyQueue: Any + Send {
    fn push_other(&mut self, message: Box<dyn AnyMessage>);
    /// Puts a message before all that are not as urgent. The process takes its messages [under the
    /// lock](Self::take_under_lock).
    fn push_urgent(&mut self, message: Box<dyn AnyMessage>);
    /// From now on this process takes each message under its lock. Returns what stands for its inbox then.
    fn take_under_lock(
        &mut self,
        process: Process,
        inbox: Option<Box<dyn AnyInbox>>,
        bound: Option<Bound>,
    ) -> Box<dyn AnyInbox>;
    /// Puts a message that counts into a bounded mailbox, see [`Queue::offer`].
    fn offer_other(
        &mut self,
        message: Box<dyn AnyMessage>,
        turn: Option<Turn>,
    ) -> Result<Option<Gone>, (Box<dyn AnyMessage>, Bound)>;
    /// The room in it, if the mailbox is bounded.
    fn room(&mut self) -> Option<&mut Room>;
    /// Gives the memory back that a burst has needed, if nothing has come since.
    fn give_room_back(&mut self);
    /// Gives the memory of a queue back that is empty and stays so.
    fn free(&mut self);
    fn message_type(&self) -> TypeId;
    /// Moves everything into the inbox. Whether there was anything.
    fn refill(&mut self, inbox: &mut Option<Box<dyn AnyInbox>>) -> bool;
}

/// A message that had to make room for another, to be dropped when the lock is released.
pub(crate) type Gone = Box<dyn Any + Send>;

/// What has come, oldest first.
pub(crate) struct Queue<M> {
    /// What few queues have, or for a moment only.
    rest: Option<Box<Rest<M>>>,
    last: Block<M>,
}

struct Rest<M> {
    /// The blocks before the last, which are full.
    full: Vec<Block<M>>,
    /// Where the messages go, if the process takes them under its lock.
    store: Option<Store<M>>,
}

impl<M> Rest<M> {
    /// Whether all messages are in the last block, and go the usual way.
    fn is_idle(&self) -> bool {
        self.full.is_empty() && self.store.is_none()
    }
}

pub(super) type Block<M> = Vec<Envelope<M>>;

impl<M: 'static> Queue<M> {
    const BLOCK: usize = {
        let fitting = BLOCK_BYTES / size_of::<Envelope<M>>();
        if fitting < Self::FIRST { Self::FIRST } else { fitting }
    };

    /// For how many messages a process keeps room while it waits. A model checker is to see it given back.
    const KEPT: usize = if MODELLED { 0 } else { 2 * Self::FIRST };

    /// For how many messages there is room in the first block at first.
    const FIRST: usize = 4;

    pub(crate) fn new() -> Self {
        Self { rest: None, last: Vec::new() }
    }

    /// Puts a message of the process's own type last.
    #[inline]
    pub(crate) fn push_own(&mut self, message: M) {
        // Making room is apart, so that the compiler knows that here there is some, and writes the message to its
        // place: by way of the stack it would be read before it is written.
        if self.last.len() == self.last.capacity() {
            return self.push(Envelope::Own(message));
        }
        self.last.push(Envelope::Own(message));
    }

    /// Puts a message last.
    #[inline(never)]
    pub(crate) fn push(&mut self, envelope: Envelope<M>) {
        if self.last.len() == self.last.capacity() {
            self.make_room();
        }
        self.last.push(envelope);
    }

    #[cold]
    fn make_room(&mut self) {
        let len = self.last.len();
        if len < Self::BLOCK {
            let room = (2 * len).clamp(Self::FIRST, Self::BLOCK);
            self.last.reserve_exact(room - len);
        } else {
            let full = mem::replace(&mut self.last, Vec::with_capacity(Self::BLOCK));
            self.rest_mut().full.push(full);
        }
    }

    fn rest_mut(&mut self) -> &mut Rest<M> {
        self.rest.get_or_insert_with(|| Box::new(Rest { full: Vec::new(), store: None }))
    }

    pub(super) fn store(&mut self) -> Option<&mut Store<M>> {
        self.rest.as_mut()?.store.as_mut()
    }

    /// Moves what has come into the store, if there is one. Whether there was anything.
    #[cold]
    fn absorb(&mut self) -> bool {
        let Some(Rest { full, store: Some(store) }) = self.rest.as_deref_mut() else { return false };
        let come = store.absorb(&mut self.last, full);
        if full.capacity() > KEPT_BLOCKS {
            *full = Vec::new();
        }
        come
    }

    /// Takes the only message that there is, if it is of the process's own type.
    #[inline]
    pub(crate) fn take_only(&mut self) -> Option<M> {
        if self.last.len() != 1 || self.rest.as_ref().is_some_and(|rest| !rest.is_idle()) {
            return None;
        }
        match self.last.pop()? {
            Envelope::Own(message) => Some(message),
            other @ Envelope::Other(_) => {
                self.last.push(other);
                None
            }
        }
    }
}

impl<M: Send + 'static> Queue<M> {
    /// Puts a message that counts into a bounded mailbox. An error if there is no room.
    #[cold]
    pub(super) fn offer(
        &mut self,
        message: Envelope<M>,
        turn: Option<Turn>,
    ) -> Result<Option<Gone>, (Envelope<M>, Bound)> {
        let bound = self.store().and_then(|store| store.enter(turn));
        let gone = match bound {
            None => None,
            // The room of the oldest is the new one's.
            Some(bound) => match self.drive_out(bound) {
                None => return Err((message, bound)),
                gone => gone,
            },
        };
        self.push(message);
        Ok(gone.map(|gone| -> Gone { Box::new(gone) }))
    }

    /// Takes the oldest message that counts out of a full mailbox, if that is what becomes of it.
    fn drive_out(&mut self, bound: Bound) -> Option<Envelope<M>> {
        if bound.when_full() != WhenFull::DropOldest {
            return None;
        }
        let come = self.absorb();
        let store = self.store()?;
        if come {
            store.refresh();
        }
        store.remove_oldest()
    }
}

impl<M: Send + 'static> AnyQueue for Queue<M> {
    fn push_other(&mut self, message: Box<dyn AnyMessage>) {
        self.push(Envelope::Other(message));
    }

    fn push_urgent(&mut self, message: Box<dyn AnyMessage>) {
        match self.store() {
            Some(store) => store.push_urgent(message),
            // Only a process that takes under its lock is sent any.
            None => self.push(Envelope::Other(message)),
        }
    }

    fn offer_other(
        &mut self,
        message: Box<dyn AnyMessage>,
        turn: Option<Turn>,
    ) -> Result<Option<Gone>, (Box<dyn AnyMessage>, Bound)> {
        match self.offer(Envelope::Other(message), turn) {
            Ok(gone) => Ok(gone),
            Err((Envelope::Other(message), bound)) => Err((message, bound)),
            // Not what was offered.
            Err((Envelope::Own(_), _)) => Ok(None),
        }
    }

    fn room(&mut self) -> Option<&mut Room> {
        self.store()?.room()
    }

    fn take_under_lock(
        &mut self,
        process: Process,
        inbox: Option<Box<dyn AnyInbox>>,
        bound: Option<Bound>,
    ) -> Box<dyn AnyInbox> {
        if self.store().is_some() {
            return inbox.unwrap_or_else(|| Box::new(Locked::<M>::new(process)));
        }
        let inbox = inbox.and_then(|inbox| inbox.into_any().downcast::<Inbox<M>>().ok()).unwrap_or_default();
        self.rest_mut().store = Some(Store::new(*inbox, bound));
        Box::new(Locked::<M>::new(process))
    }

    fn give_room_back(&mut self) {
        if self.last.is_empty() && self.last.capacity() > Self::KEPT {
            self.last = Vec::new();
        }
        if self.rest.as_ref().is_some_and(|rest| rest.is_idle()) {
            self.rest = None;
        }
    }

    fn free(&mut self) {
        debug_assert!(self.last.is_empty(), "messages are not dropped under the lock");
        *self = Self::new();
    }

    fn message_type(&self) -> TypeId {
        TypeId::of::<M>()
    }

    fn refill(&mut self, inbox: &mut Option<Box<dyn AnyInbox>>) -> bool {
        // A block is begun only for a message.
        if self.last.is_empty() {
            return self.rest.is_some() && self.absorb();
        }
        let inbox = inbox.get_or_insert_with(|| Box::new(Inbox::<M>::default()));
        let inbox: &mut dyn Any = &mut **inbox;
        if let Some(inbox) = inbox.downcast_mut::<Inbox<M>>() {
            inbox.refill(self);
            return true;
        }
        self.absorb()
    }
}

/// The messages that the process has taken and not yet read, oldest first.
pub(crate) struct Inbox<M> {
    /// Those that are being read.
    first: VecDeque<Envelope<M>>,
    /// Those after them. None is empty.
    blocks: VecDeque<Block<M>>,
    /// How many messages were taken out: a search that was interrupted may go on where it stopped as long
    /// as this stands.
    pub(super) removals: u64,
}

/// The oldest message is not of the process's own type, and stays.
pub(crate) struct NotOwn;

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self { first: VecDeque::new(), blocks: VecDeque::new(), removals: 0 }
    }
}

impl<M: 'static> Inbox<M> {
    /// For how many blocks there may be room when there are none.
    const BLOCKS_KEPT: usize = 64;

    /// For how many messages there may be room among those that are being read when there are none: as large as the last
    /// block becomes by growing.
    pub(super) const FIRST_KEPT: usize = 2 * Queue::<M>::BLOCK;

    /// Takes the oldest message, if there is one: an error if it is not of the process's own type.
    #[inline]
    pub(crate) fn take_oldest(&mut self) -> Option<Result<M, NotOwn>> {
        Some(match self.pop()? {
            Envelope::Own(message) => {
                self.removals += 1;
                Ok(message)
            }
            other @ Envelope::Other(_) => {
                self.first.push_front(other);
                Err(NotOwn)
            }
        })
    }

    /// Whether all is read, and there is more room than a process keeps that waits.
    #[inline]
    pub(crate) fn has_spare_room(&self) -> bool {
        let spare = self.first.capacity() > Queue::<M>::KEPT || self.blocks.capacity() > 0;
        spare && self.first.is_empty() && self.blocks.is_empty()
    }

    #[inline]
    fn pop(&mut self) -> Option<Envelope<M>> {
        match self.first.pop_front() {
            None => self.pop_of_next_block(),
            envelope => envelope,
        }
    }

    #[cold]
    fn pop_of_next_block(&mut self) -> Option<Envelope<M>> {
        let Some(block) = self.blocks.pop_front() else {
            self.give_back();
            return None;
        };
        self.first = block.into();
        self.first.pop_front()
    }

    /// Gives the memory back that a long queue has needed, when all of it is read.
    fn give_back(&mut self) {
        if self.first.is_empty() && self.first.capacity() > Self::FIRST_KEPT {
            self.first = VecDeque::new();
        }
        if self.blocks.is_empty() && self.blocks.capacity() > Self::BLOCKS_KEPT {
            self.blocks = VecDeque::new();
        }
    }

    /// Moves everything from the in-queue to the end.
    fn refill(&mut self, queue: &mut Queue<M>) {
        let Some(rest) = &mut queue.rest else { return self.append(&mut Vec::new(), &mut queue.last) };
        self.append(&mut rest.full, &mut queue.last);
        if rest.full.capacity() > KEPT_BLOCKS {
            queue.rest = None;
        }
    }

    /// Moves the messages of full blocks, and of the last one, to the end.
    pub(super) fn append(&mut self, full: &mut Vec<Block<M>>, last: &mut Block<M>) {
        if full.is_empty() && last.len() == 1 && self.blocks.is_empty() {
            self.first.extend(last.pop());
            return;
        }
        // The two exchange their memory.
        let emptied = if self.first.is_empty() { mem::take(&mut self.first).into() } else { Vec::new() };
        let last = mem::replace(last, emptied);
        self.blocks.extend(full.drain(..));
        if self.first.is_empty() && self.blocks.is_empty() {
            self.first = last.into();
        } else {
            self.blocks.push_back(last);
        }
    }

    /// The message there, for a search: blocks are joined as far as it looks.
    #[inline]
    pub(super) fn get(&mut self, index: usize) -> Option<&Envelope<M>> {
        while index >= self.first.len() {
            let Some(block) = self.blocks.pop_front() else {
                self.give_back();
                return None;
            };
            self.first.extend(block);
        }
        self.first.get(index)
    }

    /// Takes a message out that was looked at.
    #[inline]
    pub(super) fn remove(&mut self, index: usize) -> Option<Envelope<M>> {
        // Mostly the oldest, for which nothing is to be moved.
        let removed = if index == 0 { self.first.pop_front() } else { self.first.remove(index) };
        if self.first.capacity() > Self::FIRST_KEPT && self.first.len() < self.first.capacity() / 4 {
            self.shrink();
        }
        removed
    }

    /// For how many messages there is room among those that are being read.
    #[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
    pub(super) fn room(&self) -> usize {
        self.first.capacity()
    }

    /// Gives memory back, though there are messages which stay.
    #[cold]
    fn shrink(&mut self) {
        self.first.shrink_to(self.first.capacity() / 2);
    }
}

/// A message that was found, to be [opened](AnyInbox::open) before anything else is done.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) key: Key,
    /// Where it lies, if it is not taken out already.
    index: usize,
}

impl Found {
    pub(super) fn new(key: Key, index: usize) -> Self {
        Self { key, index }
    }
}

/// How many messages are looked at in one go: under one lock, where there is one, so that nobody waits for long.
pub(crate) const LOOKS: u32 = if MODELLED { 8 } else { 256 };

/// What a look at some messages has brought.
pub(crate) enum Look {
    Found(Found),
    /// There are more.
    Further,
    /// All were looked at.
    End,
}

/// An inbox, seen by code that does not know the process's own message type.
pub(crate) trait AnyInbox: Any + Send {
    fn own_type(&self) -> TypeId;
    /// Searches on from there for a message that is wanted, and looks at no more than [`LOOKS`]. `wants` may be asked
    /// under the lock: no user code may run in it.
    fn look(&mut self, from: &mut Position, wants: &dyn Fn(Key) -> bool) -> Look;
    /// Takes what was found out, hands the inbox to `put_back`, and then lets `take` move the message out
    /// of the `Option` of its type: what `take` does finds the inbox in its place.
    fn open(
        self: Box<Self>,
        found: Found,
        put_back: &mut dyn FnMut(Box<dyn AnyInbox>),
        take: &mut dyn FnMut(&mut dyn Any),
    );
    /// Drops the oldest message. Whether there was one.
    fn drop_oldest(&mut self) -> bool;
    /// Whether it holds memory that a process does not keep while it waits.
    fn has_spare_room(&self) -> bool;
    /// Gives that back.
    fn give_room_back(&mut self);
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<M: Send + 'static> AnyInbox for Inbox<M> {
    fn own_type(&self) -> TypeId {
        TypeId::of::<M>()
    }

    fn look(&mut self, from: &mut Position, wants: &dyn Fn(Key) -> bool) -> Look {
        from.follow(Extent { removals: self.removals, urgent: 0 });
        for _ in 0..LOOKS {
            let index = from.index();
            let Some(key) = self.get(index).map(Envelope::key) else { return Look::End };
            if wants(key) {
                from.take();
                return Look::Found(Found { key, index });
            }
            from.pass();
        }
        Look::Further
    }

    fn open(
        mut self: Box<Self>,
        found: Found,
        put_back: &mut dyn FnMut(Box<dyn AnyInbox>),
        take: &mut dyn FnMut(&mut dyn Any),
    ) {
        let envelope = self.remove(found.index);
        self.removals += 1;
        put_back(self);
        if let Some(envelope) = envelope {
            envelope.open(take);
        }
    }

    fn drop_oldest(&mut self) -> bool {
        self.pop().is_some()
    }

    fn has_spare_room(&self) -> bool {
        self.has_spare_room()
    }

    fn give_room_back(&mut self) {
        *self = Self { removals: self.removals, ..Self::default() };
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::cell::Tagged;

    /// Large, so that a block holds few.
    type Large = [u64; 40];
    /// Small, so that it holds many.
    type Small = u64;

    trait Numbered: Copy + Send + 'static {
        fn new(number: u64) -> Self;
        fn number(self) -> u64;
    }

    impl Numbered for Large {
        fn new(number: u64) -> Self {
            [number; 40]
        }

        fn number(self) -> u64 {
            self[0]
        }
    }

    impl Numbered for Small {
        fn new(number: u64) -> Self {
            number
        }

        fn number(self) -> u64 {
            self
        }
    }

    /// A mailbox, and what has to be in it.
    struct Both<M> {
        queue: Queue<M>,
        inbox: Option<Box<dyn AnyInbox>>,
        /// The numbers of the messages, and whether they are the process's own.
        queued: VecDeque<(u64, bool)>,
        taken: VecDeque<(u64, bool)>,
        next: u64,
    }

    impl<M: Numbered> Both<M> {
        fn new() -> Self {
            let (queued, taken) = (VecDeque::new(), VecDeque::new());
            Self { queue: Queue::new(), inbox: None, queued, taken, next: 0 }
        }

        fn push(&mut self, own: bool) {
            let number = self.next;
            self.next += 1;
            self.queued.push_back((number, own));
            if own {
                self.queue.push(Envelope::Own(M::new(number)));
            } else {
                self.queue.push_other(Box::new(Tagged { key: Key::Subject(number), body: number }));
            }
        }

        fn refill(&mut self) {
            assert_eq!(self.queue.refill(&mut self.inbox), !self.queued.is_empty());
            self.taken.append(&mut self.queued);
        }

        fn take_only(&mut self) {
            let expected = match self.queued.make_contiguous() {
                [(number, true)] => Some(*number),
                _ => None,
            };
            assert_eq!(self.queue.take_only().map(M::number), expected);
            if expected.is_some() {
                self.queued.clear();
            }
        }

        fn inbox(&mut self) -> Option<&mut Inbox<M>> {
            let inbox: &mut dyn Any = &mut **self.inbox.as_mut()?;
            inbox.downcast_mut()
        }

        fn take_oldest(&mut self) {
            let expected = self.taken.front().copied();
            if let Some((_, true)) = expected {
                self.taken.pop_front();
            }
            let Some(inbox) = self.inbox() else { return assert_eq!(expected, None) };
            let removals = inbox.removals;
            match (inbox.take_oldest(), expected) {
                (None, None) => assert_eq!(inbox.removals, removals),
                (Some(Ok(message)), Some((number, true))) => {
                    assert_eq!((message.number(), inbox.removals), (number, removals + 1));
                }
                (Some(Err(NotOwn)), Some((_, false))) => assert_eq!(inbox.removals, removals),
                (found, expected) => panic!("{} for {expected:?}", found.is_some()),
            }
        }

        /// Takes the message there out, as a search does that has looked at all before it.
        fn open(&mut self, index: usize) {
            let expected = self.taken.remove(index);
            let Some(inbox) = &mut self.inbox else { return assert_eq!(expected, None) };
            let seen = RefCell::new(Vec::new());
            let wants = |key| {
                seen.borrow_mut().push(key);
                seen.borrow().len() > index
            };
            let mut position = Position::default();
            let found = loop {
                match inbox.look(&mut position, &wants) {
                    Look::Found(found) => break Some(found),
                    Look::Further => {}
                    Look::End => break None,
                }
            };
            let key = |&(number, own): &(u64, bool)| if own { Key::Own } else { Key::Subject(number) };
            let before = self.taken.iter().take(index).map(key);
            assert_eq!(seen.into_inner(), before.chain(expected.iter().map(key)).collect::<Vec<_>>());
            let Some((number, _)) = expected else { return assert!(found.is_none()) };
            let found = found.unwrap();
            let (mut back, mut opened) = (None, None);
            self.inbox.take().unwrap().open(found, &mut |inbox| back = Some(inbox), &mut |message| {
                opened = match message.downcast_mut::<Option<M>>() {
                    Some(message) => message.take().map(M::number),
                    None => message.downcast_mut::<Option<u64>>().unwrap().take(),
                };
            });
            self.inbox = back;
            assert_eq!(opened, Some(number));
        }

        fn drain(&mut self) {
            self.refill();
            while !self.taken.is_empty() {
                self.open(0);
            }
            self.open(0);
        }
    }

    /// As many messages as there are at the borders of the first blocks.
    fn sizes<M: 'static>() -> impl Iterator<Item = usize> + Clone {
        (0..4).flat_map(|blocks| {
            (blocks * Queue::<M>::BLOCK).saturating_sub(1)..=blocks * Queue::<M>::BLOCK + 1
        })
    }

    /// What was left in the inbox, what came after it, and which message is taken out first: all of them.
    fn all_are_found_in_order<M: Numbered>() {
        for left in sizes::<M>() {
            for more in sizes::<M>() {
                for index in sizes::<M>().filter(|index| *index <= left + more) {
                    let mut both = Both::<M>::new();
                    for number in 0..left {
                        both.push(number % 5 != 4);
                    }
                    both.refill();
                    // The first block is begun.
                    both.take_oldest();
                    for number in 0..more {
                        both.push(number % 7 != 6);
                    }
                    both.refill();
                    both.open(index);
                    both.take_oldest();
                    both.drain();
                }
            }
        }
    }

    #[test]
    fn all_are_found_in_order_whatever_the_sizes_are() {
        all_are_found_in_order::<Large>();
        all_are_found_in_order::<Small>();
    }

    fn anything_in_any_order<M: Numbered>(seed: u64) {
        let mut both = Both::<M>::new();
        let mut state = seed;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % limit
        };
        for _ in 0..300 {
            match below(6) {
                0 => (0..below(3 * Queue::<M>::BLOCK)).for_each(|number| both.push(number % 3 != 0)),
                1 => both.push(below(4) != 0),
                2 => both.refill(),
                3 => both.take_only(),
                4 => (0..below(2 * Queue::<M>::BLOCK)).for_each(|_| both.take_oldest()),
                _ => {
                    let index = below(both.taken.len() + 2);
                    both.open(index);
                }
            }
        }
        both.drain();
    }

    #[test]
    fn it_is_a_queue_whatever_is_done_in_whatever_order() {
        for seed in 0..200 {
            anything_in_any_order::<Large>(seed);
            anything_in_any_order::<Small>(seed);
        }
    }

    #[test]
    fn a_burst_leaves_room_for_a_few_messages() {
        for burst in sizes::<Small>().filter(|burst| *burst > 1) {
            let mut both = Both::<Small>::new();
            // The two halves exchange their memory.
            for _ in 0..2 {
                for _ in 0..burst {
                    both.push(true);
                }
                both.refill();
                while !both.taken.is_empty() {
                    both.take_oldest();
                }
                both.take_oldest();
            }
            let inbox = both.inbox().unwrap();
            if inbox.has_spare_room() {
                inbox.give_room_back();
            }
            both.queue.give_room_back();
            let kept = (both.inbox().unwrap().first.capacity(), both.queue.last.capacity());
            assert!(kept.0 <= Queue::<Small>::KEPT && kept.1 <= Queue::<Small>::KEPT, "{burst}: {kept:?}");
        }
    }

    #[test]
    fn a_message_that_stays_keeps_no_memory_of_others() {
        let mut both = Both::<Small>::new();
        both.push(false);
        for _ in 0..100_000 {
            both.push(true);
        }
        both.refill();
        both.open(100_000);
        while both.taken.len() > 1 {
            both.open(1);
        }
        let kept = both.inbox().unwrap().first.capacity();
        assert!(kept <= Inbox::<Small>::FIRST_KEPT, "{kept}");
    }

    #[test]
    fn a_long_queue_that_was_searched_gives_its_memory_back() {
        let mut both = Both::<Small>::new();
        for _ in 0..100_000 {
            both.push(true);
        }
        both.refill();
        both.open(99_999);
        while !both.taken.is_empty() {
            both.take_oldest();
        }
        both.take_oldest();
        // Those that come now go where the others were.
        for _ in 0..3 {
            both.push(true);
            both.refill();
            both.take_oldest();
        }
        let inbox = both.inbox().unwrap();
        let kept = (inbox.first.capacity(), inbox.blocks.capacity());
        let kept = (kept.0, both.queue.last.capacity(), kept.1);
        let enough = 2 * Queue::<Small>::BLOCK;
        assert!(kept.0 <= enough && kept.1 <= enough && kept.2 <= Inbox::<Small>::BLOCKS_KEPT, "{kept:?}");
    }
}
