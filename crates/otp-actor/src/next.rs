//! What an actor does when it has handled a message.

use std::error::Error;

use erlang_process::{ExitReason, Selector};

/// What an actor does next.
///
/// A handler may also return `()` to go on, or a `Result`: an error ends the actor with that error as its
/// reason.
///
/// Counterpart: the return values of `gen_server` callbacks, `Next` in Gleam.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Take the next message.
    Continue,
    /// End with this reason; messages that wait are dropped.
    Stop(ExitReason),
}

impl Next {
    /// End normally.
    ///
    /// Counterpart: `{stop, normal, State}`, `actor.stop` in Gleam.
    #[must_use]
    pub fn stop() -> Self {
        Self::Stop(ExitReason::Normal)
    }

    /// End with an error, or a text, as the reason.
    ///
    /// Counterpart: `{stop, Reason, State}`, `actor.stop_abnormal` in Gleam.
    pub fn stop_abnormal(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Stop(ExitReason::error(reason))
    }

    /// Go on with another selector, which replaces the one before wholly.
    ///
    /// Counterpart: `actor.with_selector` in Gleam.
    #[must_use]
    pub fn selecting<M>(self, selector: Selector<M>) -> Selecting<M> {
        Selecting { next: self, selector }
    }
}

/// What an actor does next, and what it takes messages by from then on. Made by [`Next::selecting`].
#[derive(Debug)]
pub struct Selecting<M> {
    next: Next,
    selector: Selector<M>,
}

/// What a handler of messages `M` may return.
pub trait IntoNext<M> {
    /// What to do next, and the selector that replaces the present one, if any.
    fn into_next(self) -> (Next, Option<Selector<M>>);
}

impl<M> IntoNext<M> for () {
    fn into_next(self) -> (Next, Option<Selector<M>>) {
        (Next::Continue, None)
    }
}

impl<M> IntoNext<M> for Next {
    fn into_next(self) -> (Next, Option<Selector<M>>) {
        (self, None)
    }
}

impl<M> IntoNext<M> for Selecting<M> {
    fn into_next(self) -> (Next, Option<Selector<M>>) {
        (self.next, Some(self.selector))
    }
}

impl<M, T, E> IntoNext<M> for Result<T, E>
where
    T: IntoNext<M>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    fn into_next(self) -> (Next, Option<Selector<M>>) {
        match self {
            Ok(next) => next.into_next(),
            Err(error) => (Next::stop_abnormal(error), None),
        }
    }
}
