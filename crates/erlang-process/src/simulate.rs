//! Whole programs under schedules that are drawn from a seed.
//!
//! On one thread with a paused clock a program has one order of events, always the same. Here it has many: whenever more
//! than one process could run, chance says which one does. A test of minutes takes microseconds, hundreds of orders are
//! tried, and what fails is repeated by its seed, on any machine.
//!
//! ```
//! use std::time::Duration;
//! use erlang_process::{self as process, Subject, simulate};
//!
//! let mut first = std::collections::BTreeSet::new();
//! for seed in 0..20 {
//!     first.insert(simulate::once(seed, |_| async {
//!         let names = Subject::new().unwrap();
//!         for name in ["ledger", "mailer"] {
//!             let names = names.clone();
//!             process::spawn(async move { names.send(name) });
//!         }
//!         names.receive(Duration::from_secs(60)).await.unwrap()
//!     }));
//! }
//! assert_eq!(first.len(), 2, "either of them comes first, by some seed");
//! ```
//!
//! # What is drawn
//!
//! Which of the processes that are ready runs next: those that are spawned while the simulation runs. What is given to
//! tokio directly, as by `tokio::spawn`, runs as well, in an order that is always the same. Sockets and threads of one's own
//! are outside: they know nothing of the clock. What is random in the program itself has to come from its [`Chance`]: the
//! maps of the standard library go through their entries in an order that is never the same, and so does `tokio::select!`
//! through its branches, unless it is `biased`. Names that are [unique](crate::Name::new) print a number of the whole program.
//!
//! | for | the process that runs next is | finds |
//! |---|---|---|
//! | half of the seeds | any that is ready | what needs many changes from one to another |
//! | the other half | the one of highest priority, which is drawn for each and lost now and then | what needs one that is held up for long |
//!
//! Messages of different senders are in the order in which they were sent, as they always are on one node: which sender
//! comes first is what is drawn.
//!
//! At [trouble points](crate::trouble) a program that [asks for it](Chance::make_trouble) is kept waiting, or fails.
//!
//! With the feature `testing`, for the `dev-dependencies` of a program.

use std::{
    cell::RefCell,
    env, fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokio::{runtime::Builder, task::unconstrained};

use crate::{
    node::Node,
    pid::Pid,
    process::{current, exit},
    reason::ExitReason,
};

/// After one poll in so many, by chance, tokio has its turn, with its timers and its tasks: they come at any point, too, and
/// processes that give way to each other all the time do not keep them out.
const TURN: usize = 4;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Under priorities, one in so many that run loses its own by that, by chance.
const CHANGE: usize = 32;

thread_local! {
    /// The simulation that this thread runs.
    static CURRENT: RefCell<Option<Simulation>> = const { RefCell::new(None) };
}

/// What those who run in a simulation can reach of it.
#[derive(Clone)]
struct Simulation {
    /// Where what is spawned goes.
    ready: Arc<Mutex<Ready>>,
    chance: Chance,
}

impl Simulation {
    fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }
}

/// Takes a task over, if this thread simulates; gives it back if not.
pub(crate) fn take_over<F: Future<Output = ()> + Send + 'static>(task: F) -> Result<(), F> {
    let Some(Simulation { ready, .. }) = Simulation::current() else { return Err(task) };
    let driver = {
        let mut ready = lock(&ready);
        ready.spawned.push(Box::pin(task));
        ready.driver.clone()
    };
    if let Some(driver) = driver {
        driver.wake();
    }
    Ok(())
}

/// Runs a program as a process of a fresh [`Node`], under the schedule of a seed and a paused clock, and returns what it
/// returns. What it has left running is dropped then.
///
/// The program gets the chance that the schedule is drawn from, for what it leaves to chance itself.
///
/// ```
/// use erlang_process::{self as process, Subject, simulate};
///
/// // One schedule, the one of this seed: to look at what has failed.
/// let first = simulate::once(7, |_| async {
///     let subject = Subject::new().unwrap();
///     for n in [1, 2] {
///         let subject = subject.clone();
///         process::spawn(async move { subject.send(n) });
///     }
///     subject.receive_forever().await.unwrap()
/// });
/// assert!(first == 1 || first == 2);
/// ```
///
/// # Panics
///
/// If the program panics or is ended, with the reason; inside a tokio runtime.
pub fn once<T, F>(seed: u64, program: impl FnOnce(Chance) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let chance = Chance(Arc::new(Mutex::new(Dice { state: seed, trouble: 0 })));
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("there is no runtime: {error}"));
    let order = if chance.below(2) == 0 { Order::Any } else { Order::ByPriority(Vec::new()) };
    let ready = Arc::<Mutex<Ready>>::default();
    let _simulating = Simulating::begin(Simulation { ready: ready.clone(), chance: chance.clone() });
    let mut schedule = Schedule { tasks: Vec::new(), ready, order, chance: chance.clone() };
    let (node, program) = (Node::new(), program(chance));
    let mut outcome = Box::pin(async move { node.run(program).await });
    let ended = runtime.block_on(unconstrained(poll_fn(|cx| {
        if let Poll::Ready(ended) = outcome.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        schedule.run(cx);
        outcome.as_mut().poll(cx)
    })));
    {
        // Processes that end now may spawn others, which want to know the runtime.
        let _inside = runtime.enter();
        schedule.drop_all();
    }
    ended.unwrap_or_else(|reason| panic!("the program has ended: {reason}"))
}

/// Runs a program under so many schedules.
///
/// The environment may say `OTP_SEED`, a hexadecimal number, which a failure tells: that schedule comes first then.
///
/// ```
/// use erlang_process::{self as process, simulate};
///
/// simulate::many(50, |chance| async move {
///     let victim = process::spawn_unlinked(std::future::pending::<()>());
///     if chance.below(2) == 0 {
///         process::kill(victim);
///     }
///     process::kill(victim);
///     process::join(victim).await;
///     assert!(!process::is_alive(victim));
/// });
/// ```
///
/// # Panics
///
/// If the program panics or is ended under one of them, with the seed that repeats it; inside a tokio runtime; if `OTP_SEED`
/// is no seed.
pub fn many<F>(schedules: u64, program: impl Fn(Chance) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let first = env::var_os("OTP_SEED").map_or(0, |seed| read_seed(&seed.to_string_lossy()));
    for seed in (0..schedules).map(|schedule| first.wrapping_add(schedule)) {
        let _telling = Telling(seed);
        once(seed, &program);
    }
}

/// A seed as a failure tells it: in hexadecimal, with or without `0x`.
fn read_seed(text: &str) -> u64 {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("OTP_SEED is no seed: {text:?}: {error}"))
}

/// Tells the seed if the program fails under it.
struct Telling(u64);

impl Drop for Telling {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        tell(&format!("repeat: OTP_SEED={:x} cargo test {test}", self.0));
    }
}

/// The test harness shows it together with the panic.
#[allow(clippy::print_stderr)]
fn tell(text: &str) {
    eprintln!("{text}");
}

/// Has a process of the current node hang when it is asked to end: from here on it does not heed the exit signal `shutdown`
/// that somebody sends it. A supervisor then waits for as long as it has to, and kills it. Whether there is such a process.
///
/// It still ends by a kill, by itself, and of its links.
///
/// ```
/// use erlang_process::{self as process, ExitReason, simulate};
///
/// simulate::once(0, |_| async {
///     let worker = process::spawn_unlinked(std::future::pending::<()>());
///     assert!(simulate::hang_on_stop(worker));
///     process::send_exit(worker, ExitReason::Shutdown);
///     assert!(process::is_alive(worker));
///     process::kill(worker);
///     assert_eq!(process::join(worker).await, ExitReason::Killed);
/// });
/// ```
pub fn hang_on_stop(pid: Pid) -> bool {
    Node::current().find(pid).is_some_and(|process| process.with(|control, _| control.ignore_shutdown()))
}

/// What is left to chance, drawn from the seed of the simulation: the same again for the same seed.
///
/// ```
/// use erlang_process::simulate;
///
/// // What a program leaves to chance is the same again for the same seed.
/// let toss = |seed| simulate::once(seed, |chance| async move { [chance.below(2), chance.below(2), chance.below(2)] });
/// assert_eq!(toss(7), toss(7));
/// assert!((0..20).any(|seed| toss(seed) != toss(7)));
/// ```
#[derive(Clone)]
pub struct Chance(Arc<Mutex<Dice>>);

struct Dice {
    state: u64,
    /// At one in so many trouble points there is trouble; at none, if it is zero.
    trouble: usize,
}

impl Chance {
    /// A number below this one. Zero, if this is zero.
    ///
    /// ```
    /// use erlang_process::simulate;
    ///
    /// let dice = simulate::once(7, |chance| async move { chance.below(6) + 1 });
    /// assert!((1..=6).contains(&dice));
    /// ```
    #[must_use]
    pub fn below(&self, limit: usize) -> usize {
        let mut dice = lock(&self.0);
        dice.state = dice.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = dice.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % (limit.max(1) as u64)).unwrap_or_default()
    }

    /// From here on there is trouble at one in so many [trouble points](crate::trouble), by chance. At none, if this is zero,
    /// as it is at first.
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason, simulate, trouble};
    ///
    /// let mut failed = 0;
    /// for seed in 0..20 {
    ///     let ended = simulate::once(seed, |chance| async move {
    ///         chance.make_trouble(2);
    ///         process::join(process::spawn_unlinked(async { trouble::may_fail("here") })).await
    ///     });
    ///     failed += i32::from(ended == ExitReason::error("trouble: here"));
    /// }
    /// assert!((1..20).contains(&failed));
    /// ```
    pub fn make_trouble(&self, one_in: usize) {
        lock(&self.0).trouble = one_in;
    }

    fn is_trouble(&self) -> bool {
        let one_in = lock(&self.0).trouble;
        one_in > 0 && self.below(one_in) == 0
    }
}

/// A place where one may be kept waiting.
pub(crate) async fn wait_at(place: &'static str) {
    let Some(Simulation { chance, .. }) = Simulation::current() else { return };
    if chance.is_trouble() {
        tracing::trace!(target: "erlang_process::trouble", place, "waiting");
        match chance.below(2) {
            0 => tokio::task::yield_now().await,
            _ => tokio::time::sleep(Duration::from_millis(1 << chance.below(11))).await,
        }
    }
}

/// A place where the calling process may end.
pub(crate) fn fail_at(place: &'static str) {
    let Some(Simulation { chance, .. }) = Simulation::current() else { return };
    if current().is_some() && chance.is_trouble() {
        exit(ExitReason::error(format!("trouble: {place}")));
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

/// This thread simulates as long as this is there.
struct Simulating;

impl Simulating {
    fn begin(simulation: Simulation) -> Self {
        let before = CURRENT.with(|current| current.borrow_mut().replace(simulation));
        assert!(before.is_none(), "a simulation inside a simulation");
        Self
    }
}

impl Drop for Simulating {
    fn drop(&mut self) {
        drop(CURRENT.try_with(|current| current.borrow_mut().take()));
    }
}

/// All tasks of a simulation, of which chance picks one that is ready.
struct Schedule {
    /// Each with the one waker that it ever has: processes rely on that.
    tasks: Vec<Option<(Task, Waker)>>,
    ready: Arc<Mutex<Ready>>,
    order: Order,
    chance: Chance,
}

/// In which order tasks run that are ready.
enum Order {
    Any,
    /// The highest first; of each task.
    ByPriority(Vec<usize>),
}

/// Priorities are drawn from the upper half of the numbers below this, and lost to one of the lower half.
const PRIORITIES: usize = 1 << 30;

#[derive(Default)]
struct Ready {
    /// What is to be taken in.
    spawned: Vec<Task>,
    tasks: Vec<usize>,
    /// Who drives the schedule: it has to be woken when there is more for it, by a timer, say.
    driver: Option<Waker>,
}

struct TaskWaker {
    task: usize,
    ready: Arc<Mutex<Ready>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let driver = {
            let mut ready = lock(&self.ready);
            if !ready.tasks.contains(&self.task) {
                ready.tasks.push(self.task);
            }
            ready.driver.clone()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

impl Schedule {
    /// Polls tasks that are ready, until none is or tokio should have its turn.
    fn run(&mut self, cx: &mut Context<'_>) {
        lock(&self.ready).driver = Some(cx.waker().clone());
        while self.chance.below(TURN) > 0 {
            self.adopt();
            let Some(task) = self.pick() else { return };
            if let Some((running, waker)) = &mut self.tasks[task]
                && running.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
            {
                self.tasks[task] = None;
            }
        }
        cx.waker().wake_by_ref();
    }

    /// Takes in what was spawned meanwhile; it is ready.
    fn adopt(&mut self) {
        let spawned = mem::take(&mut lock(&self.ready).spawned);
        for task in spawned {
            let number = self.tasks.len();
            let waker = Waker::from(Arc::new(TaskWaker { task: number, ready: self.ready.clone() }));
            lock(&self.ready).tasks.push(number);
            self.tasks.push(Some((task, waker)));
            if let Order::ByPriority(priorities) = &mut self.order {
                priorities.push(PRIORITIES / 2 + self.chance.below(PRIORITIES / 2));
            }
        }
    }

    fn pick(&mut self) -> Option<usize> {
        let mut ready = lock(&self.ready);
        let last = ready.tasks.len().checked_sub(1)?;
        let task = match &mut self.order {
            Order::Any => ready.tasks.swap_remove(self.chance.below(last + 1)),
            Order::ByPriority(priorities) => {
                let index = (0..=last).max_by_key(|index| priorities[ready.tasks[*index]])?;
                let task = ready.tasks.swap_remove(index);
                if self.chance.below(CHANGE) == 0 {
                    priorities[task] = self.chance.below(PRIORITIES / 2);
                }
                task
            }
        };
        Some(task)
    }

    fn drop_all(&mut self) {
        loop {
            self.adopt();
            let left: Vec<_> = self.tasks.drain(..).flatten().collect();
            if left.is_empty() {
                return;
            }
            drop(left);
        }
    }
}

/// Nothing of ours panics under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_as_it_is_told() {
        assert_eq!((read_seed("2a"), read_seed("0x2a")), (42, 42));
    }

    #[test]
    #[should_panic(expected = "OTP_SEED is no seed: \"g\"")]
    fn what_is_no_seed_is_not_passed_over() {
        read_seed("g");
    }
}
