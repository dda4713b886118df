//! Stopping: the walk down the start order, the stop of all at once, and single stops.

use std::{hash::Hash, ops::Bound};

use super::{Effects, Machine, Revival, Turn, starting::Starting};
use crate::semantics::{Answer, Child, ChildKey, Effect, Ending, Presence, Reason, Report, Stop, Strategy};

/// Why a child is being stopped; it decides what follows.
#[derive(Clone, Debug)]
pub(super) enum Stopping<I, P, R, F> {
    /// Its group is restarted: the one before it follows, and then the starts.
    Revival(Revival<P>),
    /// The supervisor ends: the one before it follows, and then the exit.
    Ending(Ending<I, R, F>),
    /// `terminate_child`: the caller is answered.
    Asked,
}

/// The stop of all children at once.
#[derive(Clone, Debug)]
pub(super) struct All<I, P, R, F> {
    ending: Ending<I, R, F>,
    /// What will be reported: reason, the first child with it, and how many.
    odd: Vec<(R, Child<I, P>, usize)>,
}

/// So many distinct reasons are told apart when children are stopped at once; whatever else comes is reported one
/// by one. Without a bound, a hundred thousand children with a reason each would cost their number squared.
const TOLD_APART: usize = 16;

impl<I, P, R, F> Machine<I, P, R, F>
where
    I: Clone + Eq + Hash,
    P: Copy + Eq + Hash,
    R: Reason,
    F: Clone,
{
    /// Takes a child's process away to answer a command; there may be none.
    pub(in crate::semantics) fn terminate(&mut self, key: ChildKey, out: &mut Effects<I, P, R, F>) {
        match self.roster.get(key).and_then(order) {
            Some(stop) => self.stop(stop, Stopping::Asked, out),
            None => self.terminated(key, out),
        }
    }

    fn terminated(&mut self, key: ChildKey, out: &mut Effects<I, P, R, F>) {
        self.vacate(key, out);
        out.push(Effect::Reply(Ok(Answer::Done)));
    }

    /// Forgets a child that has no process, to answer a command.
    pub(in crate::semantics) fn delete(&mut self, key: ChildKey, out: &mut Effects<I, P, R, F>) {
        self.forget(key, out);
        out.push(Effect::Reply(Ok(Answer::Done)));
    }

    fn stop(&mut self, stop: Stop<P>, why: Stopping<I, P, R, F>, out: &mut Effects<I, P, R, F>) {
        out.push(Effect::Stop(stop));
        self.turn = Turn::Stopping(stop.key, why);
    }

    /// Stops the highest child below a key (the highest of all, if none is given) that has a process and is
    /// concerned. When there is none left, what the stopping was for comes next.
    pub(super) fn stop_down(
        &mut self,
        below: Option<ChildKey>,
        why: Stopping<I, P, R, F>,
        out: &mut Effects<I, P, R, F>,
    ) {
        let lowest = match (&why, self.strategy) {
            (Stopping::Revival(revival), Strategy::RestForOne) => Bound::Included(revival.pivot),
            _ => Bound::Unbounded,
        };
        let mut below = below.map_or(Bound::Unbounded, Bound::Excluded);
        while let Some(child) = self.roster.highest((lowest, below)) {
            if let Some(stop) = order(child) {
                return self.stop(stop, why, out);
            }
            // A sibling that was about to be retried is started with its group now; the retry will not find it
            // restarting, and do nothing.
            let key = child.key;
            self.roster.place(key, Presence::Undefined);
            below = Bound::Excluded(key);
        }
        match why {
            Stopping::Revival(revival) => self.start_up(lowest, Starting::Revival(revival), out),
            Stopping::Ending(ending) => self.exit(ending, out),
            Stopping::Asked => {}
        }
    }

    pub(super) fn stopped(
        &mut self,
        key: ChildKey,
        why: Stopping<I, P, R, F>,
        reason: R,
        out: &mut Effects<I, P, R, F>,
    ) {
        let Some(child) = self.roster.get(key) else { return };
        if !child.rules.shutdown.accepts(child.rules.restart, reason.kind()) {
            out.push(Effect::Report(Report::ShutdownError { reason, child: child.clone(), count: 1 }));
        }
        match why {
            Stopping::Asked => self.terminated(key, out),
            Stopping::Revival(_) | Stopping::Ending(_) => {
                // A temporary child is gone with this, so a group restart does not bring it back.
                self.vacate(key, out);
                self.stop_down(Some(key), why, out);
            }
        }
    }

    pub(super) fn stop_all(&mut self, ending: Ending<I, R, F>, out: &mut Effects<I, P, R, F>) {
        let absent: Vec<_> =
            self.roster.range(..).filter(|child| order(child).is_none()).map(|child| child.key).collect();
        for key in absent {
            self.roster.remove(key);
        }
        let stops: Vec<_> = self.roster.range(..).filter_map(order).collect();
        if stops.is_empty() {
            return self.exit(ending, out);
        }
        out.push(Effect::StopAll(stops));
        self.turn = Turn::StoppingAll(All { ending, odd: Vec::new() });
    }

    pub(super) fn one_stopped(
        &mut self,
        key: ChildKey,
        mut all: All<I, P, R, F>,
        reason: R,
        out: &mut Effects<I, P, R, F>,
    ) {
        // The child is copied while it still has its process, for the report.
        let Some(child) = self.roster.get(key).cloned() else { return };
        self.roster.remove(key);
        if !child.rules.shutdown.accepts(child.rules.restart, reason.kind()) {
            all.note(reason, child);
        }
        if self.roster.len() > 0 {
            self.turn = Turn::StoppingAll(all);
            return;
        }
        for (reason, child, count) in all.odd {
            out.push(Effect::Report(Report::ShutdownError { reason, child, count }));
        }
        self.exit(all.ending, out);
    }

    fn exit(&mut self, ending: Ending<I, R, F>, out: &mut Effects<I, P, R, F>) {
        out.push(Effect::Exit(ending));
        self.turn = Turn::Over;
    }
}

impl<I, P, R: PartialEq, F> All<I, P, R, F> {
    fn note(&mut self, reason: R, child: Child<I, P>) {
        let known = self.odd.iter_mut().take(TOLD_APART).find(|(known, ..)| *known == reason);
        match known {
            Some((.., count)) => *count += 1,
            None => self.odd.push((reason, child, 1)),
        }
    }
}

/// The order to stop a child, if it has a process.
fn order<I, P: Copy>(child: &Child<I, P>) -> Option<Stop<P>> {
    match child.presence {
        Presence::Running(pid) => Some(Stop { key: child.key, pid, shutdown: child.rules.shutdown }),
        Presence::Undefined | Presence::Restarting { .. } => None,
    }
}
