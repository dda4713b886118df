//! A scope of groups, behind its lock.

use std::{
    borrow::Borrow,
    hash::{Hash, RandomState},
};

use super::{
    aftermath::Aftermath,
    event::GroupEvent,
    monitor::GroupMonitor,
    state::{Group, Listed, Member, State},
};
use crate::{
    cell::Key,
    keyed::{Keyed, Sought},
    membership::{self, Members},
    node::Node,
    pid::Pid,
    process::NotAProcess,
    scope,
    subject::Subject,
    sync::{Arc, Mutex},
};

pub(super) struct Table<G, M> {
    pub(super) node: Node,
    pub(super) hasher: RandomState,
    pub(super) state: Mutex<State<G, M>>,
}

/// Each group with its members.
pub(super) type Snapshot<G> = Vec<(Arc<G>, Vec<Pid>)>;

impl<G, M> Table<G, M>
where
    G: Hash + Eq + Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    /// Whether anyone has joined.
    pub(super) fn join(self: &Arc<Self>, group: Keyed<G>, joining: Vec<Member<M>>) -> bool {
        let table: Arc<dyn Members> = self.clone();
        let mut after = Aftermath::new();
        let joined = {
            let mut state = self.state.lock();
            let mut pids = Vec::with_capacity(joining.len());
            for member in joining {
                let pid = member.process.head().pid;
                // Under the lock, which the end of the process takes after this: it finds the membership.
                if !membership::enter(&member.process, &table) {
                    after.members.push(member);
                    continue;
                }
                let serial = state.next;
                state.next += 1;
                let entered = state.entered(&member.process);
                entered.memberships.entry(group.clone()).or_default().push(serial);
                let entry = state.groups.entry(group.clone()).or_default();
                entry.members.insert(serial, member);
                after.listed.extend(entry.listed.take());
                pids.push(pid);
            }
            let joined = !pids.is_empty();
            if joined {
                let event = GroupEvent::Joined { group: group.key().clone(), pids: pids.into() };
                state.tell(&group, &event, &mut after);
            }
            joined
        };
        after.settle();
        joined
    }

    /// Each of these leaves once, by the last of those memberships that are chosen. Whether anyone has left.
    pub(super) fn leave<Q: Eq + ?Sized>(
        self: &Arc<Self>,
        group: &Sought<'_, Q>,
        pids: &[Pid],
        which: impl Fn(&Member<M>) -> bool,
    ) -> bool
    where
        G: Borrow<Q>,
    {
        let table: Arc<dyn Members> = self.clone();
        let mut after = Aftermath::new();
        let left = {
            let state = &mut *self.state.lock();
            let Some(group) = state.groups.get_key_value(group.probe()).map(|(group, _)| group.clone())
            else {
                return false;
            };
            let mut left = Vec::with_capacity(pids.len());
            for pid in pids {
                // Who has ended has left already; its own events tell that.
                let entered = state.processes.get_mut(pid).filter(|entered| entered.is_alive());
                let Some(serials) = entered.and_then(|entered| entered.memberships.get_mut(&group)) else {
                    continue;
                };
                let members = state.groups.get(&group).map(|group| &group.members);
                let chosen =
                    |serial: &u64| members.and_then(|members| members.get(serial)).is_some_and(&which);
                if let Some(index) = serials.iter().rposition(chosen) {
                    let serial = serials.remove(index);
                    state.end_membership(&group, *pid, serial, &mut after);
                    state.leave_table(*pid, &table, &mut after);
                    left.push(*pid);
                }
            }
            let any = !left.is_empty();
            if any {
                let event = GroupEvent::Left { group: group.key().clone(), pids: left.into() };
                state.tell(&group, &event, &mut after);
                state.forget_unused(&group, &mut after);
            }
            // The clone may be the last.
            after.keys.push(group);
            any
        };
        after.settle();
        left
    }

    pub(super) fn members<Q, T>(&self, group: &Sought<'_, Q>, of: impl Fn(&Member<M>) -> T) -> Vec<T>
    where
        G: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let state = self.state.lock();
        let Some(group) = state.groups.get(group.probe()) else { return Vec::new() };
        group.members.values().filter(|member| member.is_alive()).map(of).collect()
    }

    /// The members of a group, some of whom may have ended.
    pub(super) fn listed<Q: Eq + ?Sized>(&self, group: &Sought<'_, Q>) -> Option<Listed<M>>
    where
        G: Borrow<Q>,
    {
        let state = &mut *self.state.lock();
        let Group { members, listed, .. } = state.groups.get_mut(group.probe())?;
        Some(listed.get_or_insert_with(|| Arc::new(members.values().cloned().collect())).clone())
    }

    pub(super) fn which_groups(&self) -> Vec<Arc<G>> {
        let state = self.state.lock();
        let groups = state.by_age().into_iter();
        let existing = groups.filter(|(_, group)| group.members.values().any(Member::is_alive));
        existing.map(|(key, _)| key.key().clone()).collect()
    }

    /// Subscribes the calling process to a group or to all, and returns their members.
    pub(super) fn monitor(
        self: &Arc<Self>,
        group: Option<Keyed<G>>,
    ) -> Result<(GroupMonitor<G>, Snapshot<G>), NotAProcess> {
        let process = scope::cell().ok_or(NotAProcess)?;
        if !process.head().node.is(&self.node) {
            return Err(NotAProcess);
        }
        let events = Subject::new()?;
        let key = events.key().ok_or(NotAProcess)?;
        let table: Arc<dyn Members> = self.clone();
        let mut after = Aftermath::new();
        let snapshot = {
            let mut state = self.state.lock();
            if !membership::enter(&process, &table) {
                return Err(NotAProcess);
            }
            state.entered(&process).monitors.insert(key, group.clone());
            let keys = match &group {
                Some(group) => vec![group.clone()],
                None => state.by_age().into_iter().map(|(key, _)| key.clone()).collect(),
            };
            // Those who have ended have left, for this subscriber too: the others are told now, and their
            // release finds nothing more to tell.
            for key in &keys {
                state.bury(key, &mut after);
            }
            let mut snapshot = Vec::new();
            for key in &keys {
                if let Some(group) = state.groups.get(key)
                    && !group.members.is_empty()
                {
                    let members = group.members.values().map(|member| member.process.head().pid);
                    snapshot.push((key.key().clone(), members.collect()));
                }
            }
            let subscribers = match &group {
                Some(group) => &mut state.groups.entry(group.clone()).or_default().subscribers,
                None => &mut state.subscribers,
            };
            subscribers.insert(key, process.clone());
            after.keys.extend(keys);
            snapshot
        };
        after.settle();
        Ok((GroupMonitor { key, events, scope: table }, snapshot))
    }

    /// Whether the calling process had this subscription.
    pub(super) fn demonitor(self: &Arc<Self>, key: Key) -> bool {
        let Some(process) = scope::cell().filter(|process| process.head().node.is(&self.node)) else {
            return false;
        };
        let table: Arc<dyn Members> = self.clone();
        let pid = process.head().pid;
        let mut after = Aftermath::new();
        let ended = {
            let mut state = self.state.lock();
            match state.processes.get_mut(&pid).and_then(|entered| entered.monitors.remove(&key)) {
                Some(group) => {
                    state.end_monitor(key, group, &mut after);
                    state.leave_table(pid, &table, &mut after);
                    true
                }
                None => false,
            }
        };
        after.settle();
        ended
    }
}

impl<G, M> Members for Table<G, M>
where
    G: Eq + Send + Sync + 'static,
    M: Send + 'static,
{
    fn release(&self, pid: Pid) {
        let mut after = Aftermath::new();
        {
            let mut state = self.state.lock();
            if let Some(mut entered) = state.processes.remove(&pid) {
                for (key, group) in entered.monitors.drain() {
                    state.end_monitor(key, group, &mut after);
                }
                let mut memberships = Vec::new();
                for (group, serials) in &entered.memberships {
                    memberships.extend(serials.iter().map(|serial| (*serial, group)));
                }
                memberships.sort_unstable_by_key(|(serial, _)| *serial);
                for (serial, group) in memberships {
                    state.end_membership(group, pid, serial, &mut after);
                    let event = GroupEvent::Left { group: group.key().clone(), pids: [pid].into() };
                    state.tell(group, &event, &mut after);
                    state.forget_unused(group, &mut after);
                }
                after.entered.push(entered);
            }
        }
        after.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Groups, Spawn};

    /// What the end of a process costs is counted, not timed.
    #[tokio::test]
    async fn the_end_of_a_process_costs_what_it_had_however_many_groups_there_are() {
        let node = Node::new();
        let visited = node.run(async {
            let groups = Groups::<u32, ()>::new();
            let (staying, dying) = (member(), member());
            for group in 0..20_000 {
                groups.join(group, &staying).unwrap();
            }
            for group in [7, 7, 19_999] {
                groups.join(group, &dying).unwrap();
            }
            let pid = dying.pid().unwrap();
            crate::kill(pid);
            crate::join(pid).await;
            assert_eq!(groups.members(&7).len(), 1);
            groups.table.state.lock().visited
        });
        assert_eq!(visited.await, Ok(3));
    }

    /// However many send to it: the others wait for the lock of the scope once.
    #[tokio::test]
    async fn the_members_of_a_group_are_listed_once_until_they_change() {
        let node = Node::new();
        let running = node.run(async {
            let groups = Groups::<u32, ()>::new();
            let listed = || {
                groups.send(&7, ());
                groups.table.state.lock().groups.values().next().unwrap().listed.clone().unwrap()
            };
            groups.join(7, &member()).unwrap();
            let first = listed();
            assert!(Arc::ptr_eq(&first, &listed()));
            groups.join(7, &member()).unwrap();
            assert_eq!((first.len(), listed().len()), (1, 2));
        });
        running.await.unwrap();
    }

    fn member() -> Subject<()> {
        let prepared =
            Spawn::new().unlinked().prepare(|_: Subject<()>| std::future::pending::<()>()).unwrap();
        let subject = prepared.subject();
        prepared.start();
        subject
    }
}
