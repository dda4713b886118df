//! What is measured: the rows, how much work each is, and the bar it has to reach.

/// One line of the table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// How much of it: what is counted is said at the [`Work`].
    pub(crate) count: u64,
    pub(crate) threads: Threads,
    pub(crate) unit: Unit,
    pub(crate) bar: Bar,
}

/// The runtime that a row runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// The current-thread runtime.
    Current,
    /// A runtime with two worker threads.
    Two,
}

/// What a row's values are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// So many a second: more is better.
    Rate,
    /// Bytes each: less is better.
    Bytes,
}

/// What our system has to reach.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    None,
    /// At least so many times what bare tokio reaches.
    Ratio(f64),
    /// At least so many times what the best of the peers reaches whose actors run on all threads.
    Peers(f64),
    /// At most so much.
    AtMost(f64),
}

/// A kind of work, and what is counted. Every system does it as its users would.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// Processes that return at once, until all are gone.
    Spawn { linked: bool },
    /// Processes that wait for a message: the resident bytes of each.
    Idle { linked: bool },
    /// Requests with replies, one after the other, between two processes.
    Call { timeout: bool },
    /// Messages to one process, from so many.
    Send { producers: u64 },
    /// Messages to one process, from so many threads that are no workers of the runtime.
    SendFromThreads { producers: u64 },
    /// Hops in a ring of [`RING`] processes, with so many tokens.
    Ring { tokens: u64 },
    /// Messages: one process sends to [`FAN`] others and gets an answer from each, again and again.
    FanOut,
    /// Look-ups, each of [`NAMES`] names in its turn, by so many processes together.
    Lookup { lookers: u64 },
    /// Messages, to each of [`NAMES`] names in its turn, by so many processes together.
    NamedSend { producers: u64 },
    /// Processes that one process monitors; they end, and it has heard of all.
    Monitor,
    /// Restarts of one child.
    Restart { by: Failure },
    /// Children of one supervisor, started.
    SupervisorStart,
    /// Children of one supervisor, stopped in order.
    SupervisorStop,
    /// Tasks that return a value, spawned first and then awaited.
    Tasks,
    /// Actors, started one after the other and initialised each.
    ActorStart,
    /// As [`Work::Idle`], with actors.
    ActorIdle,
    /// As [`Work::Call`] without a timeout, to an actor.
    ActorCall,
    /// As [`Work::Send`], to an actor.
    ActorSend { producers: u64 },
}

/// How a child that is to be restarted ends.
#[derive(Clone, Copy)]
pub(crate) enum Failure {
    Error,
    Panic,
}

/// After so many messages a producer lets others run. One that never does keeps its receiver from its
/// worker, and what is measured then is how fast the memory of the queue grows.
pub(crate) const SENDS_PER_TURN: u64 = 256;
pub(crate) const RING: u64 = 1_000;
pub(crate) const FAN: u64 = 10_000;
pub(crate) const NAMES: u64 = 10_000;

/// All rows, in the order of the table.
pub(crate) const ALL: &[Row] =
    &[
        // With an allocator that is good at frees by other threads the channel of bare tokio costs less.
        rate("spawn", Work::Spawn { linked: false }, 200_000)
            .bar(Bar::Ratio(if cfg!(feature = "mimalloc") { 1.1 } else { 1.35 })),
        rate("spawn linked", Work::Spawn { linked: true }, 200_000),
        bytes("idle", Work::Idle { linked: false }, 200_000).bar(Bar::AtMost(500.0)),
        bytes("idle linked", Work::Idle { linked: true }, 200_000),
        rate("call mt", Work::Call { timeout: false }, 500_000).bar(Bar::Ratio(1.0)),
        rate("call ct", Work::Call { timeout: false }, 500_000).on(Threads::Current).bar(Bar::Ratio(1.0)),
        rate("call with timeout mt", Work::Call { timeout: true }, 500_000).bar(Bar::Ratio(2.2)),
        rate("call with timeout ct", Work::Call { timeout: true }, 500_000)
            .on(Threads::Current)
            .bar(Bar::Ratio(1.2)),
        rate("send 1→1", Work::Send { producers: 1 }, 5_000_000).bar(Bar::Ratio(1.8)),
        rate("send 8→1", Work::Send { producers: 8 }, 5_000_000).bar(Bar::Ratio(1.8)),
        rate("send 8 threads→1", Work::SendFromThreads { producers: 8 }, 5_000_000),
        rate("ring 1", Work::Ring { tokens: 1 }, 1_000_000).bar(Bar::Ratio(1.2)),
        rate("ring 1000", Work::Ring { tokens: 1_000 }, 1_000_000).bar(Bar::Ratio(1.8)),
        rate("fan-out", Work::FanOut, 1_000_000).bar(Bar::Ratio(1.0)),
        rate("lookup 1", Work::Lookup { lookers: 1 }, 2_000_000).bar(Bar::Peers(1.2)),
        rate("lookup 2", Work::Lookup { lookers: 2 }, 2_000_000).bar(Bar::Peers(1.2)),
        rate("named send 1", Work::NamedSend { producers: 1 }, 2_000_000).bar(Bar::Ratio(1.0)),
        rate("named send 2", Work::NamedSend { producers: 2 }, 2_000_000).bar(Bar::Ratio(1.0)),
        rate("restart by error", Work::Restart { by: Failure::Error }, 20_000).bar(Bar::Ratio(0.4)),
        rate("restart by panic", Work::Restart { by: Failure::Panic }, 20_000).bar(Bar::Ratio(0.7)),
        rate("supervisor start", Work::SupervisorStart, 10_000).bar(Bar::Ratio(0.5)),
        rate("supervisor stop", Work::SupervisorStop, 10_000).bar(Bar::Ratio(0.3)),
        rate("monitor", Work::Monitor, 100_000).bar(Bar::Ratio(0.75)),
        rate("tasks", Work::Tasks, 100_000).bar(Bar::Ratio(0.7)),
        rate("actor start", Work::ActorStart, 100_000),
        bytes("actor idle", Work::ActorIdle, 200_000).bar(Bar::AtMost(700.0)),
        rate("actor call mt", Work::ActorCall, 500_000),
        rate("actor call ct", Work::ActorCall, 500_000).on(Threads::Current),
        rate("actor send 1→1", Work::ActorSend { producers: 1 }, 5_000_000),
    ];

const fn rate(name: &'static str, work: Work, count: u64) -> Row {
    Row { name, work, count, threads: Threads::Two, unit: Unit::Rate, bar: Bar::None }
}

const fn bytes(name: &'static str, work: Work, count: u64) -> Row {
    Row { name, work, count, threads: Threads::Two, unit: Unit::Bytes, bar: Bar::None }
}

impl Row {
    const fn on(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    const fn bar(mut self, bar: Bar) -> Self {
        self.bar = bar;
        self
    }
}
