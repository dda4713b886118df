//! Keys as addresses.

use std::hash::Hash;

use super::table::Table;
use crate::{
    bound::Turn,
    cell::{Process, Unsent},
    keyed::Keyed,
    subject::{Sent, Subject, Target},
    sync::Arc,
};

/// Whoever holds a key.
pub(super) struct Address<K, M> {
    pub(super) table: Arc<Table<K, Subject<M>>>,
    pub(super) key: Keyed<K>,
}

impl<K, M> Address<K, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    /// The subject that the holder has registered, and the process behind it, which may be another.
    fn registered(&self) -> Option<(Process, Arc<Subject<M>>)> {
        let (_, subject) = self.table.holder(&self.key.sought())?;
        // Another address would be looked up for ever.
        if subject.is_keyed() {
            return None;
        }
        Some((subject.process()?, subject))
    }
}

impl<K, M> Target<M> for Address<K, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    fn send_to(&self, process: &Process, message: M, turn: Option<Turn>) -> Result<Sent, Unsent<M>> {
        match self.registered() {
            Some((found, subject)) if std::ptr::eq(found.head(), process.head()) => {
                subject.send_to(&found, message, turn)
            }
            // It was found a moment ago, so it has been gone from here since: the message found nobody.
            _ => Err(Unsent::dead(message)),
        }
    }

    fn process(&self) -> Option<Process> {
        self.registered().map(|(process, _)| process)
    }

    fn fixed_process(&self) -> Option<Process> {
        None
    }

    fn counts(&self) -> bool {
        self.registered().is_none_or(|(_, subject)| subject.counts())
    }

    fn is_keyed(&self) -> bool {
        true
    }
}
