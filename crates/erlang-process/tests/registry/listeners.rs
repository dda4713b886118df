//! Those who listen to what is registered.

use std::{sync::Arc, time::Duration};

use erlang_process::{self as process, Registry, RegistryEvent, Subject};

use crate::{doing, end, on_a_node, received};

#[tokio::test]
async fn regx_12_listeners_hear_of_registering_and_unregistering_and_not_of_ends() {
    on_a_node(async {
        let registry = Registry::duplicate();
        let (events, others) = (Subject::new().unwrap(), Subject::new().unwrap());
        registry.listen(events.clone());
        registry.listen(others.map(|event| event));
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
async fn a_listener_that_is_dead_is_forgotten_and_a_name_is_not() {
    on_a_node(async {
        let registry = Registry::unique();
        let name = process::Name::new("listener");
        registry.listen(name.subject());
        let gone = Arc::new(());
        let (listener, ()) = doing({
            let (registry, gone) = (registry.clone(), gone.clone());
            move || {
                registry.listen(Subject::new().unwrap().map(move |event| {
                    let _gone = &gone;
                    event
                }));
            }
        })
        .await;
        registry.register(1, ()).unwrap();
        assert_eq!(Arc::strong_count(&gone), 2);
        end(listener).await;
        registry.register(2, ()).unwrap();
        assert_eq!(Arc::strong_count(&gone), 1);

        process::register(process::current().unwrap(), name).unwrap();
        registry.unregister(&2);
        let event = name.subject().receive(Duration::ZERO).await;
        assert!(matches!(event, Ok(RegistryEvent::Unregistered { key: 2, .. })));
    })
    .await;
}

#[tokio::test]
async fn who_registers_has_nothing_to_do_with_what_a_listener_makes_of_it() {
    on_a_node(async {
        let registry = Registry::unique();
        let events = Subject::<RegistryEvent<u8, ()>>::new().unwrap();
        registry.listen(events.map(|_| panic!("the listener's")));
        registry.listen(events.clone());
        registry.register(1, ()).unwrap();
        assert_eq!(registry.unregister(&1), 1);
        assert_eq!(received(&events).await.len(), 2);
    })
    .await;
}
