//! Selectors.

#![allow(clippy::unwrap_used)]

use std::{
    future::{pending, poll_fn},
    task::Poll,
    time::Duration,
};

use erlang_process::{
    self as process, Name, Node, ReceiveError, Selector, Spawn, Subject, register, unregister,
};

const SECOND: Duration = Duration::from_secs(1);

/// Runs a test as a process of a node of its own.
async fn on_a_node<F: Future<Output = ()> + Send + 'static>(test: F) {
    Node::new().run(test).await.unwrap();
}

/// Runs a test as a process with a subject of its own.
async fn with_an_own_subject<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(Subject<u32>) -> F + Send + 'static,
) {
    on_a_node(async {
        let prepared = Spawn::new().prepare(test).unwrap();
        let ended = prepared.ended();
        prepared.start();
        assert!(ended.await.is_orderly());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_process_does_not_hold_brings_nothing_and_harms_nothing() {
    with_an_own_subject(|own| async move {
        let this = process::current().unwrap();
        let (mine, taken) = (Name::<u32>::fixed("mine"), Name::<u8>::new("taken"));
        register(this, mine).unwrap();
        register(Spawn::new().spawn(pending::<()>()).unwrap(), taken).unwrap();
        // Nobody's, another's, and this one's as if it took other messages.
        for foreign in [Name::new("nobody").subject(), taken.subject(), Name::fixed("mine").subject()] {
            assert_eq!(foreign.receive(SECOND).await, Err(ReceiveError::NotOwner));
            let selector = Selector::new().select(&own, |n| n).select(&foreign, u32::from);
            let merged = Selector::new().select(&mine.subject(), |n| n).merge(selector);
            let mut mapped = merged.map(|n| n + 1);
            assert_eq!(mapped.receive(SECOND).await, Err(ReceiveError::Timeout));
            own.send(1);
            assert_eq!(mapped.receive(SECOND).await, Ok(2));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_selects_a_name_of_its_own_type_that_another_holds_loses_none_of_its_own_messages() {
    with_an_own_subject(|own| async move {
        let leader = Name::<u32>::new("leader");
        register(Spawn::new().spawn(pending::<()>()).unwrap(), leader).unwrap();
        own.send(1);
        let mut selector = Selector::new().select(&leader.subject(), |n| n);
        assert_eq!(selector.receive(SECOND).await, Err(ReceiveError::Timeout));
        assert_eq!(selector.try_receive(), Err(ReceiveError::Timeout));
        let mut others = selector.select_other(|mut other| other.take().unwrap());
        own.send(2);
        assert_eq!(others.try_receive(), Ok(1));
        assert_eq!(own.try_receive(), Ok(2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_brings_messages_of_the_own_type_as_long_as_there_may_be_some() {
    with_an_own_subject(|own| async move {
        let this = process::current().unwrap();
        let name = Name::<u32>::new("coming and going");
        let mut selector = Selector::new().select(&name.subject(), |n| n);
        // It has passed over this one, and is ready for it from the moment at which it may be the name's.
        own.send(1);
        let mut waiting = Box::pin(selector.receive_forever());
        assert!(poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx))).await.is_pending());
        register(this, name).unwrap();
        name.subject().send(2);
        assert_eq!(waiting.await, Ok(1));
        unregister(name).unwrap();
        assert_eq!(selector.receive(SECOND).await, Ok(2));
        // One that was on its way when it was unregistered looks like this.
        register(this, name).unwrap();
        unregister(name).unwrap();
        own.send(3);
        assert_eq!(selector.receive(SECOND).await, Ok(3));
        // Of two, that which may have brought it.
        own.send(4);
        let foreign = Name::<u32>::new("foreign").subject();
        let mut both = Selector::new().select(&foreign, |_| 0).merge(selector);
        assert_eq!(both.receive(SECOND).await, Ok(4));
        // All of that one is read when there is another.
        let other = Name::<u32>::new("other");
        register(this, other).unwrap();
        unregister(other).unwrap();
        own.send(5);
        assert_eq!(both.receive(SECOND).await, Err(ReceiveError::Timeout));
    })
    .await;
}

#[tokio::test]
async fn a_selector_of_many_subjects_has_them_all() {
    on_a_node(async {
        let subjects: Vec<_> = (0..10_000).map(|_| Subject::new().unwrap()).collect();
        let mut selector = Selector::new();
        for (number, subject) in subjects.iter().enumerate() {
            selector = selector.select(subject, move |n: usize| (number, n));
        }
        for (number, subject) in subjects.iter().enumerate() {
            subject.send(number);
        }
        for number in 0..subjects.len() {
            assert_eq!(selector.receive_forever().await, Ok((number, number)));
        }
        let gone = process::spawn_subject(|_: Subject<usize>| pending::<()>());
        let mut selector = selector.select(&gone, |n| (0, n));
        assert_eq!(selector.receive_forever().await, Err(ReceiveError::NotOwner));
        subjects[7].send(7);
        assert_eq!(selector.deselect(&gone).receive_forever().await, Ok((7, 7)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_has_its_own_function_whatever_else_is_selected() {
    with_an_own_subject(|_| async move {
        let (a, b) = (Name::<u32>::new("a"), Name::<u32>::new("b"));
        register(process::current().unwrap(), b).unwrap();
        b.subject().send(1);
        let mut selector =
            Selector::new().select(&a.subject(), |n| ("a", n)).select(&b.subject(), |n| ("b", n));
        assert_eq!(selector.receive(SECOND).await, Ok(("b", 1)));

        // One spelling, and other types.
        unregister(b).unwrap();
        let (long, short, text) = (Name::<u32>::fixed("x"), Name::<u8>::fixed("x"), Name::<&str>::fixed("x"));
        let mut selector = Selector::new()
            .select(&short.subject(), u32::from)
            .select(&long.subject(), |n| n)
            .select(&text.subject(), |text| u32::try_from(text.len()).unwrap());
        register(process::current().unwrap(), long).unwrap();
        long.subject().send(2);
        assert_eq!(selector.receive(SECOND).await, Ok(2));
        unregister(long).unwrap();
        register(process::current().unwrap(), text).unwrap();
        text.subject().send("three");
        // It has come, whoever holds the name now.
        unregister(text).unwrap();
        assert_eq!(selector.receive(SECOND).await, Ok(5));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_of_another_type_than_the_own_has_its_function_too() {
    with_an_own_subject(|own| async move {
        let name = Name::<&str>::new("words");
        register(process::current().unwrap(), name).unwrap();
        let mut selector =
            Selector::new().select(&own, |n| n.to_string()).select(&name.subject(), str::to_owned);
        name.subject().send("one");
        own.send(2);
        assert_eq!(selector.receive(SECOND).await.unwrap(), "one");
        assert_eq!(selector.receive(SECOND).await.unwrap(), "2");
        unregister(name).unwrap();
        assert_eq!(selector.receive(SECOND).await, Err(ReceiveError::Timeout));
        register(process::current().unwrap(), name).unwrap();
        name.subject().send("three");
        assert_eq!(selector.receive(SECOND).await.unwrap(), "three");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_own_subject_and_a_name_of_its_type_are_one() {
    with_an_own_subject(|own| async move {
        let name = Name::<u32>::new("numbers");
        register(process::current().unwrap(), name).unwrap();
        let mut selector =
            Selector::new().select(&own, |n| ("own", n)).select(&name.subject(), |n| ("name", n));
        name.subject().send(1);
        own.send(2);
        assert_eq!(selector.receive(SECOND).await, Ok(("own", 1)));
        assert_eq!(name.subject().receive(SECOND).await, Ok(2));
    })
    .await;
}
