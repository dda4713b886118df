//! Draws scenarios. What is drawn says whom it means by an index; which child that is depends on who is there when the
//! step's turn comes, and is settled against the model.
//!
//! Each choice goes from tame to wild, as shrinking goes the other way.

use std::time::Duration;

use otp_supervisor::{
    AutoShutdown, Restart, Shutdown, Strategy,
    testing::{Body, Child, Deed, Kind, Manner, Model, Reason, Start, Tree},
};
// By name: a glob would bring a second `Strategy`.
use proptest::{
    collection::vec,
    prelude::{Just, any},
    prop_oneof,
    sample::{Index, select},
    strategy::{BoxedStrategy, Strategy as Draw},
};

use crate::scenario::{Scenario, Step, join, parent};

/// A scenario before it is known who is meant.
pub(crate) type Draft = (Tree, Vec<What>);

#[derive(Clone, Debug)]
pub(crate) enum What {
    One(Verb, Index),
    Wait(u64),
    /// Several deeds on children of one supervisor, before it looks.
    Burst(Index, Vec<(Verb, Index)>),
}

#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Exit(Reason),
    Terminate,
    Restart,
    Delete,
    /// A child with a new id, or one that is there.
    Start(Child, bool),
    /// A child of a factory.
    StartInFactory(Vec<Start>),
}

const STEPS: usize = 12;
const CHILDREN: usize = 4;

pub(crate) fn draft() -> BoxedStrategy<Draft> {
    let tree = prop_oneof![
        6 => tree(vec(worker(), 1..=CHILDREN)),
        1 => tree(vec(child(2), 1..=CHILDREN)),
        1 => factory(),
    ];
    (tree, vec(what(), 1..=STEPS)).boxed()
}

/// Which children a static supervisor has; their ids are given here.
fn tree(children: impl Draw<Value = Vec<Child>>) -> impl Draw<Value = Tree> {
    let strategy = select(&[Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll][..]);
    let auto = select(&[AutoShutdown::Never, AutoShutdown::AllSignificant, AutoShutdown::AnySignificant][..]);
    (strategy, auto, tolerance(), children).prop_map(|(strategy, auto, (intensity, period), children)| {
        let mut tree = Tree::new(strategy).restart_tolerance(intensity, period).auto_shutdown(auto);
        for (child, id) in children.into_iter().zip(["a", "b", "c", "d"]) {
            let allowed = auto != AutoShutdown::Never && child.restart != Restart::Permanent;
            let significant = child.significant && allowed;
            tree = tree.child(Child { id: id.to_owned(), significant, ..child });
        }
        tree
    })
}

fn factory() -> impl Draw<Value = Tree> {
    (worker(), tolerance()).prop_map(|(template, (intensity, period))| {
        let template = Child { starts: Vec::new(), significant: false, ..template };
        Tree::factory(template).restart_tolerance(intensity, period)
    })
}

fn tolerance() -> impl Draw<Value = (u32, Duration)> {
    (select(&[3, 2, 1, 0][..]), select(&[5, 1][..])).prop_map(|(i, p)| (i, Duration::from_secs(p)))
}

fn child(depth: u32) -> impl Draw<Value = Child> {
    if depth == 0 {
        return worker().boxed();
    }
    let below = prop_oneof![3 => tree(vec(child(depth - 1), 0..=3)).boxed(), 1 => factory().boxed()];
    // A supervisor has all the time that it needs.
    let shutdown = select(&[Shutdown::Infinity, Shutdown::Infinity, Shutdown::BrutalKill][..]);
    let supervisor = (restart(), any::<bool>(), shutdown, starts(), below).prop_map(
        |(restart, significant, shutdown, starts, below)| {
            Child::supervisor("", below)
                .restart(restart)
                .significant(significant)
                .shutdown(shutdown)
                .starts(starts)
        },
    );
    prop_oneof![1 => worker(), 1 => supervisor].boxed()
}

fn worker() -> impl Draw<Value = Child> {
    // Who obeys is given more time than a machine under load needs; who hangs no more than has to be.
    let obedient = select(&[Shutdown::WORKER, Shutdown::Infinity, Shutdown::BrutalKill][..]);
    let own = select(&[Reason::Normal, Reason::ShutdownWith, Reason::Crash][..]).prop_map(Manner::EndsWith);
    let manners = prop_oneof![
        20 => (Just(Manner::Obeys), obedient.clone()),
        4 => (own, obedient),
        1 => Just((Manner::Hangs, Shutdown::After(Duration::from_millis(1)))),
    ];
    (restart(), any::<bool>(), manners, starts()).prop_map(
        |(restart, significant, (manner, shutdown), starts)| {
            Child::worker("")
                .restart(restart)
                .significant(significant)
                .manner(manner)
                .shutdown(shutdown)
                .starts(starts)
        },
    )
}

fn restart() -> impl Draw<Value = Restart> {
    select(&[Restart::Permanent, Restart::Transient, Restart::Temporary][..])
}

/// Mostly well, at least at first: a tree that does not start tells little.
fn starts() -> impl Draw<Value = Vec<Start>> {
    let later = select(&[Start::Up, Start::Up, Start::Up, Start::Fails, Start::Ignores][..]);
    let first = prop_oneof![30 => Just(Start::Up), 1 => Just(Start::Ignores), 1 => Just(Start::Fails)];
    prop_oneof![
        2 => Just(Vec::new()),
        1 => (first, vec(later, 1..4)).prop_map(|(first, mut later)| {
            later.insert(0, first);
            later
        }),
    ]
}

fn what() -> impl Draw<Value = What> {
    prop_oneof![
        8 => (verb(), any::<Index>()).prop_map(|(verb, who)| What::One(verb, who)),
        2 => select(&[1, 2, 5, 6][..]).prop_map(What::Wait),
        4 => (any::<Index>(), vec((verb(), any::<Index>()), 2..=4)).prop_map(|(at, deeds)| What::Burst(at, deeds)),
    ]
}

fn verb() -> impl Draw<Value = Verb> {
    let reasons =
        &[Reason::Normal, Reason::Shutdown, Reason::ShutdownWith, Reason::Crash, Reason::Killed][..];
    prop_oneof![
        4 => Just(Verb::Exit(Reason::Crash)),
        4 => select(reasons).prop_map(Verb::Exit),
        1 => Just(Verb::Terminate),
        1 => Just(Verb::Restart),
        1 => Just(Verb::Delete),
        2 => vec(select(&[Start::Up, Start::Up, Start::Fails][..]), 0..4).prop_map(Verb::StartInFactory),
        1 => (worker(), any::<bool>()).prop_map(|(child, new)| Verb::Start(child, new)),
    ]
}

/// Settles who is meant, in a tree that does what the model says.
pub(crate) fn settle((tree, drafts): &Draft) -> Scenario {
    let mut model = Model::new(tree.clone());
    let (mut steps, mut book) = (Vec::new(), Book { tree, born: 0, known: Vec::new() });
    for what in drafts {
        if model.ended().is_some() {
            break;
        }
        let step = match what {
            What::Wait(seconds) => {
                model.wait(Duration::from_secs(*seconds));
                Some(Step::Wait(*seconds))
            }
            What::One(verb, who) => {
                let supervisors = supervisors(&model);
                let all: Vec<_> = supervisors.iter().flat_map(|of| children(&model, of)).collect();
                let (at, who) = match all.get(who.index(all.len().max(1))) {
                    // Starts go anywhere, and so to the supervisors without children.
                    _ if matches!(verb, Verb::Start(..) | Verb::StartInFactory(_)) => {
                        (supervisors[who.index(supervisors.len())].clone(), who)
                    }
                    Some(path) => (parent(path).to_owned(), who),
                    None => (String::new(), who),
                };
                book.deed(&model, &at, verb, who).map(|deed| Step::Deeds(vec![deed]))
            }
            What::Burst(at, verbs) => {
                let supervisors = supervisors(&model);
                let at = &supervisors[at.index(supervisors.len())];
                let deeds: Vec<_> =
                    verbs.iter().filter_map(|(verb, who)| book.deed(&model, at, verb, who)).collect();
                (!deeds.is_empty()).then_some(Step::Deeds(deeds))
            }
        };
        if let Some(Step::Deeds(deeds)) = &step {
            model.at_once(deeds);
        }
        steps.extend(step);
    }
    steps.push(Step::Stop);
    Scenario { tree: tree.clone(), steps }
}

/// The paths of the supervisors that run.
fn supervisors(model: &Model) -> Vec<String> {
    let running = model
        .children()
        .into_iter()
        .filter(|(_, process, child)| process.is_some() && matches!(child.body, Body::Supervisor(_)));
    std::iter::once(String::new()).chain(running.map(|(path, ..)| path)).collect()
}

fn children(model: &Model, of: &str) -> Vec<String> {
    model.children().into_iter().map(|(path, ..)| path).filter(|path| parent(path) == of).collect()
}

struct Book<'a> {
    tree: &'a Tree,
    born: usize,
    /// What was started by hand.
    known: Vec<(String, Child)>,
}

impl Book<'_> {
    /// One deed on a child of the supervisor at a path. `None` if it cannot be done there.
    fn deed(&mut self, model: &Model, at: &str, verb: &Verb, who: &Index) -> Option<Deed> {
        let factory = self.template(model, at);
        let here = children(model, at);
        let target = || here.get(who.index(here.len().max(1))).cloned();
        Some(match (verb, factory) {
            (Verb::Exit(reason), _) => Deed::Exit(target()?, *reason),
            (Verb::Terminate, _) => Deed::Terminate(target()?),
            (Verb::StartInFactory(starts), Some(template)) => {
                self.born += 1;
                let child = Child { id: self.born.to_string(), starts: starts.clone(), ..template };
                Deed::Start(join(at, &child.id), Box::new(child))
            }
            (Verb::Restart, None) => Deed::Restart(target()?),
            (Verb::Delete, None) => Deed::Delete(target()?),
            (Verb::Start(child, new), None) => {
                let workers = model
                    .children()
                    .into_iter()
                    .filter(|(_, _, child)| matches!(child.body, Body::Worker(_)));
                let again: Vec<_> = (workers.map(|(path, _, child)| (path, child.clone())))
                    .chain(self.known.iter().cloned())
                    .filter(|(path, _)| parent(path) == at)
                    .collect();
                let (path, child) = match again.get(who.index(again.len().max(1))) {
                    Some(again) if !new => again.clone(),
                    _ => {
                        self.born += 1;
                        let child = Child { id: format!("n{}", self.born), ..child.clone() };
                        self.known.push((join(at, &child.id), child));
                        self.known.last()?.clone()
                    }
                };
                Deed::Start(path, Box::new(child))
            }
            _ => return None,
        })
    }

    /// What the children are like, if it is a factory that stands there.
    fn template(&self, model: &Model, at: &str) -> Option<Child> {
        let children = model.children();
        let tree = match children.iter().find(|(path, ..)| path == at) {
            Some((_, _, Child { body: Body::Supervisor(tree), .. })) => tree,
            _ => self.tree,
        };
        match &tree.kind {
            Kind::Factory { template } => Some((**template).clone()),
            Kind::Static { .. } => None,
        }
    }
}
