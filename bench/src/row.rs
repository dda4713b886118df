//! What is measured: the rows, how much work each is, and the bar it has to reach.

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    pub(crate) threads: Threads,
    pub(crate) unit: &'static str,
    pub(crate) bar: Bar,
}

impl Row {
    /// Whether the row is meant by this prefix of its name.
    pub(crate) fn is(&self, prefix: &str) -> bool {
        self.name.starts_with(prefix)
    }
}

/// The runtime that a row runs on.
#[derive(Clone, Copy)]
pub(crate) enum Threads {
    /// The current-thread runtime.
    Current,
    /// A runtime with two worker threads.
    Two,
}

/// What our system has to reach.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    None,
    /// At least so many times what bare tokio reaches.
    Ratio(f64),
    /// At most so much.
    AtMost(f64),
}

/// A kind of work. Every system does it as its users would.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// [`SPAWNS`] processes that return at once, until all are gone.
    Spawn { linked: bool },
    /// Resident bytes for each of [`IDLE`] processes that wait for a message.
    Idle { linked: bool },
    /// [`CALLS`] requests and replies between two processes.
    Call { timeout: bool },
    /// [`SENDS`] messages to one process, from so many.
    Send { producers: u64 },
    /// [`HOPS`] in a ring of [`RING`] processes, with so many tokens.
    Ring { tokens: u64 },
    /// One process sends to [`FAN`] others and gets an answer from each, [`FAN_ROUNDS`] times.
    FanOut,
    /// Each of [`NAMES`] names is looked up [`LOOKUPS`] times, by so many processes together.
    Lookup { lookers: usize },
    /// Each of [`NAMES`] names is sent to [`NAMED_SENDS`] times, by so many processes together.
    NamedSend { producers: usize },
    /// One process monitors [`MONITORED`] others, they end, it has heard of all.
    Monitor,
    /// A child that ends [`RESTARTS`] times and is started again.
    Restart { by: Failure },
    /// A supervisor starts [`CHILDREN`] children, one after the other.
    Start,
    /// It stops them in reverse order, and awaits the end of each before it asks the next.
    Stop,
}

/// How a child that is to be restarted ends.
#[derive(Clone, Copy)]
pub(crate) enum Failure {
    Error,
    Panic,
}

pub(crate) const SPAWNS: u64 = 200_000;
pub(crate) const IDLE: u64 = 200_000;
pub(crate) const CALLS: u64 = 500_000;
pub(crate) const SENDS: u64 = 5_000_000;
/// After so many a producer lets others run. One that never does keeps its receiver from its worker, and
/// what is measured then is how fast the memory of the queue grows.
pub(crate) const SENDS_PER_TURN: u64 = 256;
pub(crate) const RING: u64 = 1_000;
pub(crate) const HOPS: u64 = 1_000_000;
pub(crate) const FAN: u64 = 10_000;
pub(crate) const FAN_ROUNDS: u64 = 50;
pub(crate) const NAMES: u64 = 10_000;
pub(crate) const LOOKUPS: usize = 200;
pub(crate) const NAMED_SENDS: usize = 200;
pub(crate) const MONITORED: u64 = 100_000;
pub(crate) const RESTARTS: u64 = 20_000;
pub(crate) const CHILDREN: u64 = 10_000;

/// All rows, in the order of the table.
pub(crate) const ALL: &[Row] = &[
    rate("spawn", Work::Spawn { linked: false }, Bar::Ratio(1.35)),
    rate("spawn linked", Work::Spawn { linked: true }, Bar::None),
    bytes("idle", Work::Idle { linked: false }, Bar::AtMost(500.0)),
    bytes("idle linked", Work::Idle { linked: true }, Bar::None),
    rate("call mt", Work::Call { timeout: false }, Bar::Ratio(1.0)),
    rate("call ct", Work::Call { timeout: false }, Bar::Ratio(1.0)).on(Threads::Current),
    rate("call timeout mt", Work::Call { timeout: true }, Bar::Ratio(2.2)),
    rate("call timeout ct", Work::Call { timeout: true }, Bar::Ratio(1.2)).on(Threads::Current),
    rate("send 1→1", Work::Send { producers: 1 }, Bar::Ratio(1.8)),
    rate("send 8→1", Work::Send { producers: 8 }, Bar::Ratio(1.8)),
    rate("ring 1", Work::Ring { tokens: 1 }, Bar::Ratio(1.2)),
    rate("ring 1000", Work::Ring { tokens: 1_000 }, Bar::Ratio(1.8)),
    rate("fan-out", Work::FanOut, Bar::Ratio(1.0)),
    // 1.2 of the best peer, which is 1.28 of bare tokio with one thread and 0.9 with two.
    rate("lookup 1", Work::Lookup { lookers: 1 }, Bar::Ratio(1.54)),
    rate("lookup 2", Work::Lookup { lookers: 2 }, Bar::Ratio(1.08)),
    rate("named send 1", Work::NamedSend { producers: 1 }, Bar::Ratio(1.0)),
    rate("named send 2", Work::NamedSend { producers: 2 }, Bar::Ratio(1.0)),
    rate("monitor", Work::Monitor, Bar::Ratio(0.75)),
    rate("restart by error", Work::Restart { by: Failure::Error }, Bar::Ratio(0.4)),
    rate("restart by panic", Work::Restart { by: Failure::Panic }, Bar::Ratio(0.7)),
    rate("start", Work::Start, Bar::Ratio(0.5)),
    rate("stop", Work::Stop, Bar::Ratio(0.3)),
];

const fn rate(name: &'static str, work: Work, bar: Bar) -> Row {
    Row { name, work, threads: Threads::Two, unit: "1/s", bar }
}

const fn bytes(name: &'static str, work: Work, bar: Bar) -> Row {
    Row { name, work, threads: Threads::Two, unit: "bytes", bar }
}

impl Row {
    const fn on(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }
}
