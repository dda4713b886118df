//! What is the calling process's alone: its inbox and its timer, reachable while it is polled.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    mem,
};

use crate::{
    bound::Bound,
    cell::{AnyInbox, Inbox, Process, Refill, Waiter},
    deadline::SharedTimer,
    lineage::Lineage,
    process::quietly,
    reason::ExitReason,
    sync::{Arc, thread_local},
};

thread_local! {
    static SCOPE: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

thread_local! {
    /// How many more messages the calling process may take in this poll. By itself, because it is written more
    /// often than the scope is moved.
    static BUDGET: Cell<u32> = const { Cell::new(0) };
}

/// How many messages a process may take in one poll before it lets others run: as many as from a channel of tokio.
const MESSAGES_PER_POLL: u32 = 128;

/// The process that runs on this thread, and what only it may touch.
pub(crate) struct Scope {
    pub(crate) cell: Process,
    pub(crate) local: Option<Box<Local>>,
}

/// What a process has once it has received, or called, or dropped a request.
#[derive(Default)]
pub(crate) struct Local {
    pub(crate) inbox: Option<Box<dyn AnyInbox>>,
    pub(crate) timer: Option<SharedTimer>,
    /// Where the reply to the last call came, for the next one.
    pub(crate) slot: Option<KeptSlot>,
    /// Where those came that were of another type, or were awaited at once.
    pub(crate) more_slots: Vec<KeptSlot>,
    orphans: Vec<Orphan>,
    /// What is done at the end, when those who are linked were told, and before those who monitor or join are.
    deferred: Vec<Deferred>,
    /// That of the processes which it spawns.
    lineage: Option<Arc<Lineage>>,
}

/// A [`Slot`](crate::slot::Slot) of a call that is over.
pub(crate) type KeptSlot = Arc<dyn Any + Send + Sync>;

/// A request that the process dropped unanswered. Whether it is unanswered because the process is ending is
/// known only when the poll is over; then this tells the caller.
pub(crate) type Orphan = Box<dyn FnOnce(Option<&ExitReason>) + Send>;

/// What is to be done after the end, see [`after_exit`](crate::after_exit).
pub(crate) type Deferred = Box<dyn FnOnce(&ExitReason) + Send>;

impl Scope {
    pub(crate) fn new(cell: Process) -> Self {
        Self { cell, local: None }
    }

    pub(crate) fn local_mut(&mut self) -> &mut Local {
        self.local.get_or_insert_default()
    }

    /// That of a process which this one spawns.
    pub(crate) fn lineage(&mut self) -> Arc<Lineage> {
        let head = self.cell.head();
        let lineage = &mut self.local.get_or_insert_default().lineage;
        lineage.get_or_insert_with(|| Arc::new(Lineage::below(head.pid, head.lineage.as_deref()))).clone()
    }

    pub(crate) fn defer(&mut self, work: Deferred) {
        self.local_mut().deferred.push(work);
    }

    pub(crate) fn take_deferred(&mut self) -> Vec<Deferred> {
        self.local.as_mut().map(|local| mem::take(&mut local.deferred)).unwrap_or_default()
    }

    /// Moves what has come into the inbox, see [`Cell::refill`](crate::cell::Cell::refill).
    pub(crate) fn refill(&mut self, waiter: Option<Waiter<'_>>) -> Refill {
        let mut first = None;
        let inbox = self.local.as_mut().map_or(&mut first, |local| &mut local.inbox);
        let more = self.cell.refill(inbox, waiter);
        if first.is_some() {
            self.local_mut().inbox = first;
        }
        more
    }

    /// Whether there is one yet: not as long as messages come one by one.
    #[inline]
    pub(crate) fn has_inbox(&self) -> bool {
        self.local.as_ref().is_some_and(|local| local.inbox.is_some())
    }

    /// Gives the memory back that a burst of messages has needed, if all are read: the process waits.
    #[inline(never)]
    pub(crate) fn give_room_back(&mut self) {
        if let Some(inbox) = self.local.as_mut().and_then(|local| local.inbox.as_deref_mut())
            && inbox.has_spare_room()
        {
            self.cell.give_room_back(inbox);
        }
    }

    /// Takes all messages away from a process that receives no more.
    pub(crate) fn take_messages(&mut self) -> Option<Box<dyn AnyInbox>> {
        self.refill(None);
        self.local.as_mut()?.inbox.take()
    }

    /// The inbox, once there is one, of a process whose own messages are of this type; an inner `None` if it has
    /// to be looked into under the lock.
    #[inline]
    pub(crate) fn inbox<M: Send + 'static>(&mut self) -> Option<Option<&mut Inbox<M>>> {
        let inbox: &mut dyn Any = &mut **self.local.as_mut()?.inbox.as_mut()?;
        Some(inbox.downcast_mut())
    }

    /// From now on the process takes each message under its lock, so that others can come before those that it has
    /// not yet read, or drive them out.
    pub(crate) fn take_under_lock(&mut self, bound: Option<Bound>) {
        let process = self.cell.clone();
        let inbox = self.local_mut().inbox.take();
        let inbox = self.cell.with(|_, queue| queue.take_under_lock(process, inbox, bound));
        self.local_mut().inbox = Some(inbox);
    }

    /// Tells the callers of dropped requests what became of them.
    #[inline]
    pub(crate) fn settle_orphans(&mut self) {
        if let Some(local) = &mut self.local
            && !local.orphans.is_empty()
        {
            settle(mem::take(&mut local.orphans), &self.cell);
        }
    }
}

#[cold]
fn settle(orphans: Vec<Orphan>, cell: &Process) {
    let reason = cell.exit_reason();
    for orphan in orphans {
        // A waker that panics must not keep it from the others.
        quietly(|| orphan(reason.as_ref()));
    }
}

/// Runs `work` as the process of this scope and gives the scope back.
///
/// Scopes nest: a process may be dropped, and so end, while another one runs on the same thread.
pub(crate) fn enter<R>(scope: Scope, work: impl FnOnce() -> R) -> (R, Option<Scope>) {
    let mut scope = Some(scope);
    let result = enter_in_place(&mut scope, work);
    (result, scope)
}

/// As [`enter`], where the scope has its place: meanwhile that holds the scope around this one.
pub(crate) fn enter_in_place<R>(scope: &mut Option<Scope>, work: impl FnOnce() -> R) -> R {
    swap(scope);
    let budget = set_budget(MESSAGES_PER_POLL);
    let result = work();
    set_budget(budget);
    swap(scope);
    result
}

/// Runs `work` as code outside any process.
pub(crate) fn leave<R>(work: impl FnOnce() -> R) -> R {
    enter_in_place(&mut None, work)
}

/// Drops what is not the calling process's: not as that process, whose a request in it was not to answer, and not so that a
/// panic would be its own.
pub(crate) fn discard<T>(value: T) {
    leave(|| quietly(|| drop(value)));
}

/// Whether the calling process has had its turn, and lets others run before it takes another message.
#[inline]
pub(crate) fn is_turn_over() -> bool {
    BUDGET.try_with(|budget| budget.get() == 0).unwrap_or(true)
}

/// Counts messages that were taken in its turn, or what costs as much.
#[inline]
pub(crate) fn spend(messages: u32) {
    let _ = BUDGET.try_with(|budget| budget.set(budget.get().saturating_sub(messages)));
}

fn set_budget(messages: u32) -> u32 {
    BUDGET.try_with(|budget| budget.replace(messages)).unwrap_or_default()
}

fn swap(scope: &mut Option<Scope>) {
    // While the thread's own variables are destroyed there is no current process, and the scope stays.
    let _ = SCOPE.try_with(|current| mem::swap(&mut *current.borrow_mut(), scope));
}

/// Looks at the calling process's scope; `None` outside any process. No user code may run in `look`.
pub(crate) fn with<R>(look: impl FnOnce(&mut Scope) -> R) -> Option<R> {
    SCOPE.try_with(|current| current.try_borrow_mut().ok()?.as_mut().map(look)).ok().flatten()
}

/// The calling process.
pub(crate) fn cell() -> Option<Process> {
    with(|scope| scope.cell.clone())
}

/// A process that waits on a thread of its own begins anew, as others do with each poll.
pub(crate) fn begin_turn() {
    set_budget(MESSAGES_PER_POLL);
    settle_orphans();
}

/// As [`Scope::settle_orphans`], for the calling process: one that waits on a thread of its own.
pub(crate) fn settle_orphans() {
    let left = with(|scope| {
        let orphans = &mut scope.local.as_mut()?.orphans;
        if orphans.is_empty() { None } else { Some((mem::take(orphans), scope.cell.clone())) }
    });
    if let Some((orphans, cell)) = left.flatten() {
        settle(orphans, &cell);
    }
}

/// Leaves a dropped request to be settled when the calling process's poll is over. Gives it back outside any
/// process.
pub(crate) fn leave_orphan(orphan: Orphan) -> Result<(), Orphan> {
    let mut orphan = Some(orphan);
    with(|scope| scope.local_mut().orphans.extend(orphan.take()));
    orphan.map_or(Ok(()), Err)
}
