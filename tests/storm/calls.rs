//! A storm of calls: in every way in which a call may be waited for and given up, to servers that do everything with
//! a request that may be done with one. Each reply is that to its own request, and who waits is told.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use erlang_process::{self as process, CallError, ExitReason, Node, Reply, Spawn, Subject};
use tokio::{task::yield_now, time::Instant};

use super::{Chance, LONG};

struct Request {
    number: u64,
    reply: Reply<u64>,
}

fn answer(Request { number, reply }: Request) {
    reply.send(number + 1);
}

/// Does anything with requests until it ends in the middle of it.
async fn server(requests: Subject<Request>, mut chance: Chance, helper: Subject<Request>) -> ExitReason {
    while let Ok(request) = requests.receive_forever().await {
        match chance.below(20) {
            0 => return ExitReason::Shutdown,
            1 => {
                helper.send(request);
                return ExitReason::Normal;
            }
            2 => drop(request),
            3..=5 => helper.send(request),
            6 => drop(tokio::spawn(async move { drop(request) })),
            7 => {
                tokio::spawn(async move {
                    yield_now().await;
                    answer(request);
                });
            }
            8 | 9 => {
                yield_now().await;
                answer(request);
            }
            10 => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                answer(request);
            }
            _ => answer(request),
        }
    }
    ExitReason::Normal
}

/// What became of the calls. Each has to be seen.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Replied,
    TimedOut,
    FoundNobody,
    Ended,
    Unanswered,
    Dropped,
}

#[derive(Default)]
struct Seen([AtomicUsize; 6]);

impl Seen {
    fn saw(&self, outcome: Outcome) {
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn has_all(&self) -> bool {
        self.0.iter().all(|count| count.load(Ordering::Relaxed) > 0)
    }
}

struct World {
    servers: Vec<Mutex<Subject<Request>>>,
    helper: Subject<Request>,
    next: AtomicU64,
    seen: Arc<Seen>,
}

type Call = Pin<Box<dyn Future<Output = (u64, Result<u64, CallError>)> + Send>>;

impl World {
    fn spawn_server(helper: &Subject<Request>, chance: Chance) -> Subject<Request> {
        let helper = helper.clone();
        let body = |requests| server(requests, chance, helper);
        let prepared = Spawn::new().unlinked().prepare(body).unwrap();
        let subject = prepared.subject();
        prepared.start();
        subject
    }

    /// A call to any server. One that has ended is replaced.
    fn call(&self, chance: &mut Chance, timeout: Duration) -> Call {
        let server = {
            let mut server = self.servers[chance.below(self.servers.len())].lock().unwrap();
            if chance.below(2) == 0 && !process::is_alive(server.pid().unwrap()) {
                *server = Self::spawn_server(&self.helper, Chance(chance.next()));
            }
            server.clone()
        };
        let number = self.next.fetch_add(2, Ordering::Relaxed);
        Box::pin(async move { (number, server.call(timeout, |reply| Request { number, reply }).await) })
    }

    fn check(&self, timeout: Duration, (number, result): (u64, Result<u64, CallError>)) {
        self.seen.saw(match result {
            Ok(reply) => {
                assert_eq!(reply, number + 1, "the reply to another request");
                Outcome::Replied
            }
            Err(CallError::Timeout) => {
                assert!(timeout < LONG, "nobody was told what became of {number}");
                Outcome::TimedOut
            }
            Err(CallError::NoProc) => Outcome::FoundNobody,
            Err(CallError::Down(_)) => Outcome::Ended,
            Err(CallError::Unanswered) => Outcome::Unanswered,
            Err(other) => panic!("{other}"),
        });
    }
}

/// Wakes a task for one of its parts.
struct Part {
    task: Waker,
    woken: AtomicBool,
}

impl Wake for Part {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.task.wake_by_ref();
    }
}

/// Waits for all, each with a waker of its own and polled only when that is woken.
async fn all_in_parts(calls: Vec<Call>, mut done: impl FnMut((u64, Result<u64, CallError>))) {
    let mut parts: Vec<(Call, Option<Arc<Part>>)> = calls.into_iter().map(|call| (call, None)).collect();
    poll_fn(|cx| {
        parts.retain_mut(|(call, part)| {
            let new = || Arc::new(Part { task: cx.waker().clone(), woken: AtomicBool::new(true) });
            let part = part.get_or_insert_with(new);
            if !part.woken.swap(false, Ordering::SeqCst) {
                return true;
            }
            match call.as_mut().poll(&mut Context::from_waker(&Waker::from(part.clone()))) {
                Poll::Ready(result) => done(result),
                Poll::Pending => return true,
            }
            false
        });
        if parts.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Polls it so often at most.
async fn polled<T>(mut call: Pin<Box<dyn Future<Output = T> + Send>>, mut polls: usize) -> Option<T> {
    poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if polls == 0 => Poll::Ready(None),
        Poll::Pending => {
            polls -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// A process that calls and calls.
async fn caller(own: Subject<u64>, mut chance: Chance, world: Arc<World>) {
    let short = Duration::from_millis(1);
    for round in 0..200 {
        let mut call = |timeout| world.call(&mut chance, timeout);
        match round % 9 {
            0 => world.check(LONG, call(LONG).await),
            1 => world.check(Duration::ZERO, call(Duration::ZERO).await),
            2 => world.check(short, call(short).await),
            3 => {
                let (one, other) = tokio::join!(call(LONG), call(LONG));
                world.check(LONG, one);
                world.check(LONG, other);
            }
            4 => {
                let (mut one, mut other) = (call(LONG), call(LONG));
                let (first, both) = tokio::select! {
                    first = &mut one => (first, other),
                    first = &mut other => (first, one),
                };
                world.check(LONG, first);
                if chance.below(2) == 0 {
                    drop(both);
                    world.seen.saw(Outcome::Dropped);
                } else {
                    world.check(LONG, both.await);
                }
            }
            5 => match tokio::time::timeout(short, call(LONG)).await {
                Ok(result) => world.check(LONG, result),
                Err(_) => world.seen.saw(Outcome::Dropped),
            },
            6 => {
                let calls = (0..4).map(|_| call(LONG)).collect();
                all_in_parts(calls, |result| world.check(LONG, result)).await;
            }
            7 => {
                // Begun here, and gone on with by another process, if it is not over.
                let mut call = call(LONG);
                let begun = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
                match begun {
                    Poll::Ready(result) => world.check(LONG, result),
                    Poll::Pending => {
                        let world = world.clone();
                        process::spawn(async move { world.check(LONG, call.await) });
                    }
                }
            }
            _ => {
                // With messages to itself, from itself and from a task, that wake it for other things.
                let (subject, call) = (own.clone(), call(LONG));
                let sending = tokio::spawn(async move {
                    for number in 0..3 {
                        subject.send(number);
                        yield_now().await;
                    }
                });
                let receiving = async {
                    for number in 0..3 {
                        assert_eq!(own.receive(LONG).await, Ok(number));
                    }
                };
                let (result, ()) = tokio::join!(call, receiving);
                world.check(LONG, result);
                sending.await.unwrap();
                let call = world.call(&mut chance, LONG);
                match polled(call, chance.below(4)).await {
                    Some(result) => world.check(LONG, result),
                    None => world.seen.saw(Outcome::Dropped),
                }
            }
        }
    }
}

async fn storm(mut chance: Chance, seen: Arc<Seen>) {
    let node = Node::new();
    let running = node.run(async move {
        let helper = process::spawn_subject(|requests: Subject<Request>| async move {
            while let Ok(request) = requests.receive_forever().await {
                answer(request);
            }
        });
        let servers =
            (0..3).map(|_| Mutex::new(World::spawn_server(&helper, Chance(chance.next())))).collect();
        let world = Arc::new(World { servers, helper, next: AtomicU64::new(0), seen });
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (chance, world) = (Chance(chance.next()), world.clone());
                let prepared = Spawn::new().prepare(|own| caller(own, chance, world)).unwrap();
                let ended = prepared.ended();
                prepared.start();
                ended
            })
            .collect();
        for ended in callers {
            assert_eq!(ended.await, ExitReason::Normal);
        }
        // Those that have gone on with a call end by themselves.
        let served: Vec<_> =
            world.servers.iter().map(|server| server.lock().unwrap().pid().unwrap()).collect();
        let helper = world.helper.pid().unwrap();
        for pid in Node::current().processes() {
            if Some(pid) != process::current() && pid != helper && !served.contains(&pid) {
                process::join(pid).await;
            }
        }
        for pid in served.into_iter().chain([helper]) {
            process::unlink(pid).unwrap();
            process::kill(pid);
            process::join(pid).await;
        }
    });
    tokio::time::timeout(LONG, running).await.expect("somebody waits for ever").unwrap();
    assert_eq!(node.processes(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_in_every_way_are_answered_or_fail_and_never_hang() {
    process::capture_panics();
    let mut chance = Chance::new("calls_in_every_way_are_answered_or_fail_and_never_hang");
    let (seen, begun) = (Arc::<Seen>::default(), Instant::now());
    for _ in 0..10 {
        storm(Chance(chance.next()), seen.clone()).await;
    }
    while !seen.has_all() {
        assert!(begun.elapsed() < LONG, "never seen: one of {:?}", seen.0);
        storm(Chance(chance.next()), seen.clone()).await;
    }
}
