//! A process's shared half: identity, mailbox and relations, behind one short lock.

mod control;
mod envelope;
mod few;
mod mailbox;
mod position;
mod room;
mod store;

use std::{
    any::{Any, TypeId},
    task::Waker,
};

use self::room::Room;
pub(crate) use self::{
    control::{
        Alias, AliasEnd, Control, Delivery, Heard, Link, Links, Monitored, Offered, Rare, Refusal, Relations,
        Ticket, Unsent, Waiters, Wake, Watcher,
    },
    envelope::{AnyMessage, Envelope, Key, Tagged},
    few::Few,
    mailbox::{AnyInbox, AnyQueue, Found, Gone, Inbox, LOOKS, Look, Queue},
    position::Position,
};
use crate::{
    bound::Turn,
    lineage::Lineage,
    node::Node,
    observe,
    pid::Pid,
    process::quietly,
    reason::ExitReason,
    scope::{self, Scope},
    signal::{Dest, Signal},
    sync::{Arc, AtomicBool, AtomicU8, AtomicU64, Mutex, OnceLock, Ordering},
};

/// What a process is made of, and by whom.
pub(crate) struct Birth {
    pub(crate) pid: Pid,
    pub(crate) node: Node,
    /// `None` if it was spawned outside any process of its node.
    pub(crate) lineage: Option<Arc<Lineage>>,
    /// Names what it runs. A function, as that is half the size of what it returns.
    pub(crate) initial_call: fn() -> &'static str,
    /// Whether its mailbox is bounded.
    pub(crate) bounded: bool,
}

/// What never changes, and what is read without the lock.
///
/// In this order, so that what the process writes with each message is a cache line away from what senders write.
#[repr(C)]
pub(crate) struct Head {
    /// How often a poll has begun or ended: odd while the process is polled. Written by the process only.
    turns: AtomicU64,
    /// How many messages the process has taken out of its mailbox. Written by the process only.
    pub(crate) handled: AtomicU64,
    pub(crate) node: Node,
    pub(crate) lineage: Option<Arc<Lineage>>,
    pub(crate) initial_call: fn() -> &'static str,
    /// Wakes the process's task. Set by the first poll.
    waker: OnceLock<Waker>,
    // 12 bytes and three.
    pub(crate) pid: Pid,
    bounded: bool,
    /// Written under the lock, read by each poll: whether there is anything to do but run.
    flags: AtomicU8,
    /// Whether there is anything in the in-queue. Written under the lock. A process that has seen that there is
    /// nothing is woken when it changes.
    has_mail: AtomicBool,
}

impl Head {
    /// The task has not been polled yet, so nobody knows how to wake it.
    pub(crate) const NEW: u8 = 1;
    /// A reason to end is decided.
    pub(crate) const EXITING: u8 = 2;
    /// Unlinks are to be acknowledged.
    pub(crate) const OWES: u8 = 4;
    /// Somebody has the process suspended.
    pub(crate) const SUSPENDED: u8 = 8;
    /// Somebody was told that the message queue is long.
    pub(crate) const LONG_QUEUE: u8 = 16;
    /// Its end is a failure of its own, though somebody else has decided it.
    pub(crate) const FAILED: u8 = 32;

    fn new(birth: Birth) -> Self {
        let Birth { pid, node, lineage, initial_call, bounded } = birth;
        Self {
            pid,
            node,
            waker: OnceLock::new(),
            has_mail: AtomicBool::new(false),
            lineage,
            initial_call,
            bounded,
            flags: AtomicU8::new(Self::NEW),
            turns: AtomicU64::new(0),
            handled: AtomicU64::new(0),
        }
    }

    /// Who has spawned the process; `None` if that was code outside any process of its node.
    pub(crate) fn parent(&self) -> Option<Pid> {
        self.ancestors().first().copied()
    }

    pub(crate) fn ancestors(&self) -> &[Pid] {
        self.lineage.as_deref().map_or(&[], Lineage::ancestors)
    }

    pub(crate) fn callers(&self) -> &[Pid] {
        self.lineage.as_deref().map_or(&[], Lineage::callers)
    }

    /// A poll of the process, or the drop of what it leaves behind, begins or ends. Nobody else counts them.
    #[inline]
    pub(crate) fn turn(&self) {
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// How many polls of the process have begun, and whether the last of them is still under way.
    pub(crate) fn polls(&self) -> (u64, bool) {
        let turns = self.turns.load(Ordering::Relaxed);
        (turns.div_ceil(2), turns % 2 == 1)
    }

    pub(crate) fn is_bounded(&self) -> bool {
        self.bounded
    }

    pub(crate) fn flags(&self) -> u8 {
        self.flags.load(Ordering::Acquire)
    }

    /// Under the lock only: nobody else writes meanwhile.
    pub(crate) fn raise(&self, flag: u8) {
        self.flags.store(self.flags.load(Ordering::Relaxed) | flag, Ordering::Release);
    }

    /// Under the lock only.
    pub(crate) fn lower(&self, flag: u8) {
        self.flags.store(self.flags.load(Ordering::Relaxed) & !flag, Ordering::Release);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.flags() & Self::EXITING == 0
    }

    /// Whether its end, which somebody else has decided, is a failure of its own.
    pub(crate) fn has_failed(&self) -> bool {
        self.flags() & Self::FAILED != 0
    }

    pub(crate) fn set_task_waker(&self, waker: Waker) {
        // The first stays: a task is woken by one waker all its life.
        let _ = self.waker.set(waker);
    }

    #[inline]
    pub(crate) fn is_task_waker(&self, waker: &Waker) -> bool {
        self.waker.get().is_some_and(|task| task.will_wake(waker))
    }

    /// Wakes the process's task, if that has been polled.
    #[inline]
    pub(crate) fn wake_task(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// The process has taken a message. Nobody else counts them.
    #[inline]
    pub(crate) fn count_removal(&self) {
        self.handled.store(self.handled.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    #[inline]
    fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    #[inline]
    fn set_mail(&self, has_mail: bool) {
        self.has_mail.store(has_mail, Ordering::Release);
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.flags() & Self::SUSPENDED != 0
    }
}

/// What is behind the lock. The queue is last, so that code that does not know the process's own message
/// type sees all else as it is.
struct Shared<Q: ?Sized> {
    control: Control,
    queue: Q,
}

/// The shared half of a process.
#[repr(C)]
pub(crate) struct Cell<Q: ?Sized> {
    head: Head,
    shared: Mutex<Shared<Q>>,
}

/// A cell whose own messages are `M`.
pub(crate) type OwnCell<M> = Cell<Queue<M>>;

/// A process that lives or did: cells are shared by all who can reach it.
pub(crate) type Process = Arc<Cell<dyn AnyQueue>>;

impl<Q: ?Sized> Cell<Q> {
    #[inline]
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Wakes who is to be woken, when the lock is released.
    #[inline]
    pub(crate) fn wake(&self, wake: Wake) {
        match wake {
            Wake::Nobody => {}
            Wake::Task => self.head.wake_task(),
            Wake::All(waiters) => self.wake_all(waiters),
        }
        if observe::loads() {
            self.measure_queue();
        }
    }

    /// Wakes and drops what a bounded mailbox has left to be woken and dropped, without the lock.
    fn settle<T>(&self, offered: Offered<T>) -> Result<(), Unsent<T>> {
        self.wake(offered.wake);
        if let Some(gone) = offered.gone {
            scope::discard(gone);
        }
        offered.sent
    }

    #[cold]
    fn wake_all(&self, waiters: Waiters) {
        self.head.wake_task();
        for waker in waiters.into_values() {
            // One that panics must not keep it from the others.
            quietly(|| waker.wake());
        }
    }

    /// A message may have come. For those who watch for long queues.
    #[cold]
    fn measure_queue(&self) {
        let look = || {
            let control = &self.shared.lock().control;
            control.is_alive().then(|| (control.queue_len(&self.head), control.heard()))
        };
        let Some((len, heard)) = look() else { return };
        observe::queue_grew(&self.head, len, heard, |measure| {
            let control = &mut self.shared.lock().control;
            if control.is_alive() {
                measure(control);
            }
        });
    }
}

impl<M: Send + 'static> OwnCell<M> {
    pub(crate) fn new(birth: Birth, links: Links, relations: Option<Box<Relations>>) -> Self {
        let shared = Shared { control: Control::new(links, relations, birth.bounded), queue: Queue::new() };
        Self { head: Head::new(birth), shared: Mutex::new(shared) }
    }

    /// Takes the oldest message, where that is of the process's own type and was sent to its own subject.
    #[inline]
    pub(crate) fn take_next(&self, scope: &mut Scope, waker: &Waker) -> Taken<M> {
        if !std::ptr::eq(&self.head, scope.cell.head()) || scope::is_turn_over() {
            return Taken::Others;
        }
        loop {
            if let Some(inbox) = scope.inbox::<M>() {
                // One whose messages are taken under the lock is not seen to here.
                let Some(inbox) = inbox else { return Taken::Others };
                if let Some(oldest) = inbox.take_oldest() {
                    return oldest.map_or(Taken::Others, |message| self.taken(message));
                }
            }
            if !self.head.has_mail() {
                if scope.has_inbox() {
                    scope.give_room_back();
                }
                // Nothing has come since the last message was taken, and the next one wakes.
                return if self.head.is_task_waker(waker) { Taken::Nothing } else { Taken::Others };
            }
            let only = self.shared.lock().take_only(&self.head);
            if let Some(message) = only {
                return self.taken(message);
            }
            scope.refill(None);
        }
    }

    #[inline]
    fn taken(&self, message: M) -> Taken<M> {
        scope::spend(1);
        self.head.count_removal();
        Taken::Message(message)
    }

    /// Puts a message of the process's own type into its mailbox, or gives it back.
    #[inline]
    pub(crate) fn push(&self, message: M) -> Result<(), Unsent<M>> {
        let wake = {
            let mut shared = self.shared.lock();
            if !shared.control.takes_all() {
                drop(shared);
                return self.offer(message, None);
            }
            shared.queue.push_own(message);
            shared.control.message_came(&self.head)
        };
        self.wake(wake);
        Ok(())
    }

    /// The same, for a mailbox that is bounded, or that of a process that has ended.
    #[cold]
    pub(crate) fn offer(&self, message: M, turn: Option<Turn>) -> Result<(), Unsent<M>> {
        let offered = {
            let shared = &mut *self.shared.lock();
            offer_own(&mut shared.control, &mut shared.queue, &self.head, message, turn)
        };
        self.settle(offered)
    }
}

#[cold]
fn offer_own<M: Send + 'static>(
    control: &mut Control,
    queue: &mut Queue<M>,
    head: &Head,
    message: M,
    turn: Option<Turn>,
) -> Offered<M> {
    if !control.is_alive() {
        return Offered::dead(message);
    }
    let offered = match queue.offer(Envelope::Own(message), turn) {
        Ok(gone) => Ok(gone),
        Err((Envelope::Own(message), bound)) => Err((message, bound)),
        // Not what was offered.
        Err((Envelope::Other(_), _)) => Ok(None),
    };
    control.offered(head, offered)
}

/// What there was to move into the inbox.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refill {
    Messages,
    Nothing,
}

/// Who waits for the next message.
pub(crate) struct Waiter<'a> {
    pub(crate) waker: &'a Waker,
    /// By what the cell knows it, if it keeps a waker which is not that of the process's task.
    pub(crate) ticket: &'a mut Option<Ticket>,
}

/// What a quick look for one message has found.
pub(crate) enum Taken<M> {
    Message(M),
    /// The next message wakes the process's task.
    Nothing,
    /// What the quick look does not see to.
    Others,
}

impl<M> Taken<M> {
    #[inline]
    pub(crate) fn map<T>(self, map: impl FnOnce(M) -> T) -> Taken<T> {
        match self {
            Self::Message(message) => Taken::Message(map(message)),
            Self::Nothing => Taken::Nothing,
            Self::Others => Taken::Others,
        }
    }
}

impl<M: 'static> Shared<Queue<M>> {
    /// Takes the only message that there is, so that where they come one by one none goes through the inbox.
    #[inline]
    fn take_only(&mut self, head: &Head) -> Option<M> {
        let only = self.queue.take_only()?;
        head.set_mail(false);
        Some(only)
    }
}

/// Why a message was not pushed.
pub(crate) enum PushError<M> {
    Unsent(Unsent<M>),
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

    /// Moves what has come into the inbox. If nothing has, the next message wakes who waits: looking and keeping
    /// the waker are one step under the lock, so no message falls between them.
    pub(crate) fn refill(&self, inbox: &mut Option<Box<dyn AnyInbox>>, waiter: Option<Waiter<'_>>) -> Refill {
        let other = waiter.filter(|waiter| !self.head.is_task_waker(waiter.waker));
        if !self.head.has_mail() && other.is_none() {
            return Refill::Nothing;
        }
        // Cloned and dropped without the lock: a waker is somebody else's code.
        let mut waker = other.as_ref().map(|other| other.waker.clone());
        self.with(|control, queue| {
            if queue.refill(inbox) {
                self.head.set_mail(false);
                return Refill::Messages;
            }
            if let Some(other) = other {
                waker = waker.take().and_then(|waker| control.keep_waiter(other.ticket, waker));
            }
            Refill::Nothing
        })
    }

    /// The process waits. What a burst has needed is not kept meanwhile.
    #[cold]
    pub(crate) fn give_room_back(&self, inbox: &mut dyn AnyInbox) {
        inbox.give_room_back();
        self.with(|_, queue| queue.give_room_back());
    }

    /// Puts a message into the mailbox if it is of the process's own type.
    pub(crate) fn push_own<M: Send + 'static>(
        &self,
        message: M,
        turn: Option<Turn>,
    ) -> Result<(), PushError<M>> {
        let offered = {
            let shared = &mut *self.shared.lock();
            let queue: &mut dyn Any = &mut shared.queue;
            let Some(queue) = queue.downcast_mut::<Queue<M>>() else {
                return Err(PushError::Other(message));
            };
            if shared.control.takes_all() {
                queue.push_own(message);
                Offered { sent: Ok(()), wake: shared.control.message_came(&self.head), gone: None }
            } else {
                offer_own(&mut shared.control, queue, &self.head, message, turn)
            }
        };
        self.settle(offered).map_err(PushError::Unsent)
    }

    /// Puts a message that is not of the process's own type into its mailbox, or gives it back.
    pub(crate) fn push_other(
        &self,
        message: Box<dyn AnyMessage>,
        turn: Option<Turn>,
    ) -> Result<(), Unsent<Box<dyn AnyMessage>>> {
        let offered = self.push_unwoken(message, turn);
        self.settle(offered)
    }

    /// As [`push_other`](Self::push_other), and leaves the waking, and the dropping of what had to make room, to who
    /// holds another lock.
    pub(crate) fn push_unwoken(
        &self,
        message: Box<dyn AnyMessage>,
        turn: Option<Turn>,
    ) -> Offered<Box<dyn AnyMessage>> {
        self.with(|control, queue| {
            if !control.takes_all() {
                if !control.is_alive() {
                    return Offered::dead(message);
                }
                if store::counts(message.key()) {
                    return control.offered(self.head(), queue.offer_other(message, turn));
                }
            }
            queue.push_other(message);
            Offered { sent: Ok(()), wake: control.message_came(self.head()), gone: None }
        })
    }

    /// Keeps room in a bounded mailbox for what is still to be made of a message, until it is sent in this turn or the
    /// [place is given up](Self::leave_line). Gives the message back where it would not be let in.
    #[cold]
    pub(crate) fn keep_room<M>(&self, message: M) -> Result<(M, Option<Turn>), Unsent<M>> {
        let kept = self.with(|control, queue| {
            if !control.is_alive() {
                return Err((Unsent::dead(message), Wake::Nobody));
            }
            match queue.room().map_or(Ok(None), Room::keep) {
                Ok(turn) => Ok((message, turn)),
                Err(bound) => Err(control.refuse(&self.head, message, bound)),
            }
        });
        kept.map_err(|(unsent, wake)| {
            self.wake(wake);
            unsent
        })
    }

    /// Takes a place in the line of those who wait for room, or looks whether its turn has come. True if it has, or if
    /// nobody waits for this mailbox.
    pub(crate) fn stand_in_line(&self, place: &mut Option<Turn>, waker: &Waker) -> bool {
        // Cloned and dropped without the lock: a waker is somebody else's code.
        let mut waker = Some(waker.clone());
        self.with(|control, queue| match queue.room() {
            Some(room) if control.is_alive() => room.stand_in_line(place, &mut waker),
            _ => true,
        })
    }

    /// Gives a place in the line up.
    pub(crate) fn leave_line(&self, turn: Turn) {
        let left = self.with(|_, queue| queue.room().map(|room| room.leave_line(turn)));
        let (next, previous) = left.unwrap_or_default();
        drop(previous);
        if let Some(next) = next {
            quietly(|| next.wake());
        }
    }

    /// Takes a signal in, or gives it back when the process is dead.
    pub(crate) fn deliver(&self, from: Option<Pid>, to: Dest, signal: Signal) -> Result<(), Signal> {
        let delivery = self.with(|control, queue| control.deliver(self.head(), queue, from, to, signal));
        match delivery {
            Delivery::Taken(wake) => {
                self.wake(wake);
                Ok(())
            }
            Delivery::Reply { wake, monitored, reference } => {
                self.wake(wake);
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

#[cfg(all(test, not(any(otp_loom, otp_shuttle)), target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_small_and_keeps_its_writers_apart() {
        // The two counts of the `Arc` come on top.
        assert_eq!(size_of::<OwnCell<u64>>(), 208);
        assert!(std::mem::offset_of!(Head, flags) - std::mem::offset_of!(Head, handled) >= 64);
    }
}
