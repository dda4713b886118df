//! Subjects as addresses.

#![allow(clippy::unwrap_used)]

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use erlang_process::{Name, Node, Registry, Spawn, Subject};

fn hash(subject: &Subject<u8>) -> u64 {
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    hasher.finish()
}

#[tokio::test]
async fn a_subject_is_equal_to_what_is_the_same_address_and_to_nothing_else() {
    let node = Node::new();
    let running = node.run(async {
        let name = Name::new("name");
        let prepared =
            Spawn::new().named(name).prepare(|_: Subject<u8>| std::future::pending::<()>()).unwrap();
        let own = prepared.subject();
        prepared.start();
        let registry = Registry::<u8, Subject<u8>>::unique();
        let all = || {
            let pid = own.pid().unwrap();
            [own.clone(), Subject::to_pid(pid).unwrap(), name.subject()]
        };
        let made = [Subject::new().unwrap(), Subject::new().unwrap(), own.map(|n| n), registry.subject(1)];
        let (first, again) = ([&all()[..], &made].concat(), [&all()[..], &made].concat());
        for (index, one) in first.iter().enumerate() {
            for (other, subject) in again.iter().enumerate() {
                assert_eq!(one == subject, index == other, "{one:?} and {subject:?}");
            }
            assert_eq!(hash(one), hash(&again[index]));
        }
        assert_eq!(first.into_iter().chain(again).collect::<HashSet<_>>().len(), 7);

        // Each node has processes and names of its own.
        let other = Node::new();
        let theirs = other.run(async move { name.subject() }).await.unwrap();
        assert_ne!(theirs, name.subject());
    });
    running.await.unwrap();
}
