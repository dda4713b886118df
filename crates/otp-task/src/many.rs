//! Waiting for many tasks at once.

use std::{
    future::poll_fn,
    task::{Context, Poll, Waker},
};

use crate::{error::AwaitError, task::Task, woken::Woken};

/// An outcome, and the index of the task whose it is.
pub(crate) type Indexed<T> = (usize, Result<T, AwaitError>);

/// Finds, among many tasks, those that have something to tell.
pub(crate) struct Many {
    /// Which of them have brought an outcome.
    done: Vec<bool>,
    woken: Woken,
}

impl Many {
    /// For so many tasks, all of which are to be looked at first.
    pub(crate) fn new(tasks: usize) -> Self {
        let woken = Woken::new();
        (0..tasks).for_each(|index| woken.add(index));
        Self { done: vec![false; tasks], woken }
    }

    /// Does not look at those for which this is true.
    pub(crate) fn skip(&mut self, done: impl Iterator<Item = bool>) {
        self.done = done.collect();
    }

    /// The next outcome. Cancel safe: an outcome is taken in the poll that returns it.
    pub(crate) async fn next<T: Send + 'static>(&mut self, tasks: &mut [Task<T>]) -> Indexed<T> {
        poll_fn(|cx| {
            while let Some((index, waker)) = self.woken.next(cx) {
                if let Some(found) = self.look(index, tasks, &waker) {
                    return Poll::Ready(found);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The next outcome that is there already: waiting may find none merely because the caller has had its turn.
    pub(crate) fn last_look<T: Send + 'static>(&mut self, tasks: &mut [Task<T>]) -> Option<Indexed<T>> {
        (0..self.done.len()).find_map(|index| self.look(index, tasks, Waker::noop()))
    }

    fn look<T: Send + 'static>(
        &mut self,
        index: usize,
        tasks: &mut [Task<T>],
        waker: &Waker,
    ) -> Option<Indexed<T>> {
        let (done, task) = (self.done.get_mut(index)?, tasks.get_mut(index)?);
        if *done {
            return None;
        }
        match task.poll(&mut Context::from_waker(waker)) {
            Poll::Ready(outcome) => {
                *done = true;
                Some((index, outcome))
            }
            Poll::Pending => None,
        }
    }
}
