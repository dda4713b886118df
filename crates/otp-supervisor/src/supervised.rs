//! Builders as child specifications.

use otp_actor::{Handler, Init};

use crate::{child_spec::ChildSpec, supervision};

/// Everything that is built, and can be started again and again: as a child.
///
/// ```
/// use erlang_process::Name;
/// use otp_actor as actor;
/// use otp_supervisor::{Restart, Strategy, Supervised, static_supervisor as supervisor};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name = Name::new("counter");
/// let counter = actor::new(0).on_message(|count: &mut u64, add: u64| *count += add).named(name);
/// let inner = supervisor::new(Strategy::OneForOne).add(counter.supervised().restart(Restart::Transient));
/// let tree = supervisor::new(Strategy::RestForOne).add(inner.supervised().id("inner")).start().await?;
/// # assert!(erlang_process::whereis(name).is_some());
/// # tree.data.stop().await?;
/// # Ok(()) }
/// ```
///
/// | what is built | as a child |
/// |---|---|
/// | an actor, a [`GenServer`](otp_actor::GenServer), an [agent](otp_actor::agent) | a worker; state (or arguments) and handler are cloned for each start |
/// | a [bridge](crate::supervisor_bridge) | a worker |
/// | a [static](crate::static_supervisor), [factory](crate::factory_supervisor) or [partition](crate::partition_supervisor) supervisor | a supervisor |
///
/// What cannot be cloned is made anew by a function: [`supervision::worker`](supervision::worker()). An async function needs
/// none of this: [`supervision::process`].
///
/// Counterpart: `supervised` of the builders in Gleam, `child_spec/1` of the modules in Elixir.
pub trait Supervised {
    /// What its start returns.
    type Data: Send + 'static;

    /// A child that is started as this builder says, for the first time and at each restart.
    fn supervised(self) -> ChildSpec<Self::Data>;
}

impl<I, S, M, H> Supervised for otp_actor::Builder<I, S, M, H>
where
    S: Send + 'static,
    M: Send + 'static,
    I: Init<S, M> + Clone,
    H: Handler<S, M> + Clone,
{
    type Data = I::Data;

    fn supervised(self) -> ChildSpec<I::Data> {
        supervision::worker(move || self.clone().start())
    }
}
