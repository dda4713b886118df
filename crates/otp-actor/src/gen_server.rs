//! Actors as one trait with callbacks.

use std::{any::type_name, fmt, sync::Arc};

use erlang_process::{ExitReason, Subject};

use crate::{
    builder::{Builder, INIT_TIMEOUT},
    callbacks::terminate,
    handler::Handler,
    init::{BoxError, Init, Initialised},
    next::{IntoNext, Step},
    sealed::Sealed,
};

/// An actor as a type with callbacks, for those who think in `gen_server`: the value is the state. It runs on the same loop as
/// every actor, and [`server`] gives the same builder.
///
/// Calls and casts are one callback: a request that wants an answer carries its [`Reply`](erlang_process::Reply), and a
/// message that does not, none.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{Reply, Subject};
/// use otp_actor::{self as actor, GenServer, Initialised, Next};
///
/// struct Counter(u64);
///
/// enum Message { Add(u64), Get(Reply<u64>) }
///
/// impl GenServer for Counter {
///     type Args = u64;
///     type Message = Message;
///     type Next = Next;
///
///     async fn init(start: u64, _own: Subject<Message>) -> Result<Initialised<Self, Message, ()>, actor::BoxError> {
///         Ok(Initialised::new(Counter(start)))
///     }
///
///     async fn handle(&mut self, message: Message) -> Next {
///         match message {
///             Message::Add(n) => self.0 += n,
///             Message::Get(reply) => reply.send(self.0),
///         }
///         Next::Continue
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counter = actor::server::<Counter>(40).start().await?.data;
/// counter.send(Message::Add(2));
/// assert_eq!(counter.call(Duration::from_secs(1), Message::Get).await?, 42);
/// # Ok(()) }
/// ```
///
/// Counterpart: the behaviour `gen_server`, `GenServer` in Elixir.
pub trait GenServer: Send + Sized + 'static {
    /// What it is started with.
    type Args: Send + 'static;
    /// What it takes.
    type Message: Send + 'static;
    /// What [`handle`](Self::handle) returns: `()`, [`Next`](crate::Next), [`Step`], or a `Result` of one of these.
    type Next: IntoNext<Self::Message> + Send;

    /// Makes the state, in the new process. `own` is the subject that the starter gets.
    ///
    /// # Errors
    ///
    /// Whatever [`start`](Builder::start) is to fail with.
    ///
    /// Counterpart: `init/1`.
    fn init(
        args: Self::Args,
        own: Subject<Self::Message>,
    ) -> impl Future<Output = Result<Initialised<Self, Self::Message, ()>, BoxError>> + Send;

    /// Handles one message. While it awaits, no other is handled.
    ///
    /// Counterpart: `handle_call/3`, `handle_cast/2`, `handle_info/2`, `handle_continue/2`.
    fn handle(&mut self, message: Self::Message) -> impl Future<Output = Self::Next> + Send;

    /// Cleans up; when it is called, [`Builder::on_terminate`] tells.
    ///
    /// Counterpart: `terminate/2`.
    fn terminate(&mut self, reason: &ExitReason) -> impl Future<Output = ()> + Send {
        let _ = reason;
        std::future::ready(())
    }

    /// Describes the state, see [`Builder::describe`].
    ///
    /// Counterpart: `format_status/1`.
    fn describe(&self) -> Option<String> {
        None
    }

    /// Describes a message, see [`Builder::describe_message`].
    ///
    /// Counterpart: `format_status/1`.
    fn describe_message(message: &Self::Message) -> Option<String> {
        let _ = message;
        None
    }
}

/// An actor that is a [`GenServer`], to be started with these arguments. What its start returns is the subject that takes
/// its messages. [`init`](GenServer::init) has one second, unless [`init_timeout`](Builder::init_timeout) says otherwise.
///
/// ```
/// use erlang_process::{Reply, Subject};
/// use otp_actor::{self as actor, BoxError, GenServer, Initialised};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// struct Greeter(String);
///
/// impl GenServer for Greeter {
///     type Args = &'static str;
///     type Message = Reply<String>;
///     type Next = ();
///
///     async fn init(
///         name: &'static str,
///         _own: Subject<Reply<String>>,
///     ) -> Result<Initialised<Self, Reply<String>, ()>, BoxError> {
///         Ok(Initialised::new(Greeter(format!("hello, {name}"))))
///     }
///
///     async fn handle(&mut self, reply: Reply<String>) {
///         reply.send(self.0.clone());
///     }
/// }
///
/// let greeter = actor::server::<Greeter>("Joe").start().await?.data;
/// assert_eq!(greeter.call(Duration::from_secs(1), |reply| reply).await?, "hello, Joe");
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `gen_server:start_link/3` before it starts, where `init/1` has all the time it wants.
pub fn server<G: GenServer>(args: G::Args) -> Builder<ServerArgs<G>, G, G::Message, Server> {
    let mut builder = Builder::new(ServerArgs(args), INIT_TIMEOUT, Server(()));
    let callbacks = builder.callbacks_mut();
    callbacks.terminate = Some(terminate(|server: &mut G, reason| Box::pin(server.terminate(reason))));
    callbacks.describe = Some(Arc::new(G::describe));
    callbacks.describe_message = Some(Arc::new(G::describe_message));
    builder
}

/// What a [`GenServer`] is started with, see [`server`].
pub struct ServerArgs<G: GenServer>(G::Args);

impl<G: GenServer<Args: Clone>> Clone for ServerArgs<G> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<G: GenServer> fmt::Debug for ServerArgs<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerArgs")
    }
}

impl<G: GenServer> Sealed for ServerArgs<G> {}

impl<G: GenServer> Init<G, G::Message> for ServerArgs<G> {
    type Data = Subject<G::Message>;

    async fn init(
        self,
        subject: Subject<G::Message>,
    ) -> Result<Initialised<G, G::Message, Self::Data>, BoxError> {
        Ok(G::init(self.0, subject.clone()).await?.returning(subject))
    }
}

/// The callbacks of a [`GenServer`] as a handler.
#[derive(Clone, Debug)]
pub struct Server(());

impl Sealed for Server {}

impl<G: GenServer> Handler<G, G::Message> for Server {
    #[inline]
    async fn handle(&mut self, state: &mut G, message: G::Message) -> Step<G::Message> {
        state.handle(message).await.into_next()
    }

    fn name() -> &'static str {
        type_name::<G>()
    }
}
