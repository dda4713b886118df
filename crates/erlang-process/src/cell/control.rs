//! The part of a process's shared half that does not depend on its message type: whether it lives, how to
//! wake it, and its relations to others. All of it is under the process's one lock.

use std::{any::Any, collections::BTreeMap, mem, sync::Arc, task::Waker};

use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::oneshot;

use super::{
    Few, Head,
    envelope::{AnyMessage, Key, Tagged},
    mailbox::{AnyQueue, Gone},
};
use crate::{
    bound::{Bound, MailboxFull, WhenFull},
    membership::Membership,
    monitor::{Down, Monitor},
    name::RegisteredName,
    pid::Pid,
    process::ExitMessage,
    reason::ExitReason,
    reference::Reference,
    serial::SerialMap,
    signal::{Dest, Signal, Verdict, verdict},
    sync::Ordering,
};

/// How far a process has come.
pub(crate) enum Phase {
    Alive,
    /// The same, with a bounded mailbox.
    Bounded,
    /// The reason is decided and nothing more is received, but what the process owns is not yet released.
    Exiting(ExitReason),
    /// All is released and everyone is told.
    Dead(ExitReason),
}

pub(crate) struct Control {
    phase: Phase,
    trapping: bool,
    /// How many messages were ever put into the mailbox.
    received: u64,
    links: Links,
    relations: Option<Box<Relations>>,
}

/// Whom a process is linked with. Most are with one other, and have no further relations.
pub(crate) type Links = Few<Pid, Link>;

/// What else binds a process to others.
#[derive(Default)]
pub(crate) struct Relations {
    /// Who hears of this process's end.
    pub(crate) watchers: Few<Reference, Watcher>,
    /// Whose end this process hears of.
    pub(crate) monitors: SerialMap<Reference, Monitored>,
    pub(crate) name: Option<RegisteredName>,
    pub(crate) rare: Option<Box<Rare>>,
}

/// For how many monitors there may be room when there are none.
const MONITORS_KEPT: usize = 64;

/// What few processes have, or for a moment only.
#[derive(Default)]
pub(crate) struct Rare {
    pub(crate) aliases: FxHashMap<Reference, Alias>,
    /// Those of the monitors whose messages have priority.
    pub(crate) priority_monitors: FxHashSet<Reference>,
    pub(crate) label: Option<Arc<str>>,
    /// Unlinks that this process has received and not yet acknowledged. Only the process itself sends the
    /// acknowledgement, so that it stays in order with the links that the process makes.
    pub(crate) owed: Vec<(Pid, u64)>,
    /// The tables that the process is entered in.
    pub(crate) tables: Vec<Membership>,
    /// Signals that came after the end had begun and are answered when it is complete, so that who is
    /// told that there is no such process finds nothing of it.
    pub(crate) late: Vec<(Pid, Signal)>,
    /// Code outside any process that waits for the end.
    pub(crate) joiners: Vec<Joiner>,
    /// What those who watch for long queues have heard of this one.
    heard: Heard,
    /// Names that it has held, by which there may be messages of its own type that it has not read.
    former_names: Vec<RegisteredName>,
    /// How often the process is suspended and not yet resumed.
    suspended: usize,
    /// It does not heed that it is asked to end: for tests.
    #[cfg(feature = "testing")]
    ignores_shutdown: bool,
    /// Receives that are not polled by the task itself but by a combinator inside it.
    waiters: Waiters,
    /// How many such receives there were.
    tickets: Ticket,
}

/// What tells apart those who wait for one process, in the order in which they began.
pub(crate) type Ticket = u64;

/// Who waits, and how it is woken.
pub(crate) type Waiters = BTreeMap<Ticket, Waker>;

/// What those who watch for long queues have heard of one, see [`observe`](crate::observe).
#[derive(Clone, Copy, Default)]
pub(crate) struct Heard {
    /// How often anyone had begun to watch, on the node, when they heard it.
    pub(crate) begun: u64,
    /// The longest that the queue can become before any of them is to hear of it again.
    pub(crate) up_to: u64,
}

/// One side of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Active,
    /// The same, and the message of its exit has priority for this side.
    Priority,
    /// Removed by this side; the other has yet to acknowledge the unlink with this number.
    Inactive(u64),
}

impl Link {
    pub(crate) fn is_active(self) -> bool {
        !matches!(self, Self::Inactive(_))
    }
}

pub(crate) struct Watcher {
    pub(crate) pid: Pid,
    /// The process as the watcher named it.
    pub(crate) target: Dest,
}

pub(crate) enum Monitored {
    /// By its pid.
    Process(Pid),
    /// As it was named.
    Named(Box<Named>),
}

pub(crate) struct Named {
    /// The process as this one named it.
    target: Dest,
    /// Where the signals about it go: the process that held the name then, whoever holds it now.
    to: Dest,
}

impl Monitored {
    pub(crate) fn new(target: Dest, to: Dest) -> Self {
        match (target, to) {
            (Dest::Pid(target), Dest::Pid(to)) if target == to => Self::Process(to),
            _ => Self::Named(Box::new(Named { target, to })),
        }
    }

    /// The process as this one named it.
    pub(crate) fn target(&self) -> Dest {
        match self {
            Self::Process(pid) => Dest::Pid(*pid),
            Self::Named(named) => named.target,
        }
    }

    /// Where the signals about it go.
    pub(crate) fn to(&self) -> Dest {
        match self {
            Self::Process(pid) => Dest::Pid(*pid),
            Self::Named(named) => named.to,
        }
    }
}

/// Why a message was not put into a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Dead,
    Full,
    /// It is full, and its sender is not to be told.
    Dropped,
}

/// A message that was not put into a mailbox.
pub(crate) struct Unsent<T> {
    pub(crate) message: T,
    pub(crate) why: Refusal,
}

impl<T> Unsent<T> {
    pub(crate) fn dead(message: T) -> Self {
        Self { message, why: Refusal::Dead }
    }
}

/// What became of a message to a bounded mailbox.
pub(crate) struct Offered<T> {
    pub(crate) sent: Result<(), Unsent<T>>,
    pub(crate) wake: Wake,
    pub(crate) gone: Option<Gone>,
}

impl<T> Offered<T> {
    pub(super) fn dead(message: T) -> Self {
        Self { sent: Err(Unsent::dead(message)), wake: Wake::Nobody, gone: None }
    }
}

/// Who waits for the end outside any process.
pub(crate) type Joiner = oneshot::Sender<ExitReason>;

/// Whom to wake when the lock is released.
#[must_use = "wake when the lock is released"]
pub(crate) enum Wake {
    Nobody,
    /// The process's task.
    Task,
    /// The task, and these.
    All(Waiters),
}

/// What an active alias does with a message.
struct Through {
    /// Whether the message may have priority.
    priority: bool,
    /// The message is its last, and this monitor of the process's ends that it was made with.
    ends_monitor: Option<Dest>,
}

/// An alias of this process.
#[derive(Clone, Copy)]
pub(crate) struct Alias {
    pub(crate) end: AliasEnd,
    /// Whether it takes priority messages.
    pub(crate) priority: bool,
}

/// What ends an alias.
#[derive(Clone, Copy)]
pub(crate) enum AliasEnd {
    ExplicitUnalias,
    Reply,
    Demonitor,
    ReplyDemonitor,
}

/// What became of a signal.
#[must_use]
pub(crate) enum Delivery {
    Taken(Wake),
    /// It was the reply that this monitor was made to wait for: the process no longer monitors.
    Reply {
        wake: Wake,
        monitored: Dest,
        reference: Reference,
    },
    /// There is nobody, or no longer anybody, to take it: it is for the one place that answers for the dead.
    Refused(Signal),
}

impl Delivery {
    const QUIET: Self = Self::Taken(Wake::Nobody);
}

impl Control {
    pub(crate) fn new(links: Links, relations: Option<Box<Relations>>, bounded: bool) -> Self {
        let phase = if bounded { Phase::Bounded } else { Phase::Alive };
        Self { phase, trapping: false, received: 0, links, relations }
    }

    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Alive | Phase::Bounded)
    }

    /// Whether it lives and takes whatever comes. One look serves both.
    #[inline]
    pub(crate) fn takes_all(&self) -> bool {
        matches!(self.phase, Phase::Alive)
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.phase, Phase::Dead(_))
    }

    pub(crate) fn exit_reason(&self) -> Option<&ExitReason> {
        match &self.phase {
            Phase::Alive | Phase::Bounded => None,
            Phase::Exiting(reason) | Phase::Dead(reason) => Some(reason),
        }
    }

    /// How many messages are in the mailbox.
    pub(crate) fn queue_len(&self, head: &Head) -> u64 {
        self.received.saturating_sub(head.handled.load(Ordering::Relaxed))
    }

    /// That the process has held this name: messages by it may be in the mailbox, and one that was on its way may still come.
    pub(crate) fn remember_name(&mut self, head: &Head, name: RegisteredName) {
        let all_read = self.queue_len(head) == 0;
        let names = &mut self.rare_mut().former_names;
        // Of those before this one nothing is left.
        if all_read {
            names.clear();
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }

    pub(crate) fn has_held(&self, name: RegisteredName) -> bool {
        self.rare().is_some_and(|rare| rare.former_names.contains(&name))
    }

    /// What those who watch for long queues have heard of this one.
    pub(crate) fn heard(&self) -> Heard {
        self.rare().map(|rare| rare.heard).unwrap_or_default()
    }

    pub(crate) fn set_heard(&mut self, heard: Heard) {
        self.rare_mut().heard = heard;
    }

    pub(crate) fn trapping(&self) -> bool {
        self.trapping
    }

    pub(crate) fn set_trapping(&mut self, trap: bool) -> bool {
        mem::replace(&mut self.trapping, trap)
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    pub(crate) fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    pub(crate) fn relations(&self) -> Option<&Relations> {
        self.relations.as_deref()
    }

    #[inline]
    pub(crate) fn relations_mut(&mut self) -> &mut Relations {
        self.relations.get_or_insert_default()
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.relations_mut().rare.get_or_insert_default()
    }

    /// Has a link to this process and has not removed it.
    pub(crate) fn is_linked(&self, pid: Pid) -> bool {
        self.links.get(&pid).is_some_and(|link| link.is_active())
    }

    /// Whether there is anything by which this process would get a priority message.
    pub(crate) fn takes_priority(&self) -> bool {
        let by_rare = self.rare().is_some_and(|rare| {
            !rare.priority_monitors.is_empty() || rare.aliases.values().any(|alias| alias.priority)
        });
        by_rare || self.links.values().any(|link| *link == Link::Priority)
    }

    // Waking

    /// Keeps the waker of a receive that is not polled by the task itself, for the next message to wake it. To
    /// be [forgotten](Self::forget_waiter) when the receive ends first. Gives back the one that was kept for it.
    pub(crate) fn keep_waiter(&mut self, ticket: &mut Option<Ticket>, waker: Waker) -> Option<Waker> {
        let rare = self.rare_mut();
        let ticket = *ticket.get_or_insert_with(|| {
            rare.tickets += 1;
            rare.tickets
        });
        rare.waiters.insert(ticket, waker)
    }

    /// Takes back the waker of a receive that no longer waits.
    pub(crate) fn forget_waiter(&mut self, ticket: Ticket) -> Option<Waker> {
        self.relations.as_mut()?.rare.as_mut()?.waiters.remove(&ticket)
    }

    /// A message has been pushed.
    #[inline]
    pub(crate) fn message_came(&mut self, head: &Head) -> Wake {
        self.received += 1;
        if head.has_mail() {
            return Wake::Nobody;
        }
        head.set_mail(true);
        self.wake_up()
    }

    /// Does what a bounded mailbox has said to a message.
    #[cold]
    pub(super) fn offered<T>(
        &mut self,
        head: &Head,
        offered: Result<Option<Gone>, (T, Bound)>,
    ) -> Offered<T> {
        match offered {
            Ok(gone) => {
                self.received -= u64::from(gone.is_some());
                Offered { sent: Ok(()), wake: self.message_came(head), gone }
            }
            Err((message, bound)) => {
                let (unsent, wake) = self.refuse(head, message, bound);
                Offered { sent: Err(unsent), wake, gone: None }
            }
        }
    }

    /// Does what a bounded mailbox says to a message that it has no room for.
    #[cold]
    pub(super) fn refuse<T>(&mut self, head: &Head, message: T, bound: Bound) -> (Unsent<T>, Wake) {
        let (why, wake) = match bound.when_full() {
            // Where the oldest is to go there is one.
            WhenFull::Wait | WhenFull::Refuse | WhenFull::DropOldest => (Refusal::Full, Wake::Nobody),
            WhenFull::DropNewest => (Refusal::Dropped, Wake::Nobody),
            WhenFull::Exit => {
                let reason = ExitReason::error(MailboxFull { capacity: bound.capacity() });
                if self.begin_exit(head, reason).is_none() {
                    head.raise(Head::FAILED);
                }
                (Refusal::Dead, self.wake_up())
            }
        };
        (Unsent { message, why }, wake)
    }

    #[inline]
    fn wake_up(&mut self) -> Wake {
        let rare = self.relations.as_mut().and_then(|relations| relations.rare.as_mut());
        match rare {
            Some(rare) if !rare.waiters.is_empty() => Wake::All(mem::take(&mut rare.waiters)),
            _ => Wake::Task,
        }
    }

    // Suspending

    /// From its next poll on the process does not run. False if it is ending.
    pub(crate) fn suspend(&mut self, head: &Head) -> bool {
        if !self.is_alive() {
            return false;
        }
        self.rare_mut().suspended += 1;
        head.raise(Head::SUSPENDED);
        true
    }

    /// Takes one suspension back; the last one lets the process run.
    pub(crate) fn resume(&mut self, head: &Head) -> Wake {
        let rare = self.relations.as_mut().and_then(|relations| relations.rare.as_mut());
        let Some(suspended) = rare.map(|rare| &mut rare.suspended).filter(|count| **count > 0) else {
            // Its relations are gone: it is ending.
            return Wake::Nobody;
        };
        *suspended -= 1;
        if *suspended > 0 {
            return Wake::Nobody;
        }
        head.lower(Head::SUSPENDED);
        self.wake_up()
    }

    /// From here on it does not heed that it is asked to end. Whether it lives.
    #[cfg(feature = "testing")]
    pub(crate) fn ignore_shutdown(&mut self) -> bool {
        if !self.is_alive() {
            return false;
        }
        self.rare_mut().ignores_shutdown = true;
        true
    }

    #[cfg(feature = "testing")]
    fn ignores_shutdown(&self) -> bool {
        let rare = self.relations().and_then(|relations| relations.rare.as_deref());
        rare.is_some_and(|rare| rare.ignores_shutdown)
    }

    // Signals

    /// Takes a signal in: what it does, it has done when this returns.
    pub(crate) fn deliver(
        &mut self,
        head: &Head,
        queue: &mut dyn AnyQueue,
        from: Option<Pid>,
        to: Dest,
        signal: Signal,
    ) -> Delivery {
        match &self.phase {
            Phase::Alive | Phase::Bounded => {}
            Phase::Exiting(_) => return self.deliver_late(from, signal),
            Phase::Dead(_) => return Delivery::Refused(signal),
        }
        match signal {
            Signal::Message(body) => match self.deliver_message(head, queue, to, body, false) {
                Ok(delivery) => delivery,
                Err(body) => Delivery::Refused(Signal::Message(body)),
            },
            Signal::PriorityMessage(body) => match self.deliver_message(head, queue, to, body, true) {
                Ok(delivery) => delivery,
                Err(body) => Delivery::Refused(Signal::PriorityMessage(body)),
            },
            Signal::Link => {
                if !self.is_open(to) {
                    return Delivery::Refused(Signal::Link);
                }
                if let Some(from) = from
                    && self.links.get(&from).is_none()
                {
                    self.links.insert(from, Link::Active);
                }
                Delivery::QUIET
            }
            Signal::Unlink(id) => {
                let Some(from) = from else { return Delivery::QUIET };
                if self.is_linked(from) {
                    self.links.remove(&from);
                }
                self.rare_mut().owed.push((from, id));
                head.raise(Head::OWES);
                Delivery::Taken(self.wake_up())
            }
            Signal::UnlinkAck(id) => {
                if let Some(from) = from
                    && self.links.get(&from) == Some(&Link::Inactive(id))
                {
                    self.links.remove(&from);
                }
                Delivery::QUIET
            }
            Signal::Exit { reason, link } => {
                let from = from.unwrap_or(Pid::OUTSIDE);
                let mut priority = false;
                if link {
                    if !self.is_linked(from) {
                        return Delivery::Refused(Signal::Exit { reason, link });
                    }
                    priority = self.links.remove(&from) == Some(Link::Priority);
                } else if !self.is_open(to) {
                    return Delivery::Refused(Signal::Exit { reason, link });
                }
                self.deliver_exit(head, queue, from, reason, link, priority)
            }
            Signal::PriorityExit { reason } => {
                if !self.is_open(to) {
                    return Delivery::Refused(Signal::PriorityExit { reason });
                }
                let priority = self.alias(to).is_some_and(|alias| alias.priority);
                self.deliver_exit(head, queue, from.unwrap_or(Pid::OUTSIDE), reason, false, priority)
            }
            Signal::Monitor { reference, target } => {
                if !self.is_open(to) {
                    return Delivery::Refused(Signal::Monitor { reference, target });
                }
                if let Some(pid) = from {
                    self.relations_mut().watchers.insert(reference, Watcher { pid, target });
                }
                Delivery::QUIET
            }
            Signal::Demonitor(reference) => {
                if let Some(relations) = &mut self.relations {
                    relations.watchers.remove(&reference);
                }
                Delivery::QUIET
            }
            Signal::Down { reference, target, reason } => {
                let priority = self.rare().is_some_and(|rare| rare.priority_monitors.contains(&reference));
                if self.end_monitor(reference).is_none() {
                    return Delivery::Refused(Signal::Down { reference, target, reason });
                }
                let monitor = Monitor::from_reference(reference);
                Delivery::Taken(self.push(head, queue, Down { monitor, target, reason }, priority))
            }
        }
    }

    /// Gives the message back if it is sent through an alias that is not active.
    fn deliver_message(
        &mut self,
        head: &Head,
        queue: &mut dyn AnyQueue,
        to: Dest,
        body: Box<dyn Any + Send>,
        priority: bool,
    ) -> Result<Delivery, Box<dyn Any + Send>> {
        let Dest::Alias(alias) = to else {
            let key = Key::Raw((*body).type_id());
            return Ok(Delivery::Taken(self.push(head, queue, Tagged { key, body }, false)));
        };
        let Some(through) = self.take_through(alias) else { return Err(body) };
        let message = Tagged { key: Key::Alias(alias), body };
        let wake = self.push(head, queue, message, priority && through.priority);
        Ok(match through.ends_monitor {
            Some(monitored) => Delivery::Reply { wake, monitored, reference: alias },
            None => Delivery::Taken(wake),
        })
    }

    fn deliver_exit(
        &mut self,
        head: &Head,
        queue: &mut dyn AnyQueue,
        from: Pid,
        reason: ExitReason,
        link: bool,
        priority: bool,
    ) -> Delivery {
        #[cfg(feature = "testing")]
        if !link && reason == ExitReason::Shutdown && self.ignores_shutdown() {
            return Delivery::QUIET;
        }
        match verdict(reason, link, self.trapping, from == head.pid) {
            Verdict::Drop => Delivery::QUIET,
            Verdict::Message(reason) => {
                Delivery::Taken(self.push(head, queue, ExitMessage { pid: from, reason }, priority))
            }
            Verdict::Exit(reason) => match self.begin_exit(head, reason) {
                None => Delivery::Taken(self.wake_up()),
                Some(reason) => Delivery::Refused(Signal::Exit { reason, link }),
            },
        }
    }

    fn push(
        &mut self,
        head: &Head,
        queue: &mut dyn AnyQueue,
        message: impl AnyMessage + 'static,
        priority: bool,
    ) -> Wake {
        let message: Box<dyn AnyMessage> = Box::new(message);
        if priority {
            queue.push_urgent(message);
        } else {
            queue.push_other(message);
        }
        self.message_came(head)
    }

    fn deliver_late(&mut self, from: Option<Pid>, signal: Signal) -> Delivery {
        match (signal, from) {
            (signal @ (Signal::Link | Signal::Unlink(_) | Signal::Monitor { .. }), Some(from)) => {
                self.rare_mut().late.push((from, signal));
                Delivery::QUIET
            }
            (Signal::Demonitor(reference), _) => {
                if let Some(relations) = &mut self.relations {
                    relations.watchers.remove(&reference);
                    if let Some(rare) = &mut relations.rare {
                        rare.late.retain(|(_, signal)| {
                            !matches!(signal, Signal::Monitor { reference: late, .. } if *late == reference)
                        });
                    }
                }
                Delivery::QUIET
            }
            (signal, _) => Delivery::Refused(signal),
        }
    }

    /// Takes the acknowledgements that are owed, to be sent by the process itself.
    pub(crate) fn take_owed(&mut self, head: &Head) -> Vec<(Pid, u64)> {
        head.lower(Head::OWES);
        let rare = self.relations.as_mut().and_then(|relations| relations.rare.as_mut());
        rare.map(|rare| mem::take(&mut rare.owed)).unwrap_or_default()
    }

    fn rare(&self) -> Option<&Rare> {
        self.relations()?.rare.as_deref()
    }

    fn alias(&self, to: Dest) -> Option<&Alias> {
        let Dest::Alias(alias) = to else { return None };
        self.rare()?.aliases.get(&alias)
    }

    /// Whether this is not an alias that is no longer active.
    pub(crate) fn is_open(&self, to: Dest) -> bool {
        !matches!(to, Dest::Alias(_)) || self.alias(to).is_some()
    }

    /// Lets a message through this alias; the first may be the last. `None` if it is not active.
    fn take_through(&mut self, alias: Reference) -> Option<Through> {
        let rare = self.relations.as_mut()?.rare.as_mut()?;
        let Alias { end, priority } = *rare.aliases.get(&alias)?;
        let last = matches!(end, AliasEnd::Reply | AliasEnd::ReplyDemonitor);
        if !last {
            return Some(Through { priority, ends_monitor: None });
        }
        rare.aliases.remove(&alias);
        let ends_monitor = self.end_monitor(alias).map(|monitored| monitored.to());
        Some(Through { priority, ends_monitor })
    }

    /// Forgets a monitor of this process's, if it is still there.
    pub(crate) fn end_monitor(&mut self, reference: Reference) -> Option<Monitored> {
        let relations = self.relations.as_mut()?;
        if let Some(rare) = &mut relations.rare {
            if let Some(Alias { end: AliasEnd::Demonitor | AliasEnd::ReplyDemonitor, .. }) =
                rare.aliases.get(&reference)
            {
                rare.aliases.remove(&reference);
            }
            rare.priority_monitors.remove(&reference);
        }
        let monitored = relations.monitors.remove(&reference);
        if relations.monitors.is_empty() && relations.monitors.capacity() > MONITORS_KEPT {
            relations.monitors = SerialMap::default();
        }
        monitored
    }

    // The end

    /// Decides the reason. From here on the process is not alive to anyone. If it was decided before the
    /// new one is given back, to be dropped when the lock is released: only the first counts.
    #[must_use]
    pub(crate) fn begin_exit(&mut self, head: &Head, reason: ExitReason) -> Option<ExitReason> {
        if !self.is_alive() {
            return Some(reason);
        }
        self.phase = Phase::Exiting(reason);
        head.raise(Head::EXITING);
        None
    }

    /// Lets someone wait for the end. Returns those who have given up since, to be dropped when the lock is
    /// released; they are looked for when the list would grow, so that looking costs no more than growing.
    pub(crate) fn join(&mut self, joiner: Joiner) -> Vec<Joiner> {
        let joiners = &mut self.rare_mut().joiners;
        let mut gone = Vec::new();
        if joiners.len() == joiners.capacity() {
            (gone, *joiners) = mem::take(joiners).into_iter().partition(oneshot::Sender::is_closed);
        }
        joiners.push(joiner);
        gone
    }

    /// Takes away what the process is entered in, to be removed from there.
    pub(crate) fn take_entries(&mut self) -> (Option<RegisteredName>, Vec<Membership>) {
        let Some(relations) = &mut self.relations else { return (None, Vec::new()) };
        let tables = relations.rare.as_mut().map(|rare| mem::take(&mut rare.tables));
        (relations.name.take(), tables.unwrap_or_default())
    }

    /// Takes all relations away, for those bound to the process to be told. What comes until the exit ends
    /// makes new ones. If there are none, and no work is left for the exit, it has ended.
    pub(crate) fn take_relations(&mut self, work_is_left: bool) -> Option<(Links, Option<Box<Relations>>)> {
        if !work_is_left && self.relations.is_none() && matches!(self.links, Links::None) {
            self.end_exit();
            return None;
        }
        Some((mem::take(&mut self.links), self.relations.take()))
    }

    /// Ends the exit. What has come since the relations were taken is returned, to be answered.
    pub(crate) fn end_exit(&mut self) -> Option<Box<Relations>> {
        self.phase = match mem::replace(&mut self.phase, Phase::Alive) {
            Phase::Exiting(reason) => Phase::Dead(reason),
            phase => phase,
        };
        self.relations.take()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_of_many_who_wait_is_kept_once_and_woken_in_its_order() {
        let mut control = Control::new(Links::default(), None, false);
        let mut tickets = [None; 100];
        for round in 0..3 {
            for ticket in tickets.iter_mut().rev() {
                let before = control.keep_waiter(ticket, Waker::noop().clone());
                assert_eq!(before.is_some(), round == 1);
            }
            if round > 0 {
                let Wake::All(waiters) = control.wake_up() else { panic!("nobody waits") };
                assert!(waiters.keys().copied().eq(1..=100));
            }
        }
        assert!(matches!(control.wake_up(), Wake::Task));
        for ticket in &mut tickets {
            assert!(control.keep_waiter(ticket, Waker::noop().clone()).is_none());
            assert!(control.forget_waiter(ticket.unwrap()).is_some());
            assert!(control.forget_waiter(ticket.unwrap()).is_none());
        }
        assert!(matches!(control.wake_up(), Wake::Task));
    }

    #[test]
    fn joins_that_are_given_up_do_not_pile_up() {
        let mut control = Control::new(Links::default(), None, false);
        let (joiner, stays) = oneshot::channel();
        assert!(control.join(joiner).is_empty());
        for _ in 0..1_000 {
            drop(control.join(oneshot::channel().0));
        }
        let joiners = &mut control.rare_mut().joiners;
        assert!(joiners.len() < 20, "{} are kept", joiners.len());
        assert_eq!(joiners.iter().filter(|joiner| !joiner.is_closed()).count(), 1);
        drop(stays);
    }
}
