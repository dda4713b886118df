//! The one way in which a process takes a message out of its mailbox.

use std::{
    any::{Any, TypeId},
    fmt, iter,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    cell::{AnyInbox, Found, Key, LOOKS, Look, Position, Process, Refill, Taken, Ticket, Waiter},
    deadline::Deadline,
    process::NotAProcess,
    scope::{self, Scope},
    sync::Arc,
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

    /// Looks what the calling process is ready for, where that changes; asked before messages are looked at, and again when
    /// none was found. Returns whether it is ready for more than before, so that those which were passed over count again.
    fn refresh(&mut self, _: &Scope) -> bool {
        false
    }

    /// Whether it wants a message with this key, in a mailbox whose own messages are of type `own`. May be asked under
    /// the lock of the process: no user code may run here.
    fn wants(&self, key: Key, own: TypeId) -> bool;

    /// Takes the next message, where a quick look finds it to be wanted.
    fn take_next(&mut self, _: &Waker) -> Taken<Self::Output> {
        Taken::Others
    }

    /// Makes the output of a wanted message, moving it out of the `Option` of its type.
    fn take(&mut self, key: Key, own: TypeId, message: &mut dyn Any) -> Option<Self::Output>;
}

/// Waits for the first message in arrival order that fits the pattern.
///
/// This is what most processes spend their lives in, and so it is small. Written out: whether an `async fn` can
/// be sent to another thread is asked of the pattern's output as well, and for one that holds a `dyn Trait` the
/// compiler cannot tell.
pub(crate) struct Receive<P> {
    pattern: P,
    /// What is known of a search that goes on.
    search: Kept,
}

impl<P> Receive<P> {
    pub(crate) fn new(pattern: P) -> Self {
        Self { pattern, search: Kept(None) }
    }

    /// For as long as `timeout`.
    pub(crate) fn within(self, timeout: Duration) -> Within<P> {
        Within { receive: self, timeout, deadline: None }
    }
}

impl<P: Pattern + Unpin> Future for Receive<P> {
    type Output = Result<P::Output, ReceiveError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.next(cx) {
            Sought::Message(output) => Poll::Ready(Ok(output)),
            Sought::Refused(error) => Poll::Ready(Err(error)),
            Sought::TurnOver | Sought::Nothing => Poll::Pending,
        }
    }
}

impl<P: Pattern> Receive<P> {
    #[inline]
    fn next(&mut self, cx: &mut Context<'_>) -> Sought<P::Output> {
        match self.pattern.take_next(cx.waker()) {
            Taken::Message(output) => Sought::Message(output),
            Taken::Nothing => Sought::Nothing,
            Taken::Others => self.search(cx),
        }
    }

    #[inline(never)]
    fn search(&mut self, cx: &mut Context<'_>) -> Sought<P::Output> {
        if let Some(search) = &mut self.search.0 {
            if search.is_of_caller() {
                return search.poll(cx, &mut self.pattern);
            }
            // Another process goes on with it, of whose mailbox nothing is known.
            self.search = Kept(None);
        }
        let mut search = Search::default();
        let found = search.poll(cx, &mut self.pattern);
        if matches!(found, Sought::Nothing | Sought::TurnOver) && search.is_worth_keeping() {
            search.process = scope::cell();
            self.search = Kept(Some(ManuallyDrop::new(Box::new(search))));
        }
        found
    }

    /// Takes what fits and has come by now, whoever's turn it is.
    #[cold]
    fn last_look(&mut self) -> Option<P::Output> {
        scope::with(|scope| scope.refill(None));
        let mut start = Position::default();
        let position = self.search.0.as_mut().map_or(&mut start, |search| &mut search.position);
        take_from(position, &mut self.pattern)
    }
}

/// A receive that gives up when its time is over.
pub(crate) struct Within<P> {
    receive: Receive<P>,
    timeout: Duration,
    /// Set when the first search has found nothing, or its turn was over.
    deadline: Option<Deadline>,
}

impl<P: Pattern + Unpin> Future for Within<P> {
    type Output = Result<P::Output, ReceiveError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { receive, timeout, deadline } = &mut *self;
        match receive.next(cx) {
            Sought::Message(output) => Poll::Ready(Ok(output)),
            Sought::Refused(error) => Poll::Ready(Err(error)),
            Sought::TurnOver => {
                // Once it lets others run, however short its time is. After that the time counts, or who is sent more and
                // more, or whose other receives take every turn, would never give up.
                let has_yielded = deadline.is_some();
                let deadline = deadline.get_or_insert_with(|| Deadline::after(*timeout));
                if has_yielded && deadline.has_passed() {
                    return Poll::Ready(receive.last_look().ok_or(ReceiveError::Timeout));
                }
                Poll::Pending
            }
            Sought::Nothing => {
                let deadline = deadline.get_or_insert_with(|| Deadline::after(*timeout));
                deadline.poll(cx).map(|()| Err(ReceiveError::Timeout))
            }
        }
    }
}

impl<P: Pattern> Pattern for &mut P {
    type Output = P::Output;

    fn check(&self, scope: &Scope) -> Result<(), ReceiveError> {
        (**self).check(scope)
    }

    fn refresh(&mut self, scope: &Scope) -> bool {
        (**self).refresh(scope)
    }

    fn wants(&self, key: Key, own: TypeId) -> bool {
        (**self).wants(key, own)
    }

    fn take_next(&mut self, waker: &Waker) -> Taken<P::Output> {
        (**self).take_next(waker)
    }

    fn take(&mut self, key: Key, own: TypeId, message: &mut dyn Any) -> Option<P::Output> {
        (**self).take(key, own, message)
    }
}

/// How far into the inbox a receive has looked, so that a message that does not fit is looked at once.
#[derive(Default)]
struct Search {
    position: Position,
    /// Whose inbox it is, if the search goes on.
    process: Option<Process>,
    /// By what the process knows this receive, if it keeps a waker for it that is not that of its task.
    ticket: Option<Ticket>,
}

/// How many messages a search passes over for what it costs to take one.
const LOOKS_PER_MESSAGE: u32 = 32;

enum Sought<T> {
    Message(T),
    /// Nothing that fits; the next message wakes.
    Nothing,
    /// The process has had its turn; it is woken for the next one.
    TurnOver,
    Refused(ReceiveError),
}

impl Search {
    fn is_of_caller(&self) -> bool {
        let is_own = |scope: &mut Scope| {
            self.process.as_ref().is_some_and(|process| Arc::ptr_eq(process, &scope.cell))
        };
        scope::with(is_own).unwrap_or(false)
    }

    fn is_worth_keeping(&self) -> bool {
        !self.position.is_start() || self.ticket.is_some()
    }

    fn poll<P: Pattern>(&mut self, cx: &mut Context<'_>, pattern: &mut P) -> Sought<P::Output> {
        loop {
            let found = scope::with(|scope| {
                pattern.check(scope).map_err(Sought::Refused)?;
                if pattern.refresh(scope) {
                    self.position = Position::default();
                }
                if scope::is_turn_over() {
                    return Err(Sought::TurnOver);
                }
                let found = match self.find(scope, cx, pattern) {
                    // Messages that it was not ready for may have come with what has changed.
                    Err(Sought::Nothing) if pattern.refresh(scope) => {
                        self.position = Position::default();
                        self.find(scope, cx, pattern)?
                    }
                    found => found?,
                };
                scope::spend(1);
                Ok((found, scope.local_mut().inbox.take()))
            });
            match found {
                None => return Sought::Refused(ReceiveError::NotAProcess),
                Some(Err(Sought::TurnOver)) => {
                    cx.waker().wake_by_ref();
                    return Sought::TurnOver;
                }
                Some(Err(other)) => {
                    if self.ticket.is_some() && self.process.is_none() {
                        self.process = scope::cell();
                    }
                    return other;
                }
                // A message that proves not to fit when it is opened is dropped; the next one may.
                Some(Ok((found, inbox))) => {
                    if let Some(output) = inbox.and_then(|inbox| open(inbox, found, pattern)) {
                        return Sought::Message(output);
                    }
                }
            }
        }
    }

    /// Looks for a message that fits, as long as it is the process's turn. That is over when it has looked at so many,
    /// or when others keep sending what does not fit: each one that is looked at may bring the next.
    fn find<P: Pattern>(
        &mut self,
        scope: &mut Scope,
        cx: &mut Context<'_>,
        pattern: &P,
    ) -> Result<Found, Sought<P::Output>> {
        let mut came = false;
        loop {
            if let Some(inbox) = scope.local.as_mut().and_then(|local| local.inbox.as_mut()) {
                match look(&mut **inbox, &mut self.position, pattern) {
                    Look::Found(found) => return Ok(found),
                    Look::Further => {
                        scope::spend(LOOKS.div_ceil(LOOKS_PER_MESSAGE));
                        if scope::is_turn_over() {
                            return Err(Sought::TurnOver);
                        }
                        continue;
                    }
                    Look::End => {}
                }
            }
            if came {
                scope::spend(1);
                if scope::is_turn_over() {
                    return Err(Sought::TurnOver);
                }
            }
            let waiter = Waiter { waker: cx.waker(), ticket: &mut self.ticket };
            if scope.refill(Some(waiter)) == Refill::Nothing {
                scope.give_room_back();
                return Err(Sought::Nothing);
            }
            came = true;
        }
    }

    /// Takes back the waker that the process keeps, if it does.
    fn forget_waker(&mut self) {
        let (Some(ticket), Some(process)) = (self.ticket.take(), &self.process) else { return };
        let kept = process.with(|control, _| control.forget_waiter(ticket));
        drop(kept);
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.forget_waker();
    }
}

/// A search that goes on. Mostly there is none, and then its drop is a glance: so the drop of what there may be is apart.
struct Kept(Option<ManuallyDrop<Box<Search>>>);

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        if let Some(search) = self.0.take() {
            release(ManuallyDrop::into_inner(search));
        }
    }
}

#[cold]
#[inline(never)]
fn release(search: Box<Search>) {
    drop(search);
}

/// Drops every message that is in the calling process's mailbox. Nothing happens outside any process.
///
/// A process that does this leaves whoever waits for its answer without one. It is for tests, and for
/// starting anew.
///
/// ```
/// use erlang_process::{self as process, ReceiveError, Subject};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let subject = Subject::new()?;
/// subject.send("old news");
/// process::flush_messages();
/// assert_eq!(subject.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `process.flush_messages` in Gleam.
pub fn flush_messages() {
    drop(drain(&mut Anything));
}

/// Every message, to be dropped when the inbox is back in its place.
struct Anything;

impl Pattern for Anything {
    type Output = ();

    fn check(&self, _: &Scope) -> Result<(), ReceiveError> {
        Ok(())
    }

    fn wants(&self, _: Key, _: TypeId) -> bool {
        true
    }

    fn take(&mut self, _: Key, _: TypeId, _: &mut dyn Any) -> Option<()> {
        Some(())
    }
}

/// Takes everything that fits and is already there.
pub(crate) fn drain<P: Pattern>(pattern: &mut P) -> Vec<P::Output> {
    let there = scope::with(|scope| {
        scope.refill(None);
        scope.cell.with(|control, _| control.queue_len(scope.cell.head()))
    });
    let there = there.and_then(|there| usize::try_from(there).ok()).unwrap_or_default();
    let mut position = Position::default();
    // No more: what comes meanwhile lies behind them, in some mailboxes at once, and there may be no end of it.
    iter::from_fn(|| take_from(&mut position, pattern)).take(there).collect()
}

/// Takes the first message that the pattern wants and that is there, if the calling process may receive with it.
pub(crate) fn try_next<P: Pattern>(pattern: &mut P) -> Result<P::Output, ReceiveError> {
    let checked = scope::with(|scope| {
        pattern.refresh(scope);
        pattern.check(scope)
    });
    checked.ok_or(ReceiveError::NotAProcess)??;
    first(pattern).ok_or(ReceiveError::Timeout)
}

/// Takes the first that fits and is already there. What lies behind it is not looked at: who takes the ends of many out of a
/// long mailbox, one after the other, would look at their number squared.
pub(crate) fn first<P: Pattern>(pattern: &mut P) -> Option<P::Output> {
    scope::with(|scope| scope.refill(None));
    take_from(&mut Position::default(), pattern)
}

/// Takes the first that fits out of the inbox, from there on.
fn take_from<P: Pattern>(position: &mut Position, pattern: &mut P) -> Option<P::Output> {
    loop {
        let found = scope::with(|scope| {
            let inbox = &mut scope.local_mut().inbox;
            loop {
                match look(&mut **inbox.as_mut()?, position, pattern) {
                    Look::Found(found) => return Some((found, inbox.take()?)),
                    Look::Further => {}
                    Look::End => return None,
                }
            }
        });
        let (found, inbox) = found.flatten()?;
        if let Some(output) = open(inbox, found, pattern) {
            return Some(output);
        }
    }
}

fn look<P: Pattern>(inbox: &mut dyn AnyInbox, from: &mut Position, pattern: &P) -> Look {
    let own = inbox.own_type();
    inbox.look(from, &|key| pattern.wants(key, own))
}

/// Takes a message out of the inbox and opens it. The inbox is back in the scope before any code of the
/// user's runs, which may receive as well.
fn open<P: Pattern>(inbox: Box<dyn AnyInbox>, found: Found, pattern: &mut P) -> Option<P::Output> {
    let own = inbox.own_type();
    let mut output = None;
    let put_back = &mut |inbox| {
        scope::with(|scope| {
            scope.cell.head().count_removal();
            scope.local_mut().inbox = Some(inbox);
        });
    };
    inbox.open(found, put_back, &mut |message| output = pattern.take(found.key, own, message));
    output
}

#[cfg(all(test, not(any(otp_loom, otp_shuttle))))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        future::poll_fn,
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::*;
    use crate::{Subject, run};

    const SECOND: Duration = Duration::from_secs(1);

    /// Wants a message that is never sent, and is sent another one by each that it looks at.
    struct Flooded {
        own: Subject<u32>,
        looks: AtomicUsize,
    }

    /// More than anyone may look at without letting others run.
    const ENDLESS: usize = 100_000;

    impl Flooded {
        fn new() -> Self {
            let own = Subject::new().unwrap();
            own.send(0);
            Self { own, looks: AtomicUsize::new(0) }
        }
    }

    impl Pattern for Flooded {
        type Output = ();

        fn check(&self, _: &Scope) -> Result<(), ReceiveError> {
            Ok(())
        }

        fn wants(&self, _: Key, _: TypeId) -> bool {
            if self.looks.fetch_add(1, Ordering::Relaxed) < ENDLESS {
                self.own.send(0);
            }
            false
        }

        fn take(&mut self, _: Key, _: TypeId, _: &mut dyn Any) -> Option<()> {
            None
        }
    }

    async fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        let mut future = Some(future);
        poll_fn(|cx| Poll::Ready(future.take().unwrap().poll(cx))).await
    }

    #[tokio::test]
    async fn who_is_sent_without_end_what_it_does_not_want_lets_others_run() {
        let running = run(async {
            let mut pattern = Flooded::new();
            assert_eq!(poll_once(pin!(Receive::new(&mut pattern))).await, Poll::Pending);
            let looks = pattern.looks.into_inner();
            assert!(looks < ENDLESS, "{looks} looks in one poll");
        });
        running.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_is_over_however_much_comes() {
        let running = run(async {
            for timeout in [Duration::ZERO, SECOND] {
                let mut pattern = Flooded::new();
                {
                    let mut receive = pin!(Receive::new(&mut pattern).within(timeout));
                    assert_eq!(poll_once(receive.as_mut()).await, Poll::Pending);
                    tokio::time::advance(timeout).await;
                    assert_eq!(poll_once(receive).await, Poll::Ready(Err(ReceiveError::Timeout)));
                }
                let looks = pattern.looks.into_inner();
                assert!(looks < ENDLESS, "{looks} looks");
            }
        });
        running.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_is_over_though_the_rest_of_the_process_takes_every_turn() {
        let running = run(async {
            let (busy, idle) = (Subject::new().unwrap(), Subject::<()>::new().unwrap());
            (0..1_000).for_each(|n| busy.send(n));
            let mut rest = pin!(async { while busy.receive_forever().await.is_ok() {} });
            let mut late = pin!(idle.receive(SECOND));
            assert!(poll_once(rest.as_mut()).await.is_pending());
            assert!(poll_once(late.as_mut()).await.is_pending());
            tokio::time::advance(SECOND).await;
            assert!(poll_once(rest).await.is_pending());
            assert_eq!(poll_once(late).await, Poll::Ready(Err(ReceiveError::Timeout)));
        });
        running.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_come_in_time_is_found_behind_all_the_rest() {
        let running = run(async {
            let (other, wanted) = (Subject::new().unwrap(), Subject::new().unwrap());
            (0..100_000).for_each(|n| other.send(n));
            wanted.send("last");
            assert_eq!(wanted.receive(Duration::ZERO).await, Ok("last"));
            wanted.send("last again");
            assert_eq!(wanted.receive_forever().await, Ok("last again"));
            assert_eq!(wanted.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
            assert_eq!(wanted.receive(SECOND).await, Err(ReceiveError::Timeout));
            assert_eq!(other.receive(Duration::ZERO).await, Ok(0));
        });
        running.await.unwrap();
    }

    /// Wants everything, and counts how often it is asked.
    struct Counting(AtomicUsize);

    impl Pattern for Counting {
        type Output = ();

        fn check(&self, _: &Scope) -> Result<(), ReceiveError> {
            Ok(())
        }

        fn wants(&self, _: Key, _: TypeId) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            true
        }

        fn take(&mut self, _: Key, _: TypeId, _: &mut dyn Any) -> Option<()> {
            Some(())
        }
    }

    #[tokio::test]
    async fn who_takes_the_first_does_not_look_at_those_behind_it() {
        let looks = run(async {
            let own = Subject::new().unwrap();
            (0..100).for_each(|number| own.send(number));
            let mut pattern = Counting(AtomicUsize::new(0));
            assert_eq!(first(&mut pattern), Some(()));
            pattern.0.into_inner()
        });
        assert_eq!(looks.await, Ok(1));
    }
}
