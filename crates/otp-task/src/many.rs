//! Waiting for many tasks at once.

use std::{
    future::poll_fn,
    task::{Context, Poll, Waker},
};

use crate::{task::Task, woken::Woken};

/// Finds, among many tasks, those whose outcome has come, which is theirs until it is taken.
pub(crate) struct Many {
    /// Which of them have been found.
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

    /// The index of the next task that is done. Cancel safe.
    pub(crate) async fn next<T: Send + 'static>(&mut self, tasks: &[Task<T>]) -> usize {
        poll_fn(|cx| {
            while let Some((index, waker)) = self.woken.next(cx) {
                if self.look(index, tasks, &waker) {
                    return Poll::Ready(index);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The next one that is done already: waiting may find none merely because the caller has had its turn.
    pub(crate) fn last_look<T: Send + 'static>(&mut self, tasks: &[Task<T>]) -> Option<usize> {
        (0..self.done.len()).find(|index| self.look(*index, tasks, Waker::noop()))
    }

    fn look<T: Send + 'static>(&mut self, index: usize, tasks: &[Task<T>], waker: &Waker) -> bool {
        let (Some(done), Some(task)) = (self.done.get_mut(index), tasks.get(index)) else { return false };
        let found = !*done && task.poll_done(&mut Context::from_waker(waker)).is_ready();
        *done |= found;
        found
    }
}
