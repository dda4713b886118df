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
//! are outside: they know nothing of the clock. What is random in the program itself has to come from its [`Chance`].
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
};

use tokio::{runtime::Builder, task::unconstrained};

use crate::node::Node;

/// After one poll in so many, by chance, tokio has its turn, with its timers and its tasks: they come at any point, too, and
/// processes that give way to each other all the time do not keep them out.
const TURN: usize = 4;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    /// Where what is spawned on this thread goes, while it simulates.
    static CURRENT: RefCell<Option<Arc<Mutex<Ready>>>> = const { RefCell::new(None) };
}

/// Takes a task over, if this thread simulates; gives it back if not.
pub(crate) fn take_over<F: Future<Output = ()> + Send + 'static>(task: F) -> Result<(), F> {
    let current = CURRENT.try_with(|current| current.borrow().clone()).ok().flatten();
    let Some(ready) = current else { return Err(task) };
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
    let chance = Chance(Arc::new(Mutex::new(seed)));
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("there is no runtime: {error}"));
    let mut schedule = Schedule { tasks: Vec::new(), ready: Arc::default(), chance: chance.clone() };
    let _simulating = Simulating::begin(schedule.ready.clone());
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
/// The environment may say `OTP_SEED`, which a failure tells: that schedule comes first then.
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
/// If the program panics or is ended under one of them, with the seed that repeats it; inside a tokio runtime.
pub fn many<F>(schedules: u64, program: impl Fn(Chance) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let given = env::var("OTP_SEED").ok().and_then(|seed| u64::from_str_radix(&seed, 16).ok());
    let first = given.unwrap_or_default();
    for seed in (0..schedules).map(|schedule| first.wrapping_add(schedule)) {
        let _telling = Telling(seed);
        once(seed, &program);
    }
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

/// What is left to chance, drawn from the seed of the simulation: the same again for the same seed.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<u64>>);

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
        let mut state = lock(&self.0);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % (limit.max(1) as u64)).unwrap_or_default()
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
    fn begin(ready: Arc<Mutex<Ready>>) -> Self {
        let before = CURRENT.with(|current| current.borrow_mut().replace(ready));
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
    chance: Chance,
}

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
        }
    }

    fn pick(&self) -> Option<usize> {
        let mut ready = lock(&self.ready);
        if ready.tasks.is_empty() {
            return None;
        }
        let index = self.chance.below(ready.tasks.len());
        Some(ready.tasks.swap_remove(index))
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
