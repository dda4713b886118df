//! actix: all actors of an arbiter share one thread, and a panic is not isolated.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix::prelude::*;
use tokio::{task::yield_now, time::Instant};

use super::Sample;
use crate::{
    measure::{Countdown, OneLess, bytes_each, rate, resident_bytes},
    row::{FAN, RING, Row, SENDS_PER_TURN, Threads, Work},
};

pub(super) fn sample(row: &Row) -> Option<Sample> {
    let count = row.count;
    Some(match row.work {
        // Between two threads it would be two systems.
        Work::Call { .. } | Work::ActorCall if row.threads == Threads::Two => return None,
        Work::Spawn { linked: false } => in_system(spawn(count)),
        Work::Idle { linked: false } | Work::ActorIdle => in_system(idle(count)),
        Work::Call { timeout: false } | Work::ActorCall => in_system(calls(count)),
        Work::Call { timeout: true } => in_system(calls_with_timeout(count)),
        Work::Send { producers } | Work::ActorSend { producers } => in_system(sends(count, producers)),
        Work::Ring { tokens } => in_system(ring(count, tokens)),
        Work::FanOut => in_system(fan_out(count)),
        _ => return None,
    })
}

fn in_system(work: impl Future<Output = f64> + 'static) -> Sample {
    Sample::Elsewhere(Box::new(|| System::new().block_on(work)))
}

#[derive(Message)]
#[rtype(result = "()")]
struct Number(u64);

/// Ends as soon as it has started.
struct Brief {
    _end: OneLess,
}

impl Actor for Brief {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.stop();
    }
}

async fn spawn(count: u64) -> f64 {
    let alive = Countdown::from(count);
    let start = Instant::now();
    for _ in 0..count {
        Brief { _end: OneLess(alive.clone()) }.start();
    }
    alive.zero().await;
    rate(count, start)
}

/// Says that it has started, and waits for messages.
struct Idle(Arc<Countdown>);

impl Actor for Idle {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        self.0.one_less();
    }
}

async fn idle(count: u64) -> f64 {
    let waiting = Countdown::from(count);
    let before = resident_bytes();
    for _ in 0..count {
        // Without an address the actor would end.
        std::mem::forget(Idle(waiting.clone()).start());
    }
    waiting.zero().await;
    bytes_each(count, before)
}

/// Answers requests.
struct Server;

#[derive(Message)]
#[rtype(result = "u64")]
struct Next(u64);

impl Actor for Server {
    type Context = Context<Self>;
}

impl Handler<Next> for Server {
    type Result = u64;

    fn handle(&mut self, Next(number): Next, _: &mut Context<Self>) -> u64 {
        number + 1
    }
}

async fn calls(count: u64) -> f64 {
    let server = Server.start();
    let start = Instant::now();
    for number in 0..count {
        assert_eq!(server.send(Next(number)).await.expect("the server runs"), number + 1);
    }
    rate(count, start)
}

async fn calls_with_timeout(count: u64) -> f64 {
    let server = Server.start();
    let start = Instant::now();
    for number in 0..count {
        let answer = server.send(Next(number)).timeout(Duration::from_secs(5)).await;
        assert_eq!(answer.expect("the server runs"), number + 1);
    }
    rate(count, start)
}

/// Counts messages down.
struct Receiver {
    left: u64,
    running: Arc<Countdown>,
}

impl Actor for Receiver {
    type Context = Context<Self>;
}

impl Handler<Number> for Receiver {
    type Result = ();

    fn handle(&mut self, _: Number, _: &mut Context<Self>) {
        self.left -= 1;
        if self.left == 0 {
            self.running.one_less();
        }
    }
}

async fn sends(count: u64, producers: u64) -> f64 {
    let running = Countdown::from(1);
    let start = Instant::now();
    let receiver = Receiver { left: count, running: running.clone() }.start();
    for _ in 0..producers {
        let receiver = receiver.clone();
        actix::spawn(async move {
            for number in 0..count / producers {
                receiver.do_send(Number(number));
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
    ring: Arc<OnceLock<Vec<Addr<Member>>>>,
    next: Option<Addr<Member>>,
    running: Arc<Countdown>,
}

impl Actor for Member {
    type Context = Context<Self>;
}

impl Handler<Number> for Member {
    type Result = ();

    fn handle(&mut self, Number(hops): Number, _: &mut Context<Self>) {
        match hops {
            0 => self.running.one_less(),
            _ => self.next().do_send(Number(hops - 1)),
        }
    }
}

impl Member {
    fn next(&mut self) -> &Addr<Self> {
        let Self { place, ring, next, .. } = self;
        next.get_or_insert_with(|| {
            let members = ring.get().expect("tokens come when all are there");
            members[usize::try_from((*place + 1) % RING).expect("small")].clone()
        })
    }
}

async fn ring(count: u64, tokens: u64) -> f64 {
    let (ring, running) = (Arc::new(OnceLock::new()), Countdown::from(tokens));
    let member = |place| Member { place, ring: ring.clone(), next: None, running: running.clone() }.start();
    let members = (0..RING).map(member).collect();
    let members = ring.get_or_init(|| members);

    let start = Instant::now();
    for (_, member) in (0..tokens).zip(members) {
        member.do_send(Number(count / tokens));
    }
    running.zero().await;
    rate(count, start)
}

/// Sends each message back.
struct Echo(Addr<Asker>);

impl Actor for Echo {
    type Context = Context<Self>;
}

impl Handler<Number> for Echo {
    type Result = ();

    fn handle(&mut self, number: Number, _: &mut Context<Self>) {
        self.0.do_send(number);
    }
}

/// Sends to all others whenever all have answered.
struct Asker {
    others: Vec<Addr<Echo>>,
    rounds: u64,
    round: u64,
    answers: u64,
    running: Arc<Countdown>,
}

impl Actor for Asker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.others = (0..FAN).map(|_| Echo(context.address()).start()).collect();
    }
}

impl Handler<Number> for Asker {
    type Result = ();

    fn handle(&mut self, _: Number, _: &mut Context<Self>) {
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
            other.do_send(Number(self.round));
        }
    }
}

async fn fan_out(count: u64) -> f64 {
    let running = Countdown::from(1);
    let rounds = count / (2 * FAN);
    // The first message is of nobody's, and lets all begin.
    let asker = Asker { others: Vec::new(), rounds, round: 0, answers: FAN - 1, running: running.clone() };
    let asker = asker.start();
    let start = Instant::now();
    asker.do_send(Number(0));
    running.zero().await;
    rate(count, start)
}
