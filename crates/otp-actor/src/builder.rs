//! Building an actor.

use std::{fmt, sync::Arc, time::Duration};

use erlang_process::{
    Bound, ExitReason, Monitor, Name, Node, NotAProcess, NotRegistered, Spawn, Subject, current, trap_exits,
    whereis,
};
use otp_system::DebugOptions;

use crate::{
    callbacks::{AsyncTerminate, Callbacks, terminate},
    handler::{AsyncFnHandler, AsyncHandler, FnHandler, Handler},
    init::{BoxError, Init, Initialised, Initialiser, State},
    next::IntoNext,
    server::Server,
    start::{InitAck, Outcome, StartError, Started, handshake, monitored, unmonitored},
    then::Then,
};

/// How long an initialiser may take, if nothing else is said.
pub(crate) const INIT_TIMEOUT: Duration = Duration::from_secs(1);

/// An actor with this state.
///
/// What [`start`](Builder::start) returns is the subject that takes its messages.
///
/// ```
/// use otp_actor as actor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sum = actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start().await?.data;
/// sum.send(5);
/// # Ok(())
/// # }
/// ```
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
/// open what the actor works with. Its last line names the type of its errors; where `?` meets several, that is
/// [`BoxError`], which takes them all.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{MissedTicks, Subject};
/// use otp_actor::{self as actor, BoxError, Initialised};
///
/// enum Message { Add(u32), Sweep }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), actor::StartError> {
/// let init = async |own: Subject<Message>| {
///     let first: u32 = std::str::from_utf8(b"7")?.parse()?;
///     // Each second, for as long as this actor lives: the one that is started after a crash sets its own.
///     own.send_interval(Duration::from_secs(1), MissedTicks::Skip, || Message::Sweep);
///     Ok::<_, BoxError>(Initialised::new(vec![first]).returning(own))
/// };
/// let numbers = actor::with_initialiser(Duration::from_secs(5), init).on_message(|numbers: &mut Vec<u32>, message| {
///     match message {
///         Message::Add(n) => numbers.push(n),
///         Message::Sweep => numbers.retain(|n| *n > 0),
///     }
/// });
/// numbers.start().await?.data.send(Message::Add(0));
/// # Ok(()) }
/// ```
///
/// Counterpart: `init/1` of `gen_server`, `actor.new_with_initialiser` in Gleam.
pub fn with_initialiser<F>(timeout: Duration, init: F) -> New<Initialiser<F>> {
    New { init: Initialiser(init), init_timeout: timeout }
}

/// An actor that knows how it begins and not yet what it does: give it a handler.
///
/// ```
/// use otp_actor as actor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // What it is, and then what it does.
/// let sum = actor::new(0);
/// let sum = sum.on_message(|sum: &mut u32, n: u32| *sum += n);
/// sum.start().await?.data.send(5);
/// # Ok(())
/// # }
/// ```
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
    /// ```
    /// use otp_actor::{self as actor, Next};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Returns nothing, and so goes on; a `Next`, which says how; or a `Result`, whose error it ends with.
    /// fn handle(lines: &mut Vec<String>, line: String) -> Result<Next, std::num::ParseIntError> {
    ///     if line.parse::<i64>()? < 0 {
    ///         return Ok(Next::stop());
    ///     }
    ///     lines.push(line);
    ///     Ok(Next::Continue)
    /// }
    ///
    /// let numbers = actor::new(Vec::new()).on_message(handle).start().await?.data;
    /// numbers.send("7".to_owned());
    /// # Ok(())
    /// # }
    /// ```
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
    /// Takes an `async fn` by its path, or an async closure with annotated arguments that captures nothing: what else it
    /// works with, such as a pool of connections, belongs into the state.
    /// A kill drops it at the await where it stands, and the state with it. While it awaits, no other
    /// message is handled.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor as actor;
    /// use std::{sync::Arc, time::Duration};
    /// use tokio::sync::Semaphore;
    ///
    /// struct Counter {
    ///     pool: Arc<Semaphore>, // shared with others
    ///     count: u32,           // its own
    /// }
    ///
    /// // Borrows the state across its awaits. Until it is done the actor handles nothing else.
    /// async fn handle(state: &mut Counter, reply: Reply<u32>) -> Result<(), tokio::sync::AcquireError> {
    ///     let _connection = state.pool.acquire().await?;
    ///     state.count += 1;
    ///     reply.send(state.count);
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counter = Counter { pool: Arc::new(Semaphore::new(3)), count: 0 };
    /// let counter = actor::new(counter).on_message_async(handle).start().await?.data;
    /// assert_eq!(counter.call(Duration::from_secs(1), |reply| reply).await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_message_async<S, M, F>(self, handle: F) -> Builder<I, S, M, AsyncFnHandler<F>>
    where
        I: Init<S, M>,
        F: for<'a> AsyncHandler<'a, S, M> + Send + 'static,
    {
        self.handled_by(AsyncFnHandler(handle))
    }

    fn handled_by<S, M, H>(self, handler: H) -> Builder<I, S, M, H> {
        Builder::new(self.init, self.init_timeout, handler)
    }
}

/// An actor that is ready to be started; a clone of it, where state and handler can be cloned, to be started again.
///
/// ```
/// use otp_actor as actor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sum = actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).label("sum");
/// // Two of a kind.
/// let (one, other) = (sum.clone().start().await?, sum.start().await?);
/// assert_ne!(one.pid, other.pid);
/// # Ok(())
/// # }
/// ```
#[must_use = "an actor does nothing before it is started"]
pub struct Builder<I, S, M, H> {
    init: I,
    init_timeout: Duration,
    handler: H,
    name: Option<Name<M>>,
    callbacks: Option<Box<Callbacks<S, M>>>,
    options: Option<Box<Options>>,
}

/// What is seldom said.
#[derive(Clone, Default)]
struct Options {
    debug: Option<Box<DebugOptions>>,
    label: Option<String>,
    mailbox: Option<Bound>,
    traps_exits: bool,
}

impl<I, S, M, H> Builder<I, S, M, H> {
    pub(crate) fn new(init: I, init_timeout: Duration, handler: H) -> Self {
        Self { init, init_timeout, handler, name: None, callbacks: None, options: None }
    }

    pub(crate) fn callbacks_mut(&mut self) -> &mut Callbacks<S, M> {
        self.callbacks.get_or_insert_default()
    }

    fn options_mut(&mut self) -> &mut Options {
        self.options.get_or_insert_default()
    }
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
    /// restarted. What the initialiser has sent to it later, by [`send_after`](Subject::send_after), reaches whoever holds
    /// the name then; at intervals, by [`send_interval`](Subject::send_interval), only as long as this actor lives.
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_actor as actor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let name = Name::new("sum");
    /// actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).named(name).start().await?;
    /// name.subject().send(5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: the name argument of `gen_server:start_link/4`, `actor.named` in Gleam.
    pub fn named(mut self, name: Name<M>) -> Self {
        self.name = Some(name);
        self
    }

    /// How long the initialiser may take: one second, if nothing else is said.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use std::time::Duration;
    ///
    /// let patient = actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).init_timeout(Duration::from_secs(30));
    /// ```
    ///
    /// Counterpart: the option `timeout` of `gen_server:start_link/4`.
    pub fn init_timeout(mut self, timeout: Duration) -> Self {
        self.init_timeout = timeout;
        self
    }

    /// Describes the state to those who ask for the actor's status, see
    /// [`get_status`](otp_system::get_status), and in its crash report.
    ///
    /// ```
    /// use otp_actor as actor;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let names = actor::new(vec!["Joe", "Mike"])
    ///     .on_message(|names: &mut Vec<_>, name: &'static str| names.push(name))
    ///     .describe(|names| format!("{} names", names.len()))
    ///     .start()
    ///     .await?;
    /// let status = otp_system::get_status(names.pid, Duration::from_secs(1)).await?;
    /// assert!(format!("{status:?}").contains("2 names"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `format_status/1` of `gen_server`.
    pub fn describe(mut self, describe: impl Fn(&S) -> String + Send + Sync + 'static) -> Self {
        self.callbacks_mut().describe = Some(Arc::new(move |state| Some(describe(state))));
        self
    }

    /// Describes messages to those who debug the actor, who otherwise learn their type only.
    ///
    /// ```
    /// use otp_actor as actor;
    ///
    /// // In traces and logs of events, instead of the type.
    /// let sum = actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).describe_message(|n| format!("add {n}"));
    /// ```
    ///
    /// Counterpart: `format_status/1` of `gen_server`, and its `message`.
    pub fn describe_message(mut self, describe: impl Fn(&M) -> String + Send + Sync + 'static) -> Self {
        self.callbacks_mut().describe_message = Some(Arc::new(move |message| Some(describe(message))));
        self
    }

    /// Cleans up before the actor ends, where it can know that it does:
    ///
    /// | the actor ends because | called |
    /// |---|---|
    /// | its handler stops it, or returns an error | yes |
    /// | its handler panics, or [exits](erlang_process::exit) | yes, with the state as that has left it |
    /// | it [traps exits](Self::trap_exits), and its supervisor stops it or its parent ends | yes |
    /// | it is told to by [`stop`](crate::stop()) or [`terminate`](otp_system::terminate) | yes |
    /// | its initialiser fails | no |
    /// | its supervisor stops it, or a link or an exit signal ends it, and it does not trap exits | **no** |
    /// | it is killed, or its runtime is shut down | no |
    ///
    /// Where it is not, the state is dropped all the same: what has to happen always belongs into its `Drop`. If the
    /// function panics or exits, its reason takes the place of the first.
    /// It can be called again, because an actor that is supervised is started again.
    ///
    /// After a panic or an error the state may be what has led to it: who saves it for the next start asks the reason whether
    /// it [is orderly](ExitReason::is_orderly).
    ///
    /// ```
    /// use erlang_process::ExitReason;
    /// use otp_actor as actor;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let log = actor::new(Vec::new())
    ///     .on_message(|lines: &mut Vec<String>, line: String| lines.push(line))
    ///     .on_terminate(|lines, reason| println!("{reason}: {} lines to be written", lines.len()))
    ///     .start()
    ///     .await?;
    /// actor::stop(log.pid, ExitReason::Shutdown, Duration::from_secs(1)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `terminate/2` of `gen_server`.
    pub fn on_terminate(mut self, function: impl Fn(&mut S, &ExitReason) + Send + Sync + 'static) -> Self {
        self.callbacks_mut().terminate = Some(terminate(move |state, reason| {
            function(state, reason);
            Box::pin(std::future::ready(()))
        }));
        self
    }

    /// As [`on_terminate`](Self::on_terminate), by an `async fn`, which may take its time: who stops the actor decides
    /// how much.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    /// use otp_actor as actor;
    ///
    /// async fn say_goodbye(names: &mut Vec<String>, _: &ExitReason) {
    ///     names.clear();
    /// }
    ///
    /// let room = actor::new(Vec::new())
    ///     .on_message(|names: &mut Vec<String>, name: String| names.push(name))
    ///     .on_terminate_async(say_goodbye);
    /// ```
    pub fn on_terminate_async<F>(mut self, function: F) -> Self
    where
        F: for<'a> AsyncTerminate<'a, S> + Send + Sync + 'static,
    {
        self.callbacks_mut().terminate =
            Some(terminate(move |state, reason| Box::pin(function.call(state, reason))));
        self
    }

    /// Traps exits, from when the initialiser is done: a supervisor that stops the actor, and a parent that ends, end it
    /// by [`on_terminate`](Self::on_terminate), and not in the middle of what it awaits.
    ///
    /// The exits of others that it is linked with become messages, which are dropped with a warning unless its
    /// [selector](crate::Initialised::selecting) takes them.
    ///
    /// ```
    /// use erlang_process as process;
    /// use otp_actor as actor;
    /// use std::sync::OnceLock;
    ///
    /// static SAVED: OnceLock<u32> = OnceLock::new();
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sum = actor::new(7)
    ///     .on_message(|sum: &mut u32, n: u32| *sum += n)
    ///     .trap_exits()
    ///     .on_terminate(|sum, _| drop(SAVED.set(*sum)));
    /// // Its parent starts it, and ends.
    /// let sum = process::run(async { sum.start().await }).await??;
    /// process::join(sum.pid).await;
    /// assert_eq!(SAVED.get(), Some(&7));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `process_flag(trap_exit, true)` in `init/1`.
    pub fn trap_exits(mut self) -> Self {
        self.options_mut().traps_exits = true;
        self
    }

    /// Begins with these debug functions, see [`otp_system`].
    ///
    /// ```
    /// use otp_actor as actor;
    /// use otp_system::DebugOptions;
    ///
    /// let sum = actor::new(0)
    ///     .on_message(|sum: &mut u32, n: u32| *sum += n)
    ///     .debug(DebugOptions::new().log(20).statistics());
    /// ```
    ///
    /// Counterpart: the option `debug` of `gen_server:start_link/4`.
    pub fn debug(mut self, options: DebugOptions) -> Self {
        self.options_mut().debug = Some(Box::new(options));
        self
    }

    /// Bounds the actor's mailbox, and says what happens to messages that it has no room for, see [`Spawn::mailbox`]. Without
    /// this, there is no bound.
    ///
    /// ```
    /// use erlang_process::{Bound, SendError, WhenFull};
    /// use otp_actor as actor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let printer = actor::new(()).on_message(|_: &mut (), page: u32| println!("page {page}"));
    /// let printer = printer.mailbox(Bound::new(1, WhenFull::Refuse)).start().await?.data;
    /// printer.send(1);
    /// // It has not come to the first yet.
    /// assert_eq!(printer.try_send(2), Err(SendError::Full(2)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: none in OTP; the option `spawn_opt` of `gen_server:start_link/4` has `max_heap_size`.
    pub fn mailbox(mut self, bound: Bound) -> Self {
        self.options_mut().mailbox = Some(bound);
        self
    }

    /// Gives the actor's process this label, by which reports and its [`Info`](erlang_process::Info) tell it from others, see
    /// [`set_label`](erlang_process::set_label).
    ///
    /// ```
    /// use erlang_process::Node;
    /// use otp_actor as actor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let session = actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).label("session of Joe");
    /// let pid = session.start().await?.pid;
    /// assert_eq!(Node::current().info(pid).unwrap().label.as_deref(), Some("session of Joe"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `proc_lib:set_label/1`, called by `init/1`.
    pub fn label(mut self, label: &str) -> Self {
        self.options_mut().label = Some(label.to_owned());
        self
    }

    /// Starts the actor, linked with the calling process if there is one, and waits until it is initialised.
    ///
    /// ```
    /// use otp_actor::{self as actor, StartError};
    /// use erlang_process::Name;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let name = Name::new("only one");
    /// let sum = actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).named(name);
    /// let first = sum.clone().start().await?;
    /// let Err(StartError::AlreadyStarted(holder)) = sum.start().await else { panic!("two of them") };
    /// assert_eq!(holder, first.pid);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError`]: the initialiser failed, ended, took too long, or chose not to run, or the name is taken. Nothing is
    /// left of the actor then, unless it is [`Unresponsive`](StartError::Unresponsive), and no exit signal reaches the caller.
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
        self.launch(Spawn::new(), false, unmonitored)
    }

    /// As [`start`](Self::start), not linked with the calling process, which then is not its parent either.
    ///
    /// ```
    /// use otp_actor as actor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sum = actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start_unlinked().await?;
    /// sum.data.send(7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    ///
    /// As [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `gen_server:start/4`.
    pub fn start_unlinked(self) -> impl Future<Output = Result<Started<I::Data>, StartError>> + Send {
        self.launch(Spawn::new().unlinked(), false, unmonitored)
    }

    /// As [`start_unlinked`](Self::start_unlinked), monitored by the calling process from the beginning: the monitor
    /// always tells the true reason. Of a failed start it tells nothing.
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason};
    /// use otp_actor::{self as actor, Next};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let reason = process::run(async {
    ///     let brief = actor::new(()).on_message(|(): &mut (), (): ()| Next::stop());
    ///     let (started, monitor) = brief.start_monitored().await?;
    ///     started.data.send(());
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(monitor.down().await?.reason)
    /// });
    /// assert_eq!(reason.await?.unwrap(), ExitReason::Normal);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and outside any process.
    ///
    /// # Cancel safety
    ///
    /// As [`start`](Self::start); the monitor is gone then as well.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `gen_server:start_monitor/4`.
    pub fn start_monitored(
        self,
    ) -> impl Future<Output = Result<(Started<I::Data>, Monitor), StartError>> + Send {
        self.launch(Spawn::new().unlinked(), true, monitored)
    }

    /// Makes the calling process, whose own subject this is, an actor from here on; returns the reason for which that
    /// ends, and with which the process should end. Its parent is who spawned it.
    ///
    /// A [name](Self::named) is not registered: the process must hold it already. What its [mailbox](Self::mailbox) and its
    /// [label](Self::label) are was said when it was spawned. Who waits for a start is not told: that is
    /// for the process to do.
    ///
    /// ```
    /// use erlang_process::{self as process, Reply, Subject};
    /// use otp_actor as actor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let counter = process::spawn_subject(|own: Subject<Reply<u32>>| async move {
    ///     let start = 7; // whatever it takes
    ///     actor::new(start).on_message(|count: &mut u32, reply: Reply<u32>| reply.send(*count)).enter_loop(own).await
    /// });
    /// let second = std::time::Duration::from_secs(1);
    /// assert_eq!(counter.call(second, |reply| reply).await, Ok(7));
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the actor's state, without termination.
    ///
    /// Counterpart: `gen_server:enter_loop/5`.
    pub fn enter_loop(self, own: Subject<M>) -> impl Future<Output = ExitReason> + Send {
        let Self { init, handler, name, callbacks, options, .. } = self;
        async move {
            let Some(pid) = current() else { return ExitReason::error(NotAProcess) };
            if name.is_some_and(|name| whereis(name) != Some(pid)) {
                return ExitReason::error(NotRegistered);
            }
            let address = name.map_or_else(|| own.clone(), Name::subject);
            let ready = match init.init(address).await {
                Ok(initialised) => initialised.ready,
                Err(error) => return ExitReason::error(error),
            };
            let Some(ready) = ready else { return ExitReason::Normal };
            let debug = options.and_then(|options| options.begin());
            let parent = Node::current().info(pid).and_then(|info| info.parent);
            Server::new(own, parent, handler, callbacks).run(ready, debug).await
        }
    }

    fn launch<T: 'static>(
        self,
        spawn: Spawn,
        monitored: bool,
        outcome: Outcome<I::Data, T>,
    ) -> impl Future<Output = Result<T, StartError>> + Send {
        let mut spawn = spawn.runs(H::name);
        if let Some(name) = self.name {
            spawn = spawn.named(name);
        }
        if let Some(options) = &self.options {
            spawn = options.applied(spawn);
        }
        handshake(spawn, self.init_timeout, |own, ack| self.life(own, ack), monitored, outcome)
    }

    /// What the actor's process runs.
    pub(crate) fn life(
        self,
        own: Subject<M>,
        ack: InitAck<I::Data>,
    ) -> impl Future<Output = ExitReason> + Send {
        let Self { init, handler, name, callbacks, options, .. } = self;
        let address = name.map_or_else(|| own.clone(), Name::subject);
        let server = Server::new(own, ack.parent(), handler, callbacks);
        Then::new(init.init(address), |made| begin(server, made, ack, options))
    }
}

impl Options {
    fn applied(&self, mut spawn: Spawn) -> Spawn {
        if let Some(label) = &self.label {
            spawn = spawn.label(label);
        }
        if let Some(bound) = self.mailbox {
            spawn = spawn.mailbox(bound);
        }
        spawn
    }

    /// Does in the actor's process what is left to do there, and returns how it is debugged.
    fn begin(self) -> Option<Box<DebugOptions>> {
        if self.traps_exits {
            // Refused outside any process only.
            let _ = trap_exits(true);
        }
        self.debug
    }
}

/// An actor that runs with what its initialiser has made, when its starter was told; and if it ends before, why.
fn begin<S, M, H, D>(
    server: Server<S, M, H>,
    made: Result<Initialised<S, M, D>, BoxError>,
    ack: InitAck<D>,
    options: Option<Box<Options>>,
) -> (Option<impl Future<Output = ExitReason> + Send>, Option<ExitReason>)
where
    S: Send + 'static,
    M: Send + 'static,
    H: Handler<S, M>,
{
    match made {
        Ok(Initialised { ready: Some(ready), data: Some(data) }) => {
            let debug = options.and_then(|options| options.begin());
            (Some(server.run(ready, debug)), ack.ready(data).err())
        }
        Ok(_) => {
            ack.ignore();
            (None, Some(ExitReason::Normal))
        }
        Err(error) => {
            ack.failed(error);
            (None, Some(ExitReason::Normal))
        }
    }
}

impl<I: Clone, S, M, H: Clone> Clone for Builder<I, S, M, H> {
    fn clone(&self) -> Self {
        Self {
            init: self.init.clone(),
            init_timeout: self.init_timeout,
            handler: self.handler.clone(),
            name: self.name,
            callbacks: self.callbacks.clone(),
            options: self.options.clone(),
        }
    }
}

impl<I: fmt::Debug, S, M, H> fmt::Debug for Builder<I, S, M, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("init", &self.init).field("name", &self.name).finish_non_exhaustive()
    }
}
