//! Many requests whose answers come in any order.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use erlang_process::{CallError, Elapsed, timeout as limit};

use crate::request::Request;

/// Requests that are waited for together, each with a label that tells whose answer came.
///
/// An answer is used up with its request. Looking for the next one looks only at those that may have been answered.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::Reply;
/// use otp_actor::{self as actor, Requests};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let doubler = actor::new(()).on_message(|_: &mut (), (n, reply): (u32, Reply<u32>)| reply.send(2 * n)).start().await?.data;
/// let mut requests = Requests::new();
/// for n in [1, 2, 3] {
///     requests.add(n, actor::send_request(&doubler, move |reply| (n, reply)));
/// }
/// while let Some((n, answer)) = requests.wait(Duration::from_secs(1)).await? {
///     assert_eq!(answer?, 2 * n);
/// }
/// # Ok(()) }
/// ```
///
/// Counterpart: `request_id_collection()` of `gen_server`.
#[must_use = "the answers to requests that are dropped are dropped as well"]
pub struct Requests<L, R> {
    waiting: BTreeMap<u64, (L, Request<R>, Waker)>,
    next: u64,
    woken: Arc<Woken>,
}

/// Which requests are to be looked at, and who waits for that.
#[derive(Default)]
struct Woken(Mutex<(VecDeque<u64>, Option<Waker>)>);

impl Woken {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<u64>, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Bell {
    key: u64,
    woken: Arc<Woken>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let waker = {
            let mut woken = self.woken.lock();
            woken.0.push_back(self.key);
            woken.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<L, R> Requests<L, R> {
    /// None yet.
    ///
    /// ```
    /// use otp_actor::Requests;
    ///
    /// let requests = Requests::<&str, u32>::new();
    /// assert!(requests.is_empty());
    /// ```
    ///
    /// Counterpart: `gen_server:reqids_new/0`.
    pub fn new() -> Self {
        Self { waiting: BTreeMap::new(), next: 0, woken: Arc::default() }
    }

    /// Adds a request. The label is yours, and need not be unique.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Requests};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let doubler = actor::new(()).on_message(|_: &mut (), (n, reply): (u32, Reply<u32>)| reply.send(2 * n)).start().await?.data;
    /// let mut requests = Requests::new();
    /// requests.add("twice 21", actor::send_request(&doubler, |reply| (21, reply)));
    /// assert_eq!(requests.wait(Duration::from_secs(1)).await?, Some(("twice 21", Ok(42))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `gen_server:reqids_add/3`, `gen_server:send_request/4`.
    pub fn add(&mut self, label: L, request: Request<R>) {
        let key = self.next;
        self.next += 1;
        let bell = Waker::from(Arc::new(Bell { key, woken: self.woken.clone() }));
        self.waiting.insert(key, (label, request, bell));
        // It may be answered already.
        self.woken.lock().0.push_back(key);
    }

    /// How many are not answered.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Requests};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let doubler = actor::new(()).on_message(|_: &mut (), (n, reply): (u32, Reply<u32>)| reply.send(2 * n)).start().await?.data;
    /// let mut requests = Requests::new();
    /// for n in [1, 2] {
    ///     requests.add(n, actor::send_request(&doubler, move |reply| (n, reply)));
    /// }
    /// requests.wait(Duration::from_secs(1)).await?;
    /// assert_eq!(requests.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `gen_server:reqids_size/1`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether all are answered.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Requests};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let doubler = actor::new(()).on_message(|_: &mut (), (n, reply): (u32, Reply<u32>)| reply.send(2 * n)).start().await?.data;
    /// let mut requests = Requests::new();
    /// requests.add("twice 21", actor::send_request(&doubler, |reply| (21, reply)));
    /// assert!(!requests.is_empty());
    /// requests.wait(Duration::from_secs(1)).await?;
    /// assert!(requests.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The labels of those that are not answered, in the order in which they were added.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Requests};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let doubler = actor::new(()).on_message(|_: &mut (), (n, reply): (u32, Reply<u32>)| reply.send(2 * n)).start().await?.data;
    /// let mut requests = Requests::new();
    /// for n in [1, 2] {
    ///     requests.add(n, actor::send_request(&doubler, move |reply| (n, reply)));
    /// }
    /// assert!(requests.labels().eq(&[1, 2]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `gen_server:reqids_to_list/1`.
    pub fn labels(&self) -> impl Iterator<Item = &L> {
        self.waiting.values().map(|(label, _, _)| label)
    }

    /// Abandons the requests that are not answered, and returns their labels.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Requests};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let silent = actor::new(Vec::new()).on_message(|kept: &mut Vec<_>, reply: Reply<()>| kept.push(reply));
    /// let silent = silent.start().await?.data;
    /// let mut requests = Requests::new();
    /// for village in ["Upham", "Downham"] {
    ///     requests.add(village, actor::send_request(&silent, |reply| reply));
    /// }
    /// assert!(requests.wait(Duration::from_secs(60)).await.is_err());
    /// // Who has not answered?
    /// assert!(requests.into_labels().eq(["Upham", "Downham"]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_labels(self) -> impl Iterator<Item = L> {
        self.waiting.into_values().map(|(label, _, _)| label)
    }

    /// Waits for the next answer, for as long as `timeout`. None at once if all are answered. When the time is over, all
    /// stay as they are.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Requests};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let keeper = actor::new(None).on_message(|kept: &mut Option<Reply<_>>, reply: Reply<u32>| {
    ///     // The first is answered when the second comes.
    ///     if let Some(first) = kept.replace(reply) {
    ///         first.send(1);
    ///     }
    /// });
    /// let keeper = keeper.start().await?.data;
    /// let (minute, mut requests) = (Duration::from_secs(60), Requests::new());
    /// requests.add("first", actor::send_request(&keeper, |reply| reply));
    /// assert!(requests.wait(minute).await.is_err());
    ///
    /// requests.add("second", actor::send_request(&keeper, |reply| reply));
    /// assert_eq!(requests.wait(minute).await?, Some(("first", Ok(1))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Elapsed`]: no answer came in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// Counterpart: `gen_server:wait_response/3`.
    pub async fn wait(&mut self, timeout: Duration) -> Result<Option<(L, Result<R, CallError>)>, Elapsed> {
        limit(timeout, poll_fn(|cx| self.poll_next(cx))).await
    }

    /// As [`wait`](Self::wait), but when the time is over, all are abandoned.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Requests};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let silent = actor::new(Vec::new()).on_message(|kept: &mut Vec<_>, reply: Reply<()>| kept.push(reply));
    /// let mut requests = Requests::new();
    /// requests.add("anyone?", actor::send_request(&silent.start().await?.data, |reply| reply));
    /// assert!(requests.receive(Duration::from_secs(60)).await.is_err());
    /// // It is not asked for again.
    /// assert!(requests.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Elapsed`]: no answer came in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// Counterpart: `gen_server:receive_response/3`.
    pub async fn receive(&mut self, timeout: Duration) -> Result<Option<(L, Result<R, CallError>)>, Elapsed> {
        let answered = self.wait(timeout).await;
        if answered.is_err() {
            self.waiting.clear();
        }
        answered
    }

    /// Takes the next answer that has come, if any.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor::{self as actor, Requests};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let doubler = actor::new(()).on_message(|_: &mut (), (n, reply): (u32, Reply<u32>)| reply.send(2 * n)).start().await?.data;
    /// let mut requests = Requests::new();
    /// requests.add("twice 21", actor::send_request(&doubler, |reply| (21, reply)));
    /// assert!(requests.check().is_none());
    /// // When a later one is answered, this one is.
    /// doubler.call(Duration::from_secs(1), |reply| (1, reply)).await?;
    /// assert_eq!(requests.check(), Some(("twice 21", Ok(42))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `gen_server:check_response/3`.
    pub fn check(&mut self) -> Option<(L, Result<R, CallError>)> {
        match self.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => None,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(L, Result<R, CallError>)>> {
        loop {
            if self.waiting.is_empty() {
                return Poll::Ready(None);
            }
            let key = {
                let mut woken = self.woken.lock();
                match woken.0.pop_front() {
                    Some(key) => key,
                    None => {
                        woken.1 = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                }
            };
            let Some((_, request, bell)) = self.waiting.get_mut(&key) else { continue };
            if let Poll::Ready(answer) = Pin::new(request).poll(&mut Context::from_waker(bell)) {
                return Poll::Ready(self.waiting.remove(&key).map(|(label, _, _)| (label, answer)));
            }
        }
    }
}

impl<L, R> Default for Requests<L, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: fmt::Debug, R> fmt::Debug for Requests<L, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.labels()).finish()
    }
}
