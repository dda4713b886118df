//! Calls that are answered by nobody.

#![allow(clippy::unwrap_used)]

use std::{future::pending, sync::Mutex, time::Duration};

use erlang_process::{
    self as process, Bound, CallError, ExitReason, Node, Registry, Reply, Spawn, Subject, WhenFull,
};
use tokio::sync::oneshot;

/// Runs a test as a process of a node of its own.
async fn on_a_node<F: Future<Output = ()> + Send + 'static>(test: F) {
    Node::new().run(test).await.unwrap();
}

/// A process that hands the reply of the first request on, and ends; and that reply.
fn leaving() -> (Subject<Reply<()>>, oneshot::Receiver<Reply<()>>) {
    let (hand, handed) = oneshot::channel();
    let spawn = Spawn::new().unlinked().prepare(|requests: Subject<Reply<()>>| async move {
        hand.send(requests.receive_forever().await.unwrap()).unwrap();
        Err::<(), _>(ExitReason::Shutdown)
    });
    let prepared = spawn.unwrap();
    let subject = prepared.subject();
    prepared.start();
    (subject, handed)
}

#[tokio::test]
async fn a_reply_that_outlives_its_process_says_what_is_known_when_it_is_dropped() {
    on_a_node(async {
        let node = Node::current();
        for (by_a_process, told) in [(false, CallError::NoProc), (true, CallError::Unanswered)] {
            let (server, handed) = leaving();
            let ended = node.join(server.pid().unwrap());
            let dropping = async move {
                let reply = handed.await.unwrap();
                ended.await;
                drop(reply);
                pending::<()>().await;
            };
            if by_a_process {
                process::spawn(dropping);
            } else {
                tokio::spawn(dropping);
            }
            assert_eq!(server.call(Duration::MAX, |reply| reply).await, Err(told));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_wanted_until_the_caller_gives_up() {
    on_a_node(async {
        let requests = Subject::<Reply<u8>>::new().unwrap();
        let to = requests.clone();
        let second = Duration::from_secs(1);
        let caller = process::spawn(async move {
            // The reply to the first is taken, and its place is that of the next.
            assert_eq!(to.call(second, |reply| reply).await, Ok(1));
            assert_eq!(to.call(second, |reply| reply).await, Err(CallError::Timeout));
        });
        let first = requests.receive_forever().await.unwrap();
        assert!(first.is_wanted());
        first.send(1);
        let late = requests.receive_forever().await.unwrap();
        assert!(late.is_wanted());
        process::join(caller).await;
        assert!(!late.is_wanted());
        late.send(2);
        assert!(Reply::new(drop::<u8>).is_wanted());
    })
    .await;
}

/// Ends the process, or moves it on, while a request to it is being mapped.
type Meanwhile = Box<dyn Fn() + Send + Sync>;

#[tokio::test]
async fn who_is_gone_when_a_request_is_mapped_has_not_dropped_it() {
    on_a_node(async {
        for bound in [None, Some(Bound::new(2, WhenFull::Exit))] {
            let prepared = Spawn::new().unlinked();
            let prepared = match bound {
                None => prepared,
                Some(bound) => prepared.mailbox(bound),
            };
            let prepared = prepared.prepare(|_: Subject<Option<Reply<u8>>>| pending::<()>()).unwrap();
            let (server, pid) = (prepared.subject(), prepared.start());
            let full = server.clone();
            let meanwhile: Meanwhile = match bound {
                None => Box::new(move || process::kill(pid)),
                Some(_) => Box::new(move || (0..3).for_each(|_| full.send(None))),
            };
            let mapped = server.map(move |reply| {
                meanwhile();
                Some(reply)
            });
            let twice = mapped.map(|reply| reply);
            assert_eq!(twice.call(Duration::MAX, |reply| reply).await, Err(CallError::NoProc));
        }
    })
    .await;
}

#[tokio::test]
async fn who_no_longer_holds_a_key_when_a_request_is_mapped_has_not_dropped_it() {
    on_a_node(async {
        let registry = Registry::<&str, Subject<Reply<u8>>>::unique();
        let (leave, asked) = std::sync::mpsc::channel::<()>();
        let (left, gone) = std::sync::mpsc::channel();
        let keys = registry.clone();
        let (register, registered) = oneshot::channel();
        let holder = process::spawn_blocking(move |_: Subject<()>| {
            let own = Subject::<Reply<u8>>::new().unwrap();
            keys.register("key", own).unwrap();
            register.send(()).unwrap();
            asked.recv().unwrap();
            keys.unregister(&"key");
            left.send(()).unwrap();
            asked.recv().unwrap_err();
        });
        registered.await.unwrap();
        let meeting = Mutex::new((leave, gone));
        let mapped = registry.subject("key").map(move |reply| {
            let (leave, gone) = &*meeting.lock().unwrap();
            leave.send(()).unwrap();
            gone.recv().unwrap();
            reply
        });
        assert_eq!(mapped.call(Duration::MAX, |reply| reply).await, Err(CallError::NoProc));
        assert!(process::is_alive(holder.pid().unwrap()));
    })
    .await;
}
