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

use super::envelope::{AnyMessage, Envelope, Key};

/// How many bytes of messages are in a block, where they are not larger themselves: what allocators serve fast.
const BLOCK_BYTES: usize = 1024;

/// The list of full blocks gives its own memory back when there were more.
const KEPT_BLOCKS: usize = 16;

/// The in-queue, seen by code that does not know the process's own message type.
pub(crate) trait AnyQueue: Any + Send {
    fn push_other(&mut self, message: Box<dyn AnyMessage>);
    /// Gives the memory of a queue back that is empty and stays so.
    fn free(&mut self);
    fn message_type(&self) -> TypeId;
    /// Moves everything into the inbox. Whether there was anything.
    fn refill(&mut self, inbox: &mut Option<Box<dyn AnyInbox>>) -> bool;
}

/// What has come, oldest first.
pub(crate) struct Queue<M> {
    /// The blocks before the last, which are full.
    full: Vec<Block<M>>,
    last: Block<M>,
}

type Block<M> = Vec<Envelope<M>>;

impl<M> Queue<M> {
    const BLOCK: usize = {
        let fitting = BLOCK_BYTES / size_of::<Envelope<M>>();
        if fitting < 4 { 4 } else { fitting }
    };

    pub(crate) fn new() -> Self {
        Self { full: Vec::new(), last: Vec::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, envelope: Envelope<M>) {
        if self.last.len() >= Self::BLOCK {
            self.begin_block();
        }
        self.last.push(envelope);
    }

    #[cold]
    fn begin_block(&mut self) {
        let full = mem::replace(&mut self.last, Vec::with_capacity(Self::BLOCK));
        self.full.push(full);
    }

    /// Takes the only message that there is, if it is of the process's own type.
    #[inline]
    pub(crate) fn take_only(&mut self) -> Option<M> {
        if self.last.len() != 1 || !self.full.is_empty() {
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

impl<M: Send + 'static> AnyQueue for Queue<M> {
    fn push_other(&mut self, message: Box<dyn AnyMessage>) {
        self.push(Envelope::Other(message));
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
            return false;
        }
        let inbox = inbox.get_or_insert_with(|| Box::new(Inbox::<M>::default()));
        let inbox: &mut dyn Any = &mut **inbox;
        if let Some(inbox) = inbox.downcast_mut::<Inbox<M>>() {
            inbox.refill(self);
        }
        true
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
    removals: u64,
}

/// The oldest message is not of the process's own type, and stays.
pub(crate) struct NotOwn;

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self { first: VecDeque::new(), blocks: VecDeque::new(), removals: 0 }
    }
}

impl<M> Inbox<M> {
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

    #[inline]
    fn pop(&mut self) -> Option<Envelope<M>> {
        match self.first.pop_front() {
            None => self.pop_of_next_block(),
            envelope => envelope,
        }
    }

    #[cold]
    fn pop_of_next_block(&mut self) -> Option<Envelope<M>> {
        self.first = self.blocks.pop_front()?.into();
        self.first.pop_front()
    }

    /// Moves everything from the in-queue to the end.
    fn refill(&mut self, queue: &mut Queue<M>) {
        if queue.full.is_empty() && queue.last.len() == 1 && self.blocks.is_empty() {
            self.first.extend(queue.last.pop());
            return;
        }
        // The two exchange their memory.
        let emptied = if self.first.is_empty() { mem::take(&mut self.first).into() } else { Vec::new() };
        let last = mem::replace(&mut queue.last, emptied);
        self.blocks.extend(queue.full.drain(..));
        if queue.full.capacity() > KEPT_BLOCKS {
            queue.full = Vec::new();
        }
        if self.first.is_empty() && self.blocks.is_empty() {
            self.first = last.into();
        } else {
            self.blocks.push_back(last);
        }
    }

    /// The message there, for a search: blocks are joined as far as it looks.
    fn get(&mut self, index: usize) -> Option<&Envelope<M>> {
        while index >= self.first.len() {
            let block = self.blocks.pop_front()?;
            self.first.extend(block);
        }
        self.first.get(index)
    }
}

/// An inbox, seen by code that does not know the process's own message type.
pub(crate) trait AnyInbox: Any + Send {
    fn removals(&self) -> u64;
    fn own_type(&self) -> TypeId;
    fn key(&mut self, index: usize) -> Option<Key>;
    /// Takes the message there out, hands the inbox to `put_back`, and then lets `take` move the message out
    /// of the `Option` of its type: what `take` does finds the inbox in its place.
    fn open(
        self: Box<Self>,
        index: usize,
        put_back: &mut dyn FnMut(Box<dyn AnyInbox>),
        take: &mut dyn FnMut(&mut dyn Any),
    );
    /// Drops the oldest message. Whether there was one.
    fn drop_oldest(&mut self) -> bool;
}

impl<M: Send + 'static> AnyInbox for Inbox<M> {
    fn removals(&self) -> u64 {
        self.removals
    }

    fn own_type(&self) -> TypeId {
        TypeId::of::<M>()
    }

    fn key(&mut self, index: usize) -> Option<Key> {
        self.get(index).map(Envelope::key)
    }

    fn open(
        mut self: Box<Self>,
        index: usize,
        put_back: &mut dyn FnMut(Box<dyn AnyInbox>),
        take: &mut dyn FnMut(&mut dyn Any),
    ) {
        let envelope = self.first.remove(index);
        self.removals += 1;
        put_back(self);
        if let Some(envelope) = envelope {
            envelope.open(take);
        }
    }

    fn drop_oldest(&mut self) -> bool {
        self.pop().is_some()
    }
}
