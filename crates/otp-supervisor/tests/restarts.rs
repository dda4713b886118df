//! A supervisor restarts, gives up and stops as it should.

#![allow(clippy::unwrap_used)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Name, Node, Pid, Selector, Spawn};
use otp_actor::{StartError, Started};
use otp_supervisor::{
    ChildSpec, Restart, Shutdown, Strategy, Supervised, SupervisorError, factory_supervisor,
    static_supervisor as supervisor, supervision,
};

/// What the children of a tree have done, in order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// A child that notes its start and its end.
    fn child(&self, id: &'static str) -> ChildSpec {
        let diary = self.clone();
        supervision::process(move || {
            let noted = Noted { diary: diary.clone(), id };
            async move {
                noted.diary.write(format!("start {}", noted.id));
                std::future::pending::<()>().await;
            }
        })
        .id(id)
    }
}

struct Noted {
    diary: Diary,
    id: &'static str,
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.diary.write(format!("end {}", self.id));
    }
}

/// Waits until nothing can run.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn pid(tree: &supervisor::Supervisor, id: &'static str) -> Pid {
    tree.which_child(id).await.unwrap().unwrap().pid().unwrap()
}

async fn trio(strategy: Strategy) -> (Diary, supervisor::Supervisor) {
    let diary = Diary::default();
    let tree = supervisor::new(strategy)
        .add(diary.child("a"))
        .add(diary.child("b"))
        .add(diary.child("c"))
        .start()
        .await
        .unwrap();
    settle().await;
    assert_eq!(diary.read(), ["start a", "start b", "start c"]);
    (diary, tree.data)
}

async fn after_b_is_killed(strategy: Strategy) -> Vec<String> {
    let (diary, tree) = trio(strategy).await;
    process::kill(pid(&tree, "b").await);
    settle().await;
    let lines = diary.read();
    tree.stop().await.unwrap();
    assert_eq!(diary.read(), ["end c", "end b", "end a"]);
    lines
}

#[tokio::test(start_paused = true)]
async fn supr_05_one_for_one_restarts_the_one() {
    assert_eq!(after_b_is_killed(Strategy::OneForOne).await, ["end b", "start b"]);
}

#[tokio::test(start_paused = true)]
async fn supr_07_rest_for_one_restarts_the_rest() {
    let lines = after_b_is_killed(Strategy::RestForOne).await;
    assert_eq!(lines, ["end b", "end c", "start b", "start c"]);
}

#[tokio::test(start_paused = true)]
async fn supr_06_one_for_all_restarts_all() {
    let lines = after_b_is_killed(Strategy::OneForAll).await;
    assert_eq!(lines, ["end b", "end c", "end a", "start a", "start b", "start c"]);
}

#[tokio::test(start_paused = true)]
async fn who_stops_a_supervisor_that_it_has_started_goes_on() {
    // They do not trap exits.
    let reasons = process::run(async {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = heard.clone();
        let child = supervision::process(move || {
            let heard = hearing.clone();
            async move {
                process::trap_exits(true).unwrap();
                let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await.unwrap();
                heard.lock().unwrap().push(exit.reason.clone());
                exit.reason
            }
        });
        let tree = supervisor::new(Strategy::OneForOne).add(child).start().await.unwrap();
        settle().await;
        let ended = process::monitor(tree.pid).unwrap();
        tree.data.stop().await.unwrap();
        settle().await;
        let ended = ended.down().await.unwrap().reason;
        (heard.lock().unwrap().remove(0), ended)
    });
    assert_eq!(reasons.await, Ok((ExitReason::Shutdown, ExitReason::Normal)));

    let factory = process::run(async {
        let start =
            |()| async { Ok(Started { pid: process::spawn(std::future::pending::<()>()), data: () }) };
        let factory = factory_supervisor::worker(start).start().await.unwrap().data;
        factory.start_child(()).await.unwrap();
        factory.stop().await.unwrap();
        settle().await;
    });
    assert_eq!(factory.await, Ok(()));
}

/// A supervisor that starts for one second, and what its first child is asked to end with. The child heeds nothing but `shutdown`, and
/// takes a second for that.
fn slow_to_start() -> (supervisor::Builder, Arc<Mutex<Vec<ExitReason>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = heard.clone();
    let careful = supervision::process(move || {
        let heard = hearing.clone();
        async move {
            process::trap_exits(true).unwrap();
            loop {
                let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await.unwrap();
                heard.lock().unwrap().push(exit.reason.clone());
                if exit.reason == ExitReason::Shutdown {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    return;
                }
            }
        }
    });
    let slow = supervision::worker(|| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Started { pid: process::spawn(std::future::pending::<()>()), data: () })
    });
    (supervisor::new(Strategy::OneForOne).add(careful).add(slow), heard)
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_whose_start_is_dropped_stops_its_children_in_order() {
    let node = Node::new();
    let (builder, heard) = slow_to_start();
    let dropping = node.run(async {
        let half_a_second = Duration::from_millis(500);
        assert!(tokio::time::timeout(half_a_second, builder.start()).await.is_err());
        settle().await;
        let stopping = Node::current().processes().len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (stopping, Node::current().processes().len())
    });
    assert_eq!(dropping.await.unwrap(), (3, 1));
    assert_eq!(*heard.lock().unwrap(), [ExitReason::Shutdown]);

    // Outside of any process, and in a tree: a supervisor that is being started is given up by the one above.
    let (builder, heard) = slow_to_start();
    let outer = supervisor::new(Strategy::OneForOne).add(builder.supervised());
    assert!(tokio::time::timeout(Duration::from_millis(500), outer.start()).await.is_err());
    settle().await;
    assert_eq!(*heard.lock().unwrap(), [ExitReason::Shutdown]);
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_whose_parent_ends_while_it_starts_stops_its_children_in_order() {
    for reason in [ExitReason::Kill, ExitReason::error("boom")] {
        let node = Node::new();
        let (builder, heard) = slow_to_start();
        let left = node.run(async {
            let parent = process::spawn_unlinked(async { builder.start().await.map(drop).unwrap() });
            settle().await;
            process::send_exit(parent, reason);
            tokio::time::sleep(Duration::from_secs(2)).await;
            Node::current().processes().len()
        });
        assert_eq!(left.await.unwrap(), 1);
        assert_eq!(*heard.lock().unwrap(), [ExitReason::Shutdown]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_gives_up_and_its_parent_hears_shutdown() {
    let node = Node::new();
    node.run(async {
        process::trap_exits(true).unwrap();
        let (diary, tree) = trio(Strategy::OneForOne).await;
        for _ in 0..2 {
            process::kill(pid(&tree, "b").await);
            settle().await;
        }
        let exit = Selector::new().select_trapped_exits(|exit| exit).receive_forever().await.unwrap();
        assert_eq!(exit.reason, ExitReason::Shutdown);
        assert_eq!(diary.read(), ["end b", "start b", "end b", "end c", "end a"]);
    })
    .await
    .unwrap();
    assert!(node.processes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_start_rolls_the_others_back() {
    let diary = Diary::default();
    let fails = supervision::worker(|| async { Err::<Started<()>, _>(StartError::failed("no")) }).id("b");
    let node = Node::new();
    let error = node
        .run({
            let diary = diary.clone();
            async move {
                supervisor::new(Strategy::OneForOne)
                    .add(diary.child("a"))
                    .add(fails)
                    .start()
                    .await
                    .unwrap_err()
            }
        })
        .await
        .unwrap();
    assert_eq!(
        error.to_string(),
        "the initialiser failed: the child b did not start: the initialiser failed: no"
    );
    assert!(node.processes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_traps_is_given_its_patience_and_then_killed() {
    let stubborn = |patience| {
        supervision::process(|| async {
            process::trap_exits(true).unwrap();
            std::future::pending::<()>().await;
        })
        .shutdown(patience)
    };
    let tree = supervisor::new(Strategy::OneForOne)
        .add(stubborn(Shutdown::After(Duration::from_secs(3))))
        .add(stubborn(Shutdown::BrutalKill))
        .start()
        .await
        .unwrap();
    settle().await;
    let before = tokio::time::Instant::now();
    tree.data.stop().await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn children_come_and_go_by_id() {
    let tree = supervisor::new(Strategy::OneForOne).start().await.unwrap().data;
    let spec = || supervision::process(std::future::pending::<()>).id("x");
    let first = tree.start_child(spec()).await.unwrap();
    let again = tree.start_child(spec()).await;
    assert_eq!(again.unwrap_err(), SupervisorError::AlreadyStarted(first.pid));
    assert_eq!(tree.restart_child("x").await, Err(SupervisorError::Running));
    assert_eq!(tree.delete_child("x").await, Err(SupervisorError::Running));
    tree.terminate_child("x").await.unwrap();
    assert!(!process::is_alive(first.pid));
    assert_eq!(tree.start_child(spec()).await.unwrap_err(), SupervisorError::AlreadyPresent);
    assert!(tree.restart_child("x").await.unwrap().is_some());
    tree.terminate_child("x").await.unwrap();
    tree.delete_child("x").await.unwrap();
    assert_eq!(tree.terminate_child("x").await, Err(SupervisorError::NotFound));
    tree.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_factory_restarts_with_the_argument_and_stops_all_at_once() {
    let names: Vec<Name<()>> = (0..10).map(|_| Name::new("child")).collect();
    let factory = factory_supervisor::worker(|name: Name<()>| async move {
        let body = async {
            process::trap_exits(true).unwrap();
            std::future::pending::<()>().await;
        };
        let pid = Spawn::new().named(name).spawn(body).map_err(StartError::failed)?;
        Ok(Started { pid, data: () })
    })
    .start()
    .await
    .unwrap()
    .data;
    for name in &names {
        factory.start_child(*name).await.unwrap();
    }
    let first = process::whereis(names[0]).unwrap();
    process::kill(first);
    settle().await;
    assert!(process::whereis(names[0]).is_some_and(|pid| pid != first));
    assert_eq!(factory.count_children().await.unwrap().active, 10);
    let before = tokio::time::Instant::now();
    factory.stop().await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(5));
}

/// What a builder is told last holds, and a child's own word before that.
#[tokio::test(start_paused = true)]
async fn a_factory_restarts_as_it_is_told() {
    use Restart::{Permanent, Temporary, Transient};

    let start = |name: Name<()>| async move {
        let pid = Spawn::new().named(name).spawn(std::future::pending::<()>()).map_err(StartError::failed)?;
        Ok(Started { pid, data: () })
    };
    let (worker, temporary) = (factory_supervisor::worker(start), factory_supervisor::temporary(start));
    let cases = [
        (worker.clone(), None, Transient),
        (worker.clone().restart(Permanent), None, Permanent),
        (worker.clone().restart(Temporary), None, Temporary),
        (worker.restart(Temporary), Some(Permanent), Permanent),
        (temporary.clone(), None, Temporary),
        (temporary.clone(), Some(Transient), Transient),
        (temporary.clone().restart(Permanent), None, Permanent),
        (temporary.restart(Permanent), Some(Temporary), Temporary),
    ];
    for (factory, own, expected) in cases {
        let factory = factory.start().await.unwrap().data;
        let name = Name::new("child");
        let child = match own {
            None => factory.start_child(name).await,
            Some(restart) => factory.start_child_with(name, restart).await,
        };
        let pid = child.unwrap().pid;
        assert_eq!(factory.which_child(pid).await.unwrap().unwrap().rules.restart, expected);
        process::kill(pid);
        settle().await;
        assert_eq!(process::whereis(name).is_some(), expected != Temporary, "{expected:?}");
        factory.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_temporary_child_gets_its_argument_moved_in() {
    struct NotClone;
    let factory = factory_supervisor::temporary(|argument: NotClone| async {
        let pid = process::spawn(async move {
            let _kept = argument;
            std::future::pending::<()>().await;
        });
        Ok(Started { pid, data: () })
    })
    .max_children(1)
    .start()
    .await
    .unwrap()
    .data;
    let child = factory.start_child(NotClone).await.unwrap();
    assert!(matches!(factory.start_child(NotClone).await, Err(SupervisorError::MaxChildren)));
    process::kill(child.pid);
    settle().await;
    assert_eq!(factory.count_children().await.unwrap().active, 0);
    factory.terminate_child(child.pid).await.unwrap();
    factory.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_transient_child_that_is_done_stays_listed() {
    let tree = supervisor::new(Strategy::OneForOne)
        .add(supervision::process(|| async {}).id("done").restart(Restart::Transient))
        .start()
        .await
        .unwrap()
        .data;
    settle().await;
    let child = tree.which_child("done").await.unwrap().unwrap();
    assert_eq!((child.pid(), child.restarts), (None, 0));
    tree.stop().await.unwrap();
}

#[tokio::test]
async fn a_factory_of_functions_moves_each_argument_into_a_process_and_restarts_none() {
    // What cannot be cloned.
    struct Letter(tokio::sync::oneshot::Sender<Pid>);
    Node::new()
        .run(async {
            let factory = factory_supervisor::process(|Letter(to): Letter| async move {
                to.send(process::current().unwrap()).unwrap();
                Err::<(), _>("lost")
            });
            let factory = factory.start().await.unwrap().data;
            for _ in 0..3 {
                let (to, delivered) = tokio::sync::oneshot::channel();
                let child = factory.start_child(Letter(to)).await.unwrap();
                assert_eq!(delivered.await, Ok(child.pid));
            }
            while !factory.which_children().await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn supervisors_are_told_apart_by_what_they_run() {
    let node = Node::new();
    let inner = node.clone();
    node.run(async move {
        let runs = |pid| inner.info(pid).unwrap().initial_call;
        let tree = supervisor::new(Strategy::OneForOne).start().await.unwrap();
        assert_eq!(runs(tree.pid), "otp_supervisor::static_supervisor");
        let factory = factory_supervisor::process(|()| async {}).start().await.unwrap();
        assert_eq!(runs(factory.pid), "otp_supervisor::factory_supervisor");
    })
    .await
    .unwrap();
}
