//! Where `erlang-process` differs from Erlang on purpose, as the table in `ARCHITECTURE.md` says: each difference is
//! turned here into what Erlang would have answered. Nothing else may differ.

use std::fmt::Debug;

use erlang_process::{LinkError, NotRegistered, RegisterError, SendError};

/// Linking to a dead process, not trapping: an error that is returned, not raised.
pub(crate) fn link_error(error: LinkError) -> String {
    match error {
        LinkError::NoProc => "noproc".to_owned(),
        other => unexpected(other),
    }
}

/// Sending to a name that nobody holds: the message comes back, nothing is raised.
pub(crate) fn send_error<M>(_: SendError<M>) -> String {
    "badarg".to_owned()
}

/// Registering what cannot be: an error that says why, where Erlang raises one that does not.
pub(crate) fn register_error(_: RegisterError) -> String {
    "badarg".to_owned()
}

/// The same for a name that nobody holds.
pub(crate) fn not_registered(_: NotRegistered) -> String {
    "badarg".to_owned()
}

/// Whether a monitor was active is always said, not only when asked for.
pub(crate) fn demonitored(active: bool, asked: bool) -> bool {
    active || !asked
}

fn unexpected(error: impl Debug) -> String {
    format!("{error:?}")
}
