//! What the task of an element runs.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use erlang_process::{Node, Pid, unlink};
use pin_project_lite::pin_project;

use super::progress::Meter;

pin_project! {
    /// Runs the future of one element, and counts its end.
    pub(super) struct Element<F> {
        // Whom the process is linked with, if it runs on that node.
        consumer: Option<(Node, Pid)>,
        counted: Counted,
        #[pin]
        future: Option<F>,
    }
}

impl<F> Element<F> {
    pub(super) fn new(future: F, consumer: Option<(Node, Pid)>, meter: Meter) -> Self {
        meter.started();
        Self { consumer, counted: Counted { meter, with_a_value: false }, future: Some(future) }
    }
}

impl<F: Future> Future for Element<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let value = ready!(future.poll(cx));
        // What it owns may still fail when it is dropped.
        this.future.set(None);
        this.counted.with_a_value = true;
        // A consumer that traps exits is not told of an end that it gets the value of.
        if let Some((node, consumer)) = this.consumer.take()
            && node.is(&Node::current())
        {
            let _ = unlink(consumer);
        }
        Poll::Ready(value)
    }
}

/// Counts the end of the task when it is dropped.
struct Counted {
    meter: Meter,
    with_a_value: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.meter.ended(self.with_a_value);
    }
}
