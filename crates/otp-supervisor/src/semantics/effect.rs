//! What a supervisor does.

use std::time::Duration;

use super::{Child, ChildKey, CommandError, Event, OutOfTurn, Shutdown};

/// Something to be done by the shell, in the order of the list it comes in.
///
/// Three of them, marked *awaited*, are always the last of their list: the shell carries them out, feeds the
/// answer, and feeds nothing else before that.
///
/// The set is closed on purpose: a shell that does not know an effect is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<I, P, R, F> {
    /// *Awaited.* Run the child's start function to its end, linked to the supervisor. The answer is
    /// [`Started`](super::Event::Started), [`Ignored`](super::Event::Ignored) or
    /// [`StartFailed`](super::Event::StartFailed).
    ///
    /// A key that is new belongs to the [`StartChild`](super::Command::StartChild) being served. A temporary
    /// child's start function is run once and never again.
    Start {
        /// The child.
        key: ChildKey,
    },
    /// *Awaited.* Stop this child. The answer is [`Stopped`](super::Event::Stopped) or
    /// [`Unresponsive`](super::Event::Unresponsive).
    Stop(Stop<P>),
    /// *Awaited.* Stop these children at once, each with its own patience. The answer is one
    /// [`Stopped`](super::Event::Stopped) or [`Unresponsive`](super::Event::Unresponsive) for each, in any order.
    StopAll(Vec<Stop<P>>),
    /// Send a message to yourself, which comes back as [`Retry`](super::Event::Retry) when all that is in the
    /// mailbox now has been handled: so requests and shutdowns get their turn between two attempts.
    Retry {
        /// The child to be tried again.
        key: ChildKey,
    },
    /// The same after this time: the restart is put off. A message that comes early does no harm, as long as this one
    /// comes too.
    RetryAfter {
        /// The child to be tried again.
        key: ChildKey,
        /// How long to wait.
        delay: Duration,
    },
    /// The children have other keys from here on: these, in start order. Those that the
    /// [change](super::Command::Change) gives come first, in its order.
    Rekey(Vec<Rekeyed>),
    /// This child is gone for good: drop its start function. What is left at [`Exit`](Self::Exit) goes with it.
    Forget {
        /// The child.
        key: ChildKey,
    },
    /// Answer the command that is being served. There is exactly one for each.
    Reply(Result<Answer<P>, CommandError<I, P, F>>),
    /// Tell the log.
    Report(Report<I, P, R, F>),
    /// The children are started: `start_link` may return `{ok, Pid}`.
    Ready,
    /// All children are gone: exit. The last effect of all.
    Exit(Ending<I, R, F>),
}

/// What comes of an event: the effects to carry out, or the event itself, if this was not its turn.
pub type Handled<I, C, P, R, F> = Result<Vec<Effect<I, P, R, F>>, OutOfTurn<Event<C, P, R, F>>>;

/// Whether it was an event's turn: if not, it comes back.
pub type Taken<C, P, R, F> = Result<(), OutOfTurn<Event<C, P, R, F>>>;

/// An order to stop one child.
///
/// The shell monitors it, sends `shutdown` or `kill`, waits as long as it is told to, kills it after that, and
/// takes its true exit reason, from the exit in the mailbox if it was dead before. If it has not ended
/// [some time after the kill](Shutdown::KILL_PATIENCE), the shell says so and waits no longer.
///
/// Counterpart: `shutdown/1` in `supervisor.erl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop<P> {
    /// The child.
    pub key: ChildKey,
    /// Its process.
    pub pid: P,
    /// How it is asked, and how long one waits.
    pub shutdown: Shutdown,
}

/// A child that has another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// The key that it has from here on.
    pub key: ChildKey,
    /// The one that it had. `None`: the child is new.
    pub before: Option<ChildKey>,
}

/// What a command achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<P> {
    /// The child was started: `{ok, Pid}`. If its start function had more to say, the shell knows it and adds it:
    /// `{ok, Pid, Info}`.
    Started(P),
    /// The child chose not to run: `{ok, undefined}`, `ignore`.
    Ignored,
    /// It was done: `ok`.
    Done,
}

/// A supervisor report.
///
/// Counterpart: the `supervisor_report` and `progress` reports of SASL; the child is their `offender` or `started`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report<I, P, R, F> {
    /// A child was started: `progress`. Not told by factories.
    Progress {
        /// The child, running.
        child: Child<I, P>,
        /// Whether a command has started it: that is told at a lower level.
        dynamic: bool,
    },
    /// A child did not start, at boot or when it was to be restarted: `start_error`. When a command was to start
    /// it, the caller hears of it instead.
    StartError {
        /// What its start said.
        error: F,
        /// The child, as it was before the attempt.
        child: Child<I, P>,
    },
    /// A child ended by itself and should not have: `child_terminated`.
    ChildTerminated {
        /// Why it ended.
        reason: R,
        /// The child, with the process that ended.
        child: Child<I, P>,
    },
    /// A child did not end as it was told to: `shutdown_error`. One that was unresponsive is reported so when it has
    /// ended after all.
    ShutdownError {
        /// How it ended.
        reason: R,
        /// The child, with the process that ended; if there were more, the first of them.
        child: Child<I, P>,
        /// How many ended so: one in an orderly stop; children that are stopped at once are reported together.
        count: usize,
    },
    /// A child was killed and does not end. It is not waited for any longer.
    ///
    /// Erlang has no such report, as it can end any process.
    Unresponsive {
        /// The child, with the process that does not end.
        child: Child<I, P>,
    },
    /// The supervisor gives up: `shutdown`, `reached_max_restart_intensity`.
    GaveUp {
        /// The child that needed one restart too many.
        child: Child<I, P>,
    },
}

/// Why the supervisor exits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending<I, R, F> {
    /// It gave up, or significant children have ended: `shutdown`.
    Shutdown,
    /// It was asked to: the reason it was asked with.
    Asked(R),
    /// It did not come up: `{shutdown, {failed_to_start_child, Id, Error}}`.
    FailedToStartChild {
        /// The child that did not start.
        id: I,
        /// What its start said.
        error: F,
    },
}
