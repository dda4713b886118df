//! Processes that were killed and do not end, and what becomes of them when their supervisor has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erlang_process::{Down, ExitMessage, ExitReason, Monitor, Pid, current, monitor};
use rustc_hash::FxHashMap;
use tokio::task_local;

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
/// A supervisor that ends leaves them to the one above it. That one starts no successor of the supervisor before they have ended:
/// it starts the same children, which must not meet them.
pub(crate) struct Unresponsive<I> {
    awaited: FxHashMap<Monitor, Awaited<I>>,
    below: LeftBehind,
    above: Option<LeftBehind>,
    /// Whose these are.
    supervisor: Option<Pid>,
}

struct Awaited<I> {
    process: Pid,
    what: What<I>,
}

/// What waits for the end of a process.
enum What<I> {
    /// The end of a child: of the process itself, or of the supervisor that has left it. If that has ended by itself, this
    /// is why.
    End { child: Pid, reason: Option<ExitReason> },
    /// The next start of a child with this id: the last one was given up, and this is its process, or it was a supervisor that
    /// has left it.
    Start(I),
}

/// What a process was waited for, which is gone.
pub(crate) enum Gone<I> {
    /// A child has ended.
    Child(ExitMessage),
    /// The child with this id can be started.
    Start(I),
    /// There are others.
    One,
}

impl<I: Clone + PartialEq> Unresponsive<I> {
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
    pub(crate) fn abandon_start(&mut self, child: I, process: Pid) {
        self.wait_for(process, What::Start(child));
    }

    /// A process that must have ended before a child with this id is started.
    pub(crate) fn of_start(&self, child: &I) -> Option<Pid> {
        let its = |awaited: &&Awaited<I>| matches!(&awaited.what, What::Start(it) if it == child);
        self.awaited.values().find(its).map(|awaited| awaited.process)
    }

    /// Whether a child that has ended has left somebody.
    pub(crate) fn has_left(&self, child: Pid) -> bool {
        self.below.lock().iter().any(|(of, _)| *of == child)
    }

    /// A child has ended by itself, and is to be started again. That it has ended is to be heard when those have whom it has left.
    pub(crate) fn hold_back(&mut self, ExitMessage { pid, reason }: ExitMessage) {
        self.inherit(pid, || What::End { child: pid, reason: Some(reason.clone()) });
    }

    /// A child with this id has ended by itself, and is not started again: only who asks for that meets whom it has left.
    pub(crate) fn let_go(&mut self, child: Pid, id: &I) {
        self.inherit(child, || What::Start(id.clone()));
    }

    /// Forgets what those have left who are nobody's: supervisors that did not come up.
    pub(crate) fn forget_others(&mut self, is_child: impl Fn(Pid) -> bool) {
        self.below.lock().retain(|(of, _)| is_child(*of));
    }

    /// A child has ended as it was told to. Whether it has left nobody.
    pub(crate) fn stopped(&mut self, child: Pid) -> bool {
        self.inherit(child, || What::End { child, reason: None });
        !self.is_awaited(child)
    }

    /// The end of a process that is monitored.
    ///
    /// # Errors
    ///
    /// It is not one of these.
    pub(crate) fn down(&mut self, down: Down) -> Result<Gone<I>, Down> {
        Ok(match self.awaited.remove(&down.monitor).map(|awaited| awaited.what) {
            Some(What::End { child, .. }) if self.is_awaited(child) => Gone::One,
            Some(What::End { child, reason }) => {
                Gone::Child(ExitMessage { pid: child, reason: reason.unwrap_or(down.reason) })
            }
            Some(What::Start(child)) => Gone::Start(child),
            None => return Err(down),
        })
    }

    fn inherit(&mut self, child: Pid, what: impl Fn() -> What<I>) {
        let mut below = self.below.lock();
        if below.is_empty() {
            return;
        }
        let left: Vec<_> = below.extract_if(.., |(of, _)| *of == child).collect();
        drop(below);
        for (_, process) in left {
            self.wait_for(process, what());
        }
    }

    fn wait_for(&mut self, process: Pid, what: What<I>) {
        if let Ok(watch) = monitor(process) {
            self.awaited.insert(watch, Awaited { process, what });
        }
    }

    /// Whether the end of this child is not complete.
    pub(crate) fn is_awaited(&self, child: Pid) -> bool {
        let its = |awaited: &Awaited<I>| matches!(awaited.what, What::End { child: it, .. } if it == child);
        self.awaited.values().any(its)
    }
}

impl<I> Drop for Unresponsive<I> {
    fn drop(&mut self) {
        let (Some(above), Some(supervisor)) = (&self.above, self.supervisor) else { return };
        let below = std::mem::take(&mut *self.below.lock());
        let left = self.awaited.values().map(|awaited| awaited.process);
        let left = left.chain(below.into_iter().map(|(_, process)| process));
        above.lock().extend(left.map(|process| (supervisor, process)));
    }
}
