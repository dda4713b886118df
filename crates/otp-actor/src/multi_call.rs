//! One request to many, and one message to many.

use std::time::Duration;

use erlang_process::{CallError, Reply, Subject};
use tokio::time::Instant;

use crate::{request::send_request, requests::Requests};

/// Makes one request of many at once and waits, for as long as `timeout`, until all have answered. Returns the answers, and
/// those who gave none with the reason, each in the order in which they came.
///
/// Whom to ask is given with labels, which tell whose answer it is: the members of a
/// [group](erlang_process::Groups::subjects), names, or any other subjects.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::{Groups, Reply};
/// use otp_actor as actor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shards = Groups::new();
/// for size in [3, 4] {
///     let shard = actor::new(size).on_message(|size: &mut u32, reply: Reply<u32>| reply.send(*size)).start().await?.data;
///     shards.join("shards", &shard)?;
/// }
/// let everyone = shards.subjects("shards").into_iter().enumerate();
/// let (sizes, failed) = actor::multi_call(everyone, Duration::from_secs(1), |reply| reply).await;
/// assert_eq!(sizes.iter().map(|(_, size)| size).sum::<u32>(), 7);
/// assert!(failed.is_empty());
/// # Ok(()) }
/// ```
///
/// # Cancel safety
///
/// Dropping the future does not take the requests back; their answers are dropped.
///
/// Counterpart: `gen_server:multi_call/4`.
pub async fn multi_call<L, M, R>(
    targets: impl IntoIterator<Item = (L, Subject<M>)>,
    timeout: Duration,
    request: impl Fn(Reply<R>) -> M + Clone + Send + 'static,
) -> (Vec<(L, R)>, Vec<(L, CallError)>)
where
    M: Send + 'static,
    R: Send + 'static,
{
    let start = Instant::now();
    let mut requests = Requests::new();
    for (label, subject) in targets {
        requests.add(label, send_request(&subject, request.clone()));
    }
    let (mut answers, mut failed) = (Vec::with_capacity(requests.len()), Vec::new());
    while let Ok(Some((label, answer))) = requests.wait(timeout.saturating_sub(start.elapsed())).await {
        match answer {
            Ok(answer) => answers.push((label, answer)),
            Err(error) => failed.push((label, error)),
        }
    }
    failed.extend(requests.into_labels().map(|label| (label, CallError::Timeout)));
    (answers, failed)
}

/// Sends one message to many, made anew for each. Returns to how many it went; those who are gone get nothing, and nobody is
/// told.
///
/// For a group whose messages can be cloned there is [`Groups::send`](erlang_process::Groups::send).
///
/// ```
/// use otp_actor as actor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut shards = Vec::new();
/// for _ in 0..2 {
///     shards.push(actor::new(0).on_message(|sum: &mut u32, n: u32| *sum += n).start().await?.data);
/// }
/// assert_eq!(actor::abcast(shards, || 7), 2);
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `gen_server:abcast/3`.
pub fn abcast<M: Send + 'static>(
    targets: impl IntoIterator<Item = Subject<M>>,
    message: impl Fn() -> M,
) -> usize {
    targets.into_iter().filter(|subject| subject.try_send(message()).is_ok()).count()
}
