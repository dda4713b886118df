//! Tasks under a supervisor.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use erlang_process::{
    CallError, ExitReason, IntoExitReason, Name, Node, Pid, Prepared, Spawn, current, link,
};
use futures_core::Stream;
use otp_actor::{StartError, Started};
use otp_supervisor::{
    ChildSpec, Restart, Shutdown, Supervised, SupervisorError,
    factory_supervisor::{self, Supervisor as Factory},
};
use otp_system::DebugOptions;
use tokio::sync::oneshot;

use crate::{
    called::Called,
    callers,
    slot::{Slot, When},
    spawn::run,
    stream::{AsyncStream, Spawner},
    task::Task,
    work::{Gated, Launch, Start, Work, launch, prepare},
};

/// A supervisor of tasks to be started. It starts with none.
///
/// ```
/// use std::time::Duration;
/// use otp_task::Supervisor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tasks = Supervisor::builder().max_children(100).start().await?.data;
/// let answer = tasks.spawn_unlinked(async { 42 }).await?;
/// assert_eq!(answer.await_timeout(Duration::from_secs(1)).await?, 42);
/// # Ok(()) }
/// ```
///
/// As a child of another supervisor, under a name by which it is found when it was restarted:
///
/// ```
/// use erlang_process::Name;
/// use otp_supervisor::{Strategy, Supervised, static_supervisor};
/// use otp_task::{Supervisor, SupervisorMessage};
///
/// const TASKS: Name<SupervisorMessage> = Name::fixed("tasks");
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// static_supervisor::new(Strategy::OneForOne)
///     .add(Supervisor::builder().named(TASKS).supervised())
///     .start()
///     .await?;
/// assert_eq!(Supervisor::named(TASKS).children().await?, []);
/// # Ok(()) }
/// ```
///
/// Counterpart: the options of `Task.Supervisor.start_link/1` in Elixir.
#[derive(Debug)]
#[must_use = "a supervisor does nothing before it is started"]
pub struct SupervisorBuilder(factory_supervisor::Builder<Job, Node>);

/// A message to a supervisor of tasks: what its name is for. Sent by the methods of [`Supervisor`].
pub type SupervisorMessage = factory_supervisor::Message<Job, Node>;

impl SupervisorBuilder {
    /// How many tasks there may be at once. Without this, any number.
    ///
    /// ```
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().max_children(1).start().await?.data;
    /// tasks.start_child(std::future::pending::<()>()).await?;
    /// assert!(tasks.start_child(async {}).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: the option `:max_children`.
    pub fn max_children(self, max: usize) -> Self {
        Self(self.0.max_children(max))
    }

    /// How many restarts are tolerated in which time; one more and the supervisor gives up. Only tasks started by
    /// [`start_child_with`](Supervisor::start_child_with) are restarted. Without this, 3 in 5 seconds.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    /// use otp_supervisor::Restart;
    /// use otp_task::Supervisor;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Not a single crash of a task that is restarted.
    /// let tasks = Supervisor::builder().restart_tolerance(0, Duration::from_secs(5)).start().await?;
    /// let task = tasks.data.start_child_with(Restart::Permanent, std::future::pending::<()>).await?;
    /// erlang_process::kill(task);
    /// assert_eq!(erlang_process::join(tasks.pid).await, ExitReason::Shutdown);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: the options `:max_restarts` and `:max_seconds`.
    pub fn restart_tolerance(self, intensity: u32, period: Duration) -> Self {
        Self(self.0.restart_tolerance(intensity, period))
    }

    /// How tasks are stopped, and how long each is given. Without this, 5 seconds.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    /// use otp_supervisor::Shutdown;
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // They have nothing to lose.
    /// let tasks = Supervisor::builder().shutdown(Shutdown::BrutalKill).start().await?.data;
    /// let ended = tokio::spawn(erlang_process::join(tasks.start_child(std::future::pending::<()>()).await?));
    /// # tokio::task::yield_now().await;
    /// tasks.stop().await?;
    /// assert_eq!(ended.await?, ExitReason::Killed);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: the option `:shutdown` of the functions that start tasks.
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self(self.0.shutdown(shutdown))
    }

    /// Registers the supervisor under this name, see [`Supervisor::named`].
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_task::{Supervisor, SupervisorMessage};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// const TASKS: Name<SupervisorMessage> = Name::fixed("tasks");
    ///
    /// let started = Supervisor::builder().named(TASKS).start().await?;
    /// assert_eq!(Supervisor::named(TASKS).pid(), Some(started.pid));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: the option `:name`.
    pub fn named(self, name: Name<SupervisorMessage>) -> Self {
        Self(self.0.named(name))
    }

    /// Begins with these debug functions, see [`otp_system`]. They see what the supervisor takes out of its mailbox.
    ///
    /// Counterpart: the option `debug` of `gen_server:start_link/4`.
    pub fn debug(self, options: DebugOptions) -> Self {
        Self(self.0.debug(options))
    }

    /// Starts the supervisor, linked with the calling process if there is one.
    ///
    /// ```
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// assert_eq!(tasks.children().await?, []);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError::InitFailed`] if the period of restarts is zero; [`StartError::AlreadyStarted`] if the name is taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the supervisor, unless it was returned.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// Counterpart: `Task.Supervisor.start_link/1` in Elixir.
    pub async fn start(self) -> Result<Started<Supervisor>, StartError> {
        let Started { pid, data } = self.0.start().await?;
        Ok(Started { pid, data: Supervisor(data) })
    }
}

impl Supervised for SupervisorBuilder {
    type Data = Supervisor;

    fn supervised(self) -> ChildSpec<Supervisor> {
        self.0.supervised().map_data(Supervisor)
    }
}

/// A running supervisor of tasks. Cheap to clone; anyone may use it.
///
/// | | awaited | linked with the caller | restarted |
/// |---|---|---|---|
/// | [`spawn`](Self::spawn) | yes | yes | no |
/// | [`spawn_unlinked`](Self::spawn_unlinked) | yes | no | no |
/// | [`spawn_blocking`](Self::spawn_blocking) | yes | yes | no |
/// | [`spawn_blocking_unlinked`](Self::spawn_blocking_unlinked) | yes | no | no |
/// | [`start_child`](Self::start_child), [`start_child_blocking`](Self::start_child_blocking) | no | no | no |
/// | [`start_child_with`](Self::start_child_with) | no | no | as it says |
/// | [`async_stream`](Self::async_stream) | as a stream | unless it is [unlinked](AsyncStream::unlinked) | no |
///
/// All are linked with the supervisor, which stops them, all at once, when it is stopped; that none of them outlives the
/// program's shutdown is what it is for.
///
/// ```
/// use otp_task::{AwaitError, Supervisor};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tasks = Supervisor::builder().start().await?.data;
/// let task = tasks.spawn_unlinked(std::future::pending::<()>()).await?;
/// // Nothing outlives it.
/// tasks.stop().await?;
/// assert!(matches!(task.await_timeout(Duration::from_secs(1)).await, Err(AwaitError::Exited(_))));
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `Task.Supervisor` in Elixir.
#[derive(Clone, Debug)]
pub struct Supervisor(Factory<Job, Node>);

impl Supervisor {
    /// A supervisor of tasks to be started.
    ///
    /// ```
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = Supervisor::builder().max_children(100);
    /// assert!(builder.start().await?.data.pid().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> SupervisorBuilder {
        let builder = factory_supervisor::worker(|job: Job| async move { job.start() });
        SupervisorBuilder(builder.restart_tolerance(3, Duration::from_secs(5)))
    }

    /// The supervisor that holds this name, whenever it is used.
    ///
    /// ```
    /// use erlang_process::Name;
    /// use otp_task::{Supervisor, SupervisorMessage};
    ///
    /// const TASKS: Name<SupervisorMessage> = Name::fixed("tasks");
    ///
    /// let tasks = Supervisor::named(TASKS);
    /// // It need not be there yet.
    /// assert_eq!(tasks.pid(), None);
    /// ```
    #[must_use]
    pub fn named(name: Name<SupervisorMessage>) -> Self {
        Self(Factory::named(name))
    }

    /// The supervisor's process; `None` if nobody holds its name.
    ///
    /// ```
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let started = Supervisor::builder().start().await?;
    /// assert_eq!(started.data.pid(), Some(started.pid));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.0.pid()
    }

    /// Runs a future in a task under the supervisor that is linked with the calling process as well, and is awaited by it. A
    /// process of another node than the supervisor's is code outside of any process for it.
    ///
    /// ```
    /// use otp_task::Supervisor;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// let answer = tasks.spawn(async { 42 }).await?;
    /// assert_eq!(answer.await_timeout(Duration::from_secs(1)).await?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisorError`]: there are as many tasks as there may be, or the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes the request back: what it has run of the task is nothing.
    ///
    /// Counterpart: `Task.Supervisor.async/3` in Elixir.
    pub async fn spawn<T, F>(&self, future: F) -> Result<Task<T>, SupervisorError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.begin(future, Prepared::start, true).await
    }

    /// Runs a future in a task under the supervisor, to be awaited by the calling process, which is not linked with it:
    /// it gets the task's failure as an error.
    ///
    /// ```
    /// use otp_task::{AwaitError, Supervisor};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// let task = tasks.spawn_unlinked(async { panic!("boom") as u32 }).await?;
    /// // The caller lives to tell the tale.
    /// assert!(matches!(task.await_timeout(Duration::from_secs(1)).await, Err(AwaitError::Exited(_))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// Counterpart: `Task.Supervisor.async_nolink/3` in Elixir.
    pub async fn spawn_unlinked<T, F>(&self, future: F) -> Result<Task<T>, SupervisorError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.begin(future, Prepared::start, false).await
    }

    /// Runs a function in a task under the supervisor on a thread of its own, which it may block or keep busy, see
    /// [`spawn_blocking`](crate::spawn_blocking). Linked and awaited as one of [`spawn`](Self::spawn).
    ///
    /// ```
    /// use otp_task::Supervisor;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().max_children(4).start().await?.data;
    /// let primes = tasks.spawn_blocking(|| (2..1000_u32).filter(|n| (2..*n).all(|d| n % d != 0)).count()).await?;
    /// assert_eq!(primes.await_timeout(Duration::from_secs(60)).await?, 168);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A thread cannot be stopped from outside: a supervisor that stops waits until the function next receives, calls or
    /// returns, and after the patience of its [`shutdown`](SupervisorBuilder::shutdown) leaves it behind and reports it.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    ///
    /// As [`spawn`](Self::spawn).
    pub async fn spawn_blocking<T, W>(&self, work: W) -> Result<Task<T>, SupervisorError>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        self.begin(run(work), Prepared::start_blocking, true).await
    }

    /// As [`spawn_blocking`](Self::spawn_blocking), in a task that is not linked with the calling process: it gets the
    /// failure as an error, and lives.
    ///
    /// ```
    /// use otp_task::Supervisor;
    /// use std::{fs, io, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// let reading = tasks.spawn_blocking_unlinked(|| fs::read("no such file").map_err(|error| error.kind())).await?;
    /// assert_eq!(reading.await_timeout(Duration::from_secs(60)).await?, Err(io::ErrorKind::NotFound));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    ///
    /// As [`spawn`](Self::spawn).
    pub async fn spawn_blocking_unlinked<T, W>(&self, work: W) -> Result<Task<T>, SupervisorError>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        self.begin(run(work), Prepared::start_blocking, false).await
    }

    async fn begin<T, F>(
        &self,
        future: F,
        start: Start<Gated<Work<F>>>,
        linked: bool,
    ) -> Result<Task<T>, SupervisorError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let slot = Arc::new(Slot::new());
        let (go, gate) = oneshot::channel();
        let own = slot.clone();
        let work = || Gated::new(gate, Work::new(own, When::Made, future));
        let launch = launch(callers::of_my_task(), start, work);
        let Started { pid, data: node } =
            self.0.start_child_with(Job::once(launch), Restart::Temporary).await?;
        if linked && current().is_some() && Node::current().is(&node) {
            // It waits to be told to go. If somebody has killed it, it has an outcome all the same.
            let _ = link(pid);
        }
        let _ = go.send(());
        Ok(Task::new(pid, node, slot))
    }

    /// Runs a future in a task under the supervisor that nobody awaits: for side effects. It is not restarted.
    ///
    /// ```
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// // Nobody waits for it; it is stopped in order when the supervisor is.
    /// let mail = tasks.start_child(async { println!("sent") }).await?;
    /// erlang_process::join(mail).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `Task.Supervisor.start_child/3` in Elixir.
    pub async fn start_child<F>(&self, future: F) -> Result<Pid, SupervisorError>
    where
        F: Future<Output: IntoExitReason> + Send + 'static,
    {
        self.start_job(launch(callers::of_my_task(), Prepared::start, || future)).await
    }

    /// As [`start_child`](Self::start_child), a function on a thread of its own, see
    /// [`spawn_blocking`](Self::spawn_blocking).
    ///
    /// ```
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// let tidying = tasks.start_child_blocking(|| drop(std::fs::remove_file("no such file"))).await?;
    /// erlang_process::join(tidying).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    pub async fn start_child_blocking<T, W>(&self, work: W) -> Result<Pid, SupervisorError>
    where
        T: IntoExitReason,
        W: FnOnce() -> T + Send + 'static,
    {
        self.start_job(launch(callers::of_my_task(), Prepared::start_blocking, || async { work() })).await
    }

    async fn start_job(&self, launch: Launch) -> Result<Pid, SupervisorError> {
        Ok(self.0.start_child_with(Job::once(launch), Restart::Temporary).await?.pid)
    }

    /// Runs a future in a task under the supervisor that nobody awaits, and again when it has ended, as `restart` says;
    /// each time what `body` makes, which is called in the task.
    ///
    /// ```
    /// use otp_supervisor::Restart;
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// // Begun again when it crashes, until it is done.
    /// tasks.start_child_with(Restart::Transient, || async { println!("sent") }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `Task.Supervisor.start_child/3` with the option `:restart` in Elixir.
    pub async fn start_child_with<F>(
        &self,
        restart: Restart,
        body: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<Pid, SupervisorError>
    where
        F: Future<Output: IntoExitReason> + Send + 'static,
    {
        let (callers, body) = (callers::of_my_task(), Arc::new(body));
        let start = move || prepare(Spawn::new().callers(&callers), Called::new(body.clone())).start();
        Ok(self.0.start_child_with(Job(Arc::new(move || Some(start()))), restart).await?.pid)
    }

    /// As [`async_stream`](crate::async_stream), with tasks under the supervisor.
    ///
    /// A task that cannot be started, because there are as many as there may be or the supervisor is gone, ends the
    /// consumer as one that is not done in time does by [default](crate::StreamOnTimeout::Exit). One that is done makes room
    /// for another when it is gone: a stream that is alone under its supervisor, with as many tasks at a time as there may be,
    /// is refused none.
    ///
    /// ```
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// let mut lengths = tasks.async_stream(["one", "three"], |word| async move { word.len() });
    /// assert_eq!(lengths.next().await, Some(Ok(3)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `Task.Supervisor.async_stream/4` in Elixir.
    pub fn async_stream<I, F, W>(
        &self,
        elements: I,
        work: W,
    ) -> AsyncStream<crate::Iter<I::IntoIter>, W, F::Output>
    where
        I: IntoIterator,
        F: Future<Output: Send + 'static> + Send + 'static,
        W: FnMut(I::Item) -> F,
    {
        crate::async_stream(elements, work).started_by(self.spawner())
    }

    /// As [`async_stream_from`](crate::async_stream_from), with tasks under the supervisor.
    ///
    /// ```
    /// use otp_task::{self as task, Supervisor};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// let words = task::async_stream(["one", "three"], |word| async move { word });
    /// let mut lengths = tasks.async_stream_from(words, |word| async move { word.map_or(0, str::len) });
    /// assert_eq!(lengths.next().await, Some(Ok(3)));
    /// assert_eq!(lengths.next().await, Some(Ok(5)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `Task.Supervisor.async_stream/4` in Elixir.
    pub fn async_stream_from<S, F, W>(&self, elements: S, work: W) -> AsyncStream<S, W, F::Output>
    where
        S: Stream,
        F: Future<Output: Send + 'static> + Send + 'static,
        W: FnMut(S::Item) -> F,
    {
        crate::async_stream_from(elements, work).started_by(self.spawner())
    }

    fn spawner(&self) -> Spawner {
        let factory = self.0.clone();
        Arc::new(move |launch| {
            let factory = factory.clone();
            Box::pin(async move {
                let started = factory.start_child_with(Job::once(launch), Restart::Temporary).await;
                started.map(|child| (child.pid, child.data)).map_err(ExitReason::error)
            })
        })
    }

    /// The processes of all tasks, those that were started last first.
    ///
    /// ```
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// let pid = tasks.start_child(std::future::pending::<()>()).await?;
    /// assert_eq!(tasks.children().await?, [pid]);
    /// tasks.terminate_child(pid).await?;
    /// assert_eq!(tasks.children().await?, []);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if the supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// Counterpart: `Task.Supervisor.children/1` in Elixir.
    pub async fn children(&self) -> Result<Vec<Pid>, CallError> {
        let children = self.0.which_children().await?;
        Ok(children.iter().filter_map(|child| child.pid()).collect())
    }

    /// Stops a task, and waits until it has ended.
    ///
    /// ```
    /// use otp_supervisor::SupervisorError;
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// let task = tasks.start_child(std::future::pending::<()>()).await?;
    /// tasks.terminate_child(task).await?;
    /// assert!(matches!(tasks.terminate_child(task).await, Err(SupervisorError::NotFound)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisorError::NotFound`] for a process that is not its child; [`SupervisorError::Call`] if the
    /// supervisor is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `Task.Supervisor.terminate_child/2` in Elixir.
    pub async fn terminate_child(&self, pid: Pid) -> Result<(), SupervisorError> {
        // One that is to be restarted has no process, and is found by the one that it had.
        if self.0.which_child(pid).await?.is_none() {
            return Err(SupervisorError::NotFound);
        }
        self.0.terminate_child(pid).await
    }

    /// Stops the tasks, all at once, with the reason `shutdown`, and then the supervisor, with the reason `normal`: who is linked
    /// with it goes on. Returns when it is gone.
    ///
    /// ```
    /// use otp_task::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = Supervisor::builder().start().await?.data;
    /// let task = tasks.start_child(std::future::pending::<()>()).await?;
    /// tasks.stop().await?;
    /// assert!(!erlang_process::is_alive(task));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::NoProc`] if it was gone already; [`CallError::Down`] with its reason, if it ended with another one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    ///
    /// Counterpart: `Supervisor.stop/1` in Elixir.
    pub async fn stop(&self) -> Result<(), CallError> {
        self.0.stop().await
    }
}

/// What a supervisor of tasks makes a child from. Only [`Supervisor`] makes one.
#[derive(Clone)]
pub struct Job(Arc<dyn Fn() -> Option<Pid> + Send + Sync>);

impl Job {
    /// A job that is done once.
    fn once(launch: Launch) -> Self {
        let launch = Mutex::new(Some(launch));
        Self(Arc::new(move || {
            let launch = launch.lock().unwrap_or_else(PoisonError::into_inner).take();
            launch.map(|launch| launch())
        }))
    }

    /// In the supervisor's process.
    fn start(&self) -> Result<Started<Node>, StartError> {
        let pid = (self.0)().ok_or(StartError::Ignored)?;
        Ok(Started { pid, data: Node::current() })
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}
