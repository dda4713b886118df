//! The board: what is known of each site.

use std::collections::BTreeMap;

use erlang_process::{Name, Reply, Subject};
use otp_actor::{self as actor, StartError, Started};

use crate::check::Outcome;

/// Where the board is found, whoever runs it at the time.
pub(crate) const BOARD: Name<Message> = Name::fixed("board");

/// What is known, by site.
pub(crate) type Board = BTreeMap<String, Outcome>;

pub(crate) enum Message {
    /// A site was checked.
    Report(String, Outcome),
    /// All that is known.
    All(Reply<Board>),
}

pub(crate) async fn start() -> Result<Started<Subject<Message>>, StartError> {
    actor::new(Board::new()).on_message(handle).named(BOARD).start().await
}

fn handle(board: &mut Board, message: Message) {
    match message {
        Message::Report(site, outcome) => {
            let before = board.insert(site.clone(), outcome.clone());
            if before.is_none_or(|before| before.is_up() != outcome.is_up()) {
                tracing::info!(%site, %outcome, "checked");
            }
        }
        Message::All(reply) => reply.send(board.clone()),
    }
}
