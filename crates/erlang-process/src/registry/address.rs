//! Keys as addresses.

use std::hash::Hash;

use super::table::Table;
use crate::{
    bound::Turn,
    cell::{Process, Unsent},
    keyed::Keyed,
    subject::{Subject, Target},
    sync::Arc,
};

/// Whoever holds a key.
pub(super) struct Address<K, M> {
    pub(super) table: Arc<Table<K, Subject<M>>>,
    pub(super) key: Keyed<K>,
}

impl<K, M> Target<M> for Address<K, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    fn send_to(&self, process: &Process, message: M, turn: Option<Turn>) -> Result<(), Unsent<M>> {
        match self.table.holder(&self.key.sought()) {
            Some((holder, subject)) if std::ptr::eq(holder.head(), process.head()) && !subject.is_keyed() => {
                subject.send_to(&holder, message, turn)
            }
            // It held the key a moment ago, so the key has been free since: the message found nobody.
            _ => Err(Unsent::dead(message)),
        }
    }

    fn process(&self) -> Option<Process> {
        self.table.holder(&self.key.sought()).map(|(process, _)| process)
    }

    fn fixed_process(&self) -> Option<Process> {
        None
    }

    fn is_keyed(&self) -> bool {
        true
    }
}
