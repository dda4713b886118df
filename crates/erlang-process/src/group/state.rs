//! What the lock of a scope guards: who is in which group, and who is told of it.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{aftermath::Aftermath, event::GroupEvent};
use crate::{
    cell::{AnyMessage, Key, Process, Tagged},
    keyed::Keyed,
    membership::{self, Members},
    pid::Pid,
    process::quietly,
    subject::{Sent, Subject},
    sync::Arc,
};

pub(super) struct State<G, M> {
    /// Groups that have members or are monitored.
    pub(super) groups: FxHashMap<Keyed<G>, Group<M>>,
    /// Who monitors the scope.
    pub(super) subscribers: FxHashMap<Key, Process>,
    /// What each process has here, so that its end costs no more than that.
    pub(super) processes: FxHashMap<Pid, Entered<G>>,
    /// What memberships are told apart by, in the order in which they were made.
    pub(super) next: u64,
    /// How many groups were looked at when memberships ended.
    #[cfg(test)]
    pub(super) visited: usize,
}

pub(super) struct Group<M> {
    pub(super) members: BTreeMap<u64, Member<M>>,
    /// The same for those who send to all of them, made when somebody does. To be taken away when they change.
    pub(super) listed: Option<Listed<M>>,
    /// Who monitors the group.
    pub(super) subscribers: FxHashMap<Key, Process>,
}

/// Members of a group, to be sent to without the lock.
pub(super) type Listed<M> = Arc<Vec<Member<M>>>;

pub(super) struct Member<M> {
    pub(super) process: Process,
    pub(super) subject: Subject<M>,
}

pub(super) struct Entered<G> {
    pub(super) process: Process,
    /// The serials of its memberships in each group, ascending.
    pub(super) memberships: FxHashMap<Keyed<G>, Vec<u64>>,
    /// What it monitors: a group, or the scope.
    pub(super) monitors: FxHashMap<Key, Option<Keyed<G>>>,
}

impl<M: Send + 'static> Member<M> {
    pub(super) fn is_alive(&self) -> bool {
        self.process.head().is_alive()
    }

    /// A function that its subject is mapped by may panic: that is not for who sends to all.
    pub(super) fn send(&self, message: M) -> bool {
        quietly(|| matches!(self.subject.send_to(&self.process, message, None), Ok(Sent::Arrived)))
            .unwrap_or(false)
    }
}

impl<M> Clone for Member<M> {
    fn clone(&self) -> Self {
        Self { process: self.process.clone(), subject: self.subject.clone() }
    }
}

impl<G, M> State<G, M>
where
    G: Eq + Send + Sync + 'static,
    M: Send + 'static,
{
    /// The groups in the order in which their oldest members joined, which is always the same; that of the table is not.
    pub(super) fn by_age(&self) -> Vec<(&Keyed<G>, &Group<M>)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_unstable_by_key(|(_, group)| group.members.first_key_value().map(|(serial, _)| *serial));
        groups
    }

    pub(super) fn entered(&mut self, process: &Process) -> &mut Entered<G> {
        self.processes.entry(process.head().pid).or_insert_with(|| Entered {
            process: process.clone(),
            memberships: FxHashMap::default(),
            monitors: FxHashMap::default(),
        })
    }

    /// Puts an event into the mailboxes of all who are subscribed.
    pub(super) fn tell(&self, group: &Keyed<G>, event: &GroupEvent<G>, after: &mut Aftermath<G, M>) {
        let of_group = self.groups.get(group).map(|group| &group.subscribers);
        for (key, subscriber) in self.subscribers.iter().chain(of_group.into_iter().flatten()) {
            let message: Box<dyn AnyMessage> = Box::new(Tagged { key: *key, body: event.clone() });
            let offered = subscriber.push_unwoken(message, None);
            after.woken.push((subscriber.clone(), offered.wake));
            after.gone.extend(offered.gone);
            if let Err(refused) = offered.sent {
                after.refused.push(refused.message);
            }
        }
    }

    /// Removes a membership that its process has no longer.
    pub(super) fn end_membership(
        &mut self,
        group: &Keyed<G>,
        pid: Pid,
        serial: u64,
        after: &mut Aftermath<G, M>,
    ) {
        #[cfg(test)]
        {
            self.visited += 1;
        }
        if let Some(group) = self.groups.get_mut(group) {
            after.members.extend(group.members.remove(&serial));
            after.listed.extend(group.listed.take());
        }
        // The process may be forgotten already.
        let Some(entered) = self.processes.get_mut(&pid) else { return };
        if entered.memberships.get(group).is_some_and(Vec::is_empty) {
            after.keys.extend(entered.memberships.remove_entry(group).map(|(key, _)| key));
        }
    }

    pub(super) fn end_monitor(&mut self, key: Key, group: Option<Keyed<G>>, after: &mut Aftermath<G, M>) {
        let Some(group) = group else {
            after.processes.extend(self.subscribers.remove(&key));
            return;
        };
        if let Some(group) = self.groups.get_mut(&group) {
            after.processes.extend(group.subscribers.remove(&key));
        }
        self.forget_unused(&group, after);
        after.keys.push(group);
    }

    /// Ends the memberships in a group of processes that have ended.
    pub(super) fn bury(&mut self, group: &Keyed<G>, after: &mut Aftermath<G, M>) {
        let Some(members) = self.groups.get(group).map(|group| &group.members) else { return };
        let dead: Vec<_> = members
            .iter()
            .filter(|(_, member)| !member.is_alive())
            .map(|(serial, member)| (*serial, member.process.head().pid))
            .collect();
        for (serial, pid) in dead {
            if let Some(entered) = self.processes.get_mut(&pid)
                && let Some(serials) = entered.memberships.get_mut(group)
            {
                serials.retain(|other| *other != serial);
            }
            self.end_membership(group, pid, serial, after);
            let event = GroupEvent::Left { group: group.key().clone(), pids: [pid].into() };
            self.tell(group, &event, after);
        }
        self.forget_unused(group, after);
    }

    /// Forgets a group without members that nobody monitors.
    pub(super) fn forget_unused(&mut self, group: &Keyed<G>, after: &mut Aftermath<G, M>) {
        let unused = |group: &Group<M>| group.members.is_empty() && group.subscribers.is_empty();
        if self.groups.get(group).is_some_and(unused)
            && let Some((key, group)) = self.groups.remove_entry(group)
        {
            after.keys.push(key);
            after.groups.push(group);
        }
    }

    /// Forgets a process that has nothing here any more.
    pub(super) fn leave_table(&mut self, pid: Pid, table: &Arc<dyn Members>, after: &mut Aftermath<G, M>) {
        let unused = |entered: &Entered<G>| entered.memberships.is_empty() && entered.monitors.is_empty();
        if self.processes.get(&pid).is_some_and(unused)
            && let Some(entered) = self.processes.remove(&pid)
        {
            membership::leave(&entered.process, table);
            after.entered.push(entered);
        }
    }
}

impl<G> Entered<G> {
    pub(super) fn is_alive(&self) -> bool {
        self.process.head().is_alive()
    }
}

impl<G, M> Default for State<G, M> {
    fn default() -> Self {
        Self {
            groups: FxHashMap::default(),
            subscribers: FxHashMap::default(),
            processes: FxHashMap::default(),
            next: 0,
            #[cfg(test)]
            visited: 0,
        }
    }
}

impl<M> Default for Group<M> {
    fn default() -> Self {
        Self { members: BTreeMap::new(), listed: None, subscribers: FxHashMap::default() }
    }
}
