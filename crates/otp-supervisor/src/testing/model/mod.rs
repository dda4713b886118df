//! The second opinion: what a supervisor does, written once more, for plainness, without a look at `semantics`.
//!
//! The rules stand in `rules`, to be read beside Erlang's manual; the rest is what they need to be played.

mod member;
mod requests;
mod rules;
mod supervisor;

use std::{collections::BTreeMap, mem, time::Duration};

use self::supervisor::Supervisor;
use super::{Answer, Child, Deed, Happening, Reason, Tree};

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
/// How long anything takes but a child that [hangs](super::Manner::Hangs), and who dies at the same time under *different*
/// supervisors: that has no one outcome. A supervisor as a child is taken to have all the time it needs.
#[derive(Clone, Debug)]
pub struct Model {
    /// The root, or how it has ended.
    root: Result<Supervisor, Reason>,
    world: World,
}

/// What all supervisors of one tree share.
#[derive(Clone, Debug, Default)]
struct World {
    now: Duration,
    /// How often the child at each path was started, in vain or not.
    starts: BTreeMap<String, usize>,
    story: Vec<Happening>,
    answers: Vec<Answer>,
}

impl World {
    /// Counts one more start of the child at this path.
    fn starts(&mut self, path: &str) -> usize {
        let count = self.starts.entry(path.to_owned()).or_default();
        *count += 1;
        *count
    }
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
        let root = Supervisor::start(String::new(), &tree, &mut world).ok_or(Reason::ShutdownWith);
        Self { root, world }
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
        if let (Ok(root), Some(first)) = (&mut self.root, deeds.first()) {
            let at = first.path().rsplit_once('/').map_or("", |(supervisor, _)| supervisor);
            if let Some(reason) = root.at(at, deeds, &mut self.world) {
                self.root = Err(reason);
            }
        }
        let mut answers = mem::take(&mut self.world.answers);
        // Requests are answered in their order; those that are left have found nobody.
        answers.resize(deeds.iter().filter(|deed| deed.is_request()).count(), Answer::Gone);
        answers
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
        if let Ok(root) = &mut self.root {
            root.stop_all(&mut self.world);
            self.root = Err(Reason::Shutdown);
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
        self.root.as_ref().err().copied()
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
        if let Ok(root) = &self.root {
            root.list(&mut all);
        }
        all
    }
}
