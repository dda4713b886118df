//! The machine behind both kinds of supervisor: which event is whose turn, and what an exit leads to.
//!
//! | file | idea |
//! |---|---|
//! | `mod.rs` | turns; exits, retries, giving up |
//! | `starting.rs` | the walk up the start order, and single starts |
//! | `stopping.rs` | the walk down, the stop of all at once, and single stops |

mod starting;
mod stopping;

use std::{hash::Hash, mem, time::Duration};

use self::{starting::Starting, stopping::Stopping};
use super::{
    AutoShutdown, Awaiting, Child, ChildKey, Effect, Ending, Event, Handled, OutOfTurn, Presence, Reason,
    Report, Restart, Strategy, Window, roster::Roster,
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
}

impl<I, P, R, F> Machine<I, P, R, F>
where
    I: Clone + Eq + Hash,
    P: Copy + Eq + Hash,
    R: Reason,
    F: Clone,
{
    pub(super) fn new(kind: Kind, strategy: Strategy, auto_shutdown: AutoShutdown, window: Window) -> Self {
        Self { roster: Roster::new(), kind, strategy, auto_shutdown, window, turn: Turn::Unborn }
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
        serve: impl FnOnce(&mut Self, C, &mut Effects<I, P, R, F>),
    ) -> Handled<I, C, P, R, F> {
        let mut out = Vec::new();
        match (mem::replace(&mut self.turn, Turn::Idle), event) {
            (Turn::Unborn, Event::Boot) => self.boot(&mut out),

            (Turn::Idle, Event::Exited { pid, reason }) => self.exited(now, pid, reason, &mut out),
            (Turn::Idle, Event::Retry { key }) => self.retry(now, key, &mut out),
            (Turn::Idle, Event::Command(command)) => serve(self, command, &mut out),
            (Turn::Idle, Event::ShutDown { reason }) => self.end(Ending::Asked(reason), &mut out),

            (Turn::Starting(key, why), Event::Started { key: it, pid }) if it == key => {
                self.started(key, why, pid, &mut out);
            }
            (Turn::Starting(key, why), Event::Ignored { key: it }) if it == key => {
                self.ignored(key, why, &mut out);
            }
            (Turn::Starting(key, why), Event::StartFailed { key: it, error }) if it == key => {
                self.start_failed(key, why, error, &mut out);
            }

            (Turn::Stopping(key, why), Event::Stopped { key: it, reason }) if it == key => {
                self.stopped(key, why, reason, &mut out);
            }
            (Turn::StoppingAll(all), Event::Stopped { key, reason }) if self.roster.get(key).is_some() => {
                self.one_stopped(key, all, reason, &mut out);
            }

            (turn, event) => {
                self.turn = turn;
                return Err(OutOfTurn { event, awaiting: self.awaiting() });
            }
        }
        Ok(out)
    }

    /// A child ended by itself. The exit of anyone else, also of a child's former process, means nothing.
    fn exited(&mut self, now: Duration, pid: P, reason: R, out: &mut Effects<I, P, R, F>) {
        let Some(child) = self.roster.of(pid) else { return };
        if child.presence != Presence::Running(pid) {
            return;
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
                self.end(Ending::Shutdown, out);
            }
        }
    }

    /// The time has come for another attempt, unless someone has taken the child out of that state since.
    fn retry(&mut self, now: Duration, key: ChildKey, out: &mut Effects<I, P, R, F>) {
        let restarting = |child: &Child<I, P>| matches!(child.presence, Presence::Restarting { .. });
        if self.roster.get(key).is_some_and(restarting) {
            self.revive(now, key, out);
        }
    }

    /// Restarts a child, alone or with its group, or gives up. Each attempt counts one, however many it concerns.
    fn revive(&mut self, now: Duration, pivot: ChildKey, out: &mut Effects<I, P, R, F>) {
        let Some(child) = self.roster.get(pivot) else { return };
        if !self.window.admit(now) {
            out.push(Effect::Report(Report::GaveUp { child: child.clone() }));
            self.vacate(pivot, out);
            return self.end(Ending::Shutdown, out);
        }
        let revival = Revival { pivot, last: child.presence.last() };
        match self.strategy {
            Strategy::OneForOne => self.start(pivot, Starting::Revival(revival), out),
            Strategy::OneForAll | Strategy::RestForOne => {
                // From here on the crashed child is one of those that have nothing to be stopped.
                self.vacate(pivot, out);
                self.stop_down(None, Stopping::Revival(revival), out);
            }
        }
    }

    /// Stops everyone and exits.
    fn end(&mut self, ending: Ending<I, R, F>, out: &mut Effects<I, P, R, F>) {
        match self.kind {
            Kind::Static => self.stop_down(None, Stopping::Ending(ending), out),
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
        out.push(Effect::Forget { key });
    }
}
