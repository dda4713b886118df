//! Plays scenarios on running supervisors, simulated.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use erlang_process::{
    self as process, ExitMessage, ExitReason, LifeEvent, Node, Pid, Selector, Spawn, Subject,
};
use otp_actor::{InitAck, StartError, Started, start_process};
use otp_supervisor::{
    Presence, SupervisorError, factory_supervisor,
    semantics::RulesError,
    static_supervisor, supervision,
    testing::{Answer, Body, Child, Deed, Kind, Manner, Reason, Start, Tree, simulate},
};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    scenario::{Scenario, Step, join, last, parent, reason_word},
    trace::{State, write_step},
};

/// More than any request takes.
const LONG: Duration = Duration::from_secs(3600);

/// How often one looks whether a tree has come to rest, before it is said that it never does.
const LOOKS: usize = 10_000;

/// The trace of a scenario, as far as it can be seen of processes: supervisors are not heard, and whether an end was
/// asked for is not seen. Which process runs when is drawn from a seed, and must not matter.
pub(crate) fn play(scenario: &Scenario, seed: u64) -> String {
    let scenario = scenario.clone();
    simulate::once(seed, |_| async move {
        process::trap_exits(true).unwrap();
        let mut stage = Stage::new(&scenario.tree).await;
        let mut trace = vec![stage.after_step(&[]).await];
        for step in &scenario.steps {
            let answers = stage.step(step).await;
            trace.push(stage.after_step(&answers).await);
        }
        trace.join(";")
    })
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

type Argument = (String, Child);

#[derive(Clone)]
enum Handle {
    Static(static_supervisor::Supervisor),
    Factory(factory_supervisor::Supervisor<Argument, ()>),
}

/// Something that was seen.
enum Seen {
    Life(LifeEvent),
    Started(String, usize, usize),
}

/// A running tree, and who looks at it.
struct Stage {
    world: Arc<World>,
    events: Selector<Seen>,
    root: Option<Pid>,
    ended: Option<Reason>,
}

/// What all processes of a tree know.
struct World {
    started: Subject<(String, usize, usize)>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    starts: BTreeMap<String, usize>,
    /// The path of each process, the how-manyth it is there, and the how-manyth its supervisor.
    pids: HashMap<Pid, (String, usize, usize)>,
    last: HashMap<String, Pid>,
    handles: HashMap<String, Handle>,
    orders: HashMap<Pid, Subject<Reason>>,
}

impl World {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }
}

impl Stage {
    async fn new(tree: &Tree) -> Self {
        let (lives, started) = (Subject::new().unwrap(), Subject::new().unwrap());
        drop(Node::current().life_events(&lives));
        let events = Selector::new()
            .select(&lives, Seen::Life)
            .select(&started, |(path, nth, above)| Seen::Started(path, nth, above));
        let world = Arc::new(World { started, known: Mutex::default() });
        let root = start_tree(world.clone(), String::new(), tree.clone()).await.ok();
        if let Some(root) = root {
            world.known().pids.insert(root, (String::new(), 0, 0));
        }
        Self { world, events, root, ended: root.is_none().then_some(Reason::ShutdownWith) }
    }

    async fn step(&mut self, step: &Step) -> Vec<Answer> {
        match step {
            // The milliseconds of coming to rest add up to less than a second.
            Step::Wait(seconds) => sleep(Duration::from_secs(*seconds)).await,
            Step::Stop => {
                if let (Some(root), None) = (self.root, self.ended) {
                    otp_system::terminate(root, ExitReason::Shutdown, LONG).await.unwrap();
                }
            }
            Step::Deeds(deeds) => return self.deeds(deeds).await,
        }
        Vec::new()
    }

    async fn deeds(&mut self, deeds: &[Deed]) -> Vec<Answer> {
        let above = parent(deeds[0].path());
        let (handle, supervisor) = {
            let known = self.world.known();
            let pid = if above.is_empty() { self.root } else { known.last.get(above).copied() };
            (known.handles.get(above).cloned(), pid.filter(|pid| process::is_alive(*pid)))
        };
        let held = supervisor.filter(|_| deeds.len() > 1);
        if let Some(supervisor) = held {
            otp_system::suspend(supervisor, LONG).await.unwrap();
        }
        let mut asked: Vec<JoinHandle<Answer>> = Vec::new();
        for deed in deeds {
            match deed {
                Deed::Exit(path, reason) => self.exit(path, *reason).await,
                Deed::Hang(path) => {
                    let pid = self.world.known().last.get(path).copied();
                    assert!(pid.is_some_and(simulate::hang_on_stop), "nobody hangs at {path}");
                }
                deed => {
                    let (world, deed, handle) = (self.world.clone(), deed.clone(), handle.clone());
                    let node = Node::current();
                    let ask = async move {
                        match (supervisor, handle) {
                            (Some(_), Some(handle)) => ask(&world, &handle, deed).await,
                            _ => Answer::Gone,
                        }
                    };
                    asked.push(tokio::spawn(async move { node.run(ask).await.unwrap() }));
                }
            }
            // What was done is in the mailbox when nothing can run any more.
            sleep(Duration::from_millis(1)).await;
        }
        if let Some(supervisor) = held {
            otp_system::resume(supervisor, LONG).await.unwrap();
        }
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(asked.await.unwrap());
        }
        answers
    }

    async fn exit(&mut self, path: &str, reason: Reason) {
        let (pid, orders) = {
            let known = self.world.known();
            let Some(pid) = known.last.get(path).copied().filter(|pid| process::is_alive(*pid)) else {
                return;
            };
            (pid, known.orders.get(&pid).cloned())
        };
        match (reason, orders) {
            (Reason::Killed, _) => process::kill(pid),
            (reason, Some(orders)) => orders.send(reason),
            (reason, None) => otp_system::terminate(pid, exit_reason(reason), LONG).await.unwrap(),
        }
        process::join(pid).await;
    }

    /// Waits until the tree has come to rest and writes down what was seen.
    async fn after_step(&mut self, answers: &[Answer]) -> String {
        let mut looks = 0;
        let children = loop {
            sleep(Duration::from_millis(1)).await;
            if self.root.is_none_or(|root| !process::is_alive(root)) && self.nobody_else(&HashSet::new()) {
                break Vec::new();
            }
            if let Some(children) = list(&self.world, String::new()).await {
                let listed: HashSet<Pid> =
                    children.iter().filter_map(|(_, child)| child.map(|child| child.0)).collect();
                if self.nobody_else(&listed) {
                    break children;
                }
            }
            looks += 1;
            assert!(looks < LOOKS, "the tree does not come to rest");
        };
        let mut events = Vec::new();
        while let Ok(seen) = self.events.receive(Duration::ZERO).await {
            events.extend(self.event(seen));
        }
        let state: State = match self.ended {
            Some(reason) => Err(reason),
            None => {
                Ok(children.into_iter().map(|(path, child)| (path, child.map(|child| child.1))).collect())
            }
        };
        write_step(answers, &events, &state)
    }

    /// Whether all processes of the tree live that are listed, and no others.
    fn nobody_else(&self, listed: &HashSet<Pid>) -> bool {
        let known = self.world.known();
        let lives = |pid: &Pid| process::is_alive(*pid);
        let root = |pid: &Pid| Some(*pid) == self.root;
        known.pids.keys().all(|pid| lives(pid) == (listed.contains(pid) || root(pid) && lives(pid)))
    }

    fn event(&mut self, seen: Seen) -> Option<String> {
        match seen {
            Seen::Started(path, nth, above) => Some(format!("/{}#{above} start {path} {nth}", parent(&path))),
            Seen::Life(LifeEvent::Exited { pid, reason }) => {
                let reason = reason_of(&reason);
                if Some(pid) == self.root {
                    self.ended = Some(reason);
                    return None;
                }
                let (path, nth, above) = self.world.known().pids.get(&pid)?.clone();
                let mut text = String::new();
                write!(text, "/{}#{above} end {path} {nth} {}", parent(&path), reason_word(reason)).unwrap();
                Some(text)
            }
            Seen::Life(_) => None,
        }
    }
}

/// All children, each with the processes below it after it; `None` if something is still to be done.
fn list(world: &Arc<World>, path: String) -> BoxFuture<'_, Option<Listed>> {
    Box::pin(async move {
        let handle = world.known().handles.get(&path)?.clone();
        let presences: Vec<(Option<String>, Presence<Pid>)> = match handle {
            Handle::Static(tree) => {
                let children = tree.which_children().await.ok()?;
                children.into_iter().map(|child| (Some(child.rules.id.to_string()), child.presence)).collect()
            }
            Handle::Factory(tree) => {
                let children = tree.which_children().await.ok()?;
                children.into_iter().map(|child| (None, child.presence)).collect()
            }
        };
        let mut all = Vec::new();
        for (id, presence) in presences.into_iter().rev() {
            match presence {
                Presence::Restarting { .. } => return None,
                Presence::Undefined => all.push((join(&path, &id?), None)),
                Presence::Running(pid) if process::is_alive(pid) => {
                    let (path, nth, _) = world.known().pids.get(&pid)?.clone();
                    all.push((path.clone(), Some((pid, nth))));
                    if world.known().handles.contains_key(&path) {
                        all.extend(list(world, path).await?);
                    }
                }
                Presence::Running(_) | Presence::Unresponsive(_) => return None,
            }
        }
        Some(all)
    })
}

type Listed = Vec<(String, Option<(Pid, usize)>)>;

/// Starts a supervisor with all that is below it.
fn start_tree(world: Arc<World>, path: String, tree: Tree) -> BoxFuture<'static, Result<Pid, StartError>> {
    Box::pin(async move {
        let (pid, handle) = match tree.kind {
            Kind::Static { strategy, auto_shutdown } => {
                let mut builder = static_supervisor::new(strategy)
                    .restart_tolerance(tree.intensity, tree.period)
                    .auto_shutdown(auto_shutdown);
                for child in tree.children {
                    builder = builder.add(spec(&world, join(&path, &child.id), child));
                }
                let started = builder.start().await?;
                (started.pid, Handle::Static(started.data))
            }
            Kind::Factory { template } => {
                let world = world.clone();
                let start = move |(path, child): Argument| start_child(world.clone(), path, child);
                let builder = factory_supervisor::worker(start)
                    .restart(template.restart)
                    .restart_tolerance(tree.intensity, tree.period)
                    .shutdown(template.shutdown);
                let started = builder.start().await?;
                (started.pid, Handle::Factory(started.data))
            }
        };
        world.known().handles.insert(path, handle);
        Ok(pid)
    })
}

fn spec(world: &Arc<World>, path: String, child: Child) -> otp_supervisor::ChildSpec {
    let (id, restart, significant, shutdown) =
        (last(&path).to_owned(), child.restart, child.significant, child.shutdown);
    let world = world.clone();
    supervision::worker(move || start_child(world.clone(), path.clone(), child.clone()))
        .id(id)
        .restart(restart)
        .significant(significant)
        .shutdown(shutdown)
}

async fn start_child(world: Arc<World>, path: String, child: Child) -> Result<Started<()>, StartError> {
    let (nth, above) = {
        let mut known = world.known();
        let above = known.starts.get(parent(&path)).copied().unwrap_or(0);
        let count = known.starts.entry(path.clone()).or_default();
        *count += 1;
        (*count, above)
    };
    world.started.send((path.clone(), nth, above));
    match child.starts.get(nth - 1) {
        Some(Start::Fails) => return Err(StartError::failed("no")),
        Some(Start::Ignores) => return Err(StartError::Ignored),
        Some(Start::Up) | None => {}
    }
    let pid = match child.body {
        Body::Supervisor(tree) => start_tree(world.clone(), path.clone(), tree).await?,
        Body::Worker(manner) => {
            let body = move |orders, ack| worker(manner, orders, ack);
            let started = start_process(Spawn::new(), LONG, body).await?;
            world.known().orders.insert(started.pid, started.data);
            started.pid
        }
    };
    let mut known = world.known();
    known.pids.insert(pid, (path.clone(), nth, above));
    known.last.insert(path, pid);
    Ok(Started { pid, data: () })
}

async fn worker(manner: Manner, orders: Subject<Reason>, ack: InitAck<Subject<Reason>>) -> ExitReason {
    enum Message {
        Order(Reason),
        Exit(ExitMessage),
    }
    if manner != Manner::Obeys {
        process::trap_exits(true).unwrap();
    }
    let mut messages = Selector::new().select(&orders, Message::Order).select_trapped_exits(Message::Exit);
    if let Err(reason) = ack.ready(orders) {
        return reason;
    }
    loop {
        match messages.receive_forever().await.unwrap() {
            Message::Order(reason) => return exit_reason(reason),
            Message::Exit(exit) => match manner {
                Manner::EndsWith(reason) => return exit_reason(reason),
                Manner::Hangs if exit.reason == ExitReason::Shutdown => {}
                Manner::Hangs | Manner::Obeys => return exit.reason,
            },
        }
    }
}

async fn ask(world: &Arc<World>, handle: &Handle, deed: Deed) -> Answer {
    let id = last(deed.path()).to_owned();
    let outcome = match (handle, deed) {
        (Handle::Static(tree), Deed::Start(path, child)) => {
            tree.start_child(spec(world, path, *child)).await.map(|_| Answer::Done)
        }
        (Handle::Factory(tree), Deed::Start(path, child)) => {
            tree.start_child((path, *child)).await.map(|_| Answer::Done)
        }
        (Handle::Static(tree), Deed::Terminate(_)) => tree.terminate_child(id).await.map(|()| Answer::Done),
        (Handle::Factory(tree), Deed::Terminate(path)) => {
            let known = world.known().last.get(&path).copied();
            let pid = match known {
                Some(pid) => pid,
                // Who has never run goes by a process that is nobody's and dead.
                None => {
                    let nobody = process::spawn_unlinked(async {});
                    process::join(nobody).await;
                    nobody
                }
            };
            tree.terminate_child(pid).await.map(|()| Answer::Done)
        }
        (Handle::Static(tree), Deed::Restart(_)) => {
            tree.restart_child(id).await.map(|pid| if pid.is_some() { Answer::Done } else { Answer::Ignored })
        }
        (Handle::Static(tree), Deed::Delete(_)) => tree.delete_child(id).await.map(|()| Answer::Done),
        (_, deed) => panic!("{deed:?} cannot be asked"),
    };
    match outcome {
        Ok(answer) => answer,
        Err(error) => match error {
            SupervisorError::AlreadyStarted(_) => Answer::AlreadyStarted,
            SupervisorError::AlreadyPresent => Answer::AlreadyPresent,
            SupervisorError::Running => Answer::Running,
            SupervisorError::Restarting => Answer::Restarting,
            SupervisorError::NotFound => Answer::NotFound,
            SupervisorError::InvalidRules(RulesError::SignificantNever(_)) => Answer::SignificantNever,
            SupervisorError::InvalidRules(RulesError::SignificantPermanent(_)) => {
                Answer::SignificantPermanent
            }
            SupervisorError::StartFailed(_) => Answer::Failed,
            SupervisorError::Ignored => Answer::Ignored,
            SupervisorError::Call(_) => Answer::Gone,
            error => panic!("{error}"),
        },
    }
}

fn exit_reason(reason: Reason) -> ExitReason {
    match reason {
        Reason::Normal => ExitReason::Normal,
        Reason::Shutdown => ExitReason::Shutdown,
        Reason::ShutdownWith => ExitReason::shutdown_with("stop"),
        Reason::Killed => ExitReason::Killed,
        Reason::Crash => ExitReason::error("crash"),
    }
}

fn reason_of(reason: &ExitReason) -> Reason {
    match reason {
        ExitReason::Normal => Reason::Normal,
        ExitReason::Shutdown => Reason::Shutdown,
        ExitReason::ShutdownWith(_) => Reason::ShutdownWith,
        ExitReason::Killed => Reason::Killed,
        _ => Reason::Crash,
    }
}
