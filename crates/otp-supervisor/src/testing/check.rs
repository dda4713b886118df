//! Trees of one's own, checked under generated faults.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    env,
    fmt::{self, Write as _},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use erlang_process::{self as process, Node, Pid, RegisteredName, simulate};
use otp_actor::{StartError, Started};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use tokio::time::Instant;

use super::{
    Deed, Faults, Model, Moment, Reason,
    schedule::{Draft, drafts},
    stage::{Stage, View},
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
/// A check that fails shrinks the day, tells it in words, and says how to repeat it:
///
/// ```text
/// broken: the ledger has its name
///   0 s   (it starts)                     ledger, mailer
///   0 s   crash ledger                    new: ledger, mailer
///   0 s   crash ledger, crash mailer      it has ended (Shutdown)
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
    pub fn with<F>(mut self, prepare: impl Fn(World<D>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.prepare = Some(Arc::new(move |world| Box::pin(prepare(world))));
        self
    }

    /// What may go wrong. Without this, [crashes](Faults::crashes).
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// How many faults may come before the supervisor of the children looks. Without this, one.
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
    pub fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// At each rest the children that run, and those that were restarted, are those that the [`Model`] says, which is
    /// Erlang's supervisor.
    ///
    /// Not for trees in which something else than faults makes processes end or come: links between siblings,
    /// children that are done after some time or start others, restarts that are put off.
    pub fn follows_otp(mut self) -> Self {
        self.follows_otp = true;
        self
    }

    /// This holds at each rest.
    pub fn always(
        mut self,
        what: impl Into<String>,
        holds: impl Fn(&World<D>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.always.push((what.into(), Arc::new(holds)));
        self
    }

    /// This holds at the end of each day.
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
    /// # Panics
    ///
    /// With the shortest day that was found, if a truth does not hold, the tree does not start or does not come to rest;
    /// if something that should hold some time never did; inside another tokio runtime.
    pub fn run(self) {
        let given = env::var("OTP_SEED").ok().and_then(|seed| u64::from_str_radix(&seed, 16).ok());
        let now =
            || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        let first = given.unwrap_or_else(|| now().into());
        let days = drafts(&self.faults, self.at_once);
        let seen = Mutex::new(BTreeSet::new());
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
                let told = [shortest, first].iter().find_map(|day| self.day(day, seed, &seen).err());
                let told = told.unwrap_or_else(|| {
                    "it failed once, and not again: the tree is not deterministic".to_owned()
                });
                let test = std::thread::current().name().unwrap_or_default().to_owned();
                panic!("{told}\nrepeat: OTP_SEED={seed:x} cargo test {test}");
            }
        }
        let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some((never, _)) = self.sometimes.iter().find(|(what, _)| !seen.contains(what)) {
            panic!("on none of {} days: {never}", self.cases);
        }
    }

    /// Has one day, under the schedule of a seed. The error is its story.
    fn day(&self, drafts: &[Draft], seed: u64, seen: &Mutex<BTreeSet<String>>) -> Result<(), String> {
        let day = Day { check: self.clone(), drafts: drafts.to_vec(), story: Story::default() };
        let (outcome, sometimes) = simulate::once(seed, |_| process::catch(day.run()))
            .map_err(|reason| format!("broken: a truth or what was to be done first panicked: {reason}"))?;
        seen.lock().unwrap_or_else(PoisonError::into_inner).extend(sometimes);
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
#[derive(Clone, Debug)]
pub struct World<D> {
    data: D,
    children: Vec<(String, Option<Pid>)>,
    restarts: usize,
    ended: Option<Reason>,
}

impl<D> World<D> {
    /// What the start of the tree has returned: the handle of its root.
    #[must_use]
    pub fn root(&self) -> &D {
        &self.data
    }

    /// The process of the child at a path; `None` if it has none, or if there is no such child.
    #[must_use]
    pub fn process(&self, path: &str) -> Option<Pid> {
        self.children.iter().find(|(child, _)| child == path)?.1
    }

    /// The paths of all children, in start order, each with those below it after it.
    pub fn children(&self) -> impl Iterator<Item = &str> {
        self.children.iter().map(|(path, _)| path.as_str())
    }

    /// Who holds this name on the node of the tree.
    #[must_use]
    pub fn whereis(&self, name: impl Into<RegisteredName>) -> Option<Pid> {
        Node::current().whereis(name)
    }

    /// How often a child was seen with another process than before.
    #[must_use]
    pub fn restarts(&self) -> usize {
        self.restarts
    }

    /// How the root has ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<Reason> {
        self.ended
    }
}

/// One day of one tree.
struct Day<D> {
    check: Check<D>,
    drafts: Vec<Draft>,
    story: Story,
}

/// A day, told.
#[derive(Default)]
struct Story(Vec<(Duration, String, String)>);

impl<D: Clone + Send + Sync + 'static> Day<D> {
    /// How it went, and what held some time.
    async fn run(mut self) -> (Result<(), String>, HashSet<String>) {
        let mut sometimes = HashSet::new();
        let outcome = self.play(&mut sometimes).await;
        (outcome.map_err(|broken| self.story.tell(&broken)), sometimes)
    }

    async fn play(&mut self, sometimes: &mut HashSet<String>) -> Result<(), String> {
        let check = &self.check;
        // The tree is linked with this process, and may end.
        process::trap_exits(true).map_err(|error| error.to_string())?;
        let dawn = Instant::now();
        let tree = (check.start)().await.map_err(|error| format!("the tree does not start: {error}"))?;
        let mut stage = Stage::new(tree.pid).map_err(|error| error.to_string())?;
        let mut world = World { data: tree.data, children: Vec::new(), restarts: 0, ended: None };
        if let Some(prepare) = &check.prepare {
            world.see(&stage.rest().await?);
            prepare(world.clone()).await;
        }
        let mut view = stage.rest().await?;
        world.see(&view);
        world.restarts = 0;
        let Ok(dawning) = &view else {
            return Err("the tree has ended before anything was done to it".to_owned());
        };
        let mut model = model_of(dawning);
        self.story.0.push((dawn.elapsed(), "(it starts)".to_owned(), world.running().join(", ")));
        for draft in &self.drafts {
            world.look(check, sometimes)?;
            let Ok(now) = &view else { break };
            let running: Vec<_> = now
                .children
                .iter()
                .filter(|seen| seen.pid.is_some())
                .map(|seen| (seen.path.clone(), seen.child.clone()))
                .collect();
            let Some(moment) = draft.settle(&running) else { continue };
            let time = dawn.elapsed();
            model.wait(time.saturating_sub(model.now()));
            let done = stage.play(&moment).await;
            let known: BTreeMap<_, _> = processes(&model).into_iter().collect();
            if let Moment::Deeds(_) = done {
                model.play(&done);
            }
            let rest = stage.rest().await;
            let before = world.children.clone();
            if let Ok(rest) = &rest {
                world.see(rest);
            }
            self.story.0.push((time, told(&done), world.news(&before)));
            view = rest?;
            if check.follows_otp {
                follows(&known, &model, &before, &world)?;
            }
        }
        world.look(check, sometimes)?;
        for (what, holds) in &check.finally {
            if !holds(world.clone()).await {
                return Err(what.clone());
            }
        }
        Ok(())
    }
}

impl<D> World<D> {
    /// Takes in what the tree looks like now.
    fn see(&mut self, view: &Result<View, Reason>) {
        let now = match view {
            Ok(view) => view.children.iter().map(|seen| (seen.path.clone(), seen.pid)).collect(),
            Err(reason) => {
                self.ended = Some(*reason);
                Vec::new()
            }
        };
        let before = std::mem::replace(&mut self.children, now);
        let other = |(path, pid): &&(String, Option<Pid>)| {
            pid.is_some() && before.iter().any(|(known, was)| known == path && was.is_some() && was != pid)
        };
        self.restarts += self.children.iter().filter(other).count();
    }

    /// Looks at what should hold now, and at what should hold some time.
    fn look(&self, check: &Check<D>, sometimes: &mut HashSet<String>) -> Result<(), String> {
        let held = check.sometimes.iter().filter(|(_, holds)| holds(self));
        sometimes.extend(held.map(|(what, _)| what.clone()));
        let broken = check.always.iter().find(|(_, holds)| !holds(self));
        broken.map_or(Ok(()), |(what, _)| Err(what.clone()))
    }

    fn running(&self) -> Vec<&str> {
        self.children.iter().filter(|(_, pid)| pid.is_some()).map(|(path, _)| path.as_str()).collect()
    }

    /// What is other than before, in words.
    fn news(&self, before: &[(String, Option<Pid>)]) -> String {
        if let Some(reason) = self.ended {
            return format!("it has ended ({reason:?})");
        }
        let new = self.children.iter().filter(|child| child.1.is_some() && !before.contains(child));
        let gone = before.iter().filter(|(path, pid)| pid.is_some() && self.process(path).is_none());
        let words = |label: &str, paths: Vec<&str>| match paths.is_empty() {
            true => String::new(),
            false => format!("{label}: {}  ", paths.join(", ")),
        };
        let new = words("new", new.map(|(path, _)| path.as_str()).collect());
        let gone = words("gone", gone.map(|(path, _)| path.as_str()).collect());
        (new + &gone).trim_end().to_owned()
    }
}

impl Story {
    fn tell(&self, broken: &str) -> String {
        let mut text = format!("broken: {broken}\n");
        for (time, done, news) in &self.0 {
            // To a string nothing fails to be written.
            let _ = writeln!(text, "  {:<5} {done:<30}  {news}", format!("{} s", time.as_secs()));
        }
        text.trim_end().to_owned()
    }
}

/// A moment in words.
fn told(moment: &Moment) -> String {
    match moment {
        Moment::Wait(time) => format!("wait {} s", time.as_secs()),
        Moment::Deeds(deeds) => {
            let words = deeds.iter().map(|deed| match deed {
                Deed::Exit(path, Reason::Killed) => format!("kill {path}"),
                Deed::Exit(path, Reason::Crash) => format!("crash {path}"),
                Deed::Exit(path, _) => format!("end {path}"),
                Deed::Hang(path) => format!("{path} will hang"),
                deed => format!("{deed:?}"),
            });
            words.collect::<Vec<_>>().join(", ")
        }
    }
}

/// A model of a tree at rest.
fn model_of(view: &View) -> Model {
    let mut model = Model::new(view.tree.clone());
    for seen in &view.children {
        if seen.by_hand {
            model.act(&Deed::Start(seen.path.clone(), Box::new(seen.child.clone())));
        } else if seen.pid.is_none() {
            model.act(&Deed::Terminate(seen.path.clone()));
        }
    }
    model
}

fn processes(model: &Model) -> Vec<(String, Option<usize>)> {
    model.children().into_iter().map(|(path, process, _)| (path, process)).collect()
}

/// Whether the tree looks as the model says, given how both looked before. The error is what the model says.
fn follows<D>(
    model_before: &BTreeMap<String, Option<usize>>,
    model: &Model,
    before: &[(String, Option<Pid>)],
    world: &World<D>,
) -> Result<(), String> {
    let is = |ended: Option<Reason>| {
        ended.map_or("it runs".to_owned(), |reason| format!("it has ended ({reason:?})"))
    };
    if model.ended() != world.ended {
        return Err(format!("OTP's supervisor says: {}", is(model.ended())));
    }
    let model_now = processes(model);
    let paths = |children: Vec<&str>| children.join(", ");
    let (expected, found): (Vec<&str>, Vec<&str>) =
        (model_now.iter().map(|(path, _)| path.as_str()).collect(), world.children().collect());
    if expected != found {
        return Err(format!(
            "the children that OTP's supervisor has: {}; these are: {}",
            paths(expected),
            paths(found)
        ));
    }
    for ((path, nth), (_, pid)) in model_now.iter().zip(&world.children) {
        let was = before.iter().find(|(known, _)| known == path).and_then(|(_, pid)| *pid);
        let nth_was = model_before.get(path).copied().flatten();
        match (nth, pid) {
            (Some(_), None) => return Err(format!("OTP's supervisor has {path} running")),
            (None, Some(_)) => return Err(format!("OTP's supervisor does not have {path} running")),
            (Some(_), Some(_)) if *nth != nth_was && *pid == was => {
                return Err(format!("OTP's supervisor has restarted {path}"));
            }
            (Some(_), Some(_)) if *nth == nth_was && *pid != was => {
                return Err(format!("OTP's supervisor has not touched {path}"));
            }
            _ => {}
        }
    }
    Ok(())
}
