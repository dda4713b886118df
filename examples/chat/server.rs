//! The server: its tree of supervisors.

use std::time::Duration;

use otp_actor::{StartError, Started};
use otp_supervisor::{
    Strategy,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};

use crate::{
    directory, history,
    listener::{self, Address},
    options::Options,
    room, session, tree,
};

/// Starts the tree and says where the server listens.
pub(crate) async fn start(options: Options) -> Result<Started<Supervisor>, StartError> {
    let Options { host, port, max_clients } = options;
    let address = Address::new(host, port);
    let listening = address.clone();
    let tree = supervisor::new(Strategy::RestForOne)
        .named(tree::ROOT)
        .restart_tolerance(5, Duration::from_secs(10))
        .add(supervision::worker(history::start).id("history"))
        .add(supervision::worker(directory::start).id("directory"))
        .add(supervision::supervisor(room::start_factory).id("rooms"))
        .add(supervision::supervisor(move || session::start_factory(max_clients)).id("sessions"))
        .add(supervision::worker(move || listener::start(listening.clone())).id("listener"))
        .start()
        .await?;
    if let Some(address) = address.bound() {
        eprintln!("chat: listening on {address}");
    }
    Ok(tree)
}
