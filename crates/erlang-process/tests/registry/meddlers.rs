//! What users' code may do while a registry is busy with it.

use std::hash::{Hash, Hasher};

use erlang_process::{self as process, DuplicateKeys, Registry, RegistryEvent, Subject};

use crate::{doing, end, on_a_node, received};

/// A value whose every use uses the registry: with a lock held that would be for ever.
struct Meddler(Registry<Meddler, Meddler, DuplicateKeys>, u8);

impl Meddler {
    fn meddle(&self) {
        assert!(self.0.count() <= 4);
        assert!(process::current().is_none_or(|this| self.0.values(&99, this).is_empty()));
        self.0.unregister(&99);
    }
}

impl Clone for Meddler {
    fn clone(&self) -> Self {
        self.meddle();
        Self(self.0.clone(), self.1)
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

impl Hash for Meddler {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.meddle();
        self.1.hash(state);
    }
}

// The one thing that runs under a lock.
impl PartialEq for Meddler {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1
    }
}

impl Eq for Meddler {}

impl std::borrow::Borrow<u8> for Meddler {
    fn borrow(&self) -> &u8 {
        &self.1
    }
}

#[tokio::test]
async fn no_code_of_the_users_but_eq_runs_under_a_lock() {
    on_a_node(async {
        let registry = Registry::<Meddler, Meddler>::duplicate();
        let meddler = |number| Meddler(registry.clone(), number);
        let events = Subject::new().unwrap();
        registry.listen(&events.map(|event: RegistryEvent<Meddler, Meddler>| event)).unwrap();
        let (pid, ()) = doing({
            let registry = registry.clone();
            move || {
                for number in [1, 1, 2, 3] {
                    let meddler = || Meddler(registry.clone(), number);
                    registry.register(meddler(), meddler()).unwrap();
                }
                registry.unregister(&3);
                registry.unregister_matching(&1, |value| {
                    value.meddle();
                    false
                });
            }
        })
        .await;
        assert_eq!(registry.lookup(&1).len(), 2);
        assert_eq!(registry.keys(pid).len(), 3);
        assert_eq!(registry.values(&2, pid).len(), 1);
        assert_eq!(registry.select(|key, _, value| (key == value).then(|| value.clone())).len(), 3);
        assert_eq!(registry.count_matching(&1, |_, value| *value == meddler(1)), 2);
        registry.lock(meddler(1), || async { registry.count() }).await;
        assert_eq!(received(&events).await.len(), 5);
        end(pid).await;
        assert_eq!(registry.count(), 0);
    })
    .await;
}
