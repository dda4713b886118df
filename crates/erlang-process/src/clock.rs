//! The clock of a runtime: all timers that are pending on it, kept by one task.
//!
//! A task for each timer would cost several times as much, and more still to cancel. Here a timer is an entry
//! in an ordered map, and the runtime knows of the earliest only.

use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    membership::Members,
    pid::Pid,
    process::quietly,
    rt::{self, Instant, Sleep},
    scope,
    sync::{Arc, Mutex, Weak},
};

/// How many timers are removed before others have the lock.
const REMOVED_PER_LOCK: usize = 256;

/// How many timers fire in one poll before others run.
const FIRED_PER_POLL: usize = 256;

#[derive(Default)]
pub(crate) struct Clock {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The runtime has dropped the task: no timer will ever fire here.
    stopped: bool,
    next_id: u64,
    pending: BTreeMap<Key, Entry>,
    /// The pending timers of each process that has any, and when they are due.
    by_owner: BTreeMap<(Pid, u64), Instant>,
    /// When each interval is due next.
    intervals: BTreeMap<u64, Instant>,
    waker: Option<Waker>,
}

/// When a timer is due, and what tells it from others that are due then: which of them is older.
type Key = (Instant, u64);

struct Entry {
    owner: Option<Pid>,
    action: Action,
}

/// What a timer does.
pub(crate) enum Action {
    Once(Box<dyn FnOnce() + Send>),
    Every { period: Duration, missed: MissedTicks, tick: Arc<dyn Fn() + Send + Sync> },
}

/// What an interval does about ticks for which the runtime was too busy.
///
/// Counterpart: none; `timer:send_interval/3` makes up for them, as [`Burst`](Self::Burst) does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTicks {
    /// Makes up for them at once, so that there are as many ticks as there should be.
    #[default]
    Burst,
    /// Leaves them out and goes on a whole period after the late tick.
    Delay,
    /// Leaves them out and goes on when the next tick was due anyway.
    Skip,
}

/// A timer of a clock.
#[derive(Clone, Copy)]
pub(crate) struct TimerId {
    id: u64,
    due: Instant,
}

impl Clock {
    /// Starts the clock on the runtime of the caller.
    pub(crate) fn start() -> Arc<Self> {
        let clock = Arc::new(Self::default());
        // Made here, so that on a runtime without time it is the caller who is told.
        let sleep = Box::pin(rt::sleep_until(rt::now()));
        rt::spawn(|| "timers".to_owned(), Driver { clock: Arc::downgrade(&clock), sleep });
        clock
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Sets a timer, for a process that it ends with if there is an owner. Where the clock is stopped it is not pending.
    pub(crate) fn set(&self, due: Instant, owner: Option<Pid>, action: Action) -> TimerId {
        let mut state = self.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        if state.stopped {
            drop(state);
            scope::discard(action);
        } else {
            let earliest = state.pending.first_key_value().is_none_or(|((first, _), _)| due < *first);
            state.insert((due, id), Entry { owner, action });
            let waker = if earliest { state.waker.take() } else { None };
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        TimerId { id, due }
    }

    /// Removes a timer. How long it had still to run; `None` if it is not pending.
    pub(crate) fn cancel(&self, timer: TimerId) -> Option<Duration> {
        let mut state = self.state.lock();
        let key = state.key(timer);
        let entry = state.remove(key);
        drop(state);
        entry.map(|entry| {
            scope::discard(entry);
            key.0.saturating_duration_since(rt::now())
        })
    }

    /// How long a timer has still to run; `None` if it is not pending.
    pub(crate) fn remaining(&self, timer: TimerId) -> Option<Duration> {
        let state = self.state.lock();
        let key = state.key(timer);
        state.pending.contains_key(&key).then(|| key.0.saturating_duration_since(rt::now()))
    }

    /// Takes the timer that has been due for longest, and sets it anew if it is an interval. One at a time: what is
    /// cancelled while another fires does not fire.
    fn take_due(&self, now: Instant) -> Option<Action> {
        let mut state = self.state.lock();
        let key = *state.pending.first_key_value()?.0;
        if key.0 > now {
            return None;
        }
        let entry = state.remove(key)?;
        if let Action::Every { period, missed, tick } = &entry.action {
            let next = missed.next(key.0, *period, now);
            let action = Action::Every { period: *period, missed: *missed, tick: tick.clone() };
            state.insert((next, key.1), Entry { owner: entry.owner, action });
        }
        Some(entry.action)
    }

    /// When the next timer is due. Whoever sets an earlier one wakes this waker.
    fn next_due(&self, waker: &Waker) -> Option<Instant> {
        let mut state = self.state.lock();
        state.waker = Some(waker.clone());
        state.pending.first_key_value().map(|((due, _), _)| *due)
    }

    fn stop(&self) {
        let State { pending, waker, .. } = {
            let mut state = self.state.lock();
            let stopped = State { stopped: true, next_id: state.next_id, ..State::default() };
            std::mem::replace(&mut *state, stopped)
        };
        drop(waker);
        pending.into_values().for_each(scope::discard);
    }
}

impl State {
    fn key(&self, timer: TimerId) -> Key {
        (self.intervals.get(&timer.id).copied().unwrap_or(timer.due), timer.id)
    }

    fn insert(&mut self, key: Key, entry: Entry) {
        if let Some(owner) = entry.owner {
            self.by_owner.insert((owner, key.1), key.0);
        }
        if let Action::Every { .. } = &entry.action {
            self.intervals.insert(key.1, key.0);
        }
        self.pending.insert(key, entry);
    }

    fn remove(&mut self, key: Key) -> Option<Entry> {
        let entry = self.pending.remove(&key)?;
        if let Some(owner) = entry.owner {
            self.by_owner.remove(&(owner, key.1));
        }
        if let Action::Every { .. } = &entry.action {
            self.intervals.remove(&key.1);
        }
        Some(entry)
    }
}

impl Members for Clock {
    /// The timers of a process end with it.
    fn release(&self, pid: Pid) {
        loop {
            let mut state = self.state.lock();
            let owned = state.by_owner.range((pid, 0)..=(pid, u64::MAX)).take(REMOVED_PER_LOCK);
            let keys: Vec<Key> = owned.map(|((_, id), due)| (*due, *id)).collect();
            let ended: Vec<_> = keys.into_iter().filter_map(|key| state.remove(key)).collect();
            drop(state);
            if ended.is_empty() {
                return;
            }
            // Each by itself: if two panicked at once, the program would abort.
            for entry in ended {
                quietly(|| drop(entry));
            }
        }
    }
}

impl MissedTicks {
    fn next(self, due: Instant, period: Duration, now: Instant) -> Instant {
        match self {
            Self::Burst => due + period,
            Self::Delay => now + period,
            Self::Skip => {
                let late = now.saturating_duration_since(due).as_nanos();
                let into_period = u64::try_from(late % period.as_nanos().max(1)).unwrap_or(0);
                now + period - Duration::from_nanos(into_period)
            }
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // Nobody can set a timer here again: the task has nothing left to do.
        let waker = self.state.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
        self.stop();
    }
}

/// The task of a clock.
struct Driver {
    clock: Weak<Clock>,
    sleep: Pin<Box<Sleep>>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(clock) = self.clock.upgrade() else { return Poll::Ready(()) };
        loop {
            let now = rt::now();
            let mut fired = 0;
            while let Some(action) = clock.take_due(now) {
                // What makes a message may panic: that is no reason for others to be late.
                quietly(|| action.run());
                fired += 1;
                if fired == FIRED_PER_POLL {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            let Some(next) = clock.next_due(cx.waker()) else { return Poll::Pending };
            let sleep = &mut self.sleep;
            if sleep.deadline() != next || sleep.is_elapsed() {
                sleep.as_mut().reset(next);
            }
            if rt::poll_sleep(sleep.as_mut(), cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(clock) = self.clock.upgrade() {
            clock.stop();
        }
    }
}

impl Action {
    fn run(self) {
        match self {
            Self::Once(fire) => fire(),
            Self::Every { tick, .. } => tick(),
        }
    }
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
mod tests {
    use super::*;

    /// Notes how many timers are pending when it is dropped.
    struct Looking {
        clock: Arc<Clock>,
        seen: Arc<Mutex<Vec<usize>>>,
    }

    impl Drop for Looking {
        fn drop(&mut self) {
            let pending = self.clock.state.lock().pending.len();
            self.seen.lock().push(pending);
        }
    }

    #[tokio::test]
    async fn the_end_of_a_process_with_many_timers_lets_others_set_some() {
        let (clock, seen) = (Arc::new(Clock::default()), Arc::<Mutex<Vec<usize>>>::default());
        let owner = Pid::here(1);
        for _ in 0..1_000 {
            let looking = Looking { clock: clock.clone(), seen: seen.clone() };
            clock.set(rt::now(), Some(owner), Action::Once(Box::new(move || drop(looking))));
        }
        clock.release(owner);
        let seen = seen.lock();
        assert_eq!((seen.len(), seen[0], seen[999]), (1_000, 1_000 - REMOVED_PER_LOCK, 0));
    }
}
