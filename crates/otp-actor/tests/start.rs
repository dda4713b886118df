//! Starting: what a start that succeeds gives, and that of one that fails nothing is left.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{PATIENCE, ROUNDS, Told, assert_nothing_is_left, end_of, mailbox, run, trapped};
use erlang_process::{
    self as process, Bound, ExitReason, LifeEvent, Name, Node, Pid, Reply, Selector, SendError, Spawn,
    Subject, WhenFull,
};
use otp_actor::{self as actor, InitAck, Initialised, Next, StartError, Started};
use tokio::sync::{mpsc, oneshot};

/// The ways in which a start fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Error,
    Panic,
    ExitsShutdown,
    ExitsNormal,
    KillsItself,
    TakesTooLong,
}

impl Failure {
    const ALL: [Self; 6] = [
        Self::Error,
        Self::Panic,
        Self::ExitsShutdown,
        Self::ExitsNormal,
        Self::KillsItself,
        Self::TakesTooLong,
    ];

    async fn initialise(self) -> Result<Initialised<(), (), ()>, &'static str> {
        match self {
            Self::Error => return Err("out of paper"),
            Self::Panic => panic!("out of ink"),
            Self::ExitsShutdown => process::exit(ExitReason::Shutdown),
            Self::ExitsNormal => process::exit(ExitReason::Normal),
            Self::KillsItself => process::kill(process::current().unwrap()),
            Self::TakesTooLong => pending().await,
        }
        unreachable!()
    }

    fn is(self, error: &StartError) -> bool {
        match (self, error) {
            (Self::Error, StartError::InitFailed(error)) => error.to_string() == "out of paper",
            (Self::Panic, StartError::InitExited(ExitReason::Panic(panic))) => {
                panic.message() == "out of ink"
            }
            (Self::ExitsShutdown, StartError::InitExited(ExitReason::Shutdown))
            | (Self::ExitsNormal, StartError::InitExited(ExitReason::Normal))
            | (Self::KillsItself, StartError::InitExited(ExitReason::Killed))
            | (Self::TakesTooLong, StartError::InitTimeout) => true,
            _ => false,
        }
    }

    /// Starts an actor that fails so. The name is held and the process is there while it initialises.
    async fn start(self, timeout: Duration, name: Name<()>) -> (StartError, Option<Pid>) {
        let (tell, mut pid) = oneshot::channel();
        let started = actor::with_initialiser(timeout, async move |_: Subject<()>| {
            assert_eq!(process::whereis(name), process::current());
            tell.send(process::current().unwrap()).unwrap();
            self.initialise().await
        });
        let error = started.on_message(|(): &mut (), ()| {}).named(name).start().await.unwrap_err();
        (error, pid.try_recv().ok())
    }
}

#[tokio::test]
async fn glm_01_start_gives_the_pid_and_the_data() {
    run(async {
        let Started { pid, data } = actor::new(1).on_message(|_: &mut i32, ()| {}).start().await.unwrap();
        assert_eq!(data.pid(), Some(pid));
        assert!(process::is_alive(pid));

        let started = actor::with_initialiser(PATIENCE, async |_: Subject<()>| {
            Ok::<_, &str>(Initialised::new(1).returning("data"))
        });
        let started = started.on_message(|_: &mut i32, ()| {}).start().await.unwrap();
        assert_eq!(started.data, "data");
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn gs_01_start_links_with_a_calling_process_and_is_its_child() {
    run(async {
        let me = process::current().unwrap();
        let started = actor::new(()).on_message(|(): &mut (), ()| {}).start().await.unwrap();
        let info = Node::current().info(started.pid).unwrap();
        assert_eq!((info.parent, info.links), (Some(me), vec![me]));
    })
    .await;
}

#[tokio::test]
async fn gs_01_start_outside_any_process_links_with_nobody() {
    let started = actor::new(()).on_message(|(): &mut (), ()| {}).start().await.unwrap();
    let info = Node::global().info(started.pid).unwrap();
    assert_eq!((info.parent, info.links), (None, vec![]));
    process::kill(started.pid);
}

#[tokio::test]
async fn pl_01_a_process_of_ones_own_acknowledges_its_start() {
    run(async {
        process::trap_exits(true).unwrap();
        let body = |numbers: Subject<u32>, ack: InitAck<&'static str>| async move {
            ack.ready("ready")?;
            assert_eq!(numbers.receive_forever().await, Ok(7));
            Ok::<_, ExitReason>(())
        };
        let started = actor::start_process(Spawn::new(), PATIENCE, body).await.unwrap();
        assert_eq!(started.data, "ready");
        assert!(process::is_alive(started.pid));
        let end = end_of(started.pid);
        process::send_exit(started.pid, ExitReason::Shutdown);
        assert_eq!(end.await, ExitReason::Shutdown);
    })
    .await;
}

/// Each failure, each caller: no process, no name, no exit, no down, no link.
#[tokio::test(start_paused = true)]
async fn pl_04_of_a_failed_start_nothing_is_left() {
    for failure in Failure::ALL {
        for trapping in [false, true] {
            run(async move {
                process::trap_exits(trapping).unwrap();
                let name = Name::new("failing");
                let (error, pid) = failure.start(PATIENCE, name).await;
                assert!(failure.is(&error), "{failure:?}: {error:?}");
                assert!(!process::is_alive(pid.unwrap()));
                assert_nothing_is_left().await;
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pl_04_of_a_failed_start_outside_any_process_nothing_is_left() {
    process::capture_panics();
    for failure in Failure::ALL {
        let name = Name::new("failing");
        let (error, pid) = failure.start(PATIENCE, name).await;
        assert!(failure.is(&error), "{failure:?}: {error:?}");
        assert!(!process::is_alive(pid.unwrap()));
        assert_eq!(process::whereis(name), None);
    }
}

/// A child that traps exits is killed all the same, and one that has linked itself does not take its starter
/// with it.
#[tokio::test(start_paused = true)]
async fn pl_07_a_start_that_takes_too_long_does_not_hit_its_caller() {
    for trapping in [false, true] {
        run(async move {
            process::trap_exits(trapping).unwrap();
            let parent = process::current().unwrap();
            let stuck = actor::with_initialiser(Duration::from_millis(20), async move |_: Subject<()>| {
                process::trap_exits(true)?;
                process::link(parent)?;
                pending::<Result<Initialised<(), (), ()>, anyhow::Error>>().await
            });
            let error = stuck.on_message(|(): &mut (), ()| {}).start().await.unwrap_err();
            assert!(matches!(error, StartError::InitTimeout), "{error:?}");
            assert_nothing_is_left().await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn gs_27_the_init_timeout_is_the_one_that_was_said() {
    run(async {
        let start = tokio::time::Instant::now();
        let (error, _) = Failure::TakesTooLong.start(Duration::from_millis(20), Name::new("slow")).await;
        assert!(matches!(error, StartError::InitTimeout), "{error:?}");
        assert_eq!(start.elapsed(), Duration::from_millis(20));
    })
    .await;
}

/// Erlang's `init_dont_hang`, and more: also not when the process goes on.
#[tokio::test(start_paused = true)]
async fn pl_06_a_process_that_does_not_acknowledge_does_not_hang_its_starter() {
    #[derive(Clone, Copy)]
    enum Body {
        Forgets,
        ForgetsAndGoesOn,
        FailsAndGoesOn,
    }

    for body in [Body::Forgets, Body::ForgetsAndGoesOn, Body::FailsAndGoesOn] {
        run(async move {
            let process = |_: Subject<()>, ack: InitAck<()>| async move {
                match body {
                    Body::Forgets => return drop(ack),
                    Body::ForgetsAndGoesOn => drop(ack),
                    Body::FailsAndGoesOn => ack.failed("failed"),
                }
                pending().await
            };
            let error = actor::start_process(Spawn::new(), PATIENCE, process).await.unwrap_err();
            match body {
                Body::Forgets => {
                    assert!(matches!(error, StartError::InitExited(ExitReason::Normal)), "{error:?}");
                }
                _ => assert!(matches!(error, StartError::InitTimeout), "{error:?}"),
            }
            assert_nothing_is_left().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gs_21_the_name_of_a_failed_start_is_free_when_it_returns() {
    let failures = [Failure::Error, Failure::Panic, Failure::ExitsShutdown, Failure::KillsItself];
    run(async move {
        let name = Name::new("again");
        for _ in 0..ROUNDS {
            for failure in failures {
                let (error, _) = failure.start(PATIENCE, name).await;
                assert!(failure.is(&error), "{failure:?}: {error:?}");
            }
        }
        assert_nothing_is_left().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gs_21_the_name_of_a_start_that_took_too_long_is_free_when_it_returns() {
    run(async move {
        let name = Name::new("again");
        for _ in 0..ROUNDS {
            let (error, _) = Failure::TakesTooLong.start(Duration::ZERO, name).await;
            assert!(matches!(error, StartError::InitTimeout), "{error:?}");
        }
        assert_nothing_is_left().await;
    })
    .await;
}

/// A resource of which there is one.
struct Port(Arc<AtomicBool>);

impl Port {
    fn open(free: &Arc<AtomicBool>) -> Self {
        assert!(free.swap(false, Ordering::AcqRel), "the port is in use");
        Self(free.clone())
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gs_28_what_a_failed_start_owned_is_free_when_it_returns() {
    run(async {
        let free = Arc::new(AtomicBool::new(true));
        for _ in 0..ROUNDS {
            for failure in [Failure::Error, Failure::ExitsShutdown, Failure::TakesTooLong] {
                let port = free.clone();
                let timeout =
                    if matches!(failure, Failure::TakesTooLong) { Duration::ZERO } else { PATIENCE };
                let failing = actor::with_initialiser(timeout, async move |_: Subject<()>| {
                    let _port = Port::open(&port);
                    failure.initialise().await
                });
                failing.on_message(|(): &mut (), ()| {}).start().await.unwrap_err();
                assert!(free.load(Ordering::Acquire));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn gs_23_a_process_whose_initialiser_fails_ends_normally() {
    run(async {
        let (tell, told) = oneshot::channel();
        let (open, gate) = oneshot::channel::<()>();
        let watcher = tokio::spawn({
            let node = Node::current();
            async move {
                let end = node.run(async move {
                    let end = end_of(told.await.unwrap());
                    open.send(()).unwrap();
                    end.await
                });
                end.await.unwrap()
            }
        });
        let failing = actor::with_initialiser(PATIENCE, async move |_: Subject<()>| {
            tell.send(process::current().unwrap()).unwrap();
            gate.await.unwrap();
            Err::<Initialised<(), (), ()>, _>("failed")
        });
        failing.on_message(|(): &mut (), ()| {}).start().await.unwrap_err();
        assert_eq!(watcher.await.unwrap(), ExitReason::Normal);
    })
    .await;
}

#[tokio::test]
async fn a_process_that_chooses_not_to_run_ends_normally() {
    run(async {
        let lives = Subject::new().unwrap();
        let _watching = Node::current().life_events(&lives).unwrap();
        let ignoring = actor::with_initialiser(PATIENCE, async |_: Subject<()>| {
            Ok::<Initialised<(), (), ()>, &str>(Initialised::ignore())
        });
        let error = ignoring.on_message(|(): &mut (), ()| {}).start().await.unwrap_err();
        assert!(matches!(error, StartError::Ignored), "{error}");
        let mut ends = Selector::new().select(&lives, |event| match event {
            LifeEvent::Exited { reason, .. } => Some(reason),
            _ => None,
        });
        assert_eq!(ends.receive(PATIENCE).await, Ok(None), "it was spawned");
        assert_eq!(ends.receive(PATIENCE).await, Ok(Some(ExitReason::Normal)));
    })
    .await;
}

#[tokio::test]
async fn gs_29_a_name_that_is_taken_gives_its_holder() {
    for trapping in [false, true] {
        run(async move {
            process::trap_exits(trapping).unwrap();
            let name = Name::new("taken");
            let first = actor::new(()).on_message(|(): &mut (), ()| {}).named(name).start().await.unwrap();
            let second = actor::new(()).on_message(|(): &mut (), ()| {}).named(name).start().await;
            assert!(matches!(second, Err(StartError::AlreadyStarted(pid)) if pid == first.pid));
            assert_eq!(Node::current().processes(), [process::current().unwrap(), first.pid]);
            assert_eq!(process::whereis(name), Some(first.pid));
            assert_eq!(mailbox().await, Vec::<String>::new());
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gs_29_of_two_that_start_with_one_name_one_wins() {
    let node = Node::new();
    let both_lost = AtomicUsize::new(0);
    for _ in 0..ROUNDS {
        let name = Name::new("contended");
        let contender = || {
            let node = node.clone();
            tokio::spawn(async move {
                let start = async move {
                    let actor = actor::new(()).on_message(|(): &mut (), ()| {}).named(name);
                    let started = actor.start().await;
                    // The parent of an actor goes normally; the actor stays.
                    started.map(|started| started.pid)
                };
                node.run(start).await.unwrap()
            })
        };
        let (one, other) = (contender(), contender());
        match (one.await.unwrap(), other.await.unwrap()) {
            (Ok(pid), Err(StartError::AlreadyStarted(holder)))
            | (Err(StartError::AlreadyStarted(holder)), Ok(pid)) => {
                assert_eq!(pid, holder);
                node.signal(None, pid, process::Signal::Exit { reason: ExitReason::Kill, link: false });
            }
            (Err(_), Err(_)) => {
                both_lost.fetch_add(1, Ordering::Relaxed);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(both_lost.into_inner(), 0);
}

#[tokio::test]
async fn a_start_that_is_dropped_half_way_kills_the_child() {
    for trapping in [false, true] {
        run(async move {
            process::trap_exits(trapping).unwrap();
            let (told, dropped) = Told::new();
            let (tell, child) = oneshot::channel();
            let name = Name::new("half");
            let stuck = actor::with_initialiser(PATIENCE, async move |_: Subject<()>| {
                let _told = told;
                tell.send(process::current().unwrap()).unwrap();
                pending::<Result<Initialised<(), (), ()>, &str>>().await
            });
            let mut starting = Box::pin(stuck.on_message(|(): &mut (), ()| {}).named(name).start());
            let end = tokio::select! {
                _ = &mut starting => unreachable!(),
                child = child => end_of(child.unwrap()),
            };
            assert!(process::whereis(name).is_some());
            drop(starting);
            assert_eq!(process::whereis(name), None);
            assert_eq!(end.await, ExitReason::Killed);
            dropped.await.unwrap();
            assert_nothing_is_left().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_start_outside_any_process_that_is_dropped_half_way_kills_the_child() {
    let (told, dropped) = Told::new();
    let (tell, child) = oneshot::channel();
    let stuck = actor::with_initialiser(PATIENCE, async move |_: Subject<()>| {
        let _told = told;
        tell.send(process::current().unwrap()).unwrap();
        pending::<Result<Initialised<(), (), ()>, &str>>().await
    });
    let starting = stuck.on_message(|(): &mut (), ()| {}).start();
    let child = tokio::select! {
        _ = starting => unreachable!(),
        child = child => child.unwrap(),
    };
    assert!(!process::is_alive(child));
    dropped.await.unwrap();
}

/// The start is dropped at every stage: either it returned, or nothing is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_dropped_at_any_time_leaves_an_actor_or_nothing() {
    run(async {
        process::trap_exits(true).unwrap();
        let name = Name::new("maybe");
        let (mut started, mut dropped) = (0, 0);
        for round in 0..ROUNDS {
            let (tell, mut child) = mpsc::unbounded_channel();
            let maybe = actor::with_initialiser(PATIENCE, async move |_: Subject<()>| {
                tell.send(process::current().unwrap()).unwrap();
                Ok::<_, &str>(Initialised::new(()))
            });
            let start = maybe.on_message(|(): &mut (), ()| {}).named(name).start();
            let patience = async {
                for _ in 0..round % 8 {
                    tokio::task::yield_now().await;
                }
            };
            let outcome = tokio::select! {
                biased;
                outcome = start => Some(outcome.unwrap()),
                () = patience => None,
            };
            match outcome {
                Some(actor) => {
                    started += 1;
                    let end = end_of(actor.pid);
                    process::send_exit(actor.pid, ExitReason::Shutdown);
                    assert_eq!(end.await, ExitReason::Shutdown);
                    assert_eq!(mailbox().await, ["exit shutdown"]);
                }
                None => {
                    dropped += 1;
                    // Whether it came as far as to tell its pid or not, it goes.
                    while let Some(pid) = child.recv().await {
                        end_of(pid).await;
                    }
                }
            }
            assert_nothing_is_left().await;
        }
        assert!(started > 0 && dropped > 0, "{started} {dropped}");
    })
    .await;
}

/// The time is over in the moment in which the actor becomes ready, and crashes: either it has started, and its
/// exit comes, or it has not, and none does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_whose_time_is_over_while_it_becomes_ready_has_one_outcome() {
    const MILLISECOND: Duration = Duration::from_millis(1);
    run(async {
        process::trap_exits(true).unwrap();
        let (mut started, mut late) = (0, 0);
        for round in 0..ROUNDS {
            let (tell, pid) = oneshot::channel();
            let close = actor::with_initialiser(MILLISECOND, async move |own: Subject<()>| {
                tell.send(process::current().unwrap()).unwrap();
                // The middle one of three is the race.
                tokio::time::sleep(MILLISECOND * (round as u32 % 3)).await;
                own.send(());
                Ok::<_, &str>(Initialised::new(()))
            });
            let crash = |(): &mut (), ()| Next::stop_abnormal("crash");
            match close.on_message(crash).start().await {
                Ok(actor) => {
                    started += 1;
                    let exit = trapped().await;
                    assert_eq!((exit.pid, exit.reason), (actor.pid, ExitReason::error("crash")));
                }
                Err(StartError::InitTimeout) => {
                    late += 1;
                    // It may have been killed before it ran at all.
                    assert!(!pid.await.is_ok_and(process::is_alive));
                }
                Err(error) => panic!("{error}"),
            }
            assert_nothing_is_left().await;
        }
        assert!(started > 0 && late > 0, "{started} {late}");
    })
    .await;
}

#[tokio::test]
async fn a_child_does_not_outlive_a_starter_that_is_killed_meanwhile() {
    run(async {
        let (told, dropped) = Told::new();
        let (tell, child) = oneshot::channel();
        let starter = process::spawn_unlinked(async move {
            let stuck = actor::with_initialiser(PATIENCE, async move |_: Subject<()>| {
                let _told = told;
                tell.send(process::current().unwrap()).unwrap();
                pending::<Result<Initialised<(), (), ()>, &str>>().await
            });
            stuck.on_message(|(): &mut (), ()| {}).start().await.map(drop)
        });
        let child = child.await.unwrap();
        let (starter_end, child_end) = (end_of(starter), end_of(child));
        process::kill(starter);
        assert_eq!(starter_end.await, ExitReason::Killed);
        assert_eq!(child_end.await, ExitReason::Killed);
        dropped.await.unwrap();
        assert_nothing_is_left().await;
    })
    .await;
}

#[tokio::test]
async fn messages_that_the_initialiser_sends_to_itself_are_handled_first() {
    enum Message {
        Add(u32),
        Get(Reply<Vec<u32>>),
    }

    run(async {
        let actor = actor::with_initialiser(PATIENCE, async |own: Subject<Message>| {
            own.send(Message::Add(1));
            Ok::<_, &str>(Initialised::new(Vec::<u32>::new()).returning(own))
        });
        let handle = |seen: &mut Vec<u32>, message| match message {
            Message::Add(number) => seen.push(number),
            Message::Get(reply) => reply.send(seen.clone()),
        };
        let actor = actor.on_message(handle).start().await.unwrap();
        actor.data.send(Message::Add(2));
        assert_eq!(actor.data.call(PATIENCE, Message::Get).await.unwrap(), [1, 2]);
    })
    .await;
}

/// The compiler cannot follow a lifetime, `'static` included, through futures that do not say that they can be
/// sent: that of a start does.
#[tokio::test]
async fn an_actor_of_static_texts_can_be_started_by_a_process() {
    enum Message {
        Push(&'static str),
        Pop(Reply<Option<&'static str>>),
    }

    run(async {
        let handle = |stack: &mut Vec<&'static str>, message| match message {
            Message::Push(text) => stack.push(text),
            Message::Pop(reply) => reply.send(stack.pop()),
        };
        let stack = actor::new(Vec::new()).on_message(handle).start().await.unwrap().data;
        stack.send(Message::Push("Joe"));
        stack.send(Message::Push("Mike"));
        assert_eq!(stack.call(PATIENCE, Message::Pop).await, Ok(Some("Mike")));

        let stack = actor::with_initialiser(PATIENCE, async |own: Subject<Message>| {
            Ok::<_, &'static str>(Initialised::new(vec!["Robert"]).returning((own, "data")))
        });
        let (stack, _) = stack.on_message(handle).start().await.unwrap().data;
        assert_eq!(stack.call(PATIENCE, Message::Pop).await, Ok(Some("Robert")));
    })
    .await;
}

#[tokio::test]
async fn a_named_actor_is_reached_by_its_name_across_restarts() {
    fn handle(count: &mut u32, reply: Reply<u32>) -> Next {
        *count += 1;
        reply.send(*count);
        Next::stop()
    }

    run(async {
        let name = Name::new("counter");
        for _ in 0..3 {
            let counter = actor::new(0).on_message(handle).named(name).start().await.unwrap();
            assert_eq!(counter.data.name(), Some(name.registered_name()));
            assert_eq!(process::whereis(name), Some(counter.pid));
            let end = end_of(counter.pid);
            assert_eq!(name.subject().call(PATIENCE, |reply| reply).await, Ok(1));
            assert_eq!(end.await, ExitReason::Normal);
        }
    })
    .await;
}

#[test]
fn start_errors_say_one_fact_and_keep_their_source() {
    use std::error::Error;

    let failed = StartError::failed("no paper");
    assert_eq!(failed.to_string(), "the initialiser failed: no paper");
    assert_eq!(failed.source().map(ToString::to_string).as_deref(), Some("no paper"));
    let exited = StartError::InitExited(ExitReason::Shutdown);
    assert_eq!(exited.to_string(), "the process ended while it started: shutdown");
    assert_eq!(exited.source().map(ToString::to_string).as_deref(), Some("shutdown"));
    assert!(StartError::InitTimeout.source().is_none());
}

#[test]
fn start_errors_say_what_has_caused_them_where_that_is_asked_for() {
    let parsed = "seven".parse::<u8>().map_err(|error| ExitReason::error(Unreadable(error)));
    let exited = StartError::InitExited(parsed.unwrap_err());
    assert_eq!(exited.to_string(), "the process ended while it started: no number");
    let all = "the process ended while it started: no number: invalid digit found in string";
    assert_eq!(format!("{exited:#}"), all);
    let parsed = "seven".parse::<u8>().map_err(|error| StartError::failed(Unreadable(error)));
    let all = "the initialiser failed: no number: invalid digit found in string";
    assert_eq!(format!("{:#}", parsed.unwrap_err()), all);
}

#[derive(Debug)]
struct Unreadable(std::num::ParseIntError);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no number")
    }
}

impl std::error::Error for Unreadable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_does_not_start_is_not_debugged() {
    let path = std::env::temp_dir().join(format!("otp-actor-start-{}.log", std::process::id()));
    let log = || otp_system::DebugOptions::new().log_to_file(&path);
    let start = |starts: bool| {
        let init = async move |_: Subject<()>| match starts {
            true => Ok(Initialised::new(())),
            false => Err("no"),
        };
        let handle = |(): &mut (), ()| Next::Continue;
        actor::with_initialiser(Duration::from_secs(1), init).on_message(handle).debug(log()).start_unlinked()
    };
    start(false).await.unwrap_err();
    assert!(!path.exists());
    let started = start(true).await.unwrap();
    assert!(path.exists());
    process::kill(started.pid);
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn the_process_of_an_actor_has_the_label_and_the_mailbox_that_its_builder_says() {
    run(async {
        let builder = actor::new(()).on_message(|_: &mut (), _: u32| Next::Continue);
        let builder = builder.label("order 4711").mailbox(Bound::new(1, WhenFull::Refuse));
        for actor in [builder.clone().start().await, builder.start_unlinked().await].map(Result::unwrap) {
            let info = Node::current().info(actor.pid).unwrap();
            assert_eq!(info.label.as_deref(), Some("order 4711"));
            assert_eq!(actor.data.try_send(1), Ok(()));
            assert_eq!(actor.data.try_send(2), Err(SendError::Full(2)));
        }
    })
    .await;
}

#[test]
fn errors_of_a_start_can_be_compared() {
    let error = || StartError::failed("no");
    assert_eq!(error(), error());
    assert_ne!(error(), StartError::failed("yes"));
    assert_ne!(error(), StartError::InitExited(ExitReason::error("no")));
    assert_eq!(
        StartError::InitExited(ExitReason::error("no")),
        StartError::InitExited(ExitReason::error("no"))
    );
    assert_ne!(StartError::AlreadyStarted(Pid::OUTSIDE), StartError::Unresponsive(Pid::OUTSIDE));
    assert_eq!(StartError::AlreadyStarted(Pid::OUTSIDE), StartError::AlreadyStarted(Pid::OUTSIDE));
    assert_ne!(StartError::InitTimeout, StartError::Ignored);
}
