//! Draws scenarios. What is drawn says whom it means by an index; which process that is depends on who lives when the
//! step's turn comes, and is settled while the scenario is played.
//!
//! Each choice goes from tame to wild, as shrinking goes the other way.

use std::fmt::Write as _;

use proptest::{prelude::*, sample::Index, sample::select};

use crate::ours::Living;

/// A scenario: how many processes there are at first, and the steps.
pub(crate) type Scenario = (usize, Vec<Draft>);

pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    (2..=5_usize, prop::collection::vec(draft(), 1..=STEPS))
}

const STEPS: usize = 24;

/// No scenario has more living processes than this.
const CROWD: usize = 7;

/// A step before it is known who is meant.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    actor: Index,
    target: Index,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    One(Verb),
    /// Several commands about one target at one go: what one process sends to another keeps its order.
    Burst(Vec<Verb>),
}

#[derive(Clone, Debug)]
enum Verb {
    Alive,
    Info,
    Send,
    SendName(&'static str),
    SendAlias(Index),
    Trap(bool),
    Hold(bool),
    Link,
    Unlink,
    /// And takes the exits of the other out of the mailbox.
    UnlinkFlush,
    Monitor,
    MonitorName(&'static str),
    /// By its owner, or by the actor, whoever that is.
    Demonitor(Index, &'static str, bool),
    Alias(&'static str),
    Unalias(Index, bool),
    Register(&'static str),
    Unregister(&'static str),
    Whereis(&'static str),
    Spawn(&'static str, &'static str),
    Caught(&'static str),
    CaughtSignal(&'static str),
    End(&'static str),
    Exit(&'static str),
}

fn draft() -> impl Strategy<Value = Draft> {
    let what = prop_oneof![
        6 => verb().prop_map(What::One),
        1 => prop::collection::vec(verb_in_burst(), 2..=5).prop_map(What::Burst),
    ];
    (any::<Index>(), any::<Index>(), what).prop_map(|(actor, target, what)| Draft { actor, target, what })
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![
        28 => verb_in_burst(),
        2 => any::<bool>().prop_map(Verb::Hold),
        4 => (kind(), select(BODIES)).prop_map(|(kind, body)| Verb::Spawn(kind, body)),
    ]
}

fn verb_in_burst() -> impl Strategy<Value = Verb> {
    prop_oneof![
        1 => Just(Verb::Alive),
        1 => Just(Verb::Info),
        2 => Just(Verb::Send),
        1 => name().prop_map(Verb::SendName),
        1 => any::<Index>().prop_map(Verb::SendAlias),
        5 => select(&[true, true, true, false][..]).prop_map(Verb::Trap),
        6 => Just(Verb::Link),
        2 => Just(Verb::Unlink),
        1 => Just(Verb::UnlinkFlush),
        4 => Just(Verb::Monitor),
        1 => name().prop_map(Verb::MonitorName),
        3 => (any::<Index>(), select(&["", " info", " flush", " flush info"][..]), stranger())
            .prop_map(|(index, options, stranger)| Verb::Demonitor(index, options, stranger)),
        1 => select(&["explicit_unalias", "reply"][..]).prop_map(Verb::Alias),
        1 => (any::<Index>(), stranger()).prop_map(|(index, stranger)| Verb::Unalias(index, stranger)),
        2 => name().prop_map(Verb::Register),
        1 => name().prop_map(Verb::Unregister),
        1 => name().prop_map(Verb::Whereis),
        1 => select(REASONS).prop_map(Verb::Caught),
        1 => select(REASONS).prop_map(Verb::CaughtSignal),
        2 => select(ENDS).prop_map(Verb::End),
        3 => select(REASONS).prop_map(Verb::Exit),
    ]
}

fn name() -> impl Strategy<Value = &'static str> {
    select(&["n1", "n1", "n2"][..])
}

fn kind() -> impl Strategy<Value = &'static str> {
    select(&["spawn", "spawn_link", "spawn_monitor"][..])
}

fn stranger() -> impl Strategy<Value = bool> {
    prop_oneof![7 => Just(false), 1 => Just(true)]
}

const REASONS: &[&str] = &["normal", "boom", "shutdown", "stop", "noproc", "killed", "kill"];
const ENDS: &[&str] =
    &["return", "normal", "boom", "crash", "throw", "shutdown", "stop", "noproc", "killed", "kill"];
const BODIES: &[&str] = &["obey", "obey", "obey", "obey", "obey", "obey", "return", "boom", "crash", "kill"];

/// What has been named in a scenario so far.
pub(crate) struct Book {
    born: usize,
    texts: usize,
    monitors: Vec<Owned>,
    aliases: Vec<Owned>,
    holding: Vec<String>,
}

struct Owned {
    name: String,
    owner: String,
}

impl Book {
    pub(crate) fn new(count: usize) -> Self {
        Self { born: count, texts: 0, monitors: Vec::new(), aliases: Vec::new(), holding: Vec::new() }
    }

    /// Settles who is meant, given who lives. The step that comes of it; `None` if nobody is left to take it.
    pub(crate) fn settle(&mut self, draft: &Draft, living: &[Living]) -> Option<String> {
        if living.is_empty() {
            return None;
        }
        let names: Vec<&str> = living.iter().map(|living| &*living.name).collect();
        let dead = (1..=self.born).rev().map(|number| format!("p{number}"));
        let dead: Vec<_> = dead.filter(|name| !names.contains(&&**name)).take(1).collect();
        let targets: Vec<&str> = names.iter().copied().chain(dead.iter().map(|name| &**name)).collect();
        let target = targets[draft.target.index(targets.len())];
        let mut actor = &living[draft.actor.index(living.len())];

        let mut commands = Vec::new();
        match &draft.what {
            What::One(verb) => {
                let owner = self.owner(verb);
                actor = living.iter().find(|living| Some(&living.name) == owner).unwrap_or(actor);
                commands.push(self.command(verb, &actor.name, target, living.len()));
            }
            What::Burst(verbs) => {
                let mut trapping = actor.trapping;
                let mut exited = false;
                let mut unsure = false;
                let mut aliased = false;
                for verb in verbs {
                    let settled = match verb {
                        Verb::Alive | Verb::Send | Verb::Monitor | Verb::Exit(_) => true,
                        // Whether it comes before the end or after, nothing of it is left.
                        Verb::UnlinkFlush | Verb::Demonitor(_, " flush", _) => true,
                        // What it has sent to itself may be on its way.
                        Verb::Info => target != actor.name,
                        // So may the answer for the dead: a monitor of theirs is taken back in time or not.
                        Verb::Demonitor(..) => !exited && !unsure,
                        // And a message through an alias: it comes in time or not.
                        Verb::Unalias(..) => !exited && !aliased,
                        // Who has just sent an exit must not depend on when it works: it may still do what the order
                        // of its signals to the target decides, and not even that unless it survives what follows.
                        _ => !exited,
                    };
                    if !settled {
                        continue;
                    }
                    commands.push(self.command(verb, &actor.name, target, CROWD));
                    aliased |= matches!(verb, Verb::SendAlias(_));
                    unsure |= match verb {
                        Verb::Monitor | Verb::Demonitor(..) => !names.contains(&target),
                        Verb::MonitorName(_) => true,
                        _ => false,
                    };
                    match verb {
                        Verb::Trap(on) => trapping = *on,
                        // When a signal to oneself comes in is open as well, and with it whether it is trapped.
                        Verb::CaughtSignal(_) => exited = true,
                        Verb::Exit(_) if trapping => exited = true,
                        Verb::Exit(_) | Verb::End(_) => break,
                        _ => {}
                    }
                }
            }
        }
        if commands.is_empty() {
            commands.push(format!("alive {target}"));
        }
        Some(format!("{} {}", actor.name, commands.join(",")))
    }

    /// The steps after the last one that was drawn: what was held back is to be seen.
    pub(crate) fn last_steps(&self) -> impl Iterator<Item = String> {
        self.holding.iter().map(|name| format!("{name} hold off"))
    }

    fn owner(&self, verb: &Verb) -> Option<&String> {
        let owned = match verb {
            Verb::Demonitor(index, _, false) => recent(&self.monitors, *index),
            Verb::Unalias(index, false) => recent(&self.aliases, *index),
            _ => None,
        };
        owned.map(|owned| &owned.owner)
    }

    fn command(&mut self, verb: &Verb, actor: &str, target: &str, crowd: usize) -> String {
        match verb {
            Verb::Alive => format!("alive {target}"),
            Verb::Info => format!("info {target}"),
            Verb::Send => self.send(target),
            Verb::SendName(name) => self.send(name),
            Verb::SendAlias(index) => {
                let to = recent(&self.aliases, *index)
                    .map_or_else(|| target.to_owned(), |alias| alias.name.clone());
                self.send(&to)
            }
            Verb::Trap(on) => format!("trap {}", switch(*on)),
            Verb::Hold(on) => {
                self.holding.retain(|name| name != actor);
                self.holding.extend(on.then(|| actor.to_owned()));
                format!("hold {}", switch(*on))
            }
            Verb::Link => format!("link {target}"),
            Verb::Unlink => format!("unlink {target}"),
            Verb::UnlinkFlush => format!("unlink_flush {target}"),
            Verb::Monitor => self.monitor(&format!("monitor {target}"), actor),
            Verb::MonitorName(name) => self.monitor(&format!("monitor {name}"), actor),
            Verb::Demonitor(index, options, _) => match recent(&self.monitors, *index) {
                Some(monitor) => format!("demonitor {}{options}", monitor.name),
                None => self.monitor(&format!("monitor {target}"), actor),
            },
            Verb::Alias(mode) => {
                let name = new(&mut self.aliases, "a", actor);
                format!("alias {name} {mode}")
            }
            Verb::Unalias(index, _) => match recent(&self.aliases, *index) {
                Some(alias) => format!("unalias {}", alias.name),
                None => format!("alias {} explicit_unalias", new(&mut self.aliases, "a", actor)),
            },
            Verb::Register(name) => format!("register {name} {target}"),
            Verb::Unregister(name) => format!("unregister {name}"),
            Verb::Whereis(name) => format!("whereis {name}"),
            Verb::Spawn(_, _) if crowd >= CROWD => format!("info {target}"),
            Verb::Spawn(kind, body) => {
                self.born += 1;
                let mut command = format!("{kind} p{}", self.born);
                if *kind == "spawn_monitor" {
                    command = self.monitor(&command, actor);
                }
                let _ = write!(command, " {body}");
                command
            }
            Verb::Caught(reason) => format!("caught {reason}"),
            Verb::CaughtSignal(reason) => format!("caught_signal {reason}"),
            Verb::End(how) => format!("end {how}"),
            Verb::Exit(reason) => format!("exit {target} {reason}"),
        }
    }

    fn send(&mut self, to: &str) -> String {
        self.texts += 1;
        format!("send {to} {}", self.texts)
    }

    fn monitor(&mut self, command: &str, actor: &str) -> String {
        format!("{command} {}", new(&mut self.monitors, "m", actor))
    }
}

/// One of the last few.
fn recent(all: &[Owned], index: Index) -> Option<&Owned> {
    let few = all.len().min(4);
    if few == 0 { None } else { all.get(all.len() - 1 - index.index(few)) }
}

fn new(all: &mut Vec<Owned>, prefix: &str, owner: &str) -> String {
    let name = format!("{prefix}{}", all.len() + 1);
    all.push(Owned { name: name.clone(), owner: owner.to_owned() });
    name
}

fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
