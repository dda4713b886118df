//! The tasks of a stream, and what they have brought.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use erlang_process::{ExitReason, Node, Pid, Prepared, Spawn, current, exit, link, timeout as limit};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    StreamOnTimeout,
    element::Element,
    error::{ElementError, Failed},
    futures::{BoxFuture, Futures},
    progress::{Meter, ProgressWatch},
};
use crate::{
    callers,
    error::AwaitError,
    slot::{Slot, When},
    task::{Task, is_ending},
    woken::Woken,
    work::{Gated, Launch, Work, launch, prepare},
};

/// How long the end of a task that was killed is waited for. One that never awaits does not hold up the others for longer.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// Has somebody else start a task. Says which process it is, and where.
pub(crate) type Spawner = Arc<dyn Fn(Launch) -> BoxFuture<Spawned> + Send + Sync>;

pub(crate) type Spawned = Result<(Pid, Node), ExitReason>;

/// What becomes of an element.
pub(super) type Outcome<T, I> = Result<T, Failed<I>>;

/// The tasks of a stream: at most so many at once, each with its time, their outcomes in their order or not.
pub(super) struct Engine<T, I> {
    pub(super) max_concurrency: usize,
    pub(super) timeout: Duration,
    pub(super) on_timeout: StreamOnTimeout,
    pub(super) linked: bool,
    pub(super) under: Option<Spawner>,
    /// `None` when the stream has ended.
    meter: Option<Meter>,
    progress: ProgressWatch,
    pub(super) output: Output<Outcome<T, I>>,
    /// The index of the next element.
    next: usize,
    starting: BTreeMap<usize, Starting<T, I>>,
    starts: Futures<Spawned>,
    running: BTreeMap<usize, Running<T, I>>,
    woken: Woken,
    /// When whose time is over, of those that run.
    deadlines: BTreeSet<(Instant, usize)>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The ends of tasks that were killed: they have their place under a supervisor until they are gone, or do not end.
    leaving: Futures<()>,
    /// It was given up.
    over: bool,
}

/// A task that somebody else is starting.
struct Starting<T, I> {
    input: I,
    slot: Arc<Slot<T>>,
    go: oneshot::Sender<()>,
}

struct Running<T, I> {
    task: Task<T>,
    input: I,
    linked: bool,
    deadline: Option<Instant>,
}

impl<T: Send + 'static, I> Engine<T, I> {
    /// For so many elements, if that is known.
    pub(super) fn new(max_concurrency: usize, timeout: Duration, elements: Option<usize>) -> Self {
        let (meter, progress) = Meter::new();
        meter.total(elements);
        Self {
            max_concurrency,
            timeout,
            on_timeout: StreamOnTimeout::Exit,
            linked: true,
            under: None,
            meter: Some(meter),
            progress,
            output: Output::default(),
            next: 0,
            starting: BTreeMap::new(),
            starts: Futures::new(),
            running: BTreeMap::new(),
            woken: Woken::new(),
            deadlines: BTreeSet::new(),
            sleep: None,
            leaving: Futures::new(),
            over: false,
        }
    }

    /// The same, that keeps other things of its elements. Before it has any.
    pub(super) fn keeping<J>(mut self) -> Engine<T, J> {
        let mut engine = Engine::new(self.max_concurrency, self.timeout, None);
        engine.on_timeout = self.on_timeout;
        engine.linked = self.linked;
        engine.under = self.under.take();
        engine.meter = self.meter.take();
        engine.progress = self.progress.fresh();
        if self.output.unordered {
            engine.output.any_order();
        }
        engine
    }

    pub(super) fn progress(&self) -> ProgressWatch {
        self.progress.fresh()
    }

    pub(super) fn has_room(&self) -> bool {
        !self.over && self.places_taken() < self.max_concurrency
    }

    fn places_taken(&self) -> usize {
        self.in_work() + self.leaving.len()
    }

    pub(super) fn in_work(&self) -> usize {
        self.starting.len() + self.running.len()
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.in_work() == 0
    }

    /// Tells those who follow the stream that it has ended.
    pub(super) fn close(&mut self) {
        self.meter = None;
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Starts the task of the next element.
    pub(super) fn start<F>(&mut self, future: F, input: I)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let index = self.next;
        self.next += 1;
        let slot = Arc::new(Slot::new());
        let consumer = current().filter(|_| self.linked).map(|pid| (Node::current(), pid));
        let Some(meter) = self.meter.clone() else { return };
        let element = Element::new(future, consumer, meter);
        match &self.under {
            None => {
                let spawn = if self.linked { Spawn::new() } else { Spawn::new().unlinked() };
                let process = prepare(spawn, Work::new(slot.clone(), When::Made, element));
                let node = process.node().clone();
                self.run(index, input, Task::new(process.start(), node, slot));
            }
            Some(spawner) => {
                let (go, gate) = oneshot::channel();
                let own = slot.clone();
                let work = || Gated::new(gate, Work::new(own, When::Ended, element));
                let started = spawner(launch(callers::of_my_task(), Prepared::start, work));
                self.starts.add(index, started);
                self.starting.insert(index, Starting { input, slot, go });
            }
        }
    }

    fn run(&mut self, index: usize, input: I, task: Task<T>) {
        let deadline = Instant::now().checked_add(self.timeout);
        self.deadlines.extend(deadline.map(|deadline| (deadline, index)));
        let linked = self.linked && task.owner().is_some();
        self.running.insert(index, Running { task, input, linked, deadline });
        self.woken.add(index);
    }

    fn remove(&mut self, index: usize) -> Option<Running<T, I>> {
        let running = self.running.remove(&index)?;
        if let Some(deadline) = running.deadline {
            self.deadlines.remove(&(deadline, index));
        }
        Some(running)
    }

    /// Takes what has come of the tasks. Whether there is room for more; `Pending` while the caller must see nothing
    /// yet.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_starting(cx);
        let before = self.places_taken();
        while let Some((index, waker)) = self.woken.next(cx) {
            self.look(index, &waker);
        }
        self.poll_deadlines(cx);
        while self.leaving.next(cx).is_some() {}
        if is_ending() {
            return Poll::Pending;
        }
        Poll::Ready(self.places_taken() < before)
    }

    fn poll_starting(&mut self, cx: &mut Context<'_>) {
        while let Some((index, started)) = self.starts.next(cx) {
            let Some(Starting { input, slot, go }) = self.starting.remove(&index) else { continue };
            match started {
                Ok((pid, node)) => {
                    if self.linked && current().is_some() && Node::current().is(&node) {
                        // It waits to be told to go. If somebody has killed it, it has an outcome all the same.
                        let _ = link(pid);
                    }
                    let _ = go.send(());
                    self.run(index, input, Task::new(pid, node, slot));
                }
                Err(reason) => {
                    self.give_up(Failed { index, input, error: ElementError::NotStarted(reason) });
                }
            }
        }
    }

    /// Takes the outcome of a task, if there is one.
    fn look(&mut self, index: usize, waker: &Waker) -> bool {
        let Some(running) = self.running.get_mut(&index) else { return true };
        let Poll::Ready(outcome) = running.task.poll(&mut Context::from_waker(waker)) else { return false };
        let Some(Running { task, input, linked, .. }) = self.remove(index) else { return true };
        let outcome = match outcome {
            Ok(value) => Ok(value),
            Err(AwaitError::Exited(reason)) => {
                if linked {
                    task.flush();
                }
                Err(Failed { index, input, error: ElementError::Exited(reason) })
            }
            Err(_) => Err(Failed { index, input, error: ElementError::Timeout }),
        };
        self.output.put(index, outcome);
        true
    }

    fn poll_deadlines(&mut self, cx: &mut Context<'_>) {
        while let Some((deadline, index)) = self.deadlines.first().copied() {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return;
            }
            // One that came in the last moment counts.
            if self.look(index, Waker::noop()) {
                continue;
            }
            let Some(Running { task, input, linked, .. }) = self.remove(index) else { return };
            task.abandon(linked);
            if self.under.is_some() {
                let end = limit(KILL_PATIENCE, task.join());
                self.leaving.add(index, Box::pin(async move { drop(end.await) }));
            }
            let failed = Failed { index, input, error: ElementError::Timeout };
            match self.on_timeout {
                StreamOnTimeout::Kill => self.output.put(index, Err(failed)),
                StreamOnTimeout::Exit => return self.give_up(failed),
            }
        }
    }

    /// Ends all tasks and the calling process; outside any process the failure is the last of the stream.
    fn give_up(&mut self, failed: Failed<I>) {
        self.stop();
        self.over = true;
        if current().is_some() {
            let Failed { index, error, .. } = failed;
            exit(ExitReason::error(Failed { index, input: (), error }));
        }
        self.output.only(Err(failed));
    }
}

impl<T, I> Engine<T, I> {
    fn stop(&mut self) {
        self.starting.clear();
        self.starts = Futures::new();
        self.deadlines.clear();
        for Running { task, linked, .. } in mem::take(&mut self.running).into_values() {
            task.abandon(linked);
        }
    }
}

impl<T, I> Drop for Engine<T, I> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is to be handed out, in its order.
pub(super) struct Output<R> {
    unordered: bool,
    next: usize,
    /// Those that wait for one before them.
    early: BTreeMap<usize, R>,
    ready: VecDeque<R>,
}

impl<R> Default for Output<R> {
    fn default() -> Self {
        Self { unordered: false, next: 0, early: BTreeMap::new(), ready: VecDeque::new() }
    }
}

impl<R> Output<R> {
    /// From now on nothing waits for what is before it.
    pub(super) fn any_order(&mut self) {
        self.unordered = true;
        self.ready.extend(mem::take(&mut self.early).into_values());
    }

    fn put(&mut self, index: usize, outcome: R) {
        if self.unordered {
            self.ready.push_back(outcome);
            return;
        }
        self.early.insert(index, outcome);
        while let Some(outcome) = self.early.remove(&self.next) {
            self.ready.push_back(outcome);
            self.next += 1;
        }
    }

    /// Hands out what is ready, and after that nothing but this.
    fn only(&mut self, outcome: R) {
        self.early.clear();
        self.ready.push_back(outcome);
    }

    pub(super) fn pop(&mut self) -> Option<R> {
        self.ready.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.early.len() + self.ready.len()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, poll_fn},
        sync::mpsc,
        task::Poll,
        time::Duration,
    };

    use crate::async_stream;

    /// Tells its number when it is dropped.
    struct Telling(usize, mpsc::Sender<usize>);

    impl Drop for Telling {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }

    #[tokio::test]
    async fn what_is_left_of_a_stream_ends_in_the_order_of_its_elements() {
        let (tell, told) = mpsc::channel();
        let (start, started) = mpsc::channel();
        let work = move |n: usize| {
            let (telling, start) = (Telling(n, tell.clone()), start.clone());
            async move {
                let _ = start.send(());
                pending::<()>().await;
                drop(telling);
            }
        };
        let mut stream = Box::pin(async_stream(0..8, work).max_concurrency(8));
        assert!(poll_fn(|cx| Poll::Ready(Box::pin(stream.next()).as_mut().poll(cx))).await.is_pending());
        for _ in 0..8 {
            next(&started).await;
        }
        drop(stream);
        for n in 0..8 {
            assert_eq!(next(&told).await, n);
        }
    }

    async fn next<T>(channel: &mpsc::Receiver<T>) -> T {
        loop {
            if let Ok(value) = channel.try_recv() {
                return value;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_deadlines_of_those_that_are_done_are_forgotten() {
        let work = |n: usize| async move { if n == 0 { pending().await } else { n } };
        let hour = Duration::from_secs(3_600);
        let mut stream = async_stream(0.., work).max_concurrency(3).unordered().timeout(hour);
        for _ in 0..100 {
            assert!(stream.next().await.is_some());
            assert!(stream.engine.deadlines.len() <= 3, "{}", stream.engine.deadlines.len());
        }
    }
}
