//! Processes whose futures cannot be sent to another thread.

#![allow(clippy::unwrap_used)]

use std::{
    cell::{Cell, RefCell},
    future::pending,
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use erlang_process::{self as process, ExitReason, Name, Node, Reply, Selector, Spawn, Subject};
use tokio::task::LocalSet;

const LONG: Duration = Duration::from_secs(60);

/// Sets it when it is dropped.
struct Guard(Rc<Cell<bool>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// Runs a test as a local process of a node of its own.
async fn local(body: impl Future<Output = ()> + 'static) {
    let node = Node::new();
    let test = async {
        let prepared = Spawn::new().on(&node).prepare(|_: Subject<()>| body).unwrap();
        let ended = prepared.ended();
        prepared.start_local();
        tokio::time::timeout(LONG, ended).await.unwrap()
    };
    assert_eq!(LocalSet::new().run_until(test).await, ExitReason::Normal);
}

#[tokio::test]
async fn who_is_in_no_local_set_ends_of_that_and_not_of_the_end_of_what_it_starts() {
    let start = async {
        let _ = process::spawn_local(async {});
    };
    let reason = Node::new().run(start).await.unwrap_err();
    assert!(matches!(&reason, ExitReason::Panic(panic) if panic.message().contains("LocalSet")), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn it_receives_calls_and_shares_what_is_not_send() {
    local(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let prepared = Spawn::new().prepare(|requests: Subject<(u32, Reply<usize>)>| {
            let log = log.clone();
            async move {
                while let Ok((number, reply)) = requests.receive_forever().await {
                    log.borrow_mut().push(number);
                    reply.send(log.borrow().len());
                }
            }
        });
        let prepared = prepared.unwrap();
        let requests = prepared.subject();
        prepared.start_local();
        assert_eq!(requests.call(LONG, |reply| (7, reply)).await, Ok(1));
        // And from a process that runs anywhere.
        process::spawn(async move { requests.call(LONG, |reply| (8, reply)).await.map(drop) });
        while log.borrow().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*log.borrow(), [7, 8]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_as_others_do() {
    local(async {
        process::trap_exits(true).unwrap();
        let exits = async || Selector::new().select_trapped_exits(|exit| exit).receive(LONG).await.unwrap();

        let pid = process::spawn_local(async { Err::<(), _>(ExitReason::error("boom")) });
        let exit = exits().await;
        assert_eq!((exit.pid, exit.reason), (pid, ExitReason::error("boom")));

        process::spawn_local(async { panic!("boom") as () });
        assert!(matches!(exits().await.reason, ExitReason::Panic(_)));

        let released = Rc::new(Cell::new(false));
        let guard = Guard(released.clone());
        let name = Name::<()>::new("local");
        let pid = Spawn::new().named(name).spawn_local(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        let pid = pid.unwrap();
        assert_eq!(process::whereis(name), Some(pid));
        tokio::task::yield_now().await;
        process::kill(pid);
        assert_eq!(process::whereis(name), None);
        let exit = exits().await;
        assert_eq!((exit.pid, exit.reason), (pid, ExitReason::Killed));
        assert!(released.get(), "what it owned was released first");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn it_is_killed_when_its_set_is_dropped() {
    let node = Node::new();
    let released = Rc::new(Cell::new(false));
    let set = LocalSet::new();
    let (pid, ended) = {
        let _entered = set.enter();
        let guard = Guard(released.clone());
        let prepared = Spawn::new().on(&node).prepare(|_: Subject<()>| async move {
            let _guard = guard;
            pending::<()>().await;
        });
        let prepared = prepared.unwrap();
        let ended = prepared.ended();
        (prepared.start_local(), ended)
    };
    let ended = tokio::spawn(ended);
    tokio::task::yield_now().await;
    assert!(node.is_alive(pid));
    drop(set);
    assert!(released.get());
    assert_eq!(ended.await.unwrap(), ExitReason::Killed);
}

#[tokio::test(start_paused = true)]
async fn outside_a_set_it_panics_and_leaves_nothing() {
    let node = Node::new();
    let inside = node.clone();
    let reason = node.run(async move {
        let caught = process::catch(async { Spawn::new().unlinked().spawn_local(pending::<()>()).map(drop) });
        assert!(matches!(caught.await, Err(ExitReason::Panic(_))));
        assert_eq!(inside.processes().len(), 1, "the process that was made has ended");
    });
    assert_eq!(reason.await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_is_done_after_its_end_is_not_done_by_the_process_around_it() {
    local(async {
        let (tell, told) = tokio::sync::oneshot::channel();
        let inner = LocalSet::new();
        let pid = inner.run_until(async {
            process::spawn_local(async {
                let tell_all = move |_: &ExitReason| tell.send(process::current()).unwrap();
                process::after_exit(tell_all).unwrap();
            })
        });
        let pid = pid.await;
        assert_eq!(inner.run_until(process::join(pid)).await, ExitReason::Normal);
        assert_eq!(told.await, Ok(None));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unread_message_can_ask_for_something_to_be_done_after_the_end() {
    struct Asks(Option<tokio::sync::oneshot::Sender<ExitReason>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let tell = self.0.take().unwrap();
            let _ = process::after_exit(move |reason| drop(tell.send(reason.clone())));
        }
    }
    local(async {
        let (tell, told) = tokio::sync::oneshot::channel();
        let other = process::spawn_subject(|_: Subject<Asks>| pending::<()>());
        process::unlink(other.pid().unwrap()).unwrap();
        other.send(Asks(Some(tell)));
        process::kill(other.pid().unwrap());
        assert_eq!(told.await, Ok(ExitReason::Killed));
    })
    .await;
}

/// Notes that it was woken, and may panic then.
struct Noting {
    woken: std::sync::atomic::AtomicBool,
    panics: bool,
}

impl std::task::Wake for Noting {
    fn wake(self: std::sync::Arc<Self>) {
        self.woken.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(!self.panics, "woken");
    }
}

fn poll<F: Future>(future: Pin<&mut F>, noting: &std::sync::Arc<Noting>) -> Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(&std::task::Waker::from(noting.clone())))
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_keeps_the_message_from_nobody() {
    local(async {
        let noting = |panics| std::sync::Arc::new(Noting { woken: false.into(), panics });
        let (first, second) = (noting(true), noting(false));
        let subject = Subject::<u8>::new().unwrap();
        let [mut receive, mut receive_too] = [(); 2].map(|()| Box::pin(subject.receive_forever()));
        let mut poll_first = || poll(receive.as_mut(), &first);
        let mut poll_second = || poll(receive_too.as_mut(), &second);
        assert_eq!((poll_first(), poll_second()), (Poll::Pending, Poll::Pending));
        subject.send(1);
        let woken = [&first, &second].map(|noting| noting.woken.load(std::sync::atomic::Ordering::Relaxed));
        assert_eq!(woken, [true, true]);
        assert_eq!((poll_second(), poll_first()), (Poll::Ready(Ok(1)), Poll::Pending));
        subject.send(2);
        assert_eq!(poll_first(), Poll::Ready(Ok(2)));
    })
    .await;
}
