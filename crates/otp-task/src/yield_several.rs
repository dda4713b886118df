//! Waiting for tasks of different types, each of which may be done in time or not.

use std::{future::poll_fn, task::Poll, time::Duration};

use erlang_process::timeout as limit;

use crate::{
    error::AwaitError,
    task::{Task, unless_dead},
};

fn has_failed<T>(outcome: Option<&Result<T, AwaitError>>) -> bool {
    matches!(outcome, Some(Err(AwaitError::Exited(_))))
}

macro_rules! yield_several {
    ($(#[$doc:meta])* $name:ident: $($task:ident: $type:ident),+) => {
        $(#[$doc])*
        ///
        /// `None` stands for a task that has brought nothing yet, and can be asked again, and for one whose outcome was taken
        /// before.
        ///
        /// # Errors
        ///
        /// Each outcome may be an [`AwaitError`], as in [`Task::yield_timeout`]. A task of another process is refused, and not
        /// waited for.
        ///
        /// # Signals
        ///
        /// As [`Task::await_timeout`].
        ///
        /// # Cancel safety
        ///
        /// Dropping the future loses nothing: outcomes are taken in the poll that returns them.
        pub async fn $name<$($type: Send + 'static),+>(
            $($task: &mut Task<$type>,)+
            timeout: Duration,
        ) -> ($(Option<Result<$type, AwaitError>>,)+) {
            let all = poll_fn(|cx| {
                let mut done = true;
                $(done &= $task.check_owner().is_err() || $task.poll_done(cx).is_ready();)+
                if done { Poll::Ready(()) } else { Poll::Pending }
            });
            let _ = limit(timeout, all).await;
            $(let $task = $task.outcome_so_far();)+
            let failed = false $(|| has_failed($task.as_ref()))+;
            let outcomes = ($($task,)+);
            if failed { unless_dead(outcomes).await } else { outcomes }
        }
    };
}

yield_several! {
    /// Waits for the outcomes of two tasks of different types, each for itself. `timeout` is for both together.
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    /// use otp_task as task;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// let (mut name, mut age) = (task::spawn(async { "Lucy" }), task::spawn(pending::<u8>()));
    /// // What there is by then is enough.
    /// let known = task::yield2(&mut name, &mut age, Duration::from_secs(1)).await;
    /// assert_eq!(known, (Some(Ok("Lucy")), None));
    /// # }
    /// ```
    ///
    /// Counterpart: `task.try_await2` of the former task module in Gleam.
    yield2: a: A, b: B
}

yield_several! {
    /// Waits for the outcomes of three tasks of different types, each for itself. `timeout` is for all together.
    ///
    /// Counterpart: `task.try_await3` of the former task module in Gleam.
    yield3: a: A, b: B, c: C
}

yield_several! {
    /// Waits for the outcomes of four tasks of different types, each for itself. `timeout` is for all together.
    ///
    /// Counterpart: `task.try_await4` of the former task module in Gleam.
    yield4: a: A, b: B, c: C, d: D
}
