//! What can be done to a tree, and what happens in it.

use super::{Child, Reason};

/// What is done to one child. Children go by their path: the ids from the root to the child, with `/` between.
///
/// ```
/// use otp_supervisor::{Strategy, testing::{Answer, Child, Deed, Model, Reason, Tree}};
///
/// let tree = Tree::new(Strategy::OneForOne).child(Child::worker("ledger"));
/// let mut model = Model::new(tree);
/// assert_eq!(model.act(&Deed::Exit("ledger".into(), Reason::Crash)), None);
/// assert_eq!(model.act(&Deed::Terminate("ledger".into())), Some(Answer::Done));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Its process ends by itself for this reason, or is killed. A supervisor that is not killed stops its children
    /// first, as it does when a system message tells it to end.
    Exit(String, Reason),
    /// Its process hangs when it is asked to end, and has to be killed when its time is over. Its time must not be
    /// [`Shutdown::Infinity`](crate::Shutdown::Infinity), and it must not be a supervisor.
    Hang(String),
    /// Somebody calls `start_child` for a child at this path. What it is called in the specification does not count.
    Start(String, Box<Child>),
    /// Somebody calls `terminate_child`.
    Terminate(String),
    /// Somebody calls `restart_child`.
    Restart(String),
    /// Somebody calls `delete_child`.
    Delete(String),
}

impl Deed {
    /// Whether somebody asks for it, and is answered.
    ///
    /// ```
    /// use otp_supervisor::testing::{Deed, Reason};
    ///
    /// assert!(Deed::Terminate("ledger".into()).is_request());
    /// assert!(!Deed::Exit("ledger".into(), Reason::Crash).is_request());
    /// ```
    #[must_use]
    pub fn is_request(&self) -> bool {
        match self {
            Self::Exit(..) | Self::Hang(_) => false,
            Self::Start(..) | Self::Terminate(_) | Self::Restart(_) | Self::Delete(_) => true,
        }
    }

    /// The child it is done to.
    ///
    /// ```
    /// use otp_supervisor::testing::Deed;
    ///
    /// assert_eq!(Deed::Restart("orders/ledger".into()).path(), "orders/ledger");
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Exit(path, _)
            | Self::Hang(path)
            | Self::Start(path, _)
            | Self::Terminate(path)
            | Self::Restart(path)
            | Self::Delete(path) => path,
        }
    }
}

/// What came of asking a supervisor for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done, and the child runs if it was to run.
    Done,
    /// The child did not want to run.
    Ignored,
    /// The child could not run.
    Failed,
    /// A child with this id runs.
    AlreadyStarted,
    /// A child with this id is there, without a process.
    AlreadyPresent,
    /// The child runs.
    Running,
    /// The child is about to be started again.
    Restarting,
    /// There is no such child.
    NotFound,
    /// It is significant, but its supervisor does not shut down for anyone.
    SignificantNever,
    /// It is significant, but permanent.
    SignificantPermanent,
    /// The supervisor was gone before it came to answer.
    Gone,
}

/// Something that happened in a tree, to the child at a path, as seen by its supervisor.
///
/// ```
/// use otp_supervisor::{Strategy, testing::{Child, Deed, Happening, Model, Reason, Report, Tree}};
///
/// let mut model = Model::new(Tree::new(Strategy::OneForOne).child(Child::worker("ledger")));
/// assert_eq!(model.story(), [Happening::Started("ledger".into(), 1)]);
///
/// model.act(&Deed::Exit("ledger".into(), Reason::Crash));
/// let story = model.story();
/// assert!(story.contains(&Happening::Ended("ledger".into(), 1, Reason::Crash)));
/// assert!(story.contains(&Happening::Reported("ledger".into(), Report::ChildTerminated(Reason::Crash))));
/// assert!(story.contains(&Happening::Started("ledger".into(), 2)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Its start function was called, for the how-manyth time.
    Started(String, usize),
    /// Its process ended by itself, or at the hands of somebody else than its supervisor.
    Ended(String, usize, Reason),
    /// Its process was told to end by its supervisor, and ended so.
    Stopped(String, usize, Reason),
    /// Its process ended because its supervisor was killed.
    Orphaned(String, usize),
    /// Its supervisor told the log.
    Reported(String, Report),
}

impl Happening {
    /// The child it happened to.
    ///
    /// ```
    /// use otp_supervisor::testing::Happening;
    ///
    /// assert_eq!(Happening::Started("orders/ledger".into(), 2).path(), "orders/ledger");
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Started(path, _)
            | Self::Ended(path, ..)
            | Self::Stopped(path, ..)
            | Self::Orphaned(path, _)
            | Self::Reported(path, _) => path,
        }
    }
}

/// What a supervisor tells the log of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It ended by itself and should not have.
    ChildTerminated(Reason),
    /// It did not start.
    StartError,
    /// It did not end as it was told to, and how many ended so. Where a factory stops all of its children at once, the
    /// path ends with `*`.
    ShutdownError(Reason, usize),
    /// It needed one restart too many.
    GaveUp,
}
