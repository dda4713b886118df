//! Names: typed addresses that outlive the processes that hold them.

use std::{
    any::TypeId,
    borrow::Borrow,
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{
    cell::{Head, Process},
    life::LifeEvent,
    node::Node,
    pid::Pid,
    process::quietly,
    reference::Reference,
    subject::Subject,
    sync::{MODELLED, Mutex, Ordering, StaticAtomicU64},
};

/// The name of a process that takes messages of type `M`.
///
/// A name is the address to use for a process that is restarted: whoever holds the name at the time gets
/// what is sent to [`subject`](Self::subject). Names are small and `Copy`, made anywhere, and cost nothing
/// until a process [registers](crate::register) under them.
///
/// ```
/// use erlang_process::Name;
///
/// // Each is unique, so that two of a kind, or two tests, never meet.
/// let (a, b) = (Name::<u32>::new("counter"), Name::<u32>::new("counter"));
/// assert_ne!(a, b);
///
/// // For those who want to be found by spelling.
/// assert_eq!(Name::<u32>::fixed("stock"), Name::<u32>::fixed("stock"));
/// ```
///
/// Counterpart: an atom that is registered in Erlang, `Name` in Gleam.
pub struct Name<M> {
    name: RegisteredName,
    message: PhantomData<fn(M)>,
}

impl<M> Name<M> {
    /// A new name that starts with `prefix` and is like no other.
    ///
    /// ```
    /// use erlang_process::Name;
    ///
    /// // Two names, even though they are spelled alike here.
    /// let (one, other) = (Name::<u32>::new("worker"), Name::<u32>::new("worker"));
    /// assert_ne!(one.registered_name(), other.registered_name());
    /// ```
    ///
    /// Counterpart: `process.new_name` in Gleam.
    #[must_use]
    pub fn new(prefix: &'static str) -> Self {
        // What makes a name unique must hold in every node of the program, as names travel freely.
        static NAMES: StaticAtomicU64 = StaticAtomicU64::new(1);
        let serial = NAMES.fetch_add(1, Ordering::Relaxed);
        Self { name: RegisteredName { text: prefix, serial }, message: PhantomData }
    }

    /// The name with this spelling: the same wherever it is written.
    ///
    /// Two fixed names with one spelling and different message types are one name: whoever registers first
    /// holds it, and messages of the other type find nobody.
    ///
    /// ```
    /// use erlang_process::{Name, Reply};
    ///
    /// // A constant, from which all parts of a program have the address.
    /// const CLOCK: Name<Reply<u64>> = Name::fixed("clock");
    /// assert_eq!(CLOCK.registered_name().text(), "clock");
    /// ```
    #[must_use]
    pub const fn fixed(text: &'static str) -> Self {
        Self { name: RegisteredName { text, serial: 0 }, message: PhantomData }
    }

    /// The name without its message type.
    ///
    /// ```
    /// use erlang_process::Name;
    ///
    /// let name = Name::<u32>::fixed("clock");
    /// assert_eq!(name.registered_name().to_string(), "clock");
    /// ```
    #[must_use]
    pub fn registered_name(self) -> RegisteredName {
        self.name
    }
}

impl<M> Name<M> {
    /// Waits until a process holds this name, on the node of the caller, and returns it.
    ///
    /// ```
    /// use erlang_process::{Name, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let name = Name::<u32>::new("late");
    /// tokio::spawn(async move { Spawn::new().named(name).spawn(std::future::pending::<()>()) });
    /// let pid = name.registered().await;
    /// assert_eq!(name.subject().pid(), Some(pid));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// Counterpart: a loop around `whereis/1` in Erlang.
    pub async fn registered(self) -> Pid {
        Waiter::new(Node::current(), self.name, None).await
    }

    /// Waits until another process than `previous` holds this name, on the node of the caller, and returns it: until a
    /// supervisor has started a successor.
    ///
    /// ```
    /// use erlang_process::{self as process, Name, Spawn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let name = Name::<()>::new("worker");
    /// let first = Spawn::new().unlinked().named(name).spawn(std::future::pending::<()>())?;
    /// assert_eq!(name.registered().await, first);
    ///
    /// process::kill(first);
    /// let second = Spawn::new().unlinked().named(name).spawn(std::future::pending::<()>())?;
    /// assert_eq!(name.registered_after(first).await, second);
    /// # Ok(()) }
    /// ```
    ///
    /// The name is registered before the process initialises itself; what is sent to it waits until it has.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// Counterpart: a loop around `whereis/1` in Erlang.
    pub async fn registered_after(self, previous: Pid) -> Pid {
        Waiter::new(Node::current(), self.name, Some(previous)).await
    }
}

/// Who waits until a name is registered.
pub(crate) struct Waiter {
    node: Node,
    name: RegisteredName,
    previous: Option<Pid>,
    reference: Reference,
}

impl Waiter {
    pub(crate) fn new(node: Node, name: RegisteredName, previous: Option<Pid>) -> Self {
        let reference = node.reference();
        Self { node, name, previous, reference }
    }
}

impl Future for Waiter {
    type Output = Pid;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Pid> {
        self.node.names().poll_registered(self.name, self.previous, self.reference, context.waker().clone())
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.node.names().forget_waiter(self.name, self.reference);
    }
}

impl<M: Send + 'static> Name<M> {
    /// The subject that reaches whoever holds this name, on the node of the calling process, whenever it is
    /// sent to. It stays valid when the holder dies and another process takes the name.
    ///
    /// Where `M` is the type of the holder's [own](crate::spawn_subject) subject as well, the two are one way in: what is
    /// sent to the one can be received with the other, and a [`Selector`](crate::Selector) that knows both has the
    /// function of the own subject for it.
    ///
    /// ```
    /// use erlang_process::{self as process, Name};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let name = Name::new("inbox");
    /// process::register(process::current().unwrap(), name)?;
    /// name.subject().send("by name");
    /// assert_eq!(name.subject().receive_forever().await?, "by name");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.named_subject` in Gleam.
    #[must_use]
    pub fn subject(self) -> Subject<M> {
        Subject::named(Node::current(), self.name)
    }
}

impl<M> Clone for Name<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Name<M> {}

impl<M> PartialEq for Name<M> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<M> Eq for Name<M> {}

impl<M> Hash for Name<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl<M> fmt::Display for Name<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl<M> fmt::Debug for Name<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({})", self.name)
    }
}

/// A name without its message type: what a name table knows.
///
/// It serves wherever no message is sent: [`whereis`], [`unregister`], monitors, signals. To send, and to register, a
/// name needs a [type](Self::typed) again.
///
/// ```
/// use erlang_process::{self as process, Name};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let me = process::current().unwrap();
/// process::register(me, Name::<u32>::fixed("sum"))?;
///
/// for name in process::Node::current().registered() {
///     println!("{name} is {:?}", process::whereis(name));
/// #   assert_eq!((name.to_string().as_str(), process::whereis(name)), ("sum", Some(me)));
/// }
/// # Ok::<_, process::RegisterError>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RegisteredName {
    text: &'static str,
    /// What tells names with one prefix apart; zero for fixed names.
    serial: u64,
}

impl RegisteredName {
    /// The spelling of a fixed name, the prefix of a unique one.
    ///
    /// ```
    /// use erlang_process::Name;
    ///
    /// let name = Name::<u32>::new("room").registered_name();
    /// assert_eq!(name.text(), "room");
    /// // As it prints it is like no other.
    /// assert!(name.to_string().starts_with("room$"));
    /// ```
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The name for messages of this type. That it is this one nobody checks here: if its holder takes
    /// messages of another, those of this type find nobody.
    ///
    /// ```
    /// use erlang_process::Name;
    ///
    /// let name = Name::<u32>::fixed("numbers");
    /// // Whoever gives a name another type than its holder has speaks to nobody.
    /// assert_eq!(name.registered_name().typed::<u32>(), name);
    /// ```
    #[must_use]
    pub fn typed<M>(self) -> Name<M> {
        Name { name: self, message: PhantomData }
    }
}

impl<M> From<Name<M>> for RegisteredName {
    fn from(name: Name<M>) -> Self {
        name.name
    }
}

impl Hash for RegisteredName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The serial alone tells unique names apart, and costs less than their text.
        if self.serial == 0 { self.text.hash(state) } else { self.serial.hash(state) }
    }
}

/// The form in which a name is looked for whose text does not live for ever.
trait Spelled {
    fn text(&self) -> &str;
    fn serial(&self) -> u64;
}

impl Spelled for RegisteredName {
    fn text(&self) -> &str {
        self.text
    }

    fn serial(&self) -> u64 {
        self.serial
    }
}

impl Spelled for (&str, u64) {
    fn text(&self) -> &str {
        self.0
    }

    fn serial(&self) -> u64 {
        self.1
    }
}

impl<'a> Borrow<dyn Spelled + 'a> for RegisteredName {
    fn borrow(&self) -> &(dyn Spelled + 'a) {
        self
    }
}

impl Hash for dyn Spelled + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.serial() == 0 { self.text().hash(state) } else { self.serial().hash(state) }
    }
}

impl PartialEq for dyn Spelled + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.serial() == other.serial() && self.text() == other.text()
    }
}

impl Eq for dyn Spelled + '_ {}

impl fmt::Display for RegisteredName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)?;
        if self.serial == 0 { Ok(()) } else { write!(f, "${}", self.serial) }
    }
}

impl fmt::Debug for RegisteredName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Gives a process of this node a name. A process has at most one, and a name at most one process.
///
/// Anyone may do this. The name is free again as soon as a reason for the process's end is decided: who has
/// seen that it is not alive, or heard of its end, can take the name over at once.
///
/// ```
/// use erlang_process::{self as process, Name};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let name = Name::<()>::new("me");
/// let own = process::current().unwrap();
/// process::register(own, name)?;
/// assert_eq!(process::whereis(name), Some(own));
/// assert!(process::register(own, Name::<()>::new("another name")).is_err());
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`RegisterError`]: the name is taken, the process has one, or there is no such process here.
///
/// Counterpart: `register/2`, `process.register` in Gleam.
pub fn register<M: Send + 'static>(pid: Pid, name: Name<M>) -> Result<(), RegisterError> {
    Node::current().register(pid, name)
}

/// Takes a name from whoever holds it. Anyone may do this.
///
/// ```
/// use erlang_process::{self as process, Name};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let name = Name::<()>::new("me");
/// process::register(process::current().unwrap(), name)?;
/// process::unregister(name)?;
/// assert_eq!(process::whereis(name), None);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotRegistered`] if nobody holds it.
///
/// Counterpart: `unregister/1`, `process.unregister` in Gleam.
pub fn unregister(name: impl Into<RegisteredName>) -> Result<(), NotRegistered> {
    Node::current().unregister(name)
}

/// The process that holds the name.
///
/// ```
/// use erlang_process::{self as process, Name};
///
/// assert_eq!(process::whereis(Name::<()>::new("nobody")), None);
/// ```
///
/// Counterpart: `whereis/1`, `process.named` in Gleam.
#[must_use]
pub fn whereis(name: impl Into<RegisteredName>) -> Option<Pid> {
    Node::current().whereis(name)
}

/// Why a name could not be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another process holds the name.
    NameTaken {
        /// The process that holds it.
        holder: Pid,
    },
    /// The process has a name, and a process has at most one.
    AlreadyNamed {
        /// The name that it has.
        name: RegisteredName,
    },
    /// There is no such process on this node.
    NoProc,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken { holder } => write!(f, "the name is taken by {holder}"),
            Self::AlreadyNamed { name } => write!(f, "the process is already named {name}"),
            Self::NoProc => f.write_str("there is no such process on this node"),
        }
    }
}

impl std::error::Error for RegisterError {}

/// No process holds the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRegistered;

impl fmt::Display for NotRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no process holds the name")
    }
}

impl std::error::Error for NotRegistered {}

/// Who holds which name.
///
/// Registering, unregistering and looking up are each one step, and so is the end of a holder: from the
/// moment at which its reason is decided the name counts as free, whether or not its entry is still here.
/// A table's lock may be held while a process's is taken, never the other way round.
pub(crate) struct Names {
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Default)]
struct Shard {
    held: FxHashMap<RegisteredName, Holder>,
    /// Who waits until a name is registered.
    awaited: FxHashMap<RegisteredName, BTreeMap<Reference, Waker>>,
}

struct Holder {
    process: Process,
    message: TypeId,
}

const SHARDS: usize = if MODELLED { 2 } else { 16 };

impl Names {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// The name that is held and reads like this. A fixed one comes before a unique one that reads the same.
    pub(crate) fn existing(&self, text: &str) -> Option<RegisteredName> {
        let held = |spelled: (&str, u64)| {
            let sought: &dyn Spelled = &spelled;
            let shard = self.shard(sought).lock();
            let (name, holder) = shard.held.get_key_value(sought)?;
            holder.process.head().is_alive().then_some(*name)
        };
        held((text, 0)).or_else(|| {
            let (prefix, digits) = text.rsplit_once('$')?;
            // As it prints: one number has one spelling.
            let serial = digits.parse().ok().filter(|serial: &u64| *serial != 0)?;
            (digits.len() == serial.ilog10() as usize + 1).then_some(())?;
            held((prefix, serial))
        })
    }

    fn shard(&self, name: impl Hash) -> &Mutex<Shard> {
        use std::hash::BuildHasher;
        // The upper bits: the map itself goes by the lower ones.
        let hash = FxBuildHasher.hash_one(name) >> 32;
        &self.shards[usize::try_from(hash).unwrap_or_default() % SHARDS]
    }

    pub(crate) fn register(
        &self,
        process: &Process,
        name: RegisteredName,
        message: TypeId,
    ) -> Result<(), RegisterError> {
        let (previous, awaited) = {
            let mut shard = self.shard(name).lock();
            // First: from its death on it is the reason that nothing can be registered for a process, whether
            // or not the process is still in the table.
            if !process.head().is_alive() {
                return Err(RegisterError::NoProc);
            }
            if let Some(holder) = shard.held.get(&name)
                && holder.process.head().is_alive()
            {
                return Err(RegisterError::NameTaken { holder: holder.process.head().pid });
            }
            process.with(|control, _| {
                if !control.is_alive() {
                    return Err(RegisterError::NoProc);
                }
                match &mut control.relations_mut().name {
                    Some(name) => Err(RegisterError::AlreadyNamed { name: *name }),
                    free => {
                        *free = Some(name);
                        let head = process.head();
                        head.node.note(head.pid, || LifeEvent::Registered { pid: head.pid, name });
                        Ok(())
                    }
                }
            })?;
            let awaited = if shard.awaited.is_empty() { None } else { shard.awaited.remove(&name) };
            (shard.held.insert(name, Holder { process: process.clone(), message }), awaited)
        };
        drop(previous);
        for (_, waker) in awaited.unwrap_or_default() {
            quietly(|| waker.wake());
        }
        process.head().node.tell();
        Ok(())
    }

    pub(crate) fn unregister(&self, name: RegisteredName) -> Result<(), NotRegistered> {
        let holder = {
            let mut shard = self.shard(name).lock();
            let holder = shard.held.get(&name).ok_or(NotRegistered)?;
            holder.process.with(|control, queue| {
                if !control.is_alive() {
                    return Err(NotRegistered);
                }
                control.relations_mut().name = None;
                let head = holder.process.head();
                if holder.message == queue.message_type() {
                    control.remember_name(head, name);
                }
                head.node.note(head.pid, || LifeEvent::Unregistered { pid: head.pid, name });
                Ok(())
            })?;
            shard.held.remove(&name)
        };
        if let Some(holder) = holder {
            holder.process.head().node.tell();
        }
        Ok(())
    }

    /// Removes the entry of a process that is ending.
    pub(crate) fn release(&self, name: RegisteredName, pid: Pid) {
        let holder = {
            let mut shard = self.shard(name).lock();
            if shard.held.get(&name).is_none_or(|holder| holder.process.head().pid != pid) {
                return;
            }
            shard.held.remove(&name)
        };
        drop(holder);
    }

    /// The process that holds the name, and the type of the messages that it takes by it.
    pub(crate) fn find(&self, name: RegisteredName) -> Option<(Process, TypeId)> {
        let shard = self.shard(name).lock();
        let holder = shard.held.get(&name).filter(|holder| holder.process.head().is_alive())?;
        Some((holder.process.clone(), holder.message))
    }

    /// Whether this process holds the name, for messages of this type.
    pub(crate) fn is_held_by(&self, head: &Head, name: RegisteredName, message: TypeId) -> bool {
        let shard = self.shard(name).lock();
        let holder = shard.held.get(&name).filter(|holder| holder.message == message);
        holder.is_some_and(|holder| std::ptr::eq(holder.process.head(), head) && head.is_alive())
    }

    pub(crate) fn whereis(&self, name: RegisteredName) -> Option<Pid> {
        let shard = self.shard(name).lock();
        let head = shard.held.get(&name)?.process.head();
        head.is_alive().then_some(head.pid)
    }

    /// The process that holds the name, other than `previous`; without one the waker is kept, under this reference.
    fn poll_registered(
        &self,
        name: RegisteredName,
        previous: Option<Pid>,
        waiter: Reference,
        waker: Waker,
    ) -> Poll<Pid> {
        let mut shard = self.shard(name).lock();
        let holder = shard.held.get(&name).map(|holder| holder.process.head());
        if let Some(head) = holder.filter(|head| head.is_alive() && Some(head.pid) != previous) {
            let pid = head.pid;
            drop(shard);
            drop(waker);
            return Poll::Ready(pid);
        }
        let before = shard.awaited.entry(name).or_default().insert(waiter, waker);
        drop(shard);
        drop(before);
        Poll::Pending
    }

    fn forget_waiter(&self, name: RegisteredName, waiter: Reference) {
        let mut shard = self.shard(name).lock();
        let Some(waiters) = shard.awaited.get_mut(&name) else { return };
        let gone = waiters.remove(&waiter);
        if waiters.is_empty() {
            shard.awaited.remove(&name);
        }
        drop(shard);
        drop(gone);
    }

    pub(crate) fn all(&self) -> Vec<RegisteredName> {
        let mut names = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            names.extend(
                shard
                    .held
                    .iter()
                    .filter(|(_, holder)| holder.process.head().is_alive())
                    .map(|(name, holder)| (holder.process.head().pid, *name)),
            );
        }
        names.sort_unstable_by_key(|(pid, _)| *pid);
        names.into_iter().map(|(_, name)| name).collect()
    }
}
