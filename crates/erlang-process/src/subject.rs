//! Subjects: the typed way into a mailbox.

use std::{
    any::{Any, TypeId},
    fmt,
    hash::{Hash, Hasher},
    task::Waker,
    time::Duration,
};

use crate::{
    bound::{Place, Turn},
    cell::{AnyMessage, Head, Key, OwnCell, Process, PushError, Refusal, Tagged, Taken, Unsent},
    name::{Name, RegisteredName},
    node::Node,
    pid::Pid,
    process::NotAProcess,
    receive::{self, Pattern, Receive, ReceiveError},
    scope::{self, Scope},
    selector::{Unexpected, take},
    sync::Arc,
};

/// An address that takes messages of type `M`.
///
/// Subjects are small, cheap to clone and free to be sent to any thread or process. Anyone can send to one;
/// only the process that owns it can receive with it. All subjects of a process share its one mailbox, in
/// which messages lie in the order in which they arrived, whichever subject they were sent to.
///
/// A process has its own subject if it was [spawned with one](crate::spawn_subject), and can make
/// [more](Self::new) for other protocols: with a [`Selector`](crate::Selector) it waits on several at once.
/// The subject of a [`Name`] reaches whoever holds that name.
///
/// When a process has ended, a subject of its own still keeps the room that the process took on its runtime, without
/// what was in it: some hundred bytes and the size of its future, where that is not so large that tokio boxes it. Who holds
/// many for long after uses names or pids.
///
/// ```
/// use erlang_process::{self as process, Subject};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let answers = Subject::new()?;
/// let to = answers.clone();
/// process::spawn(async move { to.send(42) });
/// assert_eq!(answers.receive(Duration::from_secs(1)).await?, 42);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `Subject` in Gleam; a pid with a tag in every message in Erlang.
pub struct Subject<M>(Route<M>);

enum Route<M> {
    /// The process's own subject: messages need no envelope of their own.
    Own(Arc<OwnCell<M>>),
    /// A further way to a process, told apart by its tag.
    Tagged(Process, u64),
    /// A process, by its pid: its messages are told apart by their type.
    Raw(Process),
    /// Whoever holds the name.
    Named(Node, RegisteredName),
    /// Another subject, behind a function, or whoever holds a key of a registry.
    Mapped(Arc<dyn Target<M>>),
}

impl<M: Send + 'static> Subject<M> {
    /// A new subject of the calling process.
    ///
    /// Each message to it costs one allocation, which those to a process's
    /// [own](crate::spawn_subject) subject do not.
    ///
    /// ```
    /// use erlang_process::Subject;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let numbers = Subject::new()?;
    /// numbers.send(7);
    /// assert_eq!(numbers.receive_forever().await?, 7);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotAProcess`] outside any process.
    ///
    /// Counterpart: `process.new_subject` in Gleam.
    pub fn new() -> Result<Self, NotAProcess> {
        let cell = scope::cell().ok_or(NotAProcess)?;
        let tag = cell.head().node.next_number();
        Ok(Self(Route::Tagged(cell, tag)))
    }

    /// A subject that reaches a process of this node by its pid: for protocols that are spoken to any
    /// process, such as system messages. A process that speaks the protocol receives with
    /// [`Selector::select_raw`](crate::Selector::select_raw); in the mailbox of another the message lies
    /// unread. `None` if there is no such process.
    ///
    /// ```
    /// use erlang_process::{self as process, Selector, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// Subject::to_pid(process::current().unwrap()).unwrap().send("to whom it may concern");
    /// let mut texts = Selector::new().select_raw(|text: &str| text);
    /// assert_eq!(texts.receive_forever().await?, "to whom it may concern");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn to_pid(pid: Pid) -> Option<Self> {
        Node::current().subject_to(pid)
    }

    pub(crate) fn raw(process: Process) -> Self {
        Self(Route::Raw(process))
    }

    pub(crate) fn own(cell: Arc<OwnCell<M>>) -> Self {
        Self(Route::Own(cell))
    }

    pub(crate) fn named(node: Node, name: RegisteredName) -> Self {
        Self(Route::Named(node, name))
    }

    pub(crate) fn to_target(target: Arc<dyn Target<M>>) -> Self {
        Self(Route::Mapped(target))
    }

    /// Sends a message: never blocks, never fails. If the process is dead, or nobody holds the name, the
    /// message is dropped; so it is if the mailbox is [bounded](crate::Bound) and [says so](crate::WhenFull).
    ///
    /// Messages of one sender to one process arrive in the order in which they were sent, whatever subjects
    /// they go through. Nothing holds between senders.
    ///
    /// ```
    /// use erlang_process::Subject;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let subject = Subject::new()?;
    /// subject.send(1);
    /// subject.send(2);
    /// assert_eq!(subject.receive_forever().await?, 1);
    /// assert_eq!(subject.receive_forever().await?, 2);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `!`, `process.send` in Gleam.
    #[inline]
    pub fn send(&self, message: M) {
        drop(self.try_send(message));
    }

    /// Sends a message, or gives it back if the process is dead or nobody holds the name, or if its mailbox is
    /// [bounded](crate::Bound), full, and refuses what is too much. Never blocks.
    ///
    /// ```
    /// use erlang_process::{self as process, SendError, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let gone = process::spawn_subject(|_: Subject<u32>| async {});
    /// process::join(gone.pid().unwrap()).await;
    /// assert_eq!(gone.try_send(7), Err(SendError::Dead(7)));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError`] with the message.
    #[inline]
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        self.offer(message).or_else(SendError::told)
    }

    /// Sends a message, or gives it back and says why.
    #[inline]
    pub(crate) fn offer(&self, message: M) -> Result<(), Unsent<M>> {
        match &self.0 {
            Route::Own(cell) => cell.push(message),
            _ => self.send_elsewhere(message),
        }
    }

    /// Sends a message that is not for the subject of a process's own.
    fn send_elsewhere(&self, message: M) -> Result<(), Unsent<M>> {
        match self.process() {
            Some(process) => self.send_to(&process, message, None).map(|_| ()),
            None => Err(Unsent::dead(message)),
        }
    }

    /// Sends a message to this process, which is the one that was [found](Self::process) behind the subject, in the
    /// turn for which the sender has waited.
    pub(crate) fn send_to(
        &self,
        process: &Process,
        message: M,
        turn: Option<Turn>,
    ) -> Result<Sent, Unsent<M>> {
        let sent = match &self.0 {
            Route::Own(cell) if turn.is_some() => cell.offer(message, turn),
            Route::Own(cell) => cell.push(message),
            Route::Tagged(_, tag) => push_tagged(process, Key::Subject(*tag), message, turn),
            Route::Raw(_) => push_tagged(process, Key::Raw(TypeId::of::<M>()), message, turn),
            Route::Named(_, name) => match process.push_own(message, turn) {
                Ok(()) => Ok(()),
                Err(PushError::Unsent(unsent)) => Err(unsent),
                Err(PushError::Other(message)) => push_tagged(process, Key::Name(*name), message, turn),
            },
            Route::Mapped(subject) => return subject.send_to(process, message, turn),
        };
        sent.map(|()| Sent::Arrived)
    }

    /// Waits for a message to this subject, for as long as `timeout`. Messages to other subjects stay where
    /// they are.
    ///
    /// With a timeout of zero it takes a message that is already there. The time counts from the first poll
    /// and is not extended by other messages.
    ///
    /// ```
    /// use erlang_process::{ReceiveError, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let subject = Subject::new()?;
    /// subject.send("one");
    /// let second = Duration::from_secs(1);
    /// assert_eq!(subject.receive(second).await, Ok("one"));
    /// assert_eq!(subject.receive(second).await, Err(ReceiveError::Timeout));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Timeout`]; [`ReceiveError::NotOwner`] if the subject is another process's;
    /// [`ReceiveError::NotAProcess`] outside any process.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: a message is taken only in the poll that returns it.
    ///
    /// Counterpart: `receive ... after`, `process.receive` in Gleam.
    pub async fn receive(&self, timeout: Duration) -> Result<M, ReceiveError> {
        Receive::new(FromSubject(self)).within(timeout).await
    }

    /// Takes a message to this subject, if one is there: what [`receive`](Self::receive) does with a timeout of zero, for
    /// code that is not async. It never lets others run.
    ///
    /// ```
    /// use erlang_process::{ReceiveError, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let subject = Subject::new()?;
    /// subject.send("one");
    /// assert_eq!(subject.try_receive(), Ok("one"));
    /// assert_eq!(subject.try_receive(), Err(ReceiveError::Timeout));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive): [`ReceiveError::Timeout`] if there is none.
    ///
    /// Counterpart: `receive ... after 0`.
    pub fn try_receive(&self) -> Result<M, ReceiveError> {
        receive::try_next(&mut FromSubject(self))
    }

    /// Waits for a message to this subject, however long that takes.
    ///
    /// ```
    /// use erlang_process::{self as process, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let subject = Subject::new()?;
    /// let to = subject.clone();
    /// process::spawn(async move { to.send("at last") });
    /// assert_eq!(subject.receive_forever().await?, "at last");
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
    /// Counterpart: `process.receive_forever` in Gleam.
    pub fn receive_forever(&self) -> impl Future<Output = Result<M, ReceiveError>> + Send + use<'_, M> {
        Receive::new(FromSubject(self))
    }

    /// Waits for the oldest message in the mailbox, whatever it is, for as long as `timeout`; [`Duration::MAX`] waits for
    /// ever. What was sent to this subject becomes a `T` by `own`, anything else by `other`.
    ///
    /// This is for servers, which take everything as it comes, and see to what they do not expect. It does what a
    /// [`Selector`](crate::Selector) of this subject with [`select_other`](crate::Selector::select_other) does, and there is
    /// none to be made and kept.
    ///
    /// ```
    /// use std::time::Duration;
    /// use erlang_process::{self as process, ExitMessage, Subject};
    ///
    /// enum Event { Job(u32), Exit(ExitMessage), Stray(String) }
    ///
    /// async fn worker(jobs: Subject<u32>) -> Result<(), process::ReceiveError> {
    ///     process::trap_exits(true)?;
    ///     loop {
    ///         let received = jobs.receive_any(Duration::MAX, Event::Job, |mut other| match other.take_exit() {
    ///             Some(exit) => Event::Exit(exit),
    ///             None => Event::Stray(other.to_string()),
    ///         });
    ///         match received.await? {
    ///             Event::Job(number) => drop(number),
    ///             Event::Exit(_) => return Ok(()),
    ///             Event::Stray(what) => drop(what),
    ///         }
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let jobs = process::spawn_subject(worker);
    /// # jobs.send(1);
    /// # process::kill(jobs.pid().unwrap());
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: a message is taken only in the poll that returns it.
    ///
    /// Counterpart: `receive Any -> ... end`, the loop of `gen_server`.
    pub fn receive_any<T, F, G>(
        &self,
        timeout: Duration,
        own: F,
        other: G,
    ) -> impl Future<Output = Result<T, ReceiveError>> + use<'_, M, T, F, G>
    where
        F: FnMut(M) -> T,
        G: FnMut(Unexpected<'_>) -> T,
    {
        Receive::new(Anything { subject: self, own, other }).within(timeout)
    }

    /// The process that gets what is sent now; `None` if nobody holds the subject's name. The pid is the process's on its own
    /// node: one in the same program that is not the caller's may have given the same pid to another.
    ///
    /// ```
    /// use erlang_process::{self as process, Name, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// assert_eq!(Subject::<()>::new()?.pid(), process::current());
    /// assert_eq!(Name::<()>::new("nobody").subject().pid(), None);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.subject_owner` in Gleam.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.process().map(|process| process.head().pid)
    }

    /// The name that the subject goes by, if it is a name's.
    ///
    /// ```
    /// use erlang_process::{Name, Subject};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let name = Name::<u32>::new("numbers");
    /// assert_eq!(name.subject().name(), Some(name.registered_name()));
    /// assert_eq!(Subject::<u32>::new()?.name(), None);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: `process.subject_name` in Gleam.
    #[must_use]
    pub fn name(&self) -> Option<RegisteredName> {
        match &self.0 {
            Route::Named(_, name) => Some(*name),
            Route::Own(_) | Route::Tagged(..) | Route::Raw(_) | Route::Mapped(_) => None,
        }
    }

    /// A subject that takes other messages and makes them into this one's: how an actor is handed to another
    /// as a narrower protocol. Cannot be received with.
    ///
    /// The function runs in the sender. Once it is mapped a message cannot be given back: if the process ends meanwhile, it is
    /// dropped; a [`call`](Self::call) says so.
    ///
    /// ```
    /// use erlang_process::Subject;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// enum Message {
    ///     Ordered(u32),
    ///     Paid(u32),
    /// }
    ///
    /// // Who gets the mapped one can say nothing but what was paid.
    /// let shop = Subject::new()?;
    /// let bank: Subject<u32> = shop.map(Message::Paid);
    /// bank.send(250);
    /// assert!(matches!(shop.receive_forever().await?, Message::Paid(250)));
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn map<N: Send + 'static>(&self, map: impl Fn(N) -> M + Send + Sync + 'static) -> Subject<N> {
        Subject(Route::Mapped(Arc::new(Mapped { subject: self.clone(), map })))
    }

    /// The process whose own subject this is.
    #[inline]
    pub(crate) fn own_head(&self) -> Option<&Head> {
        match &self.0 {
            Route::Own(cell) => Some(cell.head()),
            _ => None,
        }
    }

    pub(crate) fn process(&self) -> Option<Process> {
        match &self.0 {
            Route::Own(cell) => Some(cell.clone()),
            Route::Tagged(process, _) | Route::Raw(process) => Some(process.clone()),
            Route::Named(node, name) => {
                let (process, message) = node.names().find(*name)?;
                // A name that is held for other messages is nobody's address for these.
                (message == TypeId::of::<M>()).then_some(process)
            }
            Route::Mapped(subject) => subject.process(),
        }
    }

    /// The process behind the subject, where that is always the same.
    pub(crate) fn fixed_process(&self) -> Option<Process> {
        match &self.0 {
            Route::Own(_) | Route::Tagged(..) | Route::Raw(_) => self.process(),
            Route::Named(..) => None,
            Route::Mapped(subject) => subject.fixed_process(),
        }
    }

    /// Whether messages to it count in a bounded mailbox.
    pub(crate) fn counts(&self) -> bool {
        match &self.0 {
            Route::Own(_) | Route::Tagged(..) | Route::Named(..) => true,
            Route::Raw(_) => false,
            Route::Mapped(subject) => subject.counts(),
        }
    }

    /// Whether a key of a registry is looked up for each message.
    pub(crate) fn is_keyed(&self) -> bool {
        match &self.0 {
            Route::Own(_) | Route::Tagged(..) | Route::Raw(_) | Route::Named(..) => false,
            Route::Mapped(subject) => subject.is_keyed(),
        }
    }

    /// The key that messages to this subject have, where they are not the process's own for being of its
    /// type; `None` if it cannot be received with.
    pub(crate) fn key(&self) -> Option<Key> {
        match &self.0 {
            Route::Own(_) => Some(Key::Own),
            Route::Tagged(_, tag) => Some(Key::Subject(*tag)),
            Route::Raw(_) => Some(Key::Raw(TypeId::of::<M>())),
            Route::Named(_, name) => Some(Key::Name(*name)),
            Route::Mapped(_) => None,
        }
    }

    /// The name that it is the subject of, on this node.
    pub(crate) fn as_name(&self) -> Option<(&Node, RegisteredName)> {
        match &self.0 {
            Route::Named(node, name) => Some((node, *name)),
            Route::Own(_) | Route::Tagged(..) | Route::Raw(_) | Route::Mapped(_) => None,
        }
    }

    /// Whether both are one mapped subject.
    /// Whether both are one address, of processes that are known to be the same.
    pub(crate) fn is_same_address(&self, other: &Self) -> bool {
        match self.key() {
            Some(key) => other.key() == Some(key),
            None => self.is_same_mapped(other),
        }
    }

    pub(crate) fn is_same_mapped(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Route::Mapped(one), Route::Mapped(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Whether messages to this subject have this key, in a mailbox whose own messages are of type `own`.
    pub(crate) fn is_key(&self, key: Key, own: TypeId) -> bool {
        match &self.0 {
            Route::Named(..) if own == TypeId::of::<M>() => key == Key::Own,
            _ => self.key() == Some(key),
        }
    }

    /// Takes the next message, where that is to this subject and the subject is the calling process's own.
    #[inline]
    pub(crate) fn take_next(&self, waker: &Waker) -> Taken<M> {
        let Route::Own(cell) = &self.0 else { return Taken::Others };
        scope::with(|scope| cell.take_next(scope, waker)).unwrap_or(Taken::Others)
    }

    /// Whether the calling process owns the subject.
    pub(crate) fn check_owner(&self, scope: &Scope) -> Result<(), ReceiveError> {
        let head = scope.cell.head();
        let owned = match &self.0 {
            Route::Own(cell) => std::ptr::eq(cell.head(), head),
            Route::Tagged(process, _) | Route::Raw(process) => std::ptr::eq(process.head(), head),
            Route::Named(node, name) => node.names().is_held_by(head, *name, TypeId::of::<M>()),
            Route::Mapped(_) => false,
        };
        if owned { Ok(()) } else { Err(ReceiveError::NotOwner) }
    }
}

fn push_tagged<M: Send + 'static>(
    process: &Process,
    key: Key,
    message: M,
    turn: Option<Turn>,
) -> Result<(), Unsent<M>> {
    let message: Box<dyn AnyMessage> = Box::new(Tagged { key, body: message });
    let Err(refused) = process.push_other(message, turn) else { return Ok(()) };
    let mut message = None;
    let why = refused.why;
    refused.message.open(&mut |body| message = body.downcast_mut::<Option<M>>().and_then(Option::take));
    message.map_or(Ok(()), |message| Err(Unsent { message, why }))
}

/// The pattern of a receive from one subject.
struct FromSubject<'a, M>(&'a Subject<M>);

impl<M: Send + 'static> Pattern for FromSubject<'_, M> {
    type Output = M;

    fn check(&self, scope: &Scope) -> Result<(), ReceiveError> {
        self.0.check_owner(scope)
    }

    fn wants(&self, key: Key, own: TypeId) -> bool {
        self.0.is_key(key, own)
    }

    #[inline]
    fn take_next(&mut self, waker: &Waker) -> Taken<M> {
        self.0.take_next(waker)
    }

    fn take(&mut self, _: Key, _: TypeId, message: &mut dyn Any) -> Option<M> {
        take(message)
    }
}

/// The pattern of a receive of whatever comes.
struct Anything<'a, M, F, G> {
    subject: &'a Subject<M>,
    own: F,
    other: G,
}

/// The functions are called, and not pinned.
impl<M, F, G> Unpin for Anything<'_, M, F, G> {}

impl<M, T, F, G> Pattern for Anything<'_, M, F, G>
where
    M: Send + 'static,
    F: FnMut(M) -> T,
    G: FnMut(Unexpected<'_>) -> T,
{
    type Output = T;

    fn check(&self, scope: &Scope) -> Result<(), ReceiveError> {
        self.subject.check_owner(scope)
    }

    fn wants(&self, _: Key, _: TypeId) -> bool {
        true
    }

    #[inline]
    fn take_next(&mut self, waker: &Waker) -> Taken<T> {
        self.subject.take_next(waker).map(&mut self.own)
    }

    fn take(&mut self, key: Key, own: TypeId, message: &mut dyn Any) -> Option<T> {
        if self.subject.is_key(key, own) {
            take(message).map(&mut self.own)
        } else {
            Some((self.other)(Unexpected::new(key, message)))
        }
    }
}

/// What became of a message that is not given back.
pub(crate) enum Sent {
    Arrived,
    /// It was refused when it was already mapped, and is dropped.
    Lost(Refusal),
}

/// What a mapped subject sends to.
pub(crate) trait Target<M>: Send + Sync {
    fn send_to(&self, process: &Process, message: M, turn: Option<Turn>) -> Result<Sent, Unsent<M>>;
    fn process(&self) -> Option<Process>;
    fn fixed_process(&self) -> Option<Process>;
    /// Whether messages to it count in a bounded mailbox.
    fn counts(&self) -> bool;
    /// Whether it looks a key of a registry up.
    fn is_keyed(&self) -> bool;
}

struct Mapped<M, F> {
    subject: Subject<M>,
    map: F,
}

impl<M: Send + 'static, F> Mapped<M, F> {
    /// Sends a message to a mailbox that is bounded, and has room kept for it while it is mapped.
    #[cold]
    fn send_in_turn<N>(&self, process: &Process, message: N) -> Result<Sent, Unsent<N>>
    where
        F: Fn(N) -> M,
    {
        let mut place = Place::new(process.clone());
        let message = place.take(message)?;
        Ok(self.send_mapped(process, message, place.turn))
    }

    fn send_mapped<N>(&self, process: &Process, message: N, turn: Option<Turn>) -> Sent
    where
        F: Fn(N) -> M,
    {
        let sent = self.subject.send_to(process, (self.map)(message), turn);
        sent.unwrap_or_else(|unsent| Sent::Lost(unsent.why))
    }
}

impl<M: Send + 'static, N: Send + 'static, F> Target<N> for Mapped<M, F>
where
    F: Fn(N) -> M + Send + Sync,
{
    fn send_to(&self, process: &Process, message: N, turn: Option<Turn>) -> Result<Sent, Unsent<N>> {
        // Looked at first: once it is mapped, the message cannot be given back.
        if !process.head().is_alive() {
            return Err(Unsent::dead(message));
        }
        if process.head().is_bounded() && turn.is_none() && self.subject.counts() {
            return self.send_in_turn(process, message);
        }
        Ok(self.send_mapped(process, message, turn))
    }

    fn process(&self) -> Option<Process> {
        self.subject.process()
    }

    fn fixed_process(&self) -> Option<Process> {
        self.subject.fixed_process()
    }

    fn counts(&self) -> bool {
        self.subject.counts()
    }

    fn is_keyed(&self) -> bool {
        self.subject.is_keyed()
    }
}

impl<M> Clone for Subject<M> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Route::Own(cell) => Route::Own(cell.clone()),
            Route::Tagged(process, tag) => Route::Tagged(process.clone(), *tag),
            Route::Raw(process) => Route::Raw(process.clone()),
            Route::Named(node, name) => Route::Named(node.clone(), *name),
            Route::Mapped(subject) => Route::Mapped(subject.clone()),
        })
    }
}

/// Two subjects are equal if they are one address: not where they only lead to one process, as a name and a subject of its
/// holder do. A [mapped](Subject::map) one is equal to its clones, and so is that of a key.
impl<M> PartialEq for Subject<M> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Route::Own(one), Route::Own(other)) => Arc::ptr_eq(one, other),
            (Route::Tagged(one, tag), Route::Tagged(other, others)) => {
                tag == others && Arc::ptr_eq(one, other)
            }
            (Route::Raw(one), Route::Raw(other)) => Arc::ptr_eq(one, other),
            (Route::Named(node, name), Route::Named(other, others)) => name == others && node.is(other),
            (Route::Mapped(one), Route::Mapped(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl<M> Eq for Subject<M> {}

impl<M> Hash for Subject<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Route::Own(cell) => cell.head().pid.hash(state),
            Route::Tagged(_, tag) => tag.hash(state),
            Route::Raw(process) => process.head().pid.hash(state),
            Route::Named(_, name) => name.hash(state),
            Route::Mapped(target) => Arc::as_ptr(target).cast::<()>().hash(state),
        }
    }
}

impl<M: Send + 'static> From<Name<M>> for Subject<M> {
    fn from(name: Name<M>) -> Self {
        name.subject()
    }
}

impl<M> fmt::Debug for Subject<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Subject");
        match &self.0 {
            Route::Own(cell) => tuple.field(&cell.head().pid),
            Route::Tagged(process, tag) => tuple.field(&process.head().pid).field(tag),
            Route::Raw(process) => tuple.field(&process.head().pid).field(&format_args!("raw")),
            Route::Named(_, name) => tuple.field(name),
            Route::Mapped(_) => tuple.field(&format_args!("mapped")),
        };
        tuple.finish()
    }
}

/// A message was not sent; here it is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<M> {
    /// Nobody takes messages at this subject: the process is dead, or nobody holds the name.
    Dead(M),
    /// The process's mailbox is [bounded](crate::Bound), and full.
    Full(M),
}

impl<M> SendError<M> {
    /// The message that was not sent.
    ///
    /// ```
    /// use erlang_process::{Name, Subject};
    ///
    /// let nobody: Subject<String> = Name::new("nobody").subject();
    /// let back = nobody.try_send("hello".to_owned()).unwrap_err().into_message();
    /// assert_eq!(back, "hello");
    /// ```
    pub fn into_message(self) -> M {
        match self {
            Self::Dead(message) | Self::Full(message) => message,
        }
    }

    /// What the sender is told.
    #[cold]
    pub(crate) fn told(unsent: Unsent<M>) -> Result<(), Self> {
        match unsent.why {
            Refusal::Dead => Err(Self::Dead(unsent.message)),
            Refusal::Full => Err(Self::Full(unsent.message)),
            Refusal::Dropped => Ok(()),
        }
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dead(_) => "no process takes messages at this subject",
            Self::Full(_) => "the mailbox is full",
        })
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dead(_) => "Dead(..)",
            Self::Full(_) => "Full(..)",
        })
    }
}

impl<M> std::error::Error for SendError<M> {}
