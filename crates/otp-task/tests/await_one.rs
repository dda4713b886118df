//! Awaiting one task: what its owner gets, in every way in which the task can end.

#![allow(clippy::unwrap_used)]

use std::{
    error::Error as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use erlang_process::{self as process, ExitMessage, ExitReason, Node, Pid, Selector, Signal, Spawn};
use otp_task::{self as task, AwaitError, Task, YieldOnTimeout};
use tokio::sync::oneshot;

const ROUNDS: usize = 1000;
const SECOND: Duration = Duration::from_secs(1);

/// The ways in which a task can end without a value.
#[derive(Clone, Copy, Debug)]
enum End {
    Panic,
    Error,
    Shutdown,
    Normal,
    Killed,
}

impl End {
    const ALL: [Self; 5] = [Self::Panic, Self::Error, Self::Shutdown, Self::Normal, Self::Killed];

    async fn run(self) -> u32 {
        match self {
            Self::Panic => panic!("out of paper"),
            Self::Error => process::exit(ExitReason::error("no such page")),
            Self::Shutdown => process::exit(ExitReason::Shutdown),
            Self::Normal => process::exit(ExitReason::Normal),
            Self::Killed => process::kill(process::current().unwrap()),
        }
        unreachable!()
    }

    fn is(self, reason: &ExitReason) -> bool {
        match (self, reason) {
            (Self::Panic, ExitReason::Panic(panic)) => panic.message() == "out of paper",
            (Self::Error, ExitReason::Error(error)) => error.to_string() == "no such page",
            (Self::Shutdown, ExitReason::Shutdown)
            | (Self::Normal, ExitReason::Normal)
            | (Self::Killed, ExitReason::Killed) => true,
            _ => false,
        }
    }
}

/// Everything that lies in the calling process's mailbox.
async fn mailbox() -> Vec<String> {
    let mut everything = Selector::new()
        .select_trapped_exits(|exit: ExitMessage| format!("exit {}", exit.reason))
        .select_other(|message| message.to_string());
    let mut found = Vec::new();
    while let Ok(message) = everything.receive(Duration::ZERO).await {
        found.push(message);
    }
    found
}

/// Runs as a process; its failed assertions fail the test.
async fn run<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
    process::capture_panics();
    process::run(body).await.unwrap_or_else(|reason| panic!("{reason}"))
}

/// Tells when it is dropped.
struct Told(Option<oneshot::Sender<()>>);

impl Told {
    fn new() -> (Self, oneshot::Receiver<()>) {
        let (sender, dropped) = oneshot::channel();
        (Self(Some(sender)), dropped)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.take().map(|sender| sender.send(()));
    }
}

#[tokio::test]
async fn the_value_is_brought_inside_and_outside_of_a_process() {
    assert_eq!(task::spawn(async { 42 }).await_timeout(SECOND).await, Ok(42));
    assert_eq!(task::spawn(async { 42 }).await_forever().await, Ok(42));
    run(async {
        assert_eq!(task::spawn(async { 42 }).await_timeout(SECOND).await, Ok(42));
        assert_eq!(task::spawn(async { 42 }).await_forever().await, Ok(42));
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_value_is_only_moved() {
    /// Neither `Clone`, nor `Debug`, nor `Sync`.
    struct Value(std::cell::Cell<u32>);

    let value = task::spawn(async { Value(std::cell::Cell::new(7)) });
    assert_eq!(value.await_timeout(SECOND).await.ok().map(|value| value.0.get()), Some(7));
}

#[tokio::test]
async fn an_error_is_a_value() {
    run(async {
        let failed = task::spawn(async { Err::<(), _>("no") });
        assert_eq!(failed.await_timeout(SECOND).await, Ok(Err("no")));
    })
    .await;
}

#[tokio::test]
async fn what_the_task_owned_is_dropped_before_its_value_is_there() {
    for _ in 0..ROUNDS {
        let (told, mut dropped) = Told::new();
        let value = task::spawn(async move {
            let _told = told;
            tokio::task::yield_now().await;
        });
        value.await_forever().await.unwrap();
        assert_eq!(dropped.try_recv(), Ok(()));
    }
}

#[tokio::test]
async fn a_trapping_owner_finds_the_normal_exit_of_the_link_and_nothing_else() {
    run(async {
        process::trap_exits(true).unwrap();
        let value = task::spawn(async { 42 });
        let pid = value.pid();
        assert_eq!(value.await_timeout(SECOND).await, Ok(42));
        process::join(pid).await;
        assert_eq!(mailbox().await, ["exit normal"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn task_02_await_timeout() {
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        run(async move {
            process::trap_exits(true).unwrap();
            let (told, dropped) = Told::new();
            let (open, gate) = oneshot::channel::<()>();
            let late = task::spawn(async move {
                gate.await.unwrap();
                told
            });
            let pid = late.pid();
            assert_eq!(late.await_timeout(timeout).await.err(), Some(AwaitError::Timeout));
            assert!(process::is_alive(pid));
            assert_eq!(mailbox().await, Vec::<String>::new());

            // The value comes late: it is dropped, and only the link's exit is seen.
            open.send(()).unwrap();
            dropped.await.unwrap();
            process::join(pid).await;
            assert_eq!(mailbox().await, ["exit normal"]);
        })
        .await;
    }
}

#[tokio::test]
async fn with_a_timeout_of_zero_a_value_that_is_there_is_taken() {
    let ready = task::spawn(async { 42 });
    assert_eq!(process::join(ready.pid()).await, ExitReason::Normal);
    assert_eq!(ready.await_timeout(Duration::ZERO).await, Ok(42));
}

#[tokio::test]
async fn with_a_timeout_of_zero_a_value_is_taken_by_one_who_has_had_its_turn() {
    run(async {
        let ready = task::spawn(async { 42 });
        process::join(ready.pid()).await;
        // Uses up what tokio lets a task do in one poll.
        let (sender, mut used_up) = tokio::sync::mpsc::unbounded_channel();
        (0..1000).for_each(|n| sender.send(n).unwrap());
        let mut taken = Box::pin(async move { while used_up.recv().await.is_some() {} });
        let first = std::future::poll_fn(|cx| {
            let turn_over = taken.as_mut().poll(cx).is_pending();
            let mut awaited = Box::pin(async { turn_over });
            awaited.as_mut().poll(cx)
        });
        let awaited = async {
            assert!(first.await, "the turn is not over");
            ready.await_timeout(Duration::ZERO).await
        };
        assert_eq!(awaited.await, Ok(42));
    })
    .await;
}

#[tokio::test]
async fn task_03_await_of_a_task_that_ended_by_a_trapping_owner() {
    for end in End::ALL {
        run(async move {
            process::trap_exits(true).unwrap();
            let error = task::spawn(end.run()).await_timeout(SECOND).await.unwrap_err();
            let AwaitError::Exited(reason) = &error else { panic!("{error}") };
            assert!(end.is(reason), "{end:?}: {reason:?}");
            assert_eq!(error.source().map(ToString::to_string), Some(reason.to_string()));
            assert_eq!(mailbox().await, [format!("exit {reason}")]);
        })
        .await;
    }
}

#[tokio::test]
async fn task_03_await_of_a_task_that_ended_from_outside_any_process() {
    process::capture_panics();
    for end in End::ALL {
        let error = task::spawn(end.run()).await_forever().await.unwrap_err();
        assert!(matches!(&error, AwaitError::Exited(reason) if end.is(reason)), "{end:?}: {error:?}");
    }
}

#[tokio::test]
async fn task_03_await_of_a_task_that_is_over() {
    process::capture_panics();
    for end in End::ALL {
        let over = task::spawn(end.run());
        process::join(over.pid()).await;
        let error = over.await_timeout(Duration::ZERO).await.unwrap_err();
        assert!(matches!(&error, AwaitError::Exited(reason) if end.is(reason)), "{end:?}: {error:?}");
    }
}

#[tokio::test]
async fn task_03_an_owner_that_does_not_trap_ends_with_its_task() {
    process::capture_panics();
    for end in [End::Panic, End::Error, End::Shutdown, End::Killed] {
        let owner = process::run(async move { task::spawn(end.run()).await_forever().await });
        let reason = owner.await.unwrap_err();
        assert!(end.is(&reason), "{end:?}: {reason:?}");
    }
}

/// The owner is being polled on one thread while its task fails on another: the await is ready, and the owner
/// must not get to see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn task_03_an_owner_that_does_not_trap_never_sees_the_error() {
    let survived = Arc::new(AtomicBool::new(false));
    for _ in 0..ROUNDS {
        let seen = survived.clone();
        let owner = process::run(async move {
            let me = process::current().unwrap();
            let mut failing = Box::pin(task::spawn(End::Shutdown.run()).await_forever());
            // What a worker spawned last runs nowhere else, and this one is about to be kept busy.
            drop(tokio::spawn(async {}));
            std::future::poll_fn(|cx| {
                while process::is_alive(me) {
                    std::thread::yield_now();
                }
                for _ in 0..100 {
                    if failing.as_mut().poll(cx).is_ready() {
                        seen.store(true, Ordering::Relaxed);
                        return Poll::Ready(());
                    }
                    std::thread::yield_now();
                }
                Poll::Pending
            })
            .await;
        });
        assert_eq!(owner.await, Err(ExitReason::Shutdown));
    }
    assert!(!survived.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_task_that_exits_normally_without_a_value_spares_its_owner() {
    run(async {
        let empty = task::spawn(End::Normal.run()).await_timeout(SECOND).await;
        assert_eq!(empty, Err(AwaitError::Exited(ExitReason::Normal)));
    })
    .await;
}

#[tokio::test]
async fn only_the_owner_can_await() {
    run(async {
        let mine = task::spawn(async { 42 });
        assert_eq!(mine.owner(), process::current());
        let (result, stolen) = oneshot::channel();
        process::spawn(async move { drop(result.send(mine.await_timeout(SECOND).await)) });
        assert_eq!(stolen.await, Ok(Err(AwaitError::NotOwner)));

        // A plain tokio task is not the process that spawned it.
        let mine = task::spawn(async { 42 });
        let stolen = tokio::spawn(mine.await_forever()).await.unwrap();
        assert_eq!(stolen, Err(AwaitError::NotOwner));
    })
    .await;
}

#[tokio::test]
async fn anyone_can_await_a_task_without_an_owner() {
    let free = task::spawn(async { 42 });
    assert_eq!(free.owner(), None);
    run(async move { assert_eq!(free.await_timeout(SECOND).await, Ok(42)) }).await;
}

#[tokio::test]
async fn a_task_outside_any_process_is_not_linked() {
    let node = process::Node::current();
    let free = task::spawn(std::future::pending::<()>());
    assert_eq!(node.info(free.pid()).unwrap().links, []);
    process::kill(free.pid());
    assert_eq!(free.await_forever().await, Err(AwaitError::Exited(ExitReason::Killed)));
}

#[tokio::test]
async fn a_task_is_linked_with_its_owner_and_spawned_by_it() {
    run(async {
        let mine = task::spawn(std::future::pending::<()>());
        let info = process::Node::current().info(mine.pid()).unwrap();
        let owner = process::current();
        assert_eq!((info.parent, info.links), (owner, owner.into_iter().collect()));
    })
    .await;
}

#[tokio::test]
async fn a_task_that_is_dropped_unawaited_goes_on() {
    run(async {
        let (told, dropped) = Told::new();
        let (open, gate) = oneshot::channel::<()>();
        let unawaited = task::spawn(async move {
            gate.await.unwrap();
            told
        });
        let pid = unawaited.pid();
        drop(unawaited);
        assert!(process::is_alive(pid));
        open.send(()).unwrap();
        assert_eq!(process::join(pid).await, ExitReason::Normal);
        dropped.await.unwrap();
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_value_that_nobody_awaits_is_dropped_with_the_task() {
    let (told, mut dropped) = Told::new();
    let unawaited = task::spawn(async move { told });
    process::join(unawaited.pid()).await;
    assert!(dropped.try_recv().is_err());
    drop(unawaited);
    assert_eq!(dropped.try_recv(), Ok(()));
}

/// An owner that spawns a task, tells its pid and ends with this reason.
async fn owner_ending_with(reason: ExitReason) -> Pid {
    let (tell, pid) = oneshot::channel();
    let owner = process::spawn(async move {
        let waiting: Task<()> = task::spawn(std::future::pending());
        tell.send(waiting.pid()).unwrap();
        reason
    });
    process::join(owner).await;
    pid.await.unwrap()
}

#[tokio::test]
async fn a_task_ends_with_an_owner_that_ends_badly() {
    let task = owner_ending_with(ExitReason::Shutdown).await;
    assert!(!process::is_alive(task));
}

#[tokio::test]
async fn a_task_survives_an_owner_that_ends_normally() {
    let task = owner_ending_with(ExitReason::Normal).await;
    assert!(process::is_alive(task));
    process::kill(task);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_await_drops_the_task_and_not_its_process() {
    run(async {
        let waiting = task::spawn(std::future::pending::<()>());
        let pid = waiting.pid();
        let given_up = process::timeout(SECOND, waiting.await_forever()).await;
        assert_eq!(given_up, Err(process::Elapsed));
        assert!(process::is_alive(pid));
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

#[test]
fn a_runtime_that_is_dropped_kills_its_tasks() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (dropped, own) = (runtime(), runtime());
    let waiting = dropped.block_on(async { task::spawn(std::future::pending::<()>()) });
    drop(dropped);
    let error = own.block_on(waiting.await_forever());
    assert_eq!(error, Err(AwaitError::Exited(ExitReason::Killed)));
}

#[test]
fn tasks_and_their_awaits_can_be_sent() {
    fn send<T: Send>(_: &T) {}
    fn shared<T: Sync + Unpin>(_: &T) {}

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let task = task::spawn(async { std::cell::Cell::new(1) });
        send(&task);
        shared(&task);
        send(&task.await_timeout(SECOND));
        send(&task::spawn(async { std::cell::Cell::new(1) }).await_forever());
        send(&task::await_all([task::spawn(async {})], SECOND));
    });
}

#[test]
fn errors_say_one_fact() {
    let said = [AwaitError::Timeout, AwaitError::Exited(ExitReason::Killed), AwaitError::NotOwner];
    assert_eq!(
        said.map(|error| error.to_string()),
        [
            "the task was not done in time",
            "the task ended without a value: killed",
            "only the process that spawned a task can await it"
        ]
    );
}

#[tokio::test]
async fn blocking_work_that_is_not_linked_fails_alone() {
    process::capture_panics();
    let owner = process::run(async {
        let jammed = task::spawn_blocking_unlinked(|| -> u32 { panic!("jammed") });
        let outcome = jammed.await_forever().await;
        let linked = process::Node::current().info(process::current().unwrap()).unwrap().links;
        (outcome, linked, task::spawn_blocking_unlinked(|| 7).await_forever().await)
    });
    let (jammed, linked, seven) = owner.await.unwrap();
    assert!(matches!(jammed, Err(AwaitError::Exited(ExitReason::Panic(_)))), "{jammed:?}");
    assert_eq!((linked, seven), (vec![], Ok(7)));
}

/// A process of that node that has this pid there, as a process of another node has.
fn twin(node: &Node, pid: Pid) -> Pid {
    loop {
        let twin = Spawn::new().on(node).unlinked().spawn(std::future::pending::<()>()).unwrap();
        if twin == pid {
            return twin;
        }
        node.signal(None, twin, Signal::Exit { reason: ExitReason::Kill, link: false });
    }
}

#[tokio::test]
async fn a_task_of_another_node_is_stopped_there_and_nobody_else_is() {
    type Stopping = Pin<Box<dyn Future<Output = Option<Result<(), AwaitError>>> + Send>>;
    type Stop = fn(Task<()>) -> Stopping;
    let stops: [Stop; 3] = [
        |task| Box::pin(task.brutal_kill()),
        |task| Box::pin(task.shutdown(Duration::MAX)),
        |task| {
            Box::pin(async move {
                let kill = YieldOnTimeout::Kill;
                let mut tasks = [task];
                let outcomes = task::yield_many(&mut tasks, Duration::ZERO).on_timeout(kill).outcomes().await;
                outcomes.into_iter().next().unwrap()
            })
        },
    ];
    for stop in stops {
        let task = task::spawn(std::future::pending::<()>());
        let (node, pid) = (Node::new(), task.pid());
        let twin = twin(&node, pid);
        let running = node.run(async move {
            process::trap_exits(true).unwrap();
            process::link(twin).unwrap();
            assert_eq!(stop(task).await, None);
            assert!(process::is_alive(twin));
            // The link is its own, too.
            process::kill(twin);
            let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await.unwrap();
            assert_eq!(exit, ExitMessage { pid: twin, reason: ExitReason::Killed });
        });
        running.await.unwrap();
        assert!(!process::is_alive(pid));
    }
}

#[tokio::test]
async fn a_process_of_another_node_with_the_pid_of_the_owner_is_not_the_owner() {
    let (give, given) = oneshot::channel();
    let owner = process::spawn(async move {
        drop(give.send(task::spawn(async { 42 })));
        std::future::pending::<()>().await;
    });
    let task: Task<u32> = given.await.unwrap();
    let node = Node::new();
    let outcome = loop {
        let (hand_over, handed_over) = oneshot::channel::<Task<u32>>();
        let (tell, told) = oneshot::channel();
        let twin = Spawn::new().on(&node).unlinked().spawn(async move {
            if let Ok(task) = handed_over.await {
                drop(tell.send(task.await_forever().await));
            }
        });
        if twin == Ok(owner) {
            hand_over.send(task).unwrap();
            break told.await.unwrap();
        }
    };
    assert_eq!(outcome, Err(AwaitError::NotOwner));
    process::kill(owner);
}
