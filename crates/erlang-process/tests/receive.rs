//! Receiving: what is rare.

#![allow(clippy::unwrap_used)]

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use erlang_process::{
    self as process, Bound, Down, ExitMessage, ExitReason, Node, ReceiveError, Reply, Selector, Spawn,
    Subject, Unexpected, WhenFull,
};

const LONG: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Runs a test as a process of a node of its own.
async fn alone<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
    tokio::time::timeout(LONG, Node::new().run(body)).await.expect("the test hangs").unwrap()
}

type Receiving = Pin<Box<dyn Future<Output = Result<u32, ReceiveError>> + Send>>;

/// What a process receives that goes on with a receive of another.
async fn goes_on(begun: Receiving, message: u32) -> Result<u32, ReceiveError> {
    let other = Spawn::new().unlinked().prepare(|orders: Subject<(Receiving, Reply<_>)>| async move {
        let (begun, reply): (Receiving, Reply<_>) = orders.receive_forever().await.unwrap();
        reply.send(begun.await);
    });
    let other = other.unwrap();
    let orders = other.subject();
    let pid = other.start();
    // The oldest that fits, before anything was taken out of that mailbox.
    Subject::to_pid(pid).unwrap().send(message);
    orders.call(Duration::MAX, |reply| (begun, reply)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_process_that_goes_on_with_the_receive_of_another_looks_at_all_of_its_own_mailbox() {
    alone(async {
        for searched in 0..3 {
            for n in 0..searched {
                Subject::to_pid(process::current().unwrap()).unwrap().send(format!("does not fit {n}"));
            }
            let mut begun: Receiving =
                Box::pin(async { Selector::new().select_raw(|n: u32| n).receive_forever().await });
            assert!(poll_fn(|cx| Poll::Ready(begun.as_mut().poll(cx))).await.is_pending());
            assert_eq!(goes_on(begun, 7).await, Ok(7));
        }
    })
    .await;
}

/// Sends another when it is dropped, so often.
struct Again {
    left: Arc<AtomicUsize>,
    to: Subject<Self>,
}

impl Drop for Again {
    fn drop(&mut self) {
        if self.left.load(Ordering::Relaxed) > 0 {
            self.left.fetch_sub(1, Ordering::Relaxed);
            self.to.send(Self { left: self.left.clone(), to: self.to.clone() });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn flush_takes_what_is_there_and_not_what_comes_of_it() {
    alone(async {
        for bound in
            [None, Some(Bound::new(10, WhenFull::Refuse)), Some(Bound::new(10, WhenFull::DropOldest))]
        {
            let left = Arc::new(AtomicUsize::new(100));
            let spawn = Spawn::new().unlinked();
            let spawn = match bound {
                None => spawn,
                Some(bound) => spawn.mailbox(bound),
            };
            let counted = left.clone();
            let flushing = spawn.prepare(|to: Subject<Again>| async move {
                for _ in 0..3 {
                    to.send(Again { left: counted.clone(), to: to.clone() });
                }
                process::flush_messages();
                let info = Node::current().info(process::current().unwrap()).unwrap();
                assert_eq!(
                    (counted.swap(0, Ordering::Relaxed), info.message_queue_len),
                    (97, 3),
                    "{bound:?}"
                );
            });
            let flushing = flushing.unwrap();
            let ended = flushing.ended();
            flushing.start();
            assert_eq!(ended.await, ExitReason::Normal);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_is_deselected_is_known_as_one_of_all_only() {
    alone(async {
        let (_, first) = process::spawn_monitor(async {}).unwrap();
        let (_, second) = process::spawn_monitor(async {}).unwrap();
        let one = |monitor| Selector::new().select_monitor(monitor, |down| ("one", down.monitor));
        // Not the other one, and not the mailbox.
        let mut other = one(first).merge(one(second)).deselect_monitor(first);
        assert_eq!(other.receive(SECOND).await, Ok(("one", second)));
        assert_eq!(other.receive(SECOND).await, Err(ReceiveError::Timeout));
        let mut all = one(first)
            .select_monitors(|down| ("all", down.monitor))
            .deselect_monitor(first)
            .deselect_monitor(second);
        assert_eq!(all.receive(SECOND).await, Ok(("all", first)));
    })
    .await;
}

/// What an unexpected message is taken for, by each function that takes one.
fn taken(mut other: Unexpected<'_>) -> (Option<u32>, Option<ExitMessage>, Option<Down>, Option<u32>) {
    (other.take_raw(), other.take_exit(), other.take_down(), other.take())
}

#[tokio::test(start_paused = true)]
async fn an_unexpected_message_is_taken_for_what_it_is() {
    alone(async {
        process::trap_exits(true).unwrap();
        let mut any = Selector::new().select_other(taken);

        let own = Subject::new().unwrap();
        own.send(1_u32);
        assert_eq!(any.receive(SECOND).await, Ok((None, None, None, Some(1))));
        // One that has the type, and came another way, is not raw.
        Subject::to_pid(process::current().unwrap()).unwrap().send(2_u32);
        assert_eq!(any.receive(SECOND).await, Ok((Some(2), None, None, None)));

        let (pid, monitor) = process::spawn_monitor(async {}).unwrap();
        let down = Down { monitor, target: pid.into(), reason: ExitReason::Normal };
        assert_eq!(any.receive(SECOND).await, Ok((None, None, Some(down), None)));
        process::send_exit(process::current().unwrap(), ExitReason::Shutdown);
        let exit = ExitMessage { pid: process::current().unwrap(), reason: ExitReason::Shutdown };
        assert_eq!(any.receive(SECOND).await, Ok((None, Some(exit), None, None)));

        // What does not fit is not used up by being asked for.
        own.send(3);
        let mut patient = Selector::new().select_other(|mut other: Unexpected<'_>| {
            assert_eq!((other.take::<String>(), other.take_exit()), (None, None));
            other.take::<u32>()
        });
        assert_eq!(patient.receive(SECOND).await, Ok(Some(3)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whatever_comes_is_received_in_the_order_in_which_it_came() {
    let server = Spawn::new().unlinked().on(&Node::new()).prepare(|own: Subject<u32>| async move {
        let further = Subject::new().unwrap();
        own.send(1);
        further.send(2_u32);
        Subject::to_pid(own.pid().unwrap()).unwrap().send(3_u32);
        own.send(4);
        let mut seen = Vec::new();
        for _ in 0..4 {
            // What is sent to another subject is not its own, of whatever type.
            let next = own.receive_any(SECOND, |n| ("own", n), |mut other| ("other", other.take().unwrap()));
            seen.push(next.await.unwrap());
        }
        assert_eq!(seen, [("own", 1), ("other", 2), ("other", 3), ("own", 4)]);
        assert_eq!(own.receive_any(SECOND, |_| (), |_| ()).await, Err(ReceiveError::Timeout));
        let stranger = process::spawn_subject(|_: Subject<u32>| std::future::pending::<()>());
        assert_eq!(stranger.receive_any(SECOND, |_| (), |_| ()).await, Err(ReceiveError::NotOwner));
    });
    let server = server.unwrap();
    let ended = server.ended();
    server.start();
    assert_eq!(ended.await, ExitReason::Normal);
}
