//! What a supervisor has, and how things come to it.

use std::{collections::VecDeque, time::Duration};

use super::{
    World,
    member::{Is, Member},
};
use crate::testing::{Child, Deed, Happening, Reason, Tree};

#[derive(Clone, Debug)]
pub(super) struct Supervisor {
    pub(super) path: String,
    pub(super) tree: Tree,
    /// In start order.
    pub(super) members: Vec<Member>,
    pub(super) mailbox: VecDeque<Message>,
    pub(super) born: Duration,
    /// The seconds of the restarts that still count.
    pub(super) restarts: Vec<u64>,
}

/// What waits in the mailbox of a supervisor, about the child at a path.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// Its process has ended.
    Exit(String),
    TryAgain(String),
    /// A request, and the process that the child had when it was made: factories go by that.
    Request(Deed, usize),
}

impl Supervisor {
    pub(super) fn new(path: String, tree: &Tree, born: Duration) -> Self {
        let members = tree.children.iter().map(|child| Member::new(&path, child.clone())).collect();
        Self { path, tree: tree.clone(), members, mailbox: VecDeque::new(), born, restarts: Vec::new() }
    }

    /// Brings deeds to the supervisor at a path. Returns how *this* one has ended, if it has of that.
    pub(super) fn at(&mut self, path: &str, deeds: &[Deed], world: &mut World) -> Option<Reason> {
        if path == self.path {
            for deed in deeds {
                self.befall(deed, world);
            }
        } else {
            let leads = |member: &Member| {
                path.strip_prefix(&member.path)
                    .is_some_and(|below| below.is_empty() || below.starts_with('/'))
            };
            let i = self.members.iter().position(leads)?;
            let reason = self.members[i].supervisor()?.at(path, deeds, world)?;
            self.ends(i, reason, world);
        }
        self.work(world)
    }

    /// Something is done to a child, or asked for; nobody has looked yet.
    fn befall(&mut self, deed: &Deed, world: &mut World) {
        let index = self.find(deed.path());
        match (deed, index.map(|i| (i, &mut self.members[i].is))) {
            (Deed::Exit(_, reason), Some((i, Is::Up(_)))) => {
                self.members[i].take_along(*reason, world);
                self.ends(i, *reason, world);
            }
            (Deed::Hang(_), Some((_, Is::Up(process)))) => process.hangs = true,
            (Deed::Exit(..) | Deed::Hang(_), _) => {}
            _ => {
                let nth = index.map_or(0, |i| self.members[i].nth);
                self.mailbox.push_back(Message::Request(deed.clone(), nth));
            }
        }
    }

    /// A child has ended by itself.
    fn ends(&mut self, i: usize, reason: Reason, world: &mut World) {
        let member = &mut self.members[i];
        world.story.push(Happening::Ended(member.path.clone(), member.nth, reason));
        member.is = Is::Dead(reason);
        self.mailbox.push_back(Message::Exit(member.path.clone()));
    }

    /// It was killed, and all that is linked with it goes too. Supervisors among these stop their children first; nobody
    /// waits for that.
    pub(super) fn orphan(&mut self, world: &mut World) {
        let now = world.now;
        for member in &mut self.members {
            if let Some(supervisor) = member.supervisor() {
                supervisor.stop_all(world);
            }
            if let Is::Up(_) = member.is {
                world.story.push(Happening::Orphaned(member.path.clone(), member.nth));
            }
        }
        world.now = now;
    }

    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.members.iter().position(|member| member.path == path)
    }

    pub(super) fn list<'a>(&'a self, all: &mut Vec<(String, Option<usize>, &'a Child)>) {
        for member in &self.members {
            let process = match &member.is {
                Is::Up(process) => Some(process),
                _ => None,
            };
            all.push((member.path.clone(), process.map(|_| member.nth), &member.child));
            if let Some(supervisor) = process.and_then(|process| process.supervisor.as_ref()) {
                supervisor.list(all);
            }
        }
    }

    pub(super) fn forget(&mut self) {
        self.members.retain(|member| !matches!(member.is, Is::Gone));
    }
}
