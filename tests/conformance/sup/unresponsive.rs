//! Children that block their thread, and so cannot be killed.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Name, Pid, Spawn};
use otp_actor::{StartError, Started};
use otp_supervisor::{
    AutoShutdown, ChildSpec, Presence, Restart, Shutdown, Strategy, Supervised, SupervisorError,
    factory_supervisor,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};
use tokio::{
    runtime::{Handle, Runtime},
    time::Instant,
};

use super::{SECOND, alone, child, idle, named, pid, tree};
use crate::{
    reports::Reports,
    support::{Drops, end_of},
};

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
