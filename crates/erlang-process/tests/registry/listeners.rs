//! Those who listen to what is registered.

use std::{sync::Arc, time::Duration};

use erlang_process::{
    self as process, Name, Node, ReceiveError, Registry, RegistryEvent, Selector, Subject, Watching,
};

use crate::{doing, end, on_a_node, received};

#[tokio::test]
async fn regx_12_listeners_hear_of_registering_and_unregistering_and_not_of_ends() {
    on_a_node(async {
        let registry = Registry::duplicate();
        let (events, others) = (Subject::new().unwrap(), Subject::new().unwrap());
        registry.listen(&events).unwrap();
        registry.listen(&others.map(|event| event)).unwrap();
        let (pid, ()) = doing({
            let registry = registry.clone();
            move || {
                registry.register("key", 1).unwrap();
                registry.register("key", 2).unwrap();
                registry.unregister("nobody's");
                registry.unregister("key");
                registry.register("key", 3).unwrap();
            }
        })
        .await;
        end(pid).await;
        let registered = |value| RegistryEvent::Registered { key: "key", pid, value };
        let unregistered = RegistryEvent::Unregistered { key: "key", pid };
        let expected = [registered(1), registered(2), unregistered, registered(3)];
        assert_eq!(received(&events).await, expected);
        assert_eq!(received(&others).await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_is_dead_is_forgotten() {
    on_a_node(async {
        let registry = Registry::unique();
        let gone = Arc::new(());
        let (listener, ()) = doing({
            let (registry, gone) = (registry.clone(), gone.clone());
            move || {
                let listening = registry.listen(&Subject::new().unwrap().map(move |event| {
                    let _gone = &gone;
                    event
                }));
                assert!(listening.is_some());
            }
        })
        .await;
        registry.register(1, ()).unwrap();
        assert_eq!(Arc::strong_count(&gone), 2);
        end(listener).await;
        registry.register(2, ()).unwrap();
        assert_eq!(Arc::strong_count(&gone), 1);
    })
    .await;
}

#[tokio::test]
async fn who_listens_by_a_name_is_the_process_that_holds_it() {
    on_a_node(async {
        let registry = Registry::unique();
        let name = Name::<RegistryEvent<u8, ()>>::new("listener");
        assert!(registry.listen(&name.subject()).is_none(), "nobody");
        process::register(process::current().unwrap(), name).unwrap();
        let listening = registry.listen(&name.subject()).unwrap();
        let mut events = Selector::new().select(&name.subject(), |event| event);

        // He is told whether or not he has it, and whoever else has.
        process::unregister(name).unwrap();
        let (other, ()) = doing(move || {
            process::register(process::current().unwrap(), name).unwrap();
        })
        .await;
        registry.register(1, ()).unwrap();
        assert_eq!(Node::current().info(other).unwrap().message_queue_len, 0);
        end(other).await;
        process::register(process::current().unwrap(), name).unwrap();
        let event = events.receive(Duration::ZERO).await;
        assert!(matches!(event, Ok(RegistryEvent::Registered { key: 1, .. })));

        assert!(listening.stop());
        registry.unregister(&1);
        assert_eq!(events.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
    })
    .await;
}

#[tokio::test]
async fn of_a_registry_that_is_gone_there_is_nothing_left() {
    on_a_node(async {
        let events = Subject::new().unwrap();
        let kept = Arc::new(());
        let listening: Vec<_> = (0..100)
            .map(|_| {
                let registry = Registry::<u8, Arc<()>>::unique();
                registry.register(1, kept.clone()).unwrap();
                registry.listen(&events).unwrap()
            })
            .collect();
        assert_eq!(Arc::strong_count(&kept), 1);
        assert!(!listening.into_iter().any(Watching::stop));
    })
    .await;
}

#[tokio::test]
async fn who_registers_has_nothing_to_do_with_what_a_listener_makes_of_it() {
    on_a_node(async {
        let registry = Registry::unique();
        let events = Subject::<RegistryEvent<u8, ()>>::new().unwrap();
        registry.listen(&events.map(|_| panic!("the listener's"))).unwrap();
        registry.listen(&events).unwrap();
        registry.register(1, ()).unwrap();
        assert_eq!(registry.unregister(&1), 1);
        assert_eq!(received(&events).await.len(), 2);
    })
    .await;
}
