//! A process's shared half: identity, mailbox and relations, behind one short lock.

mod control;
mod envelope;
mod mailbox;

use std::{
    any::{Any, TypeId},
    collections::VecDeque,
    task::Waker,
};

pub(crate) use self::{
    control::{Control, Delivery, Link, Monitored, Rare, Relations, Watcher},
    envelope::{AnyMessage, Envelope, Key, Tagged},
    mailbox::{AnyInbox, AnyQueue, Inbox},
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

struct Shared<M> {
    queue: VecDeque<Envelope<M>>,
    control: Control,
}

/// The shared half of a process whose own messages are `M`.
pub(crate) struct Cell<M> {
    head: Head,
    shared: Mutex<Shared<M>>,
}

impl<M> Cell<M> {
    pub(crate) fn head_ref(&self) -> &Head {
        &self.head
    }
}

impl<M: Send + 'static> Cell<M> {
    pub(crate) fn new(pid: Pid, parent: Option<Pid>, node: Node, relations: Option<Box<Relations>>) -> Self {
        let shared = Shared { queue: VecDeque::new(), control: Control::new(relations) };
        Self { head: Head::new(pid, parent, node), shared: Mutex::new(shared) }
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

/// A cell, seen by code that does not know the process's own message type.
pub(crate) trait AnyCell: Send + Sync {
    fn head(&self) -> &Head;
    fn visit(&self, visitor: &mut dyn FnMut(&mut Control, &mut dyn AnyQueue));
    fn message_type(&self) -> TypeId;
    fn as_any(&self) -> &dyn Any;

    /// Moves what has come into the inbox. If nothing has, arms the next message to wake `waker`: looking
    /// and arming are one step under the lock, so no message falls between them.
    fn refill(&self, inbox: &mut Option<Box<dyn AnyInbox>>, waker: Option<&Waker>) -> Refill;
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

impl<M: Send + 'static> AnyCell for Cell<M> {
    fn head(&self) -> &Head {
        &self.head
    }

    fn visit(&self, visitor: &mut dyn FnMut(&mut Control, &mut dyn AnyQueue)) {
        let shared = &mut *self.shared.lock();
        visitor(&mut shared.control, &mut shared.queue);
    }

    fn message_type(&self) -> TypeId {
        TypeId::of::<M>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn refill(&self, inbox: &mut Option<Box<dyn AnyInbox>>, waker: Option<&Waker>) -> Refill {
        let mut shared = self.shared.lock();
        if shared.queue.is_empty() {
            let waker_kept = waker.is_some_and(|waker| shared.control.wait_for_message(waker));
            return Refill::Nothing { waker_kept };
        }
        let inbox = inbox.get_or_insert_with(|| Box::new(Inbox::<M>::default()));
        if let Some(inbox) = inbox.as_any_mut().downcast_mut::<Inbox<M>>() {
            inbox.refill(&mut shared.queue);
        }
        Refill::Messages
    }
}

/// What every cell can do.
pub(crate) trait AnyCellExt {
    /// Runs `visitor` under the process's lock.
    fn with<R>(&self, visitor: impl FnOnce(&mut Control, &mut dyn AnyQueue) -> R) -> R;

    /// Puts a message that is not of the process's own type into its mailbox, or gives it back.
    fn push_other(&self, message: Box<dyn AnyMessage>) -> Result<(), Box<dyn AnyMessage>>;

    /// Takes a signal in, or gives it back when the process is dead.
    fn deliver(&self, from: Option<Pid>, to: Dest, signal: Signal) -> Result<(), Signal>;

    /// Why the process ended or is about to; `None` while it lives.
    fn exit_reason(&self) -> Option<ExitReason>;
}

impl AnyCellExt for dyn AnyCell {
    #[allow(clippy::expect_used)]
    fn with<R>(&self, visitor: impl FnOnce(&mut Control, &mut dyn AnyQueue) -> R) -> R {
        let mut visitor = Some(visitor);
        let mut result = None;
        self.visit(&mut |control, queue| {
            result = visitor.take().map(|visitor| visitor(control, queue));
        });
        result.expect("a cell calls its visitor once")
    }

    fn push_other(&self, message: Box<dyn AnyMessage>) -> Result<(), Box<dyn AnyMessage>> {
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

    fn deliver(&self, from: Option<Pid>, to: Dest, signal: Signal) -> Result<(), Signal> {
        let delivery = self.with(|control, queue| control.deliver(self.head(), queue, from, to, signal));
        match delivery {
            Delivery::Taken(wake) => {
                wake.wake();
                Ok(())
            }
            Delivery::Refused(signal) => Err(signal),
        }
    }

    fn exit_reason(&self) -> Option<ExitReason> {
        if self.head().is_alive() {
            return None;
        }
        self.with(|control, _| control.exit_reason().cloned())
    }
}

/// A process that lives or did: cells are shared by all who can reach it.
pub(crate) type Process = Arc<dyn AnyCell>;
