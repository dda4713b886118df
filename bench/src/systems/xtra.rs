//! xtra: its actors with unbounded mailboxes. It has no names, no monitors and no supervision.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    task::yield_now,
    time::{Instant, timeout},
};
use xtra::prelude::*;

use super::{Sample, tokio::in_task};
use crate::{
    measure::{Countdown, OneLess, bytes_each, rate, resident_bytes},
    row::{FAN, RING, Row, SENDS_PER_TURN, Work},
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
        _ => return None,
    })
}

/// Starts an actor whose senders never wait.
fn spawned<A: Actor<Stop = ()>>(actor: A) -> Address<A> {
    xtra::spawn_tokio(actor, Mailbox::unbounded())
}

/// Actors that do nothing when they stop.
macro_rules! actors {
    ($($actor:ty),*) => {
        $(impl Actor for $actor {
            type Stop = ();

            async fn stopped(self) {}
        })*
    };
}

actors!(Brief, Server, Receiver, Member, Echo, Asker);

/// Ends as soon as nobody has its address.
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

/// Says that it has started, and waits for messages.
struct Idle(Arc<Countdown>);

impl Actor for Idle {
    type Stop = ();

    async fn started(&mut self, _: &Mailbox<Self>) -> Result<(), ()> {
        self.0.one_less();
        Ok(())
    }

    async fn stopped(self) {}
}

async fn idle(count: u64) -> f64 {
    let waiting = Countdown::from(count);
    let before = resident_bytes();
    for _ in 0..count {
        // Without an address the actor would end.
        std::mem::forget(spawned(Idle(waiting.clone())));
    }
    waiting.zero().await;
    bytes_each(count, before)
}

/// Answers requests.
struct Server;

impl Handler<u64> for Server {
    type Return = u64;

    async fn handle(&mut self, number: u64, _: &mut Context<Self>) -> u64 {
        number + 1
    }
}

async fn calls(count: u64) -> f64 {
    let server = spawned(Server);
    let start = Instant::now();
    for number in 0..count {
        assert_eq!(server.send(number).await, Ok(number + 1));
    }
    rate(count, start)
}

async fn calls_with_timeout(count: u64) -> f64 {
    let server = spawned(Server);
    let start = Instant::now();
    for number in 0..count {
        assert_eq!(timeout(Duration::from_secs(5), server.send(number)).await, Ok(Ok(number + 1)));
    }
    rate(count, start)
}

/// Counts messages down.
struct Receiver {
    left: u64,
    running: Arc<Countdown>,
}

impl Handler<u64> for Receiver {
    type Return = ();

    async fn handle(&mut self, _: u64, _: &mut Context<Self>) {
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
                tell(&receiver, number).await;
                if number % SENDS_PER_TURN == 0 {
                    yield_now().await;
                }
            }
        });
    }
    running.zero().await;
    rate(count, start)
}

/// Sends without waiting for the handler.
async fn tell<A: Handler<u64, Return = ()>>(actor: &Address<A>, number: u64) {
    let _unawaited = actor.send(number).detach().await.expect("the actor runs");
}

/// Hands tokens on. A token is how many hops it has yet to go.
struct Member {
    place: u64,
    ring: Arc<OnceLock<Vec<Address<Member>>>>,
    next: Option<Address<Member>>,
    running: Arc<Countdown>,
}

impl Handler<u64> for Member {
    type Return = ();

    async fn handle(&mut self, hops: u64, _: &mut Context<Self>) {
        match hops {
            0 => self.running.one_less(),
            _ => tell(self.next(), hops - 1).await,
        }
    }
}

impl Member {
    fn next(&mut self) -> &Address<Self> {
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
        tell(member, count / tokens).await;
    }
    running.zero().await;
    rate(count, start)
}

/// Sends each message back.
struct Echo(Address<Asker>);

impl Handler<u64> for Echo {
    type Return = ();

    async fn handle(&mut self, number: u64, _: &mut Context<Self>) {
        tell(&self.0, number).await;
    }
}

/// Sends to all others whenever all have answered.
struct Asker {
    others: Vec<Address<Echo>>,
    rounds: u64,
    round: u64,
    answers: u64,
    running: Arc<Countdown>,
}

struct Others(Vec<Address<Echo>>);

impl Handler<Others> for Asker {
    type Return = ();

    async fn handle(&mut self, Others(others): Others, _: &mut Context<Self>) {
        self.others = others;
    }
}

impl Handler<u64> for Asker {
    type Return = ();

    async fn handle(&mut self, _: u64, _: &mut Context<Self>) {
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
            tell(other, self.round).await;
        }
    }
}

async fn fan_out(count: u64) -> f64 {
    let running = Countdown::from(1);
    let rounds = count / (2 * FAN);
    // The first message is of nobody's, and lets all begin.
    let asker = Asker { others: Vec::new(), rounds, round: 0, answers: FAN - 1, running: running.clone() };
    let asker = spawned(asker);
    let others = (0..FAN).map(|_| spawned(Echo(asker.clone()))).collect();
    asker.send(Others(others)).await.expect("the asker runs");

    let start = Instant::now();
    tell(&asker, 0).await;
    running.zero().await;
    rate(count, start)
}
