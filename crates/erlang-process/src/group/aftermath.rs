//! What a change leaves to be done.

use super::state::{Entered, Group, Listed, Member};
use crate::{
    cell::{AnyMessage, Gone, Process, Wake},
    keyed::Keyed,
    process::quietly,
    scope,
    sync::Arc,
};

/// What is left to do when the lock is released: waking those who got an event, and dropping.
pub(super) struct Aftermath<G, M> {
    pub(super) woken: Vec<(Process, Wake)>,
    pub(super) refused: Vec<Box<dyn AnyMessage>>,
    pub(super) gone: Vec<Gone>,
    pub(super) members: Vec<Member<M>>,
    pub(super) listed: Vec<Listed<M>>,
    pub(super) keys: Vec<Keyed<G>>,
    pub(super) processes: Vec<Process>,
    pub(super) groups: Vec<Group<M>>,
    pub(super) entered: Vec<Entered<G>>,
}

impl<G, M> Aftermath<G, M> {
    pub(super) fn new() -> Self {
        Self {
            woken: Vec::new(),
            refused: Vec::new(),
            gone: Vec::new(),
            members: Vec::new(),
            listed: Vec::new(),
            keys: Vec::new(),
            processes: Vec::new(),
            groups: Vec::new(),
            entered: Vec::new(),
        }
    }

    pub(super) fn settle(self) {
        for (process, wake) in self.woken {
            // A waker that panics must not keep it from the others.
            quietly(|| process.wake(wake));
        }
        // Each by itself: one that panics when it is dropped must not keep the rest, nor end the program with the next.
        self.refused.into_iter().for_each(scope::discard);
        self.gone.into_iter().for_each(scope::discard);
        self.members.into_iter().for_each(scope::discard);
        self.listed.into_iter().for_each(discard_all);
        self.keys.into_iter().for_each(scope::discard);
        self.processes.into_iter().for_each(scope::discard);
        self.groups.into_iter().for_each(scope::discard);
        for Entered { process, memberships, monitors } in self.entered {
            memberships.into_keys().for_each(scope::discard);
            monitors.into_values().for_each(scope::discard);
            scope::discard(process);
        }
    }
}

/// Drops members that may be nobody else's any more, each by itself.
pub(super) fn discard_all<M>(listed: Listed<M>) {
    Arc::into_inner(listed).into_iter().flatten().for_each(scope::discard);
}
