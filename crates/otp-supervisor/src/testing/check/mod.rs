//! Trees of one's own, checked under generated faults.

mod comparison;
mod day;
mod log;

use std::{
    collections::BTreeSet,
    env, fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use erlang_process::{self as process, Node, Pid, RegisteredName, simulate};
use otp_actor::{StartError, Started};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use self::day::{Day, Seen};
use super::{
    Faults, Reason,
    schedule::{Draft, drafts, no_child},
};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Start<D> = Arc<dyn Fn() -> BoxFuture<Result<Started<D>, StartError>> + Send + Sync>;
type Prepare<D> = Arc<dyn Fn(World<D>) -> BoxFuture<()> + Send + Sync>;
type Truth<D> = Arc<dyn Fn(&World<D>) -> bool + Send + Sync>;
type LastTruth<D> = Arc<dyn Fn(World<D>) -> BoxFuture<bool> + Send + Sync>;

/// One assertion about a tree: it is started again and again, each time on a fresh [`Node`], [simulated](simulate), and has
/// a day of generated [faults](Faults); at each rest the truths are looked at.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{Name, Reply};
/// use otp_actor as actor;
/// use otp_supervisor::{Strategy, Supervised, static_supervisor as supervisor, testing::{Check, Faults}};
///
/// const LEDGER: Name<Reply<u32>> = Name::fixed("ledger");
///
/// fn orders() -> supervisor::Builder {
///     let ledger = || actor::new(0).on_message(|sum: &mut u32, reply: Reply<u32>| reply.send(*sum));
///     supervisor::new(Strategy::RestForOne)
///         .add(ledger().named(LEDGER).supervised().id("ledger"))
///         .add(ledger().supervised().id("mailer"))
/// }
///
/// Check::tree(|| orders().start())
///     .faults(Faults::crashes() + Faults::kills())
///     .at_once(2)
///     .cases(50)
///     .follows_otp()
///     .always("the ledger has its name", |world| world.whereis(LEDGER).is_some() || world.ended().is_some())
///     .finally("it answers", |world| async move {
///         world.ended().is_some() || LEDGER.subject().call(Duration::from_secs(1), |reply| reply).await == Ok(0)
///     })
///     .sometimes("something was restarted", |world| world.restarts() > 0)
///     .run();
/// ```
///
/// A check that fails shrinks the day, tells it in words, with what supervisors have reported last, and says how to repeat it:
///
/// ```text
/// broken: the ledger has its name
///   0 s   (it starts)                     ledger, mailer
///   0 s   crash ledger                    new: ledger, mailer
///   0 s   crash ledger, crash mailer      it has ended (Shutdown)
/// last in the log:
///   child terminated  supervisor=<0.2.0> child=mailer pid=<0.6.0> restart=Permanent reason=a fault
///   too many restarts: supervisor gives up  supervisor=<0.2.0> child=mailer
/// repeat: OTP_SEED=8f3a cargo test the_orders_survive
/// ```
///
/// # What holds for the tree
///
/// Starts have to succeed, at any time: a child that cannot be started again is what the check is there to find. Faults
/// come when the tree is at rest, which its own timers do not delay. Real sockets and threads of one's own are outside:
/// they know nothing of the paused clock.
#[must_use = "a check does nothing before it is run"]
pub struct Check<D> {
    start: Start<D>,
    prepare: Option<Prepare<D>>,
    faults: Faults,
    at_once: usize,
    cases: u32,
    follows_otp: bool,
    always: Vec<(String, Truth<D>)>,
    finally: Vec<(String, LastTruth<D>)>,
    sometimes: Vec<(String, Truth<D>)>,
}

impl<D: Clone + Send + Sync + 'static> Check<D> {
    /// A check of the tree that `start` starts, with nothing but crashes, one at a time, on a hundred days.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// // A hundred days with crashes: it comes to rest after each, whatever that is.
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start()).run();
    /// ```
    pub fn tree<F>(start: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
    {
        Self {
            start: Arc::new(move || Box::pin(start())),
            prepare: None,
            faults: Faults::crashes(),
            at_once: 1,
            cases: 100,
            follows_otp: false,
            always: Vec::new(),
            finally: Vec::new(),
            sometimes: Vec::new(),
        }
    }

    /// Does this first with each tree: what children a factory has, what is in the books.
    ///
    /// It must not make the tree restart anything.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{factory_supervisor, testing::Check};
    ///
    /// let rooms = || factory_supervisor::worker(|n: u32| {
    ///     actor::new(n).on_message(|_: &mut u32, (): ()| ()).start()
    /// }).start();
    /// Check::tree(rooms)
    ///     .with(|world| async move {
    ///         for n in 0..3 {
    ///             world.root().start_child(n).await.unwrap();
    ///         }
    ///     })
    ///     .cases(10)
    ///     .follows_otp()
    ///     .run();
    /// ```
    pub fn with<F>(mut self, prepare: impl Fn(World<D>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.prepare = Some(Arc::new(move |world| Box::pin(prepare(world))));
        self
    }

    /// What may go wrong. Without this, [crashes](Faults::crashes).
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::{Check, Faults}};
    ///
    /// let child = |id| supervision::process(std::future::pending::<()>).id(id);
    /// Check::tree(move || supervisor::new(Strategy::OneForAll).add(child("ledger")).add(child("mailer")).start())
    ///     .faults(Faults::kills().of(["mailer"]) + Faults::hangs_on_stop())
    ///     .cases(10)
    ///     .follows_otp()
    ///     .run();
    /// ```
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// How many faults may come before the supervisor of the children looks. Without this, one.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let child = |id| supervision::process(std::future::pending::<()>).id(id);
    /// Check::tree(move || supervisor::new(Strategy::OneForAll).add(child("ledger")).add(child("mailer")).start())
    ///     // Both die before they are missed: that is one restart.
    ///     .at_once(2)
    ///     .cases(50)
    ///     .sometimes("both were restarted", |world| world.restarts() >= 2)
    ///     .run();
    /// ```
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn at_once(mut self, at_once: usize) -> Self {
        assert!(at_once > 0, "at least one fault comes at once");
        self.at_once = at_once;
        self
    }

    /// How many days there are. Without this, a hundred.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// // A thousand days, at night.
    /// let days = if std::env::var_os("NIGHTLY").is_some() { 1_000 } else { 20 };
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start()).cases(days).run();
    /// ```
    pub fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// At each rest the children that run, and those that were restarted, are those that the [`Model`](super::Model) says,
    /// which is Erlang's supervisor.
    ///
    /// Not for trees in which something else than faults makes processes end or come: links between siblings,
    /// children that are done after some time or start others, restarts that are put off, starts that take time: the clock by
    /// which a supervisor counts its restarts begins when it is started, and the model starts all at once.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let child = |id| supervision::process(std::future::pending::<()>).id(id);
    /// // A crash of the ledger restarts the mailer, one of the mailer nobody else; the second in five seconds ends it.
    /// Check::tree(move || supervisor::new(Strategy::RestForOne).add(child("ledger")).add(child("mailer")).start())
    ///     .cases(20)
    ///     .follows_otp()
    ///     .run();
    /// ```
    pub fn follows_otp(mut self) -> Self {
        self.follows_otp = true;
        self
    }

    /// This holds at each rest.
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_actor as actor;
    /// use otp_supervisor::{Strategy, Supervised, static_supervisor as supervisor, testing::Check};
    ///
    /// const LEDGER: Name<u32> = Name::fixed("ledger");
    ///
    /// let ledger = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).named(LEDGER).supervised();
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger().id("ledger")).start())
    ///     .cases(20)
    ///     .always("whoever looks for the ledger finds it", |world| world.whereis(LEDGER) == world.process("ledger"))
    ///     .run();
    /// ```
    pub fn always(
        mut self,
        what: impl Into<String>,
        holds: impl Fn(&World<D>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.always.push((what.into(), Arc::new(holds)));
        self
    }

    /// This holds at the end of each day.
    ///
    /// ```
    /// use erlang_process::{Name, Reply};
    /// use otp_actor as actor;
    /// use otp_supervisor::{Strategy, Supervised, static_supervisor as supervisor, testing::Check};
    /// use std::time::Duration;
    ///
    /// const LEDGER: Name<Reply<u32>> = Name::fixed("ledger");
    ///
    /// let ledger = || actor::new(7).on_message(|sum: &mut u32, reply: Reply<u32>| reply.send(*sum)).named(LEDGER);
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger().supervised()).start())
    ///     .cases(20)
    ///     .finally("it answers, or the tree has given up", |world| async move {
    ///         world.ended().is_some() || LEDGER.subject().call(Duration::from_secs(1), |reply| reply).await == Ok(7)
    ///     })
    ///     .run();
    /// ```
    pub fn finally<F>(
        mut self,
        what: impl Into<String>,
        holds: impl Fn(World<D>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        self.finally.push((what.into(), Arc::new(move |world| Box::pin(holds(world)))));
        self
    }

    /// This holds at some rest of some day: it guards against a test that tests nothing.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start())
    ///     .sometimes("it has given up", |world| world.ended().is_some())
    ///     .sometimes("it has come through", |world| world.restarts() > 0 && world.ended().is_none())
    ///     .run();
    /// ```
    pub fn sometimes(
        mut self,
        what: impl Into<String>,
        holds: impl Fn(&World<D>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.sometimes.push((what.into(), Arc::new(holds)));
        self
    }

    /// Runs the check.
    ///
    /// The environment may say `OTP_SEED`, which a failure tells: the failing day comes first then.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// let check = Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start())
    ///     .always("nothing ever crashes", |world| world.restarts() == 0);
    /// // It does, and the test fails: with the shortest such day, and how to repeat it.
    /// let failed = std::thread::spawn(|| check.run()).join().unwrap_err();
    /// assert!(failed.downcast_ref::<String>().is_some_and(|told| told.contains("broken: nothing ever crashes")));
    /// ```
    ///
    /// # Panics
    ///
    /// With the shortest day that was found, if a truth does not hold, the tree does not start or does not come to rest;
    /// if something that should hold some time never did; if faults are to happen to a child that there never is; inside
    /// another tokio runtime.
    pub fn run(self) {
        let given = env::var("OTP_SEED").ok().and_then(|seed| u64::from_str_radix(&seed, 16).ok());
        let now =
            || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        let first = given.unwrap_or_else(|| now().into());
        let days = drafts(&self.faults, self.at_once);
        let seen = Mutex::new(Seen::default());
        for seed in (0..u64::from(self.cases)).map(|case| first.wrapping_add(case)) {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            let config = Config { failure_persistence: None, ..Config::default() };
            let mut runner =
                TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
            let Ok(day) = days.new_tree(&mut runner) else { continue };
            let first = day.current();
            let shrunk = runner.run_one(day, |day| self.day(&day, seed, &seen).map_err(TestCaseError::fail));
            if let Err(TestError::Fail(_, shortest)) = shrunk {
                let told = [shortest, first].iter().find_map(|day| self.told(day, seed, &seen));
                let told = told.unwrap_or_else(|| {
                    "it failed once, and not again: the tree is not deterministic".to_owned()
                });
                let test = std::thread::current().name().unwrap_or_default().to_owned();
                panic!("{told}\nrepeat: OTP_SEED={seed:x} cargo test {test}");
            }
        }
        let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.faults.must_be_of(seen.children.iter().map(String::as_str));
        if let Some((never, _)) = self.sometimes.iter().find(|(what, _)| !seen.sometimes.contains(what)) {
            panic!("on none of {} days: {never}", self.cases);
        }
    }

    /// What is to be told of a day, if it fails.
    fn told(&self, drafts: &[Draft], seed: u64, seen: &Mutex<Seen>) -> Option<String> {
        let (outcome, log) = log::of(|| self.day(drafts, seed, seen));
        let story = outcome.err()?;
        let log = log.iter().map(|line| format!("\n  {line}")).collect::<String>();
        Some(if log.is_empty() { story } else { format!("{story}\nlast in the log:{log}") })
    }

    /// Has one day, under the schedule of a seed. The error is its story.
    fn day(&self, drafts: &[Draft], seed: u64, seen: &Mutex<Seen>) -> Result<(), String> {
        let day = Day::new(self.clone(), drafts.to_vec());
        let (outcome, of_this_day) = simulate::once(seed, |_| process::catch(day.run()))
            .map_err(|reason| format!("broken: a truth or what was to be done first panicked: {reason}"))?;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.sometimes.extend(of_this_day.sometimes);
        seen.children.extend(of_this_day.children);
        outcome
    }
}

impl<D> Clone for Check<D> {
    fn clone(&self) -> Self {
        Self {
            start: self.start.clone(),
            prepare: self.prepare.clone(),
            faults: self.faults.clone(),
            at_once: self.at_once,
            cases: self.cases,
            follows_otp: self.follows_otp,
            always: self.always.clone(),
            finally: self.finally.clone(),
            sometimes: self.sometimes.clone(),
        }
    }
}

impl<D> fmt::Debug for Check<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |truths: &[(String, Truth<D>)]| truths.iter().map(|(what, _)| what.clone()).collect::<Vec<_>>();
        f.debug_struct("Check")
            .field("faults", &self.faults)
            .field("at_once", &self.at_once)
            .field("cases", &self.cases)
            .field("follows_otp", &self.follows_otp)
            .field("always", &names(&self.always))
            .field("sometimes", &names(&self.sometimes))
            .finish_non_exhaustive()
    }
}

/// A tree at rest, as truths see it.
///
/// ```
/// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::{Check, World}};
///
/// fn somebody_is_there(world: &World<supervisor::Supervisor>) -> bool {
///     world.ended().is_some() || world.children().any(|path| world.process(path).is_some())
/// }
///
/// let child = |id| supervision::process(std::future::pending::<()>).id(id);
/// Check::tree(move || supervisor::new(Strategy::OneForOne).add(child("ledger")).add(child("mailer")).start())
///     .cases(20)
///     .always("somebody is there", somebody_is_there)
///     .run();
/// ```
#[derive(Clone, Debug)]
pub struct World<D> {
    data: D,
    children: Vec<(String, Option<Pid>)>,
    /// The paths of all children that there ever were.
    known: BTreeSet<String>,
    restarts: usize,
    ended: Option<Reason>,
}

impl<D> World<D> {
    /// What the start of the tree has returned: the handle of its root.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start())
    ///     .cases(20)
    ///     .finally("the root is known", |world| async move { world.root().pid().is_some() })
    ///     .run();
    /// ```
    #[must_use]
    pub fn root(&self) -> &D {
        &self.data
    }

    /// The process of the child at a path, see [`Faults::of`]; `None` if it has none, or if there is no such child any more.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start())
    ///     .cases(20)
    ///     .always("it runs or has ended", |world| world.process("ledger").is_some() || world.ended().is_some())
    ///     .run();
    /// ```
    ///
    /// # Panics
    ///
    /// If there never was such a child on this day.
    #[must_use]
    pub fn process(&self, path: &str) -> Option<Pid> {
        assert!(self.known.contains(path), "{}", no_child(path, self.known.iter().map(String::as_str)));
        self.children.iter().find(|(child, _)| child == path)?.1
    }

    /// The paths of all children, in start order, each with those below it after it.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let child = |id| supervision::process(std::future::pending::<()>).id(id);
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(child("ledger")).add(child("mailer")).start())
    ///     .cases(20)
    ///     .always("nobody is forgotten", |world| world.ended().is_some() || world.children().eq(["ledger", "mailer"]))
    ///     .run();
    /// ```
    pub fn children(&self) -> impl Iterator<Item = &str> {
        self.children.iter().map(|(path, _)| path.as_str())
    }

    /// Who holds this name on the node of the tree.
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_actor as actor;
    /// use otp_supervisor::{Strategy, Supervised, static_supervisor as supervisor, testing::Check};
    ///
    /// const LEDGER: Name<u32> = Name::fixed("ledger");
    ///
    /// let ledger = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).named(LEDGER).supervised();
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start())
    ///     .cases(20)
    ///     .always("it has its name", |world| world.whereis(LEDGER).is_some() || world.ended().is_some())
    ///     .run();
    /// ```
    #[must_use]
    pub fn whereis(&self, name: impl Into<RegisteredName>) -> Option<Pid> {
        Node::current().whereis(name)
    }

    /// How often a child was seen with another process than before.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::Check};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start())
    ///     .sometimes("it is started again", |world| world.restarts() > 0)
    ///     .run();
    /// ```
    #[must_use]
    pub fn restarts(&self) -> usize {
        self.restarts
    }

    /// How the root has ended, if it has.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    /// use otp_supervisor::testing::{Check, Reason};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start())
    ///     .always("if it gives up, it shuts down", |world| matches!(world.ended(), None | Some(Reason::Shutdown)))
    ///     .run();
    /// ```
    #[must_use]
    pub fn ended(&self) -> Option<Reason> {
        self.ended
    }
}
