//! The store: which jobs there are, which are due, and who works at which.
//!
//! The database blocks, so that the process has a thread of its own.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    error::Error,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use erlang_process::{Down, ExitReason, Name, Pid, ReceiveError, Reply, Selector, Spawn, Subject, monitor};
use otp_actor::{StartError, Started};
use redb::{Database, ReadableTable, TableDefinition};

pub(crate) const STORE: Name<Message> = Name::fixed("store");

pub(crate) enum Message {
    /// Queues a command line; the answer is its number.
    Add(String, Reply<u64>),
    /// This process wants to work; the answer comes when there is something to do.
    Take(Pid, Reply<Job>),
    /// What became of a job; answered when it is on the disk.
    Ended(u64, Result<(), String>, Reply<()>),
    /// Jobs are given out, or not.
    Open(bool),
}

pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) command: String,
}

/// By number: the command line, how often it has failed, and when it is due, in milliseconds since the epoch.
const JOBS: TableDefinition<'_, u64, (&str, u32, u64)> = TableDefinition::new("jobs");
/// By number: the command line, and why nobody tries it any more.
const BURIED: TableDefinition<'_, u64, (&str, &str)> = TableDefinition::new("buried");

const ATTEMPTS: u32 = 5;

/// What the database has to say when it cannot go on. The store ends with it, and is started again.
type Failure = Box<dyn Error + Send + Sync>;

/// Opens the database, which is created if it is not there, and starts the process.
pub(crate) async fn start(
    path: PathBuf,
    back_off: Duration,
) -> Result<Started<Subject<Message>>, StartError> {
    let opened = tokio::task::spawn_blocking(move || Store::open(Database::create(path)?, back_off)).await;
    let store = opened.map_err(StartError::failed)?.map_err(StartError::failed)?;
    let spawned = Spawn::new().named(STORE).spawn_blocking(|own| store.run(&own).map_err(ExitReason::error));
    let own = spawned.map_err(StartError::failed)?;
    let pid = own.pid().ok_or_else(|| StartError::failed("it ended at once"))?;
    Ok(Started { pid, data: STORE.subject() })
}

struct Store {
    database: Database,
    back_off: Duration,
    last: u64,
    /// What waits, by the time it is due and by number.
    due: BTreeSet<(u64, u64)>,
    /// What is being worked at, by whom.
    taken: HashMap<u64, Pid>,
    idle: VecDeque<(Pid, Reply<Job>)>,
    /// Whose ends it is told of.
    watched: HashSet<Pid>,
    open: bool,
}

enum Event {
    Message(Message),
    Down(Down),
}

impl Store {
    fn open(database: Database, back_off: Duration) -> Result<Self, Failure> {
        let transaction = database.begin_write()?;
        let mut due = BTreeSet::new();
        let mut last = 0;
        {
            let buried = transaction.open_table(BURIED)?;
            last = buried.last()?.map_or(last, |(number, _)| number.value());
            for job in transaction.open_table(JOBS)?.iter()? {
                let (number, job) = job?;
                last = last.max(number.value());
                due.insert((job.value().2, number.value()));
            }
        }
        transaction.commit()?;
        Ok(Self {
            database,
            back_off,
            last,
            due,
            taken: HashMap::new(),
            idle: VecDeque::new(),
            watched: HashSet::new(),
            open: false,
        })
    }

    fn run(mut self, own: &Subject<Message>) -> Result<(), Failure> {
        let mut events = Selector::new().select(own, Event::Message).select_monitors(Event::Down);
        loop {
            self.give_out()?;
            match events.receive_blocking(self.until_next()) {
                Ok(Event::Message(message)) => self.handle(message)?,
                Ok(Event::Down(down)) => self.take_back(&down)?,
                Err(ReceiveError::Timeout) => {}
                // It has a mailbox for as long as it runs.
                Err(_) => return Ok(()),
            }
        }
    }

    fn handle(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            Message::Add(command, reply) => {
                self.last += 1;
                self.put(self.last, &command, 0, now())?;
                // Now it is on the disk.
                reply.send(self.last);
            }
            Message::Take(worker, reply) => {
                if self.watched.insert(worker) {
                    let _ = monitor(worker);
                }
                self.idle.push_back((worker, reply));
            }
            Message::Ended(number, outcome, reply) => {
                match outcome {
                    Ok(()) => self.done(number)?,
                    Err(why) => self.failed(number, &why)?,
                }
                reply.send(());
            }
            Message::Open(open) => {
                self.open = open;
                tracing::info!(waiting = self.due.len(), "{}", if open { "open" } else { "draining" });
            }
        }
        Ok(())
    }

    /// Hands what is due to those that wait.
    fn give_out(&mut self) -> Result<(), Failure> {
        while self.open
            && let Some((due, number)) = self.due.first().copied()
            && due <= now()
            && let Some((worker, reply)) = self.idle.pop_front()
        {
            self.due.pop_first();
            if let Some((command, _)) = self.get(number)? {
                self.taken.insert(number, worker);
                reply.send(Job { number, command });
            }
        }
        Ok(())
    }

    /// How long there is nothing to do, as far as can be known.
    fn until_next(&self) -> Duration {
        match self.due.first() {
            Some((due, _)) if self.open && !self.idle.is_empty() => {
                Duration::from_millis(due.saturating_sub(now()))
            }
            _ => Duration::MAX,
        }
    }

    /// A worker is gone: what it had is to be done by another.
    fn take_back(&mut self, down: &Down) -> Result<(), Failure> {
        let Some(worker) = down.pid() else { return Ok(()) };
        self.watched.remove(&worker);
        self.idle.retain(|(idle, _)| *idle != worker);
        let lost = self.taken.iter().filter(|(_, by)| **by == worker).map(|(number, _)| *number);
        for number in lost.collect::<Vec<_>>() {
            self.failed(number, &down.reason.to_string())?;
        }
        Ok(())
    }

    fn done(&mut self, number: u64) -> Result<(), Failure> {
        self.remove(number)?;
        tracing::info!(number, "done");
        Ok(())
    }

    fn failed(&mut self, number: u64, why: &str) -> Result<(), Failure> {
        self.taken.remove(&number);
        let Some((command, failures)) = self.get(number)? else { return Ok(()) };
        let failures = failures + 1;
        if failures >= ATTEMPTS {
            tracing::warn!(number, why, "buried");
            return self.bury(number, &command, why);
        }
        let pause = self.back_off * 2_u32.pow(failures - 1);
        tracing::info!(number, why, ?pause, "failed");
        self.put(number, &command, failures, now() + milliseconds(pause))
    }

    fn get(&self, number: u64) -> Result<Option<(String, u32)>, Failure> {
        let jobs = self.database.begin_read()?.open_table(JOBS)?;
        Ok(jobs.get(number)?.map(|job| (job.value().0.to_owned(), job.value().1)))
    }

    fn put(&mut self, number: u64, command: &str, failures: u32, due: u64) -> Result<(), Failure> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(JOBS)?.insert(number, (command, failures, due))?;
        transaction.commit()?;
        self.due.insert((due, number));
        Ok(())
    }

    fn remove(&mut self, number: u64) -> Result<(), Failure> {
        self.taken.remove(&number);
        let transaction = self.database.begin_write()?;
        transaction.open_table(JOBS)?.remove(number)?;
        Ok(transaction.commit()?)
    }

    fn bury(&self, number: u64, command: &str, why: &str) -> Result<(), Failure> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(JOBS)?.remove(number)?;
        transaction.open_table(BURIED)?.insert(number, (command, why))?;
        Ok(transaction.commit()?)
    }
}

/// The time of day: what is in the database outlives every other clock.
fn now() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
