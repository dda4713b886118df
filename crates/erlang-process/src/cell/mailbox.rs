//! The two halves of a mailbox: senders push into the in-queue under the process's lock; the process swaps
//! it out whole into the inbox that only it can reach, and reads from there.

use std::{
    any::{Any, TypeId},
    collections::VecDeque,
};

use super::envelope::{AnyMessage, Envelope, Key};

/// An empty inbox that can hold more messages than this gives its memory back.
const KEPT_CAPACITY: usize = 1024;

/// The in-queue, seen by code that does not know the process's own message type.
pub(crate) trait AnyQueue: Any + Send {
    fn push(&mut self, message: Box<dyn AnyMessage>);
    /// Gives the memory of a queue back that is empty and stays so.
    fn free(&mut self);
    fn message_type(&self) -> TypeId;
    /// Moves everything into the inbox. Whether there was anything.
    fn refill(&mut self, inbox: &mut Option<Box<dyn AnyInbox>>) -> bool;
}

/// What has come: only ever filled at the end, and emptied as a whole or of its only message.
pub(crate) type Queue<M> = Vec<Envelope<M>>;

impl<M: Send + 'static> AnyQueue for Queue<M> {
    fn message_type(&self) -> TypeId {
        TypeId::of::<M>()
    }

    fn refill(&mut self, inbox: &mut Option<Box<dyn AnyInbox>>) -> bool {
        if self.is_empty() {
            return false;
        }
        let inbox = inbox.get_or_insert_with(|| Box::new(Inbox::<M>::default()));
        let inbox: &mut dyn Any = &mut **inbox;
        if let Some(inbox) = inbox.downcast_mut::<Inbox<M>>() {
            inbox.refill(self);
        }
        true
    }

    fn push(&mut self, message: Box<dyn AnyMessage>) {
        self.push(Envelope::Other(message));
    }

    fn free(&mut self) {
        debug_assert!(self.is_empty(), "messages are not dropped under the lock");
        *self = Self::new();
    }
}

/// The messages that the process has taken and not yet read, oldest first.
pub(crate) struct Inbox<M> {
    queue: VecDeque<Envelope<M>>,
    /// How many messages were taken out: a search that was interrupted may go on where it stopped as long
    /// as this stands.
    removals: u64,
}

/// The oldest message is not of the process's own type, and stays.
pub(crate) struct NotOwn;

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), removals: 0 }
    }
}

impl<M> Inbox<M> {
    /// Takes the oldest message, if there is one: an error if it is not of the process's own type.
    #[inline]
    pub(crate) fn take_oldest(&mut self) -> Option<Result<M, NotOwn>> {
        Some(match self.queue.pop_front()? {
            Envelope::Own(message) => {
                self.removals += 1;
                Ok(message)
            }
            other @ Envelope::Other(_) => {
                self.queue.push_front(other);
                Err(NotOwn)
            }
        })
    }

    /// Moves everything from the in-queue to the end.
    pub(crate) fn refill(&mut self, queue: &mut Queue<M>) {
        if self.queue.is_empty() {
            // The two exchange their memory.
            let mut emptied = std::mem::take(&mut self.queue);
            if emptied.capacity() > KEPT_CAPACITY {
                emptied = VecDeque::new();
            }
            self.queue = std::mem::replace(queue, emptied.into()).into();
        } else {
            self.queue.extend(queue.drain(..));
        }
    }
}

/// An inbox, seen by code that does not know the process's own message type.
pub(crate) trait AnyInbox: Any + Send {
    fn removals(&self) -> u64;
    fn own_type(&self) -> TypeId;
    fn key(&self, index: usize) -> Option<Key>;
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

    fn key(&self, index: usize) -> Option<Key> {
        self.queue.get(index).map(Envelope::key)
    }

    fn open(
        mut self: Box<Self>,
        index: usize,
        put_back: &mut dyn FnMut(Box<dyn AnyInbox>),
        take: &mut dyn FnMut(&mut dyn Any),
    ) {
        let envelope = self.queue.remove(index);
        self.removals += 1;
        put_back(self);
        if let Some(envelope) = envelope {
            envelope.open(take);
        }
    }

    fn drop_oldest(&mut self) -> bool {
        self.queue.pop_front().is_some()
    }
}
