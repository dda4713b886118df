//! Registries: processes that are found by keys of the user's own.
//!
//! A [`Name`](crate::Name) is for the few processes that a program knows when it is written. A [`Registry`] is for
//! the many that it knows by its data: the process of each room, each session, each device. Its keys are
//! values of any type that can be compared, and a process can hold any number of them.
//!
//! Registering, unregistering and looking a key up are each one step, and so is the end of a holder: from the
//! moment at which its reason is decided it holds nothing, whether or not its entries are still here. A shard's
//! lock may be held while a holder's index is locked, and that while a process is, never the other way round.
//! Under these locks the `Eq` and the `Borrow` of keys run and no other code of the user's: keys are hashed before, keys
//! and values are cloned and dropped after, functions are called after.

mod address;
mod error;
mod event;
mod lock;
mod shard;
mod table;

use std::{any::TypeId, borrow::Borrow, fmt, hash::Hash, marker::PhantomData};

use self::{
    address::Address,
    lock::Turn,
    shard::{Shard, Slot},
    table::{Keys, Table},
};
pub use self::{
    error::{NotHolder, RegistryError},
    event::RegistryEvent,
};
use crate::{
    node::Node,
    observe::Watching,
    pid::Pid,
    process::NotAProcess,
    subject::Subject,
    sync::{Arc, Mutex},
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
    /// ```
    /// use erlang_process::Registry;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let sessions: Registry<u64, &str> = Registry::unique();
    /// sessions.register(7, "Joe")?;
    /// assert_eq!(sessions.count(), 1);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `Registry.start_link(keys: :unique)` in Elixir.
    #[must_use]
    pub fn unique() -> Self {
        Self::unique_on(&Node::current())
    }

    /// A new [unique](Self::unique) registry on this node.
    ///
    /// ```
    /// use erlang_process::{Node, Registry};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::new();
    /// let sessions: Registry<u64, &str> = Registry::unique_on(&node);
    /// // Processes of that node register.
    /// assert!(sessions.register(7, "Joe").is_err());
    /// node.run({
    ///     let sessions = sessions.clone();
    ///     async move { assert_eq!(sessions.register(7, "Joe"), Ok(())) }
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// use erlang_process::{Node, Registry};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::new();
    /// let topics = Registry::<&str, &str>::duplicate_on(&node);
    /// node.run(async move {
    ///     assert_eq!(topics.register("rust", "reads"), Ok(()));
    ///     assert_eq!(topics.register("rust", "writes"), Ok(()));
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn duplicate_on(node: &Node) -> Registry<K, V, DuplicateKeys> {
        Registry { table: Arc::new(Table::new(node.clone())), kind: PhantomData }
    }

    /// Registers the calling process under a key.
    ///
    /// ```
    /// use erlang_process::{Registry, RegistryError};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let sessions: Registry<u64, &str> = Registry::unique();
    /// sessions.register(7, "Joe")?;
    /// assert!(matches!(sessions.register(7, "Mike"), Err(RegistryError::AlreadyRegistered { .. })));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::{self as process, Registry};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let sessions: Registry<u64, &str> = Registry::unique();
    /// sessions.register(7, "Joe")?;
    /// assert_eq!(sessions.lookup(&7), Some((process::current().unwrap(), "Joe")));
    /// assert_eq!(sessions.lookup(&8), None);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::Registry;
    ///
    /// let sessions: Registry<u64, ()> = Registry::unique();
    /// assert_eq!(sessions.whereis(&7), None);
    /// ```
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
    /// ```
    /// use erlang_process::Registry;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let visits: Registry<&str, u32> = Registry::unique();
    /// visits.register("home", 1)?;
    /// assert_eq!(visits.update_value("home", |visits| visits + 1)?, (2, 1));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// Messages go to the subject that the holder has registered. [`Subject::pid`] is the process behind that, to be
    /// linked or monitored: the holder, unless it has registered a subject of another's. Like every subject that
    /// is not the process's own, it cannot be received with: the holder receives with the subject that it has
    /// registered. A key that is registered with the address of a key is the address of nobody.
    ///
    /// ```
    /// use erlang_process::{Registry, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let rooms: Registry<&str, Subject<&str>> = Registry::unique();
    /// let own = Subject::new()?;
    /// rooms.register("kitchen", own.clone())?;
    /// rooms.subject("kitchen").send("dinner");
    /// assert_eq!(own.receive_forever().await?, "dinner");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::Registry;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let topics = Registry::<&str, &str>::duplicate();
    /// topics.register("rust", "reads")?;
    /// topics.register("rust", "writes")?;
    /// assert_eq!(topics.count(), 2);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::{self as process, Registry};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let topics = Registry::<&str, &str>::duplicate();
    /// topics.register("rust", "reads")?;
    /// topics.register("rust", "writes")?;
    /// let own = process::current().unwrap();
    /// assert_eq!(topics.lookup("rust"), [(own, "reads"), (own, "writes")]);
    /// assert_eq!(topics.lookup("cobol"), []);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::Registry;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let sessions: Registry<u64, ()> = Registry::unique();
    /// sessions.register(7, ())?;
    /// assert_eq!(sessions.unregister(&7), 1);
    /// assert_eq!(sessions.unregister(&7), 0);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::Registry;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let visits = Registry::<&str, u32>::duplicate();
    /// visits.register("home", 1)?;
    /// visits.register("home", 2)?;
    /// assert_eq!(visits.unregister_matching("home", |visit| *visit < 2), 1);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::{self as process, Registry};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let files: Registry<&str, ()> = Registry::unique();
    /// files.register("a.txt", ())?;
    /// assert_eq!(files.keys(process::current().unwrap()), ["a.txt"]);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `Registry.keys/2` in Elixir.
    #[must_use]
    pub fn keys(&self, pid: Pid) -> Vec<K> {
        self.table.keys_of(pid).into_iter().map(|key| K::clone(&key)).collect()
    }

    /// The values that a process has registered under a key, in the order in which it registered.
    ///
    /// ```
    /// use erlang_process::{self as process, Registry};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let visits = Registry::<&str, u32>::duplicate();
    /// visits.register("home", 1)?;
    /// visits.register("home", 2)?;
    /// assert_eq!(visits.values("home", process::current().unwrap()), [1, 2]);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::{self as process, Registry};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let sessions: Registry<u64, ()> = Registry::unique();
    /// let guest = process::spawn({
    ///     let sessions = sessions.clone();
    ///     async move { sessions.register(7, ()) }
    /// });
    /// process::join(guest).await;
    /// // Who has ended holds nothing.
    /// sessions.register(8, ())?;
    /// assert_eq!(sessions.count(), 1);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `Registry.count/1` in Elixir.
    #[must_use]
    pub fn count(&self) -> usize {
        let count = |shard: &Mutex<Shard<K, V>>| shard.lock().slots.values().flat_map(Slot::alive).count();
        self.table.shards.iter().map(count).sum()
    }

    /// The entries under a key that fit, in the order in which they were registered.
    ///
    /// ```
    /// use erlang_process::Registry;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let prices: Registry<&str, u32> = Registry::unique();
    /// prices.register("tea", 250)?;
    /// assert_eq!(prices.matching("tea", |_, price| *price < 300).len(), 1);
    /// assert_eq!(prices.matching("tea", |_, price| *price > 300).len(), 0);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::Registry;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let seats = Registry::<&str, u32>::duplicate();
    /// for row in [1, 1, 2] {
    ///     seats.register("hall", row)?;
    /// }
    /// assert_eq!(seats.count_matching("hall", |_, row| *row == 1), 2);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// ```
    /// use erlang_process::{Registry, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let topics = Registry::<&str, Subject<&str>>::duplicate();
    /// let news = Subject::new()?;
    /// topics.register("rust", news.clone())?;
    /// topics.dispatch("rust", |readers| readers.iter().for_each(|(_, reader)| reader.send("a release")));
    /// assert_eq!(news.receive_forever().await?, "a release");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
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
    /// on, until its process ends or [stops](Watching::stop) listening. `None` if that has ended already. Of a named subject
    /// it is the process that holds the name now. Entries that go because their process ends make no event: to hear
    /// of that, monitor the process.
    ///
    /// ```
    /// use erlang_process::{Registry, RegistryEvent, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let sessions: Registry<u64, ()> = Registry::unique();
    /// let events = Subject::new()?;
    /// let watching = sessions.listen(&events).unwrap();
    /// sessions.register(7, ())?;
    /// assert!(matches!(events.receive_forever().await?, RegistryEvent::Registered { key: 7, .. }));
    /// assert!(watching.stop());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Ordering
    ///
    /// What a process does is told before its call returns, in the order in which it is done. Nothing holds between
    /// processes.
    ///
    /// Counterpart: the option `:listeners` of `Registry.start_link/1` in Elixir, which tells whoever holds a name.
    pub fn listen(&self, subject: &Subject<RegistryEvent<K, V>>) -> Option<Watching> {
        self.table.listeners.add(subject)
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
    /// ```
    /// use erlang_process::Registry;
    ///
    /// let sessions: Registry<u64, ()> = Registry::unique();
    /// sessions.put_meta("version 2");
    /// assert_eq!(sessions.meta::<&str>().as_deref(), Some(&"version 2"));
    /// assert!(sessions.delete_meta::<&str>().is_some());
    /// ```
    ///
    /// Counterpart: `Registry.meta/2` in Elixir.
    #[must_use]
    pub fn meta<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.table.meta.lock().get(&TypeId::of::<T>()).cloned();
        value?.downcast().ok()
    }

    /// Takes the value of this type away that is kept with the registry.
    ///
    /// ```
    /// use erlang_process::Registry;
    ///
    /// let sessions: Registry<u64, ()> = Registry::unique();
    /// sessions.put_meta("version 2");
    /// assert_eq!(sessions.delete_meta::<&str>().as_deref(), Some(&"version 2"));
    /// assert_eq!(sessions.meta::<&str>(), None);
    /// ```
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
