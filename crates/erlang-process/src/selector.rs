//! Selectors: waiting on several things at once.

use std::{
    any::{Any, TypeId, type_name},
    fmt, mem,
    sync::Arc,
    task::Waker,
    time::Duration,
};

use rustc_hash::FxHashMap;

use crate::{
    cell::{Key, Taken},
    monitor::{Down, Monitor},
    name::RegisteredName,
    node::Node,
    owners::Owners,
    pid::Pid,
    process::ExitMessage,
    receive::{self, Pattern, Receive, ReceiveError},
    reference::Reference,
    scope::{self, Scope},
    subject::Subject,
};

/// What a process is ready to receive, and what it makes of it: several subjects, monitors and trapped exits
/// become one type.
///
/// A receive takes the first message in arrival order that the selector knows, and leaves the others where
/// they are.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{self as process, Down, Selector, Subject};
///
/// enum Event { Tick, Job(u32), WorkerDown(Down) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # process::run(async {
/// let (ticks, jobs) = (Subject::<()>::new()?, Subject::<u32>::new()?);
/// let (_worker, monitor) = process::spawn_monitor(async {})?;
/// let mut events = Selector::new()
///     .select(&ticks, |()| Event::Tick)
///     .select(&jobs, Event::Job)
///     .select_monitor(monitor, Event::WorkerDown);
///
/// jobs.send(7);
/// assert!(matches!(events.receive(Duration::from_secs(1)).await, Ok(Event::Job(7))));
/// assert!(matches!(events.receive(Duration::from_secs(1)).await, Ok(Event::WorkerDown(_))));
/// # Ok::<_, process::NotAProcess>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: the clauses of `receive` in Erlang, `Selector` in Gleam.
pub struct Selector<T> {
    owners: Owners,
    /// The mapped subjects that were selected: any, and nobody can receive.
    mapped: Vec<Box<dyn Any + Send>>,
    /// For messages to the process's own subject.
    own: Option<Box<dyn Own<T>>>,
    /// For messages with exactly this key.
    mappers: FxHashMap<Key, Mapper<T>>,
    /// For messages to names.
    names: Vec<Named<T>>,
    exits: Option<Mapper<T>>,
    monitors: Option<Mapper<T>>,
    other: Option<Other<T>>,
}

/// Makes a `T` of the message in this `Option` of its type.
type Mapper<T> = Box<dyn FnMut(&mut dyn Any) -> Option<T> + Send>;

type Other<T> = Box<dyn FnMut(Unexpected<'_>) -> T + Send>;

/// The process's own subject, which most processes wait on most of the time, and what is made of its messages.
trait Own<T>: Send {
    /// Takes the next message, where that is to this subject.
    fn take_next(&mut self, waker: &Waker) -> Taken<T>;
    fn take(&mut self, message: &mut dyn Any) -> Option<T>;
}

struct OwnSubject<M, F> {
    subject: Subject<M>,
    map: F,
}

impl<M: Send + 'static, T, F: FnMut(M) -> T + Send> Own<T> for OwnSubject<M, F> {
    fn take_next(&mut self, waker: &Waker) -> Taken<T> {
        self.subject.take_next(waker).map(&mut self.map)
    }

    fn take(&mut self, message: &mut dyn Any) -> Option<T> {
        message.downcast_mut::<Option<M>>()?.take().map(&mut self.map)
    }
}

struct MappedOwn<T, F> {
    own: Box<dyn Own<T>>,
    map: Arc<F>,
}

impl<T, U, F: Fn(T) -> U + Send + Sync> Own<U> for MappedOwn<T, F> {
    fn take_next(&mut self, waker: &Waker) -> Taken<U> {
        self.own.take_next(waker).map(&*self.map)
    }

    fn take(&mut self, message: &mut dyn Any) -> Option<U> {
        self.own.take(message).map(&*self.map)
    }
}

/// A name that was selected, and what is made of its messages.
struct Named<T> {
    node: Node,
    name: RegisteredName,
    /// The type of the messages: where that is the process's own, they are its own messages.
    message: TypeId,
    /// Whether messages to it may be among the receiving process's own.
    is_own: bool,
    map: Mapper<T>,
}

impl<T> Named<T> {
    fn is_same<U>(&self, other: &Named<U>) -> bool {
        self.is(&other.node, other.name, other.message)
    }

    fn is(&self, node: &Node, name: RegisteredName, message: TypeId) -> bool {
        self.name == name && self.message == message && self.node.is(node)
    }

    fn is_held(&self, scope: &Scope) -> bool {
        self.node.names().is_held_by(scope.cell.head(), self.name, self.message)
    }

    /// Whether messages to it have this key, in a mailbox whose own messages are of type `own`.
    fn is_key(&self, key: Key, own: TypeId) -> bool {
        if self.message == own { key == Key::Own && self.is_own } else { key == Key::Name(self.name) }
    }

    /// Looks whether messages to it may be among the process's own, which are of type `own`: where the process holds the
    /// name, or has held it. Returns whether they were not when it looked before.
    fn look(&mut self, scope: &Scope, own: TypeId) -> bool {
        let has_held = || scope.cell.with(|control, _| control.has_held(self.name));
        let is_own = self.message == own
            && self.node.is(&scope.cell.head().node)
            && (self.is_held(scope) || has_held());
        !mem::replace(&mut self.is_own, is_own) && is_own
    }
}

fn mapper<M: 'static, T>(mut map: impl FnMut(M) -> T + Send + 'static) -> Mapper<T> {
    Box::new(move |message| message.downcast_mut::<Option<M>>()?.take().map(&mut map))
}

impl<T: 'static> Selector<T> {
    /// A selector that knows nothing yet.
    ///
    /// ```
    /// use erlang_process::{Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let numbers = Subject::<u32>::new()?;
    /// let mut selector = Selector::new().select(&numbers, |n| n + 1);
    /// numbers.send(1);
    /// assert_eq!(selector.receive_forever().await?, 2);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            owners: Owners::default(),
            mapped: Vec::new(),
            own: None,
            mappers: FxHashMap::default(),
            names: Vec::new(),
            exits: None,
            monitors: None,
            other: None,
        }
    }

    /// Knows messages to this subject, which has to be the receiving process's. A second function for one
    /// subject replaces the first.
    ///
    /// With a subject of another process, or one that is [mapped](Subject::map), it cannot receive: the receive says so. A name
    /// may come and go: messages to it come while the receiving process holds it, and are received after that as well. One
    /// that is somebody else's brings nothing.
    ///
    /// ```
    /// use erlang_process::{Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let (numbers, words) = (Subject::<u32>::new()?, Subject::<&str>::new()?);
    /// let mut either = Selector::new()
    ///     .select(&numbers, |number| number.to_string())
    ///     .select(&words, |word| word.to_owned());
    /// words.send("first");
    /// numbers.send(2);
    /// assert_eq!(either.receive_forever().await?, "first");
    /// assert_eq!(either.receive_forever().await?, "2");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.select_map` in Gleam.
    #[must_use]
    pub fn select<M: Send + 'static>(
        mut self,
        subject: &Subject<M>,
        map: impl FnMut(M) -> T + Send + 'static,
    ) -> Self {
        let Some(key) = subject.key() else {
            self.mapped.push(Box::new(subject.clone()));
            return self;
        };
        if let Some((node, name)) = subject.as_name() {
            let node = node.clone();
            let named = Named { node, name, message: TypeId::of::<M>(), is_own: false, map: unboxing(map) };
            self.names.retain(|known| !known.is_same(&named));
            self.names.push(named);
            return self;
        }
        if let Some(owner) = subject.fixed_process() {
            self.owners.add(key, owner);
        }
        if key == Key::Own {
            self.own = Some(Box::new(OwnSubject { subject: subject.clone(), map }));
            return self;
        }
        self.mappers.insert(key, unboxing(map));
        self
    }

    /// Knows the end of this monitored process.
    ///
    /// ```
    /// use erlang_process::{self as process, Selector};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let (worker, monitor) = process::spawn_monitor(async {})?;
    /// let mut ends = Selector::new().select_monitor(monitor, |down| down.pid());
    /// assert_eq!(ends.receive_forever().await?, Some(worker));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.select_specific_monitor` in Gleam.
    #[must_use]
    pub fn select_monitor(mut self, monitor: Monitor, map: impl FnMut(Down) -> T + Send + 'static) -> Self {
        self.mappers.insert(Key::Down(monitor.reference()), mapper(map));
        self
    }

    /// Knows the end of every monitored process that has no function of its own.
    ///
    /// ```
    /// use erlang_process::{self as process, Selector};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// for _ in 0..3 {
    ///     process::spawn_monitor(async {})?;
    /// }
    /// let mut ends = Selector::new().select_monitors(|down| down.reason);
    /// for _ in 0..3 {
    ///     assert!(ends.receive_forever().await?.is_orderly());
    /// }
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.select_monitors` in Gleam.
    #[must_use]
    pub fn select_monitors(mut self, map: impl FnMut(Down) -> T + Send + 'static) -> Self {
        self.monitors = Some(mapper(map));
        self
    }

    /// Knows the exits that the process [traps](crate::trap_exits), of every process that has no function of
    /// its own.
    ///
    /// ```
    /// use erlang_process::{self as process, Selector};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// process::trap_exits(true)?;
    /// let child = process::spawn(async {});
    /// let mut exits = Selector::new().select_trapped_exits(|exit| exit.pid);
    /// assert_eq!(exits.receive_forever().await?, child);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.select_trapped_exits` in Gleam.
    #[must_use]
    pub fn select_trapped_exits(mut self, map: impl FnMut(ExitMessage) -> T + Send + 'static) -> Self {
        self.exits = Some(mapper(map));
        self
    }

    /// Knows the exits of this process that the receiving one [traps](crate::trap_exits).
    ///
    /// ```
    /// use erlang_process::{self as process, Selector};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// process::trap_exits(true)?;
    /// let (one, other) = (process::spawn(async {}), process::spawn(async {}));
    /// let mut exit = Selector::new().select_trapped_exit_of(other, |exit| exit.pid);
    /// assert_eq!(exit.receive_forever().await?, other);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn select_trapped_exit_of(
        mut self,
        pid: Pid,
        map: impl FnMut(ExitMessage) -> T + Send + 'static,
    ) -> Self {
        self.mappers.insert(Key::Exit(pid), mapper(map));
        self
    }

    /// Knows messages of type `M` through this [alias](crate::alias()). A message of another type is dropped.
    ///
    /// ```
    /// use erlang_process::{self as process, AliasMode, Dest, Node, Selector, Signal};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let alias = process::alias(AliasMode::ExplicitUnalias)?;
    /// let mut answers = Selector::new().select_alias(alias, |answer: u32| answer);
    /// let send = |message| Node::current().signal(None, Dest::Alias(alias), message);
    /// send(Signal::Message(Box::new("noise")));
    /// send(Signal::Message(Box::new(42_u32)));
    /// assert_eq!(answers.receive_forever().await?, 42);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn select_alias<M: 'static>(
        mut self,
        alias: Reference,
        map: impl FnMut(M) -> T + Send + 'static,
    ) -> Self {
        self.mappers.insert(Key::Alias(alias), unboxing(map));
        self
    }

    /// Knows messages of type `M` that were sent to the pid itself, through
    /// [`Subject::to_pid`] or as [`Signal::Message`](crate::Signal::Message): what protocols that are spoken to any process, such as
    /// system messages, are made of.
    ///
    /// ```
    /// use erlang_process::{self as process, Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// // Whoever knows the pid can send, and nobody knows whether the process understands it.
    /// let own = process::current().unwrap();
    /// Subject::to_pid(own).unwrap().send(7_u32);
    /// let mut numbers = Selector::new().select_raw(|number: u32| number);
    /// assert_eq!(numbers.receive_forever().await?, 7);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.select_record` in Gleam.
    #[must_use]
    pub fn select_raw<M: 'static>(mut self, map: impl FnMut(M) -> T + Send + 'static) -> Self {
        self.mappers.insert(Key::Raw(TypeId::of::<M>()), unboxing(map));
        self
    }

    /// Knows every message that nothing else in the selector knows.
    ///
    /// ```
    /// use erlang_process::{Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let (known, unknown) = (Subject::<u32>::new()?, Subject::<&str>::new()?);
    /// let mut numbers = Selector::new().select(&known, Some).select_other(|other| {
    ///     println!("dropped {other}");
    ///     None
    /// });
    /// unknown.send("noise");
    /// known.send(7);
    /// assert_eq!(numbers.receive_forever().await?, None);
    /// assert_eq!(numbers.receive_forever().await?, Some(7));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.select_other` in Gleam.
    #[must_use]
    pub fn select_other(mut self, map: impl FnMut(Unexpected<'_>) -> T + Send + 'static) -> Self {
        self.other = Some(Box::new(map));
        self
    }

    /// No longer knows messages to this subject. What made a receive impossible by being selected no longer
    /// does.
    ///
    /// ```
    /// use erlang_process::{ReceiveError, Selector, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let numbers = Subject::<u32>::new()?;
    /// numbers.send(1);
    /// let mut nothing = Selector::new().select(&numbers, |n| n).deselect(&numbers);
    /// assert_eq!(nothing.receive(Duration::from_secs(1)).await, Err(ReceiveError::Timeout));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.deselect` in Gleam.
    #[must_use]
    pub fn deselect<M: Send + 'static>(mut self, subject: &Subject<M>) -> Self {
        let Some(key) = subject.key() else {
            let same = |mapped: &Subject<M>| mapped.is_same_mapped(subject);
            self.mapped.retain(|mapped| !mapped.downcast_ref().is_some_and(same));
            return self;
        };
        if let Some((node, name)) = subject.as_name() {
            self.names.retain(|named| !named.is(node, name, TypeId::of::<M>()));
            return self;
        }
        if subject.fixed_process().is_some_and(|owner| !self.owners.remove(key, &owner)) {
            // The function is not its own.
            return self;
        }
        if key == Key::Own {
            self.own = None;
            return self;
        }
        self.mappers.remove(&key);
        self
    }

    /// No longer knows the end of this monitored process, other than by
    /// [`select_monitors`](Self::select_monitors).
    ///
    /// ```
    /// use erlang_process::{self as process, ReceiveError, Selector};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let (_, monitor) = process::spawn_monitor(async {})?;
    /// let ends = Selector::new().select_monitor(monitor, |down| down.reason);
    /// let mut nothing = ends.deselect_monitor(monitor);
    /// assert_eq!(nothing.receive(Duration::from_secs(1)).await, Err(ReceiveError::Timeout));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.deselect_specific_monitor` in Gleam.
    #[must_use]
    pub fn deselect_monitor(mut self, monitor: Monitor) -> Self {
        self.mappers.remove(&Key::Down(monitor.reference()));
        self
    }

    /// The same selector, with what it makes turned into something else.
    ///
    /// ```
    /// use erlang_process::{Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let numbers = Subject::new()?;
    /// let mut texts = Selector::new().select(&numbers, |n: u32| n).map(|n| format!("number {n}"));
    /// numbers.send(7);
    /// assert_eq!(texts.receive_forever().await?, "number 7");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.map_selector` in Gleam.
    #[must_use]
    pub fn map<U: 'static>(self, map: impl Fn(T) -> U + Send + Sync + 'static) -> Selector<U> {
        let map = Arc::new(map);
        let wrap = |mut mapper: Mapper<T>| -> Mapper<U> {
            let map = map.clone();
            Box::new(move |message| mapper(message).map(&*map))
        };
        let names = self.names.into_iter().map(|Named { node, name, message, is_own, map }| {
            let map = wrap(map);
            Named { node, name, message, is_own, map }
        });
        Selector {
            names: names.collect(),
            owners: self.owners,
            mapped: self.mapped,
            own: self.own.map(|own| -> Box<dyn Own<U>> { Box::new(MappedOwn { own, map: map.clone() }) }),
            mappers: self.mappers.into_iter().map(|(key, mapper)| (key, wrap(mapper))).collect(),
            exits: self.exits.map(wrap),
            monitors: self.monitors.map(wrap),
            other: self.other.map(|mut other| -> Other<U> {
                let map = map.clone();
                Box::new(move |message| map(other(message)))
            }),
        }
    }

    /// Both selectors in one. Where both know a message, the other one's function is used.
    ///
    /// ```
    /// use erlang_process::{Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let (left, right) = (Subject::<u32>::new()?, Subject::<u32>::new()?);
    /// let mut both = Selector::new().select(&left, |n| n).merge(Selector::new().select(&right, |n| n));
    /// right.send(1);
    /// left.send(2);
    /// assert_eq!((both.receive_forever().await?, both.receive_forever().await?), (1, 2));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.merge_selector` in Gleam.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.owners.extend(other.owners);
        self.mapped.extend(other.mapped);
        self.own = other.own.or(self.own);
        self.mappers.extend(other.mappers);
        self.names.retain(|known| !other.names.iter().any(|named| named.is_same(known)));
        self.names.extend(other.names);
        self.exits = other.exits.or(self.exits);
        self.monitors = other.monitors.or(self.monitors);
        self.other = other.other.or(self.other);
        self
    }

    /// Waits for the first message that the selector knows, for as long as `timeout`.
    ///
    /// With a timeout of zero it takes one that is already there. The time counts from the first poll and is
    /// not extended by other messages.
    ///
    /// ```
    /// use erlang_process::{ReceiveError, Selector, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let numbers = Subject::<u32>::new()?;
    /// let mut selector = Selector::new().select(&numbers, |n| n);
    /// assert_eq!(selector.receive(Duration::from_secs(1)).await, Err(ReceiveError::Timeout));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Timeout`]; [`ReceiveError::NotOwner`] if a subject is another process's or
    /// [mapped](Subject::map); [`ReceiveError::NotAProcess`] outside any process.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: a message is taken only in the poll that returns it.
    ///
    /// Counterpart: `receive ... after`, `process.selector_receive` in Gleam.
    pub async fn receive(&mut self, timeout: Duration) -> Result<T, ReceiveError> {
        Receive::new(self).within(timeout).await
    }

    /// Takes the first message that the selector knows, if one is there: what [`receive`](Self::receive) does with a timeout
    /// of zero, for code that is not async. It never lets others run.
    ///
    /// ```
    /// use erlang_process::{ReceiveError, Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let numbers = Subject::<u32>::new()?;
    /// let mut selector = Selector::new().select(&numbers, |n| n + 1);
    /// numbers.send(1);
    /// assert_eq!(selector.try_receive(), Ok(2));
    /// assert_eq!(selector.try_receive(), Err(ReceiveError::Timeout));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive): [`ReceiveError::Timeout`] if there is none.
    ///
    /// Counterpart: `receive ... after 0`, `process.selector_receive` in Gleam.
    pub fn try_receive(&mut self) -> Result<T, ReceiveError> {
        receive::try_next(self)
    }

    /// Waits for the first message that the selector knows, however long that takes.
    ///
    /// ```
    /// use erlang_process::{Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let words = Subject::<&str>::new()?;
    /// words.send("three");
    /// assert_eq!(Selector::new().select(&words, str::len).receive_forever().await?, 5);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), without the timeout.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// Counterpart: `process.selector_receive_forever` in Gleam.
    pub async fn receive_forever(&mut self) -> Result<T, ReceiveError> {
        Receive::new(self).await
    }
}

/// A mapper of messages that may lie boxed in the mailbox.
fn unboxing<M: 'static, T>(mut map: impl FnMut(M) -> T + Send + 'static) -> Mapper<T> {
    Box::new(move |message| take(message).map(&mut map))
}

/// Takes the message out of the `Option` of its type, or of the box that it came in, if it is an `M`.
pub(crate) fn take<M: 'static>(message: &mut dyn Any) -> Option<M> {
    if let Some(message) = message.downcast_mut::<Option<M>>() {
        return message.take();
    }
    let boxed = message.downcast_mut::<Option<Box<dyn Any + Send>>>()?;
    match boxed.take()?.downcast::<M>() {
        Ok(message) => Some(*message),
        Err(other) => {
            *boxed = Some(other);
            None
        }
    }
}

impl<T> Selector<T> {
    /// What the function of a name makes of a message that may have come by it. First that of a name which the process holds:
    /// messages to all names of its own type look alike.
    fn take_named(&mut self, key: Key, own: TypeId, message: &mut dyn Any) -> Option<T> {
        let names = &mut self.names;
        let held =
            |scope: &mut Scope| names.iter().position(|name| name.is_key(key, own) && name.is_held(scope));
        // Of several that it holds or has held, the one that it holds.
        let held = if names.len() > 1 { scope::with(held).flatten() } else { None };
        for index in held.into_iter().chain(0..names.len()) {
            if names[index].is_key(key, own)
                && let Some(output) = (names[index].map)(message)
            {
                return Some(output);
            }
        }
        None
    }
}

impl<T: 'static> Pattern for Selector<T> {
    type Output = T;

    fn check(&self, scope: &Scope) -> Result<(), ReceiveError> {
        let owned = self.owners.are_none_but(&scope.cell);
        if owned && self.mapped.is_empty() { Ok(()) } else { Err(ReceiveError::NotOwner) }
    }

    fn refresh(&mut self, scope: &Scope) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let own = scope.cell.message_type();
        let mut more = false;
        for name in &mut self.names {
            more |= name.look(scope, own);
        }
        more
    }

    fn take_next(&mut self, waker: &Waker) -> Taken<T> {
        match &mut self.own {
            Some(own) if self.mapped.is_empty() && !self.owners.are_many() => own.take_next(waker),
            _ => Taken::Others,
        }
    }

    fn wants(&self, key: Key, own: TypeId) -> bool {
        self.other.is_some()
            || match key {
                Key::Own if self.own.is_some() => true,
                Key::Own | Key::Name(_) => self.names.iter().any(|named| named.is_key(key, own)),
                Key::Exit(_) if self.exits.is_some() => true,
                Key::Down(_) if self.monitors.is_some() => true,
                key => self.mappers.contains_key(&key),
            }
    }

    fn take(&mut self, key: Key, own: TypeId, message: &mut dyn Any) -> Option<T> {
        if key == Key::Own
            && let Some(own) = &mut self.own
        {
            return own.take(message);
        }
        if matches!(key, Key::Own | Key::Name(_))
            && let Some(output) = self.take_named(key, own, message)
        {
            return Some(output);
        }
        if let Some(mapper) = self.mappers.get_mut(&key) {
            return mapper(message);
        }
        match (key, &mut self.exits, &mut self.monitors, &mut self.other) {
            (Key::Exit(_), Some(mapper), _, _) | (Key::Down(_), _, Some(mapper), _) => mapper(message),
            (_, _, _, Some(other)) => Some(other(Unexpected::new(key, message))),
            _ => None,
        }
    }
}

impl<T: 'static> Default for Selector<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Selector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector<{}>", type_name::<T>())
    }
}

/// A message that a selector has no function for, see [`Selector::select_other`], or that is not to the subject of a
/// [`receive_any`](Subject::receive_any).
///
/// ```
/// use erlang_process::{Selector, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let (numbers, forgotten) = (Subject::<u32>::new()?, Subject::new()?);
/// forgotten.send("are you there?");
/// let mut inbox = Selector::new().select(&numbers, |n| n.to_string()).select_other(|mut other| {
///     // What prints tells where it came from, what is taken what it was.
///     match other.take::<&str>() {
///         Some(text) => format!("{other}: {text}"),
///         None => format!("{other}"),
///     }
/// });
/// let seen = inbox.receive_forever().await?;
/// assert_eq!(seen, "a message to a subject that is not selected: are you there?");
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
pub struct Unexpected<'a> {
    key: Key,
    message: &'a mut dyn Any,
}

impl<'a> Unexpected<'a> {
    pub(crate) fn new(key: Key, message: &'a mut dyn Any) -> Self {
        Self { key, message }
    }

    /// Takes the message, if it is an `M`: a message to a subject or a name of that type, one that was sent
    /// to the pid, an [`ExitMessage`], or a [`Down`].
    ///
    /// ```
    /// use erlang_process::{Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// Subject::new()?.send(7_u32);
    /// let mut numbers = Selector::new().select_other(|mut other| other.take::<u32>());
    /// assert_eq!(numbers.receive_forever().await?, Some(7));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn take<M: 'static>(&mut self) -> Option<M> {
        take(self.message)
    }

    /// Takes the message, if it is an `M` that was sent to the pid itself, see [`Selector::select_raw`].
    ///
    /// ```
    /// use erlang_process::{self as process, Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// Subject::new()?.send(7_u32);
    /// Subject::to_pid(process::current().unwrap()).unwrap().send(8_u32);
    /// let mut raw = Selector::new().select_other(|mut other| other.take_raw::<u32>());
    /// assert_eq!(raw.receive_forever().await?, None);
    /// assert_eq!(raw.receive_forever().await?, Some(8));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn take_raw<M: 'static>(&mut self) -> Option<M> {
        if self.key == Key::Raw(TypeId::of::<M>()) { self.take() } else { None }
    }

    /// Takes the message, if it is an exit that the process [traps](crate::trap_exits).
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason, Selector};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// process::trap_exits(true)?;
    /// process::spawn(async {});
    /// let mut exits = Selector::new().select_other(|mut other| other.take_exit());
    /// let exit = exits.receive_forever().await?.unwrap();
    /// assert_eq!(exit.reason, ExitReason::Normal);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn take_exit(&mut self) -> Option<ExitMessage> {
        if matches!(self.key, Key::Exit(_)) { self.take() } else { None }
    }

    /// Takes the message, if it is the end of a process that this one [monitors](crate::monitor()).
    ///
    /// ```
    /// use erlang_process::{self as process, Selector};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let (worker, _monitor) = process::spawn_monitor(async {})?;
    /// let mut ends = Selector::new().select_other(|mut other| other.take_down());
    /// assert_eq!(ends.receive_forever().await?.unwrap().pid(), Some(worker));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    pub fn take_down(&mut self) -> Option<Down> {
        if matches!(self.key, Key::Down(_)) { self.take() } else { None }
    }
}

impl fmt::Display for Unexpected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Key::Own => f.write_str("a message to the process's own subject"),
            Key::Subject(_) => f.write_str("a message to a subject that is not selected"),
            Key::Name(name) => write!(f, "a message to the name {name}"),
            Key::Alias(alias) => write!(f, "a message through the alias {alias}"),
            Key::Exit(pid) => write!(f, "a trapped exit of {pid}"),
            Key::Down(_) => f.write_str("the end of a monitored process"),
            Key::Raw(_) => f.write_str("a message to the pid"),
        }
    }
}

impl fmt::Debug for Unexpected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unexpected").field(&self.key).finish()
    }
}
