//! The machine behind both kinds of supervisor: which event is whose turn, and what an exit leads to.
//!
//! | file | idea |
//! |---|---|
//! | `mod.rs` | turns; exits, retries, giving up |
//! | `starting.rs` | the walk up the start order, and single starts |
//! | `stopping.rs` | the walk down, the stop of all at once, and single stops |

mod starting;
mod stopping;

use std::{collections::BTreeMap, hash::Hash, mem, time::Duration};

use self::{starting::Starting, stopping::Stopping};
use super::{
    Answer, AutoShutdown, Awaiting, ChildKey, ChildRules, Effect, Ending, Event, Flags, OutOfTurn, Presence,
    Reason, Report, Restart, Strategy, Taken, Window, backoff::Streak, roster::Roster,
};

pub(super) type Effects<I, P, R, F> = Vec<Effect<I, P, R, F>>;

/// Where the two kinds of supervisor differ, apart from their commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Children with names, which it knows also while they have no process, and stops one after the other.
    Static,
    /// Children that are their processes, known only as long as they have one, and stopped all at once.
    Factory,
}

impl Kind {
    /// Whether a child that has ended for now, or did not want to run, stays known.
    fn keeps(self, restart: Restart) -> bool {
        match self {
            Self::Static => restart != Restart::Temporary,
            Self::Factory => false,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Machine<I, P, R, F> {
    pub(super) roster: Roster<I, P>,
    pub(super) auto_shutdown: AutoShutdown,
    kind: Kind,
    strategy: Strategy,
    window: Window,
    /// Of the children whose restarts are put off.
    streaks: BTreeMap<ChildKey, Streak>,
    turn: Turn<I, P, R, F>,
}

/// What the machine waits for, and what it was about.
#[derive(Clone, Debug)]
enum Turn<I, P, R, F> {
    /// Waits for its first event.
    Unborn,
    /// Waits for a message.
    Idle,
    /// Waits for the start of a child. Left for `Idle`, for the start of the next, or for `Stopping`.
    Starting(ChildKey, Starting<P>),
    /// Waits for the end of a child. Left for `Idle`, for the end of the next, for `Starting`, or for `Over`.
    Stopping(ChildKey, Stopping<I, P, R, F>),
    /// Waits for the end of everyone in the roster. Left for `Over`.
    StoppingAll(stopping::All<I, P, R, F>),
    /// Waits for nothing.
    Over,
}

/// A child that is to be restarted, alone or with its group.
#[derive(Clone, Copy, Debug)]
struct Revival<P> {
    pivot: ChildKey,
    last: Option<P>,
    /// Nothing is started before this time.
    due: Duration,
}

impl<I, P, R, F> Machine<I, P, R, F>
where
    I: Clone + Eq + Hash,
    P: Copy + Eq + Hash,
    R: Reason,
    F: Clone,
{
    pub(super) fn new(kind: Kind, strategy: Strategy, auto_shutdown: AutoShutdown, window: Window) -> Self {
        let roster = match kind {
            Kind::Static => Roster::of_named(),
            Kind::Factory => Roster::of_nameless(),
        };
        Self { roster, kind, strategy, auto_shutdown, window, streaks: BTreeMap::new(), turn: Turn::Unborn }
    }

    /// What holds for the supervisor as a whole.
    pub(super) fn flags(&self) -> Flags {
        let (intensity, period) = self.window.limits();
        Flags { strategy: self.strategy, intensity, period, auto_shutdown: self.auto_shutdown }
    }

    pub(super) fn awaiting(&self) -> Awaiting {
        match &self.turn {
            Turn::Unborn => Awaiting::Boot,
            Turn::Idle => Awaiting::Message,
            Turn::Starting(key, _) => Awaiting::Start(*key),
            Turn::Stopping(key, _) => Awaiting::Stop(*key),
            Turn::StoppingAll(_) => Awaiting::StopAll(self.roster.len()),
            Turn::Over => Awaiting::Nothing,
        }
    }

    /// The one entry: an event, if it is its turn. Commands are served by `serve`.
    pub(super) fn handle<C>(
        &mut self,
        now: Duration,
        event: Event<C, P, R, F>,
        out: &mut Effects<I, P, R, F>,
        serve: impl FnOnce(&mut Self, Duration, C, &mut Effects<I, P, R, F>),
    ) -> Taken<C, P, R, F> {
        match (mem::replace(&mut self.turn, Turn::Idle), event) {
            (Turn::Unborn, Event::Boot) => self.boot(out),

            (Turn::Idle, Event::Exited { pid, reason }) => self.exited(now, pid, reason, out),
            (Turn::Idle, Event::Retry { key }) => self.retry(now, key, out),
            (Turn::Idle, Event::Command(command)) => serve(self, now, command, out),
            (Turn::Idle, Event::ShutDown { reason }) => self.end(now, Ending::Asked(reason), out),

            (Turn::Starting(key, why), Event::Started { key: it, pid }) if it == key => {
                self.started(now, key, why, pid, out);
            }
            (Turn::Starting(key, why), Event::Ignored { key: it }) if it == key => {
                self.ignored(key, why, out);
            }
            (Turn::Starting(key, why), Event::StartFailed { key: it, error }) if it == key => {
                self.start_failed(now, key, why, error, out);
            }

            (Turn::Stopping(key, why), Event::Stopped { key: it, reason }) if it == key => {
                self.stopped(now, key, why, reason, out);
            }
            (Turn::Stopping(key, why), Event::Unresponsive { key: it }) if it == key => {
                self.unresponsive(now, key, why, out);
            }
            (Turn::StoppingAll(all), Event::Stopped { key, reason }) if self.roster.get(key).is_some() => {
                self.one_stopped(key, all, reason, out);
            }
            (Turn::StoppingAll(all), Event::Unresponsive { key }) if self.roster.get(key).is_some() => {
                self.one_unresponsive(key, all, out);
            }

            (turn, event) => {
                self.turn = turn;
                return Err(OutOfTurn { event, awaiting: self.awaiting() });
            }
        }
        Ok(())
    }

    /// A child ended by itself. The exit of anyone else, also of a child's former process, means nothing.
    fn exited(&mut self, now: Duration, pid: P, reason: R, out: &mut Effects<I, P, R, F>) {
        let Some(child) = self.roster.of(pid) else { return };
        match child.presence {
            Presence::Running(_) => {}
            Presence::Unresponsive(_) => return self.gone(child.key, reason, out),
            Presence::Undefined | Presence::Restarting { .. } => return,
        }
        let (key, restart, significant) = (child.key, child.rules.restart, child.rules.significant);
        let kind = reason.kind();
        if restart.deplores(kind) {
            out.push(Effect::Report(Report::ChildTerminated { reason, child: child.clone() }));
        }
        if restart.revives(kind) {
            self.revive(now, key, out);
        } else {
            self.vacate(key, out);
            if significant && self.auto_shutdown.fires(self.roster.significant()) {
                self.end(now, Ending::Shutdown, out);
            }
        }
    }

    /// The time has come for another attempt, unless someone has taken the child out of that state since.
    fn retry(&mut self, now: Duration, key: ChildKey, out: &mut Effects<I, P, R, F>) {
        let Some(Presence::Restarting { last }) = self.roster.get(key).map(|child| child.presence) else {
            return;
        };
        match self.roster.waiting().get(&key) {
            None => self.revive(now, key, out),
            // Another retry is on its way for then.
            Some(due) if *due > now => {}
            Some(due) => self.restart(now, Revival { pivot: key, last, due: *due }, out),
        }
    }

    /// A child that would not end has ended. Those whose restart has waited for it are tried again.
    fn gone(&mut self, key: ChildKey, reason: R, out: &mut Effects<I, P, R, F>) {
        let Some(child) = self.roster.get(key).cloned() else { return };
        out.push(Effect::Report(Report::ShutdownError { reason, child, count: 1 }));
        self.vacate(key, out);
        out.extend(self.roster.waiting().keys().map(|key| Effect::Retry { key: *key }));
    }

    /// Restarts a child, alone or with its group, or gives up. Each attempt counts one, however many it concerns.
    fn revive(&mut self, now: Duration, pivot: ChildKey, out: &mut Effects<I, P, R, F>) {
        let Some(child) = self.roster.get(pivot) else { return };
        if !self.window.admit(now) {
            out.push(Effect::Report(Report::GaveUp { child: child.clone() }));
            self.vacate(pivot, out);
            return self.end(now, Ending::Shutdown, out);
        }
        let (last, backoff) = (child.presence.last(), child.rules.backoff);
        let delay = backoff.map(|backoff| self.streaks.entry(pivot).or_default().restart(backoff, now));
        let due = delay.map_or(now, |delay| now.saturating_add(delay));
        self.restart(now, Revival { pivot, last, due }, out);
    }

    /// Carries out a restart that has been counted.
    fn restart(&mut self, now: Duration, revival: Revival<P>, out: &mut Effects<I, P, R, F>) {
        match self.strategy {
            Strategy::OneForOne if revival.due > now => self.put_off(now, revival, out),
            Strategy::OneForOne => self.start(revival.pivot, Starting::Revival(revival), out),
            Strategy::OneForAll | Strategy::RestForOne => {
                // From here on the crashed child is one of those that have nothing to be stopped.
                self.vacate(revival.pivot, out);
                self.stop_down(now, None, Stopping::Revival(revival), out);
            }
        }
    }

    /// Leaves a restart for later: when it is due, and nobody is left who does not end.
    fn put_off(&mut self, now: Duration, revival: Revival<P>, out: &mut Effects<I, P, R, F>) {
        let Revival { pivot, last, due } = revival;
        self.roster.put_off(pivot, last, due);
        if due > now {
            out.push(Effect::RetryAfter { key: pivot, delay: due - now });
        }
    }

    /// Changes to other flags and children, which have been checked, to answer a command.
    pub(in crate::semantics) fn change(
        &mut self,
        now: Duration,
        flags: Flags,
        rules: Vec<ChildRules<I>>,
        out: &mut Effects<I, P, R, F>,
    ) {
        let Flags { strategy, intensity, period, auto_shutdown } = flags;
        self.strategy = strategy;
        self.auto_shutdown = auto_shutdown;
        self.window.change(intensity, period);
        let rekeyed = self.roster.change(rules);
        let mut streaks = mem::take(&mut self.streaks);
        let mut retries = Vec::new();
        for child in &rekeyed {
            let streak = child.before.and_then(|before| streaks.remove(&before));
            if let Some(streak) = streak {
                self.streaks.insert(child.key, streak);
            }
            // The retries that are on their way do not know the new keys.
            let presence = self.roster.get(child.key).map(|child| child.presence);
            match (presence, self.roster.waiting().get(&child.key)) {
                (_, Some(due)) if *due > now => {
                    retries.push(Effect::RetryAfter { key: child.key, delay: *due - now });
                }
                (Some(Presence::Restarting { .. }), _) => retries.push(Effect::Retry { key: child.key }),
                _ => {}
            }
        }
        out.push(Effect::Rekey(rekeyed));
        out.append(&mut retries);
        out.push(Effect::Reply(Ok(Answer::Done)));
    }

    /// Stops everyone and exits.
    fn end(&mut self, now: Duration, ending: Ending<I, R, F>, out: &mut Effects<I, P, R, F>) {
        match self.kind {
            Kind::Static => self.stop_down(now, None, Stopping::Ending(ending), out),
            Kind::Factory => self.stop_all(ending, out),
        }
    }

    /// A child has no process any more, and none is on its way.
    fn vacate(&mut self, key: ChildKey, out: &mut Effects<I, P, R, F>) {
        let Some(child) = self.roster.get(key) else { return };
        if self.kind.keeps(child.rules.restart) {
            self.roster.place(key, Presence::Undefined);
        } else {
            self.forget(key, out);
        }
    }

    fn forget(&mut self, key: ChildKey, out: &mut Effects<I, P, R, F>) {
        self.roster.remove(key);
        self.streaks.remove(&key);
        out.push(Effect::Forget { key });
    }
}
