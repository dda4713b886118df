//! Building an actor.

use std::{error::Error, fmt, time::Duration};

use erlang_process::{ExitReason, Name, Selector, Spawn, Subject};

use crate::{
    handler::{AsyncFnHandler, AsyncHandler, FnHandler, Handler},
    next::IntoNext,
    server::{self, Describe},
    start::{InitAck, StartError, Started, start_process},
};

/// Any error, as `?` makes it.
type BoxError = Box<dyn Error + Send + Sync>;

/// How long an initialiser may take, if nothing else is said.
const INIT_TIMEOUT: Duration = Duration::from_secs(1);

/// An actor with this state.
///
/// What [`start`](Builder::start) returns is the subject that takes its messages.
///
/// Counterpart: `actor.new` in Gleam.
pub fn new<S: Send + 'static>(state: S) -> New<State<S>> {
    New { init: State(state), init_timeout: INIT_TIMEOUT }
}

/// An actor whose state is made in its own process, by an async function that is given its subject and has as
/// long as `timeout`.
///
/// The function returns [`Initialised`] or an error, which [`start`](Builder::start) returns. It runs in the
/// new process before the actor takes any message, and so can make subjects, monitor, link, trap exits, and
/// open what the actor works with.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{ExitMessage, Selector, Subject};
/// use otp_actor::{self as actor, Initialised, Next};
///
/// enum Message { Job(String), Ended(ExitMessage) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), actor::StartError> {
/// let worker = actor::with_initialiser(Duration::from_secs(5), async |jobs: Subject<String>| {
///     erlang_process::trap_exits(true)?;
/// #   Ok::<_, erlang_process::NotAProcess>(Initialised::new(()).selecting(Selector::<Message>::new()).returning(jobs))
/// });
/// # Ok(()) }
/// ```
///
/// Counterpart: `init/1` of `gen_server`, `actor.new_with_initialiser` in Gleam.
pub fn with_initialiser<F>(timeout: Duration, init: F) -> New<Initialiser<F>> {
    New { init: Initialiser(init), init_timeout: timeout }
}

/// An actor that knows how it begins and not yet what it does: give it a handler.
#[derive(Debug)]
#[must_use = "an actor needs a handler and a start"]
pub struct New<I> {
    init: I,
    init_timeout: Duration,
}

impl<I> New<I> {
    /// Handles messages by a function that borrows the state.
    ///
    /// There is no await inside, so that a kill never leaves a message half done. The function may return
    /// [`Next`](crate::Next), nothing to go on, or a `Result` whose error ends the actor.
    ///
    /// Counterpart: `handle_call`, `handle_cast` and `handle_info` of `gen_server`, `actor.on_message` in
    /// Gleam.
    pub fn on_message<S, M, N, F>(self, handle: F) -> Builder<I, S, M, FnHandler<F>>
    where
        I: Init<S, M>,
        N: IntoNext<M>,
        F: FnMut(&mut S, M) -> N + Send + 'static,
    {
        self.handled_by(FnHandler(handle))
    }

    /// Handles messages by an async function that borrows the state, also across its awaits.
    ///
    /// Takes an `async fn` by its path, or an async closure with annotated arguments that captures nothing.
    /// A kill drops it at the await where it stands, and the state with it. While it awaits, no other
    /// message is handled.
    pub fn on_message_async<S, M, F>(self, handle: F) -> Builder<I, S, M, AsyncFnHandler<F>>
    where
        I: Init<S, M>,
        F: for<'a> AsyncHandler<'a, S, M> + Send + 'static,
    {
        self.handled_by(AsyncFnHandler(handle))
    }

    fn handled_by<S, M, H>(self, handler: H) -> Builder<I, S, M, H> {
        Builder { init: self.init, init_timeout: self.init_timeout, handler, name: None, describe: None }
    }
}

/// An actor that is ready to be started.
#[must_use = "an actor does nothing before it is started"]
pub struct Builder<I, S, M, H> {
    init: I,
    init_timeout: Duration,
    handler: H,
    name: Option<Name<M>>,
    describe: Option<Describe<S>>,
}

impl<I, S, M, H> Builder<I, S, M, H>
where
    S: Send + 'static,
    M: Send + 'static,
    I: Init<S, M>,
    H: Handler<S, M>,
{
    /// Registers the actor under this name before its initialiser runs. The subject that the initialiser is
    /// given, and that [`start`](Self::start) returns, is then the name's: it stays valid when the actor is
    /// restarted.
    ///
    /// Counterpart: the name argument of `gen_server:start_link/4`, `actor.named` in Gleam.
    pub fn named(mut self, name: Name<M>) -> Self {
        self.name = Some(name);
        self
    }

    /// Describes the state to those who ask for the actor's status, see
    /// [`get_status`](otp_system::get_status).
    ///
    /// Counterpart: `format_status/1` of `gen_server`.
    pub fn describe(mut self, describe: impl Fn(&S) -> String + Send + 'static) -> Self {
        self.describe = Some(Box::new(describe));
        self
    }

    /// Starts the actor, linked with the calling process if there is one, and waits until it is initialised.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the initialiser failed, ended or took too long, or the name is taken. Nothing is left
    /// of the actor then, and no exit signal reaches the caller.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the actor, unless it was returned.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `gen_server:start_link/4`, `actor.start` in Gleam.
    pub fn start(self) -> impl Future<Output = Result<Started<I::Data>, StartError>> + Send {
        // Not an `async fn`: of those the compiler does not believe that they can be sent once a `&'static str`
        // is among the types of the actor.
        let Self { init, init_timeout, handler, name, describe } = self;
        let spawn = match name {
            Some(name) => Spawn::new().named(name),
            None => Spawn::new(),
        };
        let body = move |own: Subject<M>, ack: InitAck<I::Data>| async move {
            let address = name.map_or_else(|| own.clone(), Name::subject);
            let mut initialised = match init.init(address).await {
                Ok(initialised) => initialised,
                Err(error) => {
                    ack.failed(error);
                    return ExitReason::Normal;
                }
            };
            let parent = ack.parent();
            if let Some(data) = initialised.data.take()
                && let Err(reason) = ack.ready(data)
            {
                return reason;
            }
            server::run(own, parent, initialised, handler, describe).await
        };
        start_process(spawn, init_timeout, body)
    }
}

impl<I: fmt::Debug, S, M, H> fmt::Debug for Builder<I, S, M, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("init", &self.init).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What an initialiser has made: the actor's state, what it takes messages by, and what its starter gets.
///
/// Counterpart: `{ok, State}`, `Initialised` in Gleam.
#[must_use]
pub struct Initialised<S, M, D> {
    pub(crate) state: S,
    pub(crate) selector: Option<Selector<M>>,
    data: Option<D>,
}

impl<S, M> Initialised<S, M, ()> {
    /// An actor with this state, that takes messages to its own subject, and whose starter gets nothing.
    ///
    /// Counterpart: `actor.initialised` in Gleam.
    pub fn new(state: S) -> Self {
        Self { state, selector: None, data: Some(()) }
    }
}

impl<S, M, D> Initialised<S, M, D> {
    /// Takes messages by this selector instead of by the actor's own subject alone. What it does not select
    /// is dropped with a warning, messages to the own subject included.
    ///
    /// Counterpart: `actor.selecting` in Gleam.
    pub fn selecting(mut self, selector: Selector<M>) -> Self {
        self.selector = Some(selector);
        self
    }

    /// Hands this to the starter.
    ///
    /// Counterpart: `actor.returning` in Gleam.
    pub fn returning<E>(self, data: E) -> Initialised<S, M, E> {
        Initialised { state: self.state, selector: self.selector, data: Some(data) }
    }
}

impl<S: fmt::Debug, M, D: fmt::Debug> fmt::Debug for Initialised<S, M, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initialised")
            .field("state", &self.state)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// How an actor comes by its state `S` for messages `M`: it is given, or made by an initialiser.
pub trait Init<S, M>: Send + 'static {
    /// What the starter gets.
    type Data: Send + 'static;

    /// Makes the state, in the actor's process.
    fn init(
        self,
        subject: Subject<M>,
    ) -> impl Future<Output = Result<Initialised<S, M, Self::Data>, BoxError>> + Send;
}

/// A state that is given, see [`new`].
#[derive(Debug)]
pub struct State<S>(S);

impl<S: Send + 'static, M: Send + 'static> Init<S, M> for State<S> {
    type Data = Subject<M>;

    async fn init(self, subject: Subject<M>) -> Result<Initialised<S, M, Subject<M>>, BoxError> {
        Ok(Initialised::new(self.0).returning(subject))
    }
}

/// A state that an initialiser makes, see [`with_initialiser`].
pub struct Initialiser<F>(F);

impl<F> fmt::Debug for Initialiser<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Initialiser")
    }
}

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
