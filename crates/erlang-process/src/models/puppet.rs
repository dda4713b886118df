//! Processes that do what they are told, and the tasks that they run in.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    task::{Context, Poll, Wake, Waker},
};

use crate::{
    Down, ExitMessage, ExitReason, Node, Pid, Selector, Subject,
    cell::Process,
    receive,
    sync::{AtomicBool, CheckedMutex, Condvar, Guard as CheckedGuard, Ordering},
};

/// A process that does what it is told, each order in one poll by the calling thread.
pub(super) struct Puppet<M = ()> {
    pub(super) pid: Pid,
    pub(super) subject: Subject<M>,
    pub(super) process: Process,
    jobs: Jobs,
    task: Task,
}

pub(super) type Jobs = Arc<Mutex<VecDeque<Job>>>;

pub(super) enum Job {
    Do(Box<dyn FnOnce() + Send>),
    End(ExitReason),
}

/// The body of a puppet, and where it takes its orders from.
pub(super) fn obey<M>(_: Subject<M>) -> (impl Future<Output = ExitReason> + Send, Jobs) {
    let jobs = Jobs::default();
    let body = poll_fn({
        let jobs = jobs.clone();
        move |_| {
            while let Some(job) = next(&jobs) {
                match job {
                    Job::Do(work) => work(),
                    Job::End(reason) => return Poll::Ready(reason),
                }
            }
            Poll::Pending
        }
    });
    (body, jobs)
}

fn next(jobs: &Jobs) -> Option<Job> {
    jobs.lock().unwrap().pop_front()
}

impl<M: Send + 'static> Puppet<M> {
    pub(super) fn new(node: &Node, subject: Subject<M>, task: Task, jobs: Jobs) -> Self {
        let pid = subject.pid().unwrap();
        Self { pid, subject, process: node.find(pid).unwrap(), jobs, task }
    }

    /// Has the process do something. `None` if it has ended.
    pub(super) fn does<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let result = Arc::new(Mutex::new(None));
        let job = {
            let result = result.clone();
            Job::Do(Box::new(move || {
                let value = work();
                *result.lock().unwrap() = Some(value);
            }))
        };
        self.obeys(job);
        result.lock().unwrap().take()
    }

    /// Has the process return this reason.
    pub(super) fn ends(&mut self, reason: ExitReason) {
        self.obeys(Job::End(reason));
    }

    fn obeys(&mut self, job: Job) {
        self.jobs.lock().unwrap().push_back(job);
        self.poll();
    }

    /// Lets the process do what it has to do of itself.
    pub(super) fn poll(&mut self) {
        let _ = self.task.poll();
    }

    /// Whether it has something to do of itself.
    pub(super) fn is_woken(&self) -> bool {
        self.task.is_woken()
    }

    /// Whether it has done all that it was told.
    pub(super) fn is_idle(&self) -> bool {
        self.jobs.lock().unwrap().is_empty()
    }

    /// Why it has ended; `None` while it lives.
    pub(super) fn reason(&self) -> Option<ExitReason> {
        self.process.exit_reason()
    }

    /// The exits that came since the last time.
    pub(super) fn exits(&mut self) -> Vec<ExitMessage> {
        self.does(exits).unwrap_or_default()
    }

    /// The ends of monitored processes that came since the last time.
    pub(super) fn downs(&mut self) -> Vec<Down> {
        self.does(downs).unwrap_or_default()
    }

    /// The messages to its own subject that came since the last time.
    pub(super) fn messages(&mut self) -> Vec<M> {
        let own = self.subject.clone();
        self.does(move || receive::drain(&mut Selector::new().select(&own, |message| message)))
            .unwrap_or_default()
    }

    /// The processes that it has links to, removed ones not yet acknowledged included.
    pub(super) fn links(&self) -> Vec<Pid> {
        self.process.with(|control, _| control.links().iter().map(|(pid, _)| *pid).collect())
    }

    /// Whether it has a link to this process and has not removed it.
    pub(super) fn is_linked(&self, pid: Pid) -> bool {
        self.process.with(|control, _| control.is_linked(pid))
    }

    /// How many monitors it has, and how many others have on it.
    pub(super) fn monitors(&self) -> (usize, usize) {
        self.process.with(|control, _| {
            control
                .relations()
                .map_or((0, 0), |relations| (relations.monitors.len(), relations.watchers.iter().count()))
        })
    }
}

/// The trapped exits in the mailbox of the calling process.
pub(super) fn exits() -> Vec<ExitMessage> {
    receive::drain(&mut Selector::new().select_trapped_exits(|exit| exit))
}

/// The ends of monitored processes in the mailbox of the calling process.
pub(super) fn downs() -> Vec<Down> {
    receive::drain(&mut Selector::new().select_monitors(|down| down))
}

/// What a runtime would run.
pub(crate) struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    notice: Arc<Notice>,
}

impl Task {
    pub(crate) fn new(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { future: Some(Box::pin(future)), notice: Arc::default() }
    }

    pub(crate) fn poll(&mut self) -> Poll<()> {
        self.notice.take();
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        let waker = Waker::from(self.notice.clone());
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            return Poll::Pending;
        }
        self.future = None;
        Poll::Ready(())
    }

    pub(super) fn is_woken(&self) -> bool {
        self.notice.is_given()
    }

    /// Runs it to its end on the calling thread. If nobody wakes it the model checker reports a deadlock.
    pub(super) fn run(mut self) {
        while self.poll().is_pending() {
            self.notice.wait();
        }
    }
}

/// A waker that a thread can wait for.
#[derive(Default)]
struct Notice {
    given: CheckedMutex<bool>,
    changed: Condvar,
}

impl Notice {
    fn take(&self) {
        *self.lock() = false;
    }

    fn is_given(&self) -> bool {
        *self.lock()
    }

    fn wait(&self) {
        let mut given = self.lock();
        while !*given {
            given = self.changed.wait(given).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Poisoned it may be: a lock that is held while another thread of the model unwinds is taken for one that panicked.
    fn lock(&self) -> CheckedGuard<'_, bool> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        *self.lock() = true;
        self.changed.notify_one();
    }
}

/// Polls a future and counts how often.
pub(super) async fn counting<F: Future>(polls: Arc<AtomicUsize>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

/// A part of a task that has a waker of its own, as combinators of many futures give to each.
#[derive(Default)]
pub(super) struct Part(Option<Arc<PartWaker>>);

struct PartWaker {
    task: Waker,
    woken: AtomicBool,
    /// Who has gone wakes nobody.
    gone: AtomicBool,
}

impl Part {
    /// Polls a future as the part, the first time and when the part was woken.
    pub(super) fn poll<F: Future>(&mut self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let part = self.0.get_or_insert_with(|| {
            let (woken, gone) = (AtomicBool::new(true), AtomicBool::new(false));
            Arc::new(PartWaker { task: cx.waker().clone(), woken, gone })
        });
        if !part.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        future.poll(&mut Context::from_waker(&Waker::from(part.clone())))
    }

    /// Polls a future as the task and as the part, in this order or the other. From then on by who was the last.
    pub(super) fn poll_both<F: Future>(
        &mut self,
        mut future: Pin<&mut F>,
        cx: &mut Context<'_>,
        by_task_first: bool,
    ) -> Poll<F::Output> {
        let first = self.0.is_none();
        if by_task_first {
            if first && let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            return self.poll(future, cx);
        }
        if first && let Poll::Ready(output) = self.poll(future.as_mut(), cx) {
            return Poll::Ready(output);
        }
        future.poll(cx)
    }
}

impl Wake for PartWaker {
    fn wake(self: Arc<Self>) {
        self.woken.swap(true, Ordering::AcqRel);
        if !self.gone.load(Ordering::Acquire) {
            self.task.wake_by_ref();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(part) = &self.0 {
            part.gone.store(true, Ordering::Release);
        }
    }
}
