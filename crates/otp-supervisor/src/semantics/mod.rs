//! The rules of supervision, as one pure machine: what happens goes in, what is to be done comes out.
//!
//! Everything a supervisor decides is decided here, and nothing else is. There is no clock, no task, no lock and
//! no process in this module: the time and the processes are the caller's, who is called the *shell*. The
//! supervisors of this crate are such a shell; a test, a model or a simulation of a whole day is another. This
//! text can be read beside [Erlang's manual](https://www.erlang.org/doc/apps/stdlib/supervisor.html).
//!
//! # Two machines
//!
//! | | [`Supervisor`] | [`Factory`] |
//! |---|---|---|
//! | Erlang | `one_for_one`, `one_for_all`, `rest_for_one` | `simple_one_for_one`, Elixir's `DynamicSupervisor` |
//! | children | have ids and an order, are known also without a process | go by their process, are known as long as they have one or are about to |
//! | boots | with its children | empty |
//! | restarts | by [`Strategy`] | one for one |
//! | ends | in reverse start order, one after the other | all at once |
//! | automatic shutdown | yes | no |
//! | at most so many children | no | [`max_children`](FactoryFlags::max_children) |
//!
//! # How to drive one
//!
//! Feed an [`Event`] with the time, carry out the [`Effect`]s in their order, feed the next. After one of the
//! awaited effects, which always come last, only its answer is accepted:
//!
//! | effect | answer |
//! |---|---|
//! | [`Start`](Effect::Start) | [`Started`](Event::Started), [`Ignored`](Event::Ignored) or [`StartFailed`](Event::StartFailed) |
//! | [`Stop`](Effect::Stop) | [`Stopped`](Event::Stopped) or [`Unresponsive`](Event::Unresponsive) |
//! | [`StopAll`](Effect::StopAll) | one of these for each, in any order |
//!
//! Everything else waits in the mailbox, as it does in Erlang while a supervisor starts or stops a child; what is
//! fed all the same comes back as [`OutOfTurn`].
//!
//! A day in the life of a pair that stands and falls together:
//!
//! ```
//! use std::time::Duration;
//! use otp_supervisor::semantics::{
//!     ChildRules, Effect, Event, Flags, ReasonKind, Report, Stop, Strategy, Supervisor,
//! };
//!
//! let flags = Flags { strategy: Strategy::OneForAll, ..Flags::default() };
//! let children = [ChildRules::worker("ledger"), ChildRules::worker("mailer")];
//! // Processes are numbers today, and a failing start says something in words.
//! let mut tree = Supervisor::<_, u32, ReasonKind, &str>::new(flags, children)?;
//! let [ledger, mailer] = ["ledger", "mailer"].map(|id| tree.which_child(&id).unwrap().key);
//! let noon = Duration::from_secs(12 * 60 * 60);
//!
//! // It boots in order.
//! let effects = tree.handle(noon, Event::Boot)?;
//! assert_eq!(effects, [Effect::Start { key: ledger }]);
//! let effects = tree.handle(noon, Event::Started { key: ledger, pid: 1 })?;
//! assert_eq!(effects.last(), Some(&Effect::Start { key: mailer }));
//! let effects = tree.handle(noon, Event::Started { key: mailer, pid: 2 })?;
//! assert_eq!(effects.last(), Some(&Effect::Ready));
//!
//! // The ledger crashes: the mailer is stopped, and both are started.
//! let effects = tree.handle(noon, Event::Exited { pid: 1, reason: ReasonKind::Other })?;
//! assert!(matches!(effects[0], Effect::Report(Report::ChildTerminated { .. })));
//! assert!(matches!(effects[1], Effect::Stop(Stop { pid: 2, .. })));
//! let effects = tree.handle(noon, Event::Stopped { key: mailer, reason: ReasonKind::Shutdown })?;
//! assert_eq!(effects, [Effect::Start { key: ledger }]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A child ends by itself
//!
//! | [`Restart`] | `normal`, `shutdown`, `{shutdown, _}` | anything else, `killed` included |
//! |---|---|---|
//! | permanent | reported, restarted | reported, restarted |
//! | transient | stays known without a process | reported, restarted |
//! | temporary | forgotten | reported, forgotten |
//!
//! In a factory a transient child, too, is forgotten when it has ended in an orderly way. An exit of a process that
//! is no child's, or no longer a child's, means nothing.
//!
//! # Restarting
//!
//! | [`Strategy`] | stopped, in reverse start order | started, in start order |
//! |---|---|---|
//! | one for one | nobody | the child |
//! | rest for one | the children after it | it and the children after it |
//! | one for all | all others | all |
//!
//! Whoever is stopped along and is temporary is forgotten and does not come back. Whoever had no process, because
//! it was terminated, had finished, or had chosen to be ignored, *is* started with its group.
//!
//! Children that die together are handled one by one. Under one for one that makes as many restarts. In a group it
//! is one: while the others are stopped, the shell finds that they are dead, says how they ended, and takes their
//! exits out of the mailbox.
//!
//! A restart that fails is tried again, but not in a loop: the child is [`Restarting`](Presence::Restarting) and the
//! shell sends itself a message, so that whatever came before it is handled first. Each attempt counts as a restart.
//!
//! | | the next attempt |
//! |---|---|
//! | one for one | starts the child |
//! | rest for one | begins at the child that *failed*, which may be a later one than the child that crashed |
//! | one for all | stops all that run, also those that were just started, and starts all |
//!
//! A child with a [`Backoff`] has its restarts put off: they count, the others of a group are stopped, and the child is
//! restarting, until a message comes [after some time](Effect::RetryAfter). Erlang does not know this.
//!
//! Who calls a restart off by [terminating](Command::TerminateChild) the child that is to be tried again calls it off for its
//! group: those that were stopped and not started again stay so, each until somebody asks for it.
//!
//! # Giving up
//!
//! More than [`intensity`](Flags::intensity) restarts within the [`period`](Flags::period), by the clock of
//! [`Window`], are too many. Counted is every attempt of an automatic restart, once, however many children it
//! concerns; not counted are ends without a restart, what the API does, and starts at boot. The supervisor then reports,
//! drops the child, stops the others and exits with `shutdown`, which for its own supervisor is an orderly reason.
//!
//! # Automatic shutdown
//!
//! A *significant* child that ends by itself and is not restarted may [end its supervisor](AutoShutdown), which exits
//! with `shutdown` without a report of its own. A child that was told to end does not, whoever told it to. But for
//! "all significant" it no longer counts as present, while one that is being restarted does.
//!
//! # Stopping a child
//!
//! See [`Shutdown`] for how, and [`Shutdown::accepts`] for which reasons are then taken in silence. A child that
//! ends with any other is reported; what it was stopped for goes on all the same.
//!
//! # A child that does not end
//!
//! Erlang ends any process; a shell may know some that it cannot. Such a child is [unresponsive](Presence::Unresponsive), and
//! reported once. Commands that would start, stop or forget it are refused. A group that is being restarted with it has
//! been stopped as far as that goes, and its pivot is restarting until the last of these has ended, which counts nothing. Its
//! end is that of a child that was stopped: it is reported, and leads to no restart and no shutdown. A
//! supervisor that ends does not wait for it; if it is to be started again, the shell of the one above takes it to be unresponsive
//! itself until then.
//!
//! # Commands
//!
//! | [`Command`] | unknown id | running | restarting | without a process |
//! |---|---|---|---|---|
//! | [`StartChild`](Command::StartChild) | starts it | `AlreadyStarted` | `AlreadyPresent` | `AlreadyPresent` |
//! | [`TerminateChild`](Command::TerminateChild) | `NotFound` | stops it | calls the restart off | does nothing |
//! | [`RestartChild`](Command::RestartChild) | `NotFound` | `Running` | `Restarting` | starts it |
//! | [`DeleteChild`](Command::DeleteChild) | `NotFound` | `Running` | `Restarting` | forgets it |
//!
//! A temporary child that is terminated is forgotten. A new child whose start fails is forgotten, without a report,
//! as is a temporary one that chooses to be ignored; others are then kept without a process.
//!
//! [`Change`](Command::Change) is Erlang's `code_change/3`: other flags, and other rules for the children that are known.
//!
//! # The supervisor's own end
//!
//! | what ends it | how it exits |
//! |---|---|
//! | it gives up, or shuts down automatically | [`Ending::Shutdown`] |
//! | its parent, or a system message | [`Ending::Asked`] with that reason |
//! | a child that fails at boot; those before it are stopped in reverse | [`Ending::FailedToStartChild`] |
//!
//! # What is not here
//!
//! Who the parent is, what a process is and how it dies, names, and logging.

mod backoff;
mod child;
mod effect;
mod error;
mod event;
mod factory;
mod flags;
mod machine;
mod reason;
mod restart;
mod roster;
mod shutdown;
mod supervisor;
mod window;

#[cfg(test)]
mod tests;

pub use self::{
    backoff::Backoff,
    child::{Child, ChildKey, ChildRules, ChildType, Counts, Presence, Template},
    effect::{Answer, Effect, Ending, Handled, Rekeyed, Report, Stop, Taken},
    error::{Awaiting, CommandError, FlagsError, OutOfTurn, RulesError, SetupError},
    event::{Command, Event, FactoryCommand},
    factory::{Factory, FactoryEffect, FactoryEvent},
    flags::{AutoShutdown, FactoryFlags, Flags, Strategy},
    reason::{Reason, ReasonKind},
    restart::Restart,
    shutdown::Shutdown,
    supervisor::{Supervisor, SupervisorEvent},
    window::Window,
};
