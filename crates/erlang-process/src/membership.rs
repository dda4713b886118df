//! What a process is entered in besides the name table, so that its end costs what it had and no more.

use crate::{cell::Process, pid::Pid, sync::Arc};

/// A table that processes have entries in.
pub(crate) trait Members: Send + Sync {
    /// Removes all entries of a process that has ended. Called once, before anyone is told of the end.
    fn release(&self, pid: Pid);
}

/// Has the table told when this process ends. False if its end has begun: then nothing may be entered.
pub(crate) fn enter(process: &Process, table: &Arc<dyn Members>) -> bool {
    process.with(|control, _| {
        if !control.is_alive() {
            return false;
        }
        let tables = &mut control.rare_mut().tables;
        if !tables.iter().any(|known| Arc::ptr_eq(known, table)) {
            tables.push(table.clone());
        }
        true
    })
}

/// The table has no more entries of this process.
pub(crate) fn leave(process: &Process, table: &Arc<dyn Members>) {
    let left = process.with(|control, _| {
        let tables = &mut control.rare_mut().tables;
        tables.iter().position(|known| Arc::ptr_eq(known, table)).map(|index| tables.swap_remove(index))
    });
    drop(left);
}
