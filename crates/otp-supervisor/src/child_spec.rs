//! What a child is: how it starts, and how its supervisor treats it.

use std::{
    borrow::Cow,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use erlang_process::{IntoExitReason, Pid, SharedError, kill, rescue, spawn};
use otp_actor::{StartError, Started};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;

use crate::{
    report,
    semantics::{Backoff, ChildRules, ChildType, Restart, Shutdown},
};

/// What a child is called by its supervisor: a text, or a number where none was given.
///
/// A number is the child's place among those of its [builder](crate::static_supervisor::Builder::add), or, if it was
/// [started later](crate::static_supervisor::Supervisor::start_child), says the how-manyth of these it is. No two of these
/// ids are equal, nor is one of them equal to a text.
///
/// ```
/// use otp_supervisor::ChildId;
///
/// let (ledger, worker) = (ChildId::from("ledger"), ChildId::from(format!("worker {}", 7)));
/// assert_eq!([ledger.to_string(), worker.to_string()], ["ledger", "worker 7"]);
/// let shard = format!("shard-{}", 3);
/// // A text that is borrowed for a while only is cloned.
/// assert_eq!(ChildId::from(&shard), "shard-3");
/// assert!(ChildId::from(&shard) != *"shard-4");
/// ```
///
/// Counterpart: the `id` of a child specification.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildId(Id);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Id {
    Given(Cow<'static, str>),
    Placed(u64),
    Added(u64),
}

impl ChildId {
    /// Of a child without an id, at this place of a builder.
    pub(crate) fn placed(place: u64) -> Self {
        Self(Id::Placed(place))
    }

    /// Of a child without an id that is added to a supervisor that runs, as the one with this number.
    pub(crate) fn added(number: u64) -> Self {
        Self(Id::Added(number))
    }
}

impl From<&'static str> for ChildId {
    fn from(text: &'static str) -> Self {
        Self(Id::Given(text.into()))
    }
}

impl From<&String> for ChildId {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl From<Cow<'static, str>> for ChildId {
    fn from(text: Cow<'static, str>) -> Self {
        Self(Id::Given(text))
    }
}

/// Whether the child was given this text: a number is equal to none.
impl PartialEq<str> for ChildId {
    fn eq(&self, text: &str) -> bool {
        matches!(&self.0, Id::Given(given) if given == text)
    }
}

impl PartialEq<&str> for ChildId {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

impl From<String> for ChildId {
    fn from(text: String) -> Self {
        Self(Id::Given(text.into()))
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Given(text) => f.write_str(text),
            Id::Placed(place) => write!(f, "child-{place}"),
            Id::Added(number) => write!(f, "added-{number}"),
        }
    }
}

impl fmt::Debug for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Starts a child, each time anew, and hands its data to who has asked for them.
pub(crate) type Start<D> = Box<dyn FnMut(Option<Taker<D>>) -> Launching + Send>;

/// Takes what a start returns.
pub(crate) type Taker<D> = Box<dyn FnOnce(D) + Send>;

/// A start under way.
pub(crate) type Launching = Pin<Box<dyn Future<Output = Result<Pid, StartError>> + Send>>;

/// How a child is started, and how its supervisor treats it. Made by [`worker`], [`supervisor`] or
/// [`process`].
///
/// | | worker, process | supervisor |
/// |---|---|---|
/// | [restart](Self::restart) | permanent | permanent |
/// | [shutdown](Self::shutdown) | 5 s | as long as it takes |
/// | [significant](Self::significant) | no | no |
///
/// ```
/// use otp_supervisor::{Restart, Shutdown, supervision};
/// use std::time::Duration;
///
/// async fn deliver_mail() {}
///
/// let mailer = supervision::process(deliver_mail)
///     .id("mailer")
///     .restart(Restart::Transient)
///     .shutdown(Shutdown::After(Duration::from_secs(30)));
/// ```
///
/// Counterpart: `child_spec()` in Erlang, `ChildSpecification` in Gleam.
#[must_use]
pub struct ChildSpec<D = ()> {
    id: Option<ChildId>,
    pub(crate) start: Start<D>,
    restart: Restart,
    significant: bool,
    shutdown: Shutdown,
    child_type: ChildType,
    backoff: Option<Backoff>,
}

/// A child that is not a supervisor: an actor, or anything else whose start is a handshake.
///
/// `start` is run in the supervisor's process, for the first start and for each restart, and has to start a
/// process that is linked with it, as [`actor`](otp_actor)s do.
///
/// ```
/// use erlang_process::Name;
/// use otp_actor as actor;
/// use otp_supervisor::supervision;
///
/// let name = Name::new("counter");
/// let counter = supervision::worker(move || {
///     actor::new(0).on_message(|count: &mut u64, add: u64| *count += add).named(name).start()
/// });
/// # drop(counter);
/// ```
///
/// Counterpart: `supervision.worker` in Gleam.
pub fn worker<D: 'static, F>(start: impl FnMut() -> F + Send + 'static) -> ChildSpec<D>
where
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    ChildSpec::new(ChildType::Worker, start)
}

/// A child that is itself a supervisor, and so gets all the time that it needs to stop its children.
///
/// ```
/// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A tree in a tree.
/// let pool = || {
///     let worker = |id| supervision::process(std::future::pending::<()>).id(id);
///     supervisor::new(Strategy::OneForOne).add(worker("one")).add(worker("two")).start()
/// };
/// let tree = supervisor::new(Strategy::RestForOne).add(supervision::supervisor(pool).id("pool")).start().await?;
/// assert_eq!(tree.data.count_children().await?.supervisors, 1);
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `supervision.supervisor` in Gleam.
pub fn supervisor<D: 'static, F>(start: impl FnMut() -> F + Send + 'static) -> ChildSpec<D>
where
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    ChildSpec::new(ChildType::Supervisor, start)
}

/// A child that is any async function: a server's accept loop, a loop over a queue. It counts as started when
/// it is spawned.
///
/// A function that returns has ended, and is started again, as [permanent](Restart::Permanent) children are; if it returns
/// at once its supervisor soon gives up. One that may be done is [transient](Restart::Transient), one that is to run once
/// [temporary](Restart::Temporary): see [`restart`](ChildSpec::restart). One that shall not seem started before it is ready, such as a
/// server that has its port, is a [`worker`] that [`start_process`](otp_actor::start_process) starts. A future that is not
/// `Send` gets [a thread of its own](erlang_process::spawn_local#under-a-supervisor).
///
/// ```
/// use otp_supervisor::supervision;
///
/// let heartbeat = supervision::process(|| async {
///     loop {
///         tokio::time::sleep(std::time::Duration::from_secs(60)).await;
///     }
/// });
/// # drop(heartbeat);
/// ```
///
/// Counterpart: a child that is started by `proc_lib:spawn_link/3`.
pub fn process<F>(mut body: impl FnMut() -> F + Send + 'static) -> ChildSpec<()>
where
    F: Future<Output: IntoExitReason> + Send + 'static,
{
    ChildSpec::new(ChildType::Worker, move || {
        let body = body();
        // Spawned by the future, not by the closure: only that runs in the supervisor.
        async { Ok(Started { pid: spawn(body), data: () }) }
    })
}

impl<D: 'static> ChildSpec<D> {
    fn new<F>(child_type: ChildType, mut start: impl FnMut() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
    {
        Self {
            id: None,
            start: Box::new(move |taker| launching(start(), taker)),
            restart: Restart::Permanent,
            significant: false,
            shutdown: child_type.default_shutdown(),
            child_type,
            backoff: None,
        }
    }

    /// What the supervisor calls the child. Has to be unique among its children; without it the child gets a
    /// number.
    ///
    /// ```
    /// use otp_supervisor::supervision;
    ///
    /// // By this it is found, and told of in reports.
    /// let listener = supervision::process(std::future::pending::<()>).id("listener");
    /// let numbered = supervision::process(std::future::pending::<()>).id(format!("worker-{}", 7));
    /// ```
    pub fn id(mut self, id: impl Into<ChildId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// When the child is started again after it has ended.
    ///
    /// ```
    /// use otp_supervisor::{Restart, supervision};
    ///
    /// let once = supervision::process(std::future::pending::<()>).restart(Restart::Temporary);
    /// ```
    ///
    /// Counterpart: `restart`, `supervision.restart` in Gleam.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Whether the child's end can end the supervisor, see
    /// [`AutoShutdown`](crate::AutoShutdown). Refused for permanent children, and by supervisors that never
    /// shut down by themselves.
    ///
    /// ```
    /// use otp_supervisor::{Restart, supervision};
    ///
    /// // With `auto_shutdown`, its supervisor ends when it does.
    /// let job = supervision::process(std::future::pending::<()>).restart(Restart::Transient).significant(true);
    /// ```
    ///
    /// Counterpart: `significant`, `supervision.significant` in Gleam.
    pub fn significant(mut self, significant: bool) -> Self {
        self.significant = significant;
        self
    }

    /// How the child is stopped, and how long it is given.
    ///
    /// ```
    /// use otp_supervisor::{Shutdown, supervision};
    /// use std::time::Duration;
    ///
    /// let saves_a_file = supervision::process(std::future::pending::<()>).shutdown(Shutdown::After(Duration::from_secs(30)));
    /// let has_nothing_to_lose = supervision::process(std::future::pending::<()>).shutdown(Shutdown::BrutalKill);
    /// ```
    ///
    /// Counterpart: `shutdown`, `supervision.timeout` in Gleam.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Puts the child's restarts off, each further one in a row for longer. Without this, a child is restarted at once, as in
    /// OTP, which does not know this.
    ///
    /// Meanwhile the child is [restarting](crate::Presence::Restarting), and its supervisor serves others. Where its end
    /// restarts others too, these are stopped at once and wait with it. A restart counts for the
    /// [tolerance](crate::static_supervisor::Builder::restart_tolerance) when the child ends, not when it begins anew.
    ///
    /// [Terminating](crate::static_supervisor::Supervisor::terminate_child) the child meanwhile calls the restart off for all
    /// that wait with it, as in OTP where a restart has failed and is to be tried again: they stay stopped until
    /// [each is asked for](crate::static_supervisor::Supervisor::restart_child), or their group is restarted.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otp_supervisor::{Backoff, supervision};
    ///
    /// let client = supervision::process(|| async { /* connect, and serve until the connection is lost */ })
    ///     .backoff(Backoff::new(Duration::from_millis(100), Duration::from_secs(30)));
    /// # drop(client);
    /// ```
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// The same child, with what its start returns turned into something else. If that panics, the start has failed, and
    /// what was started is killed.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use otp_actor as actor;
    /// use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// enum Message {
    ///     Sold(u32),
    ///     Audit,
    /// }
    ///
    /// // Whoever starts a till can sell, and nothing else.
    /// let till = || actor::new(0).on_message(|sum: &mut u32, message| match message {
    ///     Message::Sold(price) => *sum += price,
    ///     Message::Audit => *sum = 0,
    /// });
    /// let till = supervision::worker(move || till().start()).map_data(|own| own.map(Message::Sold));
    /// let shop = supervisor::new(Strategy::OneForOne).start().await?.data;
    /// let sold: Subject<u32> = shop.start_child(till).await?.data;
    /// sold.send(250);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `supervision.map_data` in Gleam.
    pub fn map_data<E: 'static>(self, map: impl Fn(D) -> E + Clone + Send + 'static) -> ChildSpec<E> {
        let mut start = self.start;
        ChildSpec {
            id: self.id,
            start: Box::new(move |taker| {
                let map = map.clone();
                start(Some(Box::new(move |data| {
                    let data = map(data);
                    match taker {
                        Some(take) => take(data),
                        None => discard(data),
                    }
                })))
            }),
            restart: self.restart,
            significant: self.significant,
            shutdown: self.shutdown,
            child_type: self.child_type,
            backoff: self.backoff,
        }
    }

    /// The rules of a child, which gets this id if it has none.
    pub(crate) fn rules(&self, otherwise: ChildId) -> ChildRules<ChildId> {
        let id = self.id.clone().unwrap_or(otherwise);
        let rules = match self.child_type {
            ChildType::Worker => ChildRules::worker(id),
            ChildType::Supervisor => ChildRules::supervisor(id),
        };
        ChildRules {
            restart: self.restart,
            significant: self.significant,
            shutdown: self.shutdown,
            backoff: self.backoff,
            ..rules
        }
    }
}

impl<D> fmt::Debug for ChildSpec<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("restart", &self.restart)
            .field("significant", &self.significant)
            .field("shutdown", &self.shutdown)
            .field("child_type", &self.child_type)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

/// One start: its data goes to the taker.
pub(crate) fn launching<D, F>(starting: F, taker: Option<Taker<D>>) -> Launching
where
    D: 'static,
    F: Future<Output = Result<Started<D>, StartError>> + Send + 'static,
{
    Box::pin(Handing { starting, taker })
}

pin_project! {
    /// A start that hands its data on. Written out: as an `async` block it would have room for `starting` twice, which for
    /// an actor is two kilobytes, and move it once more.
    struct Handing<F, D> {
        #[pin]
        starting: F,
        taker: Option<Taker<D>>,
    }
}

impl<F: Future<Output = Result<Started<D>, StartError>>, D> Future for Handing<F, D> {
    type Output = Result<Pid, StartError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Started { pid, data } = ready!(this.starting.poll(cx))?;
        match this.taker.take() {
            // What a user makes of the data may panic: then nobody has the child, and it must not run on.
            Some(take) => rescue(|| take(data)).map_err(|reason| {
                kill(pid);
                StartError::InitExited(reason)
            })?,
            None => discard(data),
        }
        Poll::Ready(Ok(pid))
    }
}

/// Drops what holds values of the user's. A panic in that is nobody's end.
pub(crate) fn discard<T>(value: T) {
    if let Err(reason) = rescue(|| drop(value)) {
        report::drop_panicked(&reason);
    }
}

/// Starts a child whose data nobody waits for.
pub(crate) type Launch = Box<dyn FnMut() -> Launching + Send>;

/// A start that hands its data, the first time, to who has asked for the child.
pub(crate) fn launch<D: Send + 'static>(
    mut start: impl FnMut(Option<Taker<D>>) -> Launching + Send + 'static,
    mut asked: Option<oneshot::Sender<D>>,
) -> Launch {
    Box::new(move || {
        let taker = asked.take().map(|asked| -> Taker<D> { Box::new(|data| discard(asked.send(data))) });
        start(taker)
    })
}

/// A child could not be started with its supervisor, which therefore did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedToStartChild {
    /// Which child.
    pub id: ChildId,
    /// Why.
    pub error: StartError,
}

impl fmt::Display for FailedToStartChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the child {} did not start: {}", self.id, self.error)
    }
}

impl std::error::Error for FailedToStartChild {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<FailedToStartChild> for SharedError {
    fn from(error: FailedToStartChild) -> Self {
        std::sync::Arc::new(error)
    }
}
