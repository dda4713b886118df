//! Agents: a state behind a process, and functions that are run on it there.
//!
//! ```
//! use std::time::Duration;
//! use otp_actor::agent;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let second = Duration::from_secs(1);
//! let words = agent::new(Vec::new).start().await?.data;
//! words.update(second, |words| words.push("otp")).await?;
//! assert_eq!(words.get(second, |words| words.len()).await?, 1);
//! # Ok(()) }
//! ```
//!
//! An agent is an [actor](crate) whose messages are functions. Where the questions are known, an actor with a message for each
//! says more, and serves callers that know nothing of its state.
//!
//! Its [`Builder`] is that of an actor: with `otp_supervisor::Supervised` it is a child of a supervisor.
//!
//! Counterpart: `Agent` in Elixir.

use std::{any::type_name, fmt, time::Duration};

use erlang_process::{CallError, ExitReason, Name, Pid, Subject};

use crate::{
    handler::Handler,
    init::{BoxError, Init, Initialised},
    next::{Next, Step},
    sealed::Sealed,
    stop::stop,
};

/// A message to an agent: a function of its state.
pub struct Request<S>(Box<dyn FnOnce(&mut S) + Send>);

impl<S> fmt::Debug for Request<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request")
    }
}

/// A state behind a process.
///
/// ```
/// use erlang_process::CallError;
/// use otp_actor::agent::{self, Agent};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// /// What others may do with the state.
/// #[derive(Clone)]
/// struct Scores(Agent<Vec<u32>>);
///
/// impl Scores {
///     fn add(&self, score: u32) {
///         self.0.cast(move |scores| scores.push(score));
///     }
///
///     async fn best(&self) -> Result<Option<u32>, CallError> {
///         self.0.get(Duration::from_secs(1), |scores| scores.iter().max().copied()).await
///     }
/// }
///
/// let scores = Scores(agent::new(Vec::new).start().await?.data);
/// scores.add(7);
/// assert_eq!(scores.best().await?, Some(7));
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `Agent.agent` in Elixir.
pub struct Agent<S>(Subject<Request<S>>);

/// An agent whose state is made by `init`, in the new process. It may take as long as it needs, if nothing else is said.
///
/// ```
/// use otp_actor::agent;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scores = agent::new(|| vec![3, 1, 2]).start().await?.data;
/// assert_eq!(scores.get(Duration::from_secs(1), |scores| scores.len()).await?, 3);
/// # Ok(())
/// # }
/// ```
///
/// Under a name, by which it is [found](Agent::named) when it was restarted, too:
///
/// ```
/// use erlang_process::Name;
/// use otp_actor::agent::{self, Agent};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name = Name::new("scores");
/// agent::new(Vec::<u32>::new).named(name).start().await?;
/// // From anywhere, also after a restart.
/// let scores = Agent::named(name);
/// assert_eq!(scores.get(Duration::from_secs(1), |scores| scores.len()).await?, 0);
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `Agent.start_link/2`.
pub fn new<S, F>(init: F) -> Builder<S, F>
where
    S: Send + 'static,
    F: FnOnce() -> S + Send + 'static,
{
    Builder::new(Make(init), Duration::MAX, Run)
}

/// An agent to be started: whatever can be said of an actor can be said of it.
pub type Builder<S, F> = crate::Builder<Make<F>, S, Request<S>, Run>;

/// How an agent comes by its state, see [`new`].
#[derive(Clone)]
pub struct Make<F>(F);

impl<F> fmt::Debug for Make<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Make")
    }
}

impl<F> Sealed for Make<F> {}

impl<S, F> Init<S, Request<S>> for Make<F>
where
    S: Send + 'static,
    F: FnOnce() -> S + Send + 'static,
{
    type Data = Agent<S>;

    async fn init(self, own: Subject<Request<S>>) -> Result<Initialised<S, Request<S>, Agent<S>>, BoxError> {
        Ok(Initialised::new((self.0)()).returning(Agent(own)))
    }
}

/// What an agent does with a function: it runs it.
#[derive(Clone, Debug)]
pub struct Run;

impl Sealed for Run {}

impl<S: Send + 'static> Handler<S, Request<S>> for Run {
    async fn handle(&mut self, state: &mut S, Request(function): Request<S>) -> Step<Request<S>> {
        function(state);
        Next::Continue.into()
    }

    fn name() -> &'static str {
        type_name::<Agent<S>>()
    }
}

impl<S: Send + 'static> Agent<S> {
    /// The agent that holds this name.
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_actor::agent::{Agent, Request};
    ///
    /// const SCORES: Name<Request<Vec<u32>>> = Name::fixed("scores");
    ///
    /// fn scores() -> Agent<Vec<u32>> {
    ///     Agent::named(SCORES)
    /// }
    /// ```
    #[must_use]
    pub fn named(name: Name<Request<S>>) -> Self {
        Self(name.subject())
    }

    /// The agent's process; `None` if nobody holds its name.
    ///
    /// ```
    /// use otp_actor::agent;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let started = agent::new(|| 0).start().await?;
    /// assert_eq!(started.data.pid(), Some(started.pid));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.0.pid()
    }

    /// Runs a function on the state, in the agent, and returns what it makes of it.
    ///
    /// ```
    /// use otp_actor::agent;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let words = agent::new(|| vec!["otp", "rust"]).start().await?.data;
    /// let longest = words.get(Duration::from_secs(1), |words| words.iter().map(|word| word.len()).max());
    /// assert_eq!(longest.await?, Some(4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`]. If the function panics the agent ends, and that is the reason which is told.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the function back.
    ///
    /// Counterpart: `Agent.get/3`.
    pub async fn get<R: Send + 'static>(
        &self,
        timeout: Duration,
        get: impl FnOnce(&S) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.get_and_update(timeout, |state| get(state)).await
    }

    /// Runs a function that may change the state, in the agent, and waits until it has.
    ///
    /// ```
    /// use otp_actor::agent;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let second = Duration::from_secs(1);
    /// let words = agent::new(Vec::new).start().await?.data;
    /// words.update(second, |words| words.push("otp")).await?;
    /// assert_eq!(words.get(second, |words| words.clone()).await?, ["otp"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Cancel safety
    ///
    /// As [`get`](Self::get).
    ///
    /// Counterpart: `Agent.update/3`.
    pub async fn update(
        &self,
        timeout: Duration,
        update: impl FnOnce(&mut S) + Send + 'static,
    ) -> Result<(), CallError> {
        self.get_and_update(timeout, update).await
    }

    /// Runs a function that may change the state, in the agent, and returns what it returns.
    ///
    /// ```
    /// use otp_actor::agent;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = agent::new(|| vec![1, 2]).start().await?.data;
    /// let top = stack.get_and_update(Duration::from_secs(1), |stack| stack.pop()).await?;
    /// assert_eq!(top, Some(2));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Cancel safety
    ///
    /// As [`get`](Self::get).
    ///
    /// Counterpart: `Agent.get_and_update/3`.
    pub async fn get_and_update<R: Send + 'static>(
        &self,
        timeout: Duration,
        function: impl FnOnce(&mut S) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.0.call(timeout, |reply| Request(Box::new(move |state| reply.send(function(state))))).await
    }

    /// Runs a function that may change the state, in the agent, some time; nobody waits.
    ///
    /// ```
    /// use otp_actor::agent;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let count = agent::new(|| 0).start().await?.data;
    /// count.cast(|count| *count += 1);
    /// assert_eq!(count.get(Duration::from_secs(1), |count| *count).await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `Agent.cast/2`.
    pub fn cast(&self, update: impl FnOnce(&mut S) + Send + 'static) {
        self.0.send(Request(Box::new(update)));
    }

    /// Stops the agent in an orderly way and waits until it has ended.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    /// use otp_actor::agent;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let count = agent::new(|| 0).start().await?.data;
    /// count.stop(ExitReason::Normal, Duration::from_secs(1)).await?;
    /// assert_eq!(count.pid().map(erlang_process::is_alive), Some(false));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`stop`](crate::stop()).
    ///
    /// # Cancel safety
    ///
    /// As [`stop`](crate::stop()).
    ///
    /// Counterpart: `Agent.stop/3`.
    pub async fn stop(&self, reason: ExitReason, timeout: Duration) -> Result<(), CallError> {
        stop(self.0.pid().ok_or(CallError::NoProc)?, reason, timeout).await
    }
}

impl<S> Clone for Agent<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for Agent<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Agent").field(&self.0).finish()
    }
}
