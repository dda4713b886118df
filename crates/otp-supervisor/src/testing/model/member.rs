//! What a supervisor has of a child: how it starts, and how it ends.

use std::time::Duration;

use super::{World, supervisor::Supervisor};
use crate::{
    Shutdown,
    testing::{Body, Child, Happening, Manner, Reason, Report, Start},
};

/// A child, and what has become of it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) path: String,
    pub(super) child: Child,
    /// Which process it has, or had last.
    pub(super) nth: usize,
    pub(super) is: Is,
}

#[derive(Clone, Debug)]
pub(super) enum Is {
    /// To be forgotten when the supervisor has done what it does.
    Gone,
    Down,
    Restarting,
    Up(Process),
    /// And its supervisor does not know yet.
    Dead(Reason),
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    /// Whether it hangs when it is asked to end, whatever its manners are.
    pub(super) hangs: bool,
    pub(super) supervisor: Option<Box<Supervisor>>,
}

/// How a start came out, if not well.
pub(super) enum NotStarted {
    Ignored,
    Failed,
}

impl Member {
    pub(super) fn new(supervisor: &str, child: Child) -> Self {
        Self { path: join(supervisor, &child.id), child, nth: 0, is: Is::Down }
    }

    /// Whether its supervisor takes it to have a process, or to get one again.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self.is, Is::Gone | Is::Down)
    }

    pub(super) fn supervisor(&mut self) -> Option<&mut Supervisor> {
        match &mut self.is {
            Is::Up(process) => process.supervisor.as_deref_mut(),
            _ => None,
        }
    }

    pub(super) fn start(&mut self, world: &mut World) -> Result<(), NotStarted> {
        let nth = world.starts(&self.path);
        world.story.push(Happening::Started(self.path.clone(), nth));
        let supervisor = match (self.child.starts.get(nth - 1), &self.child.body) {
            (Some(Start::Fails), _) => return Err(NotStarted::Failed),
            (Some(Start::Ignores), _) => return Err(NotStarted::Ignored),
            (_, Body::Worker(_)) => None,
            (_, Body::Supervisor(tree)) => {
                let supervisor = Supervisor::start(self.path.clone(), tree, world);
                Some(Box::new(supervisor.ok_or(NotStarted::Failed)?))
            }
        };
        (self.nth, self.is) = (nth, Is::Up(Process { hangs: false, supervisor }));
        Ok(())
    }

    /// It ends by itself or is killed, and with it what is below it.
    pub(super) fn take_along(&mut self, reason: Reason, world: &mut World) {
        match (self.supervisor(), reason) {
            (None, _) => {}
            (Some(supervisor), Reason::Killed) => supervisor.orphan(world),
            (Some(supervisor), _) => supervisor.stop_all(world),
        }
    }

    /// It is told to end: how long that takes, and how it ends or has ended.
    pub(super) fn end(&mut self, world: &mut World) -> (Duration, Option<Reason>) {
        let process = match &mut self.is {
            Is::Gone | Is::Down | Is::Restarting => return (Duration::ZERO, None),
            Is::Dead(reason) => return (Duration::ZERO, Some(*reason)),
            Is::Up(process) => process,
        };
        let (patience, reason) = match (self.child.shutdown, &self.child.body, &mut process.supervisor) {
            (Shutdown::BrutalKill, _, supervisor) => {
                if let Some(supervisor) = supervisor {
                    supervisor.orphan(world);
                }
                (Duration::ZERO, Reason::Killed)
            }
            (_, _, Some(supervisor)) => {
                supervisor.stop_all(world);
                (Duration::ZERO, Reason::Shutdown)
            }
            (Shutdown::After(patience), Body::Worker(manner), _)
                if process.hangs || *manner == Manner::Hangs =>
            {
                (patience, Reason::Killed)
            }
            (_, Body::Worker(Manner::EndsWith(reason)), _) => (Duration::ZERO, *reason),
            _ => (Duration::ZERO, Reason::Shutdown),
        };
        world.story.push(Happening::Stopped(self.path.clone(), self.nth, reason));
        (patience, Some(reason))
    }

    pub(super) fn report(&self, report: Report, world: &mut World) {
        world.story.push(Happening::Reported(self.path.clone(), report));
    }
}

pub(super) fn join(path: &str, id: &str) -> String {
    if path.is_empty() { id.to_owned() } else { format!("{path}/{id}") }
}
