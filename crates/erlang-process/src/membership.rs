//! What a process is entered in besides the name table, so that its end costs what it had and no more.

use crate::{
    cell::Process,
    pid::Pid,
    sync::{Arc, Weak},
};

/// A table that processes have entries in.
pub(crate) trait Members: Send + Sync {
    /// Removes all entries of a process that has ended. Called once, before anyone is told of the end.
    fn release(&self, pid: Pid);
}

/// A table as those know it who are entered in it: they do not keep one that nobody else has.
pub(crate) type Membership = Weak<dyn Members>;

/// Has the table told when this process ends. False if its end has begun: then nothing may be entered.
pub(crate) fn enter(process: &Process, table: &Arc<dyn Members>) -> bool {
    process.with(|control, _| {
        if !control.is_alive() {
            return false;
        }
        let tables = &mut control.rare_mut().tables;
        if !tables.iter().any(|known| is(known, table)) {
            tables.retain(|known| known.strong_count() > 0);
            tables.push(Arc::downgrade(table));
        }
        true
    })
}

/// The table has no more entries of this process.
pub(crate) fn leave(process: &Process, table: &Arc<dyn Members>) {
    process.with(|control, _| {
        let tables = &mut control.rare_mut().tables;
        if let Some(index) = tables.iter().position(|known| is(known, table)) {
            tables.swap_remove(index);
        }
    });
}

fn is(known: &Membership, table: &Arc<dyn Members>) -> bool {
    std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(table))
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
