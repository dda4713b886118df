//! Bounded mailboxes.

use std::{error::Error, fmt, future::poll_fn, task::Poll};

use crate::{
    cell::{Process, Unsent},
    subject::{SendError, Subject},
};

/// How many messages a mailbox takes, and what becomes of those that are too many, see
/// [`Spawn::mailbox`](crate::Spawn::mailbox).
///
/// ```
/// use erlang_process::{Bound, SendError, Spawn, WhenFull};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let prepared = Spawn::new().mailbox(Bound::new(2, WhenFull::Refuse)).prepare(|jobs| async move {
///     while let Ok(job) = jobs.receive_forever().await {
///         let _: u32 = job;
///     }
/// });
/// let jobs = prepared.map(|prepared| (prepared.subject(), prepared.start())).unwrap().0;
/// assert_eq!(jobs.try_send(1), Ok(()));
/// assert_eq!(jobs.try_send(2), Ok(()));
/// assert_eq!(jobs.try_send(3), Err(SendError::Full(3)));
/// # }
/// ```
///
/// # What counts
///
/// Messages through subjects and names count, from their arrival until they are received, whichever of the process's
/// subjects they go through; those that timers send and events of groups are among them. What travels as a signal
/// always gets in and does not count: exits, the ends of monitored processes, messages to the pid itself
/// ([`Subject::to_pid`]), which system messages are, and messages through an [alias](crate::alias()).
///
/// A process with a bounded mailbox takes each message under its lock. Others pay nothing.
///
/// Counterpart: none in OTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    capacity: usize,
    when_full: WhenFull,
}

impl Bound {
    /// A mailbox for so many messages; zero counts as one.
    ///
    /// ```
    /// use erlang_process::{Bound, Spawn, WhenFull};
    ///
    /// // A logger that rather loses what is old than makes others wait.
    /// let logger = Spawn::new().mailbox(Bound::new(1_000, WhenFull::DropOldest));
    /// ```
    #[must_use]
    pub fn new(capacity: usize, when_full: WhenFull) -> Self {
        Self { capacity: capacity.max(1), when_full }
    }

    /// How many messages the mailbox takes.
    ///
    /// ```
    /// use erlang_process::{Bound, WhenFull};
    ///
    /// let bound = Bound::new(100, WhenFull::Refuse);
    /// assert_eq!((bound.capacity(), bound.when_full()), (100, WhenFull::Refuse));
    /// ```
    #[must_use]
    pub fn capacity(self) -> usize {
        self.capacity
    }

    /// What becomes of those that are too many.
    ///
    /// ```
    /// use erlang_process::{Bound, WhenFull};
    ///
    /// let bound = Bound::new(1_000, WhenFull::DropOldest);
    /// assert_eq!(bound.when_full(), WhenFull::DropOldest);
    /// ```
    #[must_use]
    pub fn when_full(self) -> WhenFull {
        self.when_full
    }
}

/// What becomes of a message to a [bounded](Bound) mailbox that is full.
///
/// | | [`send`](Subject::send) | [`try_send`](Subject::try_send) | [`send_wait`](Subject::send_wait) | [`call`](Subject::call) |
/// |---|---|---|---|---|
/// | `Wait` | drops it | gives it back | waits for room | waits for room, for as long as its timeout |
/// | `Refuse` | drops it | gives it back | gives it back | fails with [`Full`](crate::CallError::Full) |
/// | `DropOldest` | the oldest goes | the oldest goes | the oldest goes | the oldest goes |
/// | `DropNewest` | drops it | drops it | drops it | fails with [`Full`](crate::CallError::Full) |
/// | `Exit` | the process ends | gives it back, as to the dead | the same | fails with [`NoProc`](crate::CallError::NoProc) |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// Who can wait for room does, in the order in which they came. Who cannot is refused: a send never blocks, and
    /// the bound always holds.
    Wait,
    /// Everyone is refused at once.
    Refuse,
    /// The oldest message that counts is dropped. A request among them fails its caller.
    DropOldest,
    /// The message itself is dropped, and its sender is not told.
    DropNewest,
    /// The process ends, with [`MailboxFull`] as its error, even if it traps exits. It is reported as a crash.
    Exit,
}

/// Why a process ended whose mailbox was full and [was to end it](WhenFull::Exit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxFull {
    /// How many messages it took.
    pub capacity: usize,
}

impl fmt::Display for MailboxFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mailbox is full: it takes {} messages", self.capacity)
    }
}

impl Error for MailboxFull {}

impl<M: Send + 'static> Subject<M> {
    /// Sends a message, and waits for room if the process's mailbox is [bounded](Bound) with [`WhenFull::Wait`] and
    /// full. To any other it sends at once, as [`try_send`](Self::try_send) does, and what does not
    /// [count](Bound#what-counts) it sends at once as well.
    ///
    /// Who waits gets in in the order in which they began, before all who do not wait. If a name is sent to, the wait
    /// is for the process that holds it now. A process that waits for its own mailbox waits for ever.
    ///
    /// ```
    /// use erlang_process::{self as process, Bound, Spawn, Subject, WhenFull};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// let done = Subject::new()?;
    /// let tell = done.clone();
    /// let worker = Spawn::new().mailbox(Bound::new(2, WhenFull::Wait)).prepare(|jobs: Subject<u32>| async move {
    ///     for _ in 0..5 {
    ///         tell.send(jobs.receive_forever().await? * 2);
    ///     }
    ///     Ok::<_, process::ReceiveError>(())
    /// })?;
    /// let jobs = worker.subject();
    /// worker.start();
    /// for job in 0..5 {
    ///     // Waits where two jobs lie in the mailbox already.
    ///     jobs.send_wait(job).await?;
    /// }
    /// assert_eq!(done.receive_forever().await?, 0);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError`] with the message: the process is dead, or ends while this waits; or its mailbox is full and
    /// nobody waits for it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place in the line, and drops the message. Nothing was sent then.
    pub async fn send_wait(&self, message: M) -> Result<(), SendError<M>> {
        let Some(process) = self.process() else { return Err(SendError::Dead(message)) };
        let mut place = Place::new(process);
        if self.counts() {
            place.room().await;
        }
        self.send_to(&place.process, message, place.turn).map(|_| ()).or_else(SendError::told)
    }
}

/// A place in the line of those who wait for room in a mailbox. Dropping it gives it to the next.
pub(crate) struct Place {
    pub(crate) process: Process,
    pub(crate) turn: Option<Turn>,
}

/// What tells places in one line apart.
pub(crate) type Turn = u64;

impl Place {
    pub(crate) fn new(process: Process) -> Self {
        Self { process, turn: None }
    }

    /// Waits until a send in this [`turn`](Self::turn) is let in, or refused for another reason than for want of room.
    pub(crate) async fn room(&mut self) {
        if self.process.head().is_bounded() {
            poll_fn(|cx| {
                if self.process.stand_in_line(&mut self.turn, cx.waker()) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    }

    /// Takes room for what is still to be made of a message, or gives that back, for the reason for which it would not
    /// be let in.
    pub(crate) fn take<M>(&mut self, message: M) -> Result<M, Unsent<M>> {
        let (message, turn) = self.process.keep_room(message)?;
        self.turn = turn;
        Ok(message)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.process.leave_line(turn);
        }
    }
}
