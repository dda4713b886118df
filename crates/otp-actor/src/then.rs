//! One future after another, in the room of the larger.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use erlang_process::ExitReason;
use pin_project_lite::pin_project;

pin_project! {
    /// A future, and what comes of its output: another, or an end. Written out, because an async block has room for all
    /// that it was made with as long as it lives.
    #[project = Stage]
    pub(crate) enum Then<A, G, B> {
        First {
            #[pin]
            future: A,
            next: Option<G>,
        },
        Second {
            #[pin]
            future: B,
        },
        Over,
    }
}

impl<A, G, B> Then<A, G, B>
where
    A: Future,
    G: FnOnce(A::Output) -> (Option<B>, Option<ExitReason>),
    B: Future<Output = ExitReason>,
{
    /// Runs `first`, and then what `next` makes of its output, unless that gives a reason to end with before. What it has
    /// made is dropped with this in any case.
    pub(crate) fn new(first: A, next: G) -> Self {
        Self::First { future: first, next: Some(next) }
    }
}

impl<A, G, B> Future for Then<A, G, B>
where
    A: Future,
    G: FnOnce(A::Output) -> (Option<B>, Option<ExitReason>),
    B: Future<Output = ExitReason>,
{
    type Output = ExitReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitReason> {
        if let Stage::First { future, next } = self.as_mut().project() {
            let output = ready!(future.poll(cx));
            let (second, end) = next.take().map_or((None, None), |next| next(output));
            self.set(second.map_or(Self::Over, |future| Self::Second { future }));
            if let Some(reason) = end {
                return Poll::Ready(reason);
            }
        }
        match self.project() {
            Stage::Second { future } => future.poll(cx),
            Stage::First { .. } | Stage::Over => Poll::Ready(ExitReason::Normal),
        }
    }
}
