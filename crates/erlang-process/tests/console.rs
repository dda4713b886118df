//! The names under which tokio-console shows processes: what tokio tells of its tasks, read as the console does.
#![cfg(all(feature = "tokio-console", tokio_unstable))]

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use erlang_process::{self as process, Name, Spawn, Subject};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// The names of the tasks that were spawned.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<String>>>);

impl Subscriber for Names {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.name() == "runtime.spawn"
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut self.clone());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Visit for Names {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "task.name" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

async fn worker() {}

fn blocker(_: Subject<()>) {}

#[tokio::test]
async fn a_task_is_called_by_the_pid_and_the_name_the_label_or_the_function() {
    let names = Names::default();
    let subscriber = tracing::subscriber::set_default(names.clone());
    let plain = process::spawn(worker());
    let labelled = Spawn::new().label("a worker").spawn(worker()).unwrap();
    let named = Spawn::new().label("hidden").named(Name::<()>::fixed("board")).spawn(worker()).unwrap();
    let blocking = process::spawn_blocking(blocker).pid().unwrap();
    for pid in [plain, labelled, named, blocking] {
        process::join(pid).await;
    }
    drop(subscriber);
    let names = names.0.lock().unwrap();
    for expected in [
        format!("{plain} console::worker"),
        format!("{labelled} a worker"),
        format!("{named} board"),
        format!("{blocking} console::blocker"),
    ] {
        assert!(names.contains(&expected), "{expected} is not among {names:?}");
    }
}
