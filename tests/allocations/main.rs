//! How often what a program does all the time asks for memory, counted and not timed.
//!
//! The numbers are those of the steady state: each operation has been done before, so that tables and queues have
//! grown as far as they will. They may become smaller; one that becomes bigger needs a reason.

#![allow(clippy::unwrap_used)]

use std::{future::pending, time::Duration};

use erlang_process::{
    self as process, Bound, Cancelled, ExitMessage, Monitor, MonitorAlias, Name, Node, Pid, Reply, Selector,
    Spawn, Subject, WhenFull,
};
use otp_actor::{self as actor, Next};
use tokio::{runtime::Runtime, task::yield_now};

/// How often each operation is done before it is counted.
const BEFORE: u64 = 16;

/// Does something as often as it is to be counted, and before that until everything has grown.
macro_rules! rounds {
    ($rounds:expr, $work:expr) => {
        for _ in 0..BEFORE + $rounds {
            $work
        }
    };
}

#[test]
fn allocations_of_what_is_done_all_the_time() {
    // A process that is spawned has ended before the next one is.
    let counted = [
        ("spawn_unlinked", 2, per_round(spawn_unlinked)),
        ("spawn", 2, per_round(spawn)),
        ("spawn_subject", 2, per_round(spawn_subject)),
        ("spawn with a name", 3, per_round(spawn_named)),
        ("spawn_monitor, and its down", 4, per_round(spawn_monitor)),
        ("spawn under a link that is trapped, and its exit", 3, per_round(spawn_trapped)),
        ("send on the own subject, and receive", 0, per_round(own_subject)),
        ("send on the own subject, a hundred at once", 1, per_round(own_subject_in_bursts)),
        ("send by a name, and receive", 0, per_round(by_name)),
        ("send on another subject, and receive", 1, per_round(other_subject)),
        ("receive with a timeout what is there", 0, per_round(receive_within)),
        ("receive with a selector", 0, per_round(selector)),
        ("to another process and back", 0, per_round(round_trip::<false>)),
        ("to another process and back, with timeouts", 0, per_round(round_trip::<true>)),
        ("call", 0, per_round(call::<false>)),
        ("call with a timeout", 0, per_round(call::<true>)),
        ("calls with replies of two types, two of them at once", 0, per_round(calls)),
        ("call from outside any process", 1, per_round(call_from_outside)),
        ("send to a bounded mailbox, and receive", 0, per_round(bounded)),
        ("call of an actor", 0, per_round(actor_call)),
        ("call of an actor, which sets an idle timeout", 0, per_round(actor_call_idle)),
        ("link and unlink", 1, per_round(link)),
        ("monitor and demonitor", 0, per_round(monitor)),
        ("monitor with an alias, and the reply", 3, per_round(monitor_with_alias)),
        ("register and unregister", 0, per_round(register)),
        ("send_after, and receive", 1, per_round(timer_fires)),
        ("send_after, and cancel", 1, per_round(timer_cancelled)),
    ];
    let others: Vec<_> = counted.into_iter().filter(|(_, expected, counted)| expected != counted).collect();
    assert_eq!(others, [], "what, expected, counted");
}

/// What there may be a million of is small. Limits, as the tables that hold it grow by leaps.
#[test]
fn bytes_of_what_there_may_be_many_of() {
    let kept = [
        ("a process that waits", 600, bytes_of_processes(0, receiving)),
        ("a process that waits after a burst of messages", 800, bytes_of_processes(1_000, receiving)),
        ("a process that selects, after such a burst", 1_450, bytes_of_processes(1_000, selecting)),
        ("a link", 80, bytes_each(links)),
        ("a monitor", 300, bytes_each(monitors)),
        ("a name", 300, bytes_each(names)),
        ("a message", 32, bytes_each(messages)),
        ("a message to another subject", 80, bytes_each(messages_to_another)),
        ("a timer", 350, bytes_each(timers)),
        ("a timer that has fired", 4, bytes_of_fired_timers()),
    ];
    let others: Vec<_> = kept.into_iter().filter(|(_, most, kept)| kept > most).collect();
    assert_eq!(others, [], "what, at most, kept");
}

/// How many of a thing there are.
const MANY: usize = 10_000;

/// How many bytes are kept of each of many that `body` makes as a process.
fn bytes_each<F>(body: impl FnOnce() -> F) -> i64
where
    F: Future<Output = i64> + Send + 'static,
{
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(Node::new().run(body())).unwrap() / MANY as i64
}

/// How many bytes are kept of each of many processes that run this and wait, once they have read so many messages.
fn bytes_of_processes<F>(messages: u64, body: fn(Subject<u64>) -> F) -> i64
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let node = Node::new();
    let spawn = || async move {
        for _ in 0..MANY {
            let waiting = Spawn::new().unlinked().prepare(body).unwrap();
            let own = waiting.subject().clone();
            waiting.start();
            (0..messages).for_each(|number| own.send(number));
            while (messages > 0) && Node::current().info(own.pid().unwrap()).unwrap().message_queue_len > 0 {
                yield_now().await;
            }
        }
        yield_now().await;
    };
    runtime.block_on(node.run(spawn())).unwrap();
    // Beside as many.
    let kept = allocation_counter::measure(|| runtime.block_on(node.run(spawn())).unwrap());
    kept.bytes_current / MANY as i64
}

/// How many bytes a process that lives on keeps of each of many timers that it has set and that have fired.
fn bytes_of_fired_timers() -> i64 {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let node = Node::new();
    let server = Spawn::new().on(&node).unlinked().prepare(|rounds: Subject<Reply<()>>| async move {
        while let Ok(reply) = rounds.receive_forever().await {
            let ticks = Subject::new().unwrap();
            for number in 0..MANY {
                ticks.send_after(Duration::from_millis(1), number);
            }
            for _ in 0..MANY {
                ticks.receive(LONG).await.unwrap();
            }
            reply.send(());
        }
    });
    let server = server.unwrap();
    let to = server.subject().clone();
    let in_runtime = runtime.enter();
    server.start();
    drop(in_runtime);
    let round = || runtime.block_on(to.call(LONG, |reply| reply)).unwrap();
    round();
    allocation_counter::measure(round).bytes_current / MANY as i64
}

async fn receiving(own: Subject<u64>) {
    while own.receive_forever().await.is_ok() {}
}

async fn selecting(own: Subject<u64>) {
    let mut selector = Selector::new().select(&own, drop).select_other(|_| {});
    while selector.receive_forever().await.is_ok() {}
}

/// A supervisor that refuses a task, as it may refuse many, keeps nothing of it.
#[test]
fn what_is_refused_leaves_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let node = Node::new();
    let left = |rounds| {
        let refused = refused(rounds);
        allocation_counter::measure(|| runtime.block_on(node.run(refused)).unwrap()).count_current
    };
    left(0);
    assert_eq!(left(ROUNDS), left(0));
}

async fn refused(rounds: u64) {
    let tasks = otp_task::Supervisor::builder().max_children(0).start().await.unwrap().data;
    // It outlives this process.
    process::unlink(tasks.pid().unwrap()).unwrap();
    rounds!(rounds, assert!(tasks.spawn_unlinked(async {}).await.is_err()));
}

const ROUNDS: u64 = 100;

/// How often one round of what `body` does as a process asks for memory. All rounds have to be alike.
fn per_round<F>(body: impl Fn(u64) -> F) -> u64
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let node = Node::new();
    run(&runtime, &node, body(ROUNDS));
    // Everything but the rounds is in both.
    let without = run(&runtime, &node, body(0));
    let with = run(&runtime, &node, body(ROUNDS));
    let rounds = with - without;
    assert_eq!(rounds % ROUNDS, 0, "{rounds} in {ROUNDS} rounds, which are not alike");
    rounds / ROUNDS
}

fn run(runtime: &Runtime, node: &Node, body: impl Future<Output = ()> + Send + 'static) -> u64 {
    // One thread, so that its count is the whole.
    let info = allocation_counter::measure(|| runtime.block_on(node.run(body)).unwrap());
    info.count_total
}

const LONG: Duration = Duration::from_secs(60);

async fn actor_call(rounds: u64) {
    let handle = |count: &mut u64, reply: Reply<u64>| reply.send(*count);
    let actor = actor::new(0).on_message(handle).start().await.unwrap().data;
    rounds!(rounds, {
        actor.call(LONG, |reply| reply).await.unwrap();
    });
}

async fn actor_call_idle(rounds: u64) {
    let handle = |count: &mut u64, reply: Option<Reply<u64>>| {
        if let Some(reply) = reply {
            reply.send(*count);
        }
        Next::Continue.idle_timeout(2 * LONG, None)
    };
    let actor = actor::new(0).on_message(handle).start().await.unwrap().data;
    rounds!(rounds, {
        actor.call(LONG, Some).await.unwrap();
    });
}

async fn spawn_unlinked(rounds: u64) {
    rounds!(rounds, {
        process::spawn_unlinked(async {});
        yield_now().await;
    });
}

async fn spawn(rounds: u64) {
    rounds!(rounds, {
        process::spawn(async {});
        yield_now().await;
    });
}

async fn spawn_subject(rounds: u64) {
    rounds!(rounds, {
        process::spawn_subject(|own: Subject<u64>| async move { drop(own) });
        yield_now().await;
    });
}

async fn spawn_named(rounds: u64) {
    let name = Name::<u64>::new("spawned");
    rounds!(rounds, {
        Spawn::new().unlinked().named(name).spawn(async {}).unwrap();
        yield_now().await;
    });
}

async fn spawn_monitor(rounds: u64) {
    rounds!(rounds, {
        let (_, monitor) = process::spawn_monitor(async {}).unwrap();
        monitor.down().await.unwrap();
    });
}

async fn spawn_trapped(rounds: u64) {
    process::trap_exits(true).unwrap();
    let mut exits = Selector::new().select_trapped_exits(|ExitMessage { .. }| ());
    rounds!(rounds, {
        process::spawn(async {});
        exits.receive_forever().await.unwrap();
    });
}

/// Runs the body as a process with a subject of its own.
async fn with_own<F>(body: impl FnOnce(Subject<u64>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let prepared = Spawn::new().unlinked().prepare(body).unwrap();
    let ended = prepared.ended();
    prepared.start();
    assert_eq!(ended.await, process::ExitReason::Normal);
}

async fn own_subject(rounds: u64) {
    with_own(move |own| async move {
        rounds!(rounds, {
            own.send(1);
            assert_eq!(own.receive_forever().await, Ok(1));
        });
    })
    .await;
}

async fn own_subject_in_bursts(rounds: u64) {
    with_own(move |own| async move {
        rounds!(rounds, {
            for number in 0..100 {
                own.send(number);
            }
            for number in 0..100 {
                assert_eq!(own.receive_forever().await, Ok(number));
            }
        });
    })
    .await;
}

async fn by_name(rounds: u64) {
    with_own(move |_| async move {
        let name = Name::<u64>::new("named");
        process::register(process::current().unwrap(), name).unwrap();
        let subject = name.subject();
        rounds!(rounds, {
            subject.send(1);
            assert_eq!(subject.receive_forever().await, Ok(1));
        });
    })
    .await;
}

async fn other_subject(rounds: u64) {
    let subject = Subject::new().unwrap();
    rounds!(rounds, {
        subject.send(1);
        assert_eq!(subject.receive_forever().await, Ok(1));
    });
}

async fn receive_within(rounds: u64) {
    with_own(move |own| async move {
        rounds!(rounds, {
            own.send(1);
            assert_eq!(own.receive(LONG).await, Ok(1));
        });
    })
    .await;
}

async fn selector(rounds: u64) {
    with_own(move |own| async move {
        let mut selector = Selector::new().select(&own, |number| number).select_monitors(|_| 0);
        rounds!(rounds, {
            own.send(1);
            assert_eq!(selector.receive_forever().await, Ok(1));
        });
    })
    .await;
}

/// Both wait for each other.
async fn round_trip<const TIMEOUTS: bool>(rounds: u64) {
    with_own(move |own| async move {
        let back = own.clone();
        let there = process::spawn_subject(move |own: Subject<u64>| async move {
            while let Ok(number) =
                if TIMEOUTS { own.receive(LONG).await } else { own.receive_forever().await }
            {
                back.send(number);
            }
        });
        rounds!(rounds, {
            there.send(1);
            let back = if TIMEOUTS { own.receive(LONG).await } else { own.receive_forever().await };
            assert_eq!(back, Ok(1));
        });
    })
    .await;
}

async fn echo(own: Subject<Reply<u64>>) {
    while let Ok(reply) = own.receive_forever().await {
        reply.send(1);
    }
}

async fn call<const TIMEOUT: bool>(rounds: u64) {
    let echo = process::spawn_subject(echo);
    let timeout = if TIMEOUT { LONG } else { Duration::MAX };
    rounds!(rounds, assert_eq!(echo.call(timeout, |reply| reply).await, Ok(1)));
}

/// Replies of two types, and two at once.
async fn calls(rounds: u64) {
    enum Request {
        Number(Reply<u64>),
        Text(Reply<&'static str>),
    }
    let server = process::spawn_subject(|own: Subject<Request>| async move {
        while let Ok(request) = own.receive_forever().await {
            match request {
                Request::Number(reply) => reply.send(1),
                Request::Text(reply) => reply.send("one"),
            }
        }
    });
    rounds!(rounds, {
        assert_eq!(server.call(LONG, Request::Number).await, Ok(1));
        assert_eq!(server.call(LONG, Request::Text).await, Ok("one"));
        let both = (server.call(LONG, Request::Text), server.call(LONG, Request::Text));
        assert_eq!(tokio::join!(both.0, both.1), (Ok("one"), Ok("one")));
    });
}

async fn call_from_outside(rounds: u64) {
    let echo = process::spawn_subject(echo);
    let outside = tokio::spawn(async move {
        rounds!(rounds, assert_eq!(echo.call(Duration::MAX, |reply| reply).await, Ok(1)));
    });
    outside.await.unwrap();
}

async fn bounded(rounds: u64) {
    let prepared =
        Spawn::new().unlinked().mailbox(Bound::new(4, WhenFull::Wait)).prepare(move |own| async move {
            rounds!(rounds, {
                own.send_wait(1_u64).await.unwrap();
                assert_eq!(own.receive_forever().await, Ok(1));
            });
        });
    let prepared = prepared.unwrap();
    let ended = prepared.ended();
    prepared.start();
    assert_eq!(ended.await, process::ExitReason::Normal);
}

async fn link(rounds: u64) {
    let peer = process::spawn_unlinked(pending::<()>());
    rounds!(rounds, {
        process::link(peer).unwrap();
        process::unlink(peer).unwrap();
        // The other acknowledges.
        yield_now().await;
    });
}

async fn monitor(rounds: u64) {
    let target = process::spawn_unlinked(pending::<()>());
    rounds!(rounds, {
        let monitor = process::monitor(target).unwrap();
        assert!(process::demonitor(monitor));
    });
}

async fn monitor_with_alias(rounds: u64) {
    let target = process::spawn_unlinked(pending::<()>());
    let node = Node::current();
    rounds!(rounds, {
        let monitor: Monitor = process::monitor_with_alias(target, MonitorAlias::ReplyDemonitor).unwrap();
        let alias = monitor.reference();
        node.signal(None, process::Dest::Alias(alias), process::Signal::Message(Box::new(1_u64)));
        let mut selector = Selector::new().select_alias(alias, |number: u64| number);
        assert_eq!(selector.receive_forever().await, Ok(1));
    });
}

async fn register(rounds: u64) {
    let (me, name) = (process::current().unwrap(), Name::<u64>::new("mine"));
    rounds!(rounds, {
        process::register(me, name).unwrap();
        process::unregister(name).unwrap();
    });
}

async fn timer_fires(rounds: u64) {
    with_own(move |own| async move {
        rounds!(rounds, {
            own.send_after(Duration::from_millis(1), 1);
            assert_eq!(own.receive_forever().await, Ok(1));
        });
    })
    .await;
}

async fn timer_cancelled(rounds: u64) {
    with_own(move |own| async move {
        rounds!(rounds, {
            let timer = own.send_after(LONG, 1);
            assert!(matches!(timer.cancel(), Cancelled::Cancelled { .. }));
        });
    })
    .await;
}

/// How many bytes this makes and keeps.
fn kept(make: impl FnOnce()) -> i64 {
    allocation_counter::measure(make).bytes_current
}

fn peers() -> Vec<Pid> {
    (0..MANY).map(|_| process::spawn_unlinked(pending::<()>())).collect()
}

/// On both sides.
async fn links() -> i64 {
    let peers = peers();
    kept(|| peers.iter().for_each(|peer| process::link(*peer).unwrap()))
}

/// On both sides.
async fn monitors() -> i64 {
    let peers = peers();
    kept(|| {
        for peer in &peers {
            process::monitor(*peer).unwrap();
        }
    })
}

async fn names() -> i64 {
    let named: Vec<_> = peers().into_iter().map(|peer| (peer, Name::<u64>::new("named"))).collect();
    kept(|| named.iter().for_each(|(peer, name)| process::register(*peer, *name).unwrap()))
}

async fn messages() -> i64 {
    let own = process::spawn_subject(|_: Subject<u64>| pending::<()>());
    kept(|| (0..MANY).for_each(|number| own.send(number as u64)))
}

async fn messages_to_another() -> i64 {
    let another = Subject::new().unwrap();
    kept(|| (0..MANY).for_each(|number| another.send(number)))
}

async fn timers() -> i64 {
    let own = Subject::new().unwrap();
    kept(|| (1..=MANY as u32).for_each(|number| drop(own.send_after(LONG * number, number))))
}
