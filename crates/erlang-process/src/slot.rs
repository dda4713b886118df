//! The slot that the reply to a call is put into.

use std::{
    mem,
    task::{Context, Poll, Waker},
};

use crate::{
    call::CallError,
    cell::{Head, Process},
    node::Node,
    pid::Pid,
    process::quietly,
    scope::{self, KeptSlot, Local},
    sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering},
};

/// Where one caller waits for one reply at a time.
///
/// A process keeps the slots of its calls for the next ones, so that a call allocates nothing. One that has
/// been given up is not used again: its reply may still come.
pub(crate) struct Slot<R> {
    /// The process that calls, if it is one: its task is woken.
    caller: Option<Process>,
    /// Where the process lives that is called.
    node: Node,
    /// Its number there.
    callee: AtomicU64,
    /// Whether there is an outcome. Written under the lock.
    filled: AtomicBool,
    state: Mutex<State<R>>,
}

/// How many slots a process keeps besides the first: for so many other types of replies, or calls at once.
const MORE_SLOTS: usize = 7;

struct State<R> {
    outcome: Option<Outcome<R>>,
    /// Who is woken, if it is not the caller's task.
    waker: Option<Waker>,
}

/// What became of the call. Small where it succeeds.
enum Outcome<R> {
    Reply(R),
    Failed(Box<CallError>),
}

/// The caller is the process that is called.
struct CallingSelf;

impl<R> From<Outcome<R>> for Result<R, CallError> {
    #[inline]
    fn from(outcome: Outcome<R>) -> Self {
        match outcome {
            Outcome::Reply(reply) => Ok(reply),
            Outcome::Failed(error) => Err(*error),
        }
    }
}

impl<R: Send + 'static> Slot<R> {
    /// A slot for a call to this process, by a caller who may be a process; `None` if it is the same.
    pub(crate) fn open(callee: &Head) -> Option<Arc<Self>> {
        let kept = scope::with(|scope| {
            if std::ptr::eq(scope.cell.head(), callee) {
                return Err(CallingSelf);
            }
            Ok(scope.local.as_mut().and_then(|local| local.slot.take()))
        });
        let unfit = match kept.transpose().ok()?.flatten().map(|kept| kept.downcast::<Self>()) {
            Some(Ok(slot)) if slot.node.is(&callee.node) => {
                slot.callee.store(callee.pid.number(), Ordering::Relaxed);
                return Some(slot);
            }
            Some(Ok(slot)) => Some(slot as KeptSlot),
            Some(Err(kept)) => Some(kept),
            None => None,
        };
        Some(Self::another(unfit, callee))
    }

    /// One of those that are kept besides the first, whose place this takes that does not fit; or a new one.
    #[cold]
    fn another(mut unfit: Option<KeptSlot>, callee: &Head) -> Arc<Self> {
        let fits =
            |kept: &KeptSlot| kept.downcast_ref::<Self>().is_some_and(|slot| slot.node.is(&callee.node));
        let kept = scope::with(|scope| {
            let more_slots = &mut scope.local.as_mut()?.more_slots;
            let kept = more_slots.iter().position(fits).map(|index| more_slots.swap_remove(index));
            if more_slots.len() < MORE_SLOTS {
                more_slots.extend(unfit.take());
            }
            kept
        });
        match kept.flatten().map(|kept| kept.downcast::<Self>()) {
            Some(Ok(slot)) => {
                slot.callee.store(callee.pid.number(), Ordering::Relaxed);
                slot
            }
            _ => Self::new(callee.node.clone(), callee.pid),
        }
    }

    /// A slot for a call from this node to another one, where nothing is known of the process that is called.
    pub(crate) fn open_far(node: Node) -> Arc<Self> {
        Self::new(node, Pid::OUTSIDE)
    }

    fn new(node: Node, callee: Pid) -> Arc<Self> {
        Arc::new(Self {
            caller: scope::cell(),
            node,
            callee: AtomicU64::new(callee.number()),
            filled: AtomicBool::new(false),
            state: Mutex::new(State { outcome: None, waker: None }),
        })
    }

    /// Keeps a slot whose outcome has been taken for the next call: in the process whose task it wakes.
    pub(crate) fn keep(self: Arc<Self>) {
        let mut slot = Some(self);
        scope::with(|scope| {
            let caller = slot.as_ref().and_then(|slot| slot.caller.as_ref());
            // A call may be gone on with by another process.
            if caller.is_some_and(|caller| Arc::ptr_eq(caller, &scope.cell)) {
                let Local { slot: kept, more_slots, .. } = scope.local_mut();
                if kept.is_none() {
                    *kept = slot.take().map(|slot| -> KeptSlot { slot });
                } else if more_slots.len() < MORE_SLOTS {
                    more_slots.extend(slot.take().map(|slot| -> KeptSlot { slot }));
                }
            }
        });
    }

    /// The process that is called; `None` if it has ended.
    pub(crate) fn callee(&self) -> Option<Process> {
        self.node.find(Pid::here(self.callee.load(Ordering::Relaxed)))
    }

    /// Answers the call, unless the caller has given up.
    pub(crate) fn reply(self: &Arc<Self>, reply: R) {
        self.fill(Outcome::Reply(reply));
    }

    /// Fails the call, unless the caller has given up.
    pub(crate) fn fail(self: &Arc<Self>, error: CallError) {
        self.fill(Outcome::Failed(Box::new(error)));
    }

    /// Whether the caller has not given up. For who is to answer.
    #[inline]
    pub(crate) fn is_awaited(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    #[inline]
    fn fill(self: &Arc<Self>, outcome: Outcome<R>) {
        if !self.is_awaited() {
            return;
        }
        let waker = {
            let mut state = self.state.lock();
            state.outcome = Some(outcome);
            self.filled.store(true, Ordering::Release);
            state.waker.take()
        };
        match (waker, &self.caller) {
            (Some(waker), _) => drop(quietly(|| waker.wake())),
            (None, Some(caller)) => caller.head().wake_task(),
            (None, None) => {}
        }
    }

    /// Takes the outcome, or waits for it. `kept` is whether the slot has been given a waker to keep.
    #[inline]
    pub(crate) fn poll(&self, cx: &mut Context<'_>, kept: &mut bool) -> Poll<Result<R, CallError>> {
        if !self.filled.load(Ordering::Acquire) {
            let by_task = self.caller.as_ref().is_some_and(|caller| caller.head().is_task_waker(cx.waker()));
            if by_task && !*kept {
                return Poll::Pending;
            }
            self.keep_waker(cx.waker());
            *kept = true;
        }
        self.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// Takes the outcome if it is there.
    pub(crate) fn take(&self) -> Option<Result<R, CallError>> {
        let (outcome, waker) = {
            let mut state = self.state.lock();
            let outcome = state.outcome.take()?;
            self.filled.store(false, Ordering::Release);
            // One that came after the outcome; the next call is not its business.
            (outcome, state.waker.take())
        };
        drop(waker);
        Some(outcome.into())
    }

    #[cold]
    fn keep_waker(&self, waker: &Waker) {
        // Cloned and dropped without the lock: a waker is somebody else's code.
        let mut waker = Some(waker.clone());
        mem::swap(&mut self.state.lock().waker, &mut waker);
    }
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{future::poll_fn, pin::Pin, task::Wake, time::Duration};

    use super::*;
    use crate::{Reply, Subject, spawn_subject};

    fn keeps_a_slot() -> bool {
        scope::with(|scope| scope.local.as_ref().is_some_and(|local| local.slot.is_some())).unwrap()
    }

    type Call = Pin<Box<dyn Future<Output = Result<u8, CallError>> + Send>>;

    /// As that of a caller may do, under a combinator of its own.
    struct Panicking;

    impl Wake for Panicking {
        fn wake(self: Arc<Self>) {
            panic!("woken");
        }
    }

    #[tokio::test]
    async fn who_answers_has_nothing_to_do_with_the_waker_of_who_asked() {
        let node = Node::new();
        let running = node.run(async {
            let server = spawn_subject(|requests: Subject<Reply<u8>>| async move {
                while let Ok(reply) = requests.receive_forever().await {
                    reply.send(1);
                }
            });
            let mut call = Box::pin(server.call(Duration::MAX, |reply| reply));
            let waker = Waker::from(Arc::new(Panicking));
            assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            assert_eq!(server.call(Duration::MAX, |reply| reply).await, Ok(1));
            assert_eq!(call.await, Ok(1));
        });
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_process_keeps_no_slot_that_wakes_another() {
        let node = Node::new();
        let running = node.run(async {
            let server = spawn_subject(|requests: Subject<Reply<u8>>| async move {
                while let Ok(reply) = requests.receive_forever().await {
                    reply.send(1);
                }
            });
            let call = || -> Call {
                let server = server.clone();
                Box::pin(async move { server.call(Duration::MAX, |reply| reply).await })
            };
            let mut begun = call();
            assert!(poll_fn(|cx| Poll::Ready(begun.as_mut().poll(cx))).await.is_pending());
            let other = spawn_subject(|calls: Subject<(Call, Reply<bool>)>| async move {
                while let Ok((call, reply)) = calls.receive_forever().await {
                    assert_eq!(call.await, Ok(1));
                    reply.send(keeps_a_slot());
                }
            });
            assert_eq!(other.call(Duration::MAX, |reply| (begun, reply)).await, Ok(false));
            assert_eq!(other.call(Duration::MAX, |reply| (call(), reply)).await, Ok(true));
        });
        running.await.unwrap();
    }
}
