//! SUP, SUPR, SUPA, SUPX, and BRG in `bridge`: what running supervisors have to get right beyond the rules, which are tested
//! where they stand; and what they do that Erlang's cannot.

mod bridge;
mod unresponsive;

use std::{
    future::pending,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Name, Pid, Reply, Spawn, Subject};
use otp_actor::{self as actor, GenServer, Initialised, StartError, Started};
use otp_supervisor::{
    AutoShutdown, Backoff, ChildId, ChildInfo, ChildSpec, FailedToStartChild, Presence, Restart, Shutdown,
    Strategy, Supervised, SupervisorError, factory_supervisor,
    partition_supervisor::{self, Partitions},
    semantics::{FlagsError, RulesError},
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};
use otp_system::{self as sys, DebugOptions};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    reports::Reports,
    support::{self, LONG, boom, end_of, trapped},
};

/// Runs the body as a process that is told of the ends of its supervisors, and does not end with them.
async fn alone(body: impl Future<Output = ()> + Send + 'static) {
    support::alone(async {
        process::trap_exits(true).unwrap();
        body.await;
    })
    .await;
}

const SECOND: Duration = Duration::from_secs(1);

fn idle(id: &'static str) -> ChildSpec {
    supervision::process(pending::<()>).id(id)
}

async fn tree<const N: usize>(children: [ChildSpec; N]) -> Supervisor {
    let builder = children.into_iter().fold(supervisor::new(Strategy::OneForOne), supervisor::Builder::add);
    builder.start().await.unwrap().data
}

async fn child(tree: &Supervisor, id: &'static str) -> ChildInfo<ChildId> {
    tree.which_child(id).await.unwrap().unwrap()
}

async fn pid(tree: &Supervisor, id: &'static str) -> Pid {
    child(tree, id).await.pid().unwrap()
}

async fn ids(tree: &Supervisor) -> Vec<String> {
    tree.which_children().await.unwrap().iter().rev().map(|child| child.rules.id.to_string()).collect()
}

/// A named child is killed, and there is another.
async fn crash(name: Name<()>) -> Pid {
    let before = process::whereis(name).unwrap();
    process::kill(before);
    name.registered_after(before).await
}

fn named(name: Name<()>) -> ChildSpec {
    supervision::worker(move || async move {
        let pid = Spawn::new().named(name).spawn(pending::<()>()).map_err(StartError::failed)?;
        Ok(Started { pid, data: () })
    })
}

#[tokio::test(start_paused = true)]
async fn supr_32_a_stray_message_is_logged_and_dropped() {
    alone(async {
        let (reports, _guard) = Reports::begin();
        let tree = tree([idle("a")]).await;
        Subject::<u32>::to_pid(tree.pid().unwrap()).unwrap().send(7);
        assert_eq!(tree.count_children().await.unwrap().active, 1);
        let reports = reports.of("otp_supervisor::report");
        assert!(matches!(&reports[..], [report] if report.field("message").is_some()), "{reports:?}");
        tree.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn supr_33_a_named_child_finds_its_name_free_at_every_restart() {
    alone(async {
        let (reports, _guard) = Reports::begin();
        for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
            let names: Vec<Name<()>> = (0..3).map(|_| Name::new("child")).collect();
            let builder = supervisor::new(strategy).restart_tolerance(1_000, SECOND);
            let builder = names.iter().fold(builder, |builder, name| builder.add(named(*name)));
            let tree = builder.start().await.unwrap().data;
            for round in 0..100 {
                crash(names[round % 3]).await;
                assert_eq!(tree.count_children().await.unwrap().active, 3);
            }
            tree.stop().await.unwrap();
        }
        // Each end, and no start that failed.
        assert_eq!(reports.of("otp_supervisor::report").len(), 300);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn supa_12_a_factorys_child_is_found_by_its_pid() {
    alone(async {
        let factory = factory_supervisor::worker(|()| async {
            Ok(Started { pid: process::spawn(pending::<()>()), data: () })
        });
        let factory = factory.shutdown(Shutdown::BrutalKill).start().await.unwrap().data;
        let started = factory.start_child(()).await.unwrap();
        let found = factory.which_child(started.pid).await.unwrap().unwrap();
        assert_eq!((found.pid(), found.rules.restart), (Some(started.pid), Restart::Transient));
        assert_eq!(found.rules.shutdown, Shutdown::BrutalKill);
        assert!(factory.which_child(process::current().unwrap()).await.unwrap().is_none());
        factory.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn supa_17_a_factorys_restarting_child_is_terminated_by_its_old_pid() {
    alone(async {
        let starts = Arc::new(AtomicUsize::new(0));
        let factory = factory_supervisor::worker(move |()| {
            let first = starts.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                match first {
                    true => Ok(Started { pid: process::spawn(pending::<()>()), data: () }),
                    false => Err(StartError::failed("no")),
                }
            }
        });
        // It tries again only after an hour: nothing hurries.
        let hour = 3_600 * SECOND;
        let factory = factory.backoff(Backoff::new(hour, hour)).start().await.unwrap().data;
        let started = factory.start_child(()).await.unwrap();
        process::kill(started.pid);
        process::join(started.pid).await;
        let restarting = factory.which_child(started.pid).await.unwrap().unwrap();
        assert_eq!(restarting.presence, Presence::Restarting { last: Some(started.pid) });
        factory.terminate_child(started.pid).await.unwrap();
        assert!(factory.which_children().await.unwrap().is_empty());
        factory.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn supa_20_a_running_supervisor_gets_other_flags_and_children() {
    alone(async {
        let tree = tree([idle("a"), idle("removed"), idle("b")]).await;
        let (a, removed, b) = (pid(&tree, "a").await, pid(&tree, "removed").await, pid(&tree, "b").await);

        let starts = Arc::new(AtomicUsize::new(0));
        let counted = starts.clone();
        let new_b = supervision::process(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            pending::<()>()
        });
        let to = supervisor::new(Strategy::OneForAll)
            .restart_tolerance(2, SECOND)
            .add(new_b.id("b").restart(Restart::Transient))
            .add(idle("new"))
            .add(idle("a"));
        tree.code_change(to).await.unwrap();

        assert_eq!(ids(&tree).await, ["b", "new", "a", "removed"]);
        assert_eq!((pid(&tree, "a").await, pid(&tree, "b").await), (a, b), "who runs goes on");
        assert_eq!(pid(&tree, "removed").await, removed);
        assert_eq!(child(&tree, "new").await.presence, Presence::Undefined, "nobody is started");
        assert_eq!(child(&tree, "b").await.rules.restart, Restart::Transient);
        assert_eq!(starts.load(Ordering::SeqCst), 0);

        // A restart starts what the children are now, all of them, and two are tolerated.
        process::kill(a);
        process::join(a).await;
        assert_eq!(tree.count_children().await.unwrap().active, 4);
        assert_eq!(starts.load(Ordering::SeqCst), 1);
        assert_eq!(child(&tree, "b").await.restarts, 1);
        let new = pid(&tree, "new").await;
        process::kill(new);
        process::join(new).await;
        assert_eq!(tree.count_children().await.unwrap().active, 4);
        process::kill(pid(&tree, "new").await);
        assert_eq!(trapped().await.reason, ExitReason::Shutdown);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn supa_20_children_that_a_change_has_numbered_are_in_nobodys_way() {
    alone(async {
        let unnamed = || supervision::process(pending::<()>);
        let tree = tree([unnamed()]).await;
        let to = supervisor::new(Strategy::OneForOne).add(unnamed()).add(unnamed());
        tree.code_change(to).await.unwrap();
        tree.start_child(unnamed()).await.unwrap();
        assert_eq!(ids(&tree).await, ["child-0", "child-1", "added-0"]);

        // Nor is one that was added mistaken for one that a later change brings.
        let three = || (0..3).fold(supervisor::new(Strategy::OneForOne), |all, _| all.add(unnamed()));
        tree.code_change(three()).await.unwrap();
        tree.start_child(unnamed()).await.unwrap();
        assert_eq!(ids(&tree).await, ["child-0", "child-1", "child-2", "added-0", "added-1"]);
        let running =
            tree.which_children().await.unwrap().iter().filter(|child| child.pid().is_some()).count();
        assert_eq!(running, 3, "what a change brings is not started");
        tree.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_fails_at_the_start_is_told_by_the_id_that_it_has() {
    alone(async {
        let failing = supervision::worker(|| async { Err::<Started<()>, _>(StartError::failed("no")) });
        let error =
            supervisor::new(Strategy::OneForOne).add(idle("a")).add(failing).start().await.unwrap_err();
        let StartError::InitFailed(error) = error else { panic!("{error}") };
        let failed = error.downcast_ref::<FailedToStartChild>().unwrap();
        assert_eq!(failed.id.to_string(), "child-1");
        assert_ne!(failed.id, ChildId::from("child-1"), "a number is no text");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn supa_21_nothing_changes_by_a_change_that_makes_no_sense() {
    alone(async {
        let tree = tree([idle("a")]).await;
        let before = pid(&tree, "a").await;
        let zero = supervisor::new(Strategy::OneForAll).restart_tolerance(9, Duration::ZERO).add(idle("b"));
        let error = tree.code_change(zero).await.unwrap_err();
        assert!(matches!(error, SupervisorError::InvalidFlags(FlagsError::InvalidPeriod)), "{error}");
        let twice = supervisor::new(Strategy::OneForAll).add(idle("b")).add(idle("b"));
        let error = tree.code_change(twice).await.unwrap_err();
        assert!(matches!(error, SupervisorError::InvalidRules(RulesError::Duplicate(_))), "{error}");
        assert_eq!(ids(&tree).await, ["a"]);
        assert_eq!(pid(&tree, "a").await, before);
        tree.stop().await.unwrap();
    })
    .await;
}

/// A supervisor whose significant child ends when it is told to.
async fn significant(auto_shutdown: AutoShutdown) -> (Supervisor, Arc<Mutex<Vec<oneshot::Sender<()>>>>) {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let tree = supervisor::new(Strategy::OneForOne).auto_shutdown(auto_shutdown);
    let tree = (0..2).fold(tree, |tree, _| tree.add(ending(&ends, auto_shutdown != AutoShutdown::Never)));
    (tree.start().await.unwrap().data, ends)
}

fn ending(ends: &Arc<Mutex<Vec<oneshot::Sender<()>>>>, significant: bool) -> ChildSpec {
    let ends = ends.clone();
    let child = supervision::process(move || {
        let (end, ended) = oneshot::channel();
        ends.lock().unwrap().push(end);
        async move { drop(ended.await) }
    });
    child.restart(Restart::Transient).significant(significant)
}

#[tokio::test(start_paused = true)]
async fn supx_11_another_automatic_shutdown_holds_from_the_next_end_on() {
    alone(async {
        let (tree, ends) = significant(AutoShutdown::AllSignificant).await;
        let any = supervisor::new(Strategy::OneForOne).auto_shutdown(AutoShutdown::AnySignificant);
        tree.code_change(any).await.unwrap();
        ends.lock().unwrap().remove(0).send(()).unwrap();
        assert_eq!(trapped().await.reason, ExitReason::Shutdown);

        let (tree, ends) = significant(AutoShutdown::AnySignificant).await;
        tree.code_change(supervisor::new(Strategy::OneForOne)).await.unwrap();
        let first = tree.which_children().await.unwrap()[1].pid().unwrap();
        ends.lock().unwrap().remove(0).send(()).unwrap();
        process::join(first).await;
        assert_eq!(tree.count_children().await.unwrap().active, 1, "the supervisor lives");
        tree.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn supx_12_a_running_child_becomes_significant() {
    alone(async {
        let ends = Arc::default();
        let child = |significant| ending(&ends, significant).id("child");
        let tree = tree([child(false), idle("other")]).await;
        let to = supervisor::new(Strategy::OneForOne).auto_shutdown(AutoShutdown::AnySignificant);
        tree.code_change(to.add(child(true))).await.unwrap();
        ends.lock().unwrap().remove(0).send(()).unwrap();
        assert_eq!(trapped().await.reason, ExitReason::Shutdown);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn part_13_the_life_of_a_child_with_elixirs_tolerance() {
    alone(async {
        let name = Name::new("child");
        let tree = supervisor::new(Strategy::OneForOne).restart_tolerance(3, 5 * SECOND);
        let tree = tree.add(named(name).id("child")).start().await.unwrap().data;
        let first = pid(&tree, "child").await;
        let again = tree.start_child(named(name).id("child")).await;
        assert!(matches!(again, Err(SupervisorError::AlreadyStarted(pid)) if pid == first));
        tree.terminate_child("child").await.unwrap();
        let again = tree.start_child(named(name).id("child")).await;
        assert!(matches!(again, Err(SupervisorError::AlreadyPresent)));
        assert!(tree.restart_child("child").await.unwrap().is_some_and(|pid| pid != first));
        assert!(matches!(tree.restart_child("child").await, Err(SupervisorError::Running)));
        assert!(matches!(tree.delete_child("child").await, Err(SupervisorError::Running)));

        // Three are tolerated, which counts none of those that were asked for.
        for _ in 0..3 {
            crash(name).await;
        }
        process::kill(process::whereis(name).unwrap());
        assert_eq!(trapped().await.reason, ExitReason::Shutdown);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn restarts_are_put_off_for_longer_and_longer() {
    alone(async {
        let name = Name::new("child");
        let backoff = Backoff::new(SECOND, 4 * SECOND).reset_after(60 * SECOND);
        let tree = supervisor::new(Strategy::OneForOne).restart_tolerance(100, SECOND);
        let tree = tree.add(named(name).id("child").backoff(backoff)).start().await.unwrap().data;
        for seconds in [1, 2, 4, 4] {
            let begun = Instant::now();
            crash(name).await;
            assert_eq!(begun.elapsed(), seconds * SECOND);
        }
        tokio::time::sleep(60 * SECOND).await;
        let begun = Instant::now();
        crash(name).await;
        assert_eq!(begun.elapsed(), SECOND, "it was healthy for long");

        // It ends at once, whatever is due.
        let child = process::whereis(name).unwrap();
        process::kill(child);
        process::join(child).await;
        let begun = Instant::now();
        assert!(matches!(tree.restart_child("child").await, Err(SupervisorError::Restarting)));
        tree.stop().await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn builders_are_children_and_are_started_again_from_the_beginning() {
    alone(async {
        let name = Name::new("counter");
        let count = |count: &mut u64, reply: Reply<u64>| {
            *count += 1;
            reply.send(*count);
        };
        let terminated = Subject::new().unwrap();
        let tell = terminated.clone();
        let counter =
            actor::new(0).on_message(count).named(name).on_terminate(move |count, _| tell.send(*count));
        let tasks = Name::new("tasks");
        let inner = supervisor::new(Strategy::OneForOne)
            .add(counter.supervised())
            .add(otp_task::Supervisor::builder().named(tasks).supervised());
        let outer = supervisor::new(Strategy::OneForOne).add(inner.supervised().id("inner"));
        let tree = outer.start().await.unwrap().data;
        let counter = name.subject();
        for _ in 0..2 {
            assert_eq!(counter.call(LONG, |reply| reply).await, Ok(1));
            assert_eq!(counter.call(LONG, |reply| reply).await, Ok(2));
            assert!(otp_task::Supervisor::named(tasks).children().await.unwrap().is_empty());
            let before = counter.pid().unwrap();
            tree.terminate_child("inner").await.unwrap();
            assert!(!process::is_alive(before));
            tree.restart_child("inner").await.unwrap();
        }
        tree.stop().await.unwrap();
    })
    .await;
}

struct Doubler(u64);

impl GenServer for Doubler {
    type Args = u64;
    type Message = Reply<u64>;
    type Next = ();

    async fn init(
        start: u64,
        _own: Subject<Reply<u64>>,
    ) -> Result<Initialised<Self, Reply<u64>, ()>, actor::BoxError> {
        Ok(Initialised::new(Self(start)))
    }

    async fn handle(&mut self, reply: Reply<u64>) {
        self.0 *= 2;
        reply.send(self.0);
    }
}

#[tokio::test(start_paused = true)]
async fn servers_factories_and_partitions_are_children_too() {
    alone(async {
        let (doubler, factory) = (Name::new("doubler"), Name::new("factory"));
        let partitions = Partitions::<Subject<Reply<u64>>>::new(NonZeroUsize::new(2).unwrap());
        let doublers = partition_supervisor::new(&partitions, |_| actor::server::<Doubler>(20).supervised());
        let made = factory_supervisor::worker(|start: u64| actor::server::<Doubler>(start).start());
        let tree = supervisor::new(Strategy::OneForAll)
            .add(actor::server::<Doubler>(1).named(doubler).supervised().id("doubler"))
            .add(made.named(factory).supervised())
            .add(doublers.supervised());
        let tree = tree.start().await.unwrap().data;
        for _ in 0..2 {
            assert_eq!(doubler.subject().call(LONG, |reply| reply).await, Ok(2));
            assert_eq!(doubler.subject().call(LONG, |reply| reply).await, Ok(4));
            let made = factory_supervisor::Supervisor::named(factory).start_child(50).await.unwrap();
            assert_eq!(made.data.call(LONG, |reply| reply).await, Ok(100));
            assert_eq!(partitions.nth(1).unwrap().call(LONG, |reply| reply).await, Ok(40));
            if child(&tree, "doubler").await.restarts == 0 {
                let before = doubler.registered().await;
                process::kill(before);
                process::join(before).await;
                // Answered when all of them are back.
                assert_eq!(tree.count_children().await.unwrap().active, 3);
            }
        }
        tree.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_exit_is_taken_out_of_the_mailbox_with_its_link() {
    alone(async {
        let child = process::spawn(async { boom() });
        process::join(child).await;
        let other = process::spawn(pending::<()>());
        assert_eq!(process::unlink_flush(child), Ok(Some(boom())));
        assert_eq!(process::unlink_flush(child), Ok(None));
        assert_eq!(process::unlink_flush(other), Ok(None));
        process::kill(other);
        process::join(other).await;
        assert_eq!(support::unread(), 0);
    })
    .await;
}

/// On two threads, so that waiting and registering meet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_name_misses_no_registration() {
    let name = Name::<()>::new("again and again");
    let hold = || Spawn::new().unlinked().named(name).spawn(pending::<()>()).unwrap();
    let mut holder = hold();
    for _ in 0..support::ROUNDS {
        let waiters: Vec<_> = (0..2).map(|_| tokio::spawn(name.registered_after(holder))).collect();
        process::kill(holder);
        let next = hold();
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), next);
        }
        holder = next;
    }
    process::kill(holder);
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_begins_with_debug_functions() {
    alone(async {
        let tree = supervisor::new(Strategy::OneForOne).debug(DebugOptions::new().log(10));
        let started = tree.start().await.unwrap();
        started.data.count_children().await.unwrap();
        assert_eq!(sys::logged(started.pid, LONG).await.unwrap().len(), 1);
        started.data.stop().await.unwrap();

        let factory =
            factory_supervisor::temporary(|()| async { Err::<Started<()>, _>(StartError::Ignored) });
        let started = factory.debug(DebugOptions::new().statistics()).start().await.unwrap();
        started.data.count_children().await.unwrap();
        assert_eq!(sys::counted(started.pid, LONG).await.unwrap().unwrap().messages_in, 1);
        started.data.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_name_that_nobody_takes_can_stop_waiting() {
    alone(async {
        let name = Name::<()>::new("nobody");
        assert!(process::timeout(SECOND, name.registered()).await.is_err());
        let pid = Spawn::new().named(name).spawn(pending::<()>()).unwrap();
        assert_eq!(name.registered().await, pid);
        assert!(process::timeout(SECOND, name.registered_after(pid)).await.is_err());
        process::unlink(pid).unwrap();
        process::kill(pid);
        assert!(matches!(end_of(pid).await, ExitReason::Killed | ExitReason::NoProc));
    })
    .await;
}
