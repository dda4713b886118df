//! What comes of asking a supervisor for something.

use super::{
    World,
    member::{Is, Member, NotStarted},
    supervisor::Supervisor,
};
use crate::{
    AutoShutdown, Restart,
    testing::{Answer, Child, Deed},
};

impl Supervisor {
    /// Carries out a request about a child, which had its process with this number when it was made.
    pub(super) fn answer(&mut self, deed: &Deed, nth: usize, world: &mut World) {
        let answer = self.carry_out(deed, nth, world);
        world.answers.push(answer);
    }

    fn carry_out(&mut self, deed: &Deed, nth: usize, world: &mut World) -> Answer {
        let index = self.find(deed.path());
        if let Deed::Start(path, child) = deed {
            let id = path.rsplit('/').next().unwrap_or_default().to_owned();
            return self.add(Child { id, ..(**child).clone() }, index, world);
        }
        if self.tree.kind.is_factory() {
            // Asked is for the end of a process, and who has none by now has ended.
            if let Some(i) = index.filter(|i| self.members[*i].nth == nth) {
                self.stop(i, world);
            }
            return Answer::Done;
        }
        let Some(i) = index else { return Answer::NotFound };
        match (deed, &self.members[i].is) {
            (Deed::Terminate(_), _) => self.stop(i, world),
            (_, Is::Up(_) | Is::Dead(_)) => return Answer::Running,
            (_, Is::Restarting) => return Answer::Restarting,
            (Deed::Restart(_), _) => return answer_of(&self.start_one(i, world)),
            _ => self.members[i].is = Is::Gone,
        }
        Answer::Done
    }

    fn add(&mut self, child: Child, index: Option<usize>, world: &mut World) -> Answer {
        let never = !self.tree.kind.is_factory() && self.tree.kind.auto_shutdown() == AutoShutdown::Never;
        match index.map(|i| &self.members[i].is) {
            _ if child.significant && never => return Answer::SignificantNever,
            _ if child.significant && child.restart == Restart::Permanent => {
                return Answer::SignificantPermanent;
            }
            Some(Is::Up(_) | Is::Dead(_)) => return Answer::AlreadyStarted,
            Some(_) => return Answer::AlreadyPresent,
            None => {}
        }
        let i = self.members.len();
        self.members.push(Member::new(&self.path, child));
        let started = self.start_one(i, world);
        if let Err(NotStarted::Failed) = started {
            self.members[i].is = Is::Gone;
        }
        answer_of(&started)
    }
}

fn answer_of(started: &Result<(), NotStarted>) -> Answer {
    match started {
        Ok(()) => Answer::Done,
        Err(NotStarted::Ignored) => Answer::Ignored,
        Err(NotStarted::Failed) => Answer::Failed,
    }
}
