//! Where the elements of a stream of tasks come from, when that is an iterator.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

/// An iterator as a [`Stream`] whose items are there at once.
#[derive(Clone, Debug)]
pub struct Iter<I>(pub(crate) I);

// The iterator is not pinned.
impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
