//! Where a process comes from.

use std::iter;

use crate::{pid::Pid, sync::Arc};

/// How many ancestors and callers of a process are remembered, so that a line of processes in which each spawns the
/// next does not remember ever more.
const MOST: usize = 16;

/// Who has spawned a process, and on whose behalf. One value for all that a process spawns, so that who has many
/// children pays once, and who has none nothing.
#[derive(Clone)]
pub(crate) struct Lineage {
    /// The parent, that one's parent, and so on.
    ancestors: Arc<[Pid]>,
    /// Who has asked for the process, on whose behalf that one runs, and so on; `None` where they are the ancestors.
    callers: Option<Arc<[Pid]>>,
}

impl Lineage {
    /// That of the processes which this one spawns.
    pub(crate) fn below(pid: Pid, own: Option<&Self>) -> Self {
        let below = |above: &[Pid]| iter::once(pid).chain(above.iter().copied()).take(MOST).collect();
        Self {
            ancestors: below(own.map_or(&[], Self::ancestors)),
            callers: own.and_then(|own| own.callers.as_deref()).map(below),
        }
    }

    /// That of a process which the one with this lineage spawns on behalf of these.
    pub(crate) fn on_behalf_of(own: Option<&Self>, callers: Arc<[Pid]>) -> Self {
        Self { ancestors: own.map(|own| own.ancestors.clone()).unwrap_or_default(), callers: Some(callers) }
    }

    pub(crate) fn ancestors(&self) -> &[Pid] {
        &self.ancestors
    }

    pub(crate) fn callers(&self) -> &[Pid] {
        self.callers.as_ref().unwrap_or(&self.ancestors)
    }
}

/// The nearest of these, as many as are remembered.
pub(crate) fn nearest(callers: &[Pid]) -> Arc<[Pid]> {
    callers.iter().copied().take(MOST).collect()
}
