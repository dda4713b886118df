//! A real tree: what it looks like, and what is done to it.

use std::{
    collections::{BTreeMap, HashSet},
    pin::Pin,
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Monitor, Node, NotAProcess, Pid};
use tokio::time::sleep;

use super::{Body, Child, Deed, Kind, Manner, Moment, Reason, Tree};
use crate::{
    Presence, factory_supervisor::FactoryCore, semantics::ChildRules, static_supervisor::StaticCore,
};

/// More than any tree takes to answer, under a paused clock.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// How often one looks whether a tree has come to rest, before it is said that it never does.
const LOOKS: usize = 1_000;

/// A tree at rest.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// As it is written down.
    pub(super) tree: Tree,
    /// All children in start order, each with those below it after it.
    pub(super) children: Vec<Seen>,
}

/// A child at rest.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) pid: Option<Pid>,
    /// As it is written down.
    pub(super) child: Child,
    /// Whether it was started by hand, in a factory.
    pub(super) by_hand: bool,
}

/// A running tree, and who of it was seen alive last.
pub(super) struct Stage {
    root: Pid,
    watch: Monitor,
    ended: Option<Reason>,
    pids: BTreeMap<String, Pid>,
    /// Those that were supervisors when the tree was at rest.
    supervisors: HashSet<Pid>,
    /// Those that do not heed that they are asked to end.
    hanging: HashSet<Pid>,
}

impl Stage {
    pub(super) fn new(root: Pid) -> Result<Self, NotAProcess> {
        Ok(Self {
            root,
            watch: process::monitor(root)?,
            ended: None,
            pids: BTreeMap::new(),
            supervisors: HashSet::new(),
            hanging: HashSet::new(),
        })
    }

    /// Waits until the tree has come to rest, and looks at it, or returns how it has ended.
    ///
    /// # Errors
    ///
    /// What is wrong if it does not come to rest.
    pub(super) async fn rest(&mut self) -> Result<Result<View, Reason>, String> {
        let mut left = Vec::new();
        for _ in 0..LOOKS {
            // A timer fires when nothing else can run.
            sleep(Duration::from_millis(1)).await;
            let view = if process::is_alive(self.root) {
                let Some((tree, children)) = look(self.root, String::new(), &self.supervisors).await else {
                    continue;
                };
                Ok(View { tree, children })
            } else {
                Err(self.ended().await)
            };
            let listed: HashSet<Pid> =
                view.iter().flat_map(|view| &view.children).filter_map(|seen| seen.pid).collect();
            left = self
                .pids
                .iter()
                .filter(|(_, pid)| !listed.contains(pid) && process::is_alive(**pid))
                .collect();
            if left.is_empty() {
                let running = view.iter().flat_map(|view| &view.children);
                let supervisors = running.clone().filter(|seen| seen.child.is_supervisor());
                self.supervisors = supervisors.filter_map(|seen| seen.pid).collect();
                self.pids = running.filter_map(|seen| Some((seen.path.clone(), seen.pid?))).collect();
                return Ok(view);
            }
        }
        Err(match left.first() {
            Some((path, pid)) => {
                format!("{path}, the process {pid}, is left over: no supervisor has it any more")
            }
            None => "the tree does not come to rest: it restarts for ever, or a supervisor does not answer"
                .to_owned(),
        })
    }

    async fn ended(&mut self) -> Reason {
        if self.ended.is_none() {
            self.ended = self.watch.down().await.ok().map(|down| match down.reason {
                ExitReason::Normal => Reason::Normal,
                ExitReason::Shutdown => Reason::Shutdown,
                ExitReason::ShutdownWith(_) => Reason::ShutdownWith,
                ExitReason::Killed => Reason::Killed,
                _ => Reason::Crash,
            });
        }
        self.ended.unwrap_or(Reason::Killed)
    }

    /// Does what a moment says. Returns what could be done of it.
    pub(super) async fn play(&mut self, moment: &Moment) -> Moment {
        let deeds = match moment {
            Moment::Wait(time) => {
                sleep(*time).await;
                return moment.clone();
            }
            Moment::Deeds(deeds) => deeds,
        };
        let above = deeds.first().and_then(|deed| deed.path().rsplit_once('/'));
        let supervisor = above.map_or(Some(self.root), |(above, _)| self.pids.get(above).copied());
        let held = supervisor.filter(|_| deeds.len() > 1);
        if let Some(supervisor) = held {
            drop(otp_system::suspend(supervisor, LONG).await);
        }
        let mut done = Vec::new();
        for deed in deeds {
            let Some(pid) = self.pids.get(deed.path()).copied() else { continue };
            match deed {
                Deed::Exit(path, Reason::Shutdown) if self.hanging.contains(&pid) => {
                    done.push(Deed::Exit(path.clone(), exit(pid, Reason::Killed).await));
                }
                Deed::Exit(path, reason) => done.push(Deed::Exit(path.clone(), exit(pid, *reason).await)),
                Deed::Hang(_) if process::simulate::hang_on_stop(pid) => {
                    self.hanging.insert(pid);
                    done.push(deed.clone());
                }
                _ => {}
            }
        }
        if let Some(supervisor) = held {
            drop(otp_system::resume(supervisor, LONG).await);
        }
        Moment::Deeds(done)
    }
}

/// Makes a process end. Returns the reason that it really ends with.
async fn exit(pid: Pid, reason: Reason) -> Reason {
    let supervisor = is_supervisor(pid).await;
    let trapping = Node::current().info(pid).is_some_and(|info| info.trapping_exits);
    let as_told = match reason {
        Reason::Crash if !trapping => {
            process::send_exit(pid, ExitReason::error("a fault"));
            true
        }
        Reason::Shutdown if supervisor => {
            otp_system::terminate(pid, ExitReason::Shutdown, LONG).await.is_ok()
        }
        Reason::Shutdown if !trapping => {
            process::send_exit(pid, ExitReason::Shutdown);
            true
        }
        _ => false,
    };
    if !as_told {
        process::kill(pid);
    }
    process::join(pid).await;
    if as_told { reason } else { Reason::Killed }
}

async fn is_supervisor(pid: Pid) -> bool {
    otp_system::get_status(pid, Duration::from_millis(1)).await.is_ok_and(|status| {
        [std::any::type_name::<StaticCore>(), std::any::type_name::<FactoryCore>()]
            .contains(&status.state_type)
    })
}

type Looked = Option<(Tree, Vec<Seen>)>;

/// The children of one supervisor.
struct Known {
    kind: Kind,
    intensity: u32,
    period: Duration,
    children: Vec<(Child, Presence<Pid>)>,
}

/// Asks a supervisor, and those below it, what they are; `None` if something is still to be done.
///
/// Who is known to be a supervisor may take its time to answer: it may be waiting for a child that hangs.
fn look<'a>(
    pid: Pid,
    path: String,
    supervisors: &'a HashSet<Pid>,
) -> Pin<Box<dyn Future<Output = Looked> + Send + 'a>> {
    Box::pin(async move {
        let Known { kind, intensity, period, children: known } = ask(pid).await?;
        let mut tree = Tree { kind, intensity, period, children: Vec::new() };
        let mut all = Vec::new();
        let by_hand = matches!(tree.kind, Kind::Factory { .. });
        for (mut child, presence) in known {
            let path = if path.is_empty() { child.id.clone() } else { format!("{path}/{}", child.id) };
            let (pid, below) = match presence {
                Presence::Undefined => (None, Vec::new()),
                Presence::Running(pid) if !process::is_alive(pid) => return None,
                Presence::Running(pid) if supervisors.contains(&pid) || is_supervisor(pid).await => {
                    let (tree, below) = look(pid, path.clone(), supervisors).await?;
                    child.body = Body::Supervisor(tree);
                    (Some(pid), below)
                }
                Presence::Running(pid) => (Some(pid), Vec::new()),
                _ => return None,
            };
            // A factory starts with none.
            if !by_hand {
                tree.children.push(child.clone());
            }
            all.push(Seen { path, pid, child, by_hand });
            all.extend(below);
        }
        Some((tree, all))
    })
}

async fn ask(pid: Pid) -> Option<Known> {
    let is_static = otp_system::get_state(pid, LONG, |rules: &StaticCore| {
        let flags = rules.flags();
        Known {
            kind: Kind::Static { strategy: flags.strategy, auto_shutdown: flags.auto_shutdown },
            intensity: flags.intensity,
            period: flags.period,
            children: rules
                .which_children()
                .rev()
                .map(|known| (child(&known.rules, &known.rules.id.to_string()), known.presence))
                .collect(),
        }
    });
    if let Ok(known) = is_static.await {
        return Some(known);
    }
    let is_factory = otp_system::get_state(pid, LONG, |rules: &FactoryCore| {
        let flags = rules.flags();
        Known {
            // What new children are like is each one's own matter.
            kind: Kind::Factory { template: Box::new(Child::worker("any")) },
            intensity: flags.intensity,
            period: flags.period,
            children: rules
                .which_children()
                .rev()
                .map(|known| {
                    let number = known.key.to_string();
                    (child(&known.rules, number.trim_start_matches('#')), known.presence)
                })
                .collect(),
        }
    });
    is_factory.await.ok()
}

fn child<I>(rules: &ChildRules<I>, id: &str) -> Child {
    Child {
        // In a path a `/` is between two ids.
        id: id.replace('~', "~0").replace('/', "~1"),
        restart: rules.restart,
        significant: rules.significant,
        shutdown: rules.shutdown,
        starts: Vec::new(),
        body: Body::Worker(Manner::Obeys),
    }
}
