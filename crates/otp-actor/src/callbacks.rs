//! What is called seldom: when an actor ends, and when somebody wants to know how it is.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
};

use erlang_process::ExitReason;

/// Cleans up, in the actor's process.
pub(crate) type Terminate<S> =
    Arc<dyn for<'a> Fn(&'a mut S, &'a ExitReason) -> Terminating<'a> + Send + Sync>;

/// A termination under way.
pub(crate) type Terminating<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

type Describe<T> = Arc<dyn Fn(&T) -> Option<String> + Send + Sync>;

/// Those of an actor. One without any has no room for them either.
pub(crate) struct Callbacks<S, M> {
    pub(crate) terminate: Option<Terminate<S>>,
    pub(crate) describe: Option<Describe<S>>,
    pub(crate) describe_message: Option<Describe<M>>,
}

impl<S, M> Default for Callbacks<S, M> {
    fn default() -> Self {
        Self { terminate: None, describe: None, describe_message: None }
    }
}

impl<S, M> Clone for Callbacks<S, M> {
    fn clone(&self) -> Self {
        Self {
            terminate: self.terminate.clone(),
            describe: self.describe.clone(),
            describe_message: self.describe_message.clone(),
        }
    }
}

impl<S, M> Callbacks<S, M> {
    /// The state as the author describes it. A description that panics is replaced by a notice.
    pub(crate) fn state(&self, state: &S) -> Option<String> {
        described(self.describe.as_ref(), state, "the description of the state panicked")
    }

    /// A message as the author describes it.
    pub(crate) fn message(&self, message: &M) -> Option<String> {
        described(self.describe_message.as_ref(), message, "the description of the message panicked")
    }
}

fn described<T>(describe: Option<&Describe<T>>, what: &T, notice: &str) -> Option<String> {
    let describe = describe?;
    catch_unwind(AssertUnwindSafe(|| describe(what))).unwrap_or_else(|_| Some(notice.to_owned()))
}

/// Names the lifetimes of a termination, which the compiler does not find by itself.
pub(crate) fn terminate<S, F>(function: F) -> Terminate<S>
where
    F: for<'a> Fn(&'a mut S, &'a ExitReason) -> Terminating<'a> + Send + Sync + 'static,
{
    Arc::new(function)
}

/// An async function that cleans up after an actor. Implemented for every `async fn(&mut S, &ExitReason)`, and meant for
/// nothing else.
///
/// ```
/// use erlang_process::ExitReason;
/// use otp_actor as actor;
///
/// // An `async fn` of this shape is one.
/// async fn say_goodbye(names: &mut Vec<&'static str>, reason: &ExitReason) {
///     names.drain(..).for_each(|name| println!("goodbye {name}: {reason}"));
/// }
///
/// let room = actor::new(vec!["Joe"])
///     .on_message(|names: &mut Vec<_>, name: &'static str| names.push(name))
///     .on_terminate_async(say_goodbye);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot terminate an actor with a state `{S}`",
    note = "pass an `async fn(&mut {S}, &ExitReason)` by its path"
)]
pub trait AsyncTerminate<'a, S: 'a> {
    /// The function's future.
    type Future: Future<Output = ()> + Send + 'a;

    /// Calls the function.
    fn call(&self, state: &'a mut S, reason: &'a ExitReason) -> Self::Future;
}

impl<'a, S: 'a, F, Fut> AsyncTerminate<'a, S> for F
where
    F: Fn(&'a mut S, &'a ExitReason) -> Fut,
    Fut: Future<Output = ()> + Send + 'a,
{
    type Future = Fut;

    fn call(&self, state: &'a mut S, reason: &'a ExitReason) -> Fut {
        self(state, reason)
    }
}
