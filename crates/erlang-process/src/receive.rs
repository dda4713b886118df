//! The one way in which a process takes a message out of its mailbox.

use std::{
    any::{Any, TypeId},
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    cell::{AnyInbox, Key},
    process::NotAProcess,
    scope::{self, Scope},
    timer::Deadline,
};

/// Why nothing was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// No message came in time.
    Timeout,
    /// The subject belongs to another process: only its owner can receive with it.
    NotOwner,
    /// The caller is not a process and has no mailbox.
    NotAProcess,
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no message came in time",
            Self::NotOwner => "cannot receive with a subject owned by another process",
            Self::NotAProcess => "the caller is not a process",
        })
    }
}

impl std::error::Error for ReceiveError {}

impl From<NotAProcess> for ReceiveError {
    fn from(_: NotAProcess) -> Self {
        Self::NotAProcess
    }
}

/// What a receive is after.
pub(crate) trait Pattern {
    /// What is received.
    type Output;

    /// Whether the calling process may receive this.
    fn check(&self, scope: &Scope) -> Result<(), ReceiveError>;

    /// Whether it wants a message with this key, in a mailbox whose own messages are of type `own`.
    fn wants(&self, key: Key, own: TypeId) -> bool;

    /// Makes the output of a wanted message, moving it out of the `Option` of its type.
    fn take(&mut self, key: Key, own: TypeId, message: &mut dyn Any) -> Option<Self::Output>;
}

/// Waits for the first message in arrival order that fits the pattern.
pub(crate) async fn receive<P: Pattern>(
    pattern: &mut P,
    timeout: Option<Duration>,
) -> Result<P::Output, ReceiveError> {
    let mut deadline = timeout.map(Deadline::after);
    let mut search = Search::default();
    std::future::poll_fn(|cx| match search.poll(cx, pattern) {
        Found::Message(output) => Poll::Ready(Ok(output)),
        Found::Refused(error) => Poll::Ready(Err(error)),
        Found::TurnOver => Poll::Pending,
        Found::Nothing => match &mut deadline {
            Some(deadline) => deadline.poll(cx).map(|()| Err(ReceiveError::Timeout)),
            None => Poll::Pending,
        },
    })
    .await
}

/// How far into the inbox a receive has looked, so that a message that does not fit is looked at once.
#[derive(Default)]
struct Search {
    position: usize,
    removals: u64,
}

enum Found<T> {
    Message(T),
    /// Nothing that fits; the next message wakes.
    Nothing,
    /// The process has had its turn; it is woken for the next one.
    TurnOver,
    Refused(ReceiveError),
}

impl Search {
    fn poll<P: Pattern>(&mut self, cx: &mut Context<'_>, pattern: &mut P) -> Found<P::Output> {
        let found = scope::with(|scope| {
            if let Err(error) = pattern.check(scope) {
                return Err(Found::Refused(error));
            }
            if scope.budget == 0 {
                return Err(Found::TurnOver);
            }
            let Some((index, key)) = self.find(scope, cx, pattern) else { return Err(Found::Nothing) };
            scope.count_message();
            // The message is opened with the inbox out of the scope, as user code may run meanwhile.
            let inbox = scope.local_mut().inbox.take();
            Ok((index, key, Lent(inbox)))
        });
        match found {
            None => Found::Refused(ReceiveError::NotAProcess),
            Some(Err(Found::TurnOver)) => {
                cx.waker().wake_by_ref();
                Found::TurnOver
            }
            Some(Err(other)) => other,
            Some(Ok((index, key, mut inbox))) => {
                let output = inbox.open(index, key, pattern);
                drop(inbox);
                output.map_or(Found::Nothing, Found::Message)
            }
        }
    }

    fn find<P: Pattern>(
        &mut self,
        scope: &mut Scope,
        cx: &mut Context<'_>,
        pattern: &P,
    ) -> Option<(usize, Key)> {
        loop {
            if let Some(inbox) = scope.local.as_ref().and_then(|local| local.inbox.as_ref()) {
                if self.removals != inbox.removals() {
                    *self = Self { position: 0, removals: inbox.removals() };
                }
                let own = inbox.own_type();
                while let Some(key) = inbox.key(self.position) {
                    if pattern.wants(key, own) {
                        return Some((self.position, key));
                    }
                    self.position += 1;
                }
            }
            if !scope.refill(Some(cx.waker())) {
                return None;
            }
        }
    }
}

/// Takes everything that fits and is already there.
pub(crate) fn drain<P: Pattern>(pattern: &mut P) -> Vec<P::Output> {
    let mut outputs = Vec::new();
    let inbox = scope::with(|scope| {
        scope.refill(None);
        scope.local.as_mut().and_then(|local| local.inbox.take())
    });
    let mut inbox = Lent(inbox.flatten());
    let mut index = 0;
    while let Some((key, own)) = inbox.0.as_ref().and_then(|i| Some((i.key(index)?, i.own_type()))) {
        if pattern.wants(key, own) {
            outputs.extend(inbox.open(index, key, pattern));
            scope::with(Scope::count_removal);
        } else {
            index += 1;
        }
    }
    outputs
}

/// The inbox while a message is opened; it goes back even if that panics.
struct Lent(Option<Box<dyn AnyInbox>>);

impl Lent {
    fn open<P: Pattern>(&mut self, index: usize, key: Key, pattern: &mut P) -> Option<P::Output> {
        let inbox = self.0.as_mut()?;
        let own = inbox.own_type();
        let mut output = None;
        inbox.open(index, &mut |message| output = pattern.take(key, own, message));
        output
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let inbox = self.0.take();
        scope::with(|scope| {
            if inbox.is_some() {
                scope.local_mut().inbox = inbox;
            }
        });
    }
}
