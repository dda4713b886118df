//! Many futures at once.

use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll},
};

use crate::woken::Woken;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Futures by their index, of which only those are polled that were woken.
pub(super) struct Futures<T> {
    pending: BTreeMap<usize, BoxFuture<T>>,
    woken: Woken,
}

impl<T> Futures<T> {
    pub(super) fn new() -> Self {
        Self { pending: BTreeMap::new(), woken: Woken::new() }
    }

    pub(super) fn add(&mut self, index: usize, future: BoxFuture<T>) {
        self.pending.insert(index, future);
        self.woken.add(index);
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// The output of the next one that has come to its end; `None` when there is none, and the context's waker is woken
    /// by the next.
    pub(super) fn next(&mut self, cx: &mut Context<'_>) -> Option<(usize, T)> {
        while let Some((index, waker)) = self.woken.next(cx) {
            let Some(future) = self.pending.get_mut(&index) else { continue };
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.pending.remove(&index);
                return Some((index, output));
            }
        }
        None
    }
}
