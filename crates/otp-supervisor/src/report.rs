//! Supervisor and progress reports.

use std::fmt::Display;

use erlang_process::{ExitReason, Pid, current};
use otp_actor::StartError;

use crate::semantics::{Child, Presence, Report};

/// Tells what a supervisor has met, as a tracing event.
pub(crate) fn report<I: Display>(report: &Report<I, Pid, ExitReason, StartError>) {
    macro_rules! error {
        ($child:ident, $($field:tt)*) => {
            tracing::error!(
                target: "otp_supervisor::report",
                supervisor = %this(),
                child = %$child.rules.id,
                pid = pid($child).map(tracing::field::display),
                restart = ?$child.rules.restart,
                $($field)*
            )
        };
    }
    macro_rules! progress {
        ($level:ident, $child:ident) => {
            tracing::$level!(
                target: "otp_supervisor::progress",
                supervisor = %this(),
                child = %$child.rules.id,
                pid = pid($child).map(tracing::field::display),
                "child started"
            )
        };
    }
    match report {
        Report::Progress { child, dynamic: true } => progress!(debug, child),
        Report::Progress { child, dynamic: false } => progress!(info, child),
        Report::StartError { error, child } => {
            error!(child, reason = %format_args!("{error:#}"), "child did not start")
        }
        Report::ChildTerminated { reason, child } => {
            error!(child, reason = %format_args!("{reason:#}"), "child terminated")
        }
        Report::ShutdownError { reason, child, count } => {
            error!(child, reason = %format_args!("{reason:#}"), count, "child did not stop as asked");
        }
        Report::Unresponsive { child } => {
            error!(
                child,
                "child, or a process below it, was killed and does not end: it never awaits, or blocks its thread"
            );
        }
        Report::GaveUp { child } => tracing::error!(
            target: "otp_supervisor::shutdown",
            supervisor = %this(),
            child = %child.rules.id,
            "too many restarts: supervisor gives up"
        ),
    }
}

/// The supervisor.
fn this() -> Pid {
    current().unwrap_or(Pid::OUTSIDE)
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
    tracing::error!(target: "otp_supervisor::report", bridge = %this(), reason = %format_args!("{reason:#}"), "what is bridged has ended");
}

/// A message that no supervisor understands was dropped.
pub(crate) fn unexpected(message: &str) {
    tracing::error!(target: "otp_supervisor::report", supervisor = %this(), dropped = message, "supervisor dropped an unexpected message");
}

/// A start function, or what a child was to be made from, has panicked when it was dropped.
pub(crate) fn drop_panicked(reason: &ExitReason) {
    tracing::error!(target: "otp_supervisor::report", supervisor = %this(), %reason, "what a child was started by panicked when it was dropped");
}
