//! ractor: its actors, its named registry, and its supervision events, from which its users write supervisors.

use std::sync::{Arc, OnceLock};

use ractor::{
    Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent, call, call_t,
    concurrency::JoinHandle,
};
use tokio::{task::yield_now, time::Instant};

use super::{Sample, tokio::in_task};
use crate::{
    measure::{Countdown, OneLess, bytes_each, names, planned_panic, rate, resident_bytes, scattered},
    row::{FAN, Failure, NAMES, RING, Row, SENDS_PER_TURN, Work},
};

pub(super) fn sample(row: &Row) -> Option<Sample> {
    let count = row.count;
    Some(match row.work {
        Work::Spawn { linked: false } => Sample::tokio(in_task(spawn(count))),
        Work::Idle { linked: false } | Work::ActorIdle => Sample::tokio(idle(count)),
        Work::Call { timeout: false } | Work::ActorCall => Sample::tokio(in_task(calls(count))),
        Work::Call { timeout: true } => Sample::tokio(in_task(calls_with_timeout(count))),
        Work::Send { producers } | Work::ActorSend { producers } => {
            Sample::tokio(in_task(sends(count, producers)))
        }
        Work::Ring { tokens } => Sample::tokio(in_task(ring(count, tokens))),
        Work::FanOut => Sample::tokio(in_task(fan_out(count))),
        Work::Lookup { lookers } => Sample::tokio(in_task(look_up(count, lookers))),
        Work::NamedSend { producers } => Sample::tokio(in_task(named_sends(count, producers))),
        Work::Monitor => Sample::tokio(in_task(monitor(count))),
        Work::Restart { by } => Sample::tokio(in_task(restart(count, by))),
        Work::SupervisorStart => Sample::tokio(in_task(supervisor_start(count))),
        Work::SupervisorStop => Sample::tokio(in_task(supervisor_stop(count))),
        Work::ActorStart => Sample::tokio(in_task(start(count))),
        // There are no links but to supervisors, and no tasks.
        Work::Spawn { linked: true }
        | Work::Idle { linked: true }
        | Work::SendFromThreads { .. }
        | Work::Tasks => return None,
    })
}

/// Starts an actor that cannot fail to start.
async fn started<A: Actor>(actor: A, arguments: A::Arguments) -> (ActorRef<A::Msg>, JoinHandle<()>) {
    Actor::spawn(None, actor, arguments).await.expect("the actor starts")
}

/// Ends as soon as it has started.
struct Brief;

impl Actor for Brief {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn post_start(&self, myself: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        myself.stop(None);
        Ok(())
    }
}

async fn spawn(count: u64) -> f64 {
    let start = Instant::now();
    let mut actors = Vec::new();
    for _ in 0..count {
        actors.push(started(Brief, ()).await.1);
    }
    for actor in actors {
        actor.await.expect("the actor ends by itself");
    }
    rate(count, start)
}

/// Waits for messages and ignores them.
struct Idle;

impl Actor for Idle {
    type Msg = u64;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }
}

async fn start(count: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        started(Idle, ()).await;
    }
    rate(count, start)
}

async fn idle(count: u64) -> f64 {
    let before = resident_bytes();
    for _ in 0..count {
        started(Idle, ()).await;
    }
    bytes_each(count, before)
}

/// Answers requests.
struct Server;

enum Request {
    Next(u64, RpcReplyPort<u64>),
}

impl Actor for Server {
    type Msg = Request;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Request>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Request>,
        Request::Next(number, reply): Request,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        reply.send(number + 1)?;
        Ok(())
    }
}

async fn calls(count: u64) -> f64 {
    let (server, _) = started(Server, ()).await;
    let start = Instant::now();
    for number in 0..count {
        assert_eq!(call!(server, Request::Next, number).expect("the server runs"), number + 1);
    }
    rate(count, start)
}

async fn calls_with_timeout(count: u64) -> f64 {
    let (server, _) = started(Server, ()).await;
    let start = Instant::now();
    for number in 0..count {
        assert_eq!(call_t!(server, Request::Next, 5_000, number).expect("the server runs"), number + 1);
    }
    rate(count, start)
}

/// Counts messages down.
struct Receiver(Arc<Countdown>);

impl Actor for Receiver {
    type Msg = u64;
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, _: ActorRef<u64>, count: u64) -> Result<u64, ActorProcessingErr> {
        Ok(count)
    }

    async fn handle(&self, _: ActorRef<u64>, _: u64, left: &mut u64) -> Result<(), ActorProcessingErr> {
        *left -= 1;
        if *left == 0 {
            self.0.one_less();
        }
        Ok(())
    }
}

async fn sends(count: u64, producers: u64) -> f64 {
    let running = Countdown::from(1);
    let start = Instant::now();
    let (receiver, _) = started(Receiver(running.clone()), count).await;
    for _ in 0..producers {
        let receiver = receiver.clone();
        tokio::spawn(async move {
            for number in 0..count / producers {
                receiver.cast(number).expect("the receiver runs");
                if number % SENDS_PER_TURN == 0 {
                    yield_now().await;
                }
            }
        });
    }
    running.zero().await;
    rate(count, start)
}

/// Hands tokens on. A token is how many hops it has yet to go.
struct Member {
    place: u64,
    ring: Arc<OnceLock<Vec<ActorRef<u64>>>>,
    running: Arc<Countdown>,
}

impl Actor for Member {
    type Msg = u64;
    type State = Option<ActorRef<u64>>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<Self::State, ActorProcessingErr> {
        Ok(None)
    }

    async fn handle(
        &self,
        _: ActorRef<u64>,
        hops: u64,
        next: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match hops {
            0 => self.running.one_less(),
            _ => next.get_or_insert_with(|| self.next()).cast(hops - 1)?,
        }
        Ok(())
    }
}

impl Member {
    fn next(&self) -> ActorRef<u64> {
        let members = self.ring.get().expect("tokens come when all are there");
        members[usize::try_from((self.place + 1) % RING).expect("small")].clone()
    }
}

async fn ring(count: u64, tokens: u64) -> f64 {
    let (ring, running) = (Arc::new(OnceLock::new()), Countdown::from(tokens));
    let mut members = Vec::new();
    for place in 0..RING {
        members.push(started(Member { place, ring: ring.clone(), running: running.clone() }, ()).await.0);
    }
    let members = ring.get_or_init(|| members);

    let start = Instant::now();
    for (_, member) in (0..tokens).zip(members) {
        member.cast(count / tokens).expect("the ring runs");
    }
    running.zero().await;
    rate(count, start)
}

/// Sends each message back.
struct Echo(ActorRef<u64>);

impl Actor for Echo {
    type Msg = u64;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<u64>, number: u64, (): &mut ()) -> Result<(), ActorProcessingErr> {
        self.0.cast(number)?;
        Ok(())
    }
}

/// Sends to all others whenever all have answered.
struct Asker {
    rounds: u64,
    running: Arc<Countdown>,
}

struct Asking {
    others: Vec<ActorRef<u64>>,
    round: u64,
    answers: u64,
}

impl Actor for Asker {
    type Msg = u64;
    type State = Asking;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<u64>, (): ()) -> Result<Asking, ActorProcessingErr> {
        let mut others = Vec::new();
        for _ in 0..FAN {
            others.push(started(Echo(myself.clone()), ()).await.0);
        }
        // The first message is of nobody's, and lets all begin.
        Ok(Asking { others, round: 0, answers: FAN - 1 })
    }

    async fn handle(&self, _: ActorRef<u64>, _: u64, asking: &mut Asking) -> Result<(), ActorProcessingErr> {
        asking.answers += 1;
        if asking.answers < FAN {
            return Ok(());
        }
        if asking.round == self.rounds {
            self.running.one_less();
            return Ok(());
        }
        (asking.round, asking.answers) = (asking.round + 1, 0);
        for other in &asking.others {
            other.cast(asking.round)?;
        }
        Ok(())
    }
}

async fn fan_out(count: u64) -> f64 {
    let running = Countdown::from(1);
    let (asker, _) = started(Asker { rounds: count / (2 * FAN), running: running.clone() }, ()).await;
    let start = Instant::now();
    asker.cast(0).expect("the asker runs");
    running.zero().await;
    rate(count, start)
}

/// Actors with names; returns the count of those that have not had all of their messages.
async fn register_all(messages: u64) -> Arc<Countdown> {
    let waiting = Countdown::from(NAMES);
    for name in names() {
        let named = Some((*name).to_owned());
        Actor::spawn(named, Receiver(waiting.clone()), messages).await.expect("the name is free");
    }
    waiting
}

async fn look_up(count: u64, lookers: u64) -> f64 {
    register_all(count / NAMES).await;
    let running = Countdown::from(lookers);
    let start = Instant::now();
    for looker in 0..lookers {
        let end = OneLess(running.clone());
        tokio::spawn(async move {
            for _ in 0..count / NAMES / lookers {
                for name in scattered(names(), looker * NAMES / lookers) {
                    assert!(ActorRef::<u64>::where_is(*name).is_some());
                }
            }
            drop(end);
        });
    }
    running.zero().await;
    rate(count, start)
}

async fn named_sends(count: u64, producers: u64) -> f64 {
    let waiting = register_all(count / NAMES).await;
    let start = Instant::now();
    for producer in 0..producers {
        tokio::spawn(async move {
            for _ in 0..count / NAMES / producers {
                for name in scattered(names(), producer * NAMES / producers) {
                    ActorRef::<u64>::where_is(*name).expect("all are named").cast(1).expect("all run");
                }
            }
        });
    }
    waiting.zero().await;
    rate(count, start)
}

/// Counts the ends of its children down.
struct Watcher(Arc<Countdown>);

impl Actor for Watcher {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if matches!(event, SupervisionEvent::ActorTerminated(..)) {
            self.0.one_less();
        }
        Ok(())
    }
}

async fn children(count: u64, of: &ActorRef<()>) -> Vec<ActorRef<u64>> {
    let mut children = Vec::new();
    for _ in 0..count {
        let child = Actor::spawn_linked(None, Idle, (), of.get_cell()).await;
        children.push(child.expect("the child starts").0);
    }
    children
}

async fn monitor(count: u64) -> f64 {
    let running = Countdown::from(count);
    let (watcher, _) = started(Watcher(running.clone()), ()).await;
    let watched = children(count, &watcher).await;
    let start = Instant::now();
    for actor in watched {
        actor.stop(None);
    }
    running.zero().await;
    rate(count, start)
}

async fn supervisor_start(count: u64) -> f64 {
    let (supervisor, _) = started(Watcher(Countdown::from(count)), ()).await;
    let start = Instant::now();
    children(count, &supervisor).await;
    rate(count, start)
}

async fn supervisor_stop(count: u64) -> f64 {
    let (supervisor, _) = started(Watcher(Countdown::from(count)), ()).await;
    children(count, &supervisor).await;
    let start = Instant::now();
    supervisor.stop_children_and_wait(None, None).await;
    supervisor.stop_and_wait(None, None).await.expect("the supervisor runs");
    rate(count, start)
}

/// Fails as soon as it has started.
struct Failing(Failure);

impl Actor for Failing {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn post_start(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        match self.0 {
            Failure::Error => Err("planned".into()),
            Failure::Panic => planned_panic(),
        }
    }
}

/// Starts its one child again as often as it is measured.
struct Restarter {
    by: Failure,
    running: Arc<Countdown>,
}

impl Restarter {
    async fn start_child(&self, myself: &ActorRef<()>) -> Result<(), ActorProcessingErr> {
        Actor::spawn_linked(None, Failing(self.by), (), myself.get_cell()).await?;
        Ok(())
    }
}

impl Actor for Restarter {
    type Msg = ();
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, myself: ActorRef<()>, count: u64) -> Result<u64, ActorProcessingErr> {
        self.start_child(&myself).await?;
        Ok(count)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        left: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) = event {
            if *left == 0 {
                self.running.one_less();
                return Ok(());
            }
            *left -= 1;
            self.start_child(&myself).await?;
        }
        Ok(())
    }
}

async fn restart(count: u64, by: Failure) -> f64 {
    let running = Countdown::from(1);
    let start = Instant::now();
    started(Restarter { by, running: running.clone() }, count).await;
    running.zero().await;
    rate(count, start)
}
