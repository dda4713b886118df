//! The board: what is known of each site.

use std::collections::BTreeMap;

use erlang_process::{ExitReason, Name, Subject};
use otp_actor::{self as actor, StartError, Started};

use crate::check::Outcome;

/// Where the board is found, whoever runs it at the time.
pub(crate) const BOARD: Name<Report> = Name::fixed("board");

/// A site was checked.
pub(crate) struct Report {
    pub(crate) site: String,
    pub(crate) outcome: Outcome,
}

/// What is known, by site.
type Board = BTreeMap<String, Outcome>;

pub(crate) async fn start() -> Result<Started<Subject<Report>>, StartError> {
    // It traps exits, so that it is asked to end, and can say what it knew.
    actor::new(Board::new()).on_message(note).trap_exits().on_terminate(summarize).named(BOARD).start().await
}

/// Only what has changed is news.
fn note(board: &mut Board, Report { site, outcome }: Report) {
    if board.get(&site).is_none_or(|before| before.is_up() != outcome.is_up()) {
        tracing::info!(%site, %outcome, "checked");
    }
    board.insert(site, outcome);
}

fn summarize(board: &mut Board, _: &ExitReason) {
    let up = board.values().filter(|outcome| outcome.is_up()).count();
    tracing::info!(up, down = board.len() - up, "last seen");
}
