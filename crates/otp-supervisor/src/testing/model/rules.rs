//! The rules: all that a supervisor decides, from its first start to its last stop.
//!
//! How a member starts and ends is said in `member`, what comes of requests in `requests`.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use super::{
    World,
    member::{Is, NotStarted, join},
    supervisor::{Message, Supervisor},
};
use crate::{
    AutoShutdown, Restart, Shutdown, Strategy,
    testing::{Child, Happening, Reason, Report, Tree},
};

impl Supervisor {
    /// Starts the children in their order. If one fails, those before it are stopped again, and there is no supervisor.
    pub(super) fn start(path: String, tree: &Tree, world: &mut World) -> Option<Self> {
        let mut it = Self::new(path, tree, world.now);
        let started = it.start_all(0..it.members.len(), world);
        if started.is_err() {
            it.stop_all(world);
        }
        it.forget();
        started.is_ok().then_some(it)
    }

    /// Takes its messages, one after the other. Returns why it has ended, if it has of that.
    pub(super) fn work(&mut self, world: &mut World) -> Option<Reason> {
        while let Some(message) = self.mailbox.pop_front() {
            let ends = match message {
                Message::Exit(path) => self.find(&path).is_some_and(|i| match self.members[i].is {
                    Is::Dead(reason) => self.exited(i, reason, world),
                    // It was replaced meanwhile, along with another one.
                    _ => false,
                }),
                Message::TryAgain(path) => self
                    .find(&path)
                    .is_some_and(|i| matches!(self.members[i].is, Is::Restarting) && self.restart(i, world)),
                Message::Request(deed, nth) => {
                    self.answer(&deed, nth, world);
                    false
                }
            };
            if ends {
                self.stop_all(world);
                return Some(Reason::Shutdown);
            }
            self.forget();
        }
        None
    }

    /// A child has ended. Is that the end of its supervisor?
    fn exited(&mut self, i: usize, reason: Reason, world: &mut World) -> bool {
        let Child { restart, significant, .. } = self.members[i].child;
        let orderly = matches!(reason, Reason::Normal | Reason::Shutdown | Reason::ShutdownWith);
        if restart == Restart::Permanent || !orderly {
            self.members[i].report(Report::ChildTerminated(reason), world);
        }
        match restart {
            Restart::Permanent => return self.restart(i, world),
            Restart::Transient if !orderly => return self.restart(i, world),
            Restart::Transient | Restart::Temporary => self.put_down(i),
        }
        match self.tree.kind.auto_shutdown() {
            _ if !significant => false,
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => {
                !self.members.iter().any(|other| other.child.significant && other.is_there())
            }
        }
    }

    /// Starts a child again, and who goes with it. Was that one restart too many?
    fn restart(&mut self, i: usize, world: &mut World) -> bool {
        let second = (world.now - self.born).as_secs();
        self.restarts.retain(|then| then + self.tree.period.as_secs() >= second);
        self.restarts.push(second);
        if self.restarts.len() > self.tree.intensity as usize {
            self.members[i].report(Report::GaveUp, world);
            self.put_down(i);
            return true;
        }
        self.members[i].is = Is::Down;
        let group = match self.tree.kind.strategy() {
            Strategy::OneForOne => i..i + 1,
            Strategy::OneForAll => 0..self.members.len(),
            Strategy::RestForOne => i..self.members.len(),
        };
        for other in group.clone().rev().filter(|other| *other != i) {
            self.stop(other, world);
        }
        if let Err(failed) = self.start_all(group, world) {
            // Its turn comes again when those have had theirs who wait already.
            self.members[failed].is = Is::Restarting;
            self.mailbox.push_back(Message::TryAgain(self.members[failed].path.clone()));
        }
        false
    }

    /// Starts children in their order until one fails, which is reported, and returned.
    fn start_all(&mut self, group: Range<usize>, world: &mut World) -> Result<(), usize> {
        for i in group {
            if matches!(self.members[i].is, Is::Gone) {
                // A temporary one, which was stopped with the group.
                continue;
            }
            if let Err(NotStarted::Failed) = self.start_one(i, world) {
                self.members[i].report(Report::StartError, world);
                return Err(i);
            }
        }
        Ok(())
    }

    /// Who does not want to run has no process, and that is no failure.
    pub(super) fn start_one(&mut self, i: usize, world: &mut World) -> Result<(), NotStarted> {
        let started = self.members[i].start(world);
        if let Err(NotStarted::Ignored) = started {
            self.put_down(i);
        }
        started
    }

    /// Tells a child to end, waits until it has, and reports if it did not do as it was told.
    pub(super) fn stop(&mut self, i: usize, world: &mut World) {
        let (patience, odd) = self.end(i, world);
        world.now += patience;
        if let Some(reason) = odd {
            self.members[i].report(Report::ShutdownError(reason, 1), world);
        }
    }

    /// Stops all children: in reverse start order, or, in a factory, all at once. That waits for the slowest, and reports how many
    /// ended how.
    pub(super) fn stop_all(&mut self, world: &mut World) {
        let all = 0..self.members.len();
        if !self.tree.kind.is_factory() {
            return all.rev().for_each(|i| self.stop(i, world));
        }
        let mut longest = Duration::ZERO;
        let mut counts: BTreeMap<Reason, usize> = BTreeMap::new();
        for i in all {
            let (patience, odd) = self.end(i, world);
            longest = longest.max(patience);
            if let Some(reason) = odd {
                *counts.entry(reason).or_default() += 1;
            }
        }
        world.now += longest;
        for (reason, count) in counts {
            let report = Report::ShutdownError(reason, count);
            world.story.push(Happening::Reported(join(&self.path, "*"), report));
        }
    }

    /// Tells a child to end: how long that takes, and the reason if it is not the one that it should be. Whoever is dead already
    /// only has its exit taken out of the mailbox.
    fn end(&mut self, i: usize, world: &mut World) -> (Duration, Option<Reason>) {
        let (patience, reason) = self.members[i].end(world);
        self.put_down(i);
        let Child { shutdown, restart, .. } = self.members[i].child;
        let odd = reason.filter(|reason| match (shutdown, reason) {
            (Shutdown::BrutalKill, Reason::Killed) => false,
            (Shutdown::After(_) | Shutdown::Infinity, Reason::Shutdown) => false,
            (_, Reason::Normal | Reason::Shutdown | Reason::ShutdownWith) => restart == Restart::Permanent,
            _ => true,
        });
        (patience, odd)
    }

    /// A child has no process any more. Temporary children are forgotten then, and all children of a factory.
    fn put_down(&mut self, i: usize) {
        let forgotten = self.tree.kind.is_factory() || self.members[i].child.restart == Restart::Temporary;
        self.members[i].is = if forgotten { Is::Gone } else { Is::Down };
    }
}
