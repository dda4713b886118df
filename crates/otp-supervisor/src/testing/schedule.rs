//! Days of faults, drawn.

use std::{ops::Add, time::Duration};

use proptest::{
    collection::vec,
    prelude::any,
    prop_oneof,
    sample::{Index, select},
    strategy::{BoxedStrategy, Strategy},
};

use super::{Child, Deed, Model, Reason, Tree};
use crate::Shutdown;

/// What may go wrong, and with whom.
///
/// ```
/// use otp_supervisor::testing::Faults;
///
/// let faults = Faults::crashes().of(["mailer", "orders/ledger"]) + Faults::kills();
/// # drop(faults);
/// ```
#[derive(Clone, Debug)]
pub struct Faults(Vec<Fault>);

#[derive(Clone, Debug)]
pub(super) struct Fault {
    what: What,
    /// Of anyone, if it says nothing.
    of: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Ends(Reason),
    HangsOnStop,
}

impl Faults {
    /// Processes end with an error, as after a panic. Those that trap exits cannot be made to, and are killed instead, and
    /// so are supervisors.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::{Check, Faults}};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(ledger()).start())
    ///     .faults(Faults::crashes())
    ///     .sometimes("it is started again", |world| world.restarts() > 0)
    ///     .run();
    /// ```
    #[must_use]
    pub fn crashes() -> Self {
        Self::new(What::Ends(Reason::Crash))
    }

    /// Processes are killed, supervisors too.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, Supervised, static_supervisor as supervisor, supervision};
    /// use otp_supervisor::testing::{Check, Faults};
    ///
    /// let ledger = || supervision::process(std::future::pending::<()>).id("ledger");
    /// let orders = move || supervisor::new(Strategy::OneForOne).add(ledger()).supervised().id("orders");
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(orders()).start())
    ///     .faults(Faults::kills().of(["orders"]))
    ///     .sometimes("it is new, and who was below it", |world| world.restarts() == 2)
    ///     .run();
    /// ```
    #[must_use]
    pub fn kills() -> Self {
        Self::new(What::Ends(Reason::Killed))
    }

    /// Processes end with `shutdown`, as if they were done. Workers that trap exits cannot be made to, and are killed
    /// instead; supervisors stop their children first.
    ///
    /// ```
    /// use otp_supervisor::{Restart, Strategy, static_supervisor as supervisor, supervision};
    /// use otp_supervisor::testing::{Check, Faults};
    ///
    /// let import = || supervision::process(std::future::pending::<()>).id("import").restart(Restart::Transient);
    /// Check::tree(move || supervisor::new(Strategy::OneForOne).add(import()).start())
    ///     .faults(Faults::shutdowns())
    ///     .always("who is done stays so", |world| world.restarts() == 0)
    ///     .sometimes("it is done", |world| world.process("import").is_none())
    ///     .run();
    /// ```
    #[must_use]
    pub fn shutdowns() -> Self {
        Self::new(What::Ends(Reason::Shutdown))
    }

    /// Workers hang when they are asked to end, and are killed when their time is over. Those that have any time are spared,
    /// and so are supervisors. Until they are asked, nothing is seen of it: together with faults that make a supervisor
    /// stop somebody.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision, testing::{Check, Faults}};
    ///
    /// let child = |id| supervision::process(std::future::pending::<()>).id(id);
    /// // When the ledger crashes, the mailer is to be stopped; and will not.
    /// Check::tree(move || supervisor::new(Strategy::OneForAll).add(child("ledger")).add(child("mailer")).start())
    ///     .faults(Faults::crashes().of(["ledger"]) + Faults::hangs_on_stop().of(["mailer"]))
    ///     .cases(20)
    ///     .follows_otp()
    ///     .run();
    /// ```
    #[must_use]
    pub fn hangs_on_stop() -> Self {
        Self::new(What::HangsOnStop)
    }

    /// Only of these children. A child goes by its path: the ids from the root to the child, with `/` between. Those of a
    /// factory are numbered from 0 on. As in a JSON pointer, a `/` in an id is written `~1`, and a `~` is `~0`.
    ///
    /// Faults of a child that there never is make the check panic.
    ///
    /// ```
    /// use otp_supervisor::{Strategy, testing::{Child, Faults, Model, Tree, days}};
    /// use proptest::prelude::*;
    ///
    /// let tree = Tree::new(Strategy::OneForOne).child(Child::worker("ledger")).child(Child::worker("mailer"));
    /// proptest!(|(day in days(&tree, &Faults::crashes().of(["mailer"]), 1))| {
    ///     let mut model = Model::new(tree.clone());
    ///     day.iter().for_each(|moment| model.play(moment));
    ///     prop_assert!(model.process("ledger") == Some(1) || model.ended().is_some(), "it is the first still");
    /// });
    /// ```
    #[must_use]
    pub fn of(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let paths: Vec<String> = paths.into_iter().map(Into::into).collect();
        for fault in &mut self.0 {
            fault.of = Some(paths.clone());
        }
        self
    }

    fn new(what: What) -> Self {
        Self(vec![Fault { what, of: None }])
    }

    /// Panics if they are to happen to a child that is none of these.
    pub(super) fn must_be_of<'a>(&self, known: impl IntoIterator<Item = &'a str>) {
        let known: Vec<&str> = known.into_iter().collect();
        let named = self.0.iter().filter_map(|fault| fault.of.as_ref()).flatten();
        for path in named {
            assert!(known.contains(&path.as_str()), "{}", no_child(path, known));
        }
    }
}

impl Add for Faults {
    type Output = Self;

    /// Either of both.
    fn add(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// One moment of a day.
///
/// ```
/// use std::time::Duration;
/// use otp_supervisor::{Strategy, testing::{Child, Deed, Model, Moment, Reason, Tree}};
///
/// // A day, written out by hand.
/// let crash = || Moment::Deeds(vec![Deed::Exit("ledger".into(), Reason::Crash)]);
/// let day = [crash(), Moment::Wait(Duration::from_secs(60)), crash()];
///
/// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(Child::worker("ledger")));
/// day.iter().for_each(|moment| model.play(moment));
/// assert_eq!(model.process("ledger"), Some(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing happens for so long.
    Wait(Duration),
    /// This is done to children of one supervisor, before it looks.
    Deeds(Vec<Deed>),
}

impl Model {
    /// Plays one moment of a day.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::{Strategy, testing::{Child, Model, Moment, Tree}};
    ///
    /// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(Child::worker("ledger")));
    /// model.play(&Moment::Wait(Duration::from_secs(60)));
    /// assert_eq!(model.now(), Duration::from_secs(60));
    /// ```
    pub fn play(&mut self, moment: &Moment) {
        match moment {
            Moment::Wait(time) => self.wait(*time),
            Moment::Deeds(deeds) => drop(self.at_once(deeds)),
        }
    }
}

/// Days of faults for a tree that does what the model says: a strategy for those who use proptest and ask the
/// [`Model`] what comes of a policy.
///
/// Up to `at_once` faults come before the supervisor of the children looks. A day shrinks towards fewer moments, fewer
/// faults at once, and the faults that were named first.
///
/// ```
/// use otp_supervisor::{Strategy, testing::{Child, Faults, Model, Tree, days}};
/// use proptest::prelude::*;
///
/// let tree = Tree::new(Strategy::OneForOne)
///     .restart_tolerance(20, std::time::Duration::from_secs(5))
///     .child(Child::worker("ledger"))
///     .child(Child::worker("mailer"));
///
/// proptest!(|(day in days(&tree, &Faults::crashes(), 2))| {
///     let mut model = Model::new(tree.clone());
///     day.iter().for_each(|moment| model.play(moment));
///     prop_assert!(model.ended().is_none(), "so many crashes are tolerated");
/// });
/// ```
///
/// # Panics
///
/// If `at_once` is zero; if faults are to happen to a child that the tree does not begin with.
pub fn days(tree: &Tree, faults: &Faults, at_once: usize) -> impl Strategy<Value = Vec<Moment>> + use<> {
    let tree = tree.clone();
    let model = Model::new(tree.clone());
    if model.ended().is_none() {
        faults.must_be_of(model.children().iter().map(|(path, ..)| path.as_str()));
    }
    drafts(faults, at_once).prop_map(move |drafts| {
        let mut model = Model::new(tree.clone());
        let mut day = Vec::new();
        for draft in drafts {
            let running: Vec<_> = (model.children().into_iter())
                .filter(|(_, process, _)| process.is_some())
                .map(|(path, _, child)| (path, child.clone()))
                .collect();
            if let Some(moment) = draft.settle(&running) {
                model.play(&moment);
                day.push(moment);
            }
        }
        day
    })
}

/// A moment before it is known who is meant.
#[derive(Clone, Debug)]
pub(super) enum Draft {
    Wait(Duration),
    Faults(Vec<(Fault, Index)>),
}

const MOMENTS: usize = 10;

pub(super) fn drafts(faults: &Faults, at_once: usize) -> BoxedStrategy<Vec<Draft>> {
    assert!(at_once > 0, "at least one fault comes at once");
    let fault = (select(faults.0.clone()), any::<Index>());
    let moment = prop_oneof![
        3 => vec(fault, 1..=at_once).prop_map(Draft::Faults),
        1 => select(&[1, 5, 6, 60][..]).prop_map(|seconds| Draft::Wait(Duration::from_secs(seconds))),
    ];
    vec(moment, 1..=MOMENTS).boxed()
}

impl Draft {
    /// Settles who is meant, among those who run: their paths, and what they are. `None` if nobody is left.
    pub(super) fn settle(&self, running: &[(String, Child)]) -> Option<Moment> {
        let faults = match self {
            Self::Wait(time) => return Some(Moment::Wait(*time)),
            Self::Faults(faults) => faults,
        };
        let mut deeds: Vec<Deed> = Vec::new();
        for (Fault { what, of }, who) in faults {
            let meant: Vec<_> = running
                .iter()
                .filter(|(_, child)| what.can_happen_to(child))
                .filter(|(path, _)| of.as_ref().is_none_or(|of| of.contains(path)))
                .filter(|(path, _)| deeds.iter().all(|deed| deed.path() != path))
                .filter(|(path, _)| deeds.first().is_none_or(|first| above(first.path()) == above(path)))
                .collect();
            if meant.is_empty() {
                continue;
            }
            let (path, child) = meant[who.index(meant.len())];
            deeds.push(match what {
                What::HangsOnStop => Deed::Hang(path.clone()),
                What::Ends(Reason::Crash) if child.is_supervisor() => {
                    Deed::Exit(path.clone(), Reason::Killed)
                }
                What::Ends(reason) => Deed::Exit(path.clone(), *reason),
            });
        }
        (!deeds.is_empty()).then_some(Moment::Deeds(deeds))
    }
}

impl What {
    fn can_happen_to(self, child: &Child) -> bool {
        match self {
            Self::Ends(_) => true,
            Self::HangsOnStop => !child.is_supervisor() && child.shutdown != Shutdown::Infinity,
        }
    }
}

/// What is said of a path that is nobody's.
pub(super) fn no_child<'a>(path: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    format!("no child `{path}`; there are: {}", known.join(", "))
}

fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}
