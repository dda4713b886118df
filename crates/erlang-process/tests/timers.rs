//! Timers under the paused clock.

#![allow(clippy::unwrap_used)]

use std::{
    env,
    future::pending,
    process::Command,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use erlang_process::{
    self as process, Cancelled, ExitReason, MissedTicks, Name, Node, Pid, ReceiveError, Selector, Signal,
    Spawn, Subject, Timer, exit_after, exit_at,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, advance, sleep},
};

const SECOND: Duration = Duration::from_secs(1);

async fn in_a_process<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
    Node::new().run(body).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_when_it_is_due_and_not_before() {
    in_a_process(async {
        let subject = Subject::new().unwrap();
        let start = Instant::now();
        subject.send_after(3 * SECOND, "third");
        subject.send_after(SECOND, "first");
        subject.send_at(start + 2 * SECOND, "second");
        subject.send_at(start, "at once");
        for (message, due) in [("at once", 0), ("first", 1), ("second", 2), ("third", 3)] {
            assert_eq!(subject.receive_forever().await, Ok(message));
            assert_eq!(start.elapsed(), due * SECOND);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn timers_that_are_due_together_fire_in_the_order_they_were_set() {
    in_a_process(async {
        let subject = Subject::new().unwrap();
        for n in 0..1000 {
            subject.send_after(SECOND, n);
        }
        for n in 0..1000 {
            assert_eq!(subject.receive_forever().await, Ok(n));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_tells_what_remains_and_is_cancelled_by_anyone() {
    in_a_process(async {
        let subject = Subject::new().unwrap();
        let timer = subject.send_after(10 * SECOND, ());
        sleep(4 * SECOND).await;
        assert_eq!(timer.remaining(), Some(6 * SECOND));
        let by_another = timer.clone();
        let cancelled = process::run(async move { by_another.cancel() }).await.unwrap();
        assert_eq!(cancelled, Cancelled::Cancelled { remaining: 6 * SECOND });
        assert_eq!(timer.cancel(), Cancelled::TimerNotFound);
        assert_eq!(timer.remaining(), None);
        assert_eq!(subject.receive(100 * SECOND).await, Err(ReceiveError::Timeout));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clone_of_a_timer_is_the_same_timer() {
    in_a_process(async {
        let timer = Subject::new().unwrap().send_after(10 * SECOND, ());
        let clone = timer.clone();
        drop(timer);
        assert_eq!(clone.clone().cancel(), Cancelled::Cancelled { remaining: 10 * SECOND });
        assert_eq!(clone.remaining(), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_exit_at_an_instant_that_is_over_comes_at_once() {
    in_a_process(async {
        let start = Instant::now();
        sleep(SECOND).await;
        let (pid, down) = process::spawn_monitor(pending::<()>()).unwrap();
        exit_at(pid, start, ExitReason::Shutdown);
        assert_eq!(down.down().await.unwrap().reason, ExitReason::Shutdown);
        assert_eq!(start.elapsed(), SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_is_never_due_can_be_cancelled() {
    in_a_process(async {
        let timer = Subject::new().unwrap().send_after(Duration::MAX, ());
        assert!(matches!(timer.cancel(), Cancelled::Cancelled { .. }));
    })
    .await;
}

/// Drops its count with the message that holds it.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn timers_end_with_the_process_they_are_for_and_give_their_messages_back() {
    in_a_process(async {
        let dropped = Arc::new(AtomicU32::new(0));
        let receiver = process::spawn_subject(async |subject: Subject<Counted>| {
            let _kept = subject.receive_forever().await;
        });
        let timers: Vec<_> =
            (1..=100).map(|n| receiver.send_after(n * 1000 * SECOND, Counted(dropped.clone()))).collect();
        process::unlink(receiver.pid().unwrap()).unwrap();
        process::kill(receiver.pid().unwrap());
        process::join(receiver.pid().unwrap()).await;
        assert_eq!(dropped.load(Ordering::SeqCst), 100);
        assert!(timers.iter().all(|timer| timer.remaining().is_none()));
        assert!(timers.iter().all(|timer| timer.cancel() == Cancelled::TimerNotFound));
        receiver.send_after(SECOND, Counted(dropped.clone()));
        assert_eq!(dropped.load(Ordering::SeqCst), 101);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_for_a_name_reaches_whoever_holds_it_then() {
    in_a_process(async {
        let name = Name::<u8>::new("later");
        let timer = name.subject().send_after(SECOND, 7);
        let (told, heard) = tokio::sync::oneshot::channel();
        let body = async move {
            told.send(name.subject().receive_forever().await).is_ok().then_some(()).ok_or("not told")
        };
        sleep(SECOND / 2).await;
        Spawn::new().named(name).spawn(body).unwrap();
        assert_eq!(heard.await, Ok(Ok(7)));
        assert_eq!(timer.remaining(), None);
        // Nobody holds it now: the message is dropped, and whoever holds it next does not get it.
        let dropped = Arc::new(AtomicU32::new(0));
        let nobodys = Name::<Counted>::new("nobody's");
        nobodys.subject().send_after(SECOND, Counted(dropped.clone()));
        sleep(2 * SECOND).await;
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        process::register(process::current().unwrap(), nobodys).unwrap();
        assert!(matches!(nobodys.subject().receive(SECOND).await, Err(ReceiveError::Timeout)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_exit_comes_later_unless_it_is_cancelled() {
    in_a_process(async {
        let idle = || process::spawn_monitor(pending::<()>()).unwrap();
        let (shut, down) = idle();
        exit_after(shut, SECOND, ExitReason::Shutdown);
        let start = Instant::now();
        assert_eq!(down.down().await.unwrap().reason, ExitReason::Shutdown);
        assert_eq!(start.elapsed(), SECOND);

        let (spared, _) = idle();
        assert_eq!(
            exit_after(spared, SECOND, ExitReason::Kill).cancel(),
            Cancelled::Cancelled { remaining: SECOND }
        );
        sleep(2 * SECOND).await;
        assert!(process::is_alive(spared));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_exit_that_comes_later_is_not_the_callers_own() {
    in_a_process(async {
        let (_, alive) = process::spawn_monitor(async {
            exit_after(process::current().unwrap(), SECOND, ExitReason::Normal);
            sleep(2 * SECOND).await;
            Err::<(), _>("alive")
        })
        .unwrap();
        assert_eq!(alive.down().await.unwrap().reason, ExitReason::error("alive"));

        process::trap_exits(true).unwrap();
        exit_after(process::current().unwrap(), SECOND, ExitReason::Shutdown);
        let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await.unwrap();
        assert_eq!((exit.pid, exit.reason), (Pid::OUTSIDE, ExitReason::Shutdown));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_exit_for_the_dead_is_not_waited_for() {
    in_a_process(async {
        let dead = process::spawn(async {});
        process::join(dead).await;
        let timer = exit_after(dead, SECOND, ExitReason::Kill);
        assert_eq!((timer.remaining(), timer.cancel()), (None, Cancelled::TimerNotFound));
    })
    .await;
}

/// When ticks come whose receiver is busy for 3.5 periods after the first.
async fn ticks(missed: MissedTicks) -> Vec<Duration> {
    in_a_process(async move {
        let start = Instant::now();
        let subject = Subject::new().unwrap();
        let interval = subject.send_interval(2 * SECOND, missed, Instant::now);
        let mut ticks = Vec::new();
        for tick in 0..6 {
            ticks.push(subject.receive_forever().await.unwrap() - start);
            if tick == 0 {
                // The whole runtime is busy, the clock's task included.
                advance(7 * SECOND).await;
            }
        }
        assert!(matches!(interval.cancel(), Cancelled::Cancelled { .. }));
        assert_eq!(subject.receive(100 * SECOND).await, Err(ReceiveError::Timeout));
        ticks
    })
    .await
}

fn seconds(ticks: &[u64]) -> Vec<Duration> {
    ticks.iter().map(|tick| Duration::from_secs(*tick)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_interval_makes_up_for_missed_ticks() {
    assert_eq!(ticks(MissedTicks::Burst).await, seconds(&[2, 9, 9, 9, 10, 12]));
}

#[tokio::test(start_paused = true)]
async fn an_interval_delays_after_missed_ticks() {
    assert_eq!(ticks(MissedTicks::Delay).await, seconds(&[2, 9, 11, 13, 15, 17]));
}

#[tokio::test(start_paused = true)]
async fn an_interval_skips_missed_ticks() {
    assert_eq!(ticks(MissedTicks::Skip).await, seconds(&[2, 9, 10, 12, 14, 16]));
}

#[tokio::test(start_paused = true)]
async fn an_interval_that_is_cancelled_while_it_makes_up_for_ticks_makes_up_for_no_more() {
    in_a_process(async {
        let subject = Subject::new().unwrap();
        let interval = Arc::new(OnceLock::<Timer>::new());
        let cancelled = Arc::new(OnceLock::new());
        let tick = {
            let (interval, cancelled) = (interval.clone(), cancelled.clone());
            move || cancelled.set(interval.get().unwrap().cancel()).is_ok()
        };
        interval.set(subject.send_interval(SECOND, MissedTicks::Burst, tick)).unwrap();
        // The whole runtime is busy.
        advance(5 * SECOND).await;
        assert_eq!(subject.receive_forever().await, Ok(true));
        assert!(matches!(cancelled.get(), Some(Cancelled::Cancelled { .. })));
        assert_eq!(subject.receive(100 * SECOND).await, Err(ReceiveError::Timeout));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_interval_ends_with_its_receiver() {
    let ticked = Arc::new(AtomicU32::new(0));
    in_a_process({
        let ticked = ticked.clone();
        async move {
            let subject = Subject::new().unwrap();
            let count = move || {
                ticked.fetch_add(1, Ordering::SeqCst);
            };
            subject.send_interval(SECOND, MissedTicks::Burst, count);
            for _ in 0..3 {
                subject.receive_forever().await.unwrap();
            }
        }
    })
    .await;
    sleep(10 * SECOND).await;
    assert_eq!(ticked.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn an_interval_for_a_name_ends_with_the_process_that_held_it() {
    in_a_process(async {
        let name = Name::<()>::new("ticker");
        let ticked = Arc::new(AtomicU32::new(0));
        let interval = |ticked: &Arc<AtomicU32>| {
            let ticked = ticked.clone();
            name.subject().send_interval(SECOND, MissedTicks::Burst, move || {
                ticked.fetch_add(1, Ordering::SeqCst);
            })
        };
        // Nobody to end with.
        let nobodys = interval(&ticked);
        assert_eq!((nobodys.remaining(), nobodys.cancel()), (None, Cancelled::TimerNotFound));

        let holder = || Spawn::new().unlinked().named(name).spawn(pending::<()>()).unwrap();
        let first = holder();
        let firsts = interval(&ticked);
        sleep(3 * SECOND + SECOND / 2).await;
        process::kill(first);
        process::join(first).await;
        assert_eq!((firsts.remaining(), firsts.cancel()), (None, Cancelled::TimerNotFound));

        // Its successor gets no tick that it has not asked for.
        let second = holder();
        sleep(10 * SECOND).await;
        assert_eq!(ticked.load(Ordering::SeqCst), 3);
        let seconds = interval(&ticked);
        sleep(2 * SECOND + SECOND / 2).await;
        assert_eq!(ticked.load(Ordering::SeqCst), 5);
        assert!(matches!(seconds.cancel(), Cancelled::Cancelled { .. }));
        process::kill(second);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_million_timers_are_set_and_cancelled() {
    in_a_process(async {
        let subject = Subject::new().unwrap();
        let timers: Vec<_> =
            (0..1_000_000).map(|n| subject.send_after(SECOND + Duration::from_micros(n), n)).collect();
        assert!(timers[1..].iter().all(|timer| matches!(timer.cancel(), Cancelled::Cancelled { .. })));
        assert_eq!(subject.receive_forever().await, Ok(0));
        assert_eq!(subject.receive(10 * SECOND).await, Err(ReceiveError::Timeout));
    })
    .await;
}

#[test]
fn timers_of_a_runtime_that_is_gone_do_not_keep_others_from_being_set() {
    let node = Node::new();
    for _ in 0..3 {
        let node = node.clone();
        runtime().block_on(async move {
            node.run(async {
                let subject = Subject::new().unwrap();
                subject.send_after(100 * SECOND, 1);
                subject.send_after(SECOND, 2);
                assert_eq!(subject.receive_forever().await, Ok(2));
            })
            .await
            .unwrap();
        });
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[test]
fn a_timer_on_a_runtime_that_is_gone_is_not_pending() {
    let (kept, gone) = (runtime(), runtime());
    let receiver = kept.block_on(async {
        let process = Spawn::new().on(&Node::new()).prepare(|_: Subject<Counted>| pending::<()>()).unwrap();
        let subject = process.subject();
        process.start();
        subject
    });
    let dropped = Arc::new(AtomicU32::new(0));
    let handle = gone.handle().clone();
    drop(gone);
    let _inside = handle.enter();
    for number in 1..=3 {
        let timer = receiver.send_after(SECOND, Counted(dropped.clone()));
        assert_eq!((timer.remaining(), timer.cancel()), (None, Cancelled::TimerNotFound));
        assert_eq!(dropped.load(Ordering::SeqCst), number);
    }
}

#[test]
fn a_runtime_without_time_says_so_to_who_sets_a_timer() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let ended = runtime.block_on(Node::new().run(async {
        Subject::new().unwrap().send_after(SECOND, ());
    }));
    assert!(matches!(ended, Err(ExitReason::Panic(_))), "{ended:?}");
}

/// Does in a child process, which may abort, what this test is to do there.
fn in_a_program_of_its_own(test: &str, work: impl FnOnce()) {
    const HERE: &str = "ERLANG_PROCESS_TEST";
    if env::var_os(HERE).is_some() {
        return work();
    }
    let this = env::current_exe().unwrap();
    let ran = Command::new(this).args(["--exact", test, "--nocapture"]).env(HERE, "1").output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

#[test]
fn messages_that_panic_when_their_runtime_ends_end_nothing_else() {
    in_a_program_of_its_own("messages_that_panic_when_their_runtime_ends_end_nothing_else", || {
        let name = Name::<Bomb>::new("nobody");
        let dropped = Arc::new(AtomicU32::new(0));
        let counted = Name::<Counted>::new("nobody");
        let timers = async {
            for _ in 0..2 {
                name.subject().send_after(SECOND, Bomb);
                counted.subject().send_after(SECOND, Counted(dropped.clone()));
            }
        };
        // With its runtime, and with its node.
        let running = runtime();
        running.block_on(timers);
        drop(running);
        assert_eq!(dropped.load(Ordering::SeqCst), 2);

        let running = runtime();
        let node = Node::new();
        running.block_on(async {
            let timers = async move {
                for _ in 0..2 {
                    name.subject().send_after(SECOND, Bomb);
                }
            };
            node.run(timers).await.unwrap();
            drop(node);
            sleep(2 * SECOND).await;
        });
    });
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_cancelled_is_not_the_cancellers() {
    in_a_process(async {
        let bombs = Subject::new().unwrap();
        let timer = bombs.send_after(SECOND, Bomb);
        let cancelled = process::run(async move { timer.cancel() }).await;
        assert_eq!(cancelled, Ok(Cancelled::Cancelled { remaining: SECOND }));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_is_kept_when_the_turn_is_over() {
    in_a_process(async {
        let (sender, mut items) = tokio::sync::mpsc::unbounded_channel();
        for item in 0..1000 {
            sender.send(item).unwrap();
        }
        // tokio lets a task take so many before others run, and then its timers are not armed either.
        let all = async { while items.recv().await.is_some() {} };
        let start = Instant::now();
        assert!(process::timeout(SECOND, all).await.is_err());
        assert_eq!(start.elapsed(), SECOND);
        // The process's one timer serves the next as well.
        let never = Subject::<()>::new().unwrap();
        assert_eq!(never.receive(SECOND).await, Err(ReceiveError::Timeout));
        assert_eq!(start.elapsed(), 2 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn timers_of_two_nodes_have_nothing_to_do_with_each_other() {
    let (here, there) = (Node::new(), Node::new());
    let (kept, ended) = tokio::sync::oneshot::channel::<Subject<u8>>();
    let other = there.clone();
    let running = here.run(async move {
        let mine = Subject::new().unwrap();
        mine.send_after(2 * SECOND, 1);
        let theirs = ended.await.unwrap();
        // Both count their processes from the beginning: these two have the same number.
        assert_eq!(theirs.pid(), process::current());
        theirs.send_after(3 * SECOND, 2);
        other.signal(None, theirs.pid().unwrap(), Signal::Exit { reason: ExitReason::Kill, link: false });
        assert_eq!(mine.receive(10 * SECOND).await, Ok(1));
    });
    let _running = there.run(async move {
        kept.send(Subject::new().unwrap()).unwrap();
        pending::<()>().await;
    });
    let (running, _) = tokio::join!(running, async { drop(_running.await) });
    running.unwrap();
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn what_panics_in_a_timer_stops_no_other() {
    in_a_process(async {
        let (bombs, subject) = (Subject::<Bomb>::new().unwrap(), Subject::new().unwrap());
        // The panic's own payload panics as well.
        bombs.send_interval(SECOND, MissedTicks::Burst, || std::panic::panic_any(Bomb));
        subject.send_after(3 * SECOND, 3);
        assert_eq!(subject.receive(10 * SECOND).await, Ok(3));

        // Messages that never come are dropped with their timers, each by itself.
        let other = process::spawn_subject(|_: Subject<Bomb>| pending::<()>());
        process::unlink(other.pid().unwrap()).unwrap();
        other.send_after(SECOND, Bomb);
        other.send_after(SECOND, Bomb);
        process::kill(other.pid().unwrap());
        assert_eq!(process::join(other.pid().unwrap()).await, ExitReason::Killed);
        subject.send_after(SECOND, 4);
        assert_eq!(subject.receive(10 * SECOND).await, Ok(4));
    })
    .await;
}
