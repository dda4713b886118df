//! The two kinds of handler: functions that borrow the state, and async functions that borrow it across
//! their awaits.

use crate::next::{IntoNext, Next};
use erlang_process::Selector;

/// What handles an actor's messages.
pub trait Handler<S, M>: Send + 'static {
    /// Handles one message.
    fn handle(
        &mut self,
        state: &mut S,
        message: M,
    ) -> impl Future<Output = (Next, Option<Selector<M>>)> + Send;
}

/// A handler that is a function.
#[derive(Debug)]
pub struct FnHandler<F>(pub(crate) F);

impl<S, M, N, F> Handler<S, M> for FnHandler<F>
where
    S: Send,
    M: Send,
    N: IntoNext<M>,
    F: FnMut(&mut S, M) -> N + Send + 'static,
{
    async fn handle(&mut self, state: &mut S, message: M) -> (Next, Option<Selector<M>>) {
        (self.0)(state, message).into_next()
    }
}

/// A handler that is an async function.
#[derive(Debug)]
pub struct AsyncFnHandler<F>(pub(crate) F);

impl<S, M, F> Handler<S, M> for AsyncFnHandler<F>
where
    S: Send,
    M: Send,
    F: for<'a> AsyncHandler<'a, S, M> + Send + 'static,
{
    async fn handle(&mut self, state: &mut S, message: M) -> (Next, Option<Selector<M>>) {
        self.0.call(state, message).await.into_next()
    }
}

/// An async function of a state that it borrows and a message. Implemented for every
/// `async fn(&mut S, M) -> impl IntoNext<M>`; it exists because stable Rust cannot yet say that the future of
/// such a function is `Send`.
pub trait AsyncHandler<'a, S: 'a, M> {
    /// What the function returns at last.
    type Output: IntoNext<M>;
    /// The function's future.
    type Future: Future<Output = Self::Output> + Send + 'a;

    /// Calls the function.
    fn call(&mut self, state: &'a mut S, message: M) -> Self::Future;
}

impl<'a, S: 'a, M, F, Fut> AsyncHandler<'a, S, M> for F
where
    F: FnMut(&'a mut S, M) -> Fut,
    Fut: Future<Output: IntoNext<M>> + Send + 'a,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn call(&mut self, state: &'a mut S, message: M) -> Fut {
        self(state, message)
    }
}
