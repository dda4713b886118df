//! kameo: its actors with unbounded mailboxes, its registry, its links and its supervision.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kameo::{error::Infallible, mailbox, prelude::*, supervision::RestartPolicy};
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
        // There are no tasks; links do not end who has them.
        Work::Spawn { linked: true }
        | Work::Idle { linked: true }
        | Work::SendFromThreads { .. }
        | Work::Tasks => return None,
    })
}

/// Starts an actor whose senders never wait.
fn spawned<A: Actor<Args = A>>(actor: A) -> ActorRef<A> {
    A::spawn_with_mailbox(actor, mailbox::unbounded())
}

/// Ends as soon as nobody has its reference.
#[derive(Actor)]
struct Brief {
    _end: OneLess,
}

async fn spawn(count: u64) -> f64 {
    let alive = Countdown::from(count);
    let start = Instant::now();
    for _ in 0..count {
        spawned(Brief { _end: OneLess(alive.clone()) });
    }
    alive.zero().await;
    rate(count, start)
}

/// Waits for messages and ignores them.
#[derive(Actor, Clone)]
struct Idle;

impl Message<u64> for Idle {
    type Reply = ();

    async fn handle(&mut self, _: u64, _: &mut Context<Self, ()>) {}
}

async fn start(count: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        spawned(Idle).wait_for_startup().await;
    }
    rate(count, start)
}

async fn idle(count: u64) -> f64 {
    let before = resident_bytes();
    for _ in 0..count {
        let actor = spawned(Idle);
        actor.wait_for_startup().await;
        // Without a reference the actor would end.
        std::mem::forget(actor);
    }
    bytes_each(count, before)
}

/// Answers requests.
#[derive(Actor)]
struct Server;

impl Message<u64> for Server {
    type Reply = u64;

    async fn handle(&mut self, number: u64, _: &mut Context<Self, u64>) -> u64 {
        number + 1
    }
}

async fn calls(count: u64) -> f64 {
    let server = spawned(Server);
    let start = Instant::now();
    for number in 0..count {
        assert_eq!(server.ask(number).await.expect("the server runs"), number + 1);
    }
    rate(count, start)
}

async fn calls_with_timeout(count: u64) -> f64 {
    let server = spawned(Server);
    let start = Instant::now();
    for number in 0..count {
        let answer = server.ask(number).reply_timeout(Duration::from_secs(5)).await;
        assert_eq!(answer.expect("the server runs"), number + 1);
    }
    rate(count, start)
}

/// Counts messages down.
#[derive(Actor)]
struct Receiver {
    left: u64,
    running: Arc<Countdown>,
}

impl Message<u64> for Receiver {
    type Reply = ();

    async fn handle(&mut self, _: u64, _: &mut Context<Self, ()>) {
        self.left -= 1;
        if self.left == 0 {
            self.running.one_less();
        }
    }
}

async fn sends(count: u64, producers: u64) -> f64 {
    let running = Countdown::from(1);
    let start = Instant::now();
    let receiver = spawned(Receiver { left: count, running: running.clone() });
    for _ in 0..producers {
        let receiver = receiver.clone();
        tokio::spawn(async move {
            for number in 0..count / producers {
                receiver.tell(number).await.expect("the receiver runs");
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
#[derive(Actor)]
struct Member {
    place: u64,
    ring: Arc<OnceLock<Vec<ActorRef<Member>>>>,
    next: Option<ActorRef<Member>>,
    running: Arc<Countdown>,
}

impl Message<u64> for Member {
    type Reply = ();

    async fn handle(&mut self, hops: u64, _: &mut Context<Self, ()>) {
        match hops {
            0 => self.running.one_less(),
            _ => self.next().tell(hops - 1).await.expect("the ring runs"),
        }
    }
}

impl Member {
    fn next(&mut self) -> &ActorRef<Self> {
        let Self { place, ring, next, .. } = self;
        next.get_or_insert_with(|| {
            let members = ring.get().expect("tokens come when all are there");
            members[usize::try_from((*place + 1) % RING).expect("small")].clone()
        })
    }
}

async fn ring(count: u64, tokens: u64) -> f64 {
    let (ring, running) = (Arc::new(OnceLock::new()), Countdown::from(tokens));
    let member = |place| spawned(Member { place, ring: ring.clone(), next: None, running: running.clone() });
    let members = (0..RING).map(member).collect();
    let members = ring.get_or_init(|| members);

    let start = Instant::now();
    for (_, member) in (0..tokens).zip(members) {
        member.tell(count / tokens).await.expect("the ring runs");
    }
    running.zero().await;
    rate(count, start)
}

/// Sends each message back.
#[derive(Actor)]
struct Echo(ActorRef<Asker>);

impl Message<u64> for Echo {
    type Reply = ();

    async fn handle(&mut self, number: u64, _: &mut Context<Self, ()>) {
        self.0.tell(number).await.expect("the asker runs");
    }
}

/// Sends to all others whenever all have answered.
struct Asker {
    others: Vec<ActorRef<Echo>>,
    rounds: u64,
    round: u64,
    answers: u64,
    running: Arc<Countdown>,
}

impl Actor for Asker {
    type Args = (u64, Arc<Countdown>);
    type Error = Infallible;

    async fn on_start((rounds, running): Self::Args, myself: ActorRef<Self>) -> Result<Self, Infallible> {
        let others = (0..FAN).map(|_| spawned(Echo(myself.clone()))).collect();
        // The first message is of nobody's, and lets all begin.
        Ok(Self { others, rounds, round: 0, answers: FAN - 1, running })
    }
}

impl Message<u64> for Asker {
    type Reply = ();

    async fn handle(&mut self, _: u64, _: &mut Context<Self, ()>) {
        self.answers += 1;
        if self.answers < FAN {
            return;
        }
        if self.round == self.rounds {
            self.running.one_less();
            return;
        }
        (self.round, self.answers) = (self.round + 1, 0);
        for other in &self.others {
            other.tell(self.round).await.expect("the others run");
        }
    }
}

async fn fan_out(count: u64) -> f64 {
    let running = Countdown::from(1);
    let asker = Asker::spawn_with_mailbox((count / (2 * FAN), running.clone()), mailbox::unbounded());
    asker.wait_for_startup().await;
    let start = Instant::now();
    asker.tell(0).await.expect("the asker runs");
    running.zero().await;
    rate(count, start)
}

/// Actors with names; returns the count of those that have not had all of their messages.
fn register_all(messages: u64) -> Arc<Countdown> {
    let waiting = Countdown::from(NAMES);
    for name in names() {
        let actor = spawned(Receiver { left: messages, running: waiting.clone() });
        actor.register(*name).expect("the name is free");
    }
    waiting
}

async fn look_up(count: u64, lookers: u64) -> f64 {
    register_all(count / NAMES);
    let running = Countdown::from(lookers);
    let start = Instant::now();
    for looker in 0..lookers {
        let end = OneLess(running.clone());
        tokio::spawn(async move {
            for _ in 0..count / NAMES / lookers {
                for name in scattered(names(), looker * NAMES / lookers) {
                    let found = ActorRef::<Receiver>::lookup(*name);
                    assert!(found.expect("it is of this type").is_some());
                }
            }
            drop(end);
        });
    }
    running.zero().await;
    rate(count, start)
}

async fn named_sends(count: u64, producers: u64) -> f64 {
    let waiting = register_all(count / NAMES);
    let start = Instant::now();
    for producer in 0..producers {
        tokio::spawn(async move {
            for _ in 0..count / NAMES / producers {
                for name in scattered(names(), producer * NAMES / producers) {
                    let found = ActorRef::<Receiver>::lookup(*name).expect("it is of this type");
                    found.expect("all are named").tell(1).await.expect("all run");
                }
            }
        });
    }
    waiting.zero().await;
    rate(count, start)
}

/// Counts the ends of those that it is linked with down.
struct Watcher(Arc<Countdown>);

impl Actor for Watcher {
    type Args = Arc<Countdown>;
    type Error = Infallible;

    async fn on_start(running: Self::Args, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(running))
    }

    async fn on_link_died(
        &mut self,
        _: WeakActorRef<Self>,
        _: ActorId,
        _: ActorStopReason,
    ) -> Result<ControlFlow<ActorStopReason>, Infallible> {
        self.0.one_less();
        Ok(ControlFlow::Continue(()))
    }
}

async fn monitor(count: u64) -> f64 {
    let running = Countdown::from(count);
    let watcher = Watcher::spawn_with_mailbox(running.clone(), mailbox::unbounded());
    let mut watched = Vec::new();
    for _ in 0..count {
        let actor = Idle::spawn_link_with_mailbox(&watcher, Idle, mailbox::unbounded()).await;
        actor.wait_for_startup().await;
        watched.push(actor);
    }
    let start = Instant::now();
    // They end when nobody has their references.
    drop(watched);
    running.zero().await;
    rate(count, start)
}

/// Has children and no messages.
#[derive(Actor)]
struct Parent;

async fn children(count: u64, of: &ActorRef<Parent>) -> Vec<ActorRef<Idle>> {
    let mut children = Vec::new();
    for _ in 0..count {
        let child = Idle::supervise(of, Idle).spawn_with_mailbox(mailbox::unbounded()).await;
        child.wait_for_startup().await;
        children.push(child);
    }
    children
}

async fn supervisor_start(count: u64) -> f64 {
    let parent = spawned(Parent);
    let start = Instant::now();
    let _children = children(count, &parent).await;
    rate(count, start)
}

async fn supervisor_stop(count: u64) -> f64 {
    let parent = spawned(Parent);
    let _children = children(count, &parent).await;
    let start = Instant::now();
    parent.stop_gracefully().await.expect("the parent runs");
    parent.wait_for_shutdown().await;
    rate(count, start)
}

/// Fails as soon as it has started, as often as it is measured.
#[derive(Clone)]
struct Failing {
    by: Failure,
    left: Arc<AtomicU64>,
    running: Arc<Countdown>,
}

struct Fail;

impl Actor for Failing {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(this: Self, myself: ActorRef<Self>) -> Result<Self, Infallible> {
        if this.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            this.running.one_less();
        } else {
            myself.tell(Fail).try_send().expect("there is room");
        }
        Ok(this)
    }
}

impl Message<Fail> for Failing {
    type Reply = Result<(), &'static str>;

    async fn handle(&mut self, Fail: Fail, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        match self.by {
            Failure::Error => Err("planned"),
            Failure::Panic => planned_panic(),
        }
    }
}

async fn restart(count: u64, by: Failure) -> f64 {
    let running = Countdown::from(1);
    let parent = spawned(Parent);
    let child = Failing { by, left: Arc::new(AtomicU64::new(count)), running: running.clone() };
    let start = Instant::now();
    let _child = Failing::supervise(&parent, child)
        .restart_policy(RestartPolicy::Permanent)
        .restart_limit(u32::MAX, Duration::from_secs(1))
        .spawn_with_mailbox(mailbox::unbounded())
        .await;
    running.zero().await;
    rate(count, start)
}
