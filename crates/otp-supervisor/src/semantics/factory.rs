//! The factory: any number of children of one kind, which come and go.

use std::{hash::Hash, time::Duration};

use super::{
    Answer, AutoShutdown, Awaiting, Child, ChildKey, CommandError, Counts, Effect, Event, FactoryCommand,
    FactoryFlags, Flags, FlagsError, Handled, Presence, Reason, Strategy, Taken, Window,
    flags::check_period,
    machine::{Kind, Machine},
};

/// What happens to a factory: [`Event`] with its commands.
pub type FactoryEvent<P, R, F> = Event<FactoryCommand<P>, P, R, F>;

/// What a factory does: [`Effect`] with children that have no other name than their key.
pub type FactoryEffect<P, R, F> = Effect<ChildKey, P, R, F>;

/// The decisions of a supervisor whose children are added as they are needed, and go by their process.
///
/// It boots empty. A child that is not started again is forgotten; none is remembered without a process, except
/// while its restart is due. When the supervisor ends, all are stopped at once.
///
/// ```
/// use std::time::Duration;
/// use otp_supervisor::semantics::{Effect, Event, Factory, FactoryCommand, FactoryFlags, ReasonKind, Template};
///
/// // Processes are numbers, and a failing start says something in words.
/// let mut rooms = Factory::<u32, ReasonKind, &str>::new(FactoryFlags::default())?;
/// let noon = Duration::from_secs(12 * 60 * 60);
/// assert_eq!(rooms.handle(noon, Event::Boot)?, [Effect::Ready]);
///
/// let start = FactoryCommand::StartChild(Template::default());
/// let [Effect::Start { key }] = rooms.handle(noon, Event::Command(start))?[..] else { panic!("it is not started") };
/// rooms.handle(noon, Event::Started { key, pid: 1 })?;
///
/// // A crash: the same child is started again.
/// let effects = rooms.handle(noon, Event::Exited { pid: 1, reason: ReasonKind::Other })?;
/// assert_eq!(effects.last(), Some(&Effect::Start { key }));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// Counterpart: Erlang's `supervisor` with `simple_one_for_one`, `factory_supervisor` in Gleam,
/// `DynamicSupervisor` in Elixir.
#[derive(Clone, Debug)]
pub struct Factory<P, R, F> {
    machine: Machine<ChildKey, P, R, F>,
    max_children: Option<usize>,
}

impl<P, R, F> Factory<P, R, F>
where
    P: Copy + Eq + Hash,
    R: Reason,
    F: Clone,
{
    /// A factory without children.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::{Factory, FactoryFlags, FlagsError, ReasonKind};
    ///
    /// let flags = FactoryFlags { period: Duration::ZERO, ..FactoryFlags::default() };
    /// let refused = Factory::<u32, ReasonKind, &str>::new(flags);
    /// assert!(matches!(refused, Err(FlagsError::InvalidPeriod)));
    /// ```
    ///
    /// # Errors
    ///
    /// The period must not be zero.
    pub fn new(flags: FactoryFlags) -> Result<Self, FlagsError> {
        let FactoryFlags { intensity, period, max_children } = flags;
        check_period(period)?;
        let window = Window::new(intensity, period);
        let machine = Machine::new(Kind::Factory, Strategy::OneForOne, AutoShutdown::Never, window);
        Ok(Self { machine, max_children })
    }

    /// Tells the machine what happened, and learns what is to be done.
    ///
    /// `now` is the time since an arbitrary but constant instant. It matters only to the restart intensity.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::{Effect, Event, Factory, FactoryCommand, FactoryFlags, ReasonKind, Template};
    ///
    /// let mut rooms = Factory::<u32, ReasonKind, &str>::new(FactoryFlags::default())?;
    /// rooms.handle(Duration::ZERO, Event::Boot)?;
    /// let start = FactoryCommand::StartChild(Template::default());
    /// let effects = rooms.handle(Duration::ZERO, Event::Command(start))?;
    /// assert!(matches!(effects[..], [Effect::Start { .. }]));
    /// // That has to be answered first.
    /// assert!(rooms.handle(Duration::ZERO, Event::Command(start)).is_err());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`OutOfTurn`](super::OutOfTurn) if this event cannot be now, see [`awaiting`](Self::awaiting). Nothing has changed then.
    pub fn handle(
        &mut self,
        now: Duration,
        event: FactoryEvent<P, R, F>,
    ) -> Handled<ChildKey, FactoryCommand<P>, P, R, F> {
        let mut effects = Vec::new();
        self.handle_into(now, event, &mut effects)?;
        Ok(effects)
    }

    /// As [`handle`](Self::handle), with the effects put at the end of a list that the shell uses again and again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::{Effect, Event, Factory, FactoryFlags, ReasonKind};
    ///
    /// let mut rooms = Factory::<u32, ReasonKind, &str>::new(FactoryFlags::default())?;
    /// let mut effects = Vec::new();
    /// rooms.handle_into(Duration::ZERO, Event::Boot, &mut effects)?;
    /// for effect in effects.drain(..) {
    ///     assert_eq!(effect, Effect::Ready);
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
        event: FactoryEvent<P, R, F>,
        effects: &mut Vec<Effect<ChildKey, P, R, F>>,
    ) -> Taken<FactoryCommand<P>, P, R, F> {
        let max_children = self.max_children;
        self.machine.handle(now, event, effects, |machine, _, command, out| match command {
            FactoryCommand::StartChild(template) => {
                if max_children.is_some_and(|max| machine.roster.len() >= max) {
                    out.push(Effect::Reply(Err(CommandError::MaxChildren)));
                } else {
                    let id = machine.roster.next_key();
                    machine.start_added(template.named(id), out);
                }
            }
            FactoryCommand::TerminateChild { pid, alive } => {
                match (machine.roster.of(pid).map(|child| child.key), alive) {
                    (Some(key), _) => machine.terminate(key, out),
                    (None, true) => out.push(Effect::Reply(Err(CommandError::NotFound))),
                    // It may have been a child until a moment ago, and whoever asks wanted it dead.
                    (None, false) => out.push(Effect::Reply(Ok(Answer::Done))),
                }
            }
        })
    }

    /// What holds for the factory as a whole.
    ///
    /// ```
    /// use otp_supervisor::semantics::{Factory, FactoryFlags, ReasonKind};
    ///
    /// let flags = FactoryFlags { max_children: Some(100), ..FactoryFlags::default() };
    /// assert_eq!(Factory::<u32, ReasonKind, &str>::new(flags)?.flags(), flags);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn flags(&self) -> FactoryFlags {
        let Flags { intensity, period, .. } = self.machine.flags();
        FactoryFlags { intensity, period, max_children: self.max_children }
    }

    /// What the machine can be told next.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::semantics::{Awaiting, Event, Factory, FactoryFlags, ReasonKind};
    ///
    /// let mut rooms = Factory::<u32, ReasonKind, &str>::new(FactoryFlags::default())?;
    /// assert_eq!(rooms.awaiting(), Awaiting::Boot);
    /// rooms.handle(Duration::ZERO, Event::Boot)?;
    /// assert_eq!(rooms.awaiting(), Awaiting::Message);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn awaiting(&self) -> Awaiting {
        self.machine.awaiting()
    }

    /// The children, the newest first. Erlang and Elixir promise no order here.
    ///
    /// ```
    /// use otp_supervisor::semantics::{Event, Factory, FactoryCommand, FactoryFlags, Presence, ReasonKind, Template};
    /// # use std::time::Duration;
    /// # let mut rooms = Factory::<u32, ReasonKind, &str>::new(FactoryFlags::default())?;
    /// # rooms.handle(Duration::ZERO, Event::Boot)?;
    /// # for pid in [1, 2] {
    /// #     rooms.handle(Duration::ZERO, Event::Command(FactoryCommand::StartChild(Template::default())))?;
    /// #     let otp_supervisor::semantics::Awaiting::Start(key) = rooms.awaiting() else { panic!("it is not started") };
    /// #     rooms.handle(Duration::ZERO, Event::Started { key, pid })?;
    /// # }
    ///
    /// // Processes 1 and 2 were started.
    /// let children: Vec<_> = rooms.which_children().map(|child| child.presence).collect();
    /// assert_eq!(children, [Presence::Running(2), Presence::Running(1)]);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// Counterpart: `which_children/1`; the id that it shows as `undefined` is the key here.
    pub fn which_children(&self) -> impl DoubleEndedIterator<Item = &Child<ChildKey, P>> {
        self.machine.roster.range(..).rev()
    }

    /// The child that has this process, or had it before its restart became due.
    ///
    /// ```
    /// use otp_supervisor::semantics::{Event, Factory, FactoryCommand, FactoryFlags, ReasonKind, Restart, Template};
    /// # use std::time::Duration;
    /// # let mut rooms = Factory::<u32, ReasonKind, &str>::new(FactoryFlags::default())?;
    /// # rooms.handle(Duration::ZERO, Event::Boot)?;
    /// # rooms.handle(Duration::ZERO, Event::Command(FactoryCommand::StartChild(Template::default())))?;
    /// # let otp_supervisor::semantics::Awaiting::Start(key) = rooms.awaiting() else { panic!("it is not started") };
    /// # rooms.handle(Duration::ZERO, Event::Started { key, pid: 1 })?;
    ///
    /// // Process 1 was started.
    /// assert_eq!(rooms.which_child(1).unwrap().rules.restart, Restart::Transient);
    /// assert_eq!(rooms.which_child(2), None);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// Counterpart: `get_childspec/2` by pid.
    #[must_use]
    pub fn which_child(&self, pid: P) -> Option<&Child<ChildKey, P>> {
        self.machine.roster.of(pid)
    }

    /// One child, by its key.
    ///
    /// ```
    /// use otp_supervisor::semantics::{Event, Factory, FactoryCommand, FactoryFlags, Presence, ReasonKind, Template};
    /// # use std::time::Duration;
    /// # let mut rooms = Factory::<u32, ReasonKind, &str>::new(FactoryFlags::default())?;
    /// # rooms.handle(Duration::ZERO, Event::Boot)?;
    /// # rooms.handle(Duration::ZERO, Event::Command(FactoryCommand::StartChild(Template::default())))?;
    /// # let otp_supervisor::semantics::Awaiting::Start(key) = rooms.awaiting() else { panic!("it is not started") };
    ///
    /// // The child of this key is being started.
    /// assert_eq!(rooms.child(key).unwrap().presence, Presence::Undefined);
    /// rooms.handle(Duration::ZERO, Event::Started { key, pid: 1 })?;
    /// assert_eq!(rooms.child(key).unwrap().presence, Presence::Running(1));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn child(&self, key: ChildKey) -> Option<&Child<ChildKey, P>> {
        self.machine.roster.get(key)
    }

    /// How many children there are, counted as Erlang does: one specification, and every process not known to be
    /// dead is active. Elixir counts the children as the specifications.
    ///
    /// ```
    /// use otp_supervisor::semantics::{Event, Factory, FactoryCommand, FactoryFlags, ReasonKind, Template};
    /// # use std::time::Duration;
    /// # let mut rooms = Factory::<u32, ReasonKind, &str>::new(FactoryFlags::default())?;
    /// # rooms.handle(Duration::ZERO, Event::Boot)?;
    /// # rooms.handle(Duration::ZERO, Event::Command(FactoryCommand::StartChild(Template::default())))?;
    /// # let otp_supervisor::semantics::Awaiting::Start(key) = rooms.awaiting() else { panic!("it is not started") };
    /// # rooms.handle(Duration::ZERO, Event::Started { key, pid: 1 })?;
    ///
    /// // Process 1 was started.
    /// let counts = rooms.count_children();
    /// assert_eq!((counts.specs, counts.active, counts.workers), (1, 1, 1));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// Counterpart: `count_children/1`.
    #[must_use]
    pub fn count_children(&self) -> Counts {
        let mut counts = Counts { specs: 1, ..Counts::default() };
        for child in self.machine.roster.range(..) {
            let active = matches!(child.presence, Presence::Running(_));
            counts.add(child.rules.child_type, active);
        }
        counts
    }
}
