//! Stopping: the walk down the start order, the stop of all at once, and single stops.

use std::{hash::Hash, ops::Bound, time::Duration};

use super::{Effects, Machine, Revival, Turn, starting::Starting};
use crate::semantics::{
    Answer, Child, ChildKey, CommandError, Effect, Ending, Presence, Reason, Report, Stop, Strategy,
};

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
        let Some(child) = self.roster.get(key) else { return };
        match (order(child), child.presence) {
            (Some(stop), _) => self.stop(stop, Stopping::Asked, out),
            (None, Presence::Unresponsive(pid)) => refuse_for(pid, out),
            (None, _) => self.terminated(key, out),
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
        now: Duration,
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
            let key = child.key;
            below = Bound::Excluded(key);
            // A sibling that was about to be retried is started with its group now; the retry will not find it
            // restarting, and do nothing. A temporary one, new or so since a change, is not started with it.
            if !matches!(child.presence, Presence::Unresponsive(_)) {
                self.vacate(key, out);
            }
        }
        match why {
            Stopping::Revival(revival) => self.group_stopped(now, lowest, revival, out),
            Stopping::Ending(ending) => self.exit(ending, out),
            Stopping::Asked => {}
        }
    }

    /// A group that is to be restarted, all from this bound on, is stopped.
    fn group_stopped(
        &mut self,
        now: Duration,
        lowest: Bound<ChildKey>,
        revival: Revival<P>,
        out: &mut Effects<I, P, R, F>,
    ) {
        let stuck = self.is_stuck(lowest);
        if self.roster.get(revival.pivot).is_some() {
            // Nobody is started beside a process that should be gone: neither its twin, nor who depends on it.
            if revival.due > now || stuck {
                return self.put_off(now, revival, out);
            }
        } else if stuck {
            // The pivot was made temporary by a change, and is forgotten: one of those that are left waits in its place.
            let absent = |child: &&Child<I, P>| child.presence == Presence::Undefined;
            let next = self.roster.range((lowest, Bound::Unbounded)).find(absent).map(|child| child.key);
            if let Some(pivot) = next {
                self.put_off(now, Revival { pivot, last: None, due: now }, out);
            }
            return;
        }
        self.start_up(lowest, Starting::Revival(revival), out);
    }

    /// Whether a child above this bound does not end.
    fn is_stuck(&self, lowest: Bound<ChildKey>) -> bool {
        let stuck = |child: &Child<I, P>| matches!(child.presence, Presence::Unresponsive(_));
        self.roster.range((lowest, Bound::Unbounded)).any(stuck)
    }

    /// A child was killed and does not end. What it was stopped for goes on as far as it can without it.
    pub(super) fn unresponsive(
        &mut self,
        now: Duration,
        key: ChildKey,
        why: Stopping<I, P, R, F>,
        out: &mut Effects<I, P, R, F>,
    ) {
        let Some(pid) = self.give_up_on(key, out) else { return };
        match why {
            Stopping::Asked => refuse_for(pid, out),
            Stopping::Revival(_) | Stopping::Ending(_) => self.stop_down(now, Some(key), why, out),
        }
    }

    /// Reports that a child does not end, and keeps it as one of those.
    fn give_up_on(&mut self, key: ChildKey, out: &mut Effects<I, P, R, F>) -> Option<P> {
        let pid = self.roster.get(key)?.presence.last()?;
        self.roster.place(key, Presence::Unresponsive(pid));
        let child = self.roster.get(key)?.clone();
        out.push(Effect::Report(Report::Unresponsive { child }));
        Some(pid)
    }

    pub(super) fn stopped(
        &mut self,
        now: Duration,
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
                self.stop_down(now, Some(key), why, out);
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
        self.one_less(all, out);
    }

    /// One of those that are being stopped at once does not end: it is not waited for.
    pub(super) fn one_unresponsive(
        &mut self,
        key: ChildKey,
        all: All<I, P, R, F>,
        out: &mut Effects<I, P, R, F>,
    ) {
        self.give_up_on(key, out);
        self.roster.remove(key);
        self.one_less(all, out);
    }

    fn one_less(&mut self, all: All<I, P, R, F>, out: &mut Effects<I, P, R, F>) {
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
        Presence::Undefined | Presence::Restarting { .. } | Presence::Unresponsive(_) => None,
    }
}

/// Answers a command that a process is in the way of which does not end.
fn refuse_for<I, P, R, F>(pid: P, out: &mut Effects<I, P, R, F>) {
    out.push(Effect::Reply(Err(CommandError::Unresponsive(pid))));
}
