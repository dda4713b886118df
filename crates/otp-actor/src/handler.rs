//! The two kinds of handler: functions that borrow the state, and async functions that borrow it across
//! their awaits.

use std::any::type_name;

use crate::{
    next::{IntoNext, Step},
    sealed::Sealed,
};

/// What handles an actor's messages: a function that was given to [`on_message`](crate::New::on_message), an async one that
/// was given to [`on_message_async`](crate::New::on_message_async), or the callbacks of a [`GenServer`](crate::GenServer).
///
/// It is sealed: there are these three kinds.
pub trait Handler<S, M>: Sealed + Send + 'static {
    /// Handles one message.
    fn handle(&mut self, state: &mut S, message: M) -> impl Future<Output = Step<M>> + Send;

    /// The name of the code that handles the messages: the initial call of the actor's process.
    fn name() -> &'static str;
}

/// A handler that is a function.
#[derive(Clone, Debug)]
pub struct FnHandler<F>(pub(crate) F);

impl<F> Sealed for FnHandler<F> {}

impl<S, M, N, F> Handler<S, M> for FnHandler<F>
where
    S: Send,
    M: Send,
    N: IntoNext<M>,
    F: FnMut(&mut S, M) -> N + Send + 'static,
{
    #[inline]
    async fn handle(&mut self, state: &mut S, message: M) -> Step<M> {
        (self.0)(state, message).into_next()
    }

    fn name() -> &'static str {
        type_name::<F>()
    }
}

/// A handler that is an async function.
#[derive(Clone, Debug)]
pub struct AsyncFnHandler<F>(pub(crate) F);

impl<F> Sealed for AsyncFnHandler<F> {}

impl<S, M, F> Handler<S, M> for AsyncFnHandler<F>
where
    S: Send,
    M: Send,
    F: for<'a> AsyncHandler<'a, S, M> + Send + 'static,
{
    #[inline]
    async fn handle(&mut self, state: &mut S, message: M) -> Step<M> {
        self.0.call(state, message).await.into_next()
    }

    fn name() -> &'static str {
        type_name::<F>()
    }
}

/// An async function of a state that it borrows and a message. Implemented for every
/// `async fn(&mut S, M) -> impl IntoNext<M>`, and meant for nothing else; it exists because stable Rust cannot yet say that
/// the future of such a function is `Send`.
///
/// ```
/// use erlang_process::Reply;
/// use otp_actor as actor;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // An `async fn` of this shape is one.
/// async fn handle(served: &mut u32, reply: Reply<u32>) {
///     tokio::task::yield_now().await;
///     *served += 1;
///     reply.send(*served);
/// }
///
/// let counter = actor::new(0).on_message_async(handle).start().await?.data;
/// assert_eq!(counter.call(Duration::from_secs(1), |reply| reply).await?, 1);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an async handler of `{M}` for a state `{S}`",
    label = "not an `async fn(&mut {S}, {M})` whose future is `Send`",
    note = "pass an `async fn` by its path, or an async closure with annotated arguments that captures nothing; what it needs \
            belongs into the state"
)]
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

    #[inline]
    fn call(&mut self, state: &'a mut S, message: M) -> Fut {
        self(state, message)
    }
}
