//! Calls: a request, and the one reply to it.

use std::{
    cell::Cell,
    error::Error,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use crate::{
    bound::Place,
    cell::{Process, Refusal, Unsent},
    deadline::Deadline,
    reason::ExitReason,
    rt,
    scope::{self, Orphan},
    slot::Slot,
    subject::{Sent, Subject},
    sync::{Arc, thread_local},
};

thread_local! {
    /// How many replies were sent on this thread.
    static SENT: Cell<u64> = const { Cell::new(0) };
}

/// Runs this, and counts how many [replies](Reply) it sends: for those who trace what a process does. Replies are sent by
/// hand and from anywhere, so nothing else tells that a request was answered while it was handled. What is sent later, or
/// by another process, is not counted.
///
/// ```
/// use erlang_process::{Reply, count_replies};
///
/// let reply = Reply::new(|_: u32| {});
/// let (value, replies) = count_replies(|| {
///     reply.send(42);
///     "handled"
/// });
/// assert_eq!((value, replies), ("handled", 1));
/// ```
///
/// Around one poll after the other of a future it counts those of the future. That is how actors tell `sys` of them.
///
/// Counterpart: none; a `gen_server` sees what its callbacks return.
pub fn count_replies<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = replies_sent();
    let value = work();
    (value, replies_sent().wrapping_sub(before))
}

fn replies_sent() -> u64 {
    SENT.try_with(Cell::get).unwrap_or_default()
}

/// Where the reply to a request goes: part of the request, used up by [`send`](Self::send).
///
/// It may be answered at once, later, or by another process that it is handed to. If it is dropped
/// unanswered the caller learns so at the end of the poll that has dropped it, and why: because the process has ended, or
/// because it would not answer. A process on a [thread of its own](crate::spawn_blocking) has no polls: there the caller
/// learns of it when the process next receives or waits, or has ended.
///
/// ```
/// use erlang_process::{self as process, CallError, Reply, Subject};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// enum Request {
///     Greet(Reply<&'static str>),
///     Ignore(Reply<()>),
/// }
///
/// let server = process::spawn_subject(|requests: Subject<Request>| async move {
///     while let Ok(request) = requests.receive_forever().await {
///         match request {
///             Request::Greet(reply) => reply.send("hello"),
///             // The caller learns of it at once.
///             Request::Ignore(reply) => drop(reply),
///         }
///     }
/// });
/// let second = Duration::from_secs(1);
/// assert_eq!(server.call(second, Request::Greet).await, Ok("hello"));
/// assert_eq!(server.call(second, Request::Ignore).await, Err(CallError::Unanswered));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `From` of `gen_server`, the `Subject` in a request in Gleam.
#[must_use = "a reply that is dropped fails the caller"]
pub struct Reply<R: Send + 'static>(Option<ReplyTo<R>>);

enum ReplyTo<R> {
    /// A caller in this program.
    Caller(Arc<Slot<R>>),
    /// Anything else that takes a reply. Boxed twice, because requests are moved about and should be small.
    Function(Box<Box<dyn FnOnce(R) + Send>>),
}

impl<R: Send + 'static> Reply<R> {
    /// A reply that is handed to a function: for those who bring requests from elsewhere. If it is dropped
    /// unanswered, so is the function.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use std::sync::mpsc;
    ///
    /// // To speak an actor's protocol without an actor, as a test may.
    /// let (tell, told) = mpsc::channel();
    /// let reply = Reply::new(move |answer: u32| drop(tell.send(answer)));
    /// reply.send(42);
    /// assert_eq!(told.recv(), Ok(42));
    /// ```
    pub fn new(reply: impl FnOnce(R) + Send + 'static) -> Self {
        Self(Some(ReplyTo::Function(Box::new(Box::new(reply)))))
    }

    /// Whether the caller still waits: false once its time is over or it has given the call up, after which all work for it
    /// is in vain. It may give up in the next moment. A reply that is handed to a [function](Self::new) is always wanted.
    ///
    /// ```
    /// use erlang_process::{self as process, Reply, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # erlang_process::run(async {
    /// let requests = Subject::<Reply<u32>>::new()?;
    /// let to = requests.clone();
    /// process::spawn(async move { drop(to.call(Duration::from_secs(1), |reply| reply).await) });
    /// let reply = requests.receive_forever().await?;
    /// assert!(reply.is_wanted());
    /// tokio::time::sleep(Duration::from_secs(2)).await;
    /// assert!(!reply.is_wanted());
    /// # reply.send(0);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// Counterpart: none.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        match &self.0 {
            Some(ReplyTo::Caller(slot)) => slot.is_awaited(),
            Some(ReplyTo::Function(_)) => true,
            None => false,
        }
    }

    pub(crate) fn to_slot(slot: Arc<Slot<R>>) -> Self {
        Self(Some(ReplyTo::Caller(slot)))
    }

    /// Answers the request. If the caller no longer waits, the reply is dropped.
    ///
    /// ```
    /// use erlang_process::Reply;
    ///
    /// enum Request {
    ///     Double(u32, Reply<u32>),
    /// }
    ///
    /// fn handle(request: Request) {
    ///     match request {
    ///         Request::Double(n, reply) => reply.send(2 * n),
    ///     }
    /// }
    /// ```
    ///
    /// Counterpart: `gen_server:reply/2`.
    pub fn send(mut self, reply: R) {
        let _ = SENT.try_with(|sent| sent.set(sent.get().wrapping_add(1)));
        match self.0.take() {
            Some(ReplyTo::Caller(slot)) => slot.reply(reply),
            Some(ReplyTo::Function(function)) => function(reply),
            None => {}
        }
    }
}

impl<R: Send + 'static> Drop for Reply<R> {
    fn drop(&mut self) {
        if let Some(ReplyTo::Caller(slot)) = self.0.take() {
            abandon(slot);
        }
    }
}

/// Tells a caller whose request was dropped why it gets no reply.
#[cold]
fn abandon<R: Send + 'static>(slot: Arc<Slot<R>>) {
    let callee = slot.callee();
    if callee.is_none() && scope::cell().is_none() {
        // Nobody knows any more why it has ended.
        return slot.fail(CallError::NoProc);
    }
    // A process may drop a request because it is ending, and not know the reason yet.
    let orphan: Orphan = Box::new(move |reason| {
        slot.fail(reason.map_or(CallError::Unanswered, |reason| CallError::Down(reason.clone())));
    });
    if let Err(orphan) = scope::leave_orphan(orphan) {
        orphan(callee.and_then(|callee| callee.exit_reason()).as_ref());
    }
}

impl<R: Send + 'static> fmt::Debug for Reply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// No reply came in time. The request may still be carried out; a late reply is dropped.
    Timeout,
    /// The process is dead, or nobody holds the name; or it has ended, and its [`Reply`] was dropped outside any
    /// process when that was over and the reason forgotten.
    NoProc,
    /// The process that had the request ended before it replied, with this reason.
    Down(ExitReason),
    /// The process that had the request dropped it and lives on.
    Unanswered,
    /// The caller is the process itself, which cannot answer while it waits.
    CallingSelf,
    /// The caller is not a process, and what it calls lives on another node: who is no process cannot monitor it.
    NotAProcess,
    /// The process's mailbox is [bounded](crate::Bound) and full, and was so for as long as the caller waited. The
    /// request was not sent.
    Full,
}

impl CallError {
    /// Of a call whose request was not sent.
    fn not_sent(why: Refusal) -> Self {
        match why {
            Refusal::Dead => Self::NoProc,
            Refusal::Full | Refusal::Dropped => Self::Full,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no reply came in time"),
            Self::NoProc => f.write_str("there is no such process"),
            Self::Down(reason) => write!(f, "the process ended before it replied: {reason}"),
            Self::Unanswered => f.write_str("the process dropped the request without a reply"),
            Self::CallingSelf => f.write_str("a process cannot call itself"),
            Self::NotAProcess => f.write_str("only a process can call another node"),
            Self::Full => f.write_str("the mailbox of the process is full"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Down(reason) => Some(reason),
            Self::Timeout
            | Self::NoProc
            | Self::Unanswered
            | Self::CallingSelf
            | Self::NotAProcess
            | Self::Full => None,
        }
    }
}

/// Waits until a request is in a mailbox that was full. Returns how much of the time is left.
type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Duration, CallError>> + Send + 'a>>;

impl<M: Send + 'static> Subject<M> {
    /// Sends a request and waits for its reply, for as long as `timeout`. Works from any async code.
    ///
    /// `request` builds the message around the [`Reply`]: where the message is a variant that holds nothing
    /// else, its name does. [`Duration::MAX`] waits for ever.
    ///
    /// ```
    /// use erlang_process::{self as process, Reply, Subject};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let doubler = process::spawn_subject(|requests: Subject<(u32, Reply<u32>)>| async move {
    ///     while let Ok((number, reply)) = requests.receive_forever().await {
    ///         reply.send(number * 2);
    ///     }
    /// });
    /// let doubled = doubler.call(Duration::from_secs(1), |reply| (21, reply)).await?;
    /// assert_eq!(doubled, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`]. A process that is dead, ends, or drops the request is noticed at once. If the time is
    /// over the request is not taken back, but its reply will never be seen.
    ///
    /// # Panics
    ///
    /// If it has to wait, with a timeout that is neither zero nor [`Duration::MAX`], outside a tokio runtime or on one whose
    /// time is not [enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent before the first poll. Dropping the future later does not take the request back; its
    /// reply is dropped.
    ///
    /// Counterpart: `gen_server:call/3`, `process.call` in Gleam.
    pub async fn call<R: Send + 'static>(
        &self,
        timeout: Duration,
        request: impl FnOnce(Reply<R>) -> M,
    ) -> Result<R, CallError> {
        let mut waiting = None;
        let slot = self.request(timeout, request, &mut waiting)?;
        let timeout = match waiting {
            None => timeout,
            Some(waiting) => waiting.await?,
        };
        let (mut deadline, mut kept) = (None, false);
        let reply = poll_fn(|cx| match slot.poll(cx, &mut kept) {
            Poll::Ready(reply) => Poll::Ready(Some(reply)),
            Poll::Pending => {
                let deadline = deadline.get_or_insert_with(|| Deadline::after(timeout));
                deadline.poll(cx).map(|()| None)
            }
        });
        // One that came in the last moment counts.
        let reply = reply.await.or_else(|| slot.take()).ok_or(CallError::Timeout)?;
        slot.keep();
        reply
    }

    /// Makes a request and sends it, or leaves what waits to send it. Returns where the reply comes.
    #[inline]
    fn request<'a, R: Send + 'static>(
        &'a self,
        timeout: Duration,
        request: impl FnOnce(Reply<R>) -> M,
        waiting: &mut Option<Waiting<'a>>,
    ) -> Result<Arc<Slot<R>>, CallError> {
        // To that very process: a name may have moved on, and its end would not be ours.
        let found = match self.own_head() {
            Some(_) => None,
            None => Some(self.process().ok_or(CallError::NoProc)?),
        };
        let head = found.as_ref().map(|process| process.head()).or_else(|| self.own_head());
        let head = head.ok_or(CallError::NoProc)?;
        let slot = Slot::open(head).ok_or(CallError::CallingSelf)?;
        let request = request(Reply::to_slot(slot.clone()));
        let sent = match &found {
            None => self.offer(request).map(|()| Sent::Arrived),
            Some(process) => self.send_to(process, request, None),
        };
        match sent {
            Ok(Sent::Arrived) => {}
            Ok(Sent::Lost(why)) => return Err(CallError::not_sent(why)),
            Err(unsent) => *waiting = Some(self.wait_for_room(found, unsent, timeout)),
        }
        Ok(slot)
    }

    /// Waits for room for a request that was refused for want of it, if this is what the mailbox says. Returns how much
    /// of the time is left. Boxed, as calls are small and this is rare.
    #[cold]
    fn wait_for_room(&self, process: Option<Process>, unsent: Unsent<M>, timeout: Duration) -> Waiting<'_> {
        Box::pin(async move {
            let (mut deadline, begun) = (Deadline::after(timeout), rt::now());
            if unsent.why != Refusal::Full {
                return Err(CallError::not_sent(unsent.why));
            }
            let process = process.or_else(|| self.process()).ok_or(CallError::NoProc)?;
            let mut place = Place::new(process);
            {
                let mut room = pin!(place.room());
                let let_in = poll_fn(|cx| match room.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(true),
                    Poll::Pending => deadline.poll(cx).map(|()| false),
                });
                if !let_in.await {
                    return Err(CallError::Full);
                }
            }
            let sent = self.send_to(&place.process, unsent.message, place.turn);
            let left =
                if timeout == Duration::MAX { timeout } else { timeout.saturating_sub(begun.elapsed()) };
            match sent {
                Ok(Sent::Arrived) => Ok(left),
                Ok(Sent::Lost(why)) => Err(CallError::not_sent(why)),
                Err(unsent) => Err(CallError::not_sent(unsent.why)),
            }
        })
    }
}
