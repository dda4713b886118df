//! Calls: a request, and the one reply to it.

use std::{error::Error, fmt, time::Duration};

use tokio::sync::oneshot;

use crate::{
    cell::Process,
    deadline::Elapsed,
    reason::ExitReason,
    scope::{self, Orphan},
    subject::Subject,
};

/// Where the reply to a request goes: part of the request, used up by [`send`](Self::send).
///
/// It may be answered at once, later, or by another process that it is handed to. If it is dropped
/// unanswered the caller learns so at once, and why: because the process that dropped it has ended, or
/// because it would not answer.
///
/// Counterpart: `From` of `gen_server`, the `Subject` in a request in Gleam.
#[must_use = "a reply that is dropped fails the caller"]
pub struct Reply<R: Send + 'static>(Option<ReplyTo<R>>);

enum ReplyTo<R> {
    /// A caller in this program.
    Caller { slot: Slot<R>, callee: Process },
    /// Anything else that takes a reply.
    Function(Box<dyn FnOnce(R) + Send>),
}

type Slot<R> = oneshot::Sender<Result<R, CallError>>;

impl<R: Send + 'static> Reply<R> {
    /// A reply that is handed to a function: for those who bring requests from elsewhere. If it is dropped
    /// unanswered, so is the function.
    pub fn new(reply: impl FnOnce(R) + Send + 'static) -> Self {
        Self(Some(ReplyTo::Function(Box::new(reply))))
    }

    /// Answers the request. If the caller no longer waits, the reply is dropped.
    ///
    /// Counterpart: `gen_server:reply/2`.
    pub fn send(mut self, reply: R) {
        match self.0.take() {
            Some(ReplyTo::Caller { slot, .. }) => drop(slot.send(Ok(reply))),
            Some(ReplyTo::Function(function)) => function(reply),
            None => {}
        }
    }
}

impl<R: Send + 'static> Drop for Reply<R> {
    fn drop(&mut self) {
        let Some(ReplyTo::Caller { slot, callee }) = self.0.take() else { return };
        if let Some(reason) = callee.exit_reason() {
            drop(slot.send(Err(CallError::Down(reason))));
            return;
        }
        // A process may drop a request because it is ending, and not know the reason yet.
        let orphan: Orphan = Box::new(move |reason| {
            let error = reason.map_or(CallError::Unanswered, |reason| CallError::Down(reason.clone()));
            drop(slot.send(Err(error)));
        });
        if let Err(orphan) = scope::leave_orphan(&callee, orphan) {
            orphan(None);
        }
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
    /// The process is dead, or nobody holds the name.
    NoProc,
    /// The process ended before it replied, with this reason.
    Down(ExitReason),
    /// The process dropped the request and lives on.
    Unanswered,
    /// The caller is the process itself, which cannot answer while it waits.
    CallingSelf,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no reply came in time"),
            Self::NoProc => f.write_str("there is no such process"),
            Self::Down(reason) => write!(f, "the process ended before it replied: {reason}"),
            Self::Unanswered => f.write_str("the process dropped the request without a reply"),
            Self::CallingSelf => f.write_str("a process cannot call itself"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Down(reason) => Some(reason),
            Self::Timeout | Self::NoProc | Self::Unanswered | Self::CallingSelf => None,
        }
    }
}

impl<M: Send + 'static> Subject<M> {
    /// Sends a request and waits for its reply, for as long as `timeout`. Works from any async code.
    ///
    /// `request` builds the message around the [`Reply`]: where the message is a variant that holds nothing
    /// else, its name does. [`Duration::MAX`] waits for ever.
    ///
    /// # Errors
    ///
    /// [`CallError`]. A process that is dead, ends, or drops the request is noticed at once. If the time is
    /// over the request is not taken back, but its reply will never be seen.
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
        let callee = self.process().ok_or(CallError::NoProc)?;
        if scope::is_current(&callee) {
            return Err(CallError::CallingSelf);
        }
        let (slot, mut reply) = oneshot::channel();
        // To that very process: a name may have moved on, and its end would not be ours.
        let sent = match self.fixed() {
            true => self.try_send(request(Reply(Some(ReplyTo::Caller { slot, callee })))),
            false => {
                let request = request(Reply(Some(ReplyTo::Caller { slot, callee: callee.clone() })));
                self.send_to(&callee, request)
            }
        };
        if let Err(refused) = sent {
            drop(refused);
            return Err(CallError::NoProc);
        }
        match crate::timeout(timeout, &mut reply).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(CallError::Unanswered),
            // One that came in the last moment counts.
            Err(Elapsed) => reply.try_recv().unwrap_or(Err(CallError::Timeout)),
        }
    }
}
