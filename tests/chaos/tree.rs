//! The tree that the nemesis is let loose on.

use std::{
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use erlang_process::{self as process, ExitMessage, ExitReason, Name, Pid, Reply, Selector, Spawn, Subject};
use otp_actor::{InitAck, StartError, Started, start_process};
use otp_supervisor::{
    ChildSpec, Presence, Restart, Shutdown, Strategy, factory_supervisor,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};

pub(crate) const BRANCHES: usize = 10;
pub(crate) const TWIGS: usize = 10;
pub(crate) const LEAVES: usize = 20;

/// How long a leaf that is stubborn is waited for.
const PATIENCE: Duration = Duration::from_millis(20);

const SECOND: Duration = Duration::from_secs(1);

/// What a leaf can be told.
pub(crate) enum Order {
    Ping(Reply<()>),
    Nothing,
    Panic,
    /// Ends well, and panics when its state is dropped.
    DropBadly,
    /// Does not end when it is told to.
    BeStubborn,
    Link(Pid),
    /// From its supervisor and back again, so that a stop meets it without its link.
    Relink,
}

type Factory = factory_supervisor::Supervisor<Arc<World>, Subject<Order>>;
type FactoryName = Name<factory_supervisor::Message<Arc<World>, Subject<Order>>>;

/// A supervisor of leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Twig {
    Static(Name<supervisor::Message>),
    Factory(FactoryName),
}

impl Twig {
    pub(crate) fn pid(self) -> Option<Pid> {
        match self {
            Self::Static(name) => process::whereis(name),
            Self::Factory(name) => process::whereis(name),
        }
    }

    pub(crate) fn factory(self) -> Option<Factory> {
        match self {
            Self::Factory(name) => Some(Factory::named(name)),
            Self::Static(_) => None,
        }
    }
}

/// What all leaves know.
pub(crate) struct World {
    token: Arc<()>,
}

#[derive(Clone)]
pub(crate) struct Forest {
    pub(crate) root: Supervisor,
    pub(crate) world: Arc<World>,
    pub(crate) branches: Arc<Vec<Name<supervisor::Message>>>,
    pub(crate) twigs: Arc<Vec<Vec<Twig>>>,
    pub(crate) names: Arc<Vec<Name<Order>>>,
    pub(crate) quiet: Subject<Order>,
    /// The processes that belong to the test.
    pub(crate) outside: Arc<Mutex<Vec<Pid>>>,
    pub(crate) enough: Arc<AtomicBool>,
}

/// The tree at rest.
pub(crate) struct Seen {
    pub(crate) pids: Vec<Pid>,
    pub(crate) leaves: Vec<Pid>,
}

impl Forest {
    pub(crate) async fn plant(token: &Arc<()>) -> Self {
        let world = Arc::new(World { token: token.clone() });
        let branches: Vec<_> = (0..BRANCHES).map(|_| Name::new("branch")).collect();
        let twig = |number: usize| match number % 4 {
            3 => Twig::Factory(Name::new("twig")),
            _ => Twig::Static(Name::new("twig")),
        };
        let twigs: Vec<Vec<_>> = (0..BRANCHES).map(|_| (0..TWIGS).map(twig).collect()).collect();
        let names: Vec<_> = (0..BRANCHES * TWIGS * LEAVES).map(|_| Name::new("leaf")).collect();
        let quiet = Name::new("quiet");

        let mut root = supervisor::new(Strategy::OneForOne).restart_tolerance(u32::MAX, SECOND);
        let still = world.clone();
        root = root.add(supervision::worker(move || leaf(still.clone(), Some(quiet))).id("quiet"));
        for (number, name) in branches.iter().copied().enumerate() {
            let (world, twigs) = (world.clone(), twigs[number].clone());
            let names = names[number * TWIGS * LEAVES..][..TWIGS * LEAVES].to_vec();
            let start = move || branch(number, name, world.clone(), twigs.clone(), names.clone());
            root = root.add(supervision::supervisor(start).id(format!("branch {number}")));
        }
        let root = root.start().await.unwrap().data;
        // Linked with the test, as it was started there; nothing else is outside the tree.
        let outside = vec![process::current().unwrap()];
        Self {
            root,
            world,
            branches: Arc::new(branches),
            twigs: Arc::new(twigs),
            names: Arc::new(names),
            quiet: quiet.subject(),
            outside: Arc::new(Mutex::new(outside)),
            enough: Arc::default(),
        }
    }

    /// All processes of the tree, if it is at rest.
    pub(crate) async fn look(&self) -> Option<Seen> {
        let mut seen = Seen { pids: vec![self.root.pid()?], leaves: Vec::new() };
        let children = presences(self.root.which_children().await.ok()?)?;
        seen.leaves.extend(children.first());
        seen.pids.extend(children);
        for (branch, twigs) in self.branches.iter().zip(&*self.twigs) {
            seen.pids.extend(presences(Supervisor::named(*branch).which_children().await.ok()?)?);
            for twig in twigs {
                let leaves = match twig {
                    Twig::Static(name) => presences(Supervisor::named(*name).which_children().await.ok()?)?,
                    Twig::Factory(name) => presences(Factory::named(*name).which_children().await.ok()?)?,
                };
                seen.pids.extend(&leaves);
                seen.leaves.extend(leaves);
            }
        }
        Some(seen)
    }
}

/// The processes of children in start order; `None` if one of them is being restarted, or is dead and was not yet looked at.
fn presences<I>(children: Vec<otp_supervisor::ChildInfo<I>>) -> Option<Vec<Pid>> {
    let mut pids = Vec::new();
    for child in children.into_iter().rev() {
        match child.presence {
            Presence::Undefined => {}
            Presence::Running(pid) if process::is_alive(pid) => pids.push(pid),
            _ => return None,
        }
    }
    Some(pids)
}

const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll];
const RESTARTS: [Restart; 3] = [Restart::Permanent, Restart::Transient, Restart::Permanent];

async fn branch(
    number: usize,
    name: Name<supervisor::Message>,
    world: Arc<World>,
    twigs: Vec<Twig>,
    names: Vec<Name<Order>>,
) -> Result<Started<Supervisor>, StartError> {
    let mut branch = supervisor::new(STRATEGIES[number % 3]).named(name).restart_tolerance(20, SECOND);
    for (number, twig) in twigs.into_iter().enumerate() {
        let world = world.clone();
        let names = names[number * LEAVES..][..LEAVES].to_vec();
        let child = match twig {
            Twig::Static(name) => {
                supervision::supervisor(move || static_twig(number, name, world.clone(), names.clone()))
                    .map_data(drop)
            }
            Twig::Factory(name) => {
                supervision::supervisor(move || factory_twig(name, world.clone())).map_data(drop)
            }
        };
        branch = branch.add(child.id(format!("twig {number}")));
    }
    branch.start().await
}

async fn static_twig(
    number: usize,
    name: Name<supervisor::Message>,
    world: Arc<World>,
    names: Vec<Name<Order>>,
) -> Result<Started<Supervisor>, StartError> {
    let mut twig = supervisor::new(STRATEGIES[number % 3]).named(name).restart_tolerance(10, SECOND);
    for (number, name) in names.into_iter().enumerate() {
        twig = twig.add(spec(&world, name).restart(RESTARTS[number % 3]).id(format!("leaf {number}")));
    }
    twig.start().await
}

fn spec(world: &Arc<World>, name: Name<Order>) -> ChildSpec<Subject<Order>> {
    let world = world.clone();
    supervision::worker(move || leaf(world.clone(), Some(name))).shutdown(Shutdown::After(PATIENCE))
}

async fn factory_twig(name: FactoryName, world: Arc<World>) -> Result<Started<Factory>, StartError> {
    let twig =
        factory_supervisor::worker(|world| leaf(world, None)).named(name).restart_tolerance(10, SECOND);
    let twig = twig.shutdown(Shutdown::After(PATIENCE)).start().await?;
    // It is not asked for its children as it is started, or the branch would wait for itself.
    for _ in 0..LEAVES {
        twig.data.start_child(world.clone()).await.map_err(|error| StartError::failed(error.to_string()))?;
    }
    Ok(twig)
}

/// A token, which panics when it is dropped if it has been told to.
struct Held {
    _token: Arc<()>,
    badly: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        assert!(!self.badly || std::thread::panicking(), "dropped badly");
    }
}

async fn leaf(world: Arc<World>, name: Option<Name<Order>>) -> Result<Started<Subject<Order>>, StartError> {
    let spawn = match name {
        Some(name) => Spawn::new().named(name),
        None => Spawn::new(),
    };
    let body = move |orders, ack| live(Held { _token: world.token.clone(), badly: false }, orders, ack);
    start_process(spawn, LONG_START, body).await
}

const LONG_START: Duration = Duration::from_secs(60);

async fn live(
    mut held: Held,
    orders: Subject<Order>,
    ack: InitAck<Subject<Order>>,
) -> Result<(), ExitReason> {
    enum Message {
        Order(Order),
        Exit(ExitMessage),
    }
    let parent = ack.parent();
    let mut messages = Selector::new().select(&orders, Message::Order).select_trapped_exits(Message::Exit);
    ack.ready(orders)?;
    let mut stubborn = false;
    loop {
        match messages.receive_forever().await.map_err(ExitReason::error)? {
            Message::Order(Order::Ping(reply)) => reply.send(()),
            Message::Order(Order::Nothing) => {}
            Message::Order(Order::Panic) => panic!("told to"),
            Message::Order(Order::DropBadly) => {
                held.badly = true;
                return Ok(());
            }
            Message::Order(Order::BeStubborn) => {
                stubborn = true;
                process::trap_exits(true).map_err(ExitReason::error)?;
            }
            // Who is dead is not linked with; that is its own matter.
            Message::Order(Order::Link(other)) => drop(process::link(other)),
            Message::Order(Order::Relink) => {
                if let Some(parent) = parent {
                    let _ = process::unlink(parent);
                    process::link(parent).map_err(|_| ExitReason::NoProc)?;
                }
            }
            Message::Exit(exit)
                if stubborn && exit.reason == ExitReason::Shutdown && Some(exit.pid) == parent => {}
            Message::Exit(exit) => return Err(exit.reason),
        }
    }
}
