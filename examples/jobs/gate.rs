//! The gate: opens the queue when all others run, and closes it before they are asked to end.

use erlang_process::{ExitReason, Selector, trap_exits};

use crate::store::{Message, STORE};

pub(crate) async fn keep() -> Result<(), ExitReason> {
    trap_exits(true).map_err(ExitReason::error)?;
    STORE.subject().send(Message::Open(true));
    let mut exits = Selector::new().select_trapped_exits(|exit| exit.reason);
    let reason = exits.receive_forever().await.map_err(ExitReason::error)?;
    STORE.subject().send(Message::Open(false));
    Err(reason)
}
