//! What an actor does when it has handled a message.

use std::{error::Error, fmt, time::Duration};

use erlang_process::{ExitReason, Reply, Selector};

/// What an actor does next.
///
/// A handler may also return `()` to go on, a [`Step`] that says more, or a `Result`: an error ends the actor with that
/// error as its reason.
///
/// ```
/// use otp_actor::Next;
///
/// fn handle(stock: &mut u32, sold: u32) -> Next {
///     *stock -= sold;
///     if *stock > 0 { Next::Continue } else { Next::stop() }
/// }
/// assert_eq!(handle(&mut 2, 1), Next::Continue);
/// assert_eq!(handle(&mut 2, 2), Next::stop());
/// ```
///
/// Counterpart: the return values of `gen_server` callbacks, `Next` in Gleam.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Take the next message.
    ///
    /// Counterpart: `{noreply, State}`, `actor.continue` in Gleam.
    Continue,
    /// End with this reason; messages that wait are dropped.
    Stop(ExitReason),
}

impl Next {
    /// End normally.
    ///
    /// ```
    /// use otp_actor::{self as actor, Next};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let brief = actor::new(()).on_message(|(): &mut (), (): ()| Next::stop()).start().await?;
    /// brief.data.send(());
    /// erlang_process::join(brief.pid).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `{stop, normal, State}`, `actor.stop` in Gleam.
    #[must_use]
    pub fn stop() -> Self {
        Self::Stop(ExitReason::Normal)
    }

    /// End with an error, or a text, as the reason.
    ///
    /// ```
    /// use otp_actor::Next;
    ///
    /// fn handle(stock: &mut u32, sold: u32) -> Next {
    ///     match stock.checked_sub(sold) {
    ///         Some(left) => *stock = left,
    ///         None => return Next::stop_abnormal("sold what is not there"),
    ///     }
    ///     Next::Continue
    /// }
    /// assert!(matches!(handle(&mut 1, 2), Next::Stop(_)));
    /// ```
    ///
    /// Counterpart: `{stop, Reason, State}`, `actor.stop_abnormal` in Gleam.
    pub fn stop_abnormal(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Stop(ExitReason::error(reason))
    }

    /// Go on with another selector, which replaces the one before wholly.
    ///
    /// ```
    /// use erlang_process::{Selector, Subject};
    /// use otp_actor::{Next, Step};
    ///
    /// enum Message {
    ///     Password(&'static str),
    ///     Order(u32),
    /// }
    ///
    /// // Orders are taken once it is open.
    /// fn handle(orders: &mut Subject<u32>, message: Message) -> Step<Message> {
    ///     match message {
    ///         Message::Password("sesame") => Next::Continue.selecting(Selector::new().select(orders, Message::Order)),
    ///         Message::Password(_) => Next::stop().into(),
    ///         Message::Order(n) => {
    ///             println!("{n} coming");
    ///             Next::Continue.into()
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// Counterpart: `actor.with_selector` in Gleam.
    pub fn selecting<M>(self, selector: Selector<M>) -> Step<M> {
        Step::from(self).selecting(selector)
    }

    /// Go on with this message, before any that waits in the mailbox, see [`Step::continue_with`].
    ///
    /// ```
    /// use otp_actor::{Next, Step};
    ///
    /// enum Message {
    ///     Load,
    ///     Index,
    /// }
    ///
    /// fn handle(_: &mut (), message: Message) -> Step<Message> {
    ///     match message {
    ///         // The index is made before anything that waits in the mailbox.
    ///         Message::Load => Next::Continue.continue_with(Message::Index),
    ///         Message::Index => Next::Continue.into(),
    ///     }
    /// }
    /// ```
    pub fn continue_with<M>(self, message: M) -> Step<M> {
        Step::from(self).continue_with(message)
    }

    /// Handle this message if no other comes for so long, see [`Step::idle_timeout`].
    ///
    /// ```
    /// use otp_actor::{Next, Step};
    /// use std::time::Duration;
    ///
    /// enum Message {
    ///     Work,
    ///     NothingToDo,
    /// }
    ///
    /// fn handle(_: &mut (), message: Message) -> Step<Message> {
    ///     match message {
    ///         Message::Work => Next::Continue.idle_timeout(Duration::from_secs(60), Message::NothingToDo),
    ///         Message::NothingToDo => Next::stop().into(),
    ///     }
    /// }
    /// ```
    pub fn idle_timeout<M>(self, after: Duration, message: M) -> Step<M> {
        Step::from(self).idle_timeout(after, message)
    }

    /// Handle this message if no other has come by then, see [`Step::timeout`].
    ///
    /// ```
    /// use otp_actor::{Next, Step};
    /// use std::time::Duration;
    ///
    /// enum Message {
    ///     Connect,
    ///     TooLate,
    /// }
    ///
    /// fn handle(_: &mut (), message: Message) -> Step<Message> {
    ///     match message {
    ///         Message::Connect => Next::Continue.timeout(Duration::from_secs(5), Message::TooLate),
    ///         Message::TooLate => Next::stop_abnormal("no connection").into(),
    ///     }
    /// }
    /// ```
    pub fn timeout<M>(self, after: Duration, message: M) -> Step<M> {
        Step::from(self).timeout(after, message)
    }

    /// Reply when the actor has terminated, see [`Step::replying`].
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{Next, Step};
    ///
    /// // Whoever asked it to close hears back when `on_terminate` has run.
    /// fn handle(_: &mut (), close: Reply<&'static str>) -> Step<Reply<&'static str>> {
    ///     Next::stop().replying(close, "closed")
    /// }
    /// ```
    pub fn replying<M, R: Send + 'static>(self, reply: Reply<R>, value: R) -> Step<M> {
        Step::from(self).replying(reply, value)
    }
}

/// What an actor does next, and more than [`Next`] can say.
///
/// ```
/// use std::time::Duration;
/// use otp_actor::{Next, Step};
///
/// enum Message { Load(String), Loaded, GoneQuiet }
///
/// fn handle(cache: &mut Vec<String>, message: Message) -> Step<Message> {
///     match message {
///         Message::Load(key) => {
///             cache.push(key);
///             Next::Continue.continue_with(Message::Loaded)
///         }
///         Message::Loaded => Next::Continue.idle_timeout(Duration::from_secs(60), Message::GoneQuiet),
///         Message::GoneQuiet => Next::stop().into(),
///     }
/// }
/// # drop(otp_actor::new(Vec::new()).on_message(handle));
/// ```
///
/// Of [`continue_with`](Self::continue_with), [`idle_timeout`](Self::idle_timeout) and [`timeout`](Self::timeout) the
/// last one said counts, and each counts until the next message is handled.
///
/// Counterpart: the actions of `gen_server`.
#[must_use = "an actor does this when its handler returns it"]
pub struct Step<M> {
    pub(crate) next: Next,
    pub(crate) action: Action<M>,
    pub(crate) rare: Option<Box<Rare<M>>>,
}

/// What an actor does before it takes the next message.
pub(crate) enum Action<M> {
    /// Nothing: it waits for that, however long it takes.
    None,
    /// It handles this.
    Continue(M),
    /// It handles this if nothing comes for so long; system messages start the time anew.
    Idle(Duration, M),
    /// It handles this if nothing but system messages has come when so much time is over.
    Timeout(Duration, M),
}

/// What handlers seldom say.
pub(crate) struct Rare<M> {
    pub(crate) selector: Option<Selector<M>>,
    pub(crate) reply: Option<Box<dyn FnOnce() + Send>>,
}

impl<M> Step<M> {
    /// Go on with another selector, which replaces the one before wholly.
    ///
    /// ```
    /// use erlang_process::{NotAProcess, Selector, Subject};
    /// use otp_actor::{self as actor, Initialised, Next, Step};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Listens to one side, and when that has spoken to the other.
    /// struct Talk {
    ///     sides: [Subject<&'static str>; 2],
    ///     said: Vec<&'static str>,
    /// }
    ///
    /// fn handle(talk: &mut Talk, word: &'static str) -> Step<&'static str> {
    ///     talk.said.push(word);
    ///     let other = &talk.sides[talk.said.len() % 2];
    ///     Step::from(Next::Continue).selecting(Selector::new().select(other, |word| word))
    /// }
    ///
    /// let init = async |_: Subject<&'static str>| {
    ///     let sides = [Subject::new()?, Subject::new()?];
    ///     let first = Selector::new().select(&sides[0], |word| word);
    ///     let talk = Talk { sides: sides.clone(), said: Vec::new() };
    ///     Ok::<_, NotAProcess>(Initialised::new(talk).selecting(first).returning(sides))
    /// };
    /// let second = Duration::from_secs(1);
    /// let talk = actor::with_initialiser(second, init).on_message(handle).start().await?;
    /// let [one, other] = talk.data;
    /// one.send("ping");
    /// other.send("pong");
    /// let said = otp_system::get_state(talk.pid, second, |talk: &Talk| talk.said.clone()).await?;
    /// assert_eq!(said, ["ping", "pong"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `actor.with_selector` in Gleam.
    pub fn selecting(mut self, selector: Selector<M>) -> Self {
        self.rare_mut().selector = Some(selector);
        self
    }

    /// Go on with this message, before any that waits in the mailbox: for what is to be done at once and need not keep
    /// the caller, or the starter, waiting.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Next, Step};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// enum Message {
    ///     Add(u32, Reply<()>),
    ///     Sort,
    /// }
    ///
    /// // The caller need not wait until all is sorted, and nobody sees it when it is not.
    /// fn handle(numbers: &mut Vec<u32>, message: Message) -> Step<Message> {
    ///     match message {
    ///         Message::Add(n, reply) => {
    ///             numbers.push(n);
    ///             Step::from(Next::Continue).replying(reply, ()).continue_with(Message::Sort)
    ///         }
    ///         Message::Sort => {
    ///             numbers.sort_unstable();
    ///             Next::Continue.into()
    ///         }
    ///     }
    /// }
    ///
    /// let second = Duration::from_secs(1);
    /// let numbers = actor::new(vec![2, 3]).on_message(handle).start().await?;
    /// numbers.data.call(second, |reply| Message::Add(1, reply)).await?;
    /// assert_eq!(otp_system::get_state(numbers.pid, second, Vec::<u32>::clone).await?, [1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `{continue, Term}`.
    pub fn continue_with(mut self, message: M) -> Self {
        self.action = Action::Continue(message);
        self
    }

    /// Handle this message if no other comes for so long.
    ///
    /// Any message takes the timeout back, also one that nothing was selected for. A system message starts the time
    /// anew. With a time of zero the message is handled if the mailbox is empty.
    ///
    /// ```
    /// use erlang_process::{ExitReason, Reply};
    /// use otp_actor::{self as actor, Next, Step};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// enum Message {
    ///     Read(Reply<&'static str>),
    ///     GoneQuiet,
    /// }
    ///
    /// // A cache that goes when nobody has read it for a minute.
    /// fn handle(text: &mut &'static str, message: Message) -> Step<Message> {
    ///     match message {
    ///         Message::Read(reply) => Step::from(Next::Continue)
    ///             .replying(reply, *text)
    ///             .idle_timeout(Duration::from_secs(60), Message::GoneQuiet),
    ///         Message::GoneQuiet => Next::stop().into(),
    ///     }
    /// }
    ///
    /// let cache = actor::new("news").on_message(handle).start().await?;
    /// assert_eq!(cache.data.call(Duration::from_secs(1), Message::Read).await?, "news");
    /// assert_eq!(erlang_process::join(cache.pid).await, ExitReason::Normal);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: the timeout as a number in `{noreply, State, Timeout}`.
    pub fn idle_timeout(mut self, after: Duration, message: M) -> Self {
        self.action = Action::Idle(after, message);
        self
    }

    /// Handle this message if no other has come when so much time is over. System messages change nothing: while the actor
    /// is suspended the time goes on, and the message is handled when it is resumed.
    ///
    /// Any other message takes the timeout back, also one that nothing was selected for, and one that was in the mailbox
    /// when the time was over. With a time of zero the message is handled before all others.
    ///
    /// ```
    /// use erlang_process::{ExitReason, Reply};
    /// use otp_actor::{self as actor, Next, Step};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// enum Message {
    ///     Dial(Reply<()>),
    ///     TooLate,
    /// }
    ///
    /// fn handle(_: &mut (), message: Message) -> Step<Message> {
    ///     match message {
    ///         Message::Dial(reply) => {
    ///             Step::from(Next::Continue).replying(reply, ()).timeout(Duration::from_secs(5), Message::TooLate)
    ///         }
    ///         Message::TooLate => Next::stop_abnormal("no connection").into(),
    ///     }
    /// }
    ///
    /// let line = actor::new(()).on_message(handle).start().await?;
    /// line.data.call(Duration::from_secs(1), Message::Dial).await?;
    /// assert_eq!(erlang_process::join(line.pid).await, ExitReason::error("no connection"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `{timeout, Time, Message}`, since OTP 28.
    pub fn timeout(mut self, after: Duration, message: M) -> Self {
        self.action =
            if after.is_zero() { Action::Continue(message) } else { Action::Timeout(after, message) };
        self
    }

    /// Reply when the actor has terminated, even if that fails: who gets this reply knows that all is cleaned up. If the
    /// actor goes on, it replies at once. Several callers get their replies in the order in which they are named.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Next, Step};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A gate that opens for two, and only once.
    /// fn handle(first: &mut Option<Reply<&'static str>>, second: Reply<&'static str>) -> Step<Reply<&'static str>> {
    ///     match first.take() {
    ///         Some(first) => Step::from(Next::stop()).replying(first, "after you").replying(second, "thank you"),
    ///         None => {
    ///             *first = Some(second);
    ///             Next::Continue.into()
    ///         }
    ///     }
    /// }
    ///
    /// let gate = actor::new(None).on_message(handle).start().await?.data;
    /// let first = actor::send_request(&gate, |reply| reply);
    /// assert_eq!(gate.call(Duration::from_secs(1), |reply| reply).await?, "thank you");
    /// assert_eq!(first.await?, "after you");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `{stop, Reason, Reply, State}`.
    pub fn replying<R: Send + 'static>(mut self, reply: Reply<R>, value: R) -> Self {
        let rare = self.rare_mut();
        let before = rare.reply.take();
        rare.reply = Some(Box::new(move || {
            if let Some(before) = before {
                before();
            }
            reply.send(value);
        }));
        self
    }

    fn rare_mut(&mut self) -> &mut Rare<M> {
        self.rare.get_or_insert_with(|| Box::new(Rare { selector: None, reply: None }))
    }
}

impl<M> From<Next> for Step<M> {
    #[inline]
    fn from(next: Next) -> Self {
        Self { next, action: Action::None, rare: None }
    }
}

impl<M> fmt::Debug for Step<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("next", &self.next).finish_non_exhaustive()
    }
}

/// What a handler of messages `M` may return.
///
/// ```
/// use otp_actor as actor;
/// use std::num::ParseIntError;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// // Whoever returns nothing goes on; an error that leaves by `?` ends the actor, and is its reason.
/// let sum = actor::new(0).on_message(|sum: &mut u32, text: &'static str| {
///     *sum += text.parse::<u32>()?;
///     Ok::<_, ParseIntError>(())
/// });
/// let (sum, monitor) = sum.start_monitored().await?;
/// sum.data.send("many");
/// assert!(monitor.down().await?.reason.to_string().contains("invalid digit"));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler of `{M}` cannot return `{Self}`",
    label = "this handler returns `{Self}`",
    note = "a handler returns `()` to go on, `otp_actor::Next`, `otp_actor::Step<{M}>`, or a `Result` of one of these whose \
            error ends the actor"
)]
pub trait IntoNext<M> {
    /// What to do next.
    fn into_next(self) -> Step<M>;
}

impl<M> IntoNext<M> for () {
    #[inline]
    fn into_next(self) -> Step<M> {
        Next::Continue.into()
    }
}

impl<M> IntoNext<M> for Next {
    #[inline]
    fn into_next(self) -> Step<M> {
        self.into()
    }
}

impl<M> IntoNext<M> for Step<M> {
    #[inline]
    fn into_next(self) -> Step<M> {
        self
    }
}

impl<M, T, E> IntoNext<M> for Result<T, E>
where
    T: IntoNext<M>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    #[inline]
    fn into_next(self) -> Step<M> {
        match self {
            Ok(next) => next.into_next(),
            Err(error) => Next::stop_abnormal(error).into(),
        }
    }
}
