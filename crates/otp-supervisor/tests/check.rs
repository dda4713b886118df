//! The test kit finds what is wrong, and tells it: trees that are broken on purpose.

#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use erlang_process::{self as process, Node, Selector};
use otp_actor::{StartError, Started};
use otp_supervisor::{
    ChildSpec, Restart, Shutdown, Strategy, Supervised, factory_supervisor,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
    testing::{Check, Child, Faults, Reason, Tree, days},
};
use tokio::time::Instant;

fn idle(id: &'static str) -> ChildSpec {
    supervision::process(std::future::pending::<()>).id(id)
}

fn pair(strategy: Strategy) -> supervisor::Builder {
    supervisor::new(strategy).add(idle("ledger")).add(idle("mailer"))
}

fn check(builder: impl Fn() -> supervisor::Builder + Send + Sync + 'static) -> Check<Supervisor> {
    Check::tree(move || builder().start())
}

/// What a check that has to fail says.
fn failure<D: Clone + Send + Sync + 'static>(check: Check<D>) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| check.run())).expect_err("it should have failed");
    *panic.downcast::<String>().unwrap()
}

#[test]
fn trees_that_are_well_pass() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let tree = move || {
            supervisor::new(strategy)
                .restart_tolerance(3, Duration::from_secs(5))
                .add(idle("a").restart(Restart::Transient))
                .add(pair(strategy).supervised().id("b"))
                .add(idle("c").restart(Restart::Temporary))
        };
        check(tree)
            .faults(Faults::crashes() + Faults::shutdowns() + Faults::kills())
            .at_once(3)
            .cases(300)
            .follows_otp()
            .always("the children are known", |world| {
                world.ended().is_some() || world.children().any(|path| path == "b/mailer")
            })
            .sometimes("the tree gives up", |world| world.ended() == Some(Reason::Shutdown))
            .sometimes("the tree lives on", |world| world.restarts() > 2)
            .run();
    }
}

#[test]
fn trees_that_wait_for_children_that_hang_pass() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let tree = move || {
            supervisor::new(strategy)
                .restart_tolerance(3, Duration::from_secs(7))
                .add(idle("a").shutdown(Shutdown::After(Duration::from_secs(2))))
                .add(pair(strategy).supervised().id("b"))
                .add(idle("c").shutdown(Shutdown::BrutalKill))
                .add(idle("d").shutdown(Shutdown::Infinity))
        };
        check(tree)
            .faults(Faults::crashes() + Faults::shutdowns() + Faults::kills() + Faults::hangs_on_stop())
            .at_once(3)
            .cases(300)
            .follows_otp()
            .sometimes("the tree gives up", |world| world.ended() == Some(Reason::Shutdown))
            .sometimes("the tree lives on", |world| world.restarts() > 2)
            .run();
    }
}

#[test]
fn an_id_may_be_any_text() {
    let tree = || {
        let builder =
            supervisor::new(Strategy::RestForOne).add(idle("http/8080")).add(idle("#a")).add(idle("a"));
        supervisor::new(Strategy::OneForAll).add(builder.supervised().id("~/b"))
    };
    check(tree)
        .follows_otp()
        .always("a path tells them apart", |world| {
            let [http, other] = ["~0~1b/http~18080", "~0~1b/#a"].map(|path| world.process(path));
            http != other || world.ended().is_some()
        })
        .faults(Faults::crashes().of(["~0~1b/#a"]) + Faults::kills())
        .run();
}

#[test]
fn a_path_that_is_nobodys_is_told() {
    let told = "no child `shop/mailer`; there are: ledger, mailer";
    let truth = check(|| pair(Strategy::OneForOne))
        .always("it runs", |world| world.ended().is_some() || world.process("shop/mailer").is_none());
    assert!(failure(truth).contains(told));
    let faults = Faults::kills() + Faults::crashes().of(["ledger", "shop/mailer"]);
    assert_eq!(failure(check(|| pair(Strategy::OneForOne)).faults(faults.clone())), told);

    let tree = Tree::new(Strategy::OneForOne).child(Child::worker("ledger")).child(Child::worker("mailer"));
    let panic = catch_unwind(|| drop(days(&tree, &faults, 1))).unwrap_err();
    assert_eq!(*panic.downcast::<String>().unwrap(), told);
}

#[test]
fn a_child_that_hangs_is_waited_for_no_longer_than_it_is_given() {
    let begun = Arc::new(Mutex::new(None));
    let asked = begun.clone();
    let tree = || pair(Strategy::OneForAll).restart_tolerance(99, Duration::from_secs(5)).start();
    Check::tree(tree)
        .faults(Faults::hangs_on_stop().of(["mailer"]) + Faults::crashes().of(["ledger"]))
        .follows_otp()
        .finally("it takes its five seconds", move |world| {
            *asked.lock().unwrap() = Some(Instant::now());
            let begun = asked.clone();
            async move {
                world.root().stop().await.unwrap();
                let took = begun.lock().unwrap().unwrap().elapsed();
                took == Duration::ZERO || took == Duration::from_secs(5)
            }
        })
        .sometimes("it is restarted", |world| world.restarts() > 0)
        .run();
}

#[test]
fn a_factory_is_checked_with_the_children_it_was_given() {
    let tree = || async {
        let hands = factory_supervisor::worker(|_: u32| async {
            let pid = process::spawn(std::future::pending::<()>());
            Ok(Started { pid, data: () })
        });
        hands.restart_tolerance(2, Duration::from_secs(5)).start().await
    };
    Check::tree(tree)
        .with(|world| async move {
            for number in 0..3 {
                world.root().start_child(number).await.unwrap();
            }
        })
        .faults(Faults::crashes() + Faults::shutdowns())
        .at_once(2)
        .follows_otp()
        .sometimes("one is done and gone", |world| {
            world.process("1").is_none() && world.process("2").is_some()
        })
        .sometimes("one is restarted", |world| world.restarts() > 0)
        .run();
}

#[test]
fn a_truth_that_does_not_hold_is_told_with_the_shortest_day() {
    let told = failure(
        check(|| pair(Strategy::OneForAll))
            .at_once(3)
            .always("nobody is restarted", |world| world.restarts() == 0),
    );
    let lines: Vec<_> = told.lines().map(str::trim).collect();
    assert_eq!(lines[0], "broken: nobody is restarted");
    assert!(lines[1].ends_with("ledger, mailer"), "{told}");
    assert!(lines[2].contains("crash ledger") && lines[2].ends_with("new: ledger, mailer"), "{told}");
    assert_eq!(lines[3], "last in the log:");
    assert!(lines[4].starts_with("child terminated") && lines[4].contains("child=ledger"), "{told}");
    assert!(lines[5].starts_with("repeat: OTP_SEED=") && lines[5].ends_with("shortest_day"), "{told}");
    assert_eq!(lines.len(), 6, "{told}");
}

#[test]
fn the_end_of_a_day_is_looked_at() {
    let told = failure(check(|| pair(Strategy::OneForOne)).finally("both run", |world| async move {
        world.root().count_children().await.is_ok_and(|counts| counts.active == 2)
    }));
    assert!(told.starts_with("broken: both run") && told.contains("it has ended (Shutdown)"), "{told}");
}

#[test]
fn what_never_happens_is_told() {
    let told = failure(
        check(|| pair(Strategy::OneForOne)).cases(20).sometimes("a child is replaced by a cat", |_| false),
    );
    assert_eq!(told, "on none of 20 days: a child is replaced by a cat");
}

#[test]
fn a_child_that_cannot_be_started_again_is_found() {
    let tree = || {
        let started = AtomicBool::new(false);
        let once = supervision::worker(move || {
            let again = started.swap(true, Ordering::Relaxed);
            async move {
                if again {
                    return Err(StartError::failed("the port is taken"));
                }
                Ok(Started { pid: process::spawn(std::future::pending::<()>()), data: () })
            }
        });
        supervisor::new(Strategy::OneForOne)
            .restart_tolerance(5, Duration::from_secs(5))
            .add(once.id("listener"))
    };
    let told = failure(check(tree).follows_otp());
    assert!(told.contains("OTP's supervisor says: it runs"), "{told}");
    assert!(told.contains("crash listener"), "{told}");
}

#[test]
fn a_child_that_takes_its_sibling_along_is_found() {
    let tree = || async {
        let tree = pair(Strategy::OneForOne).restart_tolerance(9, Duration::from_secs(5)).start().await?;
        let pid = |id| {
            let tree = tree.data.clone();
            async move { tree.which_child(id).await.ok().flatten().and_then(|child| child.pid()) }
        };
        let (ledger, mailer) = (pid("ledger").await, pid("mailer").await);
        process::spawn_unlinked(async move {
            // A bridge between the two that nobody has drawn.
            process::trap_exits(true).unwrap();
            process::link(ledger.unwrap()).unwrap();
            let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await.unwrap();
            process::send_exit(mailer.unwrap(), exit.reason);
        });
        Ok(tree)
    };
    let told = failure(Check::tree(tree).follows_otp());
    assert!(told.starts_with("broken: OTP's supervisor has not touched mailer"), "{told}");
    assert!(told.contains("crash ledger") && !told.contains("crash mailer"), "{told}");
}

#[test]
fn a_process_that_its_supervisor_has_lost_is_found() {
    let tree = || {
        let deaf = supervision::process(|| async {
            process::trap_exits(true).unwrap();
            std::future::pending::<()>().await;
        });
        let inner = supervisor::new(Strategy::OneForOne).add(deaf.id("deaf"));
        supervisor::new(Strategy::OneForOne).add(inner.supervised().id("inner"))
    };
    let told = failure(check(tree).faults(Faults::kills().of(["inner"])));
    assert!(told.starts_with("broken: inner/deaf, the process"), "{told}");
}

#[test]
fn each_day_has_a_node_of_its_own() {
    let days = Arc::new(AtomicUsize::new(0));
    let counted = days.clone();
    let tree = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        assert!(Node::current().processes().len() <= 2, "nothing of the day before is here");
        pair(Strategy::OneForOne).start()
    };
    Check::tree(tree).cases(30).run();
    assert_eq!(days.load(Ordering::Relaxed), 30);
}

#[test]
fn a_truth_that_panics_is_a_failure() {
    let told = failure(
        check(|| pair(Strategy::OneForOne)).cases(1).always("no panic", |_| panic!("a truth with a fault")),
    );
    assert!(told.contains("a truth with a fault"), "{told}");
}
