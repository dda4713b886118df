//! The second opinion: what a supervisor does, written once more, for plainness, without a look at `semantics`.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::Duration,
};

use super::{Answer, Body, Child, Deed, Happening, Kind, Manner, Reason, Report, Start, Tree};
use crate::{AutoShutdown, Restart, Shutdown, Strategy};

/// A tree of supervisors that runs nowhere: it says what a real one has to do.
///
/// It knows no process and no task; what is done to it happens at once, and time passes when it is told to. It is
/// the judge of this crate's own supervisors, is itself held against Erlang's, and shares no code with either.
///
/// ```
/// use otp_supervisor::{Strategy, testing::{Child, Deed, Model, Reason, Tree}};
///
/// let tree = Tree::new(Strategy::OneForAll).child(Child::worker("ledger")).child(Child::worker("mailer"));
/// let mut model = Model::new(tree);
/// assert_eq!(model.process("mailer"), Some(1));
///
/// // Both die before the supervisor looks: that is one restart, which is tolerated.
/// let crash = |id: &str| Deed::Exit(id.to_owned(), Reason::Crash);
/// model.at_once(&[crash("ledger"), crash("mailer")]);
/// assert_eq!(model.process("mailer"), Some(2));
///
/// // A second one within five seconds is not.
/// model.act(&crash("mailer"));
/// assert_eq!(model.ended(), Some(Reason::Shutdown));
/// ```
///
/// # What it leaves out
///
/// How long anything takes but a child that [hangs](Manner::Hangs), and who dies at the same time under *different*
/// supervisors: that has no one outcome. A supervisor as a child is taken to have all the time it needs.
#[derive(Clone, Debug)]
pub struct Model {
    root: Supervisor,
    world: World,
    ended: Option<Reason>,
}

/// What all supervisors of one tree share.
#[derive(Clone, Debug, Default)]
struct World {
    now: Duration,
    starts: BTreeMap<String, usize>,
    /// The newest process at each path, alive or not.
    newest: BTreeMap<String, usize>,
    /// The process at each path that hangs when it is asked to end.
    hanging: BTreeMap<String, usize>,
    story: Vec<Happening>,
    answers: Vec<Answer>,
}

#[derive(Clone, Debug)]
struct Supervisor {
    path: String,
    tree: Tree,
    children: Vec<(Child, Is)>,
    born: Duration,
    /// The seconds of the restarts that still count.
    restarts: Vec<u64>,
    mailbox: VecDeque<Message>,
}

#[derive(Clone, Debug)]
enum Is {
    Down,
    /// With the process it had last.
    Restarting(usize),
    Up(usize, Option<Box<Supervisor>>),
    /// Dead, and its supervisor does not know yet.
    Dead(usize, Reason),
}

#[derive(Clone, Debug)]
enum Message {
    Exit(String, usize, Reason),
    TryAgain(String),
    /// A request, where its answer goes, and the process that its child had when it was made: factories go by that.
    Request(Deed, usize, usize),
}

/// How a start came out, if not well.
enum NotStarted {
    Ignored,
    Failed,
}

impl Model {
    /// A tree that has just been started. If a child could not start, it has [ended](Self::ended) already.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Model, Reason, Start, Tree}};
    ///
    /// let tree = Tree::new(Strategy::OneForOne).child(Child::worker("ledger"));
    /// assert_eq!(Model::new(tree.clone()).ended(), None);
    ///
    /// let tree = tree.child(Child::worker("mailer").starts([Start::Fails]));
    /// assert_eq!(Model::new(tree).ended(), Some(Reason::ShutdownWith));
    /// ```
    #[must_use]
    pub fn new(tree: Tree) -> Self {
        let mut world = World::default();
        let (root, started) = Supervisor::start(String::new(), tree, &mut world);
        Self { root, world, ended: started.is_err().then_some(Reason::ShutdownWith) }
    }

    /// Does one thing, and all that follows from it. Returns what came of it, where that can be asked.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Answer, Child, Deed, Model, Tree}};
    ///
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(Child::worker("ledger")));
    /// assert_eq!(model.act(&Deed::Delete("ledger".into())), Some(Answer::Running));
    /// model.act(&Deed::Terminate("ledger".into()));
    /// assert_eq!(model.act(&Deed::Delete("ledger".into())), Some(Answer::Done));
    /// ```
    pub fn act(&mut self, deed: &Deed) -> Option<Answer> {
        self.at_once(std::slice::from_ref(deed)).pop()
    }

    /// Does several things to children of *one* supervisor, that of the first, before it looks. Returns what came of
    /// those that are requests.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Answer, Child, Deed, Model, Reason, Tree}};
    ///
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(Child::worker("ledger")));
    /// // Somebody asks before the supervisor has seen that it is dead; but that comes first.
    /// let answers = model.at_once(&[
    ///     Deed::Exit("ledger".into(), Reason::Crash),
    ///     Deed::Restart("ledger".into()),
    /// ]);
    /// assert_eq!(answers, [Answer::Running]);
    /// ```
    pub fn at_once(&mut self, deeds: &[Deed]) -> Vec<Answer> {
        let requests = deeds.iter().filter(|deed| deed.is_request()).count();
        self.world.answers = vec![Answer::Gone; requests];
        if let (None, Some(first)) = (self.ended, deeds.first()) {
            self.ended = self.root.at(parent(first.path()), deeds, &mut self.world);
        }
        mem::take(&mut self.world.answers)
    }

    /// Lets time pass.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::{Strategy, testing::{Child, Deed, Model, Reason, Tree}};
    ///
    /// // One restart in five seconds is tolerated.
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(Child::worker("ledger")));
    /// for _ in 0..10 {
    ///     model.act(&Deed::Exit("ledger".into(), Reason::Crash));
    ///     model.wait(Duration::from_secs(6));
    /// }
    /// assert_eq!(model.process("ledger"), Some(11));
    /// ```
    pub fn wait(&mut self, time: Duration) {
        self.world.now += time;
    }

    /// Stops the tree in order.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Happening, Model, Reason, Tree}};
    ///
    /// let children = ["ledger", "mailer"].map(Child::worker);
    /// let mut model = Model::new(children.into_iter().fold(Tree::new(Strategy::OneForOne), Tree::child));
    /// model.story();
    /// model.stop();
    /// // In reverse order.
    /// let stopped = |id: &str| Happening::Stopped(id.into(), 1, Reason::Shutdown);
    /// assert_eq!(model.story(), [stopped("mailer"), stopped("ledger")]);
    /// ```
    pub fn stop(&mut self) {
        if self.ended.is_none() {
            self.root.stop_all(&mut self.world);
            self.ended = Some(Reason::Shutdown);
        }
    }

    /// How long it has been running.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::{Strategy, testing::{Child, Deed, Manner, Model, Tree}};
    ///
    /// let hangs = Child::worker("ledger").manner(Manner::Hangs);
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(hangs));
    /// model.act(&Deed::Terminate("ledger".into()));
    /// // That took as long as a worker is given.
    /// assert_eq!(model.now(), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn now(&self) -> Duration {
        self.world.now
    }

    /// How the root has ended, if it has.
    ///
    /// ```
    /// use otp_supervisor::{AutoShutdown, Restart, Strategy, testing::{Child, Deed, Model, Reason, Tree}};
    ///
    /// let import = Child::worker("import").restart(Restart::Transient).significant(true);
    /// let tree = Tree::new(Strategy::OneForOne).auto_shutdown(AutoShutdown::AnySignificant).child(import);
    /// let mut model = Model::new(tree);
    /// model.act(&Deed::Exit("import".into(), Reason::Normal));
    /// assert_eq!(model.ended(), Some(Reason::Shutdown));
    /// ```
    #[must_use]
    pub fn ended(&self) -> Option<Reason> {
        self.ended
    }

    /// What has happened since this was asked last, in its order.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Happening, Model, Tree}};
    ///
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(Child::worker("ledger")));
    /// assert_eq!(model.story(), [Happening::Started("ledger".into(), 1)]);
    /// assert_eq!(model.story(), []);
    /// ```
    pub fn story(&mut self) -> Vec<Happening> {
        mem::take(&mut self.world.story)
    }

    /// Which process the child at a path has: the how-manyth that was started there. `None` if it has none, or if there
    /// is no such child.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Deed, Model, Reason, Tree}};
    ///
    /// let orders = Tree::new(Strategy::OneForOne).child(Child::worker("ledger"));
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(Child::supervisor("orders", orders)));
    /// model.act(&Deed::Exit("orders/ledger".into(), Reason::Crash));
    /// assert_eq!(model.process("orders/ledger"), Some(2));
    /// assert_eq!(model.process("orders"), Some(1));
    /// ```
    #[must_use]
    pub fn process(&self, path: &str) -> Option<usize> {
        self.children().into_iter().find(|(child, ..)| child == path)?.1
    }

    /// All children, in start order, each with those below it after it: the path, the [process](Self::process), and
    /// what it is.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Model, Tree}};
    ///
    /// let orders = Tree::new(Strategy::OneForOne).child(Child::worker("ledger"));
    /// let tree = Tree::new(Strategy::OneForOne).child(Child::supervisor("orders", orders)).child(Child::worker("mailer"));
    /// let model = Model::new(tree);
    /// let paths: Vec<_> = model.children().into_iter().map(|(path, ..)| path).collect();
    /// assert_eq!(paths, ["orders", "orders/ledger", "mailer"]);
    /// ```
    #[must_use]
    pub fn children(&self) -> Vec<(String, Option<usize>, &Child)> {
        let mut all = Vec::new();
        if self.ended.is_none() {
            self.root.list(&mut all);
        }
        all
    }
}

impl Supervisor {
    /// A supervisor with its children. If one fails, those before it are stopped again.
    fn start(path: String, tree: Tree, world: &mut World) -> (Self, Result<(), ()>) {
        let children = tree.children.iter().map(|child| (child.clone(), Is::Down)).collect();
        let (born, restarts, mailbox) = (world.now, Vec::new(), VecDeque::new());
        let mut it = Self { path, tree, children, born, restarts, mailbox };
        let ids = it.tree.children.iter().map(|child| child.id.clone()).collect();
        let started = it.start_children(ids, world).map_err(drop);
        if started.is_err() {
            it.stop_all(world);
        }
        (it, started)
    }

    /// Starts children until one fails, which is reported, and returned.
    fn start_children(&mut self, ids: Vec<String>, world: &mut World) -> Result<(), usize> {
        for id in ids {
            let Some(i) = self.index(&id) else { continue };
            if let Err(NotStarted::Failed) = self.start_child(i, world) {
                self.report(i, Report::StartError, world);
                return Err(i);
            }
        }
        Ok(())
    }

    /// Brings deeds to the supervisor at a path. Returns how *this* one has ended, if it has of that.
    fn at(&mut self, path: &str, deeds: &[Deed], world: &mut World) -> Option<Reason> {
        let below = path.strip_prefix(&self.path).unwrap_or_default().trim_start_matches('/');
        if let Some(id) = below.split('/').next().filter(|id| !id.is_empty()) {
            let child = self.children.iter_mut().find(|(child, _)| child.id == id)?;
            let Is::Up(nth, Some(supervisor)) = &mut child.1 else { return None };
            let reason = supervisor.at(path, deeds, world)?;
            let nth = *nth;
            self.ends(id.to_owned(), nth, reason, world);
            return self.read_mailbox(world);
        }
        let mut request = 0;
        for deed in deeds {
            let nth = world.newest.get(deed.path()).copied().unwrap_or_default();
            match deed {
                Deed::Exit(path, reason) => self.exit(last(path), *reason, world),
                Deed::Hang(path) => drop(world.hanging.insert(path.clone(), nth)),
                _ => {
                    self.mailbox.push_back(Message::Request(deed.clone(), request, nth));
                    request += 1;
                }
            }
        }
        self.read_mailbox(world)
    }

    /// A child ends by itself or is killed; nobody has looked yet.
    fn exit(&mut self, id: &str, reason: Reason, world: &mut World) {
        let Some(Is::Up(nth, supervisor)) = self.is(id) else { return };
        let nth = *nth;
        if let Some(supervisor) = supervisor {
            match reason {
                Reason::Killed => supervisor.orphan(world),
                _ => supervisor.stop_all(world),
            }
        }
        self.ends(id.to_owned(), nth, reason, world);
    }

    fn ends(&mut self, id: String, nth: usize, reason: Reason, world: &mut World) {
        world.story.push(Happening::Ended(self.path_of(&id), nth, reason));
        if let Some(is) = self.is(&id) {
            *is = Is::Dead(nth, reason);
        }
        self.mailbox.push_back(Message::Exit(id, nth, reason));
    }

    fn read_mailbox(&mut self, world: &mut World) -> Option<Reason> {
        while let Some(message) = self.mailbox.pop_front() {
            let gives_up = match message {
                Message::Exit(id, nth, reason) => match self.index(&id) {
                    // The exit of a process that was replaced meanwhile is nobody's.
                    Some(i) if matches!(self.children[i].1, Is::Dead(it, _) if it == nth) => {
                        self.exited(i, reason, world)
                    }
                    _ => false,
                },
                Message::TryAgain(id) => match self.index(&id) {
                    Some(i) if matches!(self.children[i].1, Is::Restarting(_)) => self.restart(i, world),
                    _ => false,
                },
                Message::Request(deed, request, nth) => {
                    world.answers[request] = self.answer(&deed, nth, world);
                    false
                }
            };
            if gives_up {
                self.stop_all(world);
                return Some(Reason::Shutdown);
            }
        }
        None
    }

    /// A child has ended. Is that the end of its supervisor?
    fn exited(&mut self, i: usize, reason: Reason, world: &mut World) -> bool {
        let (restart, significant) = (self.children[i].0.restart, self.children[i].0.significant);
        let orderly = matches!(reason, Reason::Normal | Reason::Shutdown | Reason::ShutdownWith);
        if restart == Restart::Permanent || !orderly {
            self.report(i, Report::ChildTerminated(reason), world);
        }
        if restart == Restart::Permanent || restart == Restart::Transient && !orderly {
            return self.restart(i, world);
        }
        self.put_down(i);
        let others = |(child, is): &(Child, Is)| child.significant && !matches!(is, Is::Down);
        significant
            && match self.tree.kind {
                Kind::Static { auto_shutdown: AutoShutdown::AnySignificant, .. } => true,
                Kind::Static { auto_shutdown: AutoShutdown::AllSignificant, .. } => {
                    !self.children.iter().any(others)
                }
                _ => false,
            }
    }

    /// Restarts a child and who goes with it. Was that one restart too many?
    fn restart(&mut self, i: usize, world: &mut World) -> bool {
        let last = match self.children[i].1 {
            Is::Dead(nth, _) | Is::Restarting(nth) => nth,
            Is::Down | Is::Up(..) => 0,
        };
        let second = (world.now - self.born).as_secs();
        self.restarts.retain(|then| then + self.tree.period.as_secs() >= second);
        self.restarts.push(second);
        if self.restarts.len() > self.tree.intensity as usize {
            self.report(i, Report::GaveUp, world);
            self.put_down(i);
            return true;
        }
        let (first, group) = match self.tree.kind {
            Kind::Static { strategy: Strategy::OneForAll, .. } => (0, true),
            Kind::Static { strategy: Strategy::RestForOne, .. } => (i, true),
            _ => (i, false),
        };
        if group {
            self.children[i].1 = Is::Down;
            for sibling in (first..self.children.len()).rev() {
                self.stop(sibling, world);
            }
        }
        let end = if group { self.children.len() } else { i + 1 };
        let ids = self.children[first..end].iter().map(|(child, _)| child.id.clone()).collect();
        if let Err(failed) = self.start_children(ids, world) {
            self.children[failed].1 = Is::Restarting(last);
            self.mailbox.push_back(Message::TryAgain(self.children[failed].0.id.clone()));
        }
        false
    }

    fn start_child(&mut self, i: usize, world: &mut World) -> Result<(), NotStarted> {
        let child = &self.children[i].0;
        let path = self.path_of(&child.id);
        let count = world.starts.entry(path.clone()).or_default();
        *count += 1;
        let nth = *count;
        world.story.push(Happening::Started(path.clone(), nth));
        let started = match (child.starts.get(nth - 1), &child.body) {
            (Some(Start::Fails), _) => Err(NotStarted::Failed),
            (Some(Start::Ignores), _) => Err(NotStarted::Ignored),
            (_, Body::Worker(_)) => Ok(None),
            (_, Body::Supervisor(tree)) => {
                let (supervisor, started) = Self::start(path.clone(), tree.clone(), world);
                started.map(|()| Some(Box::new(supervisor))).map_err(|()| NotStarted::Failed)
            }
        };
        let outcome = started.map(|supervisor| {
            world.newest.insert(path, nth);
            self.children[i].1 = Is::Up(nth, supervisor);
        });
        if let Err(NotStarted::Ignored) = outcome {
            self.put_down(i);
        }
        outcome
    }

    /// Tells a child to end, waits until it has, and reports if it did not do as it was told. Whoever is dead already
    /// only has its exit taken out of the mailbox.
    fn stop(&mut self, i: usize, world: &mut World) {
        let (patience, reason) = self.end_of(i, world);
        world.now += patience;
        if let Some(reason) = reason.filter(|reason| !accepted(&self.children[i].0, *reason)) {
            self.report(i, Report::ShutdownError(reason, 1), world);
        }
        self.put_down(i);
    }

    /// How long a child takes to end when it is told to, and how it ends or has ended.
    fn end_of(&mut self, i: usize, world: &mut World) -> (Duration, Option<Reason>) {
        let path = self.path_of(&self.children[i].0.id);
        let (child, is) = &mut self.children[i];
        let (nth, supervisor) = match is {
            Is::Down | Is::Restarting(_) => return (Duration::ZERO, None),
            Is::Dead(_, reason) => return (Duration::ZERO, Some(*reason)),
            Is::Up(nth, supervisor) => (*nth, supervisor),
        };
        let (patience, reason) = match (child.shutdown, &child.body, supervisor) {
            (Shutdown::BrutalKill, _, supervisor) => {
                if let Some(supervisor) = supervisor {
                    supervisor.orphan(world);
                }
                (Duration::ZERO, Reason::Killed)
            }
            (_, _, Some(supervisor)) => {
                supervisor.stop_all(world);
                (Duration::ZERO, Reason::Shutdown)
            }
            (Shutdown::After(patience), Body::Worker(manner), _)
                if *manner == Manner::Hangs || world.hanging.get(&path) == Some(&nth) =>
            {
                (patience, Reason::Killed)
            }
            (_, Body::Worker(Manner::EndsWith(reason)), _) => (Duration::ZERO, *reason),
            _ => (Duration::ZERO, Reason::Shutdown),
        };
        world.story.push(Happening::Stopped(path, nth, reason));
        (patience, Some(reason))
    }

    /// Stops all children: in reverse start order, or, in a factory, at once.
    fn stop_all(&mut self, world: &mut World) {
        if let Kind::Static { .. } = self.tree.kind {
            for i in (0..self.children.len()).rev() {
                self.stop(i, world);
            }
            return;
        }
        let mut longest = Duration::ZERO;
        let mut odd: BTreeMap<Reason, usize> = BTreeMap::new();
        for i in 0..self.children.len() {
            let (patience, reason) = self.end_of(i, world);
            longest = longest.max(patience);
            if let Some(reason) = reason.filter(|reason| !accepted(&self.children[i].0, *reason)) {
                *odd.entry(reason).or_default() += 1;
            }
        }
        world.now += longest;
        for (reason, count) in odd {
            world.story.push(Happening::Reported(self.path_of("*"), Report::ShutdownError(reason, count)));
        }
        self.children.clear();
    }

    /// It was killed, and all that is linked with it goes too. Supervisors among these stop their children first; nobody
    /// waits for that.
    fn orphan(&mut self, world: &mut World) {
        let now = world.now;
        for (child, is) in &mut self.children {
            if let Is::Up(nth, supervisor) = is {
                if let Some(supervisor) = supervisor {
                    supervisor.stop_all(world);
                }
                world.story.push(Happening::Orphaned(join(&self.path, &child.id), *nth));
            }
        }
        world.now = now;
    }

    fn answer(&mut self, deed: &Deed, nth: usize, world: &mut World) -> Answer {
        let id = last(deed.path());
        let index = self.index(id);
        if let Deed::Start(_, child) = deed {
            return self.answer_start(Child { id: id.to_owned(), ..(**child).clone() }, index, world);
        }
        if let Kind::Factory { .. } = self.tree.kind {
            // Asked is for the end of a process, and who has none by now has ended.
            let is_of =
                |is: &Is| matches!(is, Is::Up(it, _) | Is::Dead(it, _) | Is::Restarting(it) if *it == nth);
            if let Some(i) = index.filter(|i| is_of(&self.children[*i].1)) {
                self.stop(i, world);
            }
            return Answer::Done;
        }
        let Some(i) = index else { return Answer::NotFound };
        match (deed, &self.children[i].1) {
            (Deed::Terminate(_), _) => self.stop(i, world),
            (_, Is::Up(..) | Is::Dead(..)) => return Answer::Running,
            (_, Is::Restarting(_)) => return Answer::Restarting,
            (Deed::Restart(_), Is::Down) => match self.start_child(i, world) {
                Ok(()) => {}
                Err(NotStarted::Ignored) => return Answer::Ignored,
                Err(NotStarted::Failed) => return Answer::Failed,
            },
            (_, Is::Down) => drop(self.children.remove(i)),
        }
        Answer::Done
    }

    fn answer_start(&mut self, child: Child, index: Option<usize>, world: &mut World) -> Answer {
        let never = matches!(self.tree.kind, Kind::Static { auto_shutdown: AutoShutdown::Never, .. });
        match index.map(|i| &self.children[i].1) {
            _ if child.significant && never => return Answer::SignificantNever,
            _ if child.significant && child.restart == Restart::Permanent => {
                return Answer::SignificantPermanent;
            }
            Some(Is::Up(..) | Is::Dead(..)) => return Answer::AlreadyStarted,
            Some(Is::Down | Is::Restarting(_)) => return Answer::AlreadyPresent,
            None => {}
        }
        let i = self.children.len();
        self.children.push((child, Is::Down));
        match self.start_child(i, world) {
            Ok(()) => Answer::Done,
            Err(NotStarted::Ignored) => Answer::Ignored,
            Err(NotStarted::Failed) => {
                self.children.remove(i);
                Answer::Failed
            }
        }
    }

    /// A child has no process any more. Temporary children are forgotten then, and all children of a factory.
    fn put_down(&mut self, i: usize) {
        let factory = matches!(self.tree.kind, Kind::Factory { .. });
        if factory || self.children[i].0.restart == Restart::Temporary {
            self.children.remove(i);
        } else {
            self.children[i].1 = Is::Down;
        }
    }

    fn report(&self, i: usize, report: Report, world: &mut World) {
        world.story.push(Happening::Reported(self.path_of(&self.children[i].0.id), report));
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.children.iter().position(|(child, _)| child.id == id)
    }

    fn is(&mut self, id: &str) -> Option<&mut Is> {
        self.children.iter_mut().find_map(|(child, is)| (child.id == id).then_some(is))
    }

    fn path_of(&self, id: &str) -> String {
        join(&self.path, id)
    }

    fn list<'a>(&'a self, all: &mut Vec<(String, Option<usize>, &'a Child)>) {
        for (child, is) in &self.children {
            let (process, supervisor) = match is {
                Is::Up(nth, supervisor) => (Some(*nth), supervisor.as_deref()),
                // At rest everything has been looked at.
                Is::Down | Is::Restarting(_) | Is::Dead(..) => (None, None),
            };
            all.push((self.path_of(&child.id), process, child));
            if let Some(supervisor) = supervisor {
                supervisor.list(all);
            }
        }
    }
}

/// Whether a child that was told to end, and ended so, did as it was told.
fn accepted(child: &Child, reason: Reason) -> bool {
    match (child.shutdown, reason) {
        (Shutdown::BrutalKill, Reason::Killed)
        | (Shutdown::After(_) | Shutdown::Infinity, Reason::Shutdown) => true,
        (_, Reason::Normal | Reason::Shutdown | Reason::ShutdownWith) => child.restart != Restart::Permanent,
        _ => false,
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn join(path: &str, id: &str) -> String {
    if path.is_empty() { id.to_owned() } else { format!("{path}/{id}") }
}
