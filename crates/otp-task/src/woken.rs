//! Which of many futures have been woken.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// The indices of those that have something to tell: only they are looked at, or many would cost their square.
pub(crate) struct Woken {
    sender: UnboundedSender<usize>,
    receiver: UnboundedReceiver<usize>,
}

impl Woken {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver }
    }

    /// Has one looked at that has not been polled yet.
    pub(crate) fn add(&self, index: usize) {
        let _ = self.sender.send(index);
    }

    /// The next one to be polled, and the waker to poll it with; `None` when there is none, and the context's waker is
    /// woken by the next.
    pub(crate) fn next(&mut self, cx: &mut Context<'_>) -> Option<(usize, Waker)> {
        let Poll::Ready(Some(index)) = self.receiver.poll_recv(cx) else { return None };
        Some((index, Waker::from(Arc::new(Bell { index, woken: self.sender.clone() }))))
    }
}

/// Wakes with the index of one.
struct Bell {
    index: usize,
    woken: UnboundedSender<usize>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.woken.send(self.index);
    }
}
