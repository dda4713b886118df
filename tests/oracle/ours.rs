//! Plays scenarios on `erlang-process`. `primitives.erl` is the same in Erlang.

use std::{
    collections::BTreeMap,
    panic::resume_unwind,
    sync::{Arc, Mutex},
    time::Duration,
};

use erlang_process::{
    self as process, AliasMode, Dest, Down, ExitMessage, ExitReason, Info, Monitor, Name, Node, Pid,
    ReceiveError, Reference, Selector, Signal, Spawn, Subject,
};

use crate::differences;

/// How long everything takes on a paused clock: it moves when nobody has anything left to do.
const SETTLED: Duration = Duration::from_millis(1);

/// A scenario that is being played.
pub(crate) struct Play {
    node: Node,
    world: World,
}

/// A process that lives after a step.
pub(crate) struct Living {
    pub(crate) name: String,
    pub(crate) trapping: bool,
}

impl Play {
    /// Spawns the first processes, on a node of their own.
    pub(crate) async fn new(count: usize) -> Self {
        let (node, world) = (Node::new(), World::default());
        for number in 1..=count {
            let prepared = Spawn::new().on(&node).prepare(|own| obey(world.clone(), Some(own))).unwrap();
            world.born(&format!("p{number}"), prepared.pid(), Some(prepared.subject()));
            prepared.start();
        }
        tokio::time::sleep(SETTLED).await;
        Self { node, world }
    }

    /// Has an actor carry its commands out, as in `p1 link p2,alive p2`, and returns the step's trace.
    pub(crate) async fn step(&self, step: &str) -> String {
        let (actor, commands) = step.split_once(' ').unwrap_or((step, ""));
        let known = self.world.references();
        let commands = commands.split(',').map(str::to_owned).collect();
        let answer = match self.world.pid(actor) {
            Some(pid) if self.node.is_alive(pid) => {
                self.order(pid, Order::Do(commands));
                tokio::time::sleep(SETTLED).await;
                let answers = std::mem::take(&mut self.world.lock().answers);
                if self.node.is_alive(pid) {
                    answers.join(",")
                } else {
                    self.world.forget_all_but(known);
                    "-".to_owned()
                }
            }
            _ => "dead".to_owned(),
        };

        let living = self.living();
        for living in &living {
            if let Some(pid) = self.world.pid(&living.name) {
                self.order(pid, Order::Report(actor.to_owned()));
            }
        }
        tokio::time::sleep(SETTLED).await;
        let mut got = std::mem::take(&mut self.world.lock().got);
        let mut trace = answer;
        for Living { name, .. } in living {
            let Some(info) = self.world.pid(&name).and_then(|pid| self.node.info(pid)) else { continue };
            let got = got.remove(&name).unwrap_or_default().join(",");
            let got = if got.is_empty() { got } else { format!(" got={got}") };
            trace += &format!("|{name}{}{}{got}", self.world.bonds(&info), queue(&info));
        }
        trace
    }

    /// Who lives, oldest first.
    pub(crate) fn living(&self) -> Vec<Living> {
        let of = |pid| {
            let info = self.node.info(pid)?;
            Some(Living { name: self.world.name(pid)?, trapping: info.trapping_exits })
        };
        self.node.processes().into_iter().filter_map(of).collect()
    }

    fn order(&self, pid: Pid, order: Order) {
        self.node.signal(None, pid, Signal::Message(Box::new(order)));
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        for pid in self.node.processes() {
            self.node.signal(None, pid, Signal::Exit { reason: ExitReason::Kill, link: false });
        }
    }
}

/// What the processes obey.
enum Order {
    Do(Vec<String>),
    /// Says what the process has got in the step of this actor, unless it holds it back.
    Report(String),
}

/// A message of the scenario's.
struct Text(String);

/// What the processes of a scenario share.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    pids: BTreeMap<String, Pid>,
    subjects: BTreeMap<Pid, Subject<Text>>,
    references: References,
    answers: Vec<String>,
    got: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Default)]
struct References {
    monitors: BTreeMap<String, Monitor>,
    aliases: BTreeMap<String, Reference>,
}

impl World {
    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.0.lock().unwrap()
    }

    fn born(&self, name: &str, pid: Pid, own: Option<Subject<Text>>) {
        let mut shared = self.lock();
        shared.pids.insert(name.to_owned(), pid);
        shared.subjects.extend(own.map(|own| (pid, own)));
    }

    fn pid(&self, name: &str) -> Option<Pid> {
        self.lock().pids.get(name).copied()
    }

    fn name(&self, pid: Pid) -> Option<String> {
        self.lock().pids.iter().find(|(_, known)| **known == pid).map(|(name, _)| name.clone())
    }

    fn references(&self) -> References {
        self.lock().references.clone()
    }

    fn forget_all_but(&self, references: References) {
        self.lock().references = references;
    }

    fn bonds(&self, info: &Info) -> String {
        let names = |label: &str, names: Vec<Option<String>>| {
            let mut names: Vec<_> = names.into_iter().flatten().collect();
            names.sort_unstable();
            if names.is_empty() { String::new() } else { format!(" {label}={}", names.join(",")) }
        };
        let trap = if info.trapping_exits { " trap" } else { "" };
        let links = names("links", info.links.iter().map(|pid| self.name(*pid)).collect());
        let monitors = names("monitors", info.monitors.iter().map(|of| self.target(*of)).collect());
        let by = names("by", info.monitored_by.iter().map(|pid| self.name(*pid)).collect());
        let name = names("name", vec![info.name.map(|name| name.text().to_owned())]);
        format!("{trap}{name}{links}{monitors}{by}")
    }

    fn target(&self, target: Dest) -> Option<String> {
        match target {
            Dest::Pid(pid) => self.name(pid),
            Dest::Name(name, _) => Some(name.text().to_owned()),
            Dest::Alias(_) => None,
        }
    }

    fn exit(&self, exit: &ExitMessage) -> String {
        format!("exit:{}:{}", self.name(exit.pid).unwrap_or_default(), show(&exit.reason))
    }

    fn down(&self, down: &Down) -> String {
        let monitors = self.references().monitors;
        let monitor = monitors.iter().find(|(_, monitor)| **monitor == down.monitor);
        let monitor = monitor.map_or("", |(name, _)| name);
        format!("down:{monitor}:{}:{}", self.target(down.target).unwrap_or_default(), show(&down.reason))
    }
}

fn queue(info: &Info) -> String {
    match info.message_queue_len {
        0 => String::new(),
        length => format!(" queue={length}"),
    }
}

fn show(reason: &ExitReason) -> String {
    match reason {
        ExitReason::Panic(_) => "crash".to_owned(),
        ExitReason::ShutdownWith(detail) => detail.to_string(),
        other => other.to_string(),
    }
}

fn reason(word: &str) -> ExitReason {
    match word {
        "normal" => ExitReason::Normal,
        "shutdown" => ExitReason::Shutdown,
        "stop" => ExitReason::shutdown_with("stop"),
        "kill" => ExitReason::Kill,
        "killed" => ExitReason::Killed,
        "noproc" => ExitReason::NoProc,
        other => ExitReason::error(other),
    }
}

/// The names that scenarios register, with the type of most of those that they are given to. Each node has its own
/// table of them.
fn registered(word: &str) -> Name<Text> {
    NAMES.into_iter().find(|name| name.registered_name().text() == word).unwrap()
}

const NAMES: [Name<Text>; 2] = [Name::fixed("n1"), Name::fixed("n2")];

// The processes

/// Takes nothing out of its mailbox but orders, until it has to report.
async fn obey(world: World, own: Option<Subject<Text>>) {
    let mut orders = Selector::new().select_raw(|order: Order| order);
    let mut everything = everything(&world, own);
    let me = process::current().unwrap();
    let mut holding = false;
    while let Ok(order) = orders.receive_forever().await {
        match order {
            Order::Do(commands) => {
                let mut answers = Vec::new();
                for command in commands {
                    match command.split(' ').collect::<Vec<_>>()[..] {
                        ["end", "return"] => return,
                        ["hold", on] => {
                            holding = on == "on";
                            answers.push("true".to_owned());
                        }
                        ["unlink_flush", p] => {
                            let peer = world.pid(p).unwrap();
                            process::unlink(peer).unwrap();
                            let mut exits = Selector::new().select_trapped_exit_of(peer, drop);
                            while exits.receive(Duration::ZERO).await.is_ok() {}
                            answers.push("true".to_owned());
                        }
                        ["caught", with] => {
                            let caught = process::catch(async { process::exit(reason(with)) as () }).await;
                            answers.push(caught.map_or_else(|reason| show(&reason), |()| "true".to_owned()));
                        }
                        ["caught_signal", with] => {
                            let caught = process::catch(async { process::send_exit(me, reason(with)) }).await;
                            answers.push(caught.map_or_else(|reason| show(&reason), |()| "true".to_owned()));
                        }
                        ref words => answers.push(perform(&world, me, words)),
                    }
                }
                world.lock().answers = answers;
            }
            Order::Report(actor) => {
                let tick = Tick(actor);
                if holding {
                    Subject::to_pid(me).unwrap().send(tick);
                    continue;
                }
                let mut got = Vec::new();
                loop {
                    match everything.receive(Duration::ZERO).await {
                        Ok(message) => got.push(message),
                        Err(ReceiveError::Timeout) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                got.push(tick.to_string());
                let name = world.name(me).unwrap_or_default();
                world.lock().got.insert(name, got);
            }
        }
    }
}

/// Stands in a mailbox between what came in one step and in the next.
struct Tick(String);

impl std::fmt::Display for Tick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tick:{}", self.0)
    }
}

/// Knows all that a scenario can bring, by as many ways as there are.
fn everything(world: &World, own: Option<Subject<Text>>) -> Selector<String> {
    let (exits, downs) = (world.clone(), world.clone());
    let text = |text: Text| format!("text:{}", text.0);
    let selector = Selector::new()
        .select_trapped_exits(move |exit| exits.exit(&exit))
        .select_monitors(move |down| downs.down(&down))
        .select_raw(text)
        .select_raw(|tick: Tick| tick.to_string())
        // Names and aliases: they come and go.
        .select_other(move |mut message| message.take::<Text>().map_or_else(|| "other".to_owned(), text));
    match own {
        Some(own) => selector.select(&own, text),
        None => selector,
    }
}

fn perform(world: &World, me: Pid, words: &[&str]) -> String {
    let pid = |word: &str| world.pid(word).unwrap();
    let done = |()| "true".to_owned();
    match *words {
        ["alive", p] => process::is_alive(pid(p)).to_string(),
        ["info", p] => match Node::current().info(pid(p)) {
            None => "undefined".to_owned(),
            Some(info) => format!("info{}{}", world.bonds(&info), queue(&info)),
        },
        ["trap", on] => process::trap_exits(on == "on").unwrap().to_string(),
        ["link", p] => process::link(pid(p)).map_or_else(differences::link_error, done),
        ["unlink", p] => process::unlink(pid(p)).map(done).unwrap(),
        ["monitor", p, m] => {
            // A name that is no process of the scenario's is one to register.
            let target = world.pid(p).map_or_else(|| registered(p).into(), Dest::Pid);
            made_monitor(world, m, process::monitor(target).unwrap())
        }
        ["demonitor", m, ref options @ ..] => {
            let Some(monitor) = world.lock().references.monitors.get(m).copied() else {
                return "unknown".to_owned();
            };
            let active = if options.contains(&"flush") {
                process::demonitor_flush(monitor)
            } else {
                process::demonitor(monitor)
            };
            differences::demonitored(active, options.contains(&"info")).to_string()
        }
        ["exit", p, with] => {
            process::send_exit(pid(p), reason(with));
            done(())
        }
        ["end", "crash" | "throw"] => resume_unwind(Box::new("crash")),
        ["end", with] => process::exit(reason(with)),
        ["send", to, number] => send(world, me, to, number),
        ["register", name, p] => {
            process::register(pid(p), registered(name)).map_or_else(differences::register_error, done)
        }
        ["unregister", name] => {
            process::unregister(registered(name)).map_or_else(differences::not_registered, done)
        }
        ["whereis", name] => match process::whereis(registered(name)) {
            None => "undefined".to_owned(),
            Some(pid) => world.name(pid).unwrap_or_default(),
        },
        ["alias", a, mode] => {
            let mode = if mode == "reply" { AliasMode::Reply } else { AliasMode::ExplicitUnalias };
            world.lock().references.aliases.insert(a.to_owned(), process::alias(mode).unwrap());
            "made".to_owned()
        }
        ["unalias", a] => {
            let alias = world.lock().references.aliases.get(a).copied();
            alias.map_or_else(|| "unknown".to_owned(), |alias| process::unalias(alias).to_string())
        }
        ["spawn", name, body] => {
            let prepared =
                Spawn::new().unlinked().prepare(|own| live(world.clone(), Some(own), body)).unwrap();
            world.born(name, prepared.pid(), Some(prepared.subject()));
            prepared.start();
            done(())
        }
        ["spawn_link", name, body] => {
            let own = process::spawn_subject(|own| live(world.clone(), Some(own), body));
            world.born(name, own.pid().unwrap(), Some(own));
            done(())
        }
        ["spawn_monitor", name, m, body] => {
            let (pid, monitor) = process::spawn_monitor(live(world.clone(), None, body)).unwrap();
            world.born(name, pid, None);
            made_monitor(world, m, monitor)
        }
        _ => panic!("unknown command: {words:?}"),
    }
}

fn made_monitor(world: &World, name: &str, monitor: Monitor) -> String {
    world.lock().references.monitors.insert(name.to_owned(), monitor);
    "made".to_owned()
}

/// Sends to a process, a name or an alias. A process with a subject of its own is reached by that and by its pid in
/// turns: the order must hold whatever way the messages go.
fn send(world: &World, me: Pid, to: &str, number: &str) -> String {
    let text = Text(number.to_owned());
    let alias = world.lock().references.aliases.get(to).copied();
    if let Some(alias) = alias {
        Node::current().signal(Some(me), Dest::Alias(alias), Signal::Message(Box::new(text)));
    } else if let Some(pid) = world.pid(to) {
        let own = world.lock().subjects.get(&pid).cloned();
        match own.filter(|_| number.ends_with(['0', '2', '4', '6', '8'])) {
            Some(own) => own.send(text),
            None => Node::current().signal(Some(me), Dest::Pid(pid), Signal::Message(Box::new(text))),
        }
    } else if NAMES.iter().any(|name| name.registered_name().text() == to) {
        let sent = registered(to).subject().try_send(text);
        return sent.map_or_else(differences::send_error, |()| "true".to_owned());
    } else {
        // An alias whose maker has died in that step.
        return "badarg".to_owned();
    }
    "true".to_owned()
}

/// The life of a child: it ends at once, in one of the ways of `end`, or obeys.
fn live(world: World, own: Option<Subject<Text>>, body: &str) -> impl Future<Output = ()> + Send + use<> {
    let body = body.to_owned();
    async move {
        match &*body {
            "obey" => obey(world, own).await,
            "return" => {}
            "crash" | "throw" => resume_unwind(Box::new("crash")),
            with => process::exit(reason(with)),
        }
    }
}
