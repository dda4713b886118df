//! The static supervisor: children with names, in a fixed order.

use std::{hash::Hash, time::Duration};

use super::{
    Awaiting, Child, ChildKey, ChildRules, Command, CommandError, Counts, Effect, Event, Flags, Handled,
    Presence, Reason, RulesError, SetupError, Taken, Window,
    flags::check_period,
    machine::{Effects, Kind, Machine},
};

/// What happens to a static supervisor: [`Event`] with its commands.
pub type SupervisorEvent<I, P, R, F> = Event<Command<I>, P, R, F>;

/// The decisions of a supervisor whose children have names and an order.
///
/// `I` names a child, `P` is a process, `R` an exit reason, `F` what a failing start says. All are the shell's;
/// the machine only copies and compares them.
///
/// ```
/// use std::time::Duration;
/// use otp_supervisor::semantics::{ChildRules, Effect, Event, Flags, ReasonKind, Supervisor};
///
/// // Would this tree survive two crashes at once?
/// let children = [ChildRules::worker("ledger"), ChildRules::worker("mailer")];
/// let mut tree = Supervisor::<_, u32, ReasonKind, &str>::new(Flags::default(), children)?;
/// let (noon, mut next) = (Duration::from_secs(12 * 60 * 60), 1..);
/// let mut todo = tree.handle(noon, Event::Boot)?;
/// while let Some(&Effect::Start { key }) = todo.last() {
///     todo = tree.handle(noon, Event::Started { key, pid: next.next().unwrap() })?;
/// }
///
/// let effects = tree.handle(noon, Event::Exited { pid: 1, reason: ReasonKind::Other })?;
/// let Some(&Effect::Start { key }) = effects.last() else { panic!("it is not restarted") };
/// tree.handle(noon, Event::Started { key, pid: 3 })?;
/// let effects = tree.handle(noon, Event::Exited { pid: 2, reason: ReasonKind::Other })?;
/// // It would not: that is one restart too many, and the rest is stopped.
/// assert!(matches!(effects.last(), Some(Effect::Stop(stop)) if stop.pid == 3));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// Counterpart: Erlang's `supervisor` with any strategy but `simple_one_for_one`, `static_supervisor` in Gleam.
#[derive(Clone, Debug)]
pub struct Supervisor<I, P, R, F> {
    machine: Machine<I, P, R, F>,
}

impl<I, P, R, F> Supervisor<I, P, R, F>
where
    I: Clone + Eq + Hash,
    P: Copy + Eq + Hash,
    R: Reason,
    F: Clone,
{
    /// A supervisor of these children, in start order. Nothing is started before [`Event::Boot`].
    ///
    /// ```
    /// use otp_supervisor::semantics::{ChildRules, Flags, ReasonKind, RulesError, SetupError, Supervisor};
    ///
    /// let twice = [ChildRules::worker("ledger"), ChildRules::worker("ledger")];
    /// let refused = Supervisor::<_, u32, ReasonKind, &str>::new(Flags::default(), twice);
    /// assert!(matches!(refused, Err(SetupError::Rules(RulesError::Duplicate("ledger")))));
    /// ```
    ///
    /// # Errors
    ///
    /// The flags are checked first; then child by child its rules, and whether its id is free.
    ///
    /// Counterpart: `init/1` in `supervisor.erl`, `check_startspec`.
    pub fn new(
        flags: Flags,
        children: impl IntoIterator<Item = ChildRules<I>>,
    ) -> Result<Self, SetupError<I>> {
        let Flags { strategy, intensity, period, auto_shutdown } = flags;
        check_period(period)?;
        let mut machine = Machine::new(Kind::Static, strategy, auto_shutdown, Window::new(intensity, period));
        let children = children.into_iter();
        machine.roster.reserve(children.size_hint().0);
        for rules in children {
            rules.check(Some(auto_shutdown))?;
            machine.roster.add(rules).map_err(RulesError::Duplicate)?;
        }
        Ok(Self { machine })
    }

    /// Tells the machine what happened, and learns what is to be done.
    ///
    /// `now` is the time since an arbitrary but constant instant. It matters only to the restart intensity.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::{Awaiting, ChildRules, Effect, Event, Flags, ReasonKind, Supervisor};
    ///
    /// let mut tree = Supervisor::<_, u32, ReasonKind, &str>::new(Flags::default(), [ChildRules::worker("ledger")])?;
    /// let [Effect::Start { key }] = tree.handle(Duration::ZERO, Event::Boot)?[..] else { panic!("it does not boot") };
    /// // An exit that comes meanwhile stays in the mailbox.
    /// let early = tree.handle(Duration::ZERO, Event::Exited { pid: 7, reason: ReasonKind::Normal }).unwrap_err();
    /// assert_eq!(early.awaiting, Awaiting::Start(key));
    /// let effects = tree.handle(Duration::ZERO, Event::Started { key, pid: 1 })?;
    /// assert_eq!(effects.last(), Some(&Effect::Ready));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`OutOfTurn`](super::OutOfTurn) if this event cannot be now, see [`awaiting`](Self::awaiting). Nothing has changed then.
    pub fn handle(
        &mut self,
        now: Duration,
        event: SupervisorEvent<I, P, R, F>,
    ) -> Handled<I, Command<I>, P, R, F> {
        let mut effects = Vec::new();
        self.handle_into(now, event, &mut effects)?;
        Ok(effects)
    }

    /// As [`handle`](Self::handle), with the effects put at the end of a list that the shell uses again and again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::{ChildRules, Effect, Event, Flags, ReasonKind, Supervisor};
    ///
    /// let mut tree = Supervisor::<_, u32, ReasonKind, &str>::new(Flags::default(), [ChildRules::worker("ledger")])?;
    /// let mut effects = Vec::new();
    /// tree.handle_into(Duration::ZERO, Event::Boot, &mut effects)?;
    /// for effect in effects.drain(..) {
    ///     assert!(matches!(effect, Effect::Start { .. }));
    /// }
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle).
    pub fn handle_into(
        &mut self,
        now: Duration,
        event: SupervisorEvent<I, P, R, F>,
        effects: &mut Vec<Effect<I, P, R, F>>,
    ) -> Taken<Command<I>, P, R, F> {
        self.machine.handle(now, event, effects, |machine, now, command, out| match command {
            Command::StartChild(rules) => start_child(machine, rules, out),
            Command::TerminateChild(id) => match known(machine, &id) {
                Ok((key, _)) => machine.terminate(key, out),
                Err(error) => out.push(Effect::Reply(Err(error))),
            },
            Command::RestartChild(id) => match absent(machine, &id) {
                Ok(key) => machine.start_asked(key, out),
                Err(error) => out.push(Effect::Reply(Err(error))),
            },
            Command::DeleteChild(id) => match absent(machine, &id) {
                Ok(key) => machine.delete(key, out),
                Err(error) => out.push(Effect::Reply(Err(error))),
            },
            Command::Change(flags, rules) => match Self::new(flags, rules.iter().cloned()) {
                Ok(_) => machine.change(now, flags, rules, out),
                Err(SetupError::Flags(error)) => {
                    out.push(Effect::Reply(Err(CommandError::InvalidFlags(error))));
                }
                Err(SetupError::Rules(error)) => {
                    out.push(Effect::Reply(Err(CommandError::InvalidRules(error))));
                }
            },
        })
    }

    /// What holds for the supervisor as a whole.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, semantics::{Flags, ReasonKind, Supervisor}};
    ///
    /// let flags = Flags { strategy: Strategy::RestForOne, ..Flags::default() };
    /// assert_eq!(Supervisor::<&str, u32, ReasonKind, &str>::new(flags, [])?.flags(), flags);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn flags(&self) -> Flags {
        self.machine.flags()
    }

    /// What the machine can be told next.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::{Awaiting, Event, Flags, ReasonKind, Supervisor};
    ///
    /// let mut empty = Supervisor::<&str, u32, ReasonKind, &str>::new(Flags::default(), [])?;
    /// assert_eq!(empty.awaiting(), Awaiting::Boot);
    /// empty.handle(Duration::ZERO, Event::Boot)?;
    /// assert_eq!(empty.awaiting(), Awaiting::Message);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn awaiting(&self) -> Awaiting {
        self.machine.awaiting()
    }

    /// The children, the newest first; reversed, it is the start order.
    ///
    /// ```
    /// use otp_supervisor::semantics::{ChildRules, Flags, ReasonKind, Supervisor};
    ///
    /// let children = ["ledger", "mailer"].map(ChildRules::worker);
    /// let tree = Supervisor::<_, u32, ReasonKind, &str>::new(Flags::default(), children)?;
    /// assert!(tree.which_children().map(|child| child.rules.id).eq(["mailer", "ledger"]));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// Counterpart: `which_children/1`. As there, ask between two messages: in the midst of a restart the answer
    /// is true but of little use.
    pub fn which_children(&self) -> impl DoubleEndedIterator<Item = &Child<I, P>> {
        self.machine.roster.range(..).rev()
    }

    /// One child, with its rules.
    ///
    /// ```
    /// use otp_supervisor::semantics::{ChildRules, Flags, Presence, ReasonKind, Supervisor};
    ///
    /// let children = ["ledger", "mailer"].map(ChildRules::worker);
    /// let tree = Supervisor::<_, u32, ReasonKind, &str>::new(Flags::default(), children)?;
    /// assert_eq!(tree.which_child(&"mailer").unwrap().presence, Presence::Undefined);
    /// assert_eq!(tree.which_child(&"nobody"), None);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// Counterpart: `which_child/2` and `get_childspec/2`, where `None` is `not_found`.
    #[must_use]
    pub fn which_child(&self, id: &I) -> Option<&Child<I, P>> {
        self.machine.roster.named(id)
    }

    /// The child that has this process, or had it before it came to be restarting.
    #[must_use]
    pub fn child_of(&self, pid: P) -> Option<&Child<I, P>> {
        self.machine.roster.of(pid)
    }

    /// One child, by its key.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::{ChildRules, Effect, Event, Flags, ReasonKind, Supervisor};
    ///
    /// let children = ["ledger", "mailer"].map(ChildRules::worker);
    /// let mut tree = Supervisor::<_, u32, ReasonKind, &str>::new(Flags::default(), children)?;
    /// // Which is the first to be started?
    /// let [Effect::Start { key }] = tree.handle(Duration::ZERO, Event::Boot)?[..] else { panic!("it does not boot") };
    /// assert_eq!(tree.child(key).unwrap().rules.id, "ledger");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn child(&self, key: ChildKey) -> Option<&Child<I, P>> {
        self.machine.roster.get(key)
    }

    /// How many children there are. Whether a process is alive only the shell can tell: one may have died without
    /// the supervisor having heard of it.
    ///
    /// ```
    /// use otp_supervisor::semantics::{ChildRules, Flags, ReasonKind, Supervisor};
    ///
    /// let children = [ChildRules::worker("ledger"), ChildRules::supervisor("orders")];
    /// let tree = Supervisor::<_, u32, ReasonKind, &str>::new(Flags::default(), children)?;
    /// let counts = tree.count_children(|_pid| true);
    /// // None has been started yet.
    /// assert_eq!((counts.specs, counts.active, counts.supervisors), (2, 0, 1));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// Counterpart: `count_children/1`.
    #[must_use]
    pub fn count_children(&self, is_alive: impl Fn(P) -> bool) -> Counts {
        let mut counts = Counts { specs: self.machine.roster.len(), ..Counts::default() };
        for child in self.machine.roster.range(..) {
            let active = matches!(child.presence, Presence::Running(pid) if is_alive(pid));
            counts.add(child.rules.child_type, active);
        }
        counts
    }
}

fn start_child<I, P, R, F>(
    machine: &mut Machine<I, P, R, F>,
    rules: ChildRules<I>,
    out: &mut Effects<I, P, R, F>,
) where
    I: Clone + Eq + Hash,
    P: Copy + Eq + Hash,
    R: Reason,
    F: Clone,
{
    let refusal = match (rules.check(Some(machine.auto_shutdown)), machine.roster.named(&rules.id)) {
        (Err(error), _) => CommandError::InvalidRules(error),
        (Ok(()), None) => return machine.start_added(rules, out),
        (Ok(()), Some(child)) => match child.presence {
            Presence::Running(pid) => CommandError::AlreadyStarted(pid),
            Presence::Unresponsive(pid) => CommandError::Unresponsive(pid),
            Presence::Undefined | Presence::Restarting { .. } => CommandError::AlreadyPresent,
        },
    };
    out.push(Effect::Reply(Err(refusal)));
}

fn known<I, P, R, F>(
    machine: &Machine<I, P, R, F>,
    id: &I,
) -> Result<(ChildKey, Presence<P>), CommandError<I, P, F>>
where
    I: Clone + Eq + Hash,
    P: Copy + Eq + Hash,
{
    machine.roster.named(id).map(|child| (child.key, child.presence)).ok_or(CommandError::NotFound)
}

/// A child that can be restarted or deleted, because it has no process and none is on its way.
fn absent<I, P, R, F>(machine: &Machine<I, P, R, F>, id: &I) -> Result<ChildKey, CommandError<I, P, F>>
where
    I: Clone + Eq + Hash,
    P: Copy + Eq + Hash,
{
    match known(machine, id)? {
        (key, Presence::Undefined) => Ok(key),
        (_, Presence::Running(_)) => Err(CommandError::Running),
        (_, Presence::Restarting { .. }) => Err(CommandError::Restarting),
        (_, Presence::Unresponsive(pid)) => Err(CommandError::Unresponsive(pid)),
    }
}
