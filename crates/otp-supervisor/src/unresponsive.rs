//! Processes that were killed and do not end, and what becomes of them when their supervisor has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erlang_process::{Down, ExitMessage, ExitReason, Monitor, Pid, current, monitor};
use rustc_hash::FxHashMap;
use tokio::task_local;

use crate::semantics::ChildKey;

task_local! {
    /// Where the supervisors that are started in this task leave what does not end.
    static ABOVE: LeftBehind;
}

/// The processes that supervisors below have left, each with the supervisor that has not seen its end.
#[derive(Clone, Default)]
struct LeftBehind(Arc<Mutex<Vec<(Pid, Pid)>>>);

impl LeftBehind {
    fn lock(&self) -> MutexGuard<'_, Vec<(Pid, Pid)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The processes for whose ends a supervisor has waited in vain, and of whose ends it will be told.
///
/// A supervisor that ends leaves them to the one above it. That one takes the supervisor to have ended when they have, too:
/// a successor of the supervisor, which starts the same children, must not meet them.
pub(crate) struct Unresponsive {
    awaited: FxHashMap<Monitor, Awaited>,
    below: LeftBehind,
    above: Option<LeftBehind>,
    /// Whose these are.
    supervisor: Option<Pid>,
}

struct Awaited {
    process: Pid,
    what: What,
}

/// What waits for the end of a process.
enum What {
    /// The end of a child: of the process itself, or of the supervisor that has left it. If that has ended by itself, this
    /// is why.
    End { child: Pid, reason: Option<ExitReason> },
    /// The next start of a child: the last one was given up, and this is its process.
    Start(ChildKey),
}

/// What a process was waited for, which is gone.
pub(crate) enum Gone {
    /// A child has ended.
    Child(ExitMessage),
    /// A child can be started.
    Start(ChildKey),
    /// There are others.
    One,
}

impl Unresponsive {
    /// None yet. Made where the supervisor is started, so that one that starts it in its own process is the one above.
    pub(crate) fn new() -> Self {
        Self {
            awaited: FxHashMap::default(),
            below: LeftBehind::default(),
            above: ABOVE.try_with(LeftBehind::clone).ok(),
            supervisor: None,
        }
    }

    /// Runs the supervisor whose these are, in its process.
    pub(crate) async fn of<T>(mut self, supervisor: impl AsyncFnOnce(Self) -> T) -> T {
        self.supervisor = current();
        ABOVE.scope(self.below.clone(), supervisor(self)).await
    }

    /// A child that is not waited for any longer: this monitor will tell of its end.
    pub(crate) fn abandon(&mut self, child: Pid, watch: Monitor) {
        self.awaited.insert(watch, Awaited { process: child, what: What::End { child, reason: None } });
    }

    /// The start of a child was given up, and this process of it does not end.
    pub(crate) fn abandon_start(&mut self, key: ChildKey, process: Pid) {
        self.wait_for(process, What::Start(key));
    }

    /// The process of a start of this child that was given up, if it has not ended yet.
    pub(crate) fn of_start(&self, key: ChildKey) -> Option<Pid> {
        let its = |awaited: &&Awaited| matches!(awaited.what, What::Start(it) if it == key);
        self.awaited.values().find(its).map(|awaited| awaited.process)
    }

    /// A child has ended by itself. Returns its end, unless it has left somebody: then it comes with the last one's.
    pub(crate) fn exited(&mut self, exit: ExitMessage) -> Option<ExitMessage> {
        self.inherit(exit.pid, Some(&exit.reason));
        (!self.is_awaited(exit.pid)).then_some(exit)
    }

    /// A child has ended as it was told to. Whether it has left nobody.
    pub(crate) fn stopped(&mut self, child: Pid) -> bool {
        self.inherit(child, None);
        !self.is_awaited(child)
    }

    /// The end of a process that is monitored.
    ///
    /// # Errors
    ///
    /// It is not one of these.
    pub(crate) fn down(&mut self, down: Down) -> Result<Gone, Down> {
        Ok(match self.awaited.remove(&down.monitor).map(|awaited| awaited.what) {
            Some(What::End { child, .. }) if self.is_awaited(child) => Gone::One,
            Some(What::End { child, reason }) => {
                Gone::Child(ExitMessage { pid: child, reason: reason.unwrap_or(down.reason) })
            }
            Some(What::Start(key)) => Gone::Start(key),
            None => return Err(down),
        })
    }

    /// A child has another key.
    pub(crate) fn rekey(&mut self, before: ChildKey, key: ChildKey) {
        for awaited in self.awaited.values_mut() {
            if let What::Start(it) = &mut awaited.what
                && *it == before
            {
                *it = key;
            }
        }
    }

    #[inline]
    fn inherit(&mut self, child: Pid, reason: Option<&ExitReason>) {
        let mut below = self.below.lock();
        if below.is_empty() {
            return;
        }
        let left: Vec<_> = below.extract_if(.., |(of, _)| *of == child).collect();
        drop(below);
        for (_, process) in left {
            self.wait_for(process, What::End { child, reason: reason.cloned() });
        }
    }

    fn wait_for(&mut self, process: Pid, what: What) {
        if let Ok(watch) = monitor(process) {
            self.awaited.insert(watch, Awaited { process, what });
        }
    }

    /// Whether the end of this child is not complete.
    pub(crate) fn is_awaited(&self, child: Pid) -> bool {
        let its = |awaited: &Awaited| matches!(awaited.what, What::End { child: it, .. } if it == child);
        self.awaited.values().any(its)
    }
}

impl Drop for Unresponsive {
    fn drop(&mut self) {
        let (Some(above), Some(supervisor)) = (&self.above, self.supervisor) else { return };
        let below = std::mem::take(&mut *self.below.lock());
        let left = self.awaited.values().map(|awaited| awaited.process);
        let left = left.chain(below.into_iter().map(|(_, process)| process));
        above.lock().extend(left.map(|process| (supervisor, process)));
    }
}
