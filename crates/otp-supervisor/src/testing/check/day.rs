//! One day of one tree, played and told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    mem,
    time::Duration,
};

use erlang_process::{self as process, Pid};
use tokio::time::Instant;

use super::{
    Check, World,
    comparison::{follows, model_of, processes},
};
use crate::testing::{
    Deed, Moment, Reason,
    schedule::Draft,
    stage::{Stage, View},
};

/// One day of one tree.
pub(super) struct Day<D> {
    check: Check<D>,
    drafts: Vec<Draft>,
    story: Story,
    seen: Seen,
}

/// What was seen on days.
#[derive(Default)]
pub(super) struct Seen {
    /// What held some time.
    pub(super) sometimes: BTreeSet<String>,
    /// The paths of all children that there were.
    pub(super) children: BTreeSet<String>,
}

/// A day, told.
#[derive(Default)]
struct Story(Vec<(Duration, String, String)>);

impl<D: Clone + Send + Sync + 'static> Day<D> {
    pub(super) fn new(check: Check<D>, drafts: Vec<Draft>) -> Self {
        Self { check, drafts, story: Story::default(), seen: Seen::default() }
    }

    /// How it went, and what was seen.
    pub(super) async fn run(mut self) -> (Result<(), String>, Seen) {
        let outcome = self.play().await;
        (outcome.map_err(|broken| self.story.tell(&broken)), self.seen)
    }

    async fn play(&mut self) -> Result<(), String> {
        let check = &self.check;
        // The tree is linked with this process, and may end.
        process::trap_exits(true).map_err(|error| error.to_string())?;
        let dawn = Instant::now();
        let tree = (check.start)().await.map_err(|error| format!("the tree does not start: {error}"))?;
        let mut stage = Stage::new(tree.pid).map_err(|error| error.to_string())?;
        let (children, known) = (Vec::new(), BTreeSet::new());
        let mut world = World { data: tree.data, children, known, restarts: 0, ended: None };
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
            world.look(check, &mut self.seen)?;
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
        world.look(check, &mut self.seen)?;
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
        let before = mem::replace(&mut self.children, now);
        self.known.extend(self.children.iter().map(|(path, _)| path.clone()));
        let other = |(path, pid): &&(String, Option<Pid>)| {
            pid.is_some() && before.iter().any(|(known, was)| known == path && was.is_some() && was != pid)
        };
        self.restarts += self.children.iter().filter(other).count();
    }

    /// Looks at what should hold now, and at what should hold some time.
    fn look(&self, check: &Check<D>, seen: &mut Seen) -> Result<(), String> {
        seen.children.extend(self.known.iter().cloned());
        let held = check.sometimes.iter().filter(|(_, holds)| holds(self));
        seen.sometimes.extend(held.map(|(what, _)| what.clone()));
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
