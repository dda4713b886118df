//! SUP, SUPR, SUPA, SUPX, BRG: what running supervisors have to get right beyond the rules, which are tested where they stand;
//! and what they do that Erlang's cannot.

use std::{
    future::pending,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
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
    supervisor_bridge::{self, Bridge},
};
use otp_system::{self as sys, DebugOptions};
use tokio::{
    runtime::{Handle, Runtime},
    sync::oneshot,
    time::Instant,
};

use crate::{
    reports::Reports,
    support::{self, Drops, LONG, Token, boom, end_of, trapped},
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

/// Tells how it ends.
struct Thing {
    fails: oneshot::Receiver<ExitReason>,
    terminated: Subject<ExitReason>,
    _token: Token,
}

impl Bridge for Thing {
    async fn ended(&mut self) -> ExitReason {
        (&mut self.fails).await.unwrap_or(ExitReason::Normal)
    }

    async fn terminate(self, reason: ExitReason) {
        self.terminated.send(reason);
    }
}

#[tokio::test(start_paused = true)]
async fn brg_01_a_bridge_starts_ignores_or_fails() {
    alone(async {
        let terminated = Subject::new().unwrap();
        let drops = Drops::default();
        let thing = || {
            let (fail, fails) = oneshot::channel();
            let (terminated, token) = (terminated.clone(), drops.token());
            (fail, move || async { Ok::<_, StartError>(Some(Thing { fails, terminated, _token: token })) })
        };

        // It runs, and ends with what it holds, for the same reason.
        let (fail, init) = thing();
        let bridge = supervisor_bridge::start(init).await.unwrap();
        fail.send(boom()).unwrap();
        let exit = trapped().await;
        assert_eq!((exit.pid, exit.reason), (bridge.pid, boom()));
        assert_eq!(drops.count(), 1);

        // Told to end, it terminates what it holds; also while it is suspended.
        for suspended in [false, true] {
            let (_fail, init) = thing();
            let bridge = supervisor_bridge::start(init).await.unwrap();
            // Who looks on sees what comes in, and that an exit of somebody else means nothing.
            sys::statistics(bridge.pid, LONG, true).await.unwrap();
            process::join(process::spawn_unlinked(async move { process::send_exit(bridge.pid, boom()) }))
                .await;
            assert_eq!(sys::counted(bridge.pid, LONG).await.unwrap().unwrap().messages_in, 1);
            if suspended {
                sys::suspend(bridge.pid, LONG).await.unwrap();
            }
            let reason = ExitReason::shutdown_with(std::io::Error::other("enough"));
            actor::stop(bridge.pid, reason.clone(), LONG).await.unwrap();
            assert_eq!(terminated.receive(Duration::ZERO).await, Ok(reason.clone()));
            assert_eq!(trapped().await.reason, reason);
        }

        // Its supervisor stops it as it stops everyone.
        let (_fail, init) = thing();
        let init = Mutex::new(Some(init));
        let child = supervision::worker(move || {
            let init = init.lock().unwrap().take().unwrap();
            supervisor_bridge::start(init)
        });
        let tree = tree([child]).await;
        tree.stop().await.unwrap();
        assert_eq!(terminated.receive(Duration::ZERO).await, Ok(ExitReason::Shutdown));
        assert_eq!(drops.count(), 4);

        let ignored = supervisor_bridge::start(|| async { Ok::<Option<Thing>, StartError>(None) }).await;
        assert!(matches!(ignored, Err(StartError::Ignored)));
        let failed = supervisor_bridge::start(|| async { Err::<Option<Thing>, _>("no") }).await;
        assert_eq!(failed.unwrap_err().to_string(), "the initialiser failed: no");
        let crashed =
            supervisor_bridge::start(|| async { panic!("no") as Result<Option<Thing>, StartError> });
        assert!(matches!(crashed.await, Err(StartError::InitExited(ExitReason::Panic(_)))));
    })
    .await;
}

/// A child that blocks a thread, and so cannot be killed, until it is let go. Only its first process does.
#[derive(Clone)]
struct Stuck(Arc<Inner>);

struct Inner {
    /// Its own, so that the thread of the test is free.
    runtime: Mutex<Option<Runtime>>,
    elsewhere: Handle,
    starts: AtomicUsize,
    blocking: mpsc::Sender<()>,
    blocks: Mutex<mpsc::Receiver<()>>,
    let_go: mpsc::Sender<()>,
    gone: Mutex<mpsc::Receiver<()>>,
}

impl Stuck {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let elsewhere = runtime.handle().clone();
        let (blocking, blocks) = mpsc::channel();
        let (let_go, gone) = mpsc::channel();
        let (runtime, blocks, gone) = (Mutex::new(Some(runtime)), Mutex::new(blocks), Mutex::new(gone));
        let starts = AtomicUsize::new(0);
        Self(Arc::new(Inner { runtime, elsewhere, starts, blocking, blocks, let_go, gone }))
    }

    fn spawn(&self) -> Pid {
        let first = self.0.starts.fetch_add(1, Ordering::SeqCst) == 0;
        if !first {
            return process::spawn(pending::<()>());
        }
        self.spawn_stuck(Spawn::new())
    }

    /// As the process of a start that was given up: it was killed, and is linked with nobody.
    fn spawn_initialiser(&self) -> Pid {
        let pid = self.spawn_stuck(Spawn::new().unlinked());
        self.blocks();
        process::kill(pid);
        pid
    }

    fn spawn_stuck(&self, spawn: Spawn) -> Pid {
        let _elsewhere = self.0.elsewhere.enter();
        let stuck = self.clone();
        let blocking = async move {
            stuck.0.blocking.send(()).unwrap();
            stuck.0.gone.lock().unwrap().recv().unwrap();
        };
        spawn.spawn(blocking).unwrap()
    }

    fn child(&self, shutdown: Shutdown) -> ChildSpec {
        let stuck = self.clone();
        let start = move || {
            let stuck = stuck.clone();
            async move { Ok(Started { pid: stuck.spawn(), data: () }) }
        };
        supervision::worker(start).id("stuck").shutdown(shutdown)
    }

    /// Returns when it blocks its thread.
    fn blocks(&self) {
        self.0.blocks.lock().unwrap().recv().unwrap();
    }

    /// Returns when it has ended, and all have been told and woken: under a paused clock, nobody may wait for another thread.
    fn let_go(&self) {
        self.0.let_go.send(()).unwrap();
        let runtime = self.0.runtime.lock().unwrap().take();
        thread::spawn(|| drop(runtime)).join().unwrap();
    }

    fn starts(&self) -> usize {
        self.0.starts.load(Ordering::SeqCst)
    }
}

fn unresponsive(reports: &Reports) -> usize {
    let reports = reports.of("otp_supervisor::report");
    reports
        .iter()
        .filter(|report| report.field("message").is_some_and(|text| text.contains("does not end")))
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_child_that_cannot_be_killed_is_reported_and_never_gets_a_twin() {
    alone(async {
        let (reports, _guard) = Reports::begin();
        for shutdown in [Shutdown::BrutalKill, Shutdown::After(SECOND)] {
            let stuck = Stuck::new();
            let tree = tree([idle("a"), stuck.child(shutdown), idle("b")]).await;
            stuck.blocks();
            let before = pid(&tree, "stuck").await;

            let begun = Instant::now();
            let error = tree.terminate_child("stuck").await.unwrap_err();
            assert!(matches!(error, SupervisorError::Unresponsive(pid) if pid == before), "{error}");
            let asked = if shutdown == Shutdown::BrutalKill { Duration::ZERO } else { SECOND };
            assert_eq!(begun.elapsed(), asked + Shutdown::KILL_PATIENCE);
            assert_eq!(unresponsive(&reports), 1);

            // The supervisor is there for others, and starts nobody in its place.
            assert_eq!(child(&tree, "stuck").await.presence, Presence::Unresponsive(before));
            assert_eq!(tree.count_children().await.unwrap().active, 2);
            for refused in [
                tree.restart_child("stuck").await.map(drop),
                tree.start_child(idle("stuck")).await.map(drop),
                tree.delete_child("stuck").await,
                tree.terminate_child("stuck").await,
            ] {
                assert!(matches!(refused, Err(SupervisorError::Unresponsive(_))), "{refused:?}");
            }
            assert_eq!(stuck.starts(), 1);

            // When it has ended after all, it can be started.
            stuck.let_go();
            assert_eq!(child(&tree, "stuck").await.presence, Presence::Undefined);
            assert!(tree.restart_child("stuck").await.unwrap().is_some());
            assert_eq!(stuck.starts(), 2);
            tree.stop().await.unwrap();
            reports.clear();
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_group_is_not_restarted_before_its_last_process_has_ended() {
    alone(async {
        let stuck = Stuck::new();
        let name = Name::new("a");
        let tree = supervisor::new(Strategy::OneForAll);
        let tree = tree.add(named(name)).add(stuck.child(Shutdown::BrutalKill)).add(idle("b"));
        let tree = tree.start().await.unwrap().data;
        stuck.blocks();
        let first = process::whereis(name).unwrap();
        process::kill(first);
        process::join(first).await;
        // Answered when it has given up waiting.
        assert_eq!(tree.count_children().await.unwrap().active, 0);
        assert_eq!((stuck.starts(), process::whereis(name)), (1, None));

        stuck.let_go();
        name.registered_after(first).await;
        assert_eq!(tree.count_children().await.unwrap().active, 3);
        assert_eq!(stuck.starts(), 2);
        tree.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_ends_without_a_child_that_cannot_be_killed() {
    alone(async {
        let (reports, _guard) = Reports::begin();
        let stuck = Stuck::new();
        let (drops, noted) = (Drops::default(), Drops::default());
        let token = noted.clone();
        let other = supervision::process(move || {
            let token = token.token();
            async move {
                let _token = token;
                pending::<()>().await;
            }
        });
        let tree = tree([other, stuck.child(Shutdown::After(SECOND))]).await;
        stuck.blocks();
        let begun = Instant::now();
        tree.stop().await.unwrap();
        assert_eq!(begun.elapsed(), SECOND + Shutdown::KILL_PATIENCE);
        assert_eq!((noted.count(), drops.count(), unresponsive(&reports)), (1, 0, 1));
        stuck.let_go();
    })
    .await;
}

/// A supervisor that gives up at the first crash, of the child with this name.
fn brittle(stuck: &Stuck, name: Name<()>) -> ChildSpec<Supervisor> {
    let stuck = stuck.clone();
    let start = move || {
        let builder = supervisor::new(Strategy::OneForOne).restart_tolerance(0, SECOND);
        builder.add(named(name)).add(stuck.child(Shutdown::BrutalKill)).start()
    };
    supervision::supervisor(start).id("brittle")
}

#[tokio::test(start_paused = true)]
async fn a_supervisors_successor_does_not_meet_what_it_has_left() {
    alone(async {
        let (reports, _guard) = Reports::begin();
        let (stuck, name) = (Stuck::new(), Name::new("crashing"));
        let outer = supervisor::new(Strategy::OneForOne).add(brittle(&stuck, name)).add(idle("other"));
        let outer = outer.start().await.unwrap().data;
        stuck.blocks();
        let (first, crashing) = (pid(&outer, "brittle").await, process::whereis(name).unwrap());
        process::kill(crashing);
        process::join(first).await;

        // It has given up, and its supervisor serves others, but starts no other one.
        assert_eq!(outer.count_children().await.unwrap().active, 1);
        assert_eq!((stuck.starts(), process::whereis(name)), (1, None));
        assert_eq!(child(&outer, "brittle").await.presence, Presence::Unresponsive(first));
        assert_eq!(unresponsive(&reports), 2, "both supervisors report it");
        let refused = outer.restart_child("brittle").await;
        assert!(matches!(refused, Err(SupervisorError::Unresponsive(pid)) if pid == first), "{refused:?}");

        stuck.let_go();
        name.registered_after(crashing).await;
        assert_eq!(outer.count_children().await.unwrap().active, 2);
        assert_eq!(stuck.starts(), 2);
        outer.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_was_stopped_has_not_ended_before_what_it_has_left() {
    alone(async {
        let (reports, _guard) = Reports::begin();
        let (stuck, name) = (Stuck::new(), Name::new("other"));
        // It goes up by as many supervisors as there are.
        let inner = brittle(&stuck, name);
        let middle = supervisor::new(Strategy::OneForOne).add(inner).supervised().id("middle");
        let outer = supervisor::new(Strategy::OneForOne).add(middle).start().await.unwrap().data;
        stuck.blocks();
        let first = pid(&outer, "middle").await;
        let error = outer.terminate_child("middle").await.unwrap_err();
        assert!(matches!(error, SupervisorError::Unresponsive(pid) if pid == first), "{error}");
        assert_eq!(child(&outer, "middle").await.presence, Presence::Unresponsive(first));
        assert!(matches!(outer.restart_child("middle").await, Err(SupervisorError::Unresponsive(_))));
        assert_eq!(unresponsive(&reports), 3, "each supervisor reports it");

        stuck.let_go();
        assert_eq!(child(&outer, "middle").await.presence, Presence::Undefined);
        assert!(outer.restart_child("middle").await.unwrap().is_some());
        assert_eq!(stuck.starts(), 2);
        outer.stop().await.unwrap();
    })
    .await;
}

/// A child with this name whose second start is given up, and its process does not end. Also how often it was started.
fn given_up_once(stuck: &Stuck, name: Name<()>) -> (ChildSpec, Arc<AtomicUsize>) {
    let starts = Arc::new(AtomicUsize::new(0));
    let (counted, stuck) = (starts.clone(), stuck.clone());
    let start = move || {
        let second = counted.fetch_add(1, Ordering::SeqCst) == 1;
        let stuck = stuck.clone();
        async move {
            if second {
                return Err(StartError::Unresponsive(stuck.spawn_initialiser()));
            }
            let pid = Spawn::new().named(name).spawn(pending::<()>()).map_err(StartError::failed)?;
            Ok(Started { pid, data: () })
        }
    };
    (supervision::worker(start).id("child"), starts)
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_given_up_is_tried_again_when_its_process_is_gone() {
    alone(async {
        let (stuck, name) = (Stuck::new(), Name::new("child"));
        let (child, starts) = given_up_once(&stuck, name);
        let tree = supervisor::new(Strategy::OneForAll).restart_tolerance(2, SECOND);
        let tree = tree.add(idle("a")).add(child).add(idle("b")).start().await.unwrap().data;
        let first = process::whereis(name).unwrap();
        process::kill(first);
        process::join(first).await;
        assert_eq!(tree.count_children().await.unwrap().active, 1, "those after it wait with it");
        assert_eq!(starts.load(Ordering::SeqCst), 2);
        stuck.let_go();
        name.registered_after(first).await;
        assert_eq!(tree.count_children().await.unwrap().active, 3);
        tree.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_is_not_started_beside_a_start_that_was_given_up() {
    alone(async {
        let (stuck, name) = (Stuck::new(), Name::new("child"));
        let (spec, starts) = given_up_once(&stuck, name);
        let tree = tree([spec]).await;
        let first = process::whereis(name).unwrap();
        process::kill(first);
        process::join(first).await;
        // Also not when it has become another child by a change, nor when somebody asks for it, nor for another in its place.
        tree.code_change(supervisor::new(Strategy::OneForOne)).await.unwrap();
        assert!(matches!(child(&tree, "child").await.presence, Presence::Restarting { .. }));
        tree.terminate_child("child").await.unwrap();
        let error = tree.restart_child("child").await.unwrap_err();
        assert!(matches!(error, SupervisorError::Unresponsive(_)), "{error}");
        tree.delete_child("child").await.unwrap();
        let error = tree.start_child(idle("child")).await.unwrap_err();
        assert!(matches!(error, SupervisorError::Unresponsive(_)), "{error}");
        assert_eq!(starts.load(Ordering::SeqCst), 2);

        stuck.let_go();
        tree.start_child(idle("child")).await.unwrap();
        tree.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_first_start_that_was_given_up_gets_no_twin_either() {
    alone(async {
        let stuck = Stuck::new();
        let tree = tree([]).await;
        let given_up = {
            let stuck = stuck.clone();
            supervision::worker(move || {
                let pid = stuck.spawn_initialiser();
                async move { Err::<Started<()>, _>(StartError::Unresponsive(pid)) }
            })
        };
        let error = tree.start_child(given_up.id("child")).await.unwrap_err();
        assert!(matches!(error, SupervisorError::StartFailed(StartError::Unresponsive(_))), "{error}");
        let error = tree.start_child(idle("child")).await.unwrap_err();
        assert!(matches!(error, SupervisorError::Unresponsive(_)), "{error}");
        stuck.let_go();
        tree.start_child(idle("child")).await.unwrap();
        tree.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_did_not_come_up_leaves_its_starter_nothing() {
    alone(async {
        let stuck = Stuck::new();
        let name = Name::new("outer");
        let outer = supervisor::new(Strategy::OneForOne).named(name).supervised().id("outer");
        let top = supervisor::new(Strategy::OneForOne).add(outer).start().await.unwrap().data;
        let broken = {
            let stuck = stuck.clone();
            supervision::supervisor(move || {
                let fails = {
                    let stuck = stuck.clone();
                    supervision::worker(move || {
                        stuck.blocks();
                        async { Err::<Started<()>, _>(StartError::failed("broken")) }
                    })
                };
                let first = stuck.child(Shutdown::BrutalKill);
                supervisor::new(Strategy::OneForOne).add(first).add(fails).start()
            })
        };
        assert!(Supervisor::named(name).start_child(broken.id("broken")).await.is_err());
        // It ends without having left anybody.
        top.terminate_child("outer").await.unwrap();
        stuck.let_go();
        top.stop().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_not_started_again_has_ended_whatever_it_has_left() {
    alone(async {
        for auto_shutdown in [AutoShutdown::Never, AutoShutdown::AnySignificant] {
            let (stuck, name) = (Stuck::new(), Name::new("crashing"));
            let significant = auto_shutdown != AutoShutdown::Never;
            let inner = brittle(&stuck, name).restart(Restart::Transient).significant(significant);
            let outer = supervisor::new(Strategy::OneForOne).auto_shutdown(auto_shutdown).add(inner);
            let outer = outer.add(idle("other")).start().await.unwrap();
            process::unlink(outer.pid).unwrap();
            stuck.blocks();
            let inner = pid(&outer.data, "brittle").await;
            process::kill(process::whereis(name).unwrap());
            process::join(inner).await;
            if significant {
                assert_eq!(end_of(outer.pid).await, ExitReason::Shutdown);
                assert_eq!(stuck.starts(), 1);
                stuck.let_go();
                continue;
            }
            // Its successor would meet it all the same.
            assert_eq!(child(&outer.data, "brittle").await.presence, Presence::Undefined);
            let error = outer.data.restart_child("brittle").await.unwrap_err();
            assert!(matches!(error, SupervisorError::Unresponsive(_)), "{error}");
            stuck.let_go();
            assert!(outer.data.restart_child("brittle").await.unwrap().is_some());
            outer.data.stop().await.unwrap();
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_factory_ends_without_children_that_cannot_be_killed() {
    alone(async {
        let (reports, _guard) = Reports::begin();
        let stuck = Stuck::new();
        let start = stuck.clone();
        let factory = factory_supervisor::worker(move |()| {
            let pid = start.spawn();
            async move { Ok(Started { pid, data: () }) }
        });
        let factory = factory.shutdown(Shutdown::After(SECOND)).start().await.unwrap().data;
        for _ in 0..3 {
            factory.start_child(()).await.unwrap();
        }
        stuck.blocks();
        let begun = Instant::now();
        factory.stop().await.unwrap();
        assert_eq!(begun.elapsed(), SECOND + Shutdown::KILL_PATIENCE);
        assert_eq!(unresponsive(&reports), 1);
        stuck.let_go();
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
