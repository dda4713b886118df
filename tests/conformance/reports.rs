//! Tracing events that a test looks at.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, Once},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::{Interest, set_global_default},
};

thread_local! {
    static SEEN: RefCell<Option<Reports>> = const { RefCell::new(None) };
}

/// What is reported on this thread.
#[derive(Clone, Default)]
pub(crate) struct Reports(Arc<Mutex<Vec<Report>>>);

/// Collects as long as it is there.
pub(crate) struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        SEEN.set(None);
    }
}

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
    pub(crate) fn begin() -> (Self, Guard) {
        // One subscriber for all threads: with one for each, an event that is met for the first time just when another
        // thread's comes may be taken for one that nobody wants.
        static COLLECTOR: Once = Once::new();
        COLLECTOR.call_once(|| set_global_default(Collector).unwrap());
        tracing::callsite::rebuild_interest_cache();
        let reports = Self::default();
        SEEN.set(Some(reports.clone()));
        (reports, Guard(()))
    }

    /// Forgets those so far.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// Those of this target, so far.
    pub(crate) fn of(&self, target: &str) -> Vec<Report> {
        self.0.lock().unwrap().iter().filter(|report| report.target == target).cloned().collect()
    }
}

struct Collector;

impl Subscriber for Collector {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        SEEN.with_borrow(Option::is_some)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut report = Report { target: event.metadata().target(), fields: BTreeMap::new() };
        event.record(&mut report);
        SEEN.with_borrow(|seen| {
            if let Some(Reports(seen)) = seen {
                seen.lock().unwrap().push(report);
            }
        });
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
