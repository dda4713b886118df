//! All sites, checked once and at the same time: tasks.

use std::time::Duration;

use otp_task::{self as task, YieldOnTimeout};

use crate::check::{Check, Outcome};

/// Checks all, and waits so long for those that are slow.
pub(crate) async fn check_all(
    sites: Vec<String>,
    check: Check,
    patience: Duration,
) -> Vec<(String, Outcome)> {
    let mut tasks: Vec<_> = sites.iter().map(|site| task::spawn(check(site.clone()))).collect();
    let outcomes = task::yield_many(&mut tasks, patience).on_timeout(YieldOnTimeout::Kill).outcomes().await;
    let outcomes = outcomes.into_iter().map(|outcome| match outcome {
        Some(Ok(outcome)) => outcome,
        Some(Err(failure)) => Outcome::Down(format!("the check failed: {failure}")),
        None => Outcome::Down("no answer".into()),
    });
    sites.into_iter().zip(outcomes).collect()
}
