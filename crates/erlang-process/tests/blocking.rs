//! Processes with a thread of their own.

#![allow(clippy::unwrap_used)]

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use erlang_process::{
    self as process, CallError, ExitReason, Name, Node, Pid, ReceiveError, Reply, Selector, Spawn, Status,
    Subject,
};

const LONG: Duration = Duration::from_secs(60);

async fn in_a_process(body: impl Future<Output = ()> + Send + 'static) {
    tokio::time::timeout(LONG, Node::new().run(body)).await.unwrap().unwrap();
}

async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

fn status(pid: Pid) -> Option<Status> {
    Node::current().info(pid).map(|info| info.status)
}

/// Counts its drop.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn spawn_unlinked<T: process::IntoExitReason>(
    body: impl FnOnce(Subject<u32>) -> T + Send + 'static,
) -> Subject<u32> {
    Spawn::new().unlinked().spawn_blocking(body).unwrap()
}

/// The same, with its end: however soon that comes.
fn spawn_ending<T: process::IntoExitReason>(
    body: impl FnOnce(Subject<u32>) -> T + Send + 'static,
) -> (Subject<u32>, impl Future<Output = ExitReason> + Send) {
    let prepared = Spawn::new().unlinked().prepare(|own| async move { body(own) }).unwrap();
    let (subject, ended) = (prepared.subject(), prepared.ended());
    prepared.start_blocking();
    (subject, ended)
}

#[tokio::test]
async fn it_receives_what_is_sent_in_order() {
    in_a_process(async {
        let sum = process::spawn_blocking(|numbers: Subject<(u32, Reply<u32>)>| {
            let mut next = 0;
            while let Ok((number, reply)) = numbers.receive_forever_blocking() {
                assert_eq!(number, next);
                next += 1;
                reply.send(number * 2);
            }
        });
        for number in 0..1_000 {
            assert_eq!(sum.call(LONG, |reply| (number, reply)).await, Ok(number * 2));
        }
    })
    .await;
}

#[tokio::test]
async fn many_messages_at_once_are_more_than_one_turn() {
    in_a_process(async {
        let (numbers, ended) = spawn_ending(|numbers| {
            let received: u32 = (0..10_000).map(|_| numbers.receive_forever_blocking().unwrap()).sum();
            assert_eq!(received, 10_000);
        });
        (0..10_000).for_each(|_| numbers.send(1));
        assert_eq!(ended.await, ExitReason::Normal);
    })
    .await;
}

#[tokio::test]
async fn it_selects() {
    in_a_process(async {
        let tell = Subject::new().unwrap();
        let (_, ended) = spawn_ending({
            let tell = tell.clone();
            move |own| {
                let further = Subject::<&str>::new().unwrap();
                tell.send((own.clone(), further.clone()));
                let mut all =
                    Selector::new().select(&own, |n| n.to_string()).select(&further, |s| s.to_string());
                assert_eq!(all.receive_forever_blocking().unwrap(), "first");
                assert_eq!(all.receive_blocking(LONG).unwrap(), "2");
                assert_eq!(all.receive_blocking(Duration::ZERO), Err(ReceiveError::Timeout));
            }
        });
        let (own, further) = tell.receive(LONG).await.unwrap();
        further.send("first");
        own.send(2);
        assert_eq!(ended.await, ExitReason::Normal);
    })
    .await;
}

#[tokio::test]
async fn a_receive_times_out() {
    in_a_process(async {
        let (_, ended) = spawn_ending(|numbers| {
            assert_eq!(numbers.receive_blocking(Duration::from_millis(1)), Err(ReceiveError::Timeout));
        });
        assert_eq!(ended.await, ExitReason::Normal);
    })
    .await;
}

#[tokio::test]
async fn it_is_waiting_while_it_waits() {
    in_a_process(async {
        let (hold, held) = mpsc::channel::<()>();
        let (subject, ended) = spawn_ending(move |numbers| {
            numbers.receive_forever_blocking().unwrap();
            let _ = held.recv();
            numbers.receive_forever_blocking().unwrap();
        });
        let pid = subject.pid().unwrap();
        until(|| status(pid) == Some(Status::Waiting)).await;
        subject.send(1);
        until(|| status(pid) == Some(Status::Running)).await;
        drop(hold);
        until(|| status(pid) == Some(Status::Waiting)).await;
        subject.send(1);
        assert_eq!(ended.await, ExitReason::Normal);
    })
    .await;
}

#[tokio::test]
async fn a_kill_ends_it_where_it_waits_and_unwinds_it() {
    in_a_process(async {
        let dropped = Arc::new(AtomicUsize::new(0));
        for reason in [ExitReason::Kill, ExitReason::Shutdown] {
            let before = dropped.load(Ordering::SeqCst);
            let guard = Guard(dropped.clone());
            let pid = spawn_unlinked(move |numbers| {
                let _guard = guard;
                let _ = numbers.receive_forever_blocking();
            })
            .pid()
            .unwrap();
            let monitor = process::monitor(pid).unwrap();
            process::send_exit(pid, reason.clone());
            assert!(!process::is_alive(pid));
            let expected = if reason == ExitReason::Kill { ExitReason::Killed } else { reason };
            assert_eq!(monitor.down().await.unwrap().reason, expected);
            assert_eq!(dropped.load(Ordering::SeqCst), before + 1, "what it owned was released first");
        }
    })
    .await;
}

#[tokio::test]
async fn a_kill_does_not_stop_what_does_not_wait() {
    in_a_process(async {
        let (hold, held) = mpsc::channel::<()>();
        let (running, runs) = (Subject::new().unwrap(), Subject::new().unwrap());
        let (tell, after) = (running.clone(), runs.clone());
        let subject = spawn_unlinked(move |numbers| {
            tell.send(());
            let _ = held.recv();
            after.send(());
            let _ = numbers.receive_forever_blocking();
            after.send(());
        });
        running.receive(LONG).await.unwrap();
        let pid = subject.pid().unwrap();
        let monitor = process::monitor(pid).unwrap();
        process::kill(pid);
        assert_eq!(subject.try_send(1).unwrap_err().into_message(), 1, "to others it is dead");
        drop(hold);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
        assert_eq!(runs.receive(Duration::ZERO).await, Ok(()));
        assert_eq!(runs.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
    })
    .await;
}

/// Others have all threads that there are.
#[test]
fn a_kill_ends_what_has_no_thread_yet() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(in_a_process(async {
        let (first, first_ended) = spawn_ending(|own| own.receive_forever_blocking().map(drop));
        until(|| status(first.pid().unwrap()) == Some(Status::Waiting)).await;
        let dropped = Arc::new(AtomicUsize::new(0));
        for wait_first in [false, true] {
            let guard = Guard(dropped.clone());
            let (second, ended) = spawn_ending(move |own| {
                let _guard = guard;
                let _ = own.receive_forever_blocking();
            });
            if wait_first {
                // Who waits for a thread may have mail, and goes on waiting.
                second.send(1);
                tokio::task::yield_now().await;
                second.send(2);
                tokio::task::yield_now().await;
            }
            let before = dropped.load(Ordering::SeqCst);
            process::kill(second.pid().unwrap());
            assert_eq!(ended.await, ExitReason::Killed);
            assert_eq!(dropped.load(Ordering::SeqCst), before + 1);
        }
        first.send(1);
        assert_eq!(first_ended.await, ExitReason::Normal);
    }));
}

/// Who ends without having been woken leaves nothing behind that waits for it.
#[test]
fn what_had_to_wait_for_a_thread_leaves_no_task_behind() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(in_a_process(async {
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        let (hold, held) = mpsc::channel::<()>();
        let (_, first_ended) = spawn_ending(move |_| {
            let _ = held.recv();
        });
        let ended: Vec<_> = (0..100).map(|_| spawn_ending(|_| ()).1).collect();
        // Those that look whether there is a thread have looked.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        drop(hold);
        assert_eq!(first_ended.await, ExitReason::Normal);
        for ended in ended {
            assert_eq!(ended.await, ExitReason::Normal);
        }
        until(|| tasks() == before).await;
    }));
}

/// A thread for it, and the kill, come at the same moment.
#[test]
fn what_is_killed_when_it_gets_a_thread_ends_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(in_a_process(async {
        let dropped = Arc::new(AtomicUsize::new(0));
        for round in 0..200 {
            let (first, first_ended) = spawn_ending(|own| own.receive_forever_blocking().map(drop));
            let guard = Guard(dropped.clone());
            let (second, ended) = spawn_ending(move |own| {
                let _guard = guard;
                let _ = own.receive_forever_blocking();
            });
            first.send(1);
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            process::kill(second.pid().unwrap());
            assert_eq!(ended.await, ExitReason::Killed);
            assert_eq!(dropped.load(Ordering::SeqCst), round + 1);
            assert_eq!(first_ended.await, ExitReason::Normal);
        }
    }));
}

#[tokio::test]
async fn it_ends_of_itself_as_others_do() {
    in_a_process(async {
        assert_eq!(spawn_ending(|_| ()).1.await, ExitReason::Normal);
        let exited = spawn_ending(|_| process::exit(ExitReason::Shutdown) as ());
        assert_eq!(exited.1.await, ExitReason::Shutdown);
        let panicked = spawn_ending(|_| panic!("boom") as ());
        assert!(matches!(panicked.1.await, ExitReason::Panic(_)));
    })
    .await;
}

#[tokio::test]
async fn links_and_names_hold() {
    in_a_process(async {
        process::trap_exits(true).unwrap();
        let name = Name::<u32>::new("blocking");
        let subject = Spawn::new()
            .named(name)
            .spawn_blocking(|own: Subject<u32>| {
                assert_eq!(own.receive_forever_blocking(), Ok(7));
                Err::<(), _>(ExitReason::error("seven"))
            })
            .unwrap();
        assert_eq!(process::whereis(name), subject.pid());
        let pid = subject.pid();
        name.subject().send(7);
        let exit = Selector::new().select_trapped_exits(|exit| exit).receive(LONG).await.unwrap();
        assert_eq!((Some(exit.pid), exit.reason), (pid, ExitReason::error("seven")));
        assert_eq!(process::whereis(name), None);

        let parent = process::spawn_unlinked(async {
            let child = process::spawn_blocking(|own: Subject<()>| own.receive_forever_blocking());
            process::monitor(child.pid().unwrap()).unwrap();
            std::future::pending::<()>().await;
        });
        until(|| Node::current().info(parent).is_some_and(|info| info.links.len() == 1)).await;
        let child = Node::current().info(parent).unwrap().links[0];
        let monitor = process::monitor(child).unwrap();
        process::kill(parent);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
    })
    .await;
}

#[tokio::test]
async fn it_calls_and_is_told_of_dropped_requests() {
    in_a_process(async {
        let requests = Subject::<Reply<u32>>::new().unwrap();
        let (_, ended) = spawn_ending({
            let requests = requests.clone();
            move |_| {
                assert_eq!(requests.call_blocking(LONG, |reply| reply), Ok(7));
                assert_eq!(requests.call_blocking(LONG, |reply| reply), Err(CallError::Unanswered));
            }
        });
        requests.receive_forever().await.unwrap().send(7);
        drop(requests.receive_forever().await.unwrap());
        assert_eq!(ended.await, ExitReason::Normal);

        let silent = process::spawn_blocking(|calls: Subject<Reply<()>>| {
            while let Ok(reply) = calls.receive_forever_blocking() {
                drop(reply);
            }
        });
        assert_eq!(silent.call(LONG, |reply| reply).await, Err(CallError::Unanswered));
    })
    .await;
}

#[tokio::test]
async fn a_thread_outside_any_process_calls() {
    in_a_process(async {
        let requests = Subject::<Reply<u32>>::new().unwrap();
        let thread = thread::spawn({
            let requests = requests.clone();
            move || {
                assert_eq!(requests.receive_blocking(LONG).unwrap_err(), ReceiveError::NotAProcess);
                requests.call_blocking(Duration::MAX, |reply| reply)
            }
        });
        requests.receive_forever().await.unwrap().send(7);
        assert_eq!(thread.join().unwrap(), Ok(7));
    })
    .await;
}

#[tokio::test]
async fn a_future_with_a_thread_of_its_own_may_block_it_between_awaits() {
    in_a_process(async {
        let (give, take) = mpsc::channel::<u32>();
        let prepared = Spawn::new().prepare(move |own: Subject<u32>| async move {
            let first = own.receive_forever().await.unwrap();
            let second = take.recv().unwrap();
            assert_eq!((first, second), (1, 2));
            let third = process::block_on(own.receive_forever()).unwrap();
            assert_eq!((third, own.receive_blocking(Duration::ZERO)), (3, Err(ReceiveError::Timeout)));
        });
        let prepared = prepared.unwrap();
        let (subject, ended) = (prepared.subject(), prepared.ended());
        prepared.start_blocking();
        subject.send(1);
        give.send(2).unwrap();
        subject.send(3);
        assert_eq!(ended.await, ExitReason::Normal);
    })
    .await;
}

#[tokio::test]
async fn it_is_suspended_where_it_waits() {
    in_a_process(async {
        let numbers = process::spawn_blocking(|numbers: Subject<Reply<()>>| {
            while let Ok(reply) = numbers.receive_forever_blocking() {
                reply.send(());
            }
        });
        numbers.call(LONG, |reply| reply).await.unwrap();
        let pid = numbers.pid().unwrap();
        until(|| status(pid) == Some(Status::Waiting)).await;
        let suspension = process::suspend(pid).unwrap();
        let short = Duration::from_millis(5);
        assert_eq!(numbers.call(short, |reply| reply).await, Err(CallError::Timeout));
        suspension.resume();
        assert_eq!(numbers.call(LONG, |reply| reply).await, Ok(()));
    })
    .await;
}

#[tokio::test]
async fn who_shares_a_thread_may_not_block_it() {
    in_a_process(async {
        let caught = process::catch(async {
            let subject = Subject::<()>::new().unwrap();
            subject.receive_blocking(LONG).unwrap();
        });
        assert!(matches!(caught.await, Err(ExitReason::Panic(_))));
    })
    .await;
}

#[test]
fn a_runtime_that_is_shut_down_ends_it() {
    for threads in [0, 1] {
        let runtime = match threads {
            0 => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            _ => tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
        };
        let dropped = Arc::new(AtomicUsize::new(0));
        let guard = Guard(dropped.clone());
        let node = Node::new();
        let (subject, ended) = runtime.block_on(async {
            let prepared = Spawn::new().on(&node).prepare(move |own: Subject<u32>| async move {
                let _guard = guard;
                own.receive_forever_blocking().unwrap();
                own.receive_forever_blocking().unwrap();
            });
            let prepared = prepared.unwrap();
            let (subject, ended) = (prepared.subject(), prepared.ended());
            prepared.start_blocking();
            subject.send(1);
            (subject, ended)
        });
        drop(runtime);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert_eq!(subject.try_send(1).unwrap_err().into_message(), 1);
        assert_eq!(process::block_on(ended), ExitReason::Killed);
    }
}

#[tokio::test]
async fn who_is_dropped_while_it_waits_learns_so_before_it_waits_on() {
    in_a_process(async {
        let waiting = process::spawn_blocking(|requests: Subject<Reply<()>>| {
            process::block_on(async {
                while let Ok(request) = requests.receive_forever().await {
                    drop(request);
                }
            });
        });
        assert_eq!(waiting.call(LONG, |reply| reply).await, Err(CallError::Unanswered));
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_drops_the_reply_itself_learns_so() {
    in_a_process(async {
        let server = process::spawn_subject(|_: Subject<()>| std::future::pending::<()>());
        let results = Subject::new().unwrap();
        process::spawn_blocking({
            let results = results.clone();
            move |_: Subject<()>| {
                results.send(server.call_blocking(Duration::MAX, |reply: Reply<()>| drop(reply)));
            }
        });
        assert_eq!(results.receive(LONG).await, Ok(Err(CallError::Unanswered)));
    })
    .await;
}

#[test]
fn what_is_woken_while_a_wait_within_it_waits_is_polled_afterwards() {
    let (first_sender, mut first) = tokio::sync::oneshot::channel::<()>();
    let (second_sender, mut second) = tokio::sync::oneshot::channel::<()>();
    let (done_sender, done) = mpsc::channel();
    thread::spawn(move || {
        let mut senders = Some((first_sender, second_sender));
        process::block_on(poll_fn(|cx| {
            if Pin::new(&mut first).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if let Some((first_sender, second_sender)) = senders.take() {
                let polls = AtomicUsize::new(0);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        while polls.load(Ordering::SeqCst) == 0 {
                            thread::yield_now();
                        }
                        first_sender.send(()).unwrap();
                        while polls.load(Ordering::SeqCst) == 1 {
                            thread::yield_now();
                        }
                        second_sender.send(()).unwrap();
                    });
                    // Takes the wake of the first for one of its own.
                    process::block_on(poll_fn(|cx| {
                        polls.fetch_add(1, Ordering::SeqCst);
                        Pin::new(&mut second).poll(cx)
                    }))
                    .unwrap();
                });
            }
            Poll::Pending
        }));
        done_sender.send(()).unwrap();
    });
    done.recv_timeout(LONG).unwrap();
}
