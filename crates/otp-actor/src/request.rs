//! Requests whose answers are waited for later.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use erlang_process::{CallError, Reply, SendError, Subject, current, timeout as limit};
use tokio::sync::oneshot;

/// Sends a request and returns at once; its answer is waited for later, or never. What a call would have failed with is told
/// by the answer.
///
/// ```
/// use std::time::Duration;
/// use erlang_process::Reply;
/// use otp_actor as actor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let doubler = actor::new(()).on_message(|_: &mut (), (n, reply): (u32, Reply<u32>)| reply.send(2 * n)).start().await?.data;
/// let request = actor::send_request(&doubler, |reply| (21, reply));
/// // Meanwhile something else.
/// assert_eq!(request.receive(Duration::from_secs(1)).await?, 42);
/// # Ok(()) }
/// ```
///
/// Each request is one allocation. A process may send one to itself, which is a few more, and has its answer when it has
/// handled the message.
///
/// Counterpart: `gen_server:send_request/2`.
pub fn send_request<M, R>(
    subject: &Subject<M>,
    request: impl FnOnce(Reply<R>) -> M + Send + 'static,
) -> Request<R>
where
    M: Send + 'static,
    R: Send + 'static,
{
    if current().is_some_and(|pid| subject.pid() == Some(pid)) {
        return Request { answer: to_oneself(subject, request) };
    }
    let subject = subject.clone();
    let mut request = Request {
        answer: Answer::Awaited(Box::pin(async move { subject.call(Duration::MAX, request).await })),
    };
    // A call sends when it is first polled. Nobody waits yet.
    if let Poll::Ready(answer) = Pin::new(&mut request).poll(&mut Context::from_waker(Waker::noop())) {
        request.answer = Answer::There(Some(answer));
    }
    request
}

/// Sends a request to the calling process, which does not call itself.
fn to_oneself<M, R>(subject: &Subject<M>, request: impl FnOnce(Reply<R>) -> M) -> Answer<R>
where
    M: Send + 'static,
    R: Send + 'static,
{
    let (replied, reply) = oneshot::channel();
    let request = request(Reply::new(move |value| drop(replied.send(value))));
    match subject.try_send(request) {
        Ok(()) => Answer::Awaited(Box::pin(async move { reply.await.map_err(|_| CallError::Unanswered) })),
        Err(SendError::Full(_)) => Answer::There(Some(Err(CallError::Full))),
        Err(_) => Answer::There(Some(Err(CallError::NoProc))),
    }
}

/// A request that was [sent](send_request) and whose answer has not been received.
///
/// It is used up by being answered, which therefore happens once. Dropping it abandons the request: the actor still does
/// what was asked, and its answer is dropped. As a future it waits for its answer for ever.
///
/// ```
/// use erlang_process::Reply;
/// use otp_actor as actor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let echo = actor::new(()).on_message(|(): &mut (), (n, reply): (u32, Reply<u32>)| reply.send(n)).start().await?.data;
/// // Both are on their way before either is waited for.
/// let (one, other) = (actor::send_request(&echo, |reply| (1, reply)), actor::send_request(&echo, |reply| (2, reply)));
/// assert_eq!((other.await, one.await), (Ok(2), Ok(1)));
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `request_id()` of `gen_server`.
#[must_use = "the answer to a request that is dropped is dropped as well"]
pub struct Request<R> {
    answer: Answer<R>,
}

enum Answer<R> {
    Awaited(Pin<Box<dyn Future<Output = Result<R, CallError>> + Send>>),
    /// None once it was received.
    There(Option<Result<R, CallError>>),
}

impl<R> Request<R> {
    /// Waits for the answer, for as long as `timeout`. If it has not come by then, the request is abandoned.
    ///
    /// ```
    /// use erlang_process::{CallError, Reply};
    /// use otp_actor as actor;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let keeper = actor::new(Vec::new()).on_message(|kept: &mut Vec<_>, reply: Reply<()>| kept.push(reply));
    /// let request = actor::send_request(&keeper.start().await?.data, |reply| reply);
    /// assert_eq!(request.receive(Duration::from_millis(1)).await, Err(CallError::Timeout));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`], as a call.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request.
    ///
    /// Counterpart: `gen_server:receive_response/2`.
    pub async fn receive(self, timeout: Duration) -> Result<R, CallError> {
        limit(timeout, self).await.unwrap_or(Err(CallError::Timeout))
    }

    /// Waits for the answer, for as long as `timeout`, or gives the request back, to be tried again.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor as actor;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let echo = actor::new(()).on_message(|(): &mut (), (n, reply): (u32, Reply<u32>)| reply.send(n));
    /// let request = actor::send_request(&echo.start().await?.data, |reply| (7, reply));
    /// match request.wait(Duration::from_secs(1)).await {
    ///     Ok(answer) => assert_eq!(answer, Ok(7)),
    ///     Err(_request) => println!("not yet: it can be waited for again"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The request, if it was not answered in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request; to wait beside something else, poll `&mut` of it.
    ///
    /// Counterpart: `gen_server:wait_response/2`.
    pub async fn wait(mut self, timeout: Duration) -> Result<Result<R, CallError>, Self> {
        match limit(timeout, &mut self).await {
            Ok(answer) => Ok(answer),
            Err(_) => Err(self),
        }
    }

    /// Takes the answer if it has come, or gives the request back.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_actor as actor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let echo = actor::new(()).on_message(|(): &mut (), (n, reply): (u32, Reply<u32>)| reply.send(n));
    /// let mut request = actor::send_request(&echo.start().await?.data, |reply| (7, reply));
    /// let answer = loop {
    ///     match request.check() {
    ///         Ok(answer) => break answer,
    ///         // Not yet.
    ///         Err(same) => request = same,
    ///     }
    ///     tokio::task::yield_now().await;
    /// };
    /// assert_eq!(answer, Ok(7));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The request, if it is not answered yet.
    ///
    /// Counterpart: `gen_server:check_response/2`.
    pub fn check(mut self) -> Result<Result<R, CallError>, Self> {
        match Pin::new(&mut self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Ok(answer),
            Poll::Pending => Err(self),
        }
    }
}

// What is awaited is boxed, and an answer is never pinned.
impl<R> Unpin for Request<R> {}

impl<R> Future for Request<R> {
    type Output = Result<R, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.answer {
            Answer::There(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            Answer::Awaited(call) => {
                let answer = call.as_mut().poll(cx);
                if answer.is_ready() {
                    self.answer = Answer::There(None);
                }
                answer
            }
        }
    }
}

impl<R> fmt::Debug for Request<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request")
    }
}
