//! Groups. Tests that begin with `pg_` are named by their rows in the catalogue of semantics.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{HashMap, HashSet},
    future::pending,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use erlang_process::{
    self as process, Bound, CallError, Down, GroupEvent, GroupMonitor, Groups, JoinError, Name, Node,
    NotAProcess, NotJoined, Pid, Reply, Selector, Spawn, Subject, WhenFull,
};
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);

/// How often a race is run.
const ROUNDS: usize = 1000;

/// A process that stays, and its subject.
fn idle<M: Send + 'static>() -> (Pid, Subject<M>) {
    let prepared = Spawn::new().unlinked().prepare(|subject| async move {
        let _mailbox: Subject<M> = subject;
        pending::<()>().await;
    });
    let prepared = prepared.unwrap();
    let subject = prepared.subject();
    (prepared.start(), subject)
}

/// A process that does this and then stays.
async fn doing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (Pid, T) {
    let (sender, done) = oneshot::channel();
    let pid = process::spawn_unlinked(async move {
        drop(sender.send(work()));
        pending::<()>().await;
    });
    (pid, done.await.unwrap())
}

/// Ends a process and waits until that is over.
async fn end(pid: Pid) {
    process::kill(pid);
    process::join(pid).await;
}

/// Runs a test as a process of a node of its own.
async fn on_a_node<F: Future<Output = ()> + Send + 'static>(test: F) {
    Node::new().run(test).await.unwrap();
}

/// An event without what is shared: whether they joined, the group, and who.
type Told<G> = (bool, G, Vec<Pid>);

fn joined<G>(group: G, pids: &[Pid]) -> Told<G> {
    (true, group, pids.to_vec())
}

fn left<G>(group: G, pids: &[Pid]) -> Told<G> {
    (false, group, pids.to_vec())
}

/// All events of a subscription that are in the mailbox.
async fn told<G: Clone + Send + Sync + 'static>(monitor: &GroupMonitor<G>) -> Vec<Told<G>> {
    let mut told = Vec::new();
    while let Ok(event) = monitor.events().receive(Duration::ZERO).await {
        let joined = matches!(event, GroupEvent::Joined { .. });
        told.push((joined, event.group().clone(), event.pids().to_vec()));
    }
    told
}

/// What a subscriber believes, from its snapshot and all its events.
#[derive(Debug, Default, PartialEq)]
struct Mirror(HashMap<(u32, Pid), i64>);

impl Mirror {
    fn new(snapshot: HashMap<u32, Vec<Pid>>) -> Self {
        let mut mirror = Self::default();
        for (group, pids) in snapshot {
            mirror.apply((true, group, pids));
        }
        mirror
    }

    /// Every event must fit what is believed.
    fn apply(&mut self, (joined, group, pids): Told<u32>) {
        for pid in pids {
            let count = self.0.entry((group, pid)).or_default();
            *count += if joined { 1 } else { -1 };
            assert!(*count >= 0, "{pid} left {group} and had not joined");
            if *count == 0 {
                self.0.remove(&(group, pid));
            }
        }
    }

    fn of(groups: &Groups<u32, ()>) -> Self {
        let members = groups.which_groups().into_iter().map(|group| (group, groups.members(&group)));
        Self::new(members.collect())
    }
}

#[tokio::test]
async fn pg_01_a_group_is_there_as_long_as_it_has_members() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let (pid, subject) = idle();
        assert_eq!(groups.members("group"), []);
        assert_eq!(groups.join("group", &subject), Ok(()));
        assert_eq!((groups.members("group"), groups.local_members("group")), (vec![pid], vec![pid]));
        assert_eq!(groups.which_groups(), ["group"]);
        assert_eq!(groups.which_local_groups(), ["group"]);
        assert_eq!(groups.leave("group", pid), Ok(()));
        assert_eq!(groups.members("group"), []);
        assert_eq!(groups.which_groups(), [] as [&str; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_process_leaves_as_often_as_it_has_joined() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let ((one, first), (two, second)) = (idle(), idle());
        groups.join("group", &first).unwrap();
        groups.join("group", &second).unwrap();
        groups.join("group", &first).unwrap();
        assert_eq!(groups.members("group"), [one, two, one]);
        assert_eq!(groups.leave("group", one), Ok(()));
        assert_eq!(groups.members("group"), [one, two]);
        assert_eq!(groups.leave("group", one), Ok(()));
        assert_eq!(groups.leave("group", one), Err(NotJoined));
        assert_eq!(groups.members("group"), [two]);
    })
    .await;
}

#[tokio::test]
async fn pg_03_who_is_no_member_cannot_leave() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let ((one, first), (two, second), (three, _third)) = (idle(), idle(), idle::<()>());
        assert_eq!(groups.leave("group", one), Err(NotJoined));
        groups.join_all("group", [first, second.clone()]).unwrap();
        groups.join("other group", &second).unwrap();
        let (monitor, _) = groups.monitor_scope().unwrap();
        assert_eq!(groups.leave("group", three), Err(NotJoined));
        assert_eq!(groups.leave_all("group", [three, three]), Err(NotJoined));
        assert_eq!(groups.leave_all("group", []), Err(NotJoined));
        assert_eq!(told(&monitor).await, []);

        // Some of them are.
        assert_eq!(groups.leave_all("group", [three, one, one]), Ok(()));
        assert_eq!(told(&monitor).await, [left("group", &[one])]);
        assert_eq!(groups.members("group"), [two]);
        assert_eq!(groups.leave("nobody's", two), Err(NotJoined));
    })
    .await;
}

#[tokio::test]
async fn pg_04_joining_together_is_one_event() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let (monitor, members) = groups.monitor("group").unwrap();
        assert_eq!(members, []);
        let ((one, first), (two, second)) = (idle(), idle());
        groups.join_all("group", [first.clone(), first, second]).unwrap();
        assert_eq!(told(&monitor).await, [joined("group", &[one, one, two])]);
        groups.leave_all("group", [one, two, one]).unwrap();
        assert_eq!(told(&monitor).await, [left("group", &[one, two, one])]);
        assert_eq!(groups.join_all("group", []), Ok(()));
        assert_eq!(told(&monitor).await, []);
    })
    .await;
}

#[tokio::test]
async fn pg_05_who_dies_leaves_once_for_each_membership() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let ((one, first), (two, second)) = (idle(), idle());
        groups.join_all("group", [first.clone(), second.clone()]).unwrap();
        groups.join("other group", &first).unwrap();
        groups.join("group", &first).unwrap();
        let (monitor, snapshot) = groups.monitor_scope().unwrap();
        assert_eq!(snapshot, HashMap::from([("group", vec![one, two, one]), ("other group", vec![one])]));

        end(one).await;
        assert_eq!(groups.members("group"), [two]);
        assert_eq!(groups.which_groups(), ["group"]);
        let expected = [left("group", &[one]), left("other group", &[one]), left("group", &[one])];
        assert_eq!(told(&monitor).await, expected);
    })
    .await;
}

#[tokio::test]
async fn pg_06_the_snapshot_has_what_the_events_have_not() {
    on_a_node(async {
        let groups = Groups::<u32, ()>::new();
        let ((one, first), (two, second)) = (idle(), idle());
        groups.join(1, &first).unwrap();
        groups.join(2, &first).unwrap();
        groups.join(2, &second).unwrap();
        let (monitor, snapshot) = groups.monitor_scope().unwrap();
        assert_eq!(snapshot, HashMap::from([(1, vec![one]), (2, vec![one, two])]));
        groups.join(1, &second).unwrap();
        groups.leave(&2, one).unwrap();
        assert_eq!(told(&monitor).await, [joined(1, &[two]), left(2, &[one])]);
        let (monitor, members) = groups.monitor(1).unwrap();
        assert_eq!(members, [one, two]);
        assert_eq!(told(&monitor).await, []);
    })
    .await;
}

/// Subscribers that come in the middle of joining, leaving and dying believe, in the end, what is the case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg_06_no_event_is_missed_or_doubled_under_storm() {
    on_a_node(async {
        let mut in_the_middle = 0;
        for round in 0..ROUNDS {
            let groups = Groups::<u32, ()>::new();
            let stay = round % 3;
            let workers: Vec<_> = (0..3)
                .map(|number| {
                    let groups = groups.clone();
                    let (stop, stopped) = oneshot::channel::<()>();
                    let (sender, done) = oneshot::channel();
                    let pid = process::spawn_unlinked(async move {
                        let (this, subject) = (process::current().unwrap(), Subject::new().unwrap());
                        for turn in 0..24 {
                            let group = (turn * 7 + number) % 3;
                            if turn % 3 == 2 {
                                let _ = groups.leave(&group, this);
                            } else {
                                groups.join(group, &subject).unwrap();
                            }
                            if turn % 8 == 3 {
                                tokio::task::yield_now().await;
                            }
                        }
                        sender.send(()).unwrap();
                        if number as usize == stay {
                            stopped.await.ok();
                        }
                    });
                    (pid, stop, done)
                })
                .collect();
            tokio::task::yield_now().await;
            let mut subscribers: Vec<_> = (0..8)
                .map(|_| {
                    let (monitor, snapshot) = groups.monitor_scope().unwrap();
                    (monitor, Mirror::new(snapshot))
                })
                .collect();
            let mut stops = Vec::new();
            for (number, (pid, stop, done)) in workers.into_iter().enumerate() {
                done.await.unwrap();
                if number == stay {
                    stops.push((pid, stop));
                } else {
                    process::join(pid).await;
                }
            }
            let actual = Mirror::of(&groups);
            assert_ne!(actual, Mirror::default());
            for (monitor, believed) in &mut subscribers {
                let events = told(monitor).await;
                in_the_middle += usize::from(!believed.0.is_empty() && !events.is_empty());
                events.into_iter().for_each(|event| believed.apply(event));
                assert_eq!(*believed, actual);
            }

            for (pid, stop) in stops {
                drop(stop);
                process::join(pid).await;
            }
            assert_eq!(groups.which_groups(), []);
            for (monitor, mut believed) in subscribers {
                told(&monitor).await.into_iter().for_each(|event| believed.apply(event));
                assert_eq!(believed, Mirror::default());
                assert!(groups.demonitor(monitor));
            }
        }
        assert!(in_the_middle > 0, "no subscriber came in the middle");
    })
    .await;
}

/// Whoever is in the snapshot leaves next, and whoever is not joins next; from then on each does the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg_06_a_snapshot_fits_the_events_after_it_while_others_come_and_go() {
    on_a_node(async {
        let groups = Groups::<u32, ()>::new();
        let stop = Arc::new(AtomicBool::new(false));
        // Threads of their own, so that they are met wherever they are.
        let workers: Vec<_> = (0..2)
            .map(|group| {
                let (groups, stop, (pid, subject)) = (groups.clone(), stop.clone(), idle());
                std::thread::spawn(move || {
                    let pause = || (0..20).for_each(|_| std::hint::spin_loop());
                    while !stop.load(Ordering::Relaxed) {
                        groups.join(group, &subject).unwrap();
                        pause();
                        groups.leave(&group, pid).unwrap();
                        pause();
                    }
                })
            })
            .collect();
        let mut seen = [0, 0];
        for _ in 0..4 * ROUNDS {
            let (monitor, snapshot) = groups.monitor_scope().unwrap();
            seen[usize::from(snapshot.is_empty())] += 1;
            let mut believed: HashSet<u32> = snapshot.into_keys().collect();
            for _ in 0..6 {
                let event = monitor.events().receive(SECOND * 60).await.unwrap();
                let group = *event.group();
                let fits = match event {
                    GroupEvent::Joined { .. } => believed.insert(group),
                    GroupEvent::Left { .. } => believed.remove(&group),
                };
                assert!(fits, "{group} was believed to be in {believed:?}");
            }
            assert!(groups.demonitor(monitor));
        }
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        assert!(seen.iter().all(|count| *count > 0), "one kind of snapshot was never seen: {seen:?}");
    })
    .await;
}

#[tokio::test]
async fn pg_07_a_monitor_of_a_group_hears_of_that_group() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let (pid, subject) = idle();
        let (monitor, _) = groups.monitor("group").unwrap();
        groups.join("other group", &subject).unwrap();
        groups.leave("other group", pid).unwrap();
        groups.join("other group", &subject).unwrap();
        assert_eq!(told(&monitor).await, []);
        assert_eq!(groups.which_groups(), ["other group"]);
        groups.join("group", &subject).unwrap();
        end(pid).await;
        assert_eq!(told(&monitor).await, [joined("group", &[pid]), left("group", &[pid])]);
        assert_eq!(groups.which_groups(), [] as [&str; 0]);
    })
    .await;
}

#[tokio::test]
async fn pg_09_each_monitor_has_its_own_events() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let (pid, subject) = idle();
        let (one, _) = groups.monitor_scope().unwrap();
        let (two, _) = groups.monitor_scope().unwrap();
        let (three, _) = groups.monitor("group").unwrap();
        groups.join("group", &subject).unwrap();
        for monitor in [&one, &two, &three] {
            assert_eq!(told(monitor).await, [joined("group", &[pid])]);
        }
        assert!(groups.demonitor(one.clone()));
        groups.leave("group", pid).unwrap();
        assert_eq!(told(&one).await, []);
        for monitor in [&two, &three] {
            assert_eq!(told(monitor).await, [left("group", &[pid])]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg_11_who_leaves_and_dies_at_once_leaves_once() {
    on_a_node(async {
        let groups = Groups::<u32, ()>::new();
        let (monitor, _) = groups.monitor_scope().unwrap();
        let mut outcomes = [0, 0];
        // A thread of its own, so that the two really meet.
        let (requests, leavers) = mpsc::channel::<(usize, usize, Pid, oneshot::Sender<bool>)>();
        let begun = Arc::new(AtomicUsize::new(0));
        let leaver = std::thread::spawn({
            let (groups, begun) = (groups.clone(), begun.clone());
            move || {
                while let Ok((round, patience, pid, result)) = leavers.recv() {
                    begun.store(round, Ordering::SeqCst);
                    for _ in 0..patience {
                        std::hint::spin_loop();
                    }
                    result.send(groups.leave(&7, pid).is_ok()).unwrap();
                }
            }
        });
        // How long it waits goes to where now the one comes first and now the other.
        let mut patience = 0;
        for round in 1..=ROUNDS {
            let (pid, subject) = idle();
            groups.join_all(7, [subject.clone(), subject.clone()]).unwrap();
            groups.join(8, &subject).unwrap();
            let (result, left) = oneshot::channel();
            requests.send((round, patience, pid, result)).unwrap();
            while begun.load(Ordering::SeqCst) != round {
                std::thread::yield_now();
            }
            process::kill(pid);
            assert_eq!(groups.members(&7), []);
            let left = left.await.unwrap();
            outcomes[usize::from(left)] += 1;
            patience = if left { patience * 2 + 1 } else { patience / 2 };
            process::join(pid).await;

            let mut mirror = Mirror::default();
            let told = told(&monitor).await;
            // One for both who joined together; then one for each membership.
            assert_eq!(told.len(), 5);
            told.into_iter().for_each(|event| mirror.apply(event));
            assert_eq!(mirror, Mirror::default());
        }
        drop(requests);
        leaver.join().unwrap();
        assert!(outcomes.iter().all(|count| *count > 0), "one outcome was never seen: {outcomes:?}");
    })
    .await;
}

#[tokio::test]
async fn pg_12_who_cannot_join_is_refused_and_the_scope_goes_on() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let (monitor, _) = groups.monitor_scope().unwrap();
        let (pid, subject) = idle();
        let other_node = Node::new();
        let elsewhere = other_node.run(async { Subject::new().unwrap() }).await.unwrap();
        let refused = groups.join_all("group", [subject.clone(), elsewhere.clone()]);
        assert_eq!(refused, Err(JoinError::NotLocal));
        assert_eq!(groups.join("group", &elsewhere), Err(JoinError::NotLocal));
        assert_eq!(groups.join("group", &Name::new("nobody's").subject()), Err(JoinError::NoProc));

        // Dead, whether cleaned up or not; one that lives joins all the same.
        let ((dead, first), (dying, second)) = (idle(), idle());
        end(dead).await;
        process::kill(dying);
        assert_eq!(groups.join("group", &first), Err(JoinError::NoProc));
        assert_eq!(groups.join("group", &second), Err(JoinError::NoProc));
        assert_eq!(told(&monitor).await, []);
        assert_eq!(groups.join_all("group", [first, subject, second]), Ok(()));
        assert_eq!(told(&monitor).await, [joined("group", &[pid])]);
    })
    .await;
}

#[tokio::test]
async fn pg_14_scopes_have_nothing_to_do_with_each_other() {
    on_a_node(async {
        let (one, two) = (Groups::<&str, ()>::new(), Groups::<&str, ()>::new());
        let (pid, subject) = idle();
        let (monitor, _) = two.monitor_scope().unwrap();
        one.join("group", &subject).unwrap();
        assert_eq!((one.members("group"), two.members("group")), (vec![pid], vec![]));
        assert_eq!(two.leave("group", pid), Err(NotJoined));
        assert!(!one.demonitor(monitor.clone()));
        two.join("group", &subject).unwrap();
        assert_eq!(told(&monitor).await, [joined("group", &[pid])]);
        end(pid).await;
        assert_eq!((one.members("group"), two.members("group")), (vec![], vec![]));
        assert_eq!(told(&monitor).await, [left("group", &[pid])]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg_15_thousands_join_and_die_at_once_and_nothing_is_left() {
    on_a_node(async {
        let groups = Groups::<u32, ()>::new();
        let (monitor, _) = groups.monitor_scope().unwrap();
        let pids: Vec<_> = (0..5000)
            .map(|number| {
                let groups = groups.clone();
                process::spawn_unlinked(async move {
                    let subject = Subject::new().unwrap();
                    for turn in 0..1 + number % 3 {
                        groups.join((number + turn) % 5, &subject).unwrap();
                    }
                    if number % 2 == 0 {
                        pending::<()>().await;
                    }
                })
            })
            .collect();
        for pid in &pids {
            process::kill(*pid);
        }
        for pid in pids {
            process::join(pid).await;
        }
        assert_eq!(groups.which_groups(), []);
        let mut mirror = Mirror::default();
        told(&monitor).await.into_iter().for_each(|event| mirror.apply(event));
        assert_eq!(mirror, Mirror::default());
        assert_eq!(groups.monitor_scope().unwrap().1, HashMap::new());
    })
    .await;
}

#[tokio::test]
async fn a_member_whose_end_is_decided_has_left() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let ((dying, first), (staying, second)) = (idle(), idle());
        groups.join_all("group", [first.clone(), second, first]).unwrap();
        groups.join("other group", &Subject::to_pid(dying).unwrap()).unwrap();
        let (before, _) = groups.monitor_scope().unwrap();

        // There is one thread, and this test has it: the process cannot have been cleaned up yet.
        process::kill(dying);
        assert_eq!(groups.members("group"), [staying]);
        assert_eq!(groups.which_groups(), ["group"]);
        assert_eq!(groups.leave("group", dying), Err(NotJoined));
        assert_eq!(groups.subjects("other group").len(), 0);
        assert_eq!(told(&before).await, []);

        // Who subscribes now sees it in no group, and so never hears of its leaving.
        let (of_group, members) = groups.monitor("group").unwrap();
        assert_eq!(members, [staying]);
        assert_eq!(told(&before).await, [left("group", &[dying]), left("group", &[dying])]);
        let (of_scope, snapshot) = groups.monitor_scope().unwrap();
        assert_eq!(snapshot, HashMap::from([("group", vec![staying])]));
        assert_eq!(told(&before).await, [left("other group", &[dying])]);

        process::join(dying).await;
        for monitor in [&before, &of_group, &of_scope] {
            assert_eq!(told(monitor).await, []);
        }
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_that_is_a_member_gets_its_own_events() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let this = process::current().unwrap();
        let (monitor, _) = groups.monitor_scope().unwrap();
        groups.join("group", &Subject::new().unwrap()).unwrap();
        groups.leave("group", this).unwrap();
        assert_eq!(told(&monitor).await, [joined("group", &[this]), left("group", &[this])]);
    })
    .await;
}

#[tokio::test]
async fn an_event_is_there_before_anyone_hears_of_the_end_that_made_it() {
    on_a_node(async {
        #[derive(Debug, PartialEq)]
        enum Heard {
            Left,
            Down,
        }

        let groups = Groups::<&str, ()>::new();
        let (pid, subject) = idle();
        groups.join("group", &subject).unwrap();
        let down = process::monitor(pid).unwrap();
        let (monitor, _) = groups.monitor("group").unwrap();
        process::kill(pid);
        let mut heard = Selector::new()
            .select(monitor.events(), |_| Heard::Left)
            .select_monitor(down, |_: Down| Heard::Down);
        assert_eq!(heard.receive(SECOND).await, Ok(Heard::Left));
        assert_eq!(heard.receive(SECOND).await, Ok(Heard::Down));
    })
    .await;
}

#[tokio::test]
async fn a_subscription_ends_by_demonitor_with_what_is_in_the_mailbox() {
    on_a_node(async {
        let groups = Groups::<&str, ()>::new();
        let (_, subject) = idle();
        let (monitor, _) = groups.monitor_scope().unwrap();
        let (other, _) = groups.monitor("group").unwrap();
        groups.join("group", &subject).unwrap();

        // Another process's is left alone.
        let (_, ended) = doing({
            let (groups, monitor) = (groups.clone(), monitor.clone());
            move || groups.demonitor(monitor)
        })
        .await;
        assert!(!ended);
        assert!(groups.demonitor(monitor.clone()));
        assert!(!groups.demonitor(monitor.clone()));
        groups.join("group", &subject).unwrap();
        assert_eq!(told(&monitor).await, []);
        assert_eq!(told(&other).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_dead_subscriber_is_forgotten() {
    on_a_node(async {
        // A group is kept by whoever monitors it, though it does not exist; its key tells when it is gone.
        let key = Arc::new(());
        let groups = Groups::<Arc<()>, ()>::new();
        let (subscriber, _) = doing({
            let (groups, key) = (groups.clone(), key.clone());
            move || (groups.monitor(key).unwrap(), groups.monitor_scope().unwrap())
        })
        .await;
        let (_, subject) = idle();
        groups.join(key.clone(), &subject).unwrap();
        groups.leave(&key, subject.pid().unwrap()).unwrap();
        assert_eq!(groups.which_groups(), []);
        assert!(Arc::strong_count(&key) > 1);
        end(subscriber).await;
        assert_eq!(Arc::strong_count(&key), 1);
    })
    .await;
}

#[tokio::test]
async fn a_group_takes_typed_messages() {
    #[derive(Debug, PartialEq)]
    enum Mine {
        News(String),
    }

    on_a_node(async {
        let groups = Groups::<&str, String>::new();
        assert_eq!(groups.send("news", "unheard".to_owned()), 0);
        let (plain, wide) = (Subject::new().unwrap(), Subject::new().unwrap());
        groups.join("news", &plain).unwrap();
        // A member can be a narrower face of an actor.
        groups.join("news", &wide.map(Mine::News)).unwrap();
        let (dying, subject) = idle();
        groups.join("news", &subject).unwrap();
        assert_eq!(groups.send("news", "one".to_owned()), 3);
        process::kill(dying);
        groups.join("news", &plain).unwrap();
        assert_eq!(groups.send("news", "two".to_owned()), 3);

        for text in ["one", "two", "two"] {
            assert_eq!(plain.receive(Duration::ZERO).await.unwrap(), text);
        }
        for text in ["one", "two"] {
            assert_eq!(wide.receive(Duration::ZERO).await, Ok(Mine::News(text.to_owned())));
        }
        assert!(plain.receive(Duration::ZERO).await.is_err());
        for subject in groups.subjects("news") {
            subject.send("three".to_owned());
        }
        assert_eq!(plain.receive(Duration::ZERO).await.unwrap(), "three");
    })
    .await;
}

#[tokio::test]
async fn the_member_behind_a_name_is_who_held_it_then() {
    on_a_node(async {
        let groups = Groups::<&str, u32>::new();
        let name = Name::new("member");
        let this = process::current().unwrap();
        process::register(this, name).unwrap();
        groups.join("group", &name.subject()).unwrap();
        process::unregister(name).unwrap();
        let (other, _) = idle::<u32>();
        process::register(other, name).unwrap();
        assert_eq!(groups.members("group"), [this]);
        assert_eq!(groups.send("group", 1), 1);
        process::unregister(name).unwrap();
        process::register(this, name).unwrap();
        assert_eq!(name.subject().receive(Duration::ZERO).await, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn only_processes_of_its_node_subscribe() {
    let node = Node::new();
    let groups = Groups::<u32, ()>::on(&node);
    assert_eq!(groups.monitor_scope().err(), Some(NotAProcess));
    let monitor = node.run({
        let groups = groups.clone();
        async move { groups.monitor(1).unwrap().0 }
    });
    let monitor = monitor.await.unwrap();
    assert!(!groups.demonitor(monitor.clone()));

    // The pids of two nodes are the same numbers.
    let other_node = Node::new();
    let elsewhere = other_node.run(async move { (groups.monitor(1).err(), groups.demonitor(monitor)) });
    assert_eq!(elsewhere.await.unwrap(), (Some(NotAProcess), false));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// A process that an event of this group drives a message out of the mailbox of.
async fn full<M: Send + 'static>(groups: &Groups<&'static str, ()>) -> Subject<M> {
    let (sender, ready) = oneshot::channel();
    let groups = groups.clone();
    let spawn = Spawn::new().unlinked().mailbox(Bound::new(1, WhenFull::DropOldest));
    let prepared = spawn.prepare(|_: Subject<M>| async move {
        let _monitor = groups.monitor("group").unwrap();
        sender.send(()).unwrap();
        pending::<()>().await;
    });
    let prepared = prepared.unwrap();
    let subject = prepared.subject();
    prepared.start();
    ready.await.unwrap();
    subject
}

#[tokio::test]
async fn who_joins_has_nothing_to_do_with_what_its_event_drives_out() {
    on_a_node(async {
        let groups = Groups::new();
        for _ in 0..2 {
            full(&groups).await.send(Bomb);
        }
        groups.join("group", &Subject::new().unwrap()).unwrap();

        // Nor does it answer for it.
        let server = full::<Reply<()>>(&groups).await;
        let call = server.clone();
        let call = tokio::spawn(async move { call.call(Duration::MAX, |reply| reply).await });
        while Node::current().info(server.pid().unwrap()).unwrap().message_queue_len == 0 {
            tokio::task::yield_now().await;
        }
        let crash = process::spawn_unlinked(async move {
            groups.join("group", &Subject::new().unwrap()).unwrap();
            Err::<(), _>("its own")
        });
        assert_eq!(call.await.unwrap(), Err(CallError::Unanswered));
        process::join(crash).await;
        assert!(process::is_alive(server.pid().unwrap()));
    })
    .await;
}

/// A group whose every use uses the scope: with a lock held that would be for ever.
struct Meddler(Groups<Meddler, ()>, u8);

impl Meddler {
    fn meddle(&self) {
        assert!(self.0.members(&99).is_empty());
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

// The one thing that runs under the lock.
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
async fn no_code_of_the_users_but_eq_runs_under_the_lock() {
    on_a_node(async {
        let groups = Groups::<Meddler, ()>::new();
        let meddler = |number| Meddler(groups.clone(), number);
        let (subscriber, _) = doing({
            let groups = groups.clone();
            move || {
                let scope = groups.monitor_scope().unwrap();
                let group = groups.monitor(Meddler(groups.clone(), 1)).unwrap();
                // What is in the mailbox of a dead process is dropped, too.
                (scope.0, group.0)
            }
        })
        .await;
        let (monitor, _) = groups.monitor(meddler(2)).unwrap();
        let (pid, subject) = idle();
        for number in [1, 1, 2, 3] {
            groups.join(meddler(number), &subject).unwrap();
        }
        groups.leave(&1, pid).unwrap();
        groups.leave(&3, pid).unwrap();
        assert_eq!(groups.monitor_scope().unwrap().1.len(), 2);
        assert_eq!(groups.which_groups().len(), 2);
        process::kill(subscriber);
        groups.join(meddler(1), &subject).unwrap();
        process::kill(pid);
        assert!(groups.monitor_scope().unwrap().1.is_empty());
        process::join(pid).await;
        process::join(subscriber).await;
        assert!(groups.demonitor(monitor));
        assert!(groups.which_groups().is_empty());
    })
    .await;
}

/// A subscriber that waits is woken, and finds events in the order in which things happened to a group.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_waits_is_woken_for_each_event() {
    on_a_node(async {
        let groups = Groups::<u32, ()>::new();
        let (monitor, _) = groups.monitor(7).unwrap();
        let (ready, started) = oneshot::channel();
        let member = process::spawn_unlinked({
            let groups = groups.clone();
            async move {
                let (this, subject) = (process::current().unwrap(), Subject::new().unwrap());
                started.await.unwrap();
                for _ in 0..ROUNDS {
                    groups.join(7, &subject).unwrap();
                    tokio::task::yield_now().await;
                    groups.leave(&7, this).unwrap();
                }
            }
        });
        ready.send(()).unwrap();
        for turn in 0..2 * ROUNDS {
            let event = monitor.events().receive(SECOND * 60).await.unwrap();
            assert_eq!(matches!(event, GroupEvent::Joined { .. }), turn % 2 == 0);
            assert_eq!(event.pids(), [member]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_scope_is_kept_by_who_has_it_or_hears_of_it_and_not_by_its_members() {
    on_a_node(async {
        let groups = Groups::<Arc<str>, ()>::new();
        let (monitor, _) = groups.monitor_scope().unwrap();
        let (group, (pid, member)) = (Arc::<str>::from("group"), idle());
        let (staying, other) = idle();
        groups.join_all(group.clone(), [member, other]).unwrap();
        drop(groups);
        end(pid).await;
        let name = group.clone();
        assert_eq!(told(&monitor).await, [joined(name.clone(), &[pid, staying]), left(name, &[pid])]);
        drop(monitor);
        assert_eq!(Arc::strong_count(&group), 1);
    })
    .await;
}

#[tokio::test]
async fn a_member_whose_function_panics_keeps_the_message_from_nobody_else() {
    on_a_node(async {
        let groups = Groups::<u8, u32>::new();
        let own = Subject::new().unwrap();
        groups.join(1, &own).unwrap();
        groups.join(1, &own.map(|_: u32| panic!("the member's"))).unwrap();
        groups.join(1, &own).unwrap();
        for number in [1, 2] {
            assert_eq!(groups.send(&1, number), 2);
            for _ in 0..2 {
                assert_eq!(own.receive(Duration::ZERO).await, Ok(number));
            }
        }
    })
    .await;
}

/// Who has been listed for those who send is no longer, however he left.
#[tokio::test]
async fn whoever_is_in_a_group_when_it_is_sent_to_gets_the_message() {
    on_a_node(async {
        let groups = Groups::<u8, u32>::new();
        let own = Subject::new().unwrap();
        let me = process::current().unwrap();
        let mut sent = 0;
        let mut reached = |groups: &Groups<u8, u32>| {
            sent += 1;
            groups.send(&1, sent)
        };
        assert_eq!(reached(&groups), 0);
        groups.join(1, &own).unwrap();
        assert_eq!(reached(&groups), 1);
        let (pid, other) = idle();
        groups.join(1, &other).unwrap();
        assert_eq!(reached(&groups), 2);
        end(pid).await;
        assert_eq!(reached(&groups), 1);
        groups.join(1, &own).unwrap();
        assert_eq!(reached(&groups), 2);
        groups.leave(&1, me).unwrap();
        assert_eq!(reached(&groups), 1);
        groups.leave(&1, me).unwrap();
        assert_eq!(reached(&groups), 0);
    })
    .await;
}

#[tokio::test]
async fn a_process_that_has_joined_with_several_subjects_leaves_with_each() {
    on_a_node(async {
        let groups = Groups::<u8, u32>::new();
        let (monitor, _) = groups.monitor(1).unwrap();
        let me = process::current().unwrap();
        let plain = Subject::<u32>::new().unwrap();
        let mapped = plain.map(|number: u32| number + 100);
        let other = Subject::<u32>::new().unwrap();
        groups.join_all(1, [plain.clone(), mapped.clone(), plain.clone()]).unwrap();
        assert_eq!(groups.leave_with(&1, &other), Err(NotJoined));
        assert_eq!(groups.leave_with(&1, &plain.map(|number: u32| number)), Err(NotJoined));
        assert_eq!(groups.leave_with(&2, &plain), Err(NotJoined));
        for (leaves, gets) in [(&plain, vec![1, 101]), (&mapped, vec![1]), (&plain, vec![])] {
            groups.leave_with(&1, leaves).unwrap();
            groups.send(&1, 1);
            let mut got = vec![];
            while let Ok(number) = plain.receive(Duration::ZERO).await {
                got.push(number);
            }
            assert_eq!(got, gets);
        }
        assert_eq!(groups.leave_with(&1, &plain), Err(NotJoined));
        assert_eq!(
            told(&monitor).await,
            [joined(1, &[me; 3]), left(1, &[me]), left(1, &[me]), left(1, &[me])]
        );
    })
    .await;
}
