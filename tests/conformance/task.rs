//! TASK: awaiting, yielding, stopping.

use std::{
    convert::Infallible,
    future::pending,
    io::{self, Write},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Node, Pid, Reply, Selector, Subject};
use otp_supervisor::Restart;
use otp_task::{self as task, AwaitAllError, AwaitError, Task, YieldOnTimeout};
use tokio::{sync::oneshot, time::Instant};

use crate::support::{Drops, LONG, alone, boom, end_of, trapped, trapped_now, unread, until};

const MS: Duration = Duration::from_millis(1);

fn exited<T>(reason: ExitReason) -> Result<T, AwaitError> {
    Err(AwaitError::Exited(reason))
}

/// A task that brings this when its gate is opened.
fn gated<T: Send + 'static>(value: T) -> (oneshot::Sender<()>, Task<T>) {
    let (open, gate) = oneshot::channel::<()>();
    let task = task::spawn_unlinked(async move {
        let _ = gate.await;
        value
    });
    (open, task)
}

fn asleep() -> Task<u32> {
    task::spawn(pending())
}

#[tokio::test(start_paused = true)]
async fn task_02_await_timeout() {
    for timeout in [Duration::ZERO, 20 * MS] {
        alone(async move {
            process::trap_exits(true).unwrap();
            let drops = Drops::default();
            let (open, late) = gated(drops.token());
            let pid = late.pid();
            let began = Instant::now();
            assert_eq!(late.await_timeout(timeout).await.err(), Some(AwaitError::Timeout));
            assert_eq!(began.elapsed(), timeout);
            assert!(process::is_alive(pid));
            open.send(()).unwrap();
            assert_eq!(end_of(pid).await, ExitReason::Normal);
            until(|| drops.count() == 1).await;
            assert_eq!(unread(), 0, "the late value is dropped");
        })
        .await;
    }
    let caller = process::run(async { task::spawn(pending::<()>()).await_or_exit(MS).await });
    let reason = caller.await.unwrap_err();
    assert_eq!(reason.to_string(), AwaitError::Timeout.to_string(), "and a caller that will have it ends");
}

#[tokio::test]
async fn task_03_await_of_a_task_that_ended() {
    process::capture_panics();
    let panicking = || async { panic!("thrown") };
    alone(async move {
        let crashed = task::spawn_unlinked(async { process::exit(boom()) as u32 }).await_timeout(LONG).await;
        assert_eq!(crashed, exited(boom()));
        let thrown: Result<u32, AwaitError> = task::spawn_unlinked(panicking()).await_timeout(LONG).await;
        let Err(AwaitError::Exited(ExitReason::Panic(panic))) = thrown else { panic!("{thrown:?}") };
        assert_eq!(panic.message(), "thrown");
        for reason in [ExitReason::Normal, ExitReason::Shutdown] {
            let ends = task::spawn({
                let reason = reason.clone();
                async move { process::exit(reason) as u32 }
            });
            process::trap_exits(true).unwrap();
            assert_eq!(ends.await_timeout(LONG).await, exited(reason.clone()));
            assert_eq!(trapped().await.reason, reason);
        }
    })
    .await;
    let caller = process::run(async {
        task::spawn_unlinked(async { process::exit(ExitReason::Shutdown) as u32 }).await_or_exit(LONG).await
    });
    let reason = caller.await.unwrap_err();
    assert!(!reason.is_orderly(), "{reason}: the caller that awaits in vain has failed");
    assert_eq!(reason.to_string(), "the task ended without a value: shutdown");
}

#[tokio::test]
async fn task_06_await_many_finished_in_reverse_order() {
    alone(async {
        let (gates, tasks): (Vec<_>, Vec<_>) = (1..=3).map(gated).unzip();
        let pids: Vec<Pid> = tasks.iter().map(Task::pid).collect();
        let opened = process::spawn(async move {
            for (gate, pid) in gates.into_iter().zip(pids).rev() {
                gate.send(()).unwrap();
                process::join(pid).await;
            }
        });
        assert_eq!(task::await_all(tasks, LONG).await, Ok(vec![1, 2, 3]));
        process::join(opened).await;

        let (number, text) = (task::spawn(async { 1 }), task::spawn(async { "two" }));
        assert_eq!(task::await2(number, text, LONG).await, Ok((1, "two")));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn task_06_which_of_many_has_failed() {
    alone(async {
        let crash = || task::spawn_unlinked(async { process::exit(boom()) as u32 });
        let failed = |index, error| AwaitAllError { index, error };
        let many = [task::spawn(async { 1 }), asleep(), crash()];
        assert_eq!(task::await_all(many, LONG).await, Err(failed(2, AwaitError::Exited(boom()))));
        let many = [task::spawn(async { 1 }), asleep(), asleep()];
        assert_eq!(task::await_all(many, MS).await, Err(failed(1, AwaitError::Timeout)));
        let several = task::await3(task::spawn(async { 'a' }), crash(), asleep(), LONG).await;
        assert_eq!(several, Err(failed(1, AwaitError::Exited(boom()))));
        let several = task::await4(asleep(), asleep(), crash(), task::spawn(async {}), MS).await;
        assert_eq!(several, Err(failed(2, AwaitError::Exited(boom()))));
        let several = task::await2(task::spawn(async { 'a' }), asleep(), MS).await;
        assert_eq!(several, Err(failed(1, AwaitError::Timeout)));
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn task_11_yield_many() {
    alone(async {
        let crash = task::spawn_unlinked(async { process::exit(boom()) as u32 });
        let mut tasks = [task::spawn(async { 1 }), crash, asleep()];
        let outcomes = task::yield_many(&mut tasks, 10 * MS).outcomes().await;
        assert_eq!(outcomes, [Some(Ok(1)), Some(exited(boom())), None]);
        assert!(process::is_alive(tasks[2].pid()));
        let again = task::yield_many(&mut tasks, 10 * MS).outcomes().await;
        assert_eq!(again, [None, None, None], "what was taken is none of this time");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn task_12_yield_many_with_a_limit() {
    alone(async {
        let mut tasks = [asleep(), task::spawn(async { 2 }), asleep()];
        let began = Instant::now();
        let outcomes =
            task::yield_many(&mut tasks, LONG).limit(1).on_timeout(YieldOnTimeout::Kill).outcomes().await;
        assert_eq!(outcomes, [None, Some(Ok(2)), None]);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(process::is_alive(tasks[0].pid()) && process::is_alive(tasks[2].pid()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn task_13_yield_many_on_timeout() {
    alone(async {
        process::trap_exits(true).unwrap();
        let mut tasks = [task::spawn(async { 1 }), asleep()];
        let slow = tasks[1].pid();
        let killed = task::yield_many(&mut tasks, MS).on_timeout(YieldOnTimeout::Kill).outcomes().await;
        assert_eq!(killed, [Some(Ok(1)), None]);
        assert!(!process::is_alive(slow));
        assert_eq!(trapped().await.reason, ExitReason::Normal, "the exit of the first");
        assert_eq!(trapped_now().await, None, "the link of the second was removed before it was killed");

        let (open, slow) = gated(2);
        let mut tasks = [slow];
        let ignored = task::yield_many(&mut tasks, MS).on_timeout(YieldOnTimeout::Ignore).outcomes().await;
        assert_eq!(ignored, [None]);
        let pid = tasks[0].pid();
        assert!(process::is_alive(pid));
        open.send(()).unwrap();
        assert_eq!(end_of(pid).await, ExitReason::Normal);
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test]
async fn task_13_those_that_are_killed_do_not_wait_for_each_other() {
    alone(async {
        let (here, gone) = mpsc::channel::<()>();
        let first = task::spawn_blocking(move || gone.recv().unwrap_or_default());
        let second = task::spawn(async move {
            pending::<()>().await;
            drop(here);
        });
        let mut tasks = [first, second];
        let killed = task::yield_many(&mut tasks, MS).on_timeout(YieldOnTimeout::Kill).outcomes();
        assert_eq!(process::timeout(LONG, killed).await, Ok(vec![None, None]));
    })
    .await;
}

#[tokio::test]
async fn task_14_shutdown_of_a_sleeping_task() {
    alone(async {
        let sleeping = asleep();
        let pid = sleeping.pid();
        assert_eq!(sleeping.shutdown(LONG).await, None);
        assert!(!process::is_alive(pid));
        assert_eq!(unread(), 0);
    })
    .await;
}

/// A task that traps exits, and what it does when it is asked to end.
async fn trapping(then: impl Future<Output = u32> + Send + 'static) -> Task<u32> {
    let (ready, is_ready) = oneshot::channel();
    let task = task::spawn(async move {
        process::trap_exits(true).unwrap();
        ready.send(()).unwrap();
        assert_eq!(trapped().await.reason, ExitReason::Shutdown);
        then.await
    });
    is_ready.await.unwrap();
    task
}

#[tokio::test]
async fn task_15_shutdown_of_a_trapping_task_that_has_a_value() {
    alone(async {
        assert_eq!(trapping(async { 7 }).await.shutdown(LONG).await, Some(Ok(7)));
        let ended = trapping(async { process::exit(boom()) }).await.shutdown(LONG).await;
        assert_eq!(ended, Some(exited(boom())));
        let ended = trapping(async { process::exit(ExitReason::Normal) }).await.shutdown(LONG).await;
        assert_eq!(ended, Some(exited(ExitReason::Normal)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn task_16_shutdown_whose_patience_is_over() {
    alone(async {
        let stubborn = trapping(pending()).await;
        let pid = stubborn.pid();
        let began = Instant::now();
        assert_eq!(stubborn.shutdown(5 * MS).await, Some(exited(ExitReason::Killed)));
        assert_eq!(began.elapsed(), 5 * MS);
        assert!(!process::is_alive(pid));
    })
    .await;
}

#[tokio::test]
async fn task_18_brutal_kill() {
    alone(async {
        assert_eq!(asleep().brutal_kill().await, None);
        assert_eq!(trapping(pending()).await.brutal_kill().await, None);
        for reason in [ExitReason::Shutdown, boom()] {
            let ended = task::spawn_unlinked({
                let reason = reason.clone();
                async move { process::exit(reason) as u32 }
            });
            process::join(ended.pid()).await;
            assert_eq!(ended.brutal_kill().await, Some(exited(reason)));
        }
        let killed = asleep();
        process::unlink(killed.pid()).unwrap();
        process::kill(killed.pid());
        process::join(killed.pid()).await;
        assert_eq!(killed.shutdown(LONG).await, Some(exited(ExitReason::Killed)), "not as it was asked");
    })
    .await;
}

#[tokio::test]
async fn task_19_shutdown_of_a_task_that_was_taken() {
    alone(async {
        let mut taken = task::spawn(async { 1 });
        assert_eq!(taken.yield_timeout(LONG).await, Some(Ok(1)));
        assert_eq!(taken.shutdown(LONG).await, Some(exited(ExitReason::NoProc)));
        let mut taken = task::spawn(async { 1 });
        assert_eq!(taken.yield_timeout(LONG).await, Some(Ok(1)));
        assert_eq!(taken.yield_timeout(LONG).await, Some(exited(ExitReason::NoProc)));
    })
    .await;
}

#[tokio::test]
async fn task_20_ignore() {
    alone(async {
        let ready = task::spawn(async { 1 });
        process::join(ready.pid()).await;
        assert_eq!(ready.ignore(), Some(Ok(1)));
        let crashed = task::spawn_unlinked(async { process::exit(boom()) as u32 });
        process::join(crashed.pid()).await;
        assert_eq!(crashed.ignore(), Some(exited(boom())));

        let drops = Drops::default();
        let (open, late) = gated(drops.token());
        let pid = late.pid();
        assert!(late.ignore().is_none());
        assert!(process::is_alive(pid));
        open.send(()).unwrap();
        assert_eq!(end_of(pid).await, ExitReason::Normal);
        until(|| drops.count() == 1).await;
        assert_eq!(unread(), 0);

        // It goes on by itself: its end is nobody's.
        let (crash, gate) = oneshot::channel::<()>();
        let ignored: Task<u32> = task::spawn(async move {
            gate.await.unwrap();
            process::exit(boom())
        });
        let pid = ignored.pid();
        assert_eq!(ignored.ignore(), None);
        crash.send(()).unwrap();
        assert_eq!(end_of(pid).await, boom());
    })
    .await;
}

#[tokio::test]
async fn task_21_completed() {
    alone(async {
        assert_eq!(task::completed(1).await_timeout(Duration::ZERO).await, Ok(1));
        assert_eq!(task::completed(1).await_forever().await, Ok(1));
        assert_eq!(task::completed(1).ignore(), Some(Ok(1)));
        assert_eq!(task::completed(1).shutdown(LONG).await, Some(Ok(1)));
        assert_eq!(task::completed(1).brutal_kill().await, Some(Ok(1)));
        assert_eq!(
            task::await_all([task::completed(1), task::spawn(async { 2 })], LONG).await,
            Ok(vec![1, 2])
        );
        let done = task::completed(1);
        assert_eq!((done.pid(), done.owner()), (Pid::OUTSIDE, process::current()));
        let stolen = process::run(done.await_forever()).await.unwrap();
        assert_eq!(stolen, Err(AwaitError::NotOwner));
    })
    .await;
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn crashes(when: oneshot::Receiver<()>) -> ExitReason {
    let _ = when.await;
    boom()
}

#[tokio::test]
async fn task_22_a_crash_is_linked_and_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    alone(async move {
        process::trap_exits(true).unwrap();
        let me = process::current().unwrap();
        let (crash, when) = oneshot::channel();
        // What Elixir calls `Task.start_link`: nobody awaits it.
        let started = process::spawn(crashes(when));
        let info = Node::current().info(started).unwrap();
        assert!(info.initial_call.contains("crashes"), "{}", info.initial_call);
        let (crash_awaited, when) = oneshot::channel();
        let awaited: Task<ExitReason> = task::spawn(async { process::exit(crashes(when).await) });
        let info = Node::current().info(awaited.pid()).unwrap();
        assert!(info.initial_call.contains("task_22"), "{}", info.initial_call);
        for (pid, crash) in [(started, crash), (awaited.pid(), crash_awaited)] {
            crash.send(()).unwrap();
            let exit = trapped().await;
            assert_eq!((exit.pid, exit.reason), (pid, boom()));
            let said = format!("pid={pid} parent={me}");
            until(|| String::from_utf8_lossy(&log.0.lock().unwrap()).contains(&said)).await;
        }
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test]
async fn task_23_callers() {
    alone(async {
        let me = process::current().unwrap();
        let nested = task::spawn(async move {
            let child = process::current().unwrap();
            let grandchild = task::spawn(async {
                let callers = task::callers();
                let ancestors = Node::current().info(process::current().unwrap()).unwrap().ancestors;
                (callers, ancestors)
            });
            (child, grandchild.await_timeout(LONG).await.unwrap())
        });
        let (child, (callers, ancestors)) = nested.await_timeout(LONG).await.unwrap();
        assert_eq!(callers, [child, me]);
        assert_eq!(callers, ancestors);
        assert_eq!(task::callers(), [], "a process that nobody asked for");
    })
    .await;
}

#[tokio::test]
async fn task_23_callers_of_supervised_tasks() {
    alone(async {
        let me = process::current().unwrap();
        let supervisor = task::Supervisor::builder().start().await.unwrap();
        let tasks = supervisor.data.clone();
        let nested = supervisor
            .data
            .spawn(async move {
                let child = process::current().unwrap();
                let under = tasks.spawn(async { task::callers() }).await.unwrap();
                let plain = task::spawn(async { task::callers() });
                let both = task::await2(under, plain, LONG).await.unwrap();
                (child, task::callers(), both)
            })
            .await
            .unwrap();
        let (child, callers, (under, plain)) = nested.await_timeout(LONG).await.unwrap();
        assert_eq!(callers, [me]);
        assert_eq!(under, [child, me]);
        assert_eq!(plain, [child, me]);
    })
    .await;
}

#[tokio::test]
async fn task_23_callers_are_seen_from_outside() {
    alone(async {
        let me = process::current().unwrap();
        let supervisor = task::Supervisor::builder().start().await.unwrap();
        let info = |pid| Node::current().info(pid).unwrap();
        let asked = info(supervisor.data.start_child(pending::<()>()).await.unwrap());
        assert_eq!((asked.ancestors, asked.callers), (vec![supervisor.pid, me], vec![me]));
        let killed = supervisor.data.start_child_with(Restart::Permanent, pending::<()>).await.unwrap();
        process::kill(killed);
        process::join(killed).await;
        let children = supervisor.data.children().await.unwrap();
        assert_eq!(children.iter().map(|child| info(*child).callers).collect::<Vec<_>>(), [[me], [me]]);
        assert!(!children.contains(&killed), "it was restarted");
        let unasked = info(supervisor.pid);
        assert_eq!((unasked.ancestors, unasked.callers), (vec![me], vec![me]));
    })
    .await;
}

/// The value as a message: an actor goes on while its task works.
#[tokio::test]
async fn a_value_is_piped_to_a_subject() {
    enum Message {
        Ask(Reply<u32>),
        Done(Result<u32, ExitReason>),
    }
    alone(async {
        let (asks, values) = (Subject::new().unwrap(), Subject::new().unwrap());
        let mut mailbox = Selector::new().select(&asks, Message::Ask).select(&values, Message::Done);
        let (open, slow) = gated(7);
        slow.pipe_to(&values, |outcome| outcome);
        let asking = task::spawn(async move { asks.call(LONG, |reply| reply).await });
        let Ok(Message::Ask(reply)) = mailbox.receive(LONG).await else { panic!("the mailbox is blocked") };
        reply.send(1);
        assert_eq!(asking.await_timeout(LONG).await, Ok(Ok(1)));
        open.send(()).unwrap();
        let Ok(Message::Done(outcome)) = mailbox.receive(LONG).await else { panic!("not the value") };
        assert_eq!(outcome, Ok(7));

        task::spawn_unlinked(async { process::exit(boom()) as u32 }).pipe_to(&values, |outcome| outcome);
        let Ok(Message::Done(outcome)) = mailbox.receive(LONG).await else { panic!("not the failure") };
        assert_eq!(outcome, Err(boom()));
        task::completed(3).pipe_to(&values, |outcome| outcome);
        let Ok(Message::Done(outcome)) = mailbox.receive(Duration::ZERO).await else { panic!("not there") };
        assert_eq!(outcome, Ok(3));
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piped_value_lies_before_the_exit_of_the_link() {
    alone(async {
        process::trap_exits(true).unwrap();
        let values = Subject::new().unwrap();
        let mut mailbox = Selector::new()
            .select(&values, |value: Result<usize, ExitReason>| value.ok())
            .select_trapped_exits(|_| None);
        for round in 0..500 {
            let (open, gate) = oneshot::channel::<()>();
            let working = task::spawn(async move {
                gate.await.unwrap();
                round
            });
            working.pipe_to(&values, |value| value);
            open.send(()).unwrap();
            assert_eq!(mailbox.receive(LONG).await, Ok(Some(round)));
            assert_eq!(mailbox.receive(LONG).await, Ok(None));
        }
    })
    .await;
}

#[tokio::test]
async fn the_crash_of_a_task_and_of_its_owner() {
    // Linked: each ends with the other.
    let owner =
        process::run(async { task::spawn(async { process::exit(boom()) as u32 }).await_forever().await });
    assert_eq!(owner.await.unwrap_err(), boom());
    let (tell, told) = oneshot::channel();
    let owner = process::run(async move {
        let (linked, free) = (asleep(), task::spawn_unlinked(pending::<Infallible>()));
        tell.send((linked.pid(), free.pid())).unwrap();
        process::exit(boom()) as u32
    });
    assert_eq!(owner.await, Err(boom()));
    let (linked, free) = told.await.unwrap();
    assert_eq!((process::is_alive(linked), process::is_alive(free)), (false, true));
    process::kill(free);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_work_is_awaited_like_any_other() {
    process::capture_panics();
    alone(async {
        process::trap_exits(true).unwrap();
        let thread = || std::thread::current().id();
        let elsewhere = task::spawn_blocking(thread).await_timeout(LONG).await.unwrap();
        assert_ne!(elsewhere, thread());
        assert_eq!(trapped().await.reason, ExitReason::Normal);
        let crashed: Result<u32, _> = task::spawn_blocking(|| panic!("jammed")).await_timeout(LONG).await;
        let Err(AwaitError::Exited(reason @ ExitReason::Panic(_))) = crashed else { panic!("{crashed:?}") };
        assert_eq!(trapped().await.reason, reason);

        // Killed, it is dead at once; what its function returns is no value any more.
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let (running, is_running) = oneshot::channel();
        let stuck = task::spawn_blocking(move || {
            running.send(()).unwrap();
            gate.recv().is_ok()
        });
        is_running.await.unwrap();
        let pid = stuck.pid();
        process::kill(pid);
        assert!(!process::is_alive(pid));
        go.send(()).unwrap();
        assert_eq!(stuck.await_timeout(LONG).await, exited(ExitReason::Killed));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_yield_that_is_dropped_loses_nothing() {
    alone(async {
        let (open, mut slow) = gated(7);
        let given_up = process::timeout(MS, slow.yield_timeout(LONG)).await;
        assert_eq!(given_up, Err(process::Elapsed));
        open.send(()).unwrap();
        process::join(slow.pid()).await;
        assert_eq!(slow.yield_timeout(Duration::ZERO).await, Some(Ok(7)));
    })
    .await;
}

#[tokio::test]
async fn only_the_owner_may_yield_stop_and_ignore() {
    alone(async {
        let mine = [asleep(), asleep(), asleep(), asleep()];
        let pids = mine.each_ref().map(Task::pid);
        let other = process::run(async move {
            let [mut yielded, stopped, killed, ignored] = mine;
            [
                yielded.yield_timeout(LONG).await,
                stopped.shutdown(LONG).await,
                killed.brutal_kill().await,
                ignored.ignore(),
            ]
        });
        for refused in other.await.unwrap() {
            assert_eq!(refused, Some(Err(AwaitError::NotOwner)));
        }
        assert!(pids.into_iter().all(process::is_alive));
    })
    .await;
}
