//! Crash reports.

use crate::{
    cell::Head,
    info::initial_call,
    name::RegisteredName,
    reason::{ExitReason, Panic},
};

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
        reason = %format_args!("{reason:#}"),
        "process crashed"
    );
}

/// Reports a panic of this process that is not the reason of its end, which was decided before: in a destructor, or by code
/// that went on after a kill.
#[cold]
pub(crate) fn panicked_while_ending(head: &Head, panic: &Panic) {
    tracing::error!(
        target: "erlang_process::crash",
        pid = %head.pid,
        initial_call = initial_call(head),
        %panic,
        "process panicked when its end was decided"
    );
}

/// Reports a panic in what was to be done [after the exit](crate::after_exit) of this process.
#[cold]
pub(crate) fn panicked_after_exit(head: &Head, panic: &Panic) {
    tracing::error!(
        target: "erlang_process::crash",
        pid = %head.pid,
        initial_call = initial_call(head),
        %panic,
        "what was left to be done after the exit has panicked"
    );
}
