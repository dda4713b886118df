//! What lies in a mailbox.

use std::any::{Any, TypeId};

use crate::{monitor::Down, name::RegisteredName, pid::Pid, process::ExitMessage, reference::Reference};

/// What kind of message an envelope holds: what a selector decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A message of the process's own type, to its own subject or to a name of that type.
    Own,
    /// A message to the subject with this tag.
    Subject(u64),
    /// A message to a name whose type is not the process's own.
    Name(RegisteredName),
    /// A message through an alias.
    Alias(Reference),
    /// A trapped exit of this process.
    Exit(Pid),
    /// The end of a monitored process.
    Down(Reference),
    /// A message that was sent to the pid, of this type.
    Raw(TypeId),
}

/// A message in its envelope. Those of the process's own type need no allocation.
pub(crate) enum Envelope<M> {
    Own(M),
    Other(Box<dyn AnyMessage>),
}

impl<M: 'static> Envelope<M> {
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Own(_) => Key::Own,
            Self::Other(message) => message.key(),
        }
    }

    /// Lets `take` move the message out of the `Option` of its type that it is handed.
    pub(crate) fn open(self, take: &mut dyn FnMut(&mut dyn Any)) {
        match self {
            Self::Own(message) => take(&mut Some(message)),
            Self::Other(message) => message.open(take),
        }
    }
}

/// A message of another type than the process's own.
pub(crate) trait AnyMessage: Send {
    fn key(&self) -> Key;
    fn open(self: Box<Self>, take: &mut dyn FnMut(&mut dyn Any));
}

impl AnyMessage for Down {
    fn key(&self) -> Key {
        Key::Down(self.monitor.reference())
    }

    fn open(self: Box<Self>, take: &mut dyn FnMut(&mut dyn Any)) {
        take(&mut Some(*self));
    }
}

impl AnyMessage for ExitMessage {
    fn key(&self) -> Key {
        Key::Exit(self.pid)
    }

    fn open(self: Box<Self>, take: &mut dyn FnMut(&mut dyn Any)) {
        take(&mut Some(*self));
    }
}

/// A message with the key that it is received by.
pub(crate) struct Tagged<T> {
    pub(crate) key: Key,
    pub(crate) body: T,
}

impl<T: Send + 'static> AnyMessage for Tagged<T> {
    fn key(&self) -> Key {
        self.key
    }

    fn open(self: Box<Self>, take: &mut dyn FnMut(&mut dyn Any)) {
        take(&mut Some(self.body));
    }
}
