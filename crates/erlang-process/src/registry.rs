//! Registries: processes that are found by keys of the user's own.
//!
//! A [`Name`](crate::Name) is for the few processes that a program knows when it is written. A [`Registry`] is for
//! the many that it knows by its data: the process of each room, each session, each device. Its keys are
//! values of any type that can be compared, and a process can hold any number of them.
//!
//! Registering, unregistering and looking a key up are each one step, and so is the end of a holder: from the
//! moment at which its reason is decided it holds nothing, whether or not its entries are still here. A shard's
//! lock may be held while a holder's index is locked, and that while a process is, never the other way round.
//! Under these locks the `Eq` of keys runs and no other code of the user's: keys are hashed before, keys and
//! values are cloned and dropped after, functions are called after.

use std::{
    any::{Any, TypeId},
    borrow::Borrow,
    collections::BTreeMap,
    error, fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    marker::PhantomData,
};

use rustc_hash::FxHashMap;

use crate::{
    cell::Process,
    membership::{self, Members},
    node::Node,
    pid::Pid,
    process::NotAProcess,
    scope,
    subject::{SendError, Subject, Target},
    sync::{Arc, AtomicBool, AtomicU64, MODELLED, Mutex, Ordering},
};

/// The processes that have registered under keys of type `K`, each with a value of type `V`.
///
/// A registry is a value: whoever has a clone of it uses the same registry. It belongs to a [`Node`], and
/// processes of that node register themselves. There are two kinds:
///
/// | | a key is held by | for |
/// |---|---|---|
/// | [`Registry::unique`] | one process, once | finding the one process that is responsible for something |
/// | [`Registry::duplicate`] | any number of processes, any number of times | subscriptions |
///
/// Where the value is a [`Subject`], a key of a unique registry is an address, as a name is: see
/// [`subject`](Self::subject).
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{self as process, Registry, RegistryError, Reply, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let rooms: Registry<String, Subject<Reply<usize>>> = Registry::unique();
///
/// // The process of a room registers itself.
/// let ready = Subject::new()?;
/// let pid = process::spawn({
///     let (rooms, ready) = (rooms.clone(), ready.clone());
///     async move {
///         let guests = Subject::<Reply<usize>>::new()?;
///         rooms.register("kitchen".to_owned(), guests.clone())?;
///         ready.send(());
///         while let Ok(reply) = guests.receive_forever().await {
///             reply.send(12);
///         }
///         Ok::<_, RegistryError>(())
///     }
/// });
/// ready.receive_forever().await.unwrap();
///
/// // Whoever knows the key reaches it.
/// let kitchen = rooms.subject("kitchen".to_owned());
/// assert_eq!(kitchen.call(Duration::from_secs(1), |reply| reply).await, Ok(12));
/// assert_eq!(rooms.whereis("kitchen"), Some(pid));
/// # process::kill(pid);
/// assert_eq!(rooms.whereis("bathroom"), None);
/// # Ok::<_, process::NotAProcess>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # When a process ends
///
/// What it holds is gone with it, before anyone is told of its end: whoever has seen that it is not alive can
/// take its keys over at once. That costs what the process held, however much the registry holds.
///
/// # When not to use it
///
/// For a fixed number of processes, names are simpler. To send to many, and to hear of who comes and goes,
/// [`Groups`](crate::Groups) do more. It is no store: a value is there for as long as its process is.
///
/// Counterpart: `Registry` in Elixir. Partitions, which there are chosen, are here inside; a match
/// specification is a closure.
pub struct Registry<K, V, D = UniqueKeys> {
    table: Arc<Table<K, V>>,
    kind: PhantomData<fn() -> D>,
}

/// The kind of [`Registry`] in which a key is held by at most one process.
#[derive(Debug)]
pub enum UniqueKeys {}

/// The kind of [`Registry`] in which a key is held by any number of processes, any number of times.
///
/// Such a key is nobody's address, and has no one value to be changed: the type knows.
///
/// ```compile_fail,E0599
/// use erlang_process::{Registry, Subject};
///
/// let topics = Registry::<&str, Subject<String>>::duplicate();
/// topics.subject("rust");
/// ```
///
/// ```compile_fail,E0599
/// use erlang_process::Registry;
///
/// let counts = Registry::<&str, u32>::duplicate();
/// counts.update_value("rust", |count| count + 1);
/// ```
#[derive(Debug)]
pub enum DuplicateKeys {}

impl<K, V> Registry<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A new registry on the node of the calling process, in which a key is held by one process.
    ///
    /// Counterpart: `Registry.start_link(keys: :unique)` in Elixir.
    #[must_use]
    pub fn unique() -> Self {
        Self::unique_on(&Node::current())
    }

    /// A new [unique](Self::unique) registry on this node.
    #[must_use]
    pub fn unique_on(node: &Node) -> Self {
        Self { table: Arc::new(Table::new(node.clone())), kind: PhantomData }
    }

    /// A new registry on the node of the calling process, in which a key is held by any number of processes.
    ///
    /// ```
    /// use erlang_process::{self as process, Registry, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # process::run(async {
    /// let topics = Registry::<&str, Subject<String>>::duplicate();
    /// let news = Subject::new()?;
    /// topics.register("rust", news.clone())?;
    /// topics.register("erlang", news.clone())?;
    ///
    /// topics.dispatch("rust", |subscribers| {
    ///     for (_, subscriber) in subscribers {
    ///         subscriber.send("edition 2024".to_owned());
    ///     }
    /// });
    /// assert_eq!(news.receive_forever().await.unwrap(), "edition 2024");
    /// # Ok::<_, process::NotAProcess>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `Registry.start_link(keys: :duplicate)` in Elixir.
    #[must_use]
    pub fn duplicate() -> Registry<K, V, DuplicateKeys> {
        Self::duplicate_on(&Node::current())
    }

    /// A new [duplicate](Self::duplicate) registry on this node.
    #[must_use]
    pub fn duplicate_on(node: &Node) -> Registry<K, V, DuplicateKeys> {
        Registry { table: Arc::new(Table::new(node.clone())), kind: PhantomData }
    }

    /// Registers the calling process under a key.
    ///
    /// # Errors
    ///
    /// [`RegistryError::AlreadyRegistered`] if a process holds the key, be it the calling one; never if that
    /// process has ended. [`RegistryError::NotAProcess`] if the caller is not a process of the registry's node, or
    /// is about to end.
    ///
    /// # Signals
    ///
    /// [Listeners](Self::listen) get [`RegistryEvent::Registered`].
    ///
    /// Counterpart: `Registry.register/3` in Elixir.
    pub fn register(&self, key: K, value: V) -> Result<(), RegistryError> {
        let process = self.table.caller().ok_or(RegistryError::NotAProcess)?;
        self.table.register(&process, key, value, Keys::Unique)
    }

    /// Who holds the key, and with which value.
    ///
    /// Counterpart: `Registry.lookup/2` in Elixir.
    #[must_use]
    pub fn lookup<Q>(&self, key: &Q) -> Option<(Pid, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (process, value) = self.table.holder(&self.table.sought(key))?;
        Some((process.head().pid, V::clone(&value)))
    }

    /// Who holds the key.
    ///
    /// Counterpart: `Registry.whereis_name/1` in Elixir.
    #[must_use]
    pub fn whereis<Q>(&self, key: &Q) -> Option<Pid>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (process, _) = self.table.holder(&self.table.sought(key))?;
        Some(process.head().pid)
    }

    /// Changes the value that the calling process has registered under a key; returns the new one and the old
    /// one. If `update` itself changes that value, the one it returns is what stays.
    ///
    /// # Errors
    ///
    /// [`NotHolder`] if the calling process does not hold the key, or no longer does when `update` returns.
    ///
    /// Counterpart: `Registry.update_value/3` in Elixir.
    pub fn update_value<Q>(&self, key: &Q, update: impl FnOnce(&V) -> V) -> Result<(V, V), NotHolder>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let key = self.table.sought(key);
        let process = self.table.caller().ok_or(NotHolder)?;
        let own = self.table.values_of(&key, process.head().pid);
        let (serial, old) = own.into_iter().next().ok_or(NotHolder)?;
        let new = Arc::new(update(&old));
        let replaced = self.table.replace(&key, serial, new.clone()).ok_or(NotHolder)?;
        drop(replaced);
        Ok((V::clone(&new), V::clone(&old)))
    }
}

impl<K, M> Registry<K, Subject<M>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    /// The address of whoever holds the key, whenever it is sent to: it stays valid when the holder dies and
    /// another process registers under the key, as the subject of a [`Name`](crate::Name) does.
    ///
    /// Messages go to the subject that the holder has registered. [`Subject::pid`] is the holder, to be linked
    /// or monitored. Like every subject that is not the process's own, it cannot be received with: the holder
    /// receives with the subject that it has registered. A key that is registered with the address of a key
    /// is the address of nobody.
    ///
    /// Counterpart: `{:via, Registry, {registry, key}}` in Elixir.
    #[must_use]
    pub fn subject(&self, key: K) -> Subject<M> {
        Subject::to_target(Arc::new(Address { table: self.table.clone(), key: self.table.keyed(key) }))
    }
}

impl<K, V> Registry<K, V, DuplicateKeys>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Registers the calling process under a key, in addition to whatever it has registered under it.
    ///
    /// # Errors
    ///
    /// [`NotAProcess`] if the caller is not a process of the registry's node, or is about to end.
    ///
    /// # Signals
    ///
    /// [Listeners](Self::listen) get [`RegistryEvent::Registered`].
    ///
    /// Counterpart: `Registry.register/3` in Elixir.
    pub fn register(&self, key: K, value: V) -> Result<(), NotAProcess> {
        let process = self.table.caller().ok_or(NotAProcess)?;
        // That the key is held is no obstacle.
        self.table.register(&process, key, value, Keys::Duplicate).map_err(|_| NotAProcess)
    }

    /// All who hold the key, with their values, in the order in which they registered. A process that has
    /// registered more than once is there more than once.
    ///
    /// Counterpart: `Registry.lookup/2` in Elixir.
    #[must_use]
    pub fn lookup<Q>(&self, key: &Q) -> Vec<(Pid, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entries = self.table.entries_of(&self.table.sought(key));
        entries.into_iter().map(|(pid, value)| (pid, V::clone(&value))).collect()
    }
}

impl<K, V, D> Registry<K, V, D>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Takes the calling process's entries under a key away. Returns how many there were; entries of other
    /// processes are left alone.
    ///
    /// # Signals
    ///
    /// If there were any, [listeners](Self::listen) get one [`RegistryEvent::Unregistered`].
    ///
    /// Counterpart: `Registry.unregister/2` in Elixir.
    pub fn unregister<Q>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(process) = self.table.caller() else { return 0 };
        self.table.unregister(&process, &self.table.sought(key), None)
    }

    /// Takes those of the calling process's entries under a key away whose values fit. Returns how many.
    ///
    /// # Signals
    ///
    /// As [`unregister`](Self::unregister).
    ///
    /// Counterpart: `Registry.unregister_match/4` in Elixir.
    pub fn unregister_matching<Q>(&self, key: &Q, mut fits: impl FnMut(&V) -> bool) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let key = self.table.sought(key);
        let Some(process) = self.table.caller() else { return 0 };
        let own = self.table.values_of(&key, process.head().pid);
        let chosen: Vec<_> = own.iter().filter(|(_, value)| fits(value)).map(|(serial, _)| *serial).collect();
        self.table.unregister(&process, &key, Some(&chosen))
    }

    /// The keys that a process holds, in the order in which it registered. A key that it holds more than
    /// once is there more than once.
    ///
    /// Counterpart: `Registry.keys/2` in Elixir.
    #[must_use]
    pub fn keys(&self, pid: Pid) -> Vec<K> {
        self.table.keys_of(pid).into_iter().map(|key| K::clone(&key)).collect()
    }

    /// The values that a process has registered under a key, in the order in which it registered.
    ///
    /// Counterpart: `Registry.values/3` in Elixir.
    #[must_use]
    pub fn values<Q>(&self, key: &Q, pid: Pid) -> Vec<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let values = self.table.values_of(&self.table.sought(key), pid);
        values.into_iter().map(|(_, value)| V::clone(&value)).collect()
    }

    /// How many entries there are. It looks at all of them; what comes or goes meanwhile may be counted or
    /// not.
    ///
    /// Counterpart: `Registry.count/1` in Elixir.
    #[must_use]
    pub fn count(&self) -> usize {
        let count = |shard: &Mutex<Shard<K, V>>| shard.lock().slots.values().flat_map(Slot::alive).count();
        self.table.shards.iter().map(count).sum()
    }

    /// The entries under a key that fit, in the order in which they were registered.
    ///
    /// Counterpart: `Registry.match/4` in Elixir.
    #[must_use]
    pub fn matching<Q>(&self, key: &Q, mut fits: impl FnMut(Pid, &V) -> bool) -> Vec<(Pid, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entries = self.table.entries_of(&self.table.sought(key)).into_iter();
        entries.filter(|(pid, value)| fits(*pid, value)).map(|(pid, value)| (pid, V::clone(&value))).collect()
    }

    /// How many of the entries under a key fit.
    ///
    /// Counterpart: `Registry.count_match/4` in Elixir.
    #[must_use]
    pub fn count_matching<Q>(&self, key: &Q, mut fits: impl FnMut(Pid, &V) -> bool) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entries = self.table.entries_of(&self.table.sought(key));
        entries.into_iter().filter(|(pid, value)| fits(*pid, value)).count()
    }

    /// Looks at all entries and collects what `choose` makes of them, in the order in which they were
    /// registered. What comes or goes meanwhile may be among them or not.
    ///
    /// ```
    /// use erlang_process::{self as process, Registry};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # process::run(async {
    /// let ports = Registry::<&str, u16>::duplicate();
    /// ports.register("http", 80)?;
    /// ports.register("http", 8080)?;
    /// ports.register("https", 443)?;
    ///
    /// let low = ports.select(|key, _, port| (*port < 1024).then_some(*key));
    /// assert_eq!(low, ["http", "https"]);
    /// # Ok::<_, process::NotAProcess>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `Registry.select/2` in Elixir.
    #[must_use]
    pub fn select<T>(&self, mut choose: impl FnMut(&K, Pid, &V) -> Option<T>) -> Vec<T> {
        let entries = self.table.entries();
        entries.into_iter().filter_map(|(_, key, pid, value)| choose(&key, pid, &value)).collect()
    }

    /// Calls a function with all who hold the key and their values, in the order in which they registered. It
    /// runs in the caller, and is not called if nobody does.
    ///
    /// Counterpart: `Registry.dispatch/4` in Elixir.
    pub fn dispatch<Q>(&self, key: &Q, function: impl FnOnce(Vec<(Pid, V)>))
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entries = self.table.entries_of(&self.table.sought(key));
        if !entries.is_empty() {
            function(entries.into_iter().map(|(pid, value)| (pid, V::clone(&value))).collect());
        }
    }

    /// Sends a [`RegistryEvent`] to this subject for everything that is registered and unregistered from now
    /// on, as long as its process lives. Entries that go because their process ends make no event: to hear of
    /// that, monitor the process.
    ///
    /// # Ordering
    ///
    /// What a process does is told before its call returns, in the order in which it is done. Nothing holds between
    /// processes.
    ///
    /// Counterpart: the option `:listeners` of `Registry.start_link/1` in Elixir.
    pub fn listen(&self, subject: Subject<RegistryEvent<K, V>>) {
        let number = self.table.next_serial();
        self.table.listeners.lock().push((number, subject));
        self.table.listening.store(true, Ordering::Release);
    }

    /// Keeps a value with the registry itself, one of each type. Returns the one that was there.
    ///
    /// ```
    /// use erlang_process::Registry;
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct Limit(usize);
    ///
    /// let sessions: Registry<u64, ()> = Registry::unique();
    /// sessions.put_meta(Limit(100));
    /// assert_eq!(sessions.meta::<Limit>().as_deref(), Some(&Limit(100)));
    /// ```
    ///
    /// Counterpart: `Registry.put_meta/3` in Elixir, the key being the type.
    pub fn put_meta<T: Send + Sync + 'static>(&self, value: T) -> Option<Arc<T>> {
        let previous = self.table.meta.lock().insert(TypeId::of::<T>(), Arc::new(value));
        previous?.downcast().ok()
    }

    /// The value of this type that is kept with the registry.
    ///
    /// Counterpart: `Registry.meta/2` in Elixir.
    #[must_use]
    pub fn meta<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.table.meta.lock().get(&TypeId::of::<T>()).cloned();
        value?.downcast().ok()
    }

    /// Takes the value of this type away that is kept with the registry.
    ///
    /// Counterpart: `Registry.delete_meta/2` in Elixir.
    pub fn delete_meta<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.table.meta.lock().remove(&TypeId::of::<T>());
        value?.downcast().ok()
    }

    /// Does some work while no one else does work under this key's lock. Works from any async code; whether
    /// the key is registered makes no difference.
    ///
    /// Those who wait are served in the order in which they came, which is that of their first polls. The lock is
    /// free again when the work is done, has panicked or is dropped, as it is when its process ends; who has
    /// given up waiting, or ended, is passed over. Locking a key again in the work under its lock waits for
    /// ever.
    ///
    /// ```
    /// use erlang_process::Registry;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let accounts: Registry<u64, ()> = Registry::unique();
    /// let balance = accounts.lock(7, || async { 100 - 30 }).await;
    /// assert_eq!(balance, 70);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; once the work has begun it drops the work, then frees the lock.
    ///
    /// Counterpart: `Registry.lock/3` in Elixir.
    pub async fn lock<T, F>(&self, key: K, work: impl FnOnce() -> F) -> T
    where
        F: Future<Output = T>,
    {
        let turn = Turn::new(&self.table, self.table.keyed(key));
        // Freed before the turn is given back: that wakes the next one, which must not happen under a lock.
        let _locked = turn.lock.lock().await;
        work().await
    }
}

impl<K, V, D> Clone for Registry<K, V, D> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone(), kind: PhantomData }
    }
}

impl<K, V, D> fmt::Debug for Registry<K, V, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// Why a process could not be registered under a key.
///
/// Counterpart: the errors of `Registry.register/3` in Elixir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryError {
    /// A process holds the key of a unique registry.
    AlreadyRegistered {
        /// The process that holds it, which may be the calling one.
        holder: Pid,
    },
    /// The caller is not a process of the registry's node, or is about to end.
    NotAProcess,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRegistered { holder } => write!(f, "the key is registered by {holder}"),
            Self::NotAProcess => f.write_str("the caller is not a process of the registry's node"),
        }
    }
}

impl error::Error for RegistryError {}

impl From<NotAProcess> for RegistryError {
    fn from(_: NotAProcess) -> Self {
        Self::NotAProcess
    }
}

/// The calling process does not hold the key.
///
/// Counterpart: `:error` of `Registry.update_value/3` in Elixir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHolder;

impl fmt::Display for NotHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the calling process does not hold the key")
    }
}

impl error::Error for NotHolder {}

/// Something that a process has done to a registry, see [`Registry::listen`].
///
/// Counterpart: `{:register, registry, key, pid, value}` and `{:unregister, registry, key, pid}` in Elixir.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryEvent<K, V> {
    /// A process has registered.
    Registered {
        /// Under this key.
        key: K,
        /// Who.
        pid: Pid,
        /// With this value.
        value: V,
    },
    /// A process has taken away what it had registered, or some of it.
    Unregistered {
        /// Under this key.
        key: K,
        /// Who.
        pid: Pid,
    },
}

// What it is made of

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Unique,
    Duplicate,
}

struct Table<K, V> {
    node: Node,
    hasher: RandomState,
    /// What entries are told apart by, in the order in which they were made.
    serials: AtomicU64,
    shards: Box<[Mutex<Shard<K, V>>]>,
    /// What each process holds, so that its end costs no more than that.
    holders: Box<[Mutex<Holders<K>>]>,
    /// Whether anyone has ever listened: most registries never take the lock.
    listening: AtomicBool,
    listeners: Mutex<Vec<Listener<K, V>>>,
    meta: Mutex<FxHashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

type Holders<K> = FxHashMap<Pid, Held<K>>;
type Listener<K, V> = (u64, Subject<RegistryEvent<K, V>>);

struct Shard<K, V> {
    slots: FxHashMap<Keyed<K>, Slot<V>>,
    /// The locks that someone holds or waits for.
    locks: FxHashMap<Keyed<K>, Lock>,
}

/// Fair, so that those who wait are served in their order.
type Lock = Arc<tokio::sync::Mutex<()>>;

/// The entries under one key, by their serials. Most keys have one, which needs no allocation.
struct Slot<V> {
    first: Option<(u64, Entry<V>)>,
    more: BTreeMap<u64, Entry<V>>,
}

struct Entry<V> {
    process: Process,
    /// Shared, so that a look-up clones and drops it when the lock is released.
    value: Arc<V>,
}

struct Held<K> {
    process: Process,
    /// The serials of its entries under each key, ascending.
    keys: FxHashMap<Keyed<K>, Vec<u64>>,
}

/// What was taken out under a lock, to be dropped when that is released.
struct Removed<K, V> {
    keys: Vec<Keyed<K>>,
    entries: Vec<Entry<V>>,
    slots: Vec<Slot<V>>,
    held: Option<Held<K>>,
}

impl<K, V> Default for Removed<K, V> {
    fn default() -> Self {
        Self { keys: Vec::new(), entries: Vec::new(), slots: Vec::new(), held: None }
    }
}

const SHARDS: usize = if MODELLED { 2 } else { 16 };

impl<K, V> Table<K, V> {
    fn new(node: Node) -> Self {
        Self {
            node,
            hasher: RandomState::new(),
            serials: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            holders: (0..SHARDS).map(|_| Mutex::default()).collect(),
            listening: AtomicBool::new(false),
            listeners: Mutex::default(),
            meta: Mutex::default(),
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<K, V>> {
        &self.shards[usize::try_from(hash >> 32).unwrap_or_default() % SHARDS]
    }

    fn holders(&self, pid: Pid) -> &Mutex<Holders<K>> {
        &self.holders[usize::try_from(pid.id()).unwrap_or_default() % SHARDS]
    }

    fn next_serial(&self) -> u64 {
        self.serials.fetch_add(1, Ordering::Relaxed)
    }

    /// The calling process, if it is one of the registry's node.
    fn caller(&self) -> Option<Process> {
        scope::cell().filter(|process| process.head().node.is(&self.node))
    }
}

impl<K, V> Table<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn keyed(&self, key: K) -> Keyed<K> {
        Keyed::new(&self.hasher, key)
    }

    fn sought<'a, Q: Hash + ?Sized>(&self, key: &'a Q) -> Sought<'a, Q> {
        Sought::new(&self.hasher, key)
    }

    fn register(
        self: &Arc<Self>,
        process: &Process,
        key: K,
        value: V,
        keys: Keys,
    ) -> Result<(), RegistryError> {
        let members: Arc<dyn Members> = self.clone();
        let (key, value) = (self.keyed(key), Arc::new(value));
        let pid = process.head().pid;
        let dead = {
            let mut shard = self.shard(key.hash).lock();
            if keys == Keys::Unique
                && let Some(slot) = shard.slots.get(&key)
                && let Some((_, holder)) = slot.alive().next()
            {
                return Err(RegistryError::AlreadyRegistered { holder: holder.process.head().pid });
            }
            let serial = self.next_serial();
            {
                let mut holders = self.holders(pid).lock();
                // Under this lock, which the end of the process takes after this: it finds the entry.
                if !membership::enter(process, &members) {
                    return Err(RegistryError::NotAProcess);
                }
                let held = holders
                    .entry(pid)
                    .or_insert_with(|| Held { process: process.clone(), keys: FxHashMap::default() });
                held.keys.entry(key.clone()).or_default().push(serial);
            }
            let slot = shard.slots.entry(key.clone()).or_default();
            let entry = Entry { process: process.clone(), value: value.clone() };
            match keys {
                // Whoever is still there is dead, and leaves the key when it finds that it is another's.
                Keys::Unique => slot.first.replace((serial, entry)),
                Keys::Duplicate => {
                    slot.insert(serial, entry);
                    None
                }
            }
        };
        drop(dead);
        self.announce(|| RegistryEvent::Registered { key: K::clone(&key.key), pid, value: V::clone(&value) });
        Ok(())
    }

    /// Removes what a process holds under a key, or those of it that are chosen. Returns how many.
    fn unregister<Q: Eq + ?Sized>(
        self: &Arc<Self>,
        process: &Process,
        key: &Sought<'_, Q>,
        chosen: Option<&[u64]>,
    ) -> usize
    where
        K: Borrow<Q>,
    {
        let pid = process.head().pid;
        let Some((key, removed)) = self.remove(process, key, chosen) else { return 0 };
        let count = removed.entries.len();
        drop(removed);
        self.announce(|| RegistryEvent::Unregistered { key: K::clone(&key), pid });
        count
    }

    fn remove<Q: Eq + ?Sized>(
        self: &Arc<Self>,
        process: &Process,
        key: &Sought<'_, Q>,
        chosen: Option<&[u64]>,
    ) -> Option<(Arc<K>, Removed<K, V>)>
    where
        K: Borrow<Q>,
    {
        let members: Arc<dyn Members> = self.clone();
        let pid = process.head().pid;
        let mut removed = Removed::default();
        let mut shard = self.shard(key.hash).lock();
        let held_key;
        let serials = {
            let mut holders = self.holders(pid).lock();
            let held = holders.get_mut(&pid)?;
            held_key = held.keys.get_key_value(key.probe())?.0.key.clone();
            let serials = held.keys.get_mut(key.probe())?;
            let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(serials)
                .into_iter()
                .partition(|serial| chosen.is_none_or(|chosen| chosen.binary_search(serial).is_ok()));
            *serials = kept;
            if serials.is_empty() {
                removed.keys.extend(held.keys.remove_entry(key.probe()).map(|(key, _)| key));
            }
            if held.keys.is_empty() {
                membership::leave(process, &members);
                removed.held = holders.remove(&pid);
            }
            gone
        };
        shard.remove(key.probe(), &serials, &mut removed);
        drop(shard);
        (!serials.is_empty()).then_some((held_key, removed))
    }

    /// The process that holds a unique key, and its value.
    fn holder<Q: Eq + ?Sized>(&self, key: &Sought<'_, Q>) -> Option<(Process, Arc<V>)>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key.hash).lock();
        let (_, entry) = shard.slots.get(key.probe())?.alive().next()?;
        Some((entry.process.clone(), entry.value.clone()))
    }

    fn entries_of<Q: Eq + ?Sized>(&self, key: &Sought<'_, Q>) -> Vec<(Pid, Arc<V>)>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key.hash).lock();
        let Some(slot) = shard.slots.get(key.probe()) else { return Vec::new() };
        slot.alive().map(|(_, entry)| (entry.process.head().pid, entry.value.clone())).collect()
    }

    /// All entries, in the order of their serials.
    fn entries(&self) -> Vec<(u64, Arc<K>, Pid, Arc<V>)> {
        let mut entries = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            for (key, slot) in &shard.slots {
                entries.extend(slot.alive().map(|(serial, entry)| {
                    (serial, key.key.clone(), entry.process.head().pid, entry.value.clone())
                }));
            }
        }
        entries.sort_unstable_by_key(|(serial, ..)| *serial);
        entries
    }

    fn keys_of(&self, pid: Pid) -> Vec<Arc<K>> {
        let mut keys: Vec<_> = {
            let holders = self.holders(pid).lock();
            let Some(held) = holders.get(&pid).filter(|held| held.process.head().is_alive()) else {
                return Vec::new();
            };
            let keys = held.keys.iter();
            keys.flat_map(|(key, serials)| serials.iter().map(|serial| (*serial, key.key.clone()))).collect()
        };
        keys.sort_unstable_by_key(|(serial, _)| *serial);
        keys.into_iter().map(|(_, key)| key).collect()
    }

    fn values_of<Q: Eq + ?Sized>(&self, key: &Sought<'_, Q>, pid: Pid) -> Vec<(u64, Arc<V>)>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key.hash).lock();
        let holders = self.holders(pid).lock();
        let held = holders.get(&pid).filter(|held| held.process.head().is_alive());
        let serials = held.and_then(|held| held.keys.get(key.probe()));
        let (Some(serials), Some(slot)) = (serials, shard.slots.get(key.probe())) else { return Vec::new() };
        let value = |serial: &u64| Some((*serial, slot.get(*serial)?.value.clone()));
        serials.iter().filter_map(value).collect()
    }

    /// Puts another value in the place of one, which is returned.
    fn replace<Q: Eq + ?Sized>(&self, key: &Sought<'_, Q>, serial: u64, value: Arc<V>) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        let mut shard = self.shard(key.hash).lock();
        let entry = shard.slots.get_mut(key.probe())?.get_mut(serial)?;
        Some(std::mem::replace(&mut entry.value, value))
    }

    /// Tells all listeners, and forgets those that will never hear again.
    fn announce(&self, event: impl Fn() -> RegistryEvent<K, V>) {
        if !self.listening.load(Ordering::Acquire) {
            return;
        }
        let listeners = self.listeners.lock().clone();
        let mut gone = Vec::new();
        for (number, listener) in listeners {
            // The holder of a name may come back.
            if listener.try_send(event()).is_err() && listener.fixed_process().is_some() {
                gone.push(number);
            }
        }
        if !gone.is_empty() {
            let mut listeners = self.listeners.lock();
            let (forgotten, kept) =
                std::mem::take(&mut *listeners).into_iter().partition(|(number, _)| gone.contains(number));
            *listeners = kept;
            drop(listeners);
            drop::<Vec<_>>(forgotten);
        }
    }
}

impl<K, V> Members for Table<K, V>
where
    K: Eq + Send + Sync,
    V: Send + Sync,
{
    fn release(&self, pid: Pid) {
        let held = self.holders(pid).lock().remove(&pid);
        let Some(held) = held else { return };
        let mut removed = Removed::default();
        for (key, serials) in &held.keys {
            self.shard(key.hash).lock().remove(key as &dyn Probe<K>, serials, &mut removed);
        }
        removed.held = Some(held);
    }
}

impl<K: Eq, V> Shard<K, V> {
    /// Removes those of the entries under a key with these serials that are there.
    fn remove<'a, Q: Eq + ?Sized>(
        &mut self,
        key: &'a (dyn Probe<Q> + 'a),
        serials: &[u64],
        removed: &mut Removed<K, V>,
    ) where
        K: Borrow<Q> + 'a,
    {
        let Some(slot) = self.slots.get_mut(key) else { return };
        removed.entries.extend(serials.iter().filter_map(|serial| slot.remove(*serial)));
        if slot.is_empty()
            && let Some((key, slot)) = self.slots.remove_entry(key)
        {
            removed.keys.push(key);
            removed.slots.push(slot);
        }
    }
}

impl<K, V> Default for Shard<K, V> {
    fn default() -> Self {
        Self { slots: FxHashMap::default(), locks: FxHashMap::default() }
    }
}

impl<V> Slot<V> {
    fn alive(&self) -> impl Iterator<Item = (u64, &Entry<V>)> {
        let first = self.first.iter().map(|(serial, entry)| (*serial, entry));
        let more = self.more.iter().map(|(serial, entry)| (*serial, entry));
        first.chain(more).filter(|(_, entry)| entry.process.head().is_alive())
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }

    fn get(&self, serial: u64) -> Option<&Entry<V>> {
        match &self.first {
            Some((first, entry)) if *first == serial => Some(entry),
            _ => self.more.get(&serial),
        }
    }

    fn get_mut(&mut self, serial: u64) -> Option<&mut Entry<V>> {
        match &mut self.first {
            Some((first, entry)) if *first == serial => Some(entry),
            _ => self.more.get_mut(&serial),
        }
    }

    /// Puts an entry last: under the lock, serials only grow.
    fn insert(&mut self, serial: u64, entry: Entry<V>) {
        if self.is_empty() {
            self.first = Some((serial, entry));
        } else {
            self.more.insert(serial, entry);
        }
    }

    fn remove(&mut self, serial: u64) -> Option<Entry<V>> {
        match self.first.take_if(|(first, _)| *first == serial) {
            Some((_, entry)) => Some(entry),
            None => self.more.remove(&serial),
        }
    }
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self { first: None, more: BTreeMap::new() }
    }
}

/// One who holds a key's lock or waits for it. The lock is there as long as there is one.
struct Turn<'a, K: Eq, V> {
    table: &'a Table<K, V>,
    key: Keyed<K>,
    lock: Lock,
}

impl<'a, K: Eq, V> Turn<'a, K, V> {
    fn new(table: &'a Table<K, V>, key: Keyed<K>) -> Self {
        let lock = table.shard(key.hash).lock().locks.entry(key.clone()).or_default().clone();
        Self { table, key, lock }
    }
}

impl<K: Eq, V> Drop for Turn<'_, K, V> {
    fn drop(&mut self) {
        let unused = {
            let locks = &mut self.table.shard(self.key.hash).lock().locks;
            // The table's and this one's: all others are counted under the lock, too.
            if Arc::strong_count(&self.lock) > 2 {
                // Given up under the lock, or the last two might each take the other for one who stays.
                self.lock = Lock::default();
                None
            } else {
                locks.remove_entry(&self.key)
            }
        };
        drop(unused);
    }
}

/// Whoever holds a key.
struct Address<K, M> {
    table: Arc<Table<K, Subject<M>>>,
    key: Keyed<K>,
}

impl<K, M> Target<M> for Address<K, M>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    fn send_to(&self, process: &Process, message: M) -> Result<(), SendError<M>> {
        match self.table.holder(&self.key.sought()) {
            Some((holder, subject)) if std::ptr::eq(holder.head(), process.head()) && !subject.is_keyed() => {
                subject.send_to(&holder, message)
            }
            // It held the key a moment ago, so the key has been free since: the message found nobody.
            _ => Err(SendError(message)),
        }
    }

    fn process(&self) -> Option<Process> {
        self.table.holder(&self.key.sought()).map(|(process, _)| process)
    }

    fn fixed_process(&self) -> Option<Process> {
        None
    }

    fn is_keyed(&self) -> bool {
        true
    }
}

// Keys

/// A key with its hash, which is made once and outside any lock. Clones share the key.
pub(crate) struct Keyed<K> {
    hash: u64,
    key: Arc<K>,
}

impl<K: Hash> Keyed<K> {
    pub(crate) fn new(hasher: &RandomState, key: K) -> Self {
        Self { hash: hasher.hash_one(&key), key: Arc::new(key) }
    }
}

impl<K> Keyed<K> {
    pub(crate) fn key(&self) -> &Arc<K> {
        &self.key
    }

    fn sought(&self) -> Sought<'_, K> {
        Sought { hash: self.hash, key: &self.key }
    }
}

impl<K> Clone for Keyed<K> {
    fn clone(&self) -> Self {
        Self { hash: self.hash, key: self.key.clone() }
    }
}

impl<K> Hash for Keyed<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<K: Eq> PartialEq for Keyed<K> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.key, &other.key) || self.key == other.key)
    }
}

impl<K: Eq> Eq for Keyed<K> {}

/// What a [`Keyed`] is looked for by: its key in any form, with the hash.
pub(crate) struct Sought<'a, Q: ?Sized> {
    hash: u64,
    key: &'a Q,
}

impl<'a, Q: Hash + ?Sized> Sought<'a, Q> {
    pub(crate) fn new(hasher: &RandomState, key: &'a Q) -> Self {
        Self { hash: hasher.hash_one(key), key }
    }
}

impl<Q: ?Sized> Sought<'_, Q> {
    pub(crate) fn probe(&self) -> &(dyn Probe<Q> + '_) {
        self
    }
}

/// The form in which a map of [`Keyed`] is asked.
pub(crate) trait Probe<Q: ?Sized> {
    fn hashed(&self) -> u64;
    fn key(&self) -> &Q;
}

impl<Q: ?Sized> Probe<Q> for Sought<'_, Q> {
    fn hashed(&self) -> u64 {
        self.hash
    }

    fn key(&self) -> &Q {
        self.key
    }
}

impl<K: Borrow<Q>, Q: ?Sized> Probe<Q> for Keyed<K> {
    fn hashed(&self) -> u64 {
        self.hash
    }

    fn key(&self) -> &Q {
        (*self.key).borrow()
    }
}

impl<'a, K: Borrow<Q> + 'a, Q: ?Sized + 'a> Borrow<dyn Probe<Q> + 'a> for Keyed<K> {
    fn borrow(&self) -> &(dyn Probe<Q> + 'a) {
        self
    }
}

impl<Q: ?Sized> Hash for dyn Probe<Q> + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hashed());
    }
}

impl<Q: Eq + ?Sized> PartialEq for dyn Probe<Q> + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.hashed() == other.hashed() && self.key() == other.key()
    }
}

impl<Q: Eq + ?Sized> Eq for dyn Probe<Q> + '_ {}
