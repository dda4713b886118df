//! Keys as addresses.

use std::time::Duration;

use erlang_process::{
    self as process, CallError, ExitReason, Groups, Name, Pid, Registry, Reply, Selector, Subject,
};
use tokio::sync::oneshot;

use crate::{ROUNDS, SECOND, on_a_node};

/// A process that answers requests with a number and is found by a key.
async fn server(registry: &Registry<&'static str, Subject<Reply<u32>>>, number: u32) -> Pid {
    let registry = registry.clone();
    let (sender, ready) = oneshot::channel();
    let pid = process::spawn_unlinked(async move {
        let requests = Subject::<Reply<u32>>::new().unwrap();
        registry.register("key", requests.clone()).unwrap();
        sender.send(()).unwrap();
        while let Ok(reply) = requests.receive_forever().await {
            reply.send(number);
        }
    });
    ready.await.unwrap();
    pid
}

#[tokio::test]
async fn regx_13_a_key_is_an_address_as_a_name_is() {
    on_a_node(async {
        let registry = Registry::unique();
        let subject = registry.subject("key");
        assert_eq!(subject.pid(), None);
        assert_eq!(subject.call(SECOND, |reply| reply).await, Err(CallError::NoProc));

        let first = server(&registry, 1).await;
        assert_eq!(subject.pid(), Some(first));
        assert_eq!(subject.call(SECOND, |reply| reply).await, Ok(1));
        let monitor = process::monitor(subject.pid().unwrap()).unwrap();

        // The holder is dead and has not been cleaned up.
        process::kill(first);
        assert_eq!((registry.whereis("key"), subject.pid()), (None, None));
        assert_eq!(subject.call(SECOND, |reply| reply).await, Err(CallError::NoProc));
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);

        let second = server(&registry, 2).await;
        assert_eq!(subject.pid(), Some(second));
        assert_eq!(subject.call(SECOND, |reply| reply).await, Ok(2));
        let narrow = subject.map(|reply: Reply<u32>| reply);
        assert_eq!(narrow.call(SECOND, |reply| reply).await, Ok(2));
        assert_eq!(subject.receive(SECOND).await.err(), Some(process::ReceiveError::NotOwner));
    })
    .await;
}

#[tokio::test]
async fn a_message_to_a_key_comes_back_if_nobody_holds_it() {
    on_a_node(async {
        let registry = Registry::<_, Subject<String>>::unique();
        let subject = registry.subject(7);
        assert_eq!(subject.try_send("lost".to_owned()).unwrap_err().into_message(), "lost");
        let mailbox = Subject::new().unwrap();
        registry.register(7, mailbox.clone()).unwrap();
        subject.send("found".to_owned());
        assert_eq!(mailbox.receive(Duration::ZERO).await.unwrap(), "found");
        registry.unregister(&7);
        assert_eq!(subject.try_send("lost".to_owned()).unwrap_err().into_message(), "lost");

        // An address that would be looked up for ever is nobody's.
        registry.register(7, subject.clone()).unwrap();
        assert_eq!(subject.try_send("lost".to_owned()).unwrap_err().into_message(), "lost");
        registry.unregister(&7);
        registry.register(7, subject.map(|text| text)).unwrap();
        assert_eq!(subject.try_send("lost".to_owned()).unwrap_err().into_message(), "lost");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_by_key_ends_whatever_becomes_of_the_holder() {
    on_a_node(async {
        let registry = Registry::unique();
        let mut answered = 0;
        for round in 0..ROUNDS {
            let number = u32::try_from(round).unwrap();
            let holder = server(&registry, number).await;
            let caller = tokio::spawn({
                let subject = registry.subject("key");
                async move { subject.call(SECOND * 60, |reply| reply).await }
            });
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            process::kill(holder);
            match caller.await.unwrap() {
                Ok(reply) => {
                    assert_eq!(reply, number);
                    answered += 1;
                }
                Err(CallError::NoProc | CallError::Down(ExitReason::Killed)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert!(answered < ROUNDS, "a holder was never gone in time");
    })
    .await;
}

/// A process that forwards what comes by any way there is to it, and these ways. Its name is of another type than its own
/// subject.
async fn forwarder(out: &Subject<u32>) -> Vec<Subject<u32>> {
    let (hand, out) = (Subject::new().unwrap(), out.clone());
    let hand_over = hand.clone();
    process::spawn(async move {
        let (own, name) = (process::current().unwrap(), Name::new("forwarder"));
        process::register(own, name).unwrap();
        let tagged = Subject::new().unwrap();
        let narrow = tagged.map(|n| n);
        let mut all =
            Selector::new().select(&tagged, |n| n).select(&name.subject(), |n| n).select_raw(|n: u32| n);
        hand_over.send(vec![tagged, narrow, name.subject(), Subject::to_pid(own).unwrap()]);
        while let Ok(number) = all.receive_forever().await {
            out.send(number);
        }
    });
    hand.receive(SECOND).await.unwrap()
}

#[tokio::test]
async fn a_key_that_is_registered_with_anothers_subject_is_the_address_of_that_other() {
    on_a_node(async {
        let out = Subject::new().unwrap();
        let (rooms, groups) = (Registry::<_, Subject<u32>>::unique(), Groups::<_, u32>::new());
        let room = rooms.subject("room");
        for subject in forwarder(&out).await {
            rooms.register("room", subject.clone()).unwrap();
            assert_eq!(rooms.whereis("room"), process::current());
            assert_eq!(room.pid(), subject.pid());
            room.send(1);
            room.send_wait(2).await.unwrap();
            groups.join("group", &room).unwrap();
            assert_eq!(groups.members("group"), [subject.pid().unwrap()]);
            assert_eq!(groups.send("group", 3), 1);
            for number in 1..=3 {
                assert_eq!(out.receive(SECOND).await, Ok(number));
            }
            groups.leave("group", subject.pid().unwrap()).unwrap();
            rooms.unregister("room");
        }
    })
    .await;
}
