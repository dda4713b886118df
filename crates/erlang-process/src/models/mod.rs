//! Models: two or three threads with one or two operations each, run under every schedule that loom finds
//! within its bounds, and under thousands of random ones by shuttle. Started by `.ci/model`.
//!
//! What runs is the crate's own code: real cells in a real [`Node`], and the real exit protocol. Only the
//! runtime is not there. What is spawned waits in [`rt`](crate::rt) until a model polls it, and a model's
//! [`Puppet`]s do what they are told, each in one poll, as the calling process.
//!
//! A race has more than one legal outcome. Each model names those, and fails when one was never seen: then it
//! does not race.
//!
//! What no checker sees, and what is therefore one step to all of them:
//!
//! - the counts of an `Arc`, and whether a `Weak` still leads to anything: they are the standard library's, as those of
//!   loom know neither `Weak` nor `dyn`. So nothing comes between the count that
//!   [a reply](crate::Reply::send) reads and a caller that gives up, or between the last handle of a clock and its task;
//! - what a `static` holds, the oneshots of tokio by which others wait for an end, and the passing of time;
//! - what other crates make of all this: they are tested under drawn schedules, see [`simulate`](crate::simulate).

// As in all tests; clippy does not see that these are some.
#![allow(clippy::unwrap_used)]

mod aliases;
mod blocking;
mod bounded;
mod calls;
mod ends;
mod links;
mod mailbox;
mod monitors;
mod names;
mod observers;
mod order;
mod priority;
#[cfg(otp_shuttle)]
mod programs;
pub(crate) mod puppet;
mod suspensions;
pub(crate) mod sync;
mod tables;
mod timeouts;
mod timers;

use std::{
    any::Any,
    cell::Cell,
    panic,
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

#[cfg(otp_loom)]
use loom::thread;
#[cfg(otp_shuttle)]
use shuttle::thread;

use self::puppet::{Puppet, Task};
use crate::{ExitReason, Node, Signal, Subject, cell::Process, reason::IntoExitReason, rt, spawn::Spawn};

/// Runs a model under many schedules. Each of the outcomes has to be [seen](World::saw) in one of them.
fn explore<const N: usize>(outcomes: [&'static str; N], model: impl Fn(&World) + Send + Sync + 'static) {
    note_panics();
    let seen: Arc<[_]> = outcomes.map(|outcome| (outcome, AtomicBool::new(false))).into();
    let run = {
        let seen = seen.clone();
        move || {
            let panics = PANICS.get();
            let world = World::new(seen.clone());
            model(&world);
            world.check_that_all_is_gone();
            assert_eq!(PANICS.get(), panics, "a panic was caught as the end of a process");
        }
    };
    check(run);
    for (outcome, seen) in &*seen {
        assert!(seen.load(Ordering::Relaxed), "never seen in any schedule: {outcome}");
    }
}

#[cfg(otp_loom)]
fn check(run: impl Fn() + Send + Sync + 'static) {
    // Takes its bounds from the environment.
    let mut loom = loom::model::Builder::new();
    loom.preemption_bound.get_or_insert(2);
    loom.check(run);
}

#[cfg(otp_shuttle)]
fn check(run: impl Fn() + Send + Sync + 'static) {
    let schedules = from_environment("MODEL_SCHEDULES", 2_000);
    let run = Arc::new(run);
    // Uniformly random ones find what needs many changes of thread, those with priorities what needs few.
    shuttle::check_random(
        {
            let run = run.clone();
            move || run()
        },
        schedules / 2,
    );
    shuttle::check_pct(move || run(), schedules / 2, 3);
}

#[cfg(otp_shuttle)]
fn from_environment(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |number| number.parse().unwrap())
}

std::thread_local! {
    /// How many panics there were. All threads of a model share one thread of the system.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// A process that panics ends, and takes a model's or a model checker's panic for its own.
fn note_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            print(info);
        }));
    });
}

/// What a model has for one schedule.
struct World {
    node: Node,
    seen: Arc<[(&'static str, AtomicBool)]>,
    /// Each cell that was made, as long as it is there.
    cells: Mutex<Vec<Find>>,
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
}

type Find = Box<dyn Fn() -> Option<Process> + Send + Sync>;

impl World {
    fn new(seen: Arc<[(&'static str, AtomicBool)]>) -> Self {
        Self { node: Node::new(), seen, cells: Mutex::default(), kept: Mutex::default() }
    }

    /// One of the outcomes has come about.
    fn saw(&self, outcome: &str) {
        let known = self.seen.iter().find(|(known, _)| *known == outcome);
        known.unwrap_or_else(|| panic!("not announced: {outcome}")).1.store(true, Ordering::Relaxed);
    }

    /// A process that does what it is told.
    fn puppet<M: Send + 'static>(&self) -> Puppet<M> {
        let (task, subject, jobs) = self.process_with(puppet::obey);
        Puppet::new(&self.node, subject, task, jobs)
    }

    /// A process with this body, which runs when it is polled.
    fn process<M, F>(&self, body: impl FnOnce(Subject<M>) -> F) -> (Task, Subject<M>)
    where
        M: Send + 'static,
        F: Future<Output: IntoExitReason> + Send + 'static,
    {
        let (task, subject, ()) = self.process_with(|subject| (body(subject), ()));
        (task, subject)
    }

    fn process_with<M, F, T>(&self, body: impl FnOnce(Subject<M>) -> (F, T)) -> (Task, Subject<M>, T)
    where
        M: Send + 'static,
        F: Future<Output: IntoExitReason> + Send + 'static,
    {
        let mut extra = None;
        let spawn = Spawn::new().unlinked().on(&self.node);
        let prepared = spawn.prepare(|subject| {
            let (future, value) = body(subject);
            extra = Some(value);
            future
        });
        let prepared = prepared.unwrap();
        let subject = prepared.subject();
        self.watch(prepared.start());
        (rt::spawned().unwrap(), subject, extra.unwrap())
    }

    /// Makes sure that nothing of this process is left in the end.
    fn watch(&self, pid: crate::Pid) {
        let cell = Arc::downgrade(&self.node.find(pid).unwrap());
        self.cells.lock().unwrap().push(Box::new(move || cell.upgrade()));
    }

    /// Lets something be there until all has been looked at.
    fn keep(&self, thing: impl Any + Send) {
        self.kept.lock().unwrap().push(Box::new(thing));
    }

    /// A process that is over is in no table and known to nobody.
    fn check_that_all_is_gone(&self) {
        for find in self.cells.lock().unwrap().iter() {
            if let Some(cell) = find() {
                panic!(
                    "something still holds {}, which is over for {:?}",
                    cell.head().pid,
                    cell.exit_reason()
                );
            }
        }
    }
}

/// A message that knows how many of its kind were dropped.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn kill() -> Signal {
    Signal::Exit { reason: ExitReason::Kill, link: false }
}
