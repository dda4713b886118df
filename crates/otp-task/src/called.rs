//! What a task that may be started again runs.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

pin_project! {
    /// Makes a future and runs it, both in the process of the task. A type with a name, so that crash reports and `info`
    /// name what it runs.
    #[project = Stage]
    pub(crate) enum Called<B, F> {
        Made { body: Arc<B> },
        Running { #[pin] future: F },
    }
}

impl<B: Fn() -> F, F> Called<B, F> {
    pub(crate) fn new(body: Arc<B>) -> Self {
        Self::Made { body }
    }
}

impl<B: Fn() -> F, F: Future> Future for Called<B, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            match self.as_mut().project() {
                Stage::Running { future } => return future.poll(cx),
                Stage::Made { body } => {
                    let future = body();
                    self.set(Self::Running { future });
                }
            }
        }
    }
}
