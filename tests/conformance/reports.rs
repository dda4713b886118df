//! Tracing events that a test looks at.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::{DefaultGuard, set_default},
};

/// What is reported on this thread.
pub(crate) struct Reports(Arc<Mutex<Vec<Report>>>);

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    target: &'static str,
    fields: BTreeMap<&'static str, String>,
}

impl Report {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Reports {
    /// From now on, until the guard is dropped.
    pub(crate) fn begin() -> (Self, DefaultGuard) {
        let seen = Arc::<Mutex<Vec<Report>>>::default();
        let guard = set_default(Collector(seen.clone()));
        (Self(seen), guard)
    }

    /// Those of this target, so far.
    pub(crate) fn of(&self, target: &str) -> Vec<Report> {
        self.0.lock().unwrap().iter().filter(|report| report.target == target).cloned().collect()
    }
}

struct Collector(Arc<Mutex<Vec<Report>>>);

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut report = Report { target: event.metadata().target(), fields: BTreeMap::new() };
        event.record(&mut report);
        self.0.lock().unwrap().push(report);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Visit for Report {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}
