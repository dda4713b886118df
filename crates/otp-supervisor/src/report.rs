//! Supervisor and progress reports.

use std::fmt::Display;

use erlang_process::{ExitReason, Pid, current};
use otp_actor::StartError;

use crate::semantics::{Child, Presence, Report};

/// Tells what a supervisor has met, as a tracing event.
pub(crate) fn report<I: Display>(report: &Report<I, Pid, ExitReason, StartError>) {
    let supervisor = current().unwrap_or(Pid::OUTSIDE);
    macro_rules! error {
        ($child:ident, $($field:tt)*) => {
            tracing::error!(
                target: "otp_supervisor::report",
                %supervisor,
                child = %$child.rules.id,
                pid = pid($child).map(tracing::field::display),
                restart = ?$child.rules.restart,
                $($field)*
            )
        };
    }
    match report {
        Report::Progress { child } => tracing::info!(
            target: "otp_supervisor::progress",
            %supervisor,
            child = %child.rules.id,
            pid = pid(child).map(tracing::field::display),
            "child started"
        ),
        Report::StartError { error, child } => error!(child, reason = %error, "child did not start"),
        Report::ChildTerminated { reason, child } => error!(child, %reason, "child terminated"),
        Report::ShutdownError { reason, child, count } => {
            error!(child, %reason, count, "child did not stop as asked");
        }
        Report::Unresponsive { child } => {
            error!(child, "child was killed and does not end: it never awaits, or blocks its thread");
        }
        Report::GaveUp { child } => tracing::error!(
            target: "otp_supervisor::shutdown",
            %supervisor,
            child = %child.rules.id,
            "too many restarts: supervisor gives up"
        ),
    }
}

fn pid<I>(child: &Child<I, Pid>) -> Option<Pid> {
    match child.presence {
        Presence::Running(pid) | Presence::Unresponsive(pid) => Some(pid),
        Presence::Restarting { last } => last,
        Presence::Undefined => None,
    }
}

/// What a bridge was started for has ended by itself.
pub(crate) fn bridge_ended(reason: &ExitReason) {
    let bridge = current().unwrap_or(Pid::OUTSIDE);
    tracing::error!(target: "otp_supervisor::report", %bridge, %reason, "what is bridged has ended");
}

/// A message that no supervisor understands was dropped.
pub(crate) fn unexpected(message: &str) {
    let supervisor = current().unwrap_or(Pid::OUTSIDE);
    tracing::error!(target: "otp_supervisor::report", %supervisor, message, "supervisor dropped an unexpected message");
}
