//! The supervision tree.

use otp_actor::{StartError, Started};
use otp_supervisor::{
    Strategy,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};

use crate::{board, check::Check, checker};

pub(crate) async fn start(sites: Vec<String>, check: Check) -> Result<Started<Supervisor>, StartError> {
    supervisor::new(Strategy::RestForOne)
        .add(supervision::worker(board::start).id("board"))
        .add(supervision::supervisor(move || checkers(sites.clone(), check)).id("checkers"))
        .start()
        .await
}

async fn checkers(sites: Vec<String>, check: Check) -> Result<Started<Supervisor>, StartError> {
    let checker = |site: String| {
        let id = site.clone();
        supervision::process(move || checker::run(site.clone(), check)).id(id)
    };
    let checkers = supervisor::new(Strategy::OneForOne);
    sites.into_iter().map(checker).fold(checkers, supervisor::Builder::add).start().await
}
