//! Plays scenarios on the rules themselves: `semantics` with a shell that has no processes, where everything happens
//! at once.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use otp_supervisor::{
    Presence, Shutdown,
    semantics::{
        self, Awaiting, ChildKey, ChildRules, Command, CommandError, Effect, Ending, Event, FactoryCommand,
        FactoryFlags, Flags, ReasonKind, RulesError, Stop, Supervisor, Template,
    },
    testing::{Answer, Body, Child, Deed, Happening, Kind, Manner, Reason, Report, Start, Tree},
};

use crate::{
    scenario::{Scenario, Step, join, last, parent},
    trace::Teller,
};

type Pid = u64;

/// The trace of a scenario.
pub(crate) fn play(scenario: &Scenario) -> String {
    let mut world = World::default();
    let (mut root, failed) = Node::start(String::new(), &scenario.tree, &mut world);
    let mut ended = failed.then_some(Reason::ShutdownWith);
    let mut teller = Teller::default();
    teller.step(&[], &std::mem::take(&mut world.story), &root.state(ended));
    for step in &scenario.steps {
        world.answers.clear();
        match step {
            Step::Wait(seconds) => world.now += Duration::from_secs(*seconds),
            Step::Stop if ended.is_none() => {
                ended = root.feed(Happens::ShutDown(Reason::Shutdown), &mut world);
            }
            Step::Stop => {}
            Step::Deeds(deeds) => {
                let requests = deeds.iter().filter(|deed| deed.is_request()).count();
                world.answers = vec![Answer::Gone; requests];
                if ended.is_none() {
                    ended = root.at(parent(deeds[0].path()), deeds, &mut world);
                }
            }
        }
        teller.step(&world.answers, &std::mem::take(&mut world.story), &root.state(ended));
    }
    teller.told()
}

#[derive(Default)]
struct World {
    now: Duration,
    starts: BTreeMap<String, usize>,
    pids: Pid,
    last: HashMap<String, Pid>,
    story: Vec<Happening>,
    answers: Vec<Answer>,
}

/// A supervisor with the processes that are linked with it.
struct Node {
    path: String,
    born: Duration,
    machine: Machine,
    /// What each child is, by its key.
    children: HashMap<ChildKey, Child>,
    processes: HashMap<Pid, Process>,
    mailbox: VecDeque<Happens>,
    /// The child that is being added: the machine has not numbered it yet.
    incoming: Option<Child>,
    /// Where the answer to the request goes that is being served.
    request: usize,
}

struct Process {
    child: Child,
    nth: usize,
    below: Option<Node>,
    dead: Option<Reason>,
}

enum Machine {
    Static(Supervisor<String, Pid, ReasonKind, ()>),
    Factory(semantics::Factory<Pid, ReasonKind, ()>),
}

/// An event, whatever the machine.
enum Happens {
    Boot,
    Started(ChildKey, Pid),
    Ignored(ChildKey),
    Failed(ChildKey),
    Stopped(ChildKey, Reason),
    Exited(Pid, Reason),
    Retry(ChildKey),
    /// With where its answer goes, and the process that its child had when it was asked.
    Request(Deed, usize, Option<Pid>),
    ShutDown(Reason),
}

/// An effect, whatever the machine.
enum Does {
    Start(ChildKey),
    Stop(Stop<Pid>),
    StopAll(Vec<Stop<Pid>>),
    Retry(ChildKey),
    Answer(Answer),
    Report(ChildKey, Option<Pid>, Report),
    Exit(Reason),
    Nothing,
}

impl Node {
    fn start(path: String, tree: &Tree, world: &mut World) -> (Self, bool) {
        let Tree { kind, intensity, period, children } = tree;
        let (intensity, period) = (*intensity, *period);
        let machine = match kind {
            Kind::Static { strategy, auto_shutdown } => {
                let flags = Flags { strategy: *strategy, intensity, period, auto_shutdown: *auto_shutdown };
                Machine::Static(Supervisor::new(flags, children.iter().map(rules)).unwrap())
            }
            Kind::Factory { .. } => {
                let flags = FactoryFlags { intensity, period, max_children: None };
                Machine::Factory(semantics::Factory::new(flags).unwrap())
            }
        };
        let children = match &machine {
            Machine::Static(machine) => {
                machine.which_children().rev().map(|known| known.key).zip(children.iter().cloned()).collect()
            }
            Machine::Factory(_) => HashMap::new(),
        };
        let mut node = Self {
            path,
            born: world.now,
            machine,
            children,
            processes: HashMap::new(),
            mailbox: VecDeque::new(),
            incoming: None,
            request: 0,
        };
        let failed = node.feed(Happens::Boot, world).is_some();
        (node, failed)
    }

    fn at(&mut self, path: &str, deeds: &[Deed], world: &mut World) -> Option<Reason> {
        let below = path.strip_prefix(&self.path).unwrap().trim_start_matches('/');
        if let Some(id) = below.split('/').next().filter(|id| !id.is_empty()) {
            let pid = *world.last.get(&join(&self.path, id))?;
            let process = self.processes.get_mut(&pid).filter(|process| process.dead.is_none())?;
            let reason = process.below.as_mut()?.at(path, deeds, world)?;
            self.ends(pid, reason, world);
        } else {
            let mut request = 0;
            for deed in deeds {
                let pid = world.last.get(deed.path()).copied();
                match deed {
                    Deed::Exit(path, reason) => self.exit(path, *reason, world),
                    Deed::Hang(_) => {
                        let process = pid.and_then(|pid| self.processes.get_mut(&pid)).unwrap();
                        process.child.body = Body::Worker(Manner::Hangs);
                    }
                    _ => {
                        self.mailbox.push_back(Happens::Request(deed.clone(), request, pid));
                        request += 1;
                    }
                }
            }
        }
        while let Some(message) = self.mailbox.pop_front() {
            if let Some(reason) = self.feed(message, world) {
                return Some(reason);
            }
        }
        None
    }

    fn exit(&mut self, path: &str, reason: Reason, world: &mut World) {
        let Some(&pid) = world.last.get(path) else { return };
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.dead.is_none()) else {
            return;
        };
        match (&mut process.below, reason) {
            (Some(below), Reason::Killed) => below.orphan(world),
            (Some(below), _) => drop(below.feed(Happens::ShutDown(reason), world)),
            (None, _) => {}
        }
        self.ends(pid, reason, world);
    }

    fn ends(&mut self, pid: Pid, reason: Reason, world: &mut World) {
        let process = self.processes.get_mut(&pid).unwrap();
        process.dead = Some(reason);
        world.story.push(Happening::Ended(join(&self.path, &process.child.id), process.nth, reason));
        self.mailbox.push_back(Happens::Exited(pid, reason));
    }

    fn orphan(&mut self, world: &mut World) {
        let now = world.now;
        for process in self.processes.values_mut().filter(|process| process.dead.is_none()) {
            if let Some(below) = &mut process.below {
                below.feed(Happens::ShutDown(Reason::Killed), world);
            }
            world.story.push(Happening::Orphaned(join(&self.path, &process.child.id), process.nth));
        }
        world.now = now;
    }

    /// Has the machine handle an event and carries out what it says.
    fn feed(&mut self, event: Happens, world: &mut World) -> Option<Reason> {
        let mut next = vec![event];
        let mut effects = VecDeque::new();
        loop {
            for event in next.drain(..) {
                if let Happens::Request(_, request, _) = &event {
                    self.request = *request;
                }
                effects.extend(self.handle(event, world));
            }
            match effects.pop_front()? {
                Does::Start(key) => next.push(self.start_child(key, world)),
                Does::Stop(stop) => {
                    let (patience, reason) = self.end_of(&stop, world);
                    world.now += patience;
                    next.push(Happens::Stopped(stop.key, reason));
                }
                Does::StopAll(stops) => {
                    let mut longest = Duration::ZERO;
                    for stop in stops {
                        let (patience, reason) = self.end_of(&stop, world);
                        longest = longest.max(patience);
                        next.push(Happens::Stopped(stop.key, reason));
                    }
                    world.now += longest;
                }
                Does::Retry(key) => self.mailbox.push_back(Happens::Retry(key)),
                Does::Answer(answer) => world.answers[self.request] = answer,
                Does::Report(key, pid, report) => self.report(key, pid, report, world),
                Does::Exit(reason) => return Some(reason),
                Does::Nothing => {}
            }
        }
    }

    fn handle(&mut self, event: Happens, world: &World) -> Vec<Does> {
        let now = world.now - self.born;
        let kind = |reason| match reason {
            Reason::Normal => ReasonKind::Normal,
            Reason::Shutdown => ReasonKind::Shutdown,
            Reason::ShutdownWith => ReasonKind::ShutdownWith,
            Reason::Killed => ReasonKind::Killed,
            Reason::Crash => ReasonKind::Other,
        };
        fn plain<C>(
            event: Happens,
            command: impl FnOnce(Deed, Option<Pid>) -> C,
            kind: impl Fn(Reason) -> ReasonKind,
        ) -> Event<C, Pid, ReasonKind, ()> {
            match event {
                Happens::Boot => Event::Boot,
                Happens::Started(key, pid) => Event::Started { key, pid },
                Happens::Ignored(key) => Event::Ignored { key },
                Happens::Failed(key) => Event::StartFailed { key, error: () },
                Happens::Stopped(key, reason) => Event::Stopped { key, reason: kind(reason) },
                Happens::Exited(pid, reason) => Event::Exited { pid, reason: kind(reason) },
                Happens::Retry(key) => Event::Retry { key },
                Happens::ShutDown(reason) => Event::ShutDown { reason: kind(reason) },
                Happens::Request(deed, _, pid) => Event::Command(command(deed, pid)),
            }
        }
        let incoming = &mut self.incoming;
        match &mut self.machine {
            Machine::Static(machine) => {
                let command = |deed, _| match deed {
                    Deed::Start(path, child) => {
                        let child = Child { id: last(&path).to_owned(), ..*child };
                        *incoming = Some(child.clone());
                        Command::StartChild(rules(&child))
                    }
                    Deed::Terminate(path) => Command::TerminateChild(last(&path).to_owned()),
                    Deed::Restart(path) => Command::RestartChild(last(&path).to_owned()),
                    Deed::Delete(path) => Command::DeleteChild(last(&path).to_owned()),
                    Deed::Exit(..) | Deed::Hang(_) => panic!("nobody asks for it"),
                };
                let effects = machine.handle(now, plain(event, command, kind)).unwrap();
                awaited_last(&effects, machine.awaiting());
                effects.into_iter().map(does).collect()
            }
            Machine::Factory(machine) => {
                let command = |deed: Deed, pid: Option<Pid>| match deed {
                    Deed::Start(path, child) => {
                        let child = Child { id: last(&path).to_owned(), ..*child };
                        let Child { restart, shutdown, .. } = child;
                        *incoming = Some(child);
                        FactoryCommand::StartChild(Template { restart, shutdown, ..Template::default() })
                    }
                    _ => {
                        let pid = pid.unwrap_or_default();
                        let alive = self.processes.get(&pid).is_some_and(|process| process.dead.is_none());
                        FactoryCommand::TerminateChild { pid, alive }
                    }
                };
                let effects = machine.handle(now, plain(event, command, kind)).unwrap();
                effects.into_iter().map(does).collect()
            }
        }
    }

    fn start_child(&mut self, key: ChildKey, world: &mut World) -> Happens {
        if !self.children.contains_key(&key) {
            self.children.insert(key, self.incoming.take().unwrap());
        }
        let child = self.children[&key].clone();
        let path = join(&self.path, &child.id);
        let count = world.starts.entry(path.clone()).or_default();
        *count += 1;
        let nth = *count;
        world.story.push(Happening::Started(path.clone(), nth));
        let below = match (child.starts.get(nth - 1), &child.body) {
            (Some(Start::Fails), _) => return Happens::Failed(key),
            (Some(Start::Ignores), _) => return Happens::Ignored(key),
            (_, Body::Worker(_)) => None,
            (_, Body::Supervisor(tree)) => {
                let (node, failed) = Self::start(path.clone(), tree, world);
                if failed {
                    return Happens::Failed(key);
                }
                Some(node)
            }
        };
        world.pids += 1;
        world.last.insert(path, world.pids);
        self.processes.insert(world.pids, Process { child, nth, below, dead: None });
        Happens::Started(key, world.pids)
    }

    /// Ends a process. How long that took, and how it ended or had ended before.
    fn end_of(&mut self, stop: &Stop<Pid>, world: &mut World) -> (Duration, Reason) {
        // Its exit is taken out of the mailbox.
        self.mailbox.retain(|message| !matches!(message, Happens::Exited(pid, _) if *pid == stop.pid));
        let process = self.processes.get_mut(&stop.pid).unwrap();
        if let Some(reason) = process.dead {
            return (Duration::ZERO, reason);
        }
        let (patience, reason) = match (stop.shutdown, &mut process.below, &process.child.body) {
            (Shutdown::BrutalKill, below, _) => {
                if let Some(below) = below {
                    below.orphan(world);
                }
                (Duration::ZERO, Reason::Killed)
            }
            (_, Some(below), _) => {
                (Duration::ZERO, below.feed(Happens::ShutDown(Reason::Shutdown), world).unwrap())
            }
            (Shutdown::After(patience), _, Body::Worker(Manner::Hangs)) => (patience, Reason::Killed),
            (_, _, Body::Worker(Manner::EndsWith(reason))) => (Duration::ZERO, *reason),
            _ => (Duration::ZERO, Reason::Shutdown),
        };
        process.dead = Some(reason);
        world.story.push(Happening::Stopped(join(&self.path, &process.child.id), process.nth, reason));
        (patience, reason)
    }

    fn report(&self, key: ChildKey, pid: Option<Pid>, report: Report, world: &mut World) {
        let all = matches!((&self.machine, report), (Machine::Factory(machine), Report::ShutdownError(..))
            if machine.awaiting() == Awaiting::Nothing);
        let child = match pid {
            _ if all => "*",
            Some(pid) => &self.processes[&pid].child.id,
            None => &self.children[&key].id,
        };
        world.story.push(Happening::Reported(join(&self.path, child), report));
    }

    fn state(&self, ended: Option<Reason>) -> Result<Vec<(String, Option<usize>)>, Reason> {
        ended.map_or_else(|| Ok(self.list()), Err)
    }

    fn list(&self) -> Vec<(String, Option<usize>)> {
        let known: Vec<_> = match &self.machine {
            Machine::Static(machine) => {
                machine.which_children().rev().map(|child| (child.key, child.presence)).collect()
            }
            Machine::Factory(machine) => {
                machine.which_children().rev().map(|child| (child.key, child.presence)).collect()
            }
        };
        let mut all = Vec::new();
        for (key, presence) in known {
            let path = join(&self.path, &self.children[&key].id);
            match presence {
                Presence::Running(pid) => {
                    let process = &self.processes[&pid];
                    all.push((path, Some(process.nth)));
                    all.extend(process.below.iter().flat_map(Self::list));
                }
                Presence::Undefined | Presence::Restarting { .. } | Presence::Unresponsive(_) => {
                    all.push((path, None))
                }
            }
        }
        all
    }
}

fn rules(child: &Child) -> ChildRules<String> {
    let Child { id, restart, significant, shutdown, .. } = child.clone();
    ChildRules::worker(id).restart(restart).significant(significant).shutdown(shutdown)
}

/// What the chapter of `semantics` promises.
fn awaited_last<I, P, R, F>(effects: &[Effect<I, P, R, F>], awaiting: Awaiting) {
    let awaited = |effect: &Effect<I, P, R, F>| {
        matches!(effect, Effect::Start { .. } | Effect::Stop(_) | Effect::StopAll(_))
    };
    let (last, before) =
        effects.split_last().map_or((false, &[][..]), |(last, before)| (awaited(last), before));
    assert!(!before.iter().any(awaited), "an awaited effect is the last one");
    let waits = matches!(awaiting, Awaiting::Start(_) | Awaiting::Stop(_) | Awaiting::StopAll(_));
    assert_eq!(last, waits, "what is awaited was asked for");
}

fn does<I>(effect: Effect<I, Pid, ReasonKind, ()>) -> Does {
    use semantics::{Answer as Reply, Report as Told};
    match effect {
        Effect::Start { key } => Does::Start(key),
        Effect::Stop(stop) => Does::Stop(stop),
        Effect::StopAll(stops) => Does::StopAll(stops),
        Effect::Retry { key } => Does::Retry(key),
        Effect::Forget { .. } | Effect::Ready | Effect::Report(Told::Progress { .. }) => Does::Nothing,
        // Nothing is put off here, and no flags are changed.
        Effect::RetryAfter { .. } | Effect::Rekey(_) | Effect::Report(Told::Unresponsive { .. }) => {
            panic!("unasked")
        }
        Effect::Reply(reply) => Does::Answer(match reply {
            Ok(Reply::Started(_) | Reply::Done) => Answer::Done,
            Ok(Reply::Ignored) => Answer::Ignored,
            Err(CommandError::AlreadyStarted(_)) => Answer::AlreadyStarted,
            Err(CommandError::AlreadyPresent) => Answer::AlreadyPresent,
            Err(CommandError::Running) => Answer::Running,
            Err(CommandError::Restarting) => Answer::Restarting,
            Err(CommandError::NotFound) => Answer::NotFound,
            Err(CommandError::InvalidRules(RulesError::SignificantNever(_))) => Answer::SignificantNever,
            Err(CommandError::InvalidRules(RulesError::SignificantPermanent(_))) => {
                Answer::SignificantPermanent
            }
            Err(_) => Answer::Failed,
        }),
        Effect::Report(Told::StartError { child, .. }) => {
            Does::Report(child.key, child_pid(&child), Report::StartError)
        }
        Effect::Report(Told::ChildTerminated { reason, child }) => {
            Does::Report(child.key, child_pid(&child), Report::ChildTerminated(reason_of(reason)))
        }
        Effect::Report(Told::ShutdownError { reason, child, count }) => {
            Does::Report(child.key, child_pid(&child), Report::ShutdownError(reason_of(reason), count))
        }
        Effect::Report(Told::GaveUp { child }) => Does::Report(child.key, child_pid(&child), Report::GaveUp),
        Effect::Exit(ending) => Does::Exit(match ending {
            Ending::Shutdown => Reason::Shutdown,
            Ending::Asked(reason) => reason_of(reason),
            Ending::FailedToStartChild { .. } => Reason::ShutdownWith,
        }),
    }
}

fn child_pid<I>(child: &semantics::Child<I, Pid>) -> Option<Pid> {
    match child.presence {
        Presence::Running(pid) | Presence::Unresponsive(pid) => Some(pid),
        Presence::Restarting { last } => last,
        Presence::Undefined => None,
    }
}

fn reason_of(kind: ReasonKind) -> Reason {
    match kind {
        ReasonKind::Normal => Reason::Normal,
        ReasonKind::Shutdown => Reason::Shutdown,
        ReasonKind::ShutdownWith => Reason::ShutdownWith,
        ReasonKind::Killed => Reason::Killed,
        ReasonKind::Other => Reason::Crash,
    }
}
