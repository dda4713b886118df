//! What a supervisor knows of a child.

use std::fmt;

use super::{AutoShutdown, Backoff, Restart, RulesError, Shutdown};

/// Names one child of one machine, for ever: a key is never given to a second child.
///
/// The machine holds no start functions; the shell keeps them under this key. Keys grow in start order. A child
/// keeps its key over all its restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildKey(pub(super) u64);

impl fmt::Display for ChildKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What a child is. It decides defaults and counts, nothing else.
///
/// Counterpart: `worker()` in Erlang's child specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChildType {
    /// A process that does the work.
    #[default]
    Worker,
    /// A process that looks after others.
    Supervisor,
}

impl ChildType {
    /// The patience Erlang has with such a child by default: five seconds with a worker, any with a supervisor.
    ///
    /// ```
    /// use otp_supervisor::{ChildType, Shutdown};
    ///
    /// assert_eq!(ChildType::Worker.default_shutdown(), Shutdown::WORKER);
    /// assert_eq!(ChildType::Supervisor.default_shutdown(), Shutdown::Infinity);
    /// ```
    #[must_use]
    pub fn default_shutdown(self) -> Shutdown {
        match self {
            Self::Worker => Shutdown::WORKER,
            Self::Supervisor => Shutdown::Infinity,
        }
    }
}

/// Everything that supervision has to know of a child beforehand: a child specification without its start function.
///
/// Counterpart: `child_spec()` in Erlang.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildRules<I> {
    /// The child's name among its siblings.
    pub id: I,
    /// When it is started again.
    pub restart: Restart,
    /// Whether its end counts for [automatic shutdown](AutoShutdown).
    pub significant: bool,
    /// How it is stopped.
    pub shutdown: Shutdown,
    /// What it is.
    pub child_type: ChildType,
    /// Whether its restarts are put off, and for how long. Erlang does not know this.
    pub backoff: Option<Backoff>,
}

impl<I> ChildRules<I> {
    /// Erlang's defaults for a worker: permanent, not significant, five seconds to end.
    ///
    /// ```
    /// use otp_supervisor::{Restart, Shutdown, semantics::ChildRules};
    ///
    /// let rules = ChildRules::worker("ledger");
    /// assert_eq!((rules.restart, rules.shutdown), (Restart::Permanent, Shutdown::WORKER));
    /// ```
    #[must_use]
    pub fn worker(id: I) -> Self {
        Self::new(id, ChildType::Worker)
    }

    /// Erlang's defaults for a supervisor: permanent, not significant, any time to end.
    ///
    /// ```
    /// use otp_supervisor::{ChildType, Shutdown, semantics::ChildRules};
    ///
    /// let rules = ChildRules::supervisor("orders");
    /// assert_eq!((rules.child_type, rules.shutdown), (ChildType::Supervisor, Shutdown::Infinity));
    /// ```
    #[must_use]
    pub fn supervisor(id: I) -> Self {
        Self::new(id, ChildType::Supervisor)
    }

    /// These rules with another restart type.
    ///
    /// ```
    /// use otp_supervisor::{Restart, semantics::ChildRules};
    ///
    /// let rules = ChildRules::worker("import").restart(Restart::Transient);
    /// assert_eq!(rules.restart, Restart::Transient);
    /// ```
    #[must_use]
    pub fn restart(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    /// These rules for a significant child, or for one that is not.
    ///
    /// ```
    /// use otp_supervisor::{Restart, semantics::ChildRules};
    ///
    /// let rules = ChildRules::worker("import").restart(Restart::Transient).significant(true);
    /// assert!(rules.significant);
    /// ```
    #[must_use]
    pub fn significant(self, significant: bool) -> Self {
        Self { significant, ..self }
    }

    /// These rules with another way to stop.
    ///
    /// ```
    /// use otp_supervisor::{Shutdown, semantics::ChildRules};
    ///
    /// let rules = ChildRules::worker("cache").shutdown(Shutdown::BrutalKill);
    /// assert_eq!(rules.shutdown, Shutdown::BrutalKill);
    /// ```
    #[must_use]
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self { shutdown, ..self }
    }

    /// These rules with restarts that are put off.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::{Backoff, semantics::ChildRules};
    ///
    /// let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    /// assert_eq!(ChildRules::worker("client").backoff(backoff).backoff, Some(backoff));
    /// ```
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff: Some(backoff), ..self }
    }

    fn new(id: I, child_type: ChildType) -> Self {
        Self {
            id,
            restart: Restart::default(),
            significant: false,
            shutdown: child_type.default_shutdown(),
            child_type,
            backoff: None,
        }
    }
}

impl<I: Clone> ChildRules<I> {
    /// Checks that the rules make sense, under that automatic shutdown if one is given.
    ///
    /// ```
    /// use otp_supervisor::{AutoShutdown, Restart, semantics::{ChildRules, RulesError}};
    ///
    /// // As a permanent child it would never end for good.
    /// let rules = ChildRules::worker("import").significant(true);
    /// let automatic = Some(AutoShutdown::AnySignificant);
    /// assert_eq!(rules.check(automatic), Err(RulesError::SignificantPermanent("import")));
    /// assert_eq!(rules.restart(Restart::Transient).check(automatic), Ok(()));
    /// ```
    ///
    /// # Errors
    ///
    /// In this order, as a child can be wrong twice: [`SignificantNever`](RulesError::SignificantNever), then
    /// [`SignificantPermanent`](RulesError::SignificantPermanent).
    ///
    /// Counterpart: `check_childspecs/1,2`; without an automatic shutdown only the second check is made.
    pub fn check(&self, auto_shutdown: Option<AutoShutdown>) -> Result<(), RulesError<I>> {
        match (self.significant, auto_shutdown, self.restart) {
            (true, Some(AutoShutdown::Never), _) => Err(RulesError::SignificantNever(self.id.clone())),
            (true, _, Restart::Permanent) => Err(RulesError::SignificantPermanent(self.id.clone())),
            _ => Ok(()),
        }
    }
}

/// The rules of a factory's child, which has no name and is never significant.
///
/// The default is a transient worker with five seconds to end. A factory whose children are all of one kind starts
/// each with the same template, as `simple_one_for_one` does; others may differ, as under `DynamicSupervisor`.
///
/// Counterpart: the one child specification of a `simple_one_for_one` supervisor in Erlang, the template of
/// `factory_supervisor` in Gleam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// When the child is started again.
    pub restart: Restart,
    /// How it is stopped.
    pub shutdown: Shutdown,
    /// What it is.
    pub child_type: ChildType,
    /// Whether its restarts are put off, and for how long.
    pub backoff: Option<Backoff>,
}

impl Default for Template {
    fn default() -> Self {
        let child_type = ChildType::Worker;
        Self {
            restart: Restart::Transient,
            shutdown: child_type.default_shutdown(),
            child_type,
            backoff: None,
        }
    }
}

impl Template {
    pub(super) fn named<I>(self, id: I) -> ChildRules<I> {
        let Self { restart, shutdown, child_type, backoff } = self;
        ChildRules { id, restart, significant: false, shutdown, child_type, backoff }
    }
}

/// Whether a child has a process.
///
/// Counterpart: the second element of what `which_children` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence<P> {
    /// It has none, and none is on its way: `undefined`. It ended and stays so, was terminated, has not been
    /// started yet, or chose at its start to be ignored.
    Undefined,
    /// It has this one. It may be dead already, as long as its exit has not been handled.
    Running(P),
    /// It is to be started again, and another attempt is due: `restarting`. The last one failed, the restart is
    /// [put off](Backoff), or its group waits for a process that does not end.
    Restarting {
        /// The process that ended, if its end is what began all this: in a group another one's may be.
        last: Option<P>,
    },
    /// It was killed and does not end: it never awaits, or blocks its thread. Or it is a supervisor that has ended without
    /// such a process of its own. It is not started again while the process lives. Erlang, which can end any process,
    /// has no word for this.
    Unresponsive(P),
}

impl<P: Copy> Presence<P> {
    /// The process, or the one that was there before.
    pub(super) fn last(self) -> Option<P> {
        match self {
            Self::Undefined => None,
            Self::Running(pid) | Self::Unresponsive(pid) => Some(pid),
            Self::Restarting { last } => last,
        }
    }
}

/// A child as its supervisor sees it.
///
/// Counterpart: a tuple of `which_children`, and what `get_childspec` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child<I, P> {
    /// Its key, under which the shell keeps its start function.
    pub key: ChildKey,
    /// Its rules.
    pub rules: ChildRules<I>,
    /// Its process.
    pub presence: Presence<P>,
}

/// How many children a supervisor has.
///
/// Counterpart: what `count_children` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Child specifications; in a factory always one, its template.
    pub specs: usize,
    /// Children with a living process.
    pub active: usize,
    /// Children that are supervisors, alive or not.
    pub supervisors: usize,
    /// Children that are workers, alive or not.
    pub workers: usize,
}

impl Counts {
    pub(super) fn add(&mut self, child_type: ChildType, active: bool) {
        self.active += usize::from(active);
        match child_type {
            ChildType::Supervisor => self.supervisors += 1,
            ChildType::Worker => self.workers += 1,
        }
    }
}
