//! Whoever does to the tree what can be done.

use std::time::Duration;

use erlang_process::{self as process, ExitReason, Node, Pid};
use otp_supervisor::static_supervisor::Supervisor;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::tree::{Forest, LEAVES, Order, TWIGS};

pub(crate) struct Nemesis {
    chance: Chance,
    forest: Forest,
    /// How often each was done.
    done: [usize; DEEDS.len()],
}

const DEEDS: [&str; 12] = [
    "leaf killed",
    "leaf ended",
    "leaf panicked",
    "leaf dropped badly",
    "leaf flooded",
    "leaves linked",
    "leaf stubborn",
    "leaf relinked",
    "twig killed",
    "branch killed",
    "twig stormed",
    "asked",
];

impl Nemesis {
    pub(crate) fn new(seed: u64, forest: Forest) -> Self {
        Self { chance: Chance(seed), forest, done: [0; DEEDS.len()] }
    }

    /// Does its worst for so long. When this returns, all that it has asked for was answered.
    pub(crate) async fn storm(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let mut asked = JoinSet::new();
        while Instant::now() < end {
            for _ in 0..20 {
                self.strike(&mut asked);
            }
            // Some of what it does next meets who is starting or stopping, and some who runs.
            sleep(Duration::from_millis(1 + self.chance.below(5) as u64)).await;
        }
        while asked.join_next().await.is_some() {}
    }

    fn strike(&mut self, asked: &mut JoinSet<()>) {
        let deed = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 11][self.chance.below(20)];
        // What hits many comes seldom, or there would never be anyone to hit.
        if matches!(deed, 8..=10) && self.chance.below(20) > 0 {
            return;
        }
        self.done[deed] += 1;
        let number = self.chance.below(self.forest.names.len());
        let leaf = self.forest.names[number].subject();
        let (branch, twig) = (number / (TWIGS * LEAVES), number / LEAVES % TWIGS);
        let twigs = self.forest.twigs.clone();
        match deed {
            0 => kill(leaf.pid()),
            1 => {
                let reason = match self.chance.below(3) {
                    0 => ExitReason::Shutdown,
                    1 => ExitReason::Normal,
                    _ => ExitReason::error("chaos"),
                };
                if let Some(pid) = leaf.pid() {
                    process::send_exit(pid, reason);
                }
            }
            2 => leaf.send(Order::Panic),
            3 => leaf.send(Order::DropBadly),
            4 => (0..500).for_each(|_| leaf.send(Order::Nothing)),
            5 => {
                let other = self.forest.names[self.chance.below(self.forest.names.len())].subject().pid();
                if let Some(other) = other {
                    leaf.send(Order::Link(other));
                }
            }
            6 => leaf.send(Order::BeStubborn),
            7 => leaf.send(Order::Relink),
            8 => kill(twigs[branch][twig].pid()),
            9 => kill(process::whereis(self.forest.branches[branch])),
            10 => {
                for name in &self.forest.names[number / LEAVES * LEAVES..][..LEAVES] {
                    kill(name.subject().pid());
                }
            }
            _ => self.ask(branch, twig, number % LEAVES, asked),
        }
    }

    /// Asks supervisors for something; what they answer is their matter, as long as they do.
    fn ask(&mut self, branch: usize, twig: usize, leaf: usize, asked: &mut JoinSet<()>) {
        let (twig, world) = (self.forest.twigs[branch][twig], self.forest.world.clone());
        let what = self.chance.below(4);
        let ask = async move {
            if let Some(factory) = twig.factory() {
                match what {
                    0 => drop(factory.start_child(world).await),
                    1 => drop(factory.count_children().await),
                    _ => {
                        let children = factory.which_children().await.unwrap_or_default();
                        if let Some(pid) = children.get(leaf).and_then(|child| child.pid()) {
                            match what {
                                2 => drop(factory.terminate_child(pid).await),
                                _ => process::kill(pid),
                            }
                        }
                    }
                }
            } else if let crate::tree::Twig::Static(name) = twig {
                let (twig, id) = (Supervisor::named(name), format!("leaf {leaf}"));
                match what {
                    0 => drop(twig.which_children().await),
                    _ => {
                        drop(twig.terminate_child(id.clone()).await);
                        drop(twig.restart_child(id).await);
                    }
                }
            }
        };
        let node = Node::current();
        asked.spawn(async move { drop(node.run(ask).await) });
    }

    pub(crate) fn told(&self) -> String {
        let told = DEEDS.iter().zip(self.done).map(|(deed, count)| format!("{deed} {count}"));
        told.collect::<Vec<_>>().join(", ")
    }

    /// Whether each deed was done.
    pub(crate) fn did_everything(&self) -> bool {
        self.done.iter().all(|count| *count > 0)
    }
}

fn kill(pid: Option<Pid>) {
    if let Some(pid) = pid {
        process::kill(pid);
    }
}

/// Small, fast, and the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}
