//! Storms: many threads do everything at once, and at rest nothing is left over.

// The seed of a storm is for whoever has to repeat it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod calls;

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use erlang_process::{
    self as process, Down, ExitMessage, ExitReason, Monitor, Name, Node, Pid, RegisterError, Reply, Selector,
    Spawn, Subject,
};
use tokio::time::Instant;

/// Long enough for everything; only a test that fails waits for it.
const LONG: Duration = Duration::from_secs(100);

/// Small, fast, and the same for the same seed.
struct Chance(u64);

impl Chance {
    /// From the environment, to repeat a run, or from the clock; printed, for a failing run to be repeated.
    fn new(test: &str) -> Self {
        let given = std::env::var("STORM_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
        let seed = given.unwrap_or_else(|| u64::from(now()));
        println!("{test}: STORM_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(all[self.below(all.len())]) }
    }

    fn reason(&mut self) -> ExitReason {
        match self.below(5) {
            0 => ExitReason::Normal,
            1 => ExitReason::Shutdown,
            2 => ExitReason::Kill,
            3 => ExitReason::Killed,
            _ => ExitReason::error("storm"),
        }
    }
}

/// The outcomes of what is tried in a storm. Where there are two of one thing it was a race, and has to have gone
/// either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Linked,
    LinkFoundNobody,
    DownWithReason,
    DownFoundNobody,
    DemonitoredInTime,
    DemonitoredTooLate,
    Registered,
    NameTaken,
    AlreadyNamed,
    RegisterFoundNobody,
    Unregistered,
    NotRegistered,
    SpawnedWithName,
    SpawnedWithoutName,
}

impl Outcome {
    const ALL: [Self; 14] = [
        Self::Linked,
        Self::LinkFoundNobody,
        Self::DownWithReason,
        Self::DownFoundNobody,
        Self::DemonitoredInTime,
        Self::DemonitoredTooLate,
        Self::Registered,
        Self::NameTaken,
        Self::AlreadyNamed,
        Self::RegisterFoundNobody,
        Self::Unregistered,
        Self::NotRegistered,
        Self::SpawnedWithName,
        Self::SpawnedWithoutName,
    ];
}

/// How often each outcome was seen.
#[derive(Default)]
struct Seen([AtomicUsize; Outcome::ALL.len()]);

impl Seen {
    fn saw(&self, outcome: Outcome) {
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn missing(&self) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| self.0[*outcome as usize].load(Ordering::Relaxed) == 0)
    }
}

/// What all in one storm know.
struct World {
    names: Vec<Name<u8>>,
    /// Those that outlive the storm, with the way to make them act.
    calm: Vec<(Pid, Subject<Request>)>,
    /// The one that watches, which nobody may kill either.
    watcher: Pid,
    /// Where each wild process is announced by who spawned it.
    born: Subject<Pid>,
    spawned: AtomicUsize,
    seen: Arc<Seen>,
}

/// How many wild processes one storm has at most.
const WILD: usize = 3_000;

impl World {
    fn stays(&self, pid: Pid) -> bool {
        pid == self.watcher || self.calm.iter().any(|(calm, _)| *calm == pid)
    }

    /// An exit that is never an untrappable one for those that have to stay.
    fn send_exit(&self, pid: Pid, reason: ExitReason) {
        process::send_exit(pid, if self.stays(pid) { ExitReason::Shutdown } else { reason });
    }

    /// Spawns another wild one. Announcing it is in the same step, so that it is known before who spawned it
    /// has ended.
    fn spawn(self: &Arc<Self>, chance: &mut Chance) -> Option<Monitor> {
        if self.spawned.fetch_add(1, Ordering::Relaxed) >= WILD {
            return None;
        }
        let child = wild(Chance(chance.next()), self.clone());
        let (pid, monitor) = match chance.below(3) {
            0 => (process::spawn(child), None),
            1 => {
                let (pid, monitor) = process::spawn_monitor(child).unwrap();
                (pid, Some(monitor))
            }
            _ => {
                let name = chance.one_of(&self.names).unwrap();
                let spawned = Spawn::new().named(name).spawn(child);
                let named =
                    if spawned.is_ok() { Outcome::SpawnedWithName } else { Outcome::SpawnedWithoutName };
                self.seen.saw(named);
                (spawned.ok()?, None)
            }
        };
        self.born.send(pid);
        monitor
    }
}

/// A process that does anything to anyone, and may spawn more of its kind.
async fn wild(mut chance: Chance, world: Arc<World>) -> ExitReason {
    let node = Node::current();
    let me = process::current().unwrap();
    let mut account = Account::new(world.seen.clone());
    for _ in 0..chance.below(60) {
        let other = chance.one_of(&node.processes()).unwrap_or(me);
        match chance.below(15) {
            0..=6 => account.act(&mut chance, &world, other),
            7 => drop(process::trap_exits(chance.below(2) == 0)),
            8 => {
                if let Some(monitor) = world.spawn(&mut chance) {
                    account.monitors.insert(monitor, Heard::default());
                }
            }
            9 if chance.below(3) == 0 => world.send_exit(other, chance.reason()),
            10 => account.catch_up().await,
            11 => {
                let (_, calm) = &world.calm[chance.below(world.calm.len())];
                calm.send(Request::Act(Chance(chance.next()), world.clone(), other));
            }
            _ => tokio::task::yield_now().await,
        }
    }
    account.catch_up().await;
    chance.reason()
}

/// What a process remembers of the monitors that it has made.
struct Account {
    monitors: HashMap<Monitor, Heard>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Heard {
    downs: usize,
    /// What the end of the monitor returned.
    demonitored: Option<bool>,
    flushed: bool,
}

impl Account {
    fn new(seen: Arc<Seen>) -> Self {
        Self { monitors: HashMap::new(), seen }
    }

    /// Does one thing of those that a calm one does as well.
    fn act(&mut self, chance: &mut Chance, world: &World, other: Pid) {
        match chance.below(7) {
            0 | 1 => {
                let linked = process::link(other);
                world.seen.saw(if linked.is_ok() { Outcome::Linked } else { Outcome::LinkFoundNobody });
            }
            2 => process::unlink(other).unwrap(),
            3 => drop(self.monitors.insert(process::monitor(other).unwrap(), Heard::default())),
            4 => {
                let name = chance.one_of(&world.names).unwrap();
                match chance.below(3) {
                    // Not a calm one: a monitor of oneself by name would be silent for ever.
                    0 if !world.stays(other) => world.seen.saw(match process::register(other, name) {
                        Ok(()) => Outcome::Registered,
                        Err(RegisterError::NameTaken { .. }) => Outcome::NameTaken,
                        Err(RegisterError::AlreadyNamed { .. }) => Outcome::AlreadyNamed,
                        Err(_) => Outcome::RegisterFoundNobody,
                    }),
                    0 | 1 => {
                        let taken = process::unregister(name);
                        world.seen.saw(if taken.is_ok() {
                            Outcome::Unregistered
                        } else {
                            Outcome::NotRegistered
                        });
                    }
                    _ => drop(self.monitors.insert(process::monitor(name).unwrap(), Heard::default())),
                }
            }
            5 | 6 => {
                let open = self.monitors.iter().filter(|(_, heard)| heard.demonitored.is_none());
                let mut open: Vec<_> = open.map(|(monitor, _)| *monitor).collect();
                open.sort_unstable();
                let Some(monitor) = chance.one_of(&open) else { return };
                let flush = chance.below(2) == 0;
                let active =
                    if flush { process::demonitor_flush(monitor) } else { process::demonitor(monitor) };
                world.seen.saw(if active { Outcome::DemonitoredInTime } else { Outcome::DemonitoredTooLate });
                let heard = self.monitors.get_mut(&monitor).unwrap();
                (heard.demonitored, heard.flushed) = (Some(active), flush);
            }
            _ => unreachable!(),
        }
    }

    /// Takes down what a monitor tells: at most once, and never if it was ended in time.
    fn hear(&mut self, down: &Down) {
        let heard = self.monitors.get_mut(&down.monitor).expect("a monitor of its own");
        heard.downs += 1;
        assert_eq!(heard.downs, 1, "{down:?}");
        assert_ne!(heard.demonitored, Some(true), "{down:?}");
        assert!(!heard.flushed, "{down:?}");
        let nobody = down.reason == ExitReason::NoProc;
        self.seen.saw(if nobody { Outcome::DownFoundNobody } else { Outcome::DownWithReason });
    }

    /// Reads all downs that are in the mailbox.
    async fn catch_up(&mut self) {
        let mut downs = Selector::new().select_monitors(|down| down);
        while let Ok(down) = downs.receive(Duration::ZERO).await {
            self.hear(&down);
        }
    }

    /// Checks, when all others have come to rest, that each monitor has told what it had to, and returns how
    /// many are still active.
    fn settle(&self) -> usize {
        let me = process::current().unwrap();
        let listed = Node::current().info(me).unwrap().monitors.len();
        let silent = self.monitors.values().filter(|heard| heard.downs == 0 && heard.demonitored.is_none());
        assert_eq!(silent.count(), listed);
        for heard in self.monitors.values() {
            if heard.demonitored == Some(false) && !heard.flushed {
                assert_eq!(heard.downs, 1, "it had fired, and was not flushed");
            }
        }
        listed
    }
}

enum Request {
    /// Do something, perhaps to this process.
    Act(Chance, Arc<World>, Pid),
    /// Say when you have done what was asked before.
    Pass(Reply<()>),
    /// All is at rest: how many of your monitors are active?
    Settle(Reply<usize>),
    Stop,
}

enum Event {
    Request(Request),
    Down(Down),
    Exit,
}

/// A process that outlives the storm, takes part in it when it is asked to, and keeps account.
async fn calm(requests: Subject<Request>, seen: Arc<Seen>) {
    process::trap_exits(true).unwrap();
    let me = process::current().unwrap();
    let mut account = Account::new(seen);
    let mut events = Selector::new()
        .select(&requests, Event::Request)
        .select_monitors(Event::Down)
        .select_trapped_exits(|ExitMessage { .. }| Event::Exit);
    loop {
        match events.receive_forever().await.unwrap() {
            Event::Request(Request::Act(mut chance, world, other)) if other != me => {
                account.act(&mut chance, &world, other);
            }
            Event::Request(Request::Pass(reply)) => reply.send(()),
            Event::Request(Request::Settle(reply)) => reply.send(account.settle()),
            Event::Request(Request::Stop) => return,
            Event::Down(down) => account.hear(&down),
            Event::Request(Request::Act(..)) | Event::Exit => {}
        }
    }
}

/// Every relation of those that live has both ends.
fn assert_exact(node: &Node) {
    let infos: HashMap<Pid, _> =
        node.processes().into_iter().filter_map(|pid| Some((pid, node.info(pid)?))).collect();
    for (pid, info) in &infos {
        for peer in &info.links {
            let other =
                infos.get(peer).unwrap_or_else(|| panic!("{pid} has a link to {peer}, which is dead"));
            assert!(other.links.contains(pid), "{pid} has a link to {peer}, which has none to it");
        }
        for watcher in &info.monitored_by {
            assert!(infos.contains_key(watcher), "{pid} has a watcher {watcher}, which is dead");
        }
    }
    let monitors: usize = infos.values().map(|info| info.monitors.len()).sum();
    let watchers: usize = infos.values().map(|info| info.monitored_by.len()).sum();
    assert_eq!(monitors, watchers, "each monitor of one is a watcher of another");
}

/// A storm around some processes that outlive it, and what is left.
async fn storm(mut chance: Chance, seen: Arc<Seen>) {
    let node = Node::new();
    let running = node.run(async move {
        process::trap_exits(true).unwrap();
        let born = Subject::new().unwrap();
        let calm: Vec<_> = (0..4)
            .map(|_| {
                let prepared =
                    Spawn::new().unlinked().prepare(|requests| calm(requests, seen.clone())).unwrap();
                let requests = prepared.subject();
                (prepared.start(), requests)
            })
            .collect();
        for (_, requests) in &calm {
            // Once it answers it traps, and then only a kill could end it.
            assert_eq!(requests.call(LONG, Request::Settle).await, Ok(0));
        }
        let world = Arc::new(World {
            names: (0..20).map(|_| Name::new("storm")).collect(),
            calm,
            watcher: process::current().unwrap(),
            born: born.clone(),
            spawned: AtomicUsize::new(0),
            seen: seen.clone(),
        });

        let mut account = Account::new(seen);
        for _ in 0..300 {
            if let Some(monitor) = world.spawn(&mut chance) {
                account.monitors.insert(monitor, Heard::default());
            }
            if chance.below(8) == 0 {
                tokio::task::yield_now().await;
            }
        }
        // Who has ended has announced all that it spawned.
        while let Ok(pid) = born.receive(Duration::ZERO).await {
            process::join(pid).await;
        }
        account.catch_up().await;
        // What the wild ones have asked for comes before the pass, and what that leads to before the settling.
        for (_, requests) in &world.calm {
            requests.call(LONG, Request::Pass).await.unwrap();
        }
        for (_, requests) in &world.calm {
            requests.call(LONG, Request::Settle).await.unwrap();
        }
        assert_eq!(account.settle(), 0);
        assert_exact(&Node::current());

        // Those that are left end, and then nobody is bound to anyone.
        for (pid, requests) in &world.calm {
            requests.send(Request::Stop);
            process::join(*pid).await;
        }
        while Selector::new().select_other(|_| ()).receive(Duration::ZERO).await.is_ok() {}
        let info = Node::current().info(process::current().unwrap()).unwrap();
        assert_eq!((info.links, info.monitors, info.monitored_by), (vec![], vec![], vec![]));
        info.messages_handled
    });
    tokio::time::timeout(LONG, running).await.expect("it does not come to rest").unwrap();
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_at_once_comes_to_rest() {
    process::capture_panics();
    let mut chance = Chance::new("everything_at_once_comes_to_rest");
    let seen = Arc::<Seen>::default();
    for _ in 0..20 {
        storm(Chance(chance.next()), seen.clone()).await;
    }
    // A race may go one way for long; not for ever.
    let begun = Instant::now();
    while let Some(missing) = seen.missing() {
        assert!(begun.elapsed() < LONG, "never seen: {missing:?}");
        storm(Chance(chance.next()), seen.clone()).await;
    }
}

#[test]
fn a_storm_that_is_cut_short_by_the_end_of_its_runtime_leaves_nothing() {
    let mut chance = Chance::new("a_storm_that_is_cut_short_by_the_end_of_its_runtime_leaves_nothing");
    for _ in 0..20 {
        let node = Node::new();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(4).enable_all().build().unwrap();
        let cut_short = runtime.block_on(async {
            let world = node.run({
                let seed = chance.next();
                async move {
                    let names = (0..20).map(|_| Name::new("storm")).collect();
                    let seen = Arc::<Seen>::default();
                    let requests =
                        Spawn::new().unlinked().prepare(|requests| calm(requests, seen.clone())).unwrap();
                    let calm = vec![(requests.pid(), requests.subject())];
                    requests.start();
                    let born = Subject::new().unwrap();
                    let watcher = process::current().unwrap();
                    let spawned = AtomicUsize::new(0);
                    let world = World { names, calm, watcher, born, spawned, seen };
                    let (world, mut chance) = (Arc::new(world), Chance(seed));
                    process::trap_exits(true).unwrap();
                    for _ in 0..200 {
                        world.spawn(&mut chance);
                    }
                    world
                }
            });
            world.await
        });
        drop(runtime);
        assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
        drop(cut_short);
    }
}

/// Spawns from a thread that is no worker, where the runtime may have run the process before it is known who
/// spawned it.
#[test]
fn processes_that_return_at_once_leave_no_zombies() {
    const MANY: usize = 300_000;
    let node = Node::new();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    let _entered = runtime.enter();
    for _ in 0..MANY {
        let ran = ran.clone();
        let spawned = Spawn::new().on(&node).spawn(async move {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        spawned.unwrap();
    }
    runtime.block_on(async {
        for pid in node.processes() {
            let joined = node.run(process::join(pid)).await.unwrap();
            assert!(matches!(joined, ExitReason::Normal | ExitReason::NoProc));
        }
    });
    assert_eq!(ran.load(Ordering::Relaxed), MANY);
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
}

#[test]
fn names_are_never_held_by_the_dead() {
    let node = Node::new();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    let name = Name::<u8>::new("contended");
    let (held, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Instant::now();
    let both_seen = || held.load(Ordering::Relaxed) > 0 && taken.load(Ordering::Relaxed) > 0;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let _entered = runtime.enter();
                // Longer only where the threads never met.
                let mut round = 0;
                while round < 5_000 || (!both_seen() && begun.elapsed() < LONG) {
                    round += 1;
                    let Ok(pid) = Spawn::new().on(&node).named(name).spawn(pending::<()>()) else {
                        taken.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    held.fetch_add(1, Ordering::Relaxed);
                    node.signal(None, pid, process::Signal::Exit { reason: ExitReason::Kill, link: false });
                    assert_ne!(node.whereis(name), Some(pid));
                }
            });
        }
    });
    assert!(both_seen(), "held {held:?} times, taken {taken:?}");
    drop(runtime);
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
}
