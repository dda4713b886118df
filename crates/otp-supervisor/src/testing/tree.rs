//! What a tree is made of, as far as supervision is concerned.

use std::time::Duration;

use crate::{AutoShutdown, Restart, Shutdown, Strategy};

/// A supervisor and all that is below it, written down.
///
/// ```
/// use std::time::Duration;
/// use otp_supervisor::{Strategy, testing::{Child, Model, Tree}};
///
/// let orders = Tree::new(Strategy::OneForAll).child(Child::worker("ledger")).child(Child::worker("stock"));
/// let shop = Tree::new(Strategy::RestForOne)
///     .restart_tolerance(3, Duration::from_secs(60))
///     .child(Child::supervisor("orders", orders))
///     .child(Child::worker("web"));
/// assert_eq!(Model::new(shop).children().len(), 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Which kind of supervisor it is.
    pub kind: Kind,
    /// How many restarts within one period are tolerated.
    pub intensity: u32,
    /// The period of the restart intensity.
    pub period: Duration,
    /// The children, in start order. A factory starts with none.
    pub children: Vec<Child>,
}

/// The two kinds of supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A supervisor of children that have names and an order.
    Static {
        /// Who is restarted along with a child.
        strategy: Strategy,
        /// Whether the end of significant children ends the supervisor.
        auto_shutdown: AutoShutdown,
    },
    /// A supervisor of children that come and go.
    Factory {
        /// What each child is like; its id is of no meaning.
        template: Box<Child>,
    },
}

impl Kind {
    pub(super) fn is_factory(&self) -> bool {
        matches!(self, Self::Factory { .. })
    }

    /// A factory restarts each child alone.
    pub(super) fn strategy(&self) -> Strategy {
        match self {
            Self::Static { strategy, .. } => *strategy,
            Self::Factory { .. } => Strategy::OneForOne,
        }
    }

    /// A factory shuts down for nobody.
    pub(super) fn auto_shutdown(&self) -> AutoShutdown {
        match self {
            Self::Static { auto_shutdown, .. } => *auto_shutdown,
            Self::Factory { .. } => AutoShutdown::Never,
        }
    }
}

/// A child, written down.
///
/// ```
/// use otp_supervisor::{Restart, Strategy, testing::{Child, Deed, Model, Reason, Tree}};
///
/// let import = Child::worker("import").restart(Restart::Transient);
/// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(import));
/// model.act(&Deed::Exit("import".into(), Reason::Normal));
/// assert_eq!(model.process("import"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// What it is called among its siblings. Must not contain a `/`.
    pub id: String,
    /// When it is started again.
    pub restart: Restart,
    /// Whether its end counts for automatic shutdown.
    pub significant: bool,
    /// How it is asked to end. A supervisor has all the time that it needs, unless it is killed at once.
    pub shutdown: Shutdown,
    /// How its starts come out, one after the other. Whatever is not written down succeeds.
    pub starts: Vec<Start>,
    /// What runs in it.
    pub body: Body,
}

/// How one start of a child comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It runs.
    Up,
    /// It cannot run.
    Fails,
    /// It does not want to run.
    Ignores,
}

/// What runs in a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A process that does the work, and how it takes it to be asked to end.
    Worker(Manner),
    /// A supervisor.
    Supervisor(Tree),
}

/// What a worker does when it is asked to end. A kill asks nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It ends, with the reason that it was asked with.
    Obeys,
    /// It ends with a reason of its own.
    EndsWith(Reason),
    /// It does not end, and has to be killed when its time is over. That must not be
    /// [`Shutdown::Infinity`].
    Hangs,
}

/// Why a process ends: the reasons that supervision tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// `normal`
    Normal,
    /// `shutdown`
    Shutdown,
    /// `{shutdown, _}`
    ShutdownWith,
    /// `killed`
    Killed,
    /// Anything else: a crash.
    Crash,
}

impl Tree {
    /// A static supervisor without children, with the strategy and Erlang's defaults otherwise: one restart in five
    /// seconds, no automatic shutdown.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::Tree};
    ///
    /// let tree = Tree::new(Strategy::OneForOne);
    /// assert_eq!((tree.intensity, tree.period.as_secs()), (1, 5));
    /// ```
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        let kind = Kind::Static { strategy, auto_shutdown: AutoShutdown::Never };
        Self { kind, intensity: 1, period: Duration::from_secs(5), children: Vec::new() }
    }

    /// A factory of children like this one, with Erlang's defaults otherwise.
    ///
    /// ```
    /// use otp_supervisor::testing::{Answer, Child, Deed, Model, Tree};
    ///
    /// let mut rooms = Model::new(Tree::factory(Child::worker("room")));
    /// let start = |path: &str| Deed::Start(path.into(), Box::new(Child::worker("room")));
    /// assert_eq!(rooms.act(&start("0")), Some(Answer::Done));
    /// assert_eq!(rooms.process("0"), Some(1));
    /// ```
    #[must_use]
    pub fn factory(template: Child) -> Self {
        Self { kind: Kind::Factory { template: Box::new(template) }, ..Self::new(Strategy::OneForOne) }
    }

    /// This tree with another tolerance.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::{Strategy, testing::{Child, Deed, Model, Reason, Tree}};
    ///
    /// // Not a single crash.
    /// let strict = Tree::new(Strategy::OneForOne).restart_tolerance(0, Duration::from_secs(5));
    /// let mut model = Model::new(strict.child(Child::worker("ledger")));
    /// model.act(&Deed::Exit("ledger".into(), Reason::Crash));
    /// assert_eq!(model.ended(), Some(Reason::Shutdown));
    /// ```
    #[must_use]
    pub fn restart_tolerance(self, intensity: u32, period: Duration) -> Self {
        Self { intensity, period, ..self }
    }

    /// This tree with another automatic shutdown. Factories have none, and stay as they are.
    ///
    /// ```
    /// use otp_supervisor::{AutoShutdown, Restart, Strategy, testing::{Child, Deed, Model, Reason, Tree}};
    ///
    /// let done = |id: &str| Child::worker(id).restart(Restart::Transient).significant(true);
    /// let tree = Tree::new(Strategy::OneForOne).auto_shutdown(AutoShutdown::AllSignificant);
    /// let mut model = Model::new(tree.child(done("import")).child(done("export")));
    /// model.act(&Deed::Exit("import".into(), Reason::Normal));
    /// assert_eq!(model.ended(), None);
    /// model.act(&Deed::Exit("export".into(), Reason::Normal));
    /// assert_eq!(model.ended(), Some(Reason::Shutdown));
    /// ```
    #[must_use]
    pub fn auto_shutdown(mut self, automatic: AutoShutdown) -> Self {
        if let Kind::Static { auto_shutdown, .. } = &mut self.kind {
            *auto_shutdown = automatic;
        }
        self
    }

    /// This tree with one more child, at the end.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Tree}};
    ///
    /// let tree = Tree::new(Strategy::OneForOne).child(Child::worker("ledger")).child(Child::worker("mailer"));
    /// assert_eq!(tree.children[1].id, "mailer");
    /// ```
    #[must_use]
    pub fn child(mut self, child: Child) -> Self {
        self.children.push(child);
        self
    }
}

impl Child {
    /// A permanent worker that obeys, with five seconds to end.
    ///
    /// ```
    /// use otp_supervisor::{Restart, Shutdown, testing::Child};
    ///
    /// let ledger = Child::worker("ledger");
    /// assert_eq!((ledger.restart, ledger.shutdown), (Restart::Permanent, Shutdown::WORKER));
    /// ```
    #[must_use]
    pub fn worker(id: impl Into<String>) -> Self {
        Self::new(id, Shutdown::WORKER, Body::Worker(Manner::Obeys))
    }

    /// A permanent supervisor of this tree, with all the time that it needs.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Model, Tree}};
    ///
    /// let orders = Tree::new(Strategy::OneForOne).child(Child::worker("ledger"));
    /// let model = Model::new(Tree::new(Strategy::OneForOne).child(Child::supervisor("orders", orders)));
    /// assert_eq!(model.process("orders/ledger"), Some(1));
    /// ```
    #[must_use]
    pub fn supervisor(id: impl Into<String>, tree: Tree) -> Self {
        Self::new(id, Shutdown::Infinity, Body::Supervisor(tree))
    }

    pub(super) fn is_supervisor(&self) -> bool {
        matches!(self.body, Body::Supervisor(_))
    }

    fn new(id: impl Into<String>, shutdown: Shutdown, body: Body) -> Self {
        let (restart, significant) = (Restart::Permanent, false);
        Self { id: id.into(), restart, significant, shutdown, starts: Vec::new(), body }
    }

    /// This child with another restart type.
    ///
    /// ```
    /// use otp_supervisor::{Restart, Strategy, testing::{Child, Deed, Model, Reason, Tree}};
    ///
    /// let once = Child::worker("once").restart(Restart::Temporary);
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(once));
    /// model.act(&Deed::Exit("once".into(), Reason::Crash));
    /// assert!(model.children().is_empty());
    /// ```
    #[must_use]
    pub fn restart(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    /// This child as a significant one, or as one that is not.
    ///
    /// ```
    /// use otp_supervisor::{Restart, testing::Child};
    ///
    /// let import = Child::worker("import").restart(Restart::Transient).significant(true);
    /// assert!(import.significant);
    /// ```
    #[must_use]
    pub fn significant(self, significant: bool) -> Self {
        Self { significant, ..self }
    }

    /// This child with another way to be stopped.
    ///
    /// ```
    /// use otp_supervisor::{Shutdown, Strategy, testing::{Child, Happening, Model, Reason, Tree}};
    ///
    /// let cache = Child::worker("cache").shutdown(Shutdown::BrutalKill);
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(cache));
    /// model.stop();
    /// assert_eq!(model.story().last(), Some(&Happening::Stopped("cache".into(), 1, Reason::Killed)));
    /// ```
    #[must_use]
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self { shutdown, ..self }
    }

    /// This child with starts that come out like this.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Deed, Model, Reason, Start, Tree}};
    ///
    /// // It comes up, and then not again.
    /// let broken = Child::worker("broken").starts([Start::Up, Start::Fails]);
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(broken));
    /// model.act(&Deed::Exit("broken".into(), Reason::Crash));
    /// // A restart that fails is tried again, which counts.
    /// assert_eq!(model.ended(), Some(Reason::Shutdown));
    /// ```
    #[must_use]
    pub fn starts(self, starts: impl Into<Vec<Start>>) -> Self {
        Self { starts: starts.into(), ..self }
    }

    /// This worker with other manners. A supervisor's manners are known, and it stays as it is.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Happening, Manner, Model, Reason, Tree}};
    ///
    /// let hangs = Child::worker("hangs").manner(Manner::Hangs);
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(hangs));
    /// model.stop();
    /// assert!(model.story().contains(&Happening::Stopped("hangs".into(), 1, Reason::Killed)));
    /// ```
    #[must_use]
    pub fn manner(mut self, other: Manner) -> Self {
        if let Body::Worker(manner) = &mut self.body {
            *manner = other;
        }
        self
    }
}
