//! How an actor begins.

use std::{error::Error, fmt, time::Duration};

use erlang_process::{Selector, Subject};

use crate::{
    next::{Action, Next, Step},
    sealed::Sealed,
};

/// Any error, as `?` makes it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What an initialiser has made: the actor's state, what it takes messages by, and what its starter gets.
///
/// ```
/// use erlang_process::{Reply, Subject};
/// use otp_actor::{self as actor, Initialised, StartError};
/// use std::{num::ParseIntError, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limits = |text: &'static str| {
///     let init = async move |own: Subject<Reply<u32>>| {
///         let limit: u32 = text.parse()?;
///         Ok::<_, ParseIntError>(Initialised::new(limit).returning(own))
///     };
///     actor::with_initialiser(Duration::from_secs(1), init)
///         .on_message(|limit: &mut u32, reply: Reply<u32>| reply.send(*limit))
///         .start()
/// };
/// let started = limits("100").await?;
/// assert_eq!(started.data.call(Duration::from_secs(1), |reply| reply).await?, 100);
/// // Who makes none tells why.
/// assert!(matches!(limits("many").await, Err(StartError::InitFailed(_))));
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: the result of `init/1`, `Initialised` in Gleam.
#[must_use]
pub struct Initialised<S, M, D> {
    pub(crate) ready: Option<Ready<S, M>>,
    pub(crate) data: Option<D>,
}

/// An actor that is about to take its first message.
pub(crate) struct Ready<S, M> {
    pub(crate) state: S,
    pub(crate) selector: Option<Selector<M>>,
    pub(crate) action: Action<M>,
}

impl<S, M> Initialised<S, M, ()> {
    /// An actor with this state, that takes messages to its own subject, and whose starter gets nothing.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use otp_actor::{self as actor, Initialised, StartError};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let init = async |_: Subject<u32>| Ok::<_, StartError>(Initialised::new(Vec::new()).returning("ready"));
    /// let started = actor::with_initialiser(Duration::from_secs(1), init)
    ///     .on_message(|seen: &mut Vec<u32>, n: u32| seen.push(n))
    ///     .start()
    ///     .await?;
    /// assert_eq!(started.data, "ready");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `{ok, State}`, `actor.initialised` in Gleam.
    pub fn new(state: S) -> Self {
        Self { ready: Some(Ready { state, selector: None, action: Action::None }), data: Some(()) }
    }

    /// No actor: it chooses not to run, which is no failure. Its process ends normally, and
    /// [`start`](crate::Builder::start) returns [`StartError::Ignored`](crate::StartError::Ignored); a supervisor goes on
    /// without it.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use otp_actor::{self as actor, Initialised, StartError};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // There is nothing to do on this machine.
    /// let init = async |_: Subject<u32>| Ok::<_, StartError>(Initialised::ignore());
    /// let none = actor::with_initialiser(Duration::from_secs(1), init).on_message(|(): &mut (), _: u32| ());
    /// assert!(matches!(none.start().await, Err(StartError::Ignored)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `ignore`.
    pub fn ignore() -> Self {
        Self { ready: None, data: Some(()) }
    }
}

impl<S, M, D> Initialised<S, M, D> {
    /// Takes messages by this selector instead of by the actor's own subject alone. What it does not select
    /// is dropped with a warning, messages to the own subject included.
    ///
    /// ```
    /// use erlang_process::{NotAProcess, Selector, Subject};
    /// use otp_actor::{self as actor, Initialised};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Two ways in: its own subject, and one that takes texts.
    /// let init = async |own: Subject<usize>| {
    ///     let texts = Subject::<&str>::new()?;
    ///     let both = Selector::new().select(&own, |n| n).select(&texts, |text| text.len());
    ///     Ok::<_, NotAProcess>(Initialised::new(0).selecting(both).returning((own, texts)))
    /// };
    /// let started = actor::with_initialiser(Duration::from_secs(1), init)
    ///     .on_message(|sum: &mut usize, n: usize| *sum += n)
    ///     .start()
    ///     .await?;
    /// let (numbers, texts) = started.data;
    /// numbers.send(5);
    /// texts.send("three");
    /// let sum = otp_system::get_state(started.pid, Duration::from_secs(1), |sum: &usize| *sum).await?;
    /// assert_eq!(sum, 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `actor.selecting` in Gleam.
    pub fn selecting(mut self, selector: Selector<M>) -> Self {
        if let Some(ready) = &mut self.ready {
            ready.selector = Some(selector);
        }
        self
    }

    /// Handles this message first, before any that is in the mailbox, and when the starter has been told: for what takes
    /// longer than a starter should wait.
    ///
    /// ```
    /// use otp_actor::Initialised;
    ///
    /// enum Message {
    ///     Load,
    /// }
    ///
    /// // `start` returns before this is handled, and nothing is handled before it.
    /// let initialised: Initialised<Vec<u8>, Message, ()> = Initialised::new(Vec::new()).continue_with(Message::Load);
    /// ```
    ///
    /// Counterpart: `{ok, State, {continue, Term}}`.
    pub fn continue_with(self, message: M) -> Self {
        self.acting(|step| step.continue_with(message))
    }

    /// Handles this message if no other comes for so long, see [`Step::idle_timeout`].
    ///
    /// ```
    /// use erlang_process::{ExitReason, Subject};
    /// use otp_actor::{self as actor, Initialised, Next, StartError};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// enum Message {
    ///     Order(u32),
    ///     GoneQuiet,
    /// }
    ///
    /// let init = async |own: Subject<Message>| {
    ///     let session = Initialised::new(()).idle_timeout(Duration::from_secs(60), Message::GoneQuiet);
    ///     Ok::<_, StartError>(session.returning(own))
    /// };
    /// let handle = |(): &mut (), message| match message {
    ///     Message::Order(_) => Next::Continue,
    ///     Message::GoneQuiet => Next::stop(),
    /// };
    /// // Nobody orders anything.
    /// let session = actor::with_initialiser(Duration::from_secs(1), init).on_message(handle).start().await?;
    /// assert_eq!(erlang_process::join(session.pid).await, ExitReason::Normal);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `{ok, State, Timeout}`.
    pub fn idle_timeout(self, after: Duration, message: M) -> Self {
        self.acting(|step| step.idle_timeout(after, message))
    }

    /// Handles this message if no other has come by then, see [`Step::timeout`].
    ///
    /// ```
    /// use erlang_process::{ExitReason, Subject};
    /// use otp_actor::{self as actor, Initialised, Next, StartError};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// enum Message {
    ///     Password(String),
    ///     TooLate,
    /// }
    ///
    /// // Whoever looks at its state meanwhile does not lengthen it.
    /// let init = async |own: Subject<Message>| {
    ///     let login = Initialised::new(()).timeout(Duration::from_secs(30), Message::TooLate);
    ///     Ok::<_, StartError>(login.returning(own))
    /// };
    /// let handle = |(): &mut (), message| match message {
    ///     Message::Password(_) => Next::Continue,
    ///     Message::TooLate => Next::stop_abnormal("nobody logs in"),
    /// };
    /// let login = actor::with_initialiser(Duration::from_secs(1), init).on_message(handle).start().await?;
    /// assert_eq!(erlang_process::join(login.pid).await, ExitReason::error("nobody logs in"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `{ok, State, {timeout, Time, Message}}`, since OTP 28.
    pub fn timeout(self, after: Duration, message: M) -> Self {
        self.acting(|step| step.timeout(after, message))
    }

    fn acting(mut self, act: impl FnOnce(Step<M>) -> Step<M>) -> Self {
        if let Some(ready) = &mut self.ready {
            ready.action = act(Next::Continue.into()).action;
        }
        self
    }

    /// Hands this to the starter.
    ///
    /// ```
    /// use erlang_process::Subject;
    /// use otp_actor::{self as actor, Initialised};
    /// use std::{io, net::TcpListener, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Any port will do, and whoever starts it wants to know which.
    /// let init = async |_: Subject<()>| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     Ok::<_, io::Error>(Initialised::new(listener).returning(address))
    /// };
    /// let listener = actor::with_initialiser(Duration::from_secs(1), init).on_message(|_: &mut TcpListener, (): ()| ());
    /// assert_ne!(listener.start().await?.data.port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `actor.returning` in Gleam.
    pub fn returning<E>(self, data: E) -> Initialised<S, M, E> {
        Initialised { ready: self.ready, data: Some(data) }
    }
}

impl<S: fmt::Debug, M, D: fmt::Debug> fmt::Debug for Initialised<S, M, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initialised")
            .field("state", &self.ready.as_ref().map(|ready| &ready.state))
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// How an actor comes by its state `S` for messages `M`: it is given to [`new`](crate::new), made by the initialiser of
/// [`with_initialiser`](crate::with_initialiser), or by [`GenServer::init`](crate::GenServer::init).
///
/// It is sealed: whatever else there is to do first, an initialiser can.
#[diagnostic::on_unimplemented(
    message = "this actor has no state `{S}` for messages `{M}`",
    note = "the handler's first argument is a `&mut` of the state that `new` was given, or that the initialiser returns in \
            `Initialised`; the handler's message is what the initialiser's subject and selector take"
)]
pub trait Init<S, M>: Sealed + Send + 'static {
    /// What the starter gets.
    type Data: Send + 'static;

    /// Makes the state, in the actor's process.
    fn init(
        self,
        subject: Subject<M>,
    ) -> impl Future<Output = Result<Initialised<S, M, Self::Data>, BoxError>> + Send;
}

/// A state that is given, see [`new`](crate::new).
#[derive(Clone, Debug)]
pub struct State<S>(pub(crate) S);

impl<S> Sealed for State<S> {}

impl<S: Send + 'static, M: Send + 'static> Init<S, M> for State<S> {
    type Data = Subject<M>;

    async fn init(self, subject: Subject<M>) -> Result<Initialised<S, M, Subject<M>>, BoxError> {
        Ok(Initialised::new(self.0).returning(subject))
    }
}

/// A state that an initialiser makes, see [`with_initialiser`](crate::with_initialiser).
#[derive(Clone)]
pub struct Initialiser<F>(pub(crate) F);

impl<F> fmt::Debug for Initialiser<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Initialiser")
    }
}

impl<F> Sealed for Initialiser<F> {}

impl<S, M, D, E, F, Fut> Init<S, M> for Initialiser<F>
where
    S: Send + 'static,
    M: Send + 'static,
    D: Send + 'static,
    E: Into<BoxError>,
    F: FnOnce(Subject<M>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Initialised<S, M, D>, E>> + Send,
{
    type Data = D;

    async fn init(self, subject: Subject<M>) -> Result<Initialised<S, M, D>, BoxError> {
        (self.0)(subject).await.map_err(Into::into)
    }
}
