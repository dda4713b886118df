//! What a running supervisor tells the log: each event with its level, its target, its message and its fields.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fmt,
    future::pending,
    io,
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use erlang_process::{self as process, ExitReason, Node, Pid, Selector, Spawn, Subject};
use otp_actor::{StartError, Started};
use otp_supervisor::{
    ChildSpec, Restart, Shutdown, Strategy, application, factory_supervisor, static_supervisor as supervisor,
    supervision,
    supervisor_bridge::{self, Bridge},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// One event of this crate.
#[derive(Debug)]
struct Seen {
    level: Level,
    target: &'static str,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        // Where a panic was is only told after somebody has captured panics.
        let text =
            if text.starts_with("panicked") { text.rsplit(": ").next().unwrap_or_default() } else { &text };
        self.fields.insert(field.name(), text.to_owned());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Seen>>>);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("otp_supervisor")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let mut seen = Seen { level, target, fields: BTreeMap::new() };
        event.record(&mut seen);
        self.0.lock().unwrap().push(seen);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Who reports, if that can be known, and of which process.
type Whose = (Option<Pid>, Option<Pid>);

struct Case {
    event: (Level, &'static str, &'static str),
    /// The fields beside the supervisor, the message and the process.
    fields: &'static [(&'static str, &'static str)],
    what: fn() -> Pin<Box<dyn Future<Output = Whose> + Send>>,
}

const REPORT: &str = "otp_supervisor::report";
const PROGRESS: &str = "otp_supervisor::progress";

#[tokio::test(start_paused = true)]
async fn every_report_of_a_supervisor() {
    let cases = [
        Case {
            event: (Level::INFO, PROGRESS, "child started"),
            fields: &[("child", "a")],
            what: || Box::pin(async { started([idle("a")]).await }),
        },
        Case {
            event: (Level::DEBUG, PROGRESS, "child started"),
            fields: &[("child", "a")],
            what: || {
                Box::pin(async {
                    let tree = supervisor::new(Strategy::OneForOne).start().await.unwrap();
                    (Some(tree.pid), Some(tree.data.start_child(idle("a")).await.unwrap().pid))
                })
            },
        },
        Case {
            event: (Level::ERROR, REPORT, "child terminated"),
            fields: &[("child", "a"), ("restart", "Transient"), ("reason", "boom")],
            what: || {
                Box::pin(async {
                    let whose = started([idle("a").restart(Restart::Transient)]).await;
                    process::send_exit(whose.1.unwrap(), ExitReason::error("boom"));
                    settle().await;
                    whose
                })
            },
        },
        Case {
            event: (Level::ERROR, REPORT, "child did not start"),
            fields: &[("child", "a"), ("restart", "Permanent"), ("reason", "the initialiser failed: no")],
            what: || {
                Box::pin(async {
                    let broken =
                        supervision::worker(|| async { Err::<Started<()>, _>(StartError::failed("no")) });
                    let error = supervisor::new(Strategy::OneForOne).add(broken.id("a")).start().await;
                    assert!(error.is_err());
                    (None, None)
                })
            },
        },
        Case {
            event: (Level::ERROR, REPORT, "child did not stop as asked"),
            fields: &[("child", "a"), ("restart", "Permanent"), ("reason", "normal"), ("count", "1")],
            what: || {
                Box::pin(async {
                    let child = supervision::process(|| async {
                        process::trap_exits(true).unwrap();
                        let asked = Selector::new().select_trapped_exits(drop).receive_forever().await;
                        asked.unwrap();
                    });
                    let tree = supervisor::new(Strategy::OneForOne).add(child.id("a")).start().await.unwrap();
                    settle().await;
                    let child = tree.data.which_child("a").await.unwrap().unwrap().pid();
                    tree.data.terminate_child("a").await.unwrap();
                    (Some(tree.pid), child)
                })
            },
        },
        Case {
            event: (
                Level::ERROR,
                REPORT,
                "child, or a process below it, was killed and does not end: it never awaits, or blocks its thread",
            ),
            fields: &[("child", "a"), ("restart", "Permanent")],
            what: || Box::pin(unresponsive()),
        },
        Case {
            event: (Level::ERROR, "otp_supervisor::shutdown", "too many restarts: supervisor gives up"),
            fields: &[("child", "a")],
            what: || {
                Box::pin(async {
                    let tree = supervisor::new(Strategy::OneForOne).add(idle("a"));
                    let tree = tree.restart_tolerance(0, Shutdown::KILL_PATIENCE).start().await.unwrap();
                    let child = tree.data.which_child("a").await.unwrap().unwrap();
                    process::kill(child.pid().unwrap());
                    settle().await;
                    (Some(tree.pid), None)
                })
            },
        },
        Case {
            event: (Level::ERROR, REPORT, "supervisor dropped an unexpected message"),
            fields: &[("dropped", "a message to the pid")],
            what: || {
                Box::pin(async {
                    let whose = started([idle("a")]).await;
                    Subject::to_pid(whose.0.unwrap()).unwrap().send("anything");
                    settle().await;
                    (whose.0, None)
                })
            },
        },
        Case {
            event: (Level::ERROR, REPORT, "what a child was started by panicked when it was dropped"),
            fields: &[("reason", "dropped")],
            what: || {
                Box::pin(async {
                    let start = |_: Bomb| async { Err::<Started<()>, _>(StartError::Ignored) };
                    let none = factory_supervisor::temporary(start).max_children(0).start().await.unwrap();
                    assert!(none.data.start_child(Bomb).await.is_err());
                    (Some(none.pid), None)
                })
            },
        },
    ];
    for Case { event: (level, target, message), fields, what } in cases {
        let collector = Collector::default();
        let guard = tracing::subscriber::set_default(collector.clone());
        let node = Node::new();
        let (supervisor, child) = node
            .run(async move {
                process::trap_exits(true).unwrap();
                what().await
            })
            .await
            .unwrap();
        drop(guard);
        let seen = collector.0.lock().unwrap();
        let is_it = |seen: &&Seen| {
            (seen.level, seen.target, seen.fields["message"].as_str()) == (level, target, message)
        };
        let its: Vec<_> = seen.iter().filter(is_it).collect();
        assert_eq!(its.len(), 1, "{message}: {seen:?}");
        let mut expected: BTreeMap<_, _> =
            fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        expected.insert("message", message.to_owned());
        let supervisor =
            supervisor.map_or_else(|| its[0].fields["supervisor"].clone(), |pid| pid.to_string());
        expected.insert("supervisor", supervisor);
        expected.extend(child.map(|pid| ("pid", pid.to_string())));
        assert_eq!(its[0].fields, expected, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_bridge_and_an_application_tell() {
    struct Done;

    impl Bridge for Done {
        async fn ended(&mut self) -> ExitReason {
            ExitReason::error("done")
        }

        async fn terminate(self, _: ExitReason) {}
    }

    let collector = Collector::default();
    let _guard = tracing::subscriber::set_default(collector.clone());
    let node = Node::new();
    let bridge = node.run(async {
        process::trap_exits(true).unwrap();
        let bridge =
            supervisor_bridge::new(|| async { Ok::<_, io::Error>(Some(Done)) }).start().await.unwrap();
        process::join(bridge.pid).await;
        bridge.pid
    });
    let bridge = bridge.await.unwrap();
    let seen = std::mem::take(&mut *collector.0.lock().unwrap());
    let [Seen { level: Level::ERROR, target: REPORT, fields }] = &*seen else { panic!("{seen:?}") };
    let expected = [
        ("bridge", bridge.to_string()),
        ("message", "what is bridged has ended".to_owned()),
        ("reason", "done".to_owned()),
    ];
    assert_eq!(*fields, expected.into());

    let root = || supervisor::new(Strategy::OneForOne).start();
    let failing = application::new(root).start_phase("open", || async { Err::<(), _>("it is closed") });
    assert!(failing.run().await.is_err());
    let seen = std::mem::take(&mut *collector.0.lock().unwrap());
    let [Seen { level: Level::INFO, target: "otp_supervisor::application", fields }] = &*seen else {
        panic!("{seen:?}")
    };
    assert_eq!(*fields, [("message", "stopping".to_owned())].into());
}

fn idle(id: &'static str) -> ChildSpec {
    supervision::process(pending::<()>).id(id)
}

/// A supervisor of this child, and the child's process.
async fn started(child: [ChildSpec; 1]) -> Whose {
    let [child] = child;
    let tree = supervisor::new(Strategy::OneForOne).add(child).start().await.unwrap();
    let children = tree.data.which_children().await.unwrap();
    (Some(tree.pid), children[0].pid())
}

/// Waits until nothing can run.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// Of a child that blocks its thread while its supervisor ends.
async fn unresponsive() -> Whose {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let elsewhere = runtime.handle().clone();
    let (let_go, gone) = mpsc::channel::<()>();
    let (blocking, blocks) = mpsc::channel();
    let mut body = Some(async move {
        blocking.send(()).unwrap();
        gone.recv().unwrap();
    });
    let child = supervision::worker(move || {
        let _elsewhere = elsewhere.enter();
        let pid = Spawn::new().spawn(body.take().unwrap()).unwrap();
        async move { Ok(Started { pid, data: () }) }
    });
    let (tree, child) = started([child.id("a").shutdown(Shutdown::BrutalKill)]).await;
    blocks.recv().unwrap();
    otp_actor::stop(tree.unwrap(), ExitReason::Normal, std::time::Duration::MAX).await.unwrap();
    let_go.send(()).unwrap();
    thread::spawn(|| drop(runtime)).join().unwrap();
    (tree, child)
}
