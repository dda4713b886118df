//! Keys as addresses.

use std::hash::Hash;

use super::table::Table;
use crate::{
    cell::Process,
    keyed::Keyed,
    subject::{SendError, Subject, Target},
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
    fn send_to(&self, process: &Process, message: M) -> Result<(), SendError<M>> {
        match self.table.holder(&self.key.sought()) {
            Some((holder, subject)) if std::ptr::eq(holder.head(), process.head()) && !subject.is_keyed() => {
                subject.send_to(&holder, message)
            }
            // It held the key a moment ago, so the key has been free since: the message found nobody.
            _ => Err(SendError(message)),
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
