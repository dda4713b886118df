//! What an actor reports.

use erlang_process::{ExitReason, Node, Pid, after_exit, current};
use otp_system::LoggedEvent;

/// How many of the processes that an actor is linked with are looked at for its crash report.
const NEIGHBOURS: usize = 16;

/// Reports an end that is a failure, when everyone else was told of it. Ends that were asked for are nobody's failure.
pub(crate) fn crash(
    reason: &ExitReason,
    message: Option<&'static str>,
    state: impl FnOnce() -> Option<String>,
    log: impl FnOnce() -> Vec<LoggedEvent>,
) {
    if reason.is_orderly() || !tracing::enabled!(target: "otp_actor::crash", tracing::Level::ERROR) {
        return;
    }
    let node = Node::current();
    let Some(info) = current().and_then(|pid| node.info(pid)) else { return };
    let (state, log) = (state(), log());
    // They are about to end as well.
    let neighbours: Vec<Pid> = (info.links.iter().take(NEIGHBOURS).copied())
        .filter(|pid| node.info(*pid).is_some_and(|info| !info.trapping_exits))
        .collect();
    let _ = after_exit(move |reason| {
        tracing::error!(
            target: "otp_actor::crash",
            pid = %info.pid,
            name = info.name.map(tracing::field::display),
            label = info.label.as_deref(),
            initial_call = info.initial_call,
            ancestors = ?info.ancestors,
            neighbours = (!neighbours.is_empty()).then(|| tracing::field::debug(&neighbours)),
            last_message = message,
            state,
            log = (!log.is_empty()).then(|| tracing::field::debug(&log)),
            reason = %format_args!("{reason:#}"),
            "actor ended abnormally"
        );
    });
}

/// A message that nothing was selected for was dropped.
pub(crate) fn unexpected(message: &str) {
    let pid = current().unwrap_or(Pid::OUTSIDE);
    tracing::warn!(target: "otp_actor", %pid, message, "actor dropped an unexpected message");
}
