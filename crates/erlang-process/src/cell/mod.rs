//! A process's shared half: identity, mailbox and relations, behind one short lock.

mod control;
mod envelope;
mod mailbox;

use std::{any::TypeId, collections::VecDeque, task::Waker};

pub(crate) use self::{
    control::{AliasEnd, Control, Delivery, Link, Monitored, Rare, Relations, Watcher},
    envelope::{AnyMessage, Envelope, Key, Tagged},
    mailbox::{AnyInbox, AnyQueue, Inbox, Queue},
};
use crate::{
    node::Node,
    pid::Pid,
    reason::ExitReason,
    signal::{Dest, Signal},
    sync::{Arc, AtomicBool, AtomicU8, AtomicU64, Mutex, Ordering},
};

/// What never changes, and what is read without the lock.
pub(crate) struct Head {
    pub(crate) pid: Pid,
    pub(crate) parent: Option<Pid>,
    pub(crate) node: Node,
    /// Raised under the lock, read by each poll: whether there is anything to do but run.
    flags: AtomicU8,
    /// Whether the process is being polled right now.
    pub(crate) running: AtomicBool,
    /// How many messages the process has taken out of its mailbox. Written by the process only.
    pub(crate) handled: AtomicU64,
}

impl Head {
    /// The task has not been polled yet, so nobody knows how to wake it.
    pub(crate) const NEW: u8 = 1;
    /// A reason to end is decided.
    pub(crate) const EXITING: u8 = 2;
    /// Unlinks are to be acknowledged.
    pub(crate) const OWES: u8 = 4;

    fn new(pid: Pid, parent: Option<Pid>, node: Node) -> Self {
        Self {
            pid,
            parent,
            node,
            flags: AtomicU8::new(Self::NEW),
            running: AtomicBool::new(false),
            handled: AtomicU64::new(0),
        }
    }

    pub(crate) fn flags(&self) -> u8 {
        self.flags.load(Ordering::Acquire)
    }

    pub(crate) fn raise(&self, flag: u8) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
    }

    pub(crate) fn lower(&self, flag: u8) {
        self.flags.fetch_and(!flag, Ordering::AcqRel);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.flags() & Self::EXITING == 0
    }
}

/// What is behind the lock. The queue is last, so that code that does not know the process's own message
/// type sees all else as it is.
struct Shared<Q: ?Sized> {
    control: Control,
    queue: Q,
}

/// The shared half of a process.
pub(crate) struct Cell<Q: ?Sized> {
    head: Head,
    shared: Mutex<Shared<Q>>,
}

/// A cell whose own messages are `M`.
pub(crate) type OwnCell<M> = Cell<Queue<M>>;

/// A process that lives or did: cells are shared by all who can reach it.
pub(crate) type Process = Arc<Cell<dyn AnyQueue>>;

impl<Q: ?Sized> Cell<Q> {
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }
}

impl<M: Send + 'static> OwnCell<M> {
    pub(crate) fn new(pid: Pid, parent: Option<Pid>, node: Node, relations: Option<Box<Relations>>) -> Self {
        let shared = Shared { control: Control::new(relations), queue: VecDeque::new() };
        Self { head: Head::new(pid, parent, node), shared: Mutex::new(shared) }
    }

    /// Takes the only message that there is, so that where they come one by one none goes through the inbox.
    pub(crate) fn take_only(&self, waker: &Waker) -> Taken<M> {
        self.shared.lock().take_only(waker)
    }

    /// Puts a message of the process's own type into its mailbox, or gives it back.
    pub(crate) fn push(&self, message: M) -> Result<(), M> {
        let wake = {
            let mut shared = self.shared.lock();
            if !shared.control.is_alive() {
                return Err(message);
            }
            shared.queue.push_back(Envelope::Own(message));
            shared.control.message_came()
        };
        wake.wake();
        Ok(())
    }
}

/// What there was to move into the inbox.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refill {
    Messages,
    Nothing {
        /// Whether the cell keeps the waker, which is not that of the process's task.
        waker_kept: bool,
    },
}

/// What a look into the in-queue for one message has found.
pub(crate) enum Taken<M> {
    Message(M),
    /// More than one, or one that is not of the process's own type: they go through the inbox.
    Others,
    /// The next message wakes.
    Nothing {
        waker_kept: bool,
    },
}

impl<M: Send + 'static> Shared<Queue<M>> {
    fn take_only(&mut self, waker: &Waker) -> Taken<M> {
        take_only(&mut self.control, &mut self.queue, waker)
    }
}

fn take_only<M>(control: &mut Control, queue: &mut Queue<M>, waker: &Waker) -> Taken<M> {
    match queue.len() {
        0 => Taken::Nothing { waker_kept: control.wait_for_message(waker) },
        1 => match queue.pop_front() {
            Some(Envelope::Own(message)) => Taken::Message(message),
            other => {
                queue.extend(other);
                Taken::Others
            }
        },
        _ => Taken::Others,
    }
}

/// Why a message was not pushed.
pub(crate) enum PushError<M> {
    Dead(M),
    /// The process's own messages are of another type.
    Other(M),
}

impl Cell<dyn AnyQueue> {
    /// Runs `visitor` under the process's lock.
    pub(crate) fn with<R>(&self, visitor: impl FnOnce(&mut Control, &mut dyn AnyQueue) -> R) -> R {
        let shared = &mut *self.shared.lock();
        visitor(&mut shared.control, &mut shared.queue)
    }

    pub(crate) fn message_type(&self) -> TypeId {
        self.with(|_, queue| queue.message_type())
    }

    /// Moves what has come into the inbox. If nothing has, arms the next message to wake `waker`: looking
    /// and arming are one step under the lock, so no message falls between them.
    pub(crate) fn refill(&self, inbox: &mut Option<Box<dyn AnyInbox>>, waker: Option<&Waker>) -> Refill {
        self.with(|control, queue| {
            if queue.refill(inbox) {
                return Refill::Messages;
            }
            Refill::Nothing { waker_kept: waker.is_some_and(|waker| control.wait_for_message(waker)) }
        })
    }

    /// Puts a message into the mailbox if it is of the process's own type.
    pub(crate) fn push_own<M: Send + 'static>(&self, message: M) -> Result<(), PushError<M>> {
        let wake = {
            let shared = &mut *self.shared.lock();
            let Some(queue) = shared.queue.as_any_mut().downcast_mut::<Queue<M>>() else {
                return Err(PushError::Other(message));
            };
            if !shared.control.is_alive() {
                return Err(PushError::Dead(message));
            }
            queue.push_back(Envelope::Own(message));
            shared.control.message_came()
        };
        wake.wake();
        Ok(())
    }

    /// Puts a message that is not of the process's own type into its mailbox, or gives it back.
    pub(crate) fn push_other(&self, message: Box<dyn AnyMessage>) -> Result<(), Box<dyn AnyMessage>> {
        let wake = self.with(|control, queue| {
            if !control.is_alive() {
                return Err(message);
            }
            queue.push(message);
            Ok(control.message_came())
        })?;
        wake.wake();
        Ok(())
    }

    /// Takes a signal in, or gives it back when the process is dead.
    pub(crate) fn deliver(&self, from: Option<Pid>, to: Dest, signal: Signal) -> Result<(), Signal> {
        let delivery = self.with(|control, queue| control.deliver(self.head(), queue, from, to, signal));
        match delivery {
            Delivery::Taken(wake) => {
                wake.wake();
                Ok(())
            }
            Delivery::Reply { wake, monitored, reference } => {
                wake.wake();
                let head = self.head();
                head.node.signal(Some(head.pid), monitored, Signal::Demonitor(reference));
                Ok(())
            }
            Delivery::Refused(signal) => Err(signal),
        }
    }

    /// Why the process ended or is about to; `None` while it lives.
    pub(crate) fn exit_reason(&self) -> Option<ExitReason> {
        if self.head().is_alive() {
            return None;
        }
        self.with(|control, _| control.exit_reason().cloned())
    }
}
