//! Crash reports.

use crate::{cell::Head, info::initial_call, name::RegisteredName, reason::ExitReason};

/// Reports the end of a process that failed by itself. Ends that were asked for, and ends by a signal, are
/// nobody's crash.
pub(crate) fn crash(head: &Head, name: Option<RegisteredName>, label: Option<&str>, reason: &ExitReason) {
    if reason.is_orderly() {
        return;
    }
    let name = name.map(tracing::field::display);
    let (ancestors, callers) = (head.ancestors(), head.callers());
    tracing::error!(
        target: "erlang_process::crash",
        pid = %head.pid,
        parent = head.parent().map(tracing::field::display),
        ancestors = (!ancestors.is_empty()).then(|| tracing::field::debug(ancestors)),
        callers = (callers != ancestors).then(|| tracing::field::debug(callers)),
        initial_call = initial_call(head),
        name,
        label,
        reason = %reason,
        "process crashed"
    );
}

/// Reports a panic in what was to be done [after the exit](crate::after_exit) of this process.
#[cold]
pub(crate) fn panicked_after_exit(head: &Head) {
    tracing::error!(
        target: "erlang_process::crash",
        pid = %head.pid,
        initial_call = initial_call(head),
        "what was left to be done after the exit has panicked"
    );
}
