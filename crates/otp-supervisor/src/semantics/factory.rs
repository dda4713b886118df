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
    #[must_use]
    pub fn flags(&self) -> FactoryFlags {
        let Flags { intensity, period, .. } = self.machine.flags();
        FactoryFlags { intensity, period, max_children: self.max_children }
    }

    /// What the machine can be told next.
    #[must_use]
    pub fn awaiting(&self) -> Awaiting {
        self.machine.awaiting()
    }

    /// The children, the newest first. Erlang and Elixir promise no order here.
    ///
    /// Counterpart: `which_children/1`; the id that it shows as `undefined` is the key here.
    pub fn which_children(&self) -> impl DoubleEndedIterator<Item = &Child<ChildKey, P>> {
        self.machine.roster.range(..).rev()
    }

    /// The child that has this process, or had it before its restart became due.
    ///
    /// Counterpart: `get_childspec/2` by pid.
    #[must_use]
    pub fn which_child(&self, pid: P) -> Option<&Child<ChildKey, P>> {
        self.machine.roster.of(pid)
    }

    /// One child, by its key.
    #[must_use]
    pub fn child(&self, key: ChildKey) -> Option<&Child<ChildKey, P>> {
        self.machine.roster.get(key)
    }

    /// How many children there are, counted as Erlang does: one specification, and every process not known to be
    /// dead is active. Elixir counts the children as the specifications.
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
