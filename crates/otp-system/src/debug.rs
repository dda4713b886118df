//! The debug functions of one process: what is done with its events.

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    collections::VecDeque,
    fmt,
    fs::File,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use erlang_process::{Node, Pid, current};
use tokio::time::Instant;

use crate::event::{Event, EventKind, LoggedEvent};

/// Debug functions that a process begins with.
///
/// ```
/// use otp_system::DebugOptions;
///
/// let options = DebugOptions::new().log(10).statistics();
/// ```
///
/// Counterpart: the option `debug` of `gen_server:start_link/4`, `debug_state` in Gleam.
#[derive(Clone, Default)]
#[must_use = "a process is given them when it is started"]
pub struct DebugOptions(Vec<DebugOption>);

#[derive(Clone)]
enum DebugOption {
    Trace,
    Log(usize),
    LogToFile(PathBuf),
    Statistics,
    Install(Arc<dyn Fn() -> Installed + Send + Sync>),
}

impl DebugOptions {
    /// None.
    ///
    /// ```
    /// use otp_system::{DebugOptions, System};
    ///
    /// let system = System::new("adder", None).debugging(DebugOptions::new());
    /// assert!(!system.is_debugged());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Traces, see [`trace`](crate::trace).
    ///
    /// ```
    /// use otp_system::{DebugOptions, Event, EventKind, System};
    ///
    /// let mut system = System::new("adder", None).debugging(DebugOptions::new().trace());
    /// // A tracing event of the target `otp_system::trace`.
    /// system.event(&Event::new(EventKind::Other, "awake"), &0);
    /// # assert!(system.is_debugged());
    /// ```
    pub fn trace(self) -> Self {
        self.with(DebugOption::Trace)
    }

    /// Keeps the last `limit` events, see [`log`](crate::log).
    ///
    /// ```
    /// use otp_system::{DebugOptions, Event, EventKind, System};
    ///
    /// let mut system = System::new("adder", None).debugging(DebugOptions::new().log(2));
    /// for text in ["one", "two", "three"] {
    ///     system.event(&Event::new(EventKind::Other, text), &0);
    /// }
    /// let texts: Vec<_> = system.logged().into_iter().map(|event| event.text).collect();
    /// assert_eq!(texts, ["two", "three"]);
    /// ```
    pub fn log(self, limit: usize) -> Self {
        self.with(DebugOption::Log(limit))
    }

    /// Writes events to a file, see [`log_to_file`](crate::log_to_file). One that cannot be opened is warned of and
    /// otherwise ignored.
    ///
    /// ```
    /// use otp_system::{DebugOptions, Event, EventKind, System};
    /// use std::{env, fs, process};
    ///
    /// let path = env::temp_dir().join(format!("events-{}.log", process::id()));
    /// let mut system = System::new("adder", None).debugging(DebugOptions::new().log_to_file(&path));
    /// system.event(&Event::new(EventKind::Other, "awake"), &0);
    /// assert!(fs::read_to_string(&path)?.contains("other awake"));
    /// # fs::remove_file(&path)?;
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    pub fn log_to_file(self, path: impl AsRef<Path>) -> Self {
        self.with(DebugOption::LogToFile(path.as_ref().to_owned()))
    }

    /// Counts, see [`statistics`](crate::statistics).
    ///
    /// ```
    /// use otp_system::{DebugOptions, System};
    ///
    /// // It counts from the beginning; `counted` asks how many.
    /// let system = System::new("adder", None).debugging(DebugOptions::new().statistics());
    /// assert!(system.is_debugged());
    /// ```
    pub fn statistics(self) -> Self {
        self.with(DebugOption::Statistics)
    }

    /// Calls a function with each event, see [`install`](crate::install). For a process whose state is of another type it
    /// is ignored.
    ///
    /// ```
    /// use otp_system::{DebugOptions, Debugging, Event, EventKind, System};
    /// use std::sync::mpsc;
    ///
    /// let (tell, told) = mpsc::channel();
    /// let options = DebugOptions::new().install("overdrawn", move |event, balance: &i64| {
    ///     if *balance < 0 {
    ///         drop(tell.send(format!("{event} at a balance of {balance}")));
    ///     }
    ///     Debugging::Continue
    /// });
    /// let mut account = System::new("account", None).debugging(options);
    /// account.event(&Event::new(EventKind::In, "pay 50"), &30_i64);
    /// account.event(&Event::new(EventKind::In, "pay 10"), &-20_i64);
    /// assert_eq!(told.recv()?, "in pay 10 at a balance of -20");
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    pub fn install<S: 'static>(
        self,
        id: impl Into<Cow<'static, str>>,
        function: impl FnMut(&Event<'_>, &S) -> Debugging + Clone + Send + Sync + 'static,
    ) -> Self {
        let id = id.into();
        self.with(DebugOption::Install(Arc::new(move || Installed::new(id.clone(), function.clone()))))
    }

    fn with(mut self, option: DebugOption) -> Self {
        self.0.push(option);
        self
    }

    /// The debug functions of a process that begins with these.
    pub(crate) fn into_debug(self) -> Option<Box<Debug>> {
        if self.0.is_empty() {
            return None;
        }
        let mut debug = Debug::default();
        for option in self.0 {
            match option {
                DebugOption::Trace => debug.trace = true,
                DebugOption::Log(limit) => debug.log(Some(limit)),
                DebugOption::LogToFile(path) => {
                    if let Err(error) = debug.log_to_file(Some(&path)) {
                        tracing::warn!(target: "otp_system", path = %path.display(), %error, "no log to this file");
                    }
                }
                DebugOption::Statistics => debug.statistics(true),
                DebugOption::Install(install) => debug.install(install()),
            }
        }
        Some(Box::new(debug))
    }
}

impl fmt::Debug for DebugOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|option| match option {
            DebugOption::Trace => "trace",
            DebugOption::Log(_) => "log",
            DebugOption::LogToFile(_) => "log_to_file",
            DebugOption::Statistics => "statistics",
            DebugOption::Install(_) => "install",
        });
        f.debug_list().entries(names).finish()
    }
}

/// Whether an installed debug function wants to see more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debugging {
    /// It stays.
    Continue,
    /// It is removed.
    Done,
}

/// What a process has done since it was told to count.
///
/// Counterpart: the result of `sys:statistics(Name, get)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// For how long it counts.
    pub elapsed: Duration,
    /// How often it was polled, which is as near as there is to reductions.
    pub polls: u64,
    /// How many messages it has handled.
    pub messages_in: u64,
    /// How many replies it has sent.
    pub messages_out: u64,
}

/// Everything that is done with the events of a process.
#[derive(Default)]
pub(crate) struct Debug {
    pub(crate) trace: bool,
    log: Option<Log>,
    file: Option<File>,
    counters: Option<Counters>,
    installed: Vec<Installed>,
}

struct Log {
    limit: usize,
    events: VecDeque<LoggedEvent>,
}

struct Counters {
    since: Instant,
    polls: u64,
    messages_in: u64,
    messages_out: u64,
}

/// An installed debug function.
pub(crate) struct Installed {
    id: Cow<'static, str>,
    state: TypeId,
    call: DebugFunction,
}

/// Gets the event, and the state that the process has then.
type DebugFunction = Box<dyn FnMut(&Event<'_>, &dyn Any) -> Debugging + Send>;

impl Installed {
    pub(crate) fn new<S: 'static>(
        id: Cow<'static, str>,
        mut function: impl FnMut(&Event<'_>, &S) -> Debugging + Send + 'static,
    ) -> Self {
        let call = move |event: &Event<'_>, state: &dyn Any| {
            state.downcast_ref().map_or(Debugging::Done, |state| function(event, state))
        };
        Self { id, state: TypeId::of::<S>(), call: Box::new(call) }
    }

    pub(crate) fn is_for<S: 'static>(&self) -> bool {
        self.state == TypeId::of::<S>()
    }
}

impl Debug {
    /// Whether nothing is done with events.
    pub(crate) fn is_idle(&self) -> bool {
        !self.trace
            && self.log.is_none()
            && self.file.is_none()
            && self.counters.is_none()
            && self.installed.is_empty()
    }

    pub(crate) fn log(&mut self, limit: Option<usize>) {
        self.log = limit.filter(|limit| *limit > 0).map(|limit| {
            let mut events = self.log.take().map(|log| log.events).unwrap_or_default();
            events.drain(..events.len().saturating_sub(limit));
            Log { limit, events }
        });
    }

    /// The events that are kept, the oldest first.
    pub(crate) fn logged(&self) -> Vec<LoggedEvent> {
        self.log.as_ref().map(|log| log.events.iter().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn log_to_file(&mut self, path: Option<&Path>) -> io::Result<()> {
        self.file = None;
        self.file = path.map(File::create).transpose()?;
        Ok(())
    }

    pub(crate) fn statistics(&mut self, on: bool) {
        self.counters =
            on.then(|| Counters { since: Instant::now(), polls: polls(), messages_in: 0, messages_out: 0 });
    }

    pub(crate) fn counted(&self) -> Option<Statistics> {
        self.counters.as_ref().map(|counters| Statistics {
            elapsed: counters.since.elapsed(),
            polls: polls().saturating_sub(counters.polls),
            messages_in: counters.messages_in,
            messages_out: counters.messages_out,
        })
    }

    /// Installs a function, unless there is one with its id.
    pub(crate) fn install(&mut self, installed: Installed) {
        if !self.installed.iter().any(|other| other.id == installed.id) {
            self.installed.push(installed);
        }
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.installed.retain(|installed| installed.id != id);
    }

    pub(crate) fn event(&mut self, event: &Event<'_>, state: &dyn Any) {
        if self.trace {
            tracing::info!(target: "otp_system::trace", pid = %pid(), %event);
        }
        if let Some(log) = &mut self.log {
            if log.events.len() >= log.limit {
                log.events.pop_front();
            }
            log.events.push_back(event.logged());
        }
        if let Some(file) = &mut self.file
            && let Err(error) = writeln!(file, "{} {event}", pid())
        {
            tracing::warn!(target: "otp_system", pid = %pid(), %error, "no more is logged to the file");
            self.file = None;
        }
        if let Some(counters) = &mut self.counters {
            match event.kind() {
                EventKind::In => counters.messages_in += 1,
                EventKind::Out => counters.messages_out += 1,
                EventKind::NoReply | EventKind::Continue | EventKind::Other => {}
            }
        }
        self.installed.retain_mut(|installed| {
            let wanted = catch_unwind(AssertUnwindSafe(|| (installed.call)(event, state)));
            matches!(wanted, Ok(Debugging::Continue))
        });
    }
}

fn pid() -> Pid {
    current().unwrap_or(Pid::OUTSIDE)
}

fn polls() -> u64 {
    current().and_then(|pid| Node::current().info(pid)).map_or(0, |info| info.polls)
}
