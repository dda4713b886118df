//! Generated parallel programs: a few steps alone, then two or three branches at once, under many random
//! schedules each. What each step answered must have a serial explanation: some order of all steps in which a
//! plain model, that does one after the other, would have answered alike.
//!
//! One step are: to register, unregister and look up a name, to spawn, also under a name, to end a process by a
//! signal, names included, and to ask whether it lives. Who is told of an end, and the reason, follows from the
//! same order, and is looked at when all is at rest. Exits and downs themselves take time: who unlinks or demonitors
//! says what it has heard by then, and the model holds it against whether that may be.
//!
//! The method is PULSE's, by Claessen and others, 2009.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use shuttle::{
    Runner,
    scheduler::{PctScheduler, RandomScheduler},
    thread::{self, JoinHandle},
};

use super::{
    World, from_environment, note_panics,
    puppet::{Puppet, Task},
};
use crate::{
    ExitReason, Monitor, Name, Pid, RegisterError, Spawn, Subject, demonitor, is_alive, link, monitor,
    register, rt, trap_exits, unlink, unregister, whereis,
};

const NAMES: [Name<u8>; 2] = [Name::fixed("first"), Name::fixed("second")];

/// A step as it is drawn: a process is the number of one that the branch knows by then.
#[derive(Clone, Copy, Debug)]
enum Draw {
    Alive(usize),
    Demonitor(usize),
    Exit(usize, Exit),
    Link(usize),
    Monitor(usize),
    Register(usize, usize),
    Send(usize),
    Spawn(Option<usize>),
    Unlink(usize),
    Unregister(usize),
    Whereis(usize),
}

/// What an exit signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Kill,
    /// Is ignored.
    Normal,
    Shutdown,
}

impl From<Exit> for ExitReason {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Kill => Self::Kill,
            Exit::Normal => Self::Normal,
            Exit::Shutdown => Self::Shutdown,
        }
    }
}

#[derive(Clone, Debug)]
struct Program {
    prefix: Vec<Draw>,
    branches: Vec<Vec<Draw>>,
}

fn draw() -> impl Strategy<Value = Draw> {
    let (process, name) = (0..3_usize, 0..NAMES.len());
    let exit = prop_oneof![2 => Just(Exit::Kill), 1 => Just(Exit::Normal), 2 => Just(Exit::Shutdown)];
    prop_oneof![
        1 => process.clone().prop_map(Draw::Alive),
        1 => process.clone().prop_map(Draw::Demonitor),
        4 => (process.clone(), exit).prop_map(|(process, exit)| Draw::Exit(process, exit)),
        2 => process.clone().prop_map(Draw::Link),
        2 => process.clone().prop_map(Draw::Monitor),
        3 => (process.clone(), name.clone()).prop_map(|(process, name)| Draw::Register(process, name)),
        2 => name.clone().prop_map(Draw::Send),
        2 => prop::option::of(name.clone()).prop_map(Draw::Spawn),
        1 => process.clone().prop_map(Draw::Unlink),
        1 => name.clone().prop_map(Draw::Unregister),
        2 => name.prop_map(Draw::Whereis),
    ]
}

fn program() -> impl Strategy<Value = Program> {
    let prefix = prop::collection::vec(draw(), 0..4);
    let branches = prop::collection::vec(prop::collection::vec(draw(), 1..5), 2..4);
    (prefix, branches).prop_map(|(prefix, branches)| Program { prefix, branches })
}

/// How often branches did what they could not have done one after the other.
static RACED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn whatever_programs_run_at_once_has_a_serial_explanation() {
    note_panics();
    let seed = from_environment("MODEL_SEED", RandomState::new().hash_one(()) as usize) as u64;
    let cases = from_environment("MODEL_PROGRAMS", 300);
    let schedules = from_environment("MODEL_PROGRAM_SCHEDULES", 200);
    println!("MODEL_SEED={seed}");

    let config = Config { cases: cases as u32, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, rng).run(&program(), |program| {
        let run = {
            let program = program.clone();
            move || program.run()
        };
        let config = shuttle::Config::new();
        Runner::new(RandomScheduler::new_from_seed(seed, schedules / 2), config.clone()).run(run.clone());
        Runner::new(PctScheduler::new_from_seed(seed, 3, schedules / 2), config).run(run);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("MODEL_SEED={seed}: {failure}");
    }
    assert!(RACED.load(Ordering::Relaxed) > 0, "whatever ran at once could as well have run in turns");
}

/// A step as it was done.
#[derive(Clone, Copy, Debug)]
enum Op {
    Alive(Pid),
    /// Whether the monitor was active.
    Demonitor(Pid, bool),
    Exit(Pid, Exit),
    Link(Pid),
    Monitor(Pid),
    Register(Pid, usize),
    Send(usize),
    /// The process that there is then, if there is.
    Spawn(Option<Pid>, Option<usize>),
    /// Whether it had not yet heard of the end.
    Unlink(Pid, bool),
    Unregister(usize),
    Whereis(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Done,
    /// Cannot be.
    Never,
    Found(Option<Pid>),
    Registered(Result<(), RegisterError>),
    Was(bool),
}

/// Who did what, and what it answered.
type History = Vec<(Pid, Op, Answer)>;

/// The processes that were spawned, and the threads that they run on.
type Running = Vec<(Pid, JoinHandle<()>)>;

/// What a process heard of another: by a link or a monitor, and the reason.
type Heard = (Pid, Pid, &'static str, String);

/// What one runs through that does the steps.
struct Branch {
    doer: Puppet,
    known: Vec<Pid>,
    /// A second link with a process that has ended and not yet told is, as in Erlang, none.
    linked: Vec<Pid>,
    monitors: BTreeMap<Pid, Monitor>,
    heard: Vec<Heard>,
    running: Arc<Mutex<Running>>,
    history: History,
}

impl Branch {
    fn runs(mut self, steps: &[Draw]) -> Self {
        for step in steps {
            self.step(*step);
        }
        self
    }

    fn step(&mut self, step: Draw) {
        let process = |number: usize| self.known[number % self.known.len()];
        let (op, answer) = match step {
            Draw::Alive(number) => {
                let pid = process(number);
                (Op::Alive(pid), Answer::Was(self.does(move || is_alive(pid))))
            }
            Draw::Demonitor(number) => {
                let pid = process(number);
                let Some(monitor) = self.monitors.remove(&pid) else { return };
                let active = self.does(move || demonitor(monitor));
                (Op::Demonitor(pid, active), Answer::Done)
            }
            Draw::Exit(number, exit) => {
                let pid = process(number);
                self.does(move || crate::send_exit(pid, exit.into()));
                (Op::Exit(pid, exit), Answer::Done)
            }
            Draw::Link(number) => {
                let pid = process(number);
                if self.linked.contains(&pid) {
                    return;
                }
                self.linked.push(pid);
                self.does(move || link(pid)).unwrap();
                (Op::Link(pid), Answer::Done)
            }
            Draw::Monitor(number) => {
                let pid = process(number);
                if self.monitors.contains_key(&pid) {
                    return;
                }
                let monitor = self.does(move || monitor(pid)).unwrap();
                self.monitors.insert(pid, monitor);
                (Op::Monitor(pid), Answer::Done)
            }
            Draw::Register(number, name) => {
                let pid = process(number);
                let registered = self.does(move || register(pid, NAMES[name]));
                (Op::Register(pid, name), Answer::Registered(registered))
            }
            Draw::Send(name) => {
                let sent = self.does(move || NAMES[name].subject().try_send(0).is_ok());
                (Op::Send(name), Answer::Was(sent))
            }
            Draw::Spawn(name) => match self.does(move || spawn(Spawn::new(), name)) {
                Ok((pid, task)) => {
                    self.linked.push(pid);
                    self.adopt(pid, task);
                    (Op::Spawn(Some(pid), name), Answer::Registered(Ok(())))
                }
                Err(error) => (Op::Spawn(None, name), Answer::Registered(Err(error))),
            },
            Draw::Unlink(number) => {
                let pid = process(number);
                if !self.linked.contains(&pid) || self.has_heard(pid) {
                    return;
                }
                self.does(move || unlink(pid)).unwrap();
                self.listen();
                (Op::Unlink(pid, !self.has_heard(pid)), Answer::Done)
            }
            Draw::Unregister(name) => {
                let taken = self.does(move || unregister(NAMES[name]).is_ok());
                (Op::Unregister(name), Answer::Was(taken))
            }
            Draw::Whereis(name) => {
                (Op::Whereis(name), Answer::Found(self.does(move || whereis(NAMES[name]))))
            }
        };
        self.history.push((self.doer.pid, op, answer));
    }

    /// Puts down what its doer has heard.
    fn listen(&mut self) {
        let doer = self.doer.pid;
        let exits =
            self.doer.exits().into_iter().map(|exit| (doer, exit.pid, "exit", exit.reason.to_string()));
        self.heard.extend(exits);
        let downs = self.doer.downs().into_iter();
        let downs = downs.map(|down| (doer, down.pid().unwrap(), "down", down.reason.to_string()));
        self.heard.extend(downs);
    }

    /// Whether it has heard of this end by a link.
    fn has_heard(&self, pid: Pid) -> bool {
        self.heard.iter().any(|(_, of, how, _)| (*of, *how) == (pid, "exit"))
    }

    fn does<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.doer.does(work).unwrap()
    }

    /// Lets a process run on a thread of its own.
    fn adopt(&mut self, pid: Pid, task: Task) {
        self.known.push(pid);
        let thread = thread::spawn(move || task.run());
        self.running.lock().unwrap().push((pid, thread));
    }
}

/// A process that does nothing until it is ended.
fn spawn(spawn: Spawn, name: Option<usize>) -> Result<(Pid, Task), RegisterError> {
    let spawn = if let Some(name) = name { spawn.named(NAMES[name]) } else { spawn };
    let pid = spawn.prepare(|_: Subject<u8>| std::future::pending::<()>())?.start();
    Ok((pid, rt::spawned().unwrap()))
}

impl Program {
    fn run(&self) {
        let world = World::new(Arc::new([]));
        let running = Arc::default();
        let branch = |known: &[Pid]| {
            let mut doer = world.puppet();
            doer.does(|| trap_exits(true)).unwrap().unwrap();
            let running = Arc::clone(&running);
            Branch {
                doer,
                known: known.to_vec(),
                linked: Vec::new(),
                monitors: BTreeMap::new(),
                heard: Vec::new(),
                running,
                history: Vec::new(),
            }
        };
        let mut alone = branch(&[]);
        for _ in 0..2 {
            let (pid, task) = spawn(Spawn::new().on(&world.node), None).unwrap();
            alone.adopt(pid, task);
        }
        let first = alone.known.clone();
        let alone = alone.runs(&self.prefix);

        let spawned = self.branches.iter().cloned().map(|steps| {
            let branch = branch(&alone.known);
            thread::spawn(move || branch.runs(&steps))
        });
        let branches: Vec<_> = spawned.collect();
        let mut all = vec![alone];
        all.extend(branches.into_iter().map(|branch| branch.join().unwrap()));

        // Those that were ended do end. Then all is at rest.
        let running: Vec<_> = mem::take(&mut *running.lock().unwrap());
        let (living, dead): (Vec<_>, Vec<_>) =
            running.into_iter().partition(|(pid, _)| world.node.is_alive(*pid));
        join(dead);
        let mut rest = Rest::default();
        for branch in &mut all {
            branch.listen();
            rest.heard.append(&mut branch.heard);
        }
        rest.heard.sort();
        for (pid, _) in &living {
            let info = world.node.info(*pid).unwrap();
            rest.living.insert(*pid, (info.message_queue_len, info.name.map(|name| name.text())));
        }

        let mut model = Model::default();
        for pid in first {
            model.processes.insert(pid, Process::default());
        }
        let histories: Vec<_> = all.iter().map(|branch| branch.history.clone()).collect();
        let (prefix, branches) = histories.split_first().unwrap();
        for (doer, op, answer) in prefix {
            assert_eq!(model.apply(*doer, *op), *answer, "{op:?} in {histories:#?}");
        }
        let mut threads: Vec<_> = branches.iter().map(Vec::as_slice).collect();
        assert!(explained(&model, &mut threads, &rest), "no serial explanation of {histories:#?}\n{rest:#?}");
        if !explained_in_turns(&model, &mut threads, &rest) {
            RACED.fetch_add(1, Ordering::Relaxed);
        }

        for (pid, _) in &living {
            world.node.signal(None, *pid, super::kill());
        }
        join(living);
    }
}

fn join(threads: Running) {
    for (_, thread) in threads {
        thread.join().unwrap();
    }
}

/// What is there when nothing happens any more.
#[derive(Debug, Default, PartialEq)]
struct Rest {
    heard: Vec<Heard>,
    /// How many messages each process has that lives, and its name.
    living: BTreeMap<Pid, (u64, Option<&'static str>)>,
}

/// Is there an order of these histories that the model would have answered alike?
fn explained(model: &Model, threads: &mut [&[(Pid, Op, Answer)]], rest: &Rest) -> bool {
    if threads.iter().all(|thread| thread.is_empty()) {
        return model.rest() == *rest;
    }
    (0..threads.len()).any(|turn| {
        let all = threads[turn];
        let Some(((doer, op, answer), later)) = all.split_first() else { return false };
        let mut next = model.clone();
        if next.apply(*doer, *op) != *answer {
            return false;
        }
        threads[turn] = later;
        let found = explained(&next, threads, rest);
        threads[turn] = all;
        found
    })
}

/// The same, where each history is over before the next begins.
fn explained_in_turns(model: &Model, threads: &mut [&[(Pid, Op, Answer)]], rest: &Rest) -> bool {
    if threads.iter().all(|thread| thread.is_empty()) {
        return model.rest() == *rest;
    }
    (0..threads.len()).any(|turn| {
        let all = mem::take(&mut threads[turn]);
        let mut next = model.clone();
        let fits = !all.is_empty() && all.iter().all(|(doer, op, answer)| next.apply(*doer, *op) == *answer);
        let found = fits && explained_in_turns(&next, threads, rest);
        threads[turn] = all;
        found
    })
}

/// Processes, one step after the other.
#[derive(Clone, Debug, Default)]
struct Model {
    processes: BTreeMap<Pid, Process>,
    heard: Vec<Heard>,
}

#[derive(Clone, Debug, Default)]
struct Process {
    dead: bool,
    name: Option<usize>,
    messages: u64,
    linked: Vec<Pid>,
    watched: Vec<Pid>,
}

impl Model {
    fn apply(&mut self, doer: Pid, op: Op) -> Answer {
        match op {
            Op::Alive(pid) => Answer::Was(self.living(pid).is_some()),
            Op::Demonitor(pid, active) => {
                // The end of a process is one step, and telling of it another: who asks between the two is not told.
                match self.living(pid) {
                    Some(process) => process.watched.retain(|watcher| *watcher != doer),
                    None if active => self.unhear(doer, pid, "down"),
                    None => return Answer::Done,
                }
                if active { Answer::Done } else { Answer::Never }
            }
            Op::Exit(_, Exit::Normal) => Answer::Done,
            Op::Exit(pid, exit) => {
                let reason = if exit == Exit::Kill { ExitReason::Killed } else { exit.into() }.to_string();
                if let Some(process) = self.living(pid) {
                    process.dead = true;
                    let (linked, watched) = (process.linked.clone(), process.watched.clone());
                    self.heard.extend(linked.into_iter().map(|peer| (peer, pid, "exit", reason.clone())));
                    self.heard
                        .extend(watched.into_iter().map(|watcher| (watcher, pid, "down", reason.clone())));
                }
                Answer::Done
            }
            Op::Link(pid) => {
                match self.living(pid) {
                    Some(process) => process.linked.push(doer),
                    None => self.heard.push((doer, pid, "exit", ExitReason::NoProc.to_string())),
                }
                Answer::Done
            }
            Op::Monitor(pid) => {
                match self.living(pid) {
                    Some(process) => process.watched.push(doer),
                    None => self.heard.push((doer, pid, "down", ExitReason::NoProc.to_string())),
                }
                Answer::Done
            }
            Op::Register(pid, name) => Answer::Registered(self.register(pid, name)),
            Op::Send(name) => match self.holder(name) {
                Some(holder) => {
                    self.processes.get_mut(&holder).unwrap().messages += 1;
                    Answer::Was(true)
                }
                None => Answer::Was(false),
            },
            Op::Spawn(pid, name) => {
                if let Some(holder) = name.and_then(|name| self.holder(name)) {
                    return Answer::Registered(Err(RegisterError::NameTaken { holder }));
                }
                if let Some(pid) = pid {
                    self.processes.insert(pid, Process { name, linked: vec![doer], ..Process::default() });
                }
                Answer::Registered(Ok(()))
            }
            Op::Unlink(pid, unheard) => {
                match self.living(pid) {
                    Some(process) => process.linked.retain(|peer| *peer != doer),
                    None if unheard => self.unhear(doer, pid, "exit"),
                    None => return Answer::Done,
                }
                if unheard { Answer::Done } else { Answer::Never }
            }
            Op::Unregister(name) => match self.holder(name) {
                Some(holder) => {
                    self.processes.get_mut(&holder).unwrap().name = None;
                    Answer::Was(true)
                }
                None => Answer::Was(false),
            },
            Op::Whereis(name) => Answer::Found(self.holder(name)),
        }
    }

    /// What was on its way last is not heard.
    fn unhear(&mut self, doer: Pid, pid: Pid, how: &str) {
        let is_that = |(hearer, of, by, _): &Heard| (*hearer, *of, *by) == (doer, pid, how);
        if let Some(last) = self.heard.iter().rposition(is_that) {
            self.heard.remove(last);
        }
    }

    fn register(&mut self, pid: Pid, name: usize) -> Result<(), RegisterError> {
        let holder = self.holder(name);
        let process = self.living(pid).ok_or(RegisterError::NoProc)?;
        if let Some(holder) = holder {
            return Err(RegisterError::NameTaken { holder });
        }
        if let Some(name) = process.name {
            return Err(RegisterError::AlreadyNamed { name: NAMES[name].registered_name() });
        }
        process.name = Some(name);
        Ok(())
    }

    fn living(&mut self, pid: Pid) -> Option<&mut Process> {
        self.processes.get_mut(&pid).filter(|process| !process.dead)
    }

    fn holder(&self, name: usize) -> Option<Pid> {
        let holds = |process: &Process| !process.dead && process.name == Some(name);
        self.processes.iter().find(|(_, process)| holds(process)).map(|(pid, _)| *pid)
    }

    fn rest(&self) -> Rest {
        let mut heard = self.heard.clone();
        heard.sort();
        let living = self.processes.iter().filter(|(_, process)| !process.dead);
        let living = living.map(|(pid, process)| {
            (*pid, (process.messages, process.name.map(|name| NAMES[name].registered_name().text())))
        });
        Rest { heard, living: living.collect() }
    }
}
