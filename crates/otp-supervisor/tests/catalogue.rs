//! Scenarios of the catalogue that a running supervisor plays; the rules by themselves are tested in `semantics`.

#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Pid, Reply, Selector};
use otp_actor::{self as actor, StartError, Started};
use otp_supervisor::{
    ChildSpec, Restart, Shutdown, Strategy, SupervisorError, factory_supervisor,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};
use tokio::time::{Instant, sleep};

const LONG: Duration = Duration::from_secs(60);

/// Waits until nothing can run.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

async fn empty(strategy: Strategy) -> Supervisor {
    supervisor::new(strategy).start().await.unwrap().data
}

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

/// A child that ends for this reason when it was first started, and then stays. Counts its starts.
fn ends_once(reason: ExitReason, starts: &Arc<AtomicUsize>) -> ChildSpec {
    let starts = starts.clone();
    supervision::process(move || {
        let (first, reason) = (starts.fetch_add(1, Ordering::Relaxed) == 0, reason.clone());
        async move {
            if !first {
                std::future::pending::<()>().await;
            }
            reason
        }
    })
}

/// A child that says no to being stopped for as long, and then ends for this reason.
fn stubborn(patience: Duration, reason: ExitReason) -> ChildSpec {
    supervision::process(move || {
        let reason = reason.clone();
        async move {
            process::trap_exits(true).unwrap();
            let _ = Selector::new().select_trapped_exits(drop).receive_forever().await;
            sleep(patience).await;
            reason
        }
    })
}

#[tokio::test(start_paused = true)]
async fn supr_03_a_transient_child_is_restarted_after_an_abnormal_end() {
    let shutdown = || ExitReason::Shutdown;
    for (reason, restarted) in [(ExitReason::Normal, false), (shutdown(), false), (boom(), true)] {
        let starts = Arc::default();
        let child = ends_once(reason, &starts).restart(Restart::Transient).id("child");
        let tree = supervisor::new(Strategy::OneForOne).add(child).start().await.unwrap().data;
        settle().await;
        assert_eq!(starts.load(Ordering::Relaxed), 1 + usize::from(restarted));
        let child = tree.which_child("child").await.unwrap().unwrap();
        assert_eq!(child.pid().is_some(), restarted, "it stays listed");
    }
}

#[tokio::test(start_paused = true)]
async fn supr_04_a_temporary_child_is_removed_whatever_it_ends_for() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, boom()] {
        let starts = Arc::default();
        let child = ends_once(reason, &starts).restart(Restart::Temporary).id("child");
        let tree = supervisor::new(Strategy::OneForOne).add(child).start().await.unwrap().data;
        settle().await;
        assert_eq!(starts.load(Ordering::Relaxed), 1);
        assert!(tree.which_child("child").await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn supr_01_a_permanent_child_is_restarted_whatever_it_ends_for() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, boom()] {
        let starts = Arc::default();
        let child = ends_once(reason, &starts).id("child");
        let tree = supervisor::new(Strategy::OneForOne).add(child).start().await.unwrap().data;
        settle().await;
        assert_eq!(starts.load(Ordering::Relaxed), 2);
        assert!(tree.which_child("child").await.unwrap().unwrap().pid().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn supt_04_a_child_with_infinite_patience_is_waited_for() {
    let child = stubborn(Duration::from_secs(2), ExitReason::Shutdown).shutdown(Shutdown::Infinity);
    let tree = supervisor::new(Strategy::OneForOne).add(child).start().await.unwrap().data;
    settle().await;
    let begun = Instant::now();
    tree.stop().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn supt_13_a_factory_ends_properly_when_its_children_end_for_other_reasons() {
    let factory = factory_supervisor::worker(|reason: ExitReason| async move {
        let pid = process::spawn(async move {
            process::trap_exits(true).unwrap();
            let _ = Selector::new().select_trapped_exits(drop).receive_forever().await;
            reason
        });
        Ok(Started { pid, data: () })
    });
    let factory = factory.start().await.unwrap().data;
    for reason in [ExitReason::Normal, boom(), ExitReason::Killed] {
        factory.start_child(reason).await.unwrap();
    }
    settle().await;
    factory.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sup_09_what_a_start_returns_is_returned_to_who_asked_for_it() {
    let tree = empty(Strategy::OneForOne).await;
    let starts = Arc::new(AtomicUsize::new(0));
    let child = supervision::worker(move || {
        let data = starts.fetch_add(1, Ordering::Relaxed);
        async move { Ok(Started { pid: process::spawn(std::future::pending::<()>()), data }) }
    });
    let started = tree.start_child(child.id("child")).await.unwrap();
    assert_eq!(started.data, 0);
    // Nobody asks for what a restart returns.
    process::kill(started.pid);
    settle().await;
    let pid = tree.which_child("child").await.unwrap().unwrap().pid().unwrap();
    assert_ne!(pid, started.pid);
    tree.terminate_child("child").await.unwrap();
    assert!(tree.restart_child("child").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn sup_10_a_start_that_crashes_is_a_failed_start() {
    let tree = empty(Strategy::OneForOne).await;
    let panics = supervision::worker(|| async { panic!("no") as Result<Started<()>, StartError> });
    let error = tree.start_child(panics.id("child")).await.unwrap_err();
    let SupervisorError::StartFailed(StartError::InitExited(reason)) = error else { panic!("{error}") };
    assert!(matches!(reason, ExitReason::Panic(_)), "{reason}");
    assert!(tree.which_children().await.unwrap().is_empty());

    let exits = supervision::worker(|| async { process::exit(boom()) as Result<Started<()>, StartError> });
    let error = tree.start_child(exits.id("child")).await.unwrap_err();
    assert!(
        matches!(error, SupervisorError::StartFailed(StartError::InitExited(reason)) if reason == boom())
    );
}

#[tokio::test(start_paused = true)]
async fn supa_08_a_process_that_is_there_already_is_not_taken_for_the_child() {
    let tree = empty(Strategy::OneForOne).await;
    let outside = process::spawn(std::future::pending::<()>());
    let child =
        supervision::worker(
            move || async move { Err::<Started<()>, _>(StartError::AlreadyStarted(outside)) },
        );
    let error = tree.start_child(child.id("child")).await.unwrap_err();
    let known = |pid: Pid| pid == outside;
    assert!(
        matches!(error, SupervisorError::StartFailed(StartError::AlreadyStarted(pid)) if known(pid)),
        "{error}"
    );
    assert!(process::is_alive(outside));
    assert!(tree.which_children().await.unwrap().is_empty());
}

type Sum = process::Subject<Reply<u64>>;

/// A factory whose children add what the factory was made with to what each was started with.
async fn sums(extra: u64) -> factory_supervisor::Supervisor<u64, Sum> {
    let factory = factory_supervisor::worker(move |argument: u64| {
        let tell = |sum: &mut u64, reply: Reply<u64>| reply.send(*sum);
        actor::new(extra + argument).on_message(tell).start()
    });
    factory.start().await.unwrap().data
}

#[tokio::test(start_paused = true)]
async fn dyn_03_children_get_the_factorys_arguments_and_their_own() {
    process::run(async {
        let factory = sums(40).await;
        let child = factory.start_child(2).await.unwrap();
        assert_eq!(child.data.call(LONG, |reply| reply).await, Ok(42));
        process::kill(child.pid);
        settle().await;
        let again = factory.which_children().await.unwrap()[0].pid().unwrap();
        assert_ne!(again, child.pid, "restarted, with both");
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn dyn_04_a_factory_hands_on_what_its_start_returns() {
    let factory = factory_supervisor::worker(|outcome: Result<u64, StartError>| async move {
        outcome.map(|data| Started { pid: process::spawn(std::future::pending::<()>()), data })
    });
    let factory = factory.start().await.unwrap().data;
    assert_eq!(factory.start_child(Ok(7)).await.unwrap().data, 7);

    let ignored = factory.start_child(Err(StartError::Ignored)).await.unwrap_err();
    assert!(matches!(ignored, SupervisorError::Ignored), "{ignored}");
    let failed = factory.start_child(Err(StartError::failed("no"))).await.unwrap_err();
    assert!(matches!(failed, SupervisorError::StartFailed(StartError::InitFailed(_))), "{failed}");
    assert_eq!(factory.which_children().await.unwrap().len(), 1, "nothing is kept of those");
}

#[tokio::test(start_paused = true)]
async fn dyn_05_a_start_that_ends_early_is_told_with_its_reason() {
    let factory = factory_supervisor::worker(|panics: bool| async move {
        match panics {
            true => panic!("no"),
            false => process::exit(boom()) as Result<Started<()>, StartError>,
        }
    });
    let factory = factory.start().await.unwrap().data;
    let error = factory.start_child(true).await.unwrap_err();
    let panicked = |reason: &ExitReason| matches!(reason, ExitReason::Panic(_));
    assert!(
        matches!(&error, SupervisorError::StartFailed(StartError::InitExited(reason)) if panicked(reason)),
        "{error}"
    );
    let error = factory.start_child(false).await.unwrap_err();
    assert!(
        matches!(&error, SupervisorError::StartFailed(StartError::InitExited(reason)) if *reason == boom()),
        "{error}"
    );
    assert!(factory.which_children().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn dyn_05_a_start_that_fails_before_it_awaits_harms_nobody_else() {
    let start = |number: &'static str| {
        let _number: u32 = number.parse().unwrap();
        async { Ok(Started { pid: process::spawn(std::future::pending::<()>()), data: () }) }
    };
    for factory in [factory_supervisor::worker(start), factory_supervisor::temporary(start)] {
        let factory = factory.max_children(1).start().await.unwrap().data;
        let error = factory.start_child("seven").await.unwrap_err();
        assert!(matches!(error, SupervisorError::StartFailed(StartError::InitExited(_))), "{error}");
        let child = factory.start_child("7").await.unwrap().pid;
        // No start is tried for what is refused.
        assert!(matches!(factory.start_child("seven").await, Err(SupervisorError::MaxChildren)));
        assert!(process::is_alive(child));
    }
}

#[tokio::test(start_paused = true)]
async fn dyn_12_two_factories_stand_under_one_supervisor() {
    let factory = || {
        supervision::supervisor(|| {
            factory_supervisor::worker(|()| async {
                Ok(Started { pid: process::spawn(std::future::pending::<()>()), data: () })
            })
            .start()
        })
    };
    let tree = empty(Strategy::OneForOne).await;
    let one = tree.start_child(factory().id("one")).await.unwrap();
    let other = tree.start_child(factory().id("other")).await.unwrap();
    one.data.start_child(()).await.unwrap();
    assert_eq!(one.data.count_children().await.unwrap().active, 1);
    assert_eq!(other.data.count_children().await.unwrap().active, 0);
    assert_eq!(tree.count_children().await.unwrap().supervisors, 2);
}

#[tokio::test(start_paused = true)]
async fn dyn_06_a_child_is_terminated_twice() {
    let start = |()| async { Ok(Started { pid: process::spawn(std::future::pending::<()>()), data: () }) };
    let factory = factory_supervisor::worker(start).start().await.unwrap().data;
    let child = factory.start_child(()).await.unwrap().pid;
    factory.terminate_child(child).await.unwrap();
    // Erlang's answer; Elixir's is that it is not found.
    factory.terminate_child(child).await.unwrap();
    let stranger = process::spawn(std::future::pending::<()>());
    let error = factory.terminate_child(stranger).await.unwrap_err();
    assert!(matches!(error, SupervisorError::NotFound), "{error}");
}
