//! Anything, in any order, between processes of two nodes whose connection is slow, is cut and comes back. What
//! has to hold when all is at rest.

use std::collections::HashMap;

use erlang_process::{self as process, Dest, ExitReason, Monitor, Name, NodeId, Pid, Reference};

use super::connection::{Heard, Joined, Puppet, Side, rest};
use crate::support::boom;

/// Small, and the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed ^ (mixed >> 27)) % limit as u64).unwrap()
    }
}

/// A process, where it is, and what it remembers of its monitors.
struct Actor {
    side: Side,
    puppet: Puppet,
    monitors: HashMap<Reference, Memory>,
}

struct Memory {
    monitor: Monitor,
    target: Dest,
    /// What the end of the monitor returned.
    demonitored: Option<bool>,
    downs: Vec<ExitReason>,
}

impl Actor {
    fn new(joined: &Joined, side: Side, chance: &mut Chance) -> Self {
        let puppet = Puppet::new(joined.node(side), chance.below(3) > 0);
        Self { side, puppet, monitors: HashMap::new() }
    }

    /// How a process on that side knows this one.
    fn seen_from(&self, joined: &Joined, side: Side) -> Pid {
        if self.side == side { self.puppet.pid } else { joined.there(self.puppet.pid) }
    }

    async fn listen(&mut self, seed: u64) {
        for heard in self.puppet.heard().await {
            let Heard::Down(reference, target, reason) = heard else { continue };
            let memory = self.monitors.get_mut(&reference).expect("a monitor of its own");
            assert_eq!(target, memory.target, "seed {seed}");
            memory.downs.push(reason);
        }
    }
}

struct Play {
    joined: Joined,
    names: Vec<Name<u8>>,
    actors: Vec<Actor>,
    up: bool,
    seed: u64,
}

impl Play {
    fn new(seed: u64, chance: &mut Chance) -> Self {
        let joined = Joined::new();
        joined.slow();
        let sides = [Side::A, Side::A, Side::B, Side::B];
        let actors = sides.map(|side| Actor::new(&joined, side, chance)).into();
        Self { joined, names: (0..2).map(|_| Name::new("play")).collect(), actors, up: true, seed }
    }

    async fn step(&mut self, chance: &mut Chance) {
        let Self { joined, names, actors, up, seed } = self;
        let (one, other) = (chance.below(actors.len()), chance.below(actors.len()));
        let side = actors[one].side;
        let name = names[chance.below(names.len())];
        // Those that do not trap end by the exits of others.
        if !actors[one].puppet.is_alive() {
            actors[one] = Actor::new(joined, side, chance);
        }
        let peer = actors[other].seen_from(joined, side);
        let actor = &mut actors[one];
        match chance.below(16) {
            0..=2 => drop(actor.puppet.tries(move || process::link(peer)).await),
            3 | 4 => drop(actor.puppet.tries(move || process::unlink(peer)).await),
            // A monitor of oneself is silent.
            5 | 6 if one != other => {
                let at = if chance.below(2) == 0 { NodeId::HERE } else { joined.other };
                let target = match chance.below(2) {
                    0 => peer.into(),
                    _ if at.is_here() && joined.node(side).whereis(name) == Some(actor.puppet.pid) => return,
                    _ => Dest::Name(name.registered_name(), at),
                };
                let monitor = actor.puppet.tries(move || process::monitor(target).unwrap()).await;
                let Some(monitor) = monitor else { return };
                let memory = Memory { monitor, target, demonitored: None, downs: Vec::new() };
                actor.monitors.insert(monitor.reference(), memory);
            }
            7 => {
                let open = actor.monitors.values_mut().filter(|memory| memory.demonitored.is_none());
                let mut open: Vec<_> = open.collect();
                open.sort_unstable_by_key(|memory| memory.monitor);
                if open.is_empty() {
                    return;
                }
                let memory = open.swap_remove(chance.below(open.len()));
                let monitor = memory.monitor;
                memory.demonitored = actor.puppet.tries(move || process::demonitor(monitor)).await;
            }
            8 => drop(joined.node(side).unregister(name)),
            9 => drop(joined.node(side).register(actor.puppet.pid, name)),
            10 if chance.below(4) == 0 => {
                let (trapped, last) = (Actor::new(joined, side, chance), boom());
                actor.puppet.ends(last).await;
                *actor = trapped;
            }
            10 if one != other => drop(actor.puppet.tries(move || process::send_exit(peer, boom())).await),
            11 if chance.below(3) == 0 => {
                if *up {
                    joined.cut();
                } else {
                    joined.reconnect();
                }
                *up = !*up;
            }
            _ => {
                let to = if chance.below(2) == 0 { Side::A } else { Side::B };
                joined.arrive(to);
                rest().await;
            }
        }
        for actor in actors.iter_mut().filter(|actor| actor.puppet.is_alive()) {
            actor.listen(*seed).await;
        }
    }

    /// Checks, when all is at rest, that each relation has both ends and each monitor has told what it had to.
    async fn settle(&mut self) {
        self.joined.arrive_all().await;
        let Self { joined, actors, seed, .. } = self;
        actors.retain(|actor| actor.puppet.is_alive());
        for actor in actors.iter_mut() {
            actor.listen(*seed).await;
        }
        let (mut monitors, mut watchers) = (0, 0);
        for one in actors.iter() {
            let (links, watching, watched) = one.puppet.relations();
            for other in actors.iter() {
                let linked = links.contains(&other.seen_from(joined, one.side));
                let the_other_way = other.puppet.relations().0.contains(&one.seen_from(joined, other.side));
                assert_eq!(linked, the_other_way, "seed {seed}");
            }
            let known: Vec<_> = actors.iter().map(|other| other.seen_from(joined, one.side)).collect();
            assert!(
                links.iter().chain(&watched).all(|peer| known.contains(peer)),
                "seed {seed}: bound to the dead"
            );
            (monitors, watchers) = (monitors + watching.len(), watchers + watched.len());

            for memory in one.monitors.values() {
                assert!(memory.downs.len() <= 1, "seed {seed}");
                let expected = match memory.demonitored {
                    // It was active: nothing has come or will. It was not: all has come.
                    Some(active) => usize::from(!active),
                    None => memory.downs.len(),
                };
                assert_eq!(memory.downs.len(), expected, "seed {seed}");
            }
            let open = |memory: &&Memory| memory.demonitored.is_none() && memory.downs.is_empty();
            assert_eq!(one.monitors.values().filter(open).count(), watching.len(), "seed {seed}");
        }
        assert_eq!(monitors, watchers, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_both_nodes_agree_when_all_is_at_rest() {
    let (mut crossing, mut lost) = (0, 0);
    for seed in 0..400 {
        let mut chance = Chance(seed);
        let mut play = Play::new(seed, &mut chance);
        for _ in 0..150 {
            play.step(&mut chance).await;
        }
        play.settle().await;
        let far = |pid: &Pid| !pid.node().is_here();
        let far_links =
            |play: &Play| play.actors.iter().flat_map(|actor| actor.puppet.relations().0).filter(far).count();
        crossing += far_links(&play);
        // Then it is lost, and nothing that crossed it is left.
        if play.up {
            play.joined.cut();
        }
        play.settle().await;
        assert_eq!(far_links(&play), 0, "seed {seed}");
        for actor in &play.actors {
            let (_, monitors, watchers) = actor.puppet.relations();
            assert!(monitors.iter().all(|target| target.node().is_here()), "seed {seed}");
            assert!(!watchers.iter().any(far), "seed {seed}");
            let gone = |memory: &Memory| memory.downs == [ExitReason::NoConnection];
            lost += actor.monitors.values().filter(|memory| gone(memory)).count();
        }
    }
    assert!(crossing > 20 && lost > 200, "it must come to something: {crossing} links, {lost} monitors");
}
