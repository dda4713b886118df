//! The part of a process's shared half that does not depend on its message type: whether it lives, how to
//! wake it, and its relations to others. All of it is under the process's one lock.

use std::{sync::Arc, task::Waker};

use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use super::{
    Few, Head,
    envelope::{AnyMessage, Key, Tagged},
    mailbox::AnyQueue,
};
use crate::{
    membership::Members,
    monitor::{Down, Monitor},
    name::RegisteredName,
    pid::Pid,
    process::ExitMessage,
    reason::ExitReason,
    reference::Reference,
    signal::{Dest, Signal, Verdict, verdict},
    sync::Ordering,
};

/// How far a process has come.
pub(crate) enum Phase {
    Alive,
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
    relations: Option<Box<Relations>>,
}

/// What binds a process to others. Most processes have some of it, many have none.
#[derive(Default)]
pub(crate) struct Relations {
    pub(crate) links: Few<Pid, Link>,
    /// Who hears of this process's end.
    pub(crate) watchers: Few<Reference, Watcher>,
    /// Whose end this process hears of.
    pub(crate) monitors: FxHashMap<Reference, Monitored>,
    pub(crate) name: Option<RegisteredName>,
    pub(crate) rare: Option<Box<Rare>>,
}

/// What few processes have, or for a moment only.
#[derive(Default)]
pub(crate) struct Rare {
    pub(crate) aliases: FxHashMap<Reference, AliasEnd>,
    pub(crate) label: Option<Arc<str>>,
    /// Unlinks that this process has received and not yet acknowledged. Only the process itself sends the
    /// acknowledgement, so that it stays in order with the links that the process makes.
    pub(crate) owed: Vec<(Pid, u64)>,
    /// The tables that the process is entered in.
    pub(crate) tables: Vec<Arc<dyn Members>>,
    /// Signals that came after the end had begun and are answered when it is complete, so that who is
    /// told that there is no such process finds nothing of it.
    pub(crate) late: Vec<(Pid, Signal)>,
    /// Code outside any process that waits for the end.
    pub(crate) joiners: Vec<Joiner>,
    /// How often the process is suspended and not yet resumed.
    suspended: usize,
    /// Wakers of receives that are not polled by the task itself but by a combinator inside it.
    waiters: Vec<Waker>,
}

/// One side of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Active,
    /// Removed by this side; the other has yet to acknowledge the unlink with this number.
    Inactive(u64),
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

/// Who waits for the end outside any process.
pub(crate) type Joiner = oneshot::Sender<ExitReason>;

/// Whom to wake when the lock is released.
#[must_use = "wake when the lock is released"]
pub(crate) enum Wake {
    Nobody,
    /// The process's task.
    Task,
    /// The task, and these.
    All(Vec<Waker>),
}

/// What an alias does with a message.
enum Through {
    /// It is not active.
    Closed,
    /// It takes the message.
    Open,
    /// It takes the message, its last, and the monitor of this process ends that it was made with.
    EndsMonitor(Dest),
}

/// What ends an alias.
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
    pub(crate) fn new(relations: Option<Box<Relations>>) -> Self {
        Self { phase: Phase::Alive, trapping: false, received: 0, relations }
    }

    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Alive)
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.phase, Phase::Dead(_))
    }

    pub(crate) fn exit_reason(&self) -> Option<&ExitReason> {
        match &self.phase {
            Phase::Alive => None,
            Phase::Exiting(reason) | Phase::Dead(reason) => Some(reason),
        }
    }

    /// How many messages are in the mailbox.
    pub(crate) fn queue_len(&self, head: &Head) -> u64 {
        self.received.saturating_sub(head.handled.load(Ordering::Relaxed))
    }

    pub(crate) fn trapping(&self) -> bool {
        self.trapping
    }

    pub(crate) fn set_trapping(&mut self, trap: bool) -> bool {
        std::mem::replace(&mut self.trapping, trap)
    }

    pub(crate) fn relations(&self) -> Option<&Relations> {
        self.relations.as_deref()
    }

    pub(crate) fn relations_mut(&mut self) -> &mut Relations {
        self.relations.get_or_insert_default()
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.relations_mut().rare.get_or_insert_default()
    }

    /// Has a link to this process and has not removed it.
    pub(crate) fn is_linked(&self, pid: Pid) -> bool {
        self.relations().is_some_and(|relations| relations.links.get(&pid) == Some(&Link::Active))
    }

    // Waking

    /// Keeps the waker of a receive that is not polled by the task itself, for the next message to wake it. To
    /// be [forgotten](Self::forget_waiter) when the receive ends first.
    pub(crate) fn keep_waiter(&mut self, waker: &Waker) {
        let waiters = &mut self.rare_mut().waiters;
        if !waiters.iter().any(|waiter| waiter.will_wake(waker)) {
            waiters.push(waker.clone());
        }
    }

    /// Takes back the waker of a receive that no longer waits.
    pub(crate) fn forget_waiter(&mut self, waker: &Waker) -> Option<Waker> {
        let waiters = &mut self.relations.as_mut()?.rare.as_mut()?.waiters;
        let index = waiters.iter().position(|waiter| waiter.will_wake(waker))?;
        Some(waiters.swap_remove(index))
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

    #[inline]
    fn wake_up(&mut self) -> Wake {
        let rare = self.relations.as_mut().and_then(|relations| relations.rare.as_mut());
        match rare {
            Some(rare) if !rare.waiters.is_empty() => Wake::All(std::mem::take(&mut rare.waiters)),
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
            Phase::Alive => {}
            Phase::Exiting(_) => return self.deliver_late(from, signal),
            Phase::Dead(_) => return Delivery::Refused(signal),
        }
        match signal {
            Signal::Message(body) => {
                let Dest::Alias(alias) = to else {
                    let key = Key::Raw((*body).type_id());
                    return Delivery::Taken(self.push(head, queue, Tagged { key, body }));
                };
                let through = self.take_through(alias);
                if let Through::Closed = through {
                    return Delivery::Refused(Signal::Message(body));
                }
                let wake = self.push(head, queue, Tagged { key: Key::Alias(alias), body });
                match through {
                    Through::EndsMonitor(to) => Delivery::Reply { wake, monitored: to, reference: alias },
                    Through::Open | Through::Closed => Delivery::Taken(wake),
                }
            }
            Signal::Link => {
                if let Some(from) = from {
                    let links = &mut self.relations_mut().links;
                    if links.get(&from).is_none() {
                        links.insert(from, Link::Active);
                    }
                }
                Delivery::QUIET
            }
            Signal::Unlink(id) => {
                let Some(from) = from else { return Delivery::QUIET };
                let relations = self.relations_mut();
                if relations.links.get(&from) == Some(&Link::Active) {
                    relations.links.remove(&from);
                }
                self.rare_mut().owed.push((from, id));
                head.raise(Head::OWES);
                Delivery::Taken(self.wake_up())
            }
            Signal::UnlinkAck(id) => {
                if let (Some(from), Some(relations)) = (from, &mut self.relations)
                    && relations.links.get(&from) == Some(&Link::Inactive(id))
                {
                    relations.links.remove(&from);
                }
                Delivery::QUIET
            }
            Signal::Exit { reason, link } => {
                let from = from.unwrap_or(Pid::OUTSIDE);
                if link {
                    if !self.is_linked(from) {
                        return Delivery::Refused(Signal::Exit { reason, link });
                    }
                    self.relations_mut().links.remove(&from);
                }
                match verdict(reason, link, self.trapping, from == head.pid) {
                    Verdict::Drop => Delivery::QUIET,
                    Verdict::Message(reason) => {
                        Delivery::Taken(self.push(head, queue, ExitMessage { pid: from, reason }))
                    }
                    Verdict::Exit(reason) => match self.begin_exit(head, reason) {
                        None => Delivery::Taken(self.wake_up()),
                        Some(reason) => Delivery::Refused(Signal::Exit { reason, link }),
                    },
                }
            }
            Signal::Monitor { reference, target } => {
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
                if self.end_monitor(reference).is_none() {
                    return Delivery::Refused(Signal::Down { reference, target, reason });
                }
                let monitor = Monitor::from_reference(reference);
                Delivery::Taken(self.push(head, queue, Down { monitor, target, reason }))
            }
        }
    }

    fn push(&mut self, head: &Head, queue: &mut dyn AnyQueue, message: impl AnyMessage + 'static) -> Wake {
        queue.push_other(Box::new(message));
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
        rare.map(|rare| std::mem::take(&mut rare.owed)).unwrap_or_default()
    }

    /// Lets a message through this alias; the first may be the last.
    fn take_through(&mut self, alias: Reference) -> Through {
        let relations = self.relations.as_mut();
        let Some(rare) = relations.and_then(|relations| relations.rare.as_mut()) else {
            return Through::Closed;
        };
        match rare.aliases.get(&alias) {
            None => return Through::Closed,
            Some(AliasEnd::ExplicitUnalias | AliasEnd::Demonitor) => return Through::Open,
            Some(AliasEnd::Reply | AliasEnd::ReplyDemonitor) => {}
        }
        rare.aliases.remove(&alias);
        self.end_monitor(alias).map_or(Through::Open, |monitored| Through::EndsMonitor(monitored.to()))
    }

    /// Forgets a monitor of this process's, if it is still there.
    pub(crate) fn end_monitor(&mut self, reference: Reference) -> Option<Monitored> {
        let relations = self.relations.as_mut()?;
        if let Some(rare) = &mut relations.rare
            && let Some(AliasEnd::Demonitor | AliasEnd::ReplyDemonitor) = rare.aliases.get(&reference)
        {
            rare.aliases.remove(&reference);
        }
        relations.monitors.remove(&reference)
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
            (gone, *joiners) = std::mem::take(joiners).into_iter().partition(oneshot::Sender::is_closed);
        }
        joiners.push(joiner);
        gone
    }

    /// Takes away what the process is entered in, to be removed from there.
    pub(crate) fn take_entries(&mut self) -> (Option<RegisteredName>, Vec<Arc<dyn Members>>) {
        let Some(relations) = &mut self.relations else { return (None, Vec::new()) };
        let tables = relations.rare.as_mut().map(|rare| std::mem::take(&mut rare.tables));
        (relations.name.take(), tables.unwrap_or_default())
    }

    /// Takes all relations away, for those bound to the process to be told. What comes until the exit ends
    /// makes new ones.
    pub(crate) fn take_relations(&mut self) -> Option<Box<Relations>> {
        self.relations.take()
    }

    /// Ends the exit. What has come since the relations were taken is returned, to be answered.
    pub(crate) fn end_exit(&mut self) -> Option<Box<Relations>> {
        if let Phase::Exiting(reason) = &self.phase {
            self.phase = Phase::Dead(reason.clone());
        }
        self.relations.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_that_are_given_up_do_not_pile_up() {
        let mut control = Control::new(None);
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
