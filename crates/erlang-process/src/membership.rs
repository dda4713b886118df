//! What a process is entered in besides the name table, so that its end costs what it had and no more.

use crate::{cell::Process, pid::Pid, process::quietly, sync::Arc};

/// A table that processes have entries in.
pub(crate) trait Members: Send + Sync {
    /// Removes all entries of a process that has ended. Called once, before anyone is told of the end.
    fn release(&self, pid: Pid);

    /// Whether nothing will ever come of an entry in it. May be asked under the lock of a process.
    fn is_over(&self) -> bool {
        false
    }
}

/// Has the table told when this process ends. False if its end has begun: then nothing may be entered.
pub(crate) fn enter(process: &Process, table: &Arc<dyn Members>) -> bool {
    enter_among(process, table, |_| {})
}

/// As [`enter`], and leaves those tables which are over, for who has one after the other. Not under a lock: the last handle
/// of a table drops what users have put there.
pub(crate) fn enter_in_turn(process: &Process, table: &Arc<dyn Members>) -> bool {
    let mut over = Vec::new();
    let entered =
        enter_among(process, table, |tables| over = tables.extract_if(.., |known| known.is_over()).collect());
    for table in over {
        quietly(|| drop(table));
    }
    entered
}

fn enter_among(
    process: &Process,
    table: &Arc<dyn Members>,
    if_new: impl FnOnce(&mut Vec<Arc<dyn Members>>),
) -> bool {
    process.with(|control, _| {
        if !control.is_alive() {
            return false;
        }
        let tables = &mut control.rare_mut().tables;
        if !tables.iter().any(|known| Arc::ptr_eq(known, table)) {
            if_new(tables);
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

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{future::pending, time::Duration};

    use tokio::runtime::{Builder, Runtime};

    use crate::{Subject, spawn_subject};

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn a_process_keeps_no_clocks_of_runtimes_that_are_gone() {
        let own = runtime();
        let subject = own.block_on(async { spawn_subject(|_: Subject<u8>| pending::<()>()) });
        for _ in 0..10 {
            runtime().block_on(async { subject.send_after(Duration::from_secs(60), 1) });
        }
        // The last is found to be gone when there is another.
        let clocks = subject.process().unwrap().with(|control, _| control.rare_mut().tables.len());
        assert_eq!(clocks, 1);
    }
}
