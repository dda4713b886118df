//! Starting: the walk up the start order at boot and in a group restart, and single starts.

use std::{hash::Hash, ops::Bound, time::Duration};

use super::{Effects, Kind, Machine, Revival, Turn};
use crate::semantics::{
    Answer, ChildKey, ChildRules, CommandError, Effect, Ending, Presence, Reason, Report, Strategy,
};

/// Why a child is being started; it decides what follows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Starting<P> {
    /// The supervisor comes up. The next child follows; a failure rolls back.
    Boot,
    /// It is restarted. In a group the next one follows; a failure is tried again later.
    Revival(Revival<P>),
    /// `start_child`: the caller is answered; a failure forgets the child.
    Added,
    /// `restart_child`: the caller is answered; a failure leaves the child as it was.
    Asked,
}

impl<I, P, R, F> Machine<I, P, R, F>
where
    I: Clone + Eq + Hash,
    P: Copy + Eq + Hash,
    R: Reason,
    F: Clone,
{
    pub(super) fn boot(&mut self, out: &mut Effects<I, P, R, F>) {
        self.start_up(Bound::Unbounded, Starting::Boot, out);
    }

    /// Adds a child, and starts it to answer a command.
    pub(in crate::semantics) fn start_added(&mut self, rules: ChildRules<I>, out: &mut Effects<I, P, R, F>) {
        match self.roster.add(rules) {
            Ok(key) => self.start(key, Starting::Added, out),
            Err(_) => out.push(Effect::Reply(Err(CommandError::AlreadyPresent))),
        }
    }

    /// Starts a child that has no process, to answer a command.
    pub(in crate::semantics) fn start_asked(&mut self, key: ChildKey, out: &mut Effects<I, P, R, F>) {
        self.start(key, Starting::Asked, out);
    }

    pub(super) fn start(&mut self, key: ChildKey, why: Starting<P>, out: &mut Effects<I, P, R, F>) {
        out.push(Effect::Start { key });
        self.turn = Turn::Starting(key, why);
    }

    /// Starts the lowest child above a bound; if there is none, the walk is done.
    pub(super) fn start_up(
        &mut self,
        above: Bound<ChildKey>,
        why: Starting<P>,
        out: &mut Effects<I, P, R, F>,
    ) {
        let next = self.roster.lowest((above, Bound::Unbounded)).map(|child| child.key);
        match (next, why) {
            (Some(key), why) => self.start(key, why, out),
            (None, Starting::Boot) => out.push(Effect::Ready),
            (None, _) => {}
        }
    }

    pub(super) fn started(
        &mut self,
        now: Duration,
        key: ChildKey,
        why: Starting<P>,
        pid: P,
        out: &mut Effects<I, P, R, F>,
    ) {
        let child = self.roster.place(key, Presence::Running(pid));
        if let (Kind::Static, Some(child)) = (self.kind, child) {
            let dynamic = matches!(why, Starting::Added | Starting::Asked);
            out.push(Effect::Report(Report::Progress { child: child.clone(), dynamic }));
        }
        if let Some(streak) = self.streaks.get_mut(&key) {
            streak.runs(now);
        }
        self.answer_or_go_on(key, why, Answer::Started(pid), out);
    }

    pub(super) fn ignored(&mut self, key: ChildKey, why: Starting<P>, out: &mut Effects<I, P, R, F>) {
        self.vacate(key, out);
        self.answer_or_go_on(key, why, Answer::Ignored, out);
    }

    pub(super) fn start_failed(
        &mut self,
        now: Duration,
        key: ChildKey,
        why: Starting<P>,
        error: F,
        out: &mut Effects<I, P, R, F>,
    ) {
        match why {
            Starting::Boot => {
                let Some(child) = self.roster.get(key).cloned() else { return };
                let ending = Ending::FailedToStartChild { id: child.rules.id.clone(), error: error.clone() };
                out.push(Effect::Report(Report::StartError { error, child }));
                self.end(now, ending, out);
            }
            Starting::Revival(Revival { pivot, last, .. }) => {
                let Some(child) = self.roster.get(key).cloned() else { return };
                out.push(Effect::Report(Report::StartError { error, child }));
                // Not a loop: a supervisor that cannot restart a child must still hear that it is to shut down.
                let last = if key == pivot { last } else { None };
                self.roster.place(key, Presence::Restarting { last });
                out.push(Effect::Retry { key });
            }
            Starting::Added => {
                self.forget(key, out);
                out.push(Effect::Reply(Err(CommandError::StartFailed(error))));
            }
            Starting::Asked => out.push(Effect::Reply(Err(CommandError::StartFailed(error)))),
        }
    }

    fn answer_or_go_on(
        &mut self,
        key: ChildKey,
        why: Starting<P>,
        answer: Answer<P>,
        out: &mut Effects<I, P, R, F>,
    ) {
        match (why, self.strategy) {
            (Starting::Added | Starting::Asked, _) => out.push(Effect::Reply(Ok(answer))),
            (Starting::Revival(_), Strategy::OneForOne) => {}
            // Both groups reach up to the end of the start order; they differ in where they begin.
            (Starting::Boot | Starting::Revival(_), _) => {
                self.start_up(Bound::Excluded(key), why, out);
            }
        }
    }
}
