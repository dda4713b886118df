//! A day in the life of a machine: a shell without processes, whose world is a script.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fmt::Debug,
    time::Duration,
};

use crate::semantics::{
    Answer, ChildKey, ChildRules, Command, CommandError, Effect, Ending, Event, Factory, FactoryCommand,
    FactoryFlags, Flags, Handled, Reason, ReasonKind, Report, Shutdown, Stop, Supervisor, Template,
};

pub(super) type Pid = u32;
pub(super) type Name = &'static str;

/// Why a process of this world ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Normal,
    Shutdown,
    ShutdownWith(u8),
    Killed,
    Crash,
    CrashWith(u8),
}

impl Reason for Why {
    fn kind(&self) -> ReasonKind {
        match self {
            Self::Normal => ReasonKind::Normal,
            Self::Shutdown => ReasonKind::Shutdown,
            Self::ShutdownWith(_) => ReasonKind::ShutdownWith,
            Self::Killed => ReasonKind::Killed,
            Self::Crash | Self::CrashWith(_) => ReasonKind::Other,
        }
    }
}

/// How one start comes out. Whatever is not in the script succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Up,
    Ignore,
    Fail,
}

/// What the driver asks of both kinds of machine.
pub(super) trait Machine {
    type Id: Clone + Debug;
    type Command;
    fn feed(
        &mut self,
        now: Duration,
        event: Event<Self::Command, Pid, Why, Name>,
    ) -> Handled<Self::Id, Self::Command, Pid, Why, Name>;
    fn name(&self, key: ChildKey) -> Option<String>;
}

pub(super) type Static = Supervisor<Name, Pid, Why, Name>;
pub(super) type Dynamic = Factory<Pid, Why, Name>;

impl Machine for Static {
    type Id = Name;
    type Command = Command<Name>;
    fn feed(
        &mut self,
        now: Duration,
        event: Event<Command<Name>, Pid, Why, Name>,
    ) -> Handled<Name, Command<Name>, Pid, Why, Name> {
        self.handle(now, event)
    }
    fn name(&self, key: ChildKey) -> Option<String> {
        self.child(key).map(|child| child.rules.id.to_owned())
    }
}

impl Machine for Dynamic {
    type Id = ChildKey;
    type Command = FactoryCommand<Pid>;
    fn feed(
        &mut self,
        now: Duration,
        event: Event<FactoryCommand<Pid>, Pid, Why, Name>,
    ) -> Handled<ChildKey, FactoryCommand<Pid>, Pid, Why, Name> {
        self.handle(now, event)
    }
    fn name(&self, key: ChildKey) -> Option<String> {
        Some(key.to_string())
    }
}

pub(super) type Reply<I> = Result<Answer<Pid>, CommandError<I, Pid, Name>>;

/// The machine, its mailbox, and the script of the world around it.
pub(super) struct Day<M: Machine> {
    pub(super) machine: M,
    pub(super) now: Duration,
    mailbox: VecDeque<Event<M::Command, Pid, Why, Name>>,
    starts: HashMap<String, VecDeque<Outcome>>,
    manners: HashMap<String, Why>,
    stuck: HashSet<String>,
    timers: BTreeMap<Duration, ChildKey>,
    pids: HashMap<String, Pid>,
    names: HashMap<ChildKey, String>,
    dead: HashMap<Pid, Why>,
    next_pid: Pid,
    log: Vec<String>,
    replies: Vec<Reply<M::Id>>,
    pub(super) progress: Vec<String>,
}

impl<M: Machine> Day<M> {
    fn over(machine: M) -> Self {
        Self {
            machine,
            now: Duration::from_secs(1_000),
            mailbox: VecDeque::new(),
            starts: HashMap::new(),
            manners: HashMap::new(),
            stuck: HashSet::new(),
            timers: BTreeMap::new(),
            pids: HashMap::new(),
            names: HashMap::new(),
            dead: HashMap::new(),
            next_pid: 1,
            log: Vec::new(),
            replies: Vec::new(),
            progress: Vec::new(),
        }
    }

    /// The next starts of a child come out like this.
    pub(super) fn starts(&mut self, name: &str, outcomes: impl IntoIterator<Item = Outcome>) -> &mut Self {
        self.starts.entry(name.to_owned()).or_default().extend(outcomes);
        self
    }

    /// A child that is asked to end ends like this.
    pub(super) fn ends(&mut self, name: &str, why: Why) -> &mut Self {
        self.manners.insert(name.to_owned(), why);
        self
    }

    /// A child cannot be killed.
    pub(super) fn is_stuck(&mut self, name: &str) -> &mut Self {
        self.stuck.insert(name.to_owned());
        self
    }

    /// A child that could not be killed has ended after all.
    pub(super) fn is_gone(&mut self, name: &str) -> &mut Self {
        self.stuck.remove(name);
        self.exit(name, Why::Killed)
    }

    /// The process a child has, or had last.
    pub(super) fn pid(&self, name: &str) -> Pid {
        self.pids[name]
    }

    /// Puts a message into the mailbox.
    pub(super) fn post(&mut self, event: Event<M::Command, Pid, Why, Name>) -> &mut Self {
        self.mailbox.push_back(event);
        self
    }

    /// A process dies; the supervisor does not know yet.
    pub(super) fn dies(&mut self, name: &str, why: Why) -> &mut Self {
        let pid = self.pid(name);
        self.dead.insert(pid, why);
        self.post(Event::Exited { pid, reason: why })
    }

    /// The last message of the mailbox goes to its front: it was there before the others were sent.
    pub(super) fn first(&mut self) -> &mut Self {
        self.mailbox.rotate_right(1);
        self
    }

    /// A process dies, and all that follows from it.
    pub(super) fn exit(&mut self, name: &str, why: Why) -> &mut Self {
        self.dies(name, why).settle()
    }

    pub(super) fn command(&mut self, command: M::Command) -> Reply<M::Id> {
        self.post(Event::Command(command)).settle();
        self.replies.pop().expect("every command is answered")
    }

    /// As [`command`](Self::command), but served before what is in the mailbox already, and nothing else is.
    pub(super) fn command_now(&mut self, command: M::Command) -> Reply<M::Id> {
        self.mailbox.push_front(Event::Command(command));
        self.step();
        self.replies.pop().expect("every command is answered")
    }

    /// Handles one message, to its end.
    pub(super) fn step(&mut self) -> &mut Self {
        let mut next = self.mailbox.pop_front();
        while let Some(event) = next {
            let effects = self.machine.feed(self.now, event).unwrap_or_else(|_| panic!("refused"));
            let mut answers = VecDeque::new();
            for effect in effects {
                assert!(answers.is_empty(), "an awaited effect is the last one");
                self.carry_out(effect, &mut answers);
            }
            // All answers but the last are only reported, or the parallel stop would not wait for the rest.
            while answers.len() > 1 {
                let answer = answers.pop_front().expect("there are more");
                let effects = self.machine.feed(self.now, answer).unwrap_or_else(|_| panic!("refused"));
                for effect in effects {
                    let Effect::Report(report) = effect else { panic!("nothing follows from it") };
                    self.report(report);
                }
            }
            next = answers.pop_front();
        }
        self
    }

    /// Handles all messages.
    pub(super) fn settle(&mut self) -> &mut Self {
        let mut patience = 10_000;
        while !self.mailbox.is_empty() && self.machine_lives() {
            patience -= 1;
            assert!(patience > 0, "the day never ends");
            self.step();
        }
        self
    }

    pub(super) fn later(&mut self, by: Duration) -> &mut Self {
        self.now += by;
        let later = self.timers.split_off(&(self.now + Duration::from_nanos(1)));
        for key in std::mem::replace(&mut self.timers, later).into_values() {
            self.post(Event::Retry { key });
        }
        self.settle()
    }

    /// What was done since the last look.
    pub(super) fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    fn machine_lives(&self) -> bool {
        !self.log.last().is_some_and(|line| line.starts_with("exit "))
    }

    fn name(&self, key: ChildKey) -> String {
        self.machine.name(key).or_else(|| self.names.get(&key).cloned()).unwrap_or_else(|| "?".to_owned())
    }

    fn carry_out(
        &mut self,
        effect: Effect<M::Id, Pid, Why, Name>,
        answers: &mut VecDeque<Event<M::Command, Pid, Why, Name>>,
    ) {
        match effect {
            Effect::Start { key } => {
                let name = self.name(key);
                self.names.insert(key, name.clone());
                self.log.push(format!("start {name}"));
                let outcome = self.starts.get_mut(&name).and_then(VecDeque::pop_front);
                answers.push_back(match outcome.unwrap_or(Outcome::Up) {
                    Outcome::Up => {
                        let pid = self.next_pid;
                        self.next_pid += 1;
                        self.pids.insert(name, pid);
                        Event::Started { key, pid }
                    }
                    Outcome::Ignore => Event::Ignored { key },
                    Outcome::Fail => Event::StartFailed { key, error: "no" },
                });
            }
            Effect::Stop(stop) => {
                let name = self.name(stop.key);
                self.log.push(format!("stop {name}"));
                answers.push_back(self.stop(stop));
            }
            Effect::StopAll(stops) => {
                let names: Vec<_> = stops.iter().map(|stop| self.name(stop.key)).collect();
                self.log.push(format!("stop all {}", names.join(" ")));
                answers.extend(stops.into_iter().rev().map(|stop| self.stop(stop)));
            }
            Effect::Retry { key } => {
                self.log.push(format!("retry {}", self.name(key)));
                self.mailbox.push_back(Event::Retry { key });
            }
            Effect::RetryAfter { key, delay } => {
                self.log.push(format!("retry {} in {delay:?}", self.name(key)));
                self.timers.insert(self.now + delay, key);
            }
            Effect::Rekey(children) => {
                let names = children.iter().map(|child| (self.name(child.key), child.key, child.before));
                let names: Vec<_> = names.collect();
                let mut shown = Vec::new();
                for (name, key, before) in names {
                    shown.push(before.map_or_else(|| format!("+{name}"), |_| name.clone()));
                    self.names.insert(key, name);
                }
                self.log.push(format!("rekey {}", shown.join(" ")));
            }
            Effect::Forget { key } => self.log.push(format!("forget {}", self.name(key))),
            Effect::Reply(reply) => self.replies.push(reply),
            Effect::Report(report) => self.report(report),
            Effect::Ready => self.log.push("ready".to_owned()),
            Effect::Exit(ending) => self.log.push(match ending {
                Ending::Shutdown => "exit Shutdown".to_owned(),
                Ending::Asked(why) => format!("exit {why:?}"),
                Ending::FailedToStartChild { id, error } => format!("exit failed {id:?} {error}"),
            }),
        }
    }

    fn report(&mut self, report: Report<M::Id, Pid, Why, Name>) {
        let line = match report {
            Report::Progress { child, .. } => {
                self.progress.push(format!("{:?}", child.rules.id));
                return;
            }
            Report::StartError { error, child } => format!("start_error {:?} {error}", child.rules.id),
            Report::ChildTerminated { reason, child } => {
                format!("child_terminated {:?} {reason:?}", child.rules.id)
            }
            Report::ShutdownError { reason, child, count } => {
                format!("shutdown_error {:?} {reason:?} x{count}", child.rules.id)
            }
            Report::Unresponsive { child } => format!("unresponsive {:?}", child.rules.id),
            Report::GaveUp { child } => format!("gave_up {:?}", child.rules.id),
        };
        self.log.push(line.replace('"', ""));
    }

    /// Ends a process and says how it truly ended; a pending exit is swallowed.
    fn stop(&mut self, stop: Stop<Pid>) -> Event<M::Command, Pid, Why, Name> {
        if self.stuck.contains(&self.name(stop.key)) {
            return Event::Unresponsive { key: stop.key };
        }
        let default = match stop.shutdown {
            Shutdown::BrutalKill => Why::Killed,
            Shutdown::After(_) | Shutdown::Infinity => Why::Shutdown,
        };
        let manner = self.manners.get(&self.name(stop.key)).copied().unwrap_or(default);
        let reason = *self.dead.entry(stop.pid).or_insert(manner);
        self.mailbox.retain(|event| !matches!(event, Event::Exited { pid, .. } if *pid == stop.pid));
        Event::Stopped { key: stop.key, reason }
    }
}

impl Day<Static> {
    /// A day before its dawn, for scripts that begin with the boot.
    pub(super) fn dark(flags: Flags, children: impl IntoIterator<Item = ChildRules<Name>>) -> Self {
        Self::over(Supervisor::new(flags, children).expect("the rules are sound"))
    }

    /// A supervisor that has come up.
    pub(super) fn of(flags: Flags, children: impl IntoIterator<Item = ChildRules<Name>>) -> Self {
        let mut day = Self::dark(flags, children);
        day.boot();
        day
    }

    pub(super) fn boot(&mut self) {
        let keys: Vec<_> = self.machine.which_children().map(|child| child.key).collect();
        for key in keys {
            let name = self.name(key);
            self.names.insert(key, name);
        }
        self.post(Event::Boot).settle();
        if self.log.last().is_some_and(|line| line == "ready") {
            self.log.clear();
        }
    }

    /// The children in start order: `a2` runs as process 2, `b-` has none, `c~` is restarting, `d!3` does not end.
    pub(super) fn children(&self) -> String {
        use crate::semantics::Presence::{Restarting, Running, Undefined, Unresponsive};
        let shown: Vec<_> = self
            .machine
            .which_children()
            .rev()
            .map(|child| match child.presence {
                Undefined => format!("{}-", child.rules.id),
                Running(pid) => format!("{}{pid}", child.rules.id),
                Restarting { .. } => format!("{}~", child.rules.id),
                Unresponsive(pid) => format!("{}!{pid}", child.rules.id),
            })
            .collect();
        shown.join(" ")
    }
}

impl Day<Dynamic> {
    pub(super) fn factory(flags: FactoryFlags) -> Self {
        let mut day = Self::over(Factory::new(flags).expect("the flags are sound"));
        day.post(Event::Boot).settle();
        assert_eq!(day.log(), ["ready"]);
        day
    }

    pub(super) fn start(&mut self, template: Template) -> Reply<ChildKey> {
        self.command(FactoryCommand::StartChild(template))
    }

    /// The children as pids, oldest first; `~` is restarting.
    pub(super) fn children(&self) -> String {
        use crate::semantics::Presence::{Restarting, Running, Undefined, Unresponsive};
        let shown: Vec<_> = self
            .machine
            .which_children()
            .rev()
            .map(|child| match child.presence {
                Undefined => "-".to_owned(),
                Running(pid) => pid.to_string(),
                Restarting { .. } => "~".to_owned(),
                Unresponsive(pid) => format!("!{pid}"),
            })
            .collect();
        shown.join(" ")
    }
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
