//! Supervisors of several copies of one child, among which the work is divided by a key.
//!
//! Where one process is too slow for all requests, several share them: each key always goes to the same one, so that
//! what is asked about one key keeps its order. [`Partitions`] is the address; it outlives the supervisor's restarts as a
//! [`Name`] outlives those of a process.
//!
//! ```
//! use std::{num::NonZeroUsize, time::Duration};
//! use erlang_process::{Reply, Subject};
//! use otp_actor as actor;
//! use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let counters = Partitions::<Subject<Reply<u64>>>::new(NonZeroUsize::new(4).unwrap());
//! partition_supervisor::new(&counters, |_| {
//!     supervision::worker(|| {
//!         let count = |count: &mut u64, reply: Reply<u64>| {
//!             *count += 1;
//!             reply.send(*count);
//!         };
//!         actor::new(0).on_message(count).start()
//!     })
//! })
//! .start()
//! .await?;
//!
//! let second = Duration::from_secs(1);
//! let counter = counters.of("joe").ok_or("no partition")?;
//! assert_eq!(counter.call(second, |reply| reply).await?, 1);
//! let same = counters.of("joe").ok_or("no partition")?;
//! assert_eq!(same.call(second, |reply| reply).await?, 2);
//! # Ok(()) }
//! ```
//!
//! Counterpart: `PartitionSupervisor` in Elixir.

use std::{
    error::Error,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroUsize,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use erlang_process::{CallError, Name, Pid};
use otp_actor::{StartError, Started};
use otp_system::DebugOptions;
use tokio::sync::Mutex;

use crate::{
    child_info::ChildInfo,
    child_spec::{ChildId, ChildSpec},
    error::SupervisorError,
    semantics::{Counts, Strategy},
    static_supervisor,
    supervised::Supervised,
};

/// The copies of one child, each reached by the keys that are its share.
///
/// Cheap to clone. There are none in it before a supervisor is [started](new) for it, and new ones after each restart. As
/// under a name, there is one supervisor at a time.
///
/// ```
/// use erlang_process::Subject;
/// use otp_actor as actor;
/// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
/// use std::num::NonZeroUsize;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // What others need is there before the supervisor is.
/// let sums = Partitions::<Subject<u32>>::new(NonZeroUsize::new(4).unwrap());
/// let add = {
///     let sums = sums.clone();
///     move |user: &str, n| sums.of(user).map(|sum| sum.send(n))
/// };
/// assert_eq!(add("Joe", 5), None);
///
/// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
/// partition_supervisor::new(&sums, |_| supervision::worker(sum)).start().await?;
/// assert_eq!(add("Joe", 5), Some(()));
/// # Ok(())
/// # }
/// ```
pub struct Partitions<D>(Arc<Table<D>>);

struct Table<D> {
    /// That of the supervisor: there is one at a time, and whoever asks it asks the one there is.
    name: Name<static_supervisor::Message>,
    /// What each copy was last started with.
    children: Box<[RwLock<Option<Arc<D>>>]>,
    /// How many of them share the keys.
    active: AtomicUsize,
    /// Held while that is changed.
    resizing: Mutex<()>,
}

impl<D> Table<D> {
    fn activate_all(&self) {
        self.active.store(self.children.len(), Ordering::Release);
    }
}

impl<D: Clone + Send + Sync + 'static> Partitions<D> {
    /// For this many copies.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use otp_supervisor::partition_supervisor::Partitions;
    /// use std::num::NonZeroUsize;
    ///
    /// let shards = Partitions::<Subject<u32>>::new(NonZeroUsize::new(4).unwrap());
    /// assert_eq!(shards.active(), 4);
    /// ```
    #[must_use]
    pub fn new(partitions: NonZeroUsize) -> Self {
        Self(Arc::new(Table {
            name: Name::new("partitions"),
            children: (0..partitions.get()).map(|_| RwLock::new(None)).collect(),
            active: AtomicUsize::new(partitions.get()),
            resizing: Mutex::new(()),
        }))
    }

    /// As many as there are threads that can run at once.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use otp_supervisor::partition_supervisor::Partitions;
    ///
    /// let shards = Partitions::<Subject<u32>>::per_core();
    /// assert!(shards.active() >= 1);
    /// ```
    ///
    /// Counterpart: the default of `partitions:` in Elixir.
    #[must_use]
    pub fn per_core() -> Self {
        Self::new(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// How many copies share the keys: all, unless there was a [resize](Supervisor::resize).
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
    /// use std::num::NonZeroUsize;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
    /// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
    /// let supervisor = partition_supervisor::new(&shards, |_| supervision::worker(sum)).start().await?.data;
    /// assert_eq!(shards.active(), 4);
    /// // Little is to be done at night.
    /// supervisor.resize(1).await?;
    /// assert_eq!(shards.active(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `PartitionSupervisor.partitions/1`.
    #[must_use]
    pub fn active(&self) -> usize {
        self.0.active.load(Ordering::Acquire)
    }

    /// What the copy for this number was started with: numbers are shared out by their remainder. `None` if there is none.
    ///
    /// A copy that has ended is still returned until its successor has started; messages to it are lost and calls fail, as
    /// with any process that has ended.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
    /// use std::num::NonZeroUsize;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
    /// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
    /// partition_supervisor::new(&shards, |_| supervision::worker(sum)).start().await?;
    /// // Customers 3 and 7 have the same one of four.
    /// let (one, other) = (shards.nth(3).unwrap(), shards.nth(7).unwrap());
    /// assert_eq!(one.pid(), other.pid());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `{:via, PartitionSupervisor, {name, integer}}`.
    #[must_use]
    pub fn nth(&self, number: u64) -> Option<D> {
        let active = u64::try_from(self.active()).ok()?;
        let index = usize::try_from(number.checked_rem(active)?).ok()?;
        let child = self.0.children.get(index)?.read().unwrap_or_else(PoisonError::into_inner).clone();
        child.map(|child| D::clone(&child))
    }

    /// What the copy for this key was started with, as [`nth`](Self::nth) of its hash: the same for the same key, as long as
    /// as many copies are active.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use otp_supervisor::partition_supervisor::Partitions;
    /// use std::num::NonZeroUsize;
    ///
    /// let shards = Partitions::<Subject<u32>>::new(NonZeroUsize::new(4).unwrap());
    /// // Nobody is there before the supervisor is started.
    /// assert!(shards.of("joe").is_none());
    /// ```
    ///
    /// Counterpart: `{:via, PartitionSupervisor, {name, key}}`.
    #[must_use]
    pub fn of<K: Hash + ?Sized>(&self, key: &K) -> Option<D> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.nth(hasher.finish())
    }

    fn put(&self, index: usize, child: &D) {
        let child = Arc::new(child.clone());
        if let Some(place) = self.0.children.get(index) {
            let before = place.write().unwrap_or_else(PoisonError::into_inner).replace(child);
            drop(before);
        }
    }
}

impl<D> Clone for Partitions<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D> fmt::Debug for Partitions<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitions")
            .field("active", &self.0.active)
            .field("partitions", &self.0.children.len())
            .finish()
    }
}

/// A supervisor of a copy of `child` for each partition; the function is told which, from zero.
///
/// Their ids are their numbers, whatever ids the specifications have. The strategy is one for one; how many restarts are tolerated
/// is said of the [`Builder`].
///
/// ```
/// use otp_actor as actor;
/// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
/// use std::num::NonZeroUsize;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shards = Partitions::new(NonZeroUsize::new(2).unwrap());
/// // Each knows which it is: to open the file with its share, say.
/// let shard = |index| supervision::worker(move || {
///     actor::new(format!("shard-{index}.db")).on_message(|_: &mut String, _: u32| ()).start()
/// });
/// let started = partition_supervisor::new(&shards, shard).start().await?;
/// assert_eq!(started.data.count_children().await?.active, 2);
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `child_spec:` and `with_arguments:` of `PartitionSupervisor`.
pub fn new<D>(partitions: &Partitions<D>, child: impl FnMut(usize) -> ChildSpec<D>) -> Builder<D>
where
    D: Clone + Send + Sync + 'static,
{
    let partitions = partitions.clone();
    let children = (0..partitions.0.children.len()).map(child).enumerate();
    let none = static_supervisor::new(Strategy::OneForOne).named(partitions.0.name);
    let supervisor = children.fold(none, |supervisor, (index, child)| {
        let table = partitions.clone();
        let child = child.id(id(index)).map_data(move |data| table.put(index, &data));
        supervisor.add(child)
    });
    Builder { partitions, supervisor }
}

/// The id of the copy with this number.
fn id(index: usize) -> ChildId {
    ChildId::placed(index as u64)
}

/// A partition supervisor to be started.
///
/// ```
/// use otp_actor as actor;
/// use otp_supervisor::{Strategy, Supervised, partition_supervisor::{self, Partitions}, static_supervisor, supervision};
/// use std::num::NonZeroUsize;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
/// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
/// let sums = partition_supervisor::new(&shards, |_| supervision::worker(sum));
/// // In a tree. Its partitions are found the same way when it was restarted.
/// static_supervisor::new(Strategy::OneForOne).add(sums.supervised()).start().await?;
/// assert!(shards.of("Joe").is_some());
/// # Ok(())
/// # }
/// ```
#[must_use = "a supervisor does nothing before it is started"]
pub struct Builder<D> {
    partitions: Partitions<D>,
    supervisor: static_supervisor::Builder,
}

impl<D: Clone + Send + Sync + 'static> Builder<D> {
    /// How many restarts are tolerated in which time, see
    /// [`restart_tolerance`](static_supervisor::Builder::restart_tolerance) of a static supervisor.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    /// use otp_actor as actor;
    /// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
    /// use std::{num::NonZeroUsize, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
    /// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
    /// let sums = partition_supervisor::new(&shards, |_| supervision::worker(sum));
    /// // Not a single crash.
    /// let sums = sums.restart_tolerance(0, Duration::from_secs(5)).start().await?;
    /// erlang_process::kill(shards.nth(0).unwrap().pid().unwrap());
    /// assert_eq!(erlang_process::join(sums.pid).await, ExitReason::Shutdown);
    /// # Ok(())
    /// # }
    /// ```
    pub fn restart_tolerance(mut self, intensity: u32, period: std::time::Duration) -> Self {
        self.supervisor = self.supervisor.restart_tolerance(intensity, period);
        self
    }

    /// Begins with these debug functions, see [`otp_system`]. They see what the supervisor takes out of its mailbox.
    ///
    /// Counterpart: the option `debug` of `gen_server:start_link/4`.
    pub fn debug(mut self, options: DebugOptions) -> Self {
        self.supervisor = self.supervisor.debug(options);
        self
    }

    /// Starts the supervisor, linked with the calling process if there is one, and the copies one after the other. All of them
    /// are active.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
    /// use std::num::NonZeroUsize;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
    /// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
    /// let sums = partition_supervisor::new(&shards, |_| supervision::worker(sum));
    /// assert!(shards.nth(0).is_none());
    /// sums.start().await?;
    /// assert!((0..4).all(|index| shards.nth(index).is_some()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](static_supervisor::Builder::start) of a static supervisor; [`StartError::AlreadyStarted`] if there is one
    /// for these [`Partitions`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the supervisor, and with it its children, unless it was returned.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `PartitionSupervisor.start_link/1`.
    pub async fn start(self) -> Result<Started<Supervisor<D>>, StartError> {
        let Self { partitions, supervisor } = self;
        let Started { pid, data: children } = supervisor.start().await?;
        partitions.0.activate_all();
        Ok(Started { pid, data: Supervisor { partitions, children } })
    }
}

impl<D: Clone + Send + Sync + 'static> Supervised for Builder<D> {
    type Data = Supervisor<D>;

    fn supervised(self) -> ChildSpec<Supervisor<D>> {
        let Self { partitions, supervisor } = self;
        supervisor.supervised().map_data(move |children| {
            partitions.0.activate_all();
            Supervisor { partitions: partitions.clone(), children }
        })
    }
}

impl<D> fmt::Debug for Builder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("partitions", &self.partitions)
            .field("supervisor", &self.supervisor)
            .finish()
    }
}

/// A running partition supervisor: that of its [`Partitions`], whichever process it is.
///
/// ```
/// use otp_actor as actor;
/// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
/// use std::num::NonZeroUsize;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
/// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
/// let supervisor = partition_supervisor::new(&shards, |_| supervision::worker(sum)).start().await?.data;
/// // To work there are the partitions, to look after them this.
/// assert_eq!(supervisor.resize(2).await?, 4);
/// supervisor.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct Supervisor<D> {
    partitions: Partitions<D>,
    children: static_supervisor::Supervisor,
}

impl<D: Clone + Send + Sync + 'static> Supervisor<D> {
    /// The supervisor's process, a new one after a restart; `None` if there is none.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
    /// use std::num::NonZeroUsize;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
    /// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
    /// let started = partition_supervisor::new(&shards, |_| supervision::worker(sum)).start().await?;
    /// assert_eq!(started.data.pid(), Some(started.pid));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.children.pid()
    }

    /// All copies, the last one first.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
    /// use std::num::NonZeroUsize;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
    /// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
    /// let supervisor = partition_supervisor::new(&shards, |_| supervision::worker(sum)).start().await?.data;
    /// let last = supervisor.which_children().await?.remove(0);
    /// assert_eq!(last.pid(), shards.nth(3).unwrap().pid());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// Counterpart: `PartitionSupervisor.which_children/1`.
    pub async fn which_children(&self) -> Result<Vec<ChildInfo<ChildId>>, CallError> {
        self.children.which_children().await
    }

    /// How many copies there are, and how many of them live.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
    /// use std::num::NonZeroUsize;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
    /// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
    /// let supervisor = partition_supervisor::new(&shards, |_| supervision::worker(sum)).start().await?.data;
    /// supervisor.resize(3).await?;
    /// let counts = supervisor.count_children().await?;
    /// assert_eq!((counts.specs, counts.active), (4, 3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// Counterpart: `PartitionSupervisor.count_children/1`.
    pub async fn count_children(&self) -> Result<Counts, CallError> {
        self.children.count_children().await
    }

    /// Stops the copies, the last one first, and then the supervisor, see
    /// [`stop`](static_supervisor::Supervisor::stop) of a static supervisor.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
    /// use std::num::NonZeroUsize;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
    /// let sum = || actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start();
    /// let supervisor = partition_supervisor::new(&shards, |_| supervision::worker(sum)).start().await?;
    /// supervisor.data.stop().await?;
    /// assert!(!erlang_process::is_alive(supervisor.pid));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::NoProc`] if it was gone already; [`CallError::Down`] with its reason, if it ended with another one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `PartitionSupervisor.stop/3`.
    pub async fn stop(&self) -> Result<(), CallError> {
        self.children.stop().await
    }

    /// Lets only the first `partitions` copies share the keys: the others are stopped, or started again. Returns how many there were
    /// before. Keys move to other copies by this.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_supervisor::{partition_supervisor::{self, Partitions}, supervision};
    /// use std::num::NonZeroUsize;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shards = Partitions::new(NonZeroUsize::new(4).unwrap());
    /// let supervisor = partition_supervisor::new(&shards, |_| {
    ///     supervision::worker(|| actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start())
    /// });
    /// let supervisor = supervisor.start().await?.data;
    /// supervisor.resize(2).await?;
    /// assert_eq!(shards.active(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResizeError`]: there are not so many, or one did not start; those before it are active then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves some of the change undone; resizing again completes it.
    ///
    /// Counterpart: `PartitionSupervisor.resize!/2`.
    pub async fn resize(&self, partitions: usize) -> Result<usize, ResizeError> {
        let table = &*self.partitions.0;
        let most = table.children.len();
        if partitions > most {
            return Err(ResizeError::TooMany { most });
        }
        let _only_one = table.resizing.lock().await;
        let before = self.partitions.active();
        for index in before..partitions {
            match self.children.restart_child(id(index)).await {
                // One that an interrupted resize has not stopped, or has started.
                Ok(_) | Err(SupervisorError::Running | SupervisorError::Restarting) => {}
                Err(error) => return Err(ResizeError::Supervisor(error)),
            }
            table.active.store(index + 1, Ordering::Release);
        }
        if partitions < before {
            // First, so that no key finds one that is being stopped.
            table.active.store(partitions, Ordering::Release);
        }
        for index in partitions..most {
            self.children.terminate_child(id(index)).await.map_err(ResizeError::Supervisor)?;
        }
        Ok(before)
    }
}

impl<D> Clone for Supervisor<D> {
    fn clone(&self) -> Self {
        Self { partitions: self.partitions.clone(), children: self.children.clone() }
    }
}

impl<D> fmt::Debug for Supervisor<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("partitions", &self.partitions)
            .field("children", &self.children)
            .finish()
    }
}

/// Why the number of active partitions was not changed as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResizeError {
    /// More than there were at the start.
    TooMany {
        /// How many there can be.
        most: usize,
    },
    /// A copy could not be started or stopped.
    Supervisor(SupervisorError),
}

impl fmt::Display for ResizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { most } => write!(f, "there can be {most} partitions at most"),
            Self::Supervisor(error) => write!(f, "a partition could not be started or stopped: {error}"),
        }
    }
}

impl Error for ResizeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::TooMany { .. } => None,
            Self::Supervisor(error) => Some(error),
        }
    }
}
