//! A checker: a process for each site, which checks it for ever.

use std::time::Duration;

use tokio::time::interval;

use crate::{
    board::{BOARD, Report},
    check::Check,
};

/// How often a site is checked.
pub(crate) const EVERY: Duration = Duration::from_secs(10);

pub(crate) async fn run(site: String, check: Check) {
    let mut ticks = interval(EVERY);
    loop {
        ticks.tick().await;
        let outcome = check(site.clone()).await;
        BOARD.subject().send(Report { site: site.clone(), outcome });
    }
}
