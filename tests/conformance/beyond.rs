//! What the catalogue does not say and has to hold all the same.

use std::{
    future::{Future, pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use erlang_process::{
    self as process, AliasMode, CallError, Dest, ExitReason, Name, Node, NodeEvent, NodeId, ReceiveError,
    Registry, Reply, Selector, Signal, Spawn, Subject,
};
use tokio::time::Instant;

use crate::support::{
    Drops, Handicap, LONG, OnDrop, Race, Token, alone, boom, idle, in_order, on, server, trapped, unread,
    until, with_own_waker,
};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_process_when_its_end_is_told() {
    alone(async {
        process::trap_exits(true).unwrap();
        let me = process::current().unwrap();
        let name = Name::<()>::new("tidy");
        for how in 0..3 {
            // What the process owns notes, when it is dropped, what we have been told by then.
            let told = Arc::new(Mutex::new(Vec::new()));
            let owned = || {
                let told = told.clone();
                OnDrop(move || {
                    told.lock().unwrap().push(Node::current().info(me).unwrap().message_queue_len);
                })
            };
            let (local, read_late, unread) = (owned(), owned(), owned());
            let (pid, inbox) = server(move |inbox: Subject<OnDrop<_>>| async move {
                let _local = local;
                let other = Subject::<()>::new().unwrap();
                // The first message goes to the inner queue, and stays there.
                assert_eq!(other.receive(MS).await, Err(ReceiveError::Timeout));
                match how {
                    0 => {}
                    1 => process::exit(ExitReason::Shutdown),
                    _ => pending().await,
                }
                drop(inbox);
            });
            process::register(pid, name).unwrap();
            process::link(pid).unwrap();
            let monitor = process::monitor(pid).unwrap();
            inbox.send(read_late);
            tokio::time::sleep(MS / 2).await;
            inbox.send(unread);
            if how == 2 {
                process::kill(pid);
            }
            monitor.down().await.unwrap();
            trapped().await;
            assert_eq!(*told.lock().unwrap(), [0, 0, 0]);
            assert_eq!(process::whereis(name), None);
            assert!(!Node::current().processes().contains(&pid));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_only_when_the_future_is_dropped() {
    alone(async {
        let me = process::current().unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = order.clone();
        let pid = process::spawn_unlinked(async move {
            let dying = process::current().unwrap();
            let _guard = OnDrop(|| {
                // Whoever drops it, it is still this process; it is dead to all, and nobody has been told.
                assert_eq!(process::current(), Some(dying));
                assert!(!process::is_alive(dying));
                note.lock().unwrap().push(Node::current().info(me).unwrap().message_queue_len);
            });
            pending::<()>().await;
        });
        let monitor = process::monitor(pid).unwrap();
        tokio::task::yield_now().await;
        process::kill(pid);
        monitor.down().await.unwrap();
        assert_eq!(*order.lock().unwrap(), [0]);
    })
    .await;
}

type Question = Reply<u8>;

/// Calls a process that ends in this way when it is asked; what its caller learns.
async fn asked<F>(body: impl FnOnce(Subject<Question>) -> F) -> Result<u8, CallError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (_, subject) = server(body);
    subject.call(LONG, |reply| reply).await
}

#[tokio::test(start_paused = true)]
async fn callers_learn_why_they_get_no_reply() {
    process::capture_panics();
    alone(async {
        let start = Instant::now();
        let down = |reason| Err(CallError::Down(reason));
        // The request is dropped by a panic that unwinds, or stays in a variable, or in the mailbox.
        let answer = asked(|calls| async move {
            let _reply = calls.receive_forever().await.unwrap();
            panic!("dropped by unwinding");
        });
        match answer.await {
            Err(CallError::Down(ExitReason::Panic(panic))) => {
                assert_eq!(panic.message(), "dropped by unwinding")
            }
            other => panic!("{other:?}"),
        }
        let answer = asked(|calls| async move {
            let _reply = calls.receive_forever().await.unwrap();
            process::exit(ExitReason::Shutdown)
        });
        assert_eq!(answer.await, down(ExitReason::Shutdown));
        let answer = asked(|calls| async move {
            drop(calls.receive_forever().await.unwrap());
            process::exit(boom())
        });
        assert_eq!(answer.await, down(boom()), "dropped in the poll in which it ends");
        let answer = asked(|calls| async move {
            tokio::task::yield_now().await;
            drop(calls);
        });
        assert_eq!(answer.await, down(ExitReason::Normal), "never read");
        let answer = asked(|_| async {
            process::send_exit(process::current().unwrap(), ExitReason::Kill);
        });
        assert!(matches!(answer.await, Err(CallError::Down(ExitReason::Killed))), "killed unread");
        let answer = asked(|calls| async move {
            drop(calls.receive_forever().await.unwrap());
            pending().await
        });
        assert_eq!(answer.await, Err(CallError::Unanswered));
        assert_eq!(start.elapsed(), Duration::ZERO, "each at once");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_never_seen() {
    alone(async {
        let (_, subject) = server(|calls: Subject<Question>| async move {
            let reply = calls.receive_forever().await.unwrap();
            tokio::time::sleep(10 * MS).await;
            reply.send(1);
            calls.receive_forever().await.unwrap().send(2);
        });
        assert_eq!(subject.call(5 * MS, |reply| reply).await, Err(CallError::Timeout));
        tokio::time::sleep(10 * MS).await;
        assert_eq!(unread(), 0);
        assert_eq!(subject.call(5 * MS, |reply| reply).await, Ok(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_comes_in_time_or_never() {
    alone(async {
        let (_, calls) = server(|calls: Subject<(Handicap, Reply<usize>, usize)>| async move {
            while let Ok((handicap, reply, round)) = calls.receive_forever().await {
                handicap.wait();
                reply.send(round);
            }
        });
        let mut race = Race::with(["in time", "too late"]).at_least(300);
        while let Some((round, handicap)) = race.round() {
            match calls.call(MS, |reply| (handicap, reply, round)).await {
                Ok(answer) => {
                    assert_eq!(answer, round);
                    race.saw("in time");
                }
                Err(error) => {
                    assert_eq!(error, CallError::Timeout);
                    race.saw("too late");
                }
            }
            assert_eq!(unread(), 0);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_by_name_stays_with_the_holder_it_found() {
    alone(async {
        let name = Name::<Question>::new("moving");
        let holder = || {
            server(|calls: Subject<Question>| async move {
                let _reply = calls.receive_forever().await.unwrap();
                process::exit(boom()) as ()
            })
            .0
        };
        let (first, second) = (holder(), holder());
        process::register(first, name).unwrap();
        // The name moves while the request is made.
        let by_name = name.subject();
        let answer = by_name.call(LONG, |reply| {
            process::unregister(name).unwrap();
            process::register(second, name).unwrap();
            reply
        });
        assert_eq!(answer.await, Err(CallError::Down(boom())));
        assert!(!process::is_alive(first) && process::is_alive(second));
    })
    .await;
}

/// Spawns processes on the runtime that are bound to each other, and returns when all are.
async fn entangle(node: &Node, count: usize) {
    let node = node.clone();
    on(&node.clone(), async move {
        let mut all = Vec::new();
        for index in 0..count {
            let name = Name::<u8>::new("entangled");
            let before = all.clone();
            let ready = Subject::new().unwrap();
            let tell = ready.clone();
            let pid = Spawn::new().unlinked().named(name).spawn(async move {
                process::trap_exits(index % 2 == 0).unwrap();
                for other in before {
                    process::link(other).unwrap();
                    process::monitor(other).unwrap();
                }
                tell.send(());
                pending::<()>().await;
            });
            ready.receive_forever().await.unwrap();
            all.push(pid.unwrap());
        }
        assert_eq!(node.processes().len(), count + 1);
    })
    .await;
}

#[test]
fn a_runtime_that_is_shut_down_leaves_nothing_behind() {
    for workers in [1, 2] {
        let node = Node::new();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).enable_all().build().unwrap();
        // A survivor on another runtime is told.
        let survivor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(entangle(&node, 50));
        let victims = node.processes();
        assert_eq!(victims.len(), 50);
        let watched = node.clone();
        let told = survivor.block_on(async move {
            on(&watched, async move {
                process::trap_exits(true).unwrap();
                let monitors: Vec<_> = victims.iter().map(|pid| process::monitor(*pid).unwrap()).collect();
                for pid in &victims {
                    process::link(*pid).unwrap();
                }
                std::thread::spawn(move || drop(runtime)).join().unwrap();
                for monitor in monitors {
                    assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
                }
                for _ in &victims {
                    assert_eq!(trapped().await.reason, ExitReason::Killed);
                }
                let info = Node::current().info(process::current().unwrap()).unwrap();
                (info.links, info.monitors, info.monitored_by, info.message_queue_len)
            })
            .await
        });
        assert_eq!(told, (vec![], vec![], vec![], 0));
        assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
    }
}

#[test]
fn a_process_that_was_never_polled_ends_with_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let node = Node::new();
    let drops = Drops::default();
    let pid = {
        let _entered = runtime.enter();
        let token = drops.token();
        Spawn::new().on(&node).named(Name::<u8>::new("unborn")).spawn(async move { drop(token) }).unwrap()
    };
    assert!(node.is_alive(pid));
    let handle = runtime.handle().clone();
    drop(runtime);
    assert_eq!(drops.count(), 1);
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));

    // And one that is spawned when the runtime is gone.
    let token = drops.token();
    let _entered = handle.enter();
    let pid =
        Spawn::new().on(&node).named(Name::<u8>::new("unborn")).spawn(async move { drop(token) }).unwrap();
    assert!(!node.is_alive(pid));
    assert_eq!(drops.count(), 2);
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
}

#[test]
fn spawning_outside_a_runtime_leaves_nothing_behind() {
    let node = Node::new();
    let spawn = || Spawn::new().on(&node).named(Name::<u8>::new("homeless")).spawn(pending::<()>());
    assert!(catch_unwind(AssertUnwindSafe(spawn)).is_err());
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_panics_before_there_is_a_future_leaves_nothing_behind() {
    process::capture_panics();
    let node = Node::new();
    on(&node, async {
        let name = Name::<u8>::new("stillborn");
        let prepare = || {
            Spawn::new()
                .named(name)
                .prepare(|_: Subject<u8>| -> std::future::Pending<()> { panic!("stillborn") })
        };
        assert!(catch_unwind(AssertUnwindSafe(prepare)).is_err());
        let me = process::current().unwrap();
        assert_eq!(Node::current().processes(), [me]);
        assert_eq!(Node::current().info(me).unwrap().links, []);
    })
    .await;
    assert_eq!((node.processes(), node.registered()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_fails_the_spawn_and_nobody_else() {
    alone(async {
        let name = Name::<u8>::new("taken");
        process::register(process::current().unwrap(), name).unwrap();
        let before = Node::current().processes();
        assert!(Spawn::new().named(name).spawn(async {}).is_err());
        assert_eq!(Node::current().processes(), before);
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_prepared_process_that_is_dropped_ends_as_one_that_was_killed() {
    alone(async {
        process::trap_exits(true).unwrap();
        let prepared = Spawn::new().prepare(|_: Subject<u8>| async {}).unwrap();
        let (pid, monitor) = (prepared.pid(), process::monitor(prepared.pid()).unwrap());
        drop(prepared);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
        assert_eq!(trapped().await, process::ExitMessage { pid, reason: ExitReason::Killed });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_parent_that_is_ending_ends_with_it() {
    alone(async {
        let told = Subject::<Pin<Box<dyn Future<Output = ExitReason> + Send>>>::new().unwrap();
        let tell = told.clone();
        let parent = process::spawn_unlinked(async move {
            let _guard = OnDrop(|| {
                let child = Spawn::new().prepare(|_: Subject<u8>| pending::<()>()).unwrap();
                tell.send(Box::pin(child.ended()));
                child.start();
            });
            boom()
        });
        let child_ended = told.receive_forever().await.unwrap();
        assert_eq!(child_ended.await, boom());
        process::join(parent).await;
    })
    .await;
}

#[derive(Debug)]
struct TalkativeError(Subject<u8>);

impl std::fmt::Display for TalkativeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("talkative")
    }
}

impl std::error::Error for TalkativeError {}

impl Drop for TalkativeError {
    fn drop(&mut self) {
        self.0.send(1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reason_that_comes_too_late_may_do_anything_when_it_is_dropped() {
    alone(async {
        let (pid, _) = server(|own: Subject<u8>| async move {
            let me = process::current().unwrap();
            let exit = Signal::Exit { reason: ExitReason::Shutdown, link: false };
            Node::current().signal(None, me, exit);
            // Decided; so this error is dropped by the exit, and sends to the very process.
            ExitReason::error(TalkativeError(own))
        });
        assert_eq!(process::join(pid).await, ExitReason::Shutdown);
    })
    .await;
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[tokio::test(start_paused = true)]
async fn panics_in_destructors_keep_the_end_from_nobody() {
    process::capture_panics();
    alone(async {
        process::trap_exits(true).unwrap();
        let drops = Drops::default();
        let (pid, inbox) = server(|_: Subject<(PanicsOnDrop, Token)>| async {
            let _local = PanicsOnDrop;
            pending::<()>().await;
        });
        process::link(pid).unwrap();
        let monitor = process::monitor(pid).unwrap();
        tokio::task::yield_now().await;
        for _ in 0..3 {
            inbox.send((PanicsOnDrop, drops.token()));
        }
        process::kill(pid);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
        assert_eq!(trapped().await.reason, ExitReason::Killed);
        assert_eq!(drops.count(), 3);
        assert!(!Node::current().processes().contains(&pid));
    })
    .await;
}

struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("in a waker");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_keeps_the_end_from_nobody() {
    process::capture_panics();
    alone(async {
        let pid = idle();
        let mut joins = Vec::new();
        for _ in 0..3 {
            let mut join = Box::pin(process::join(pid));
            let waker = Waker::from(Arc::new(PanickingWaker));
            assert!(join.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            joins.push(join);
        }
        let mut last = Box::pin(process::join(pid));
        assert!(last.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        process::kill(pid);
        assert_eq!(last.await, ExitReason::Killed);
        assert!(!Node::current().processes().contains(&pid));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_map_function_may_use_the_mailbox() {
    alone(async {
        let (numbers, others) = (Subject::<u32>::new().unwrap(), Subject::<u32>::new().unwrap());
        let (victim, monitor) = process::spawn_monitor(pending::<()>()).unwrap();
        let resend = others.clone();
        let mut selector = Selector::new().select(&numbers, move |number| {
            process::kill(victim);
            resend.send(number);
            // Looks through the mailbox, which another message has reached by now.
            process::demonitor_flush(monitor);
            number
        });
        others.send(1);
        numbers.send(2);
        others.send(3);
        assert_eq!(selector.receive_forever().await, Ok(2));
        for number in [1, 3, 2] {
            assert_eq!(others.receive(MS).await, Ok(number), "no message is lost");
        }
        assert_eq!(unread(), 0);

        // And a down that lies before the message is really gone after the flush.
        let (victim, monitor) = process::spawn_monitor(async {}).unwrap();
        process::join(victim).await;
        numbers.send(4);
        let mut selector = Selector::new().select(&numbers, move |_| process::demonitor_flush(monitor));
        assert_eq!(selector.receive_forever().await, Ok(false));
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_map_function_that_panics_loses_its_message_only() {
    process::capture_panics();
    alone(async {
        let numbers = Subject::<u32>::new().unwrap();
        let mut selector = Selector::new().select(&numbers, |number| {
            assert_ne!(number, 1, "not this one");
            number
        });
        numbers.send(1);
        numbers.send(2);
        assert!(matches!(process::catch(selector.receive_forever()).await, Err(ExitReason::Panic(_))));
        assert_eq!(selector.receive_forever().await, Ok(2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_fit_its_alias_holds_nothing_up() {
    alone(async {
        let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
        let through = |body| Node::current().signal(None, Dest::Alias(alias), Signal::Message(body));
        through(Box::new("no number"));
        through(Box::new(7_u32));
        let mut selector = Selector::new().select_alias(alias, |number: u32| number);
        assert_eq!(selector.receive_forever().await, Ok(7));

        // The same while it waits.
        let other = process::spawn(async move {
            tokio::task::yield_now().await;
            let through = |body| Node::current().signal(None, Dest::Alias(alias), Signal::Message(body));
            through(Box::new("no number"));
            tokio::time::sleep(MS).await;
            through(Box::new(8_u32));
        });
        assert_eq!(selector.receive_forever().await, Ok(8));
        process::join(other).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn receives_side_by_side_each_meet_their_own_time() {
    alone(async {
        let start = Instant::now();
        let never = Subject::<()>::new().unwrap();
        let wait = |ms: u32| {
            let never = never.clone();
            async move {
                assert_eq!(never.receive(ms * MS).await, Err(ReceiveError::Timeout));
                assert_eq!(start.elapsed(), ms * MS);
            }
        };
        in_order(wait(50), in_order(wait(10), wait(30))).await;
        assert_eq!(start.elapsed(), 50 * MS);
    })
    .await;
    alone(async {
        let start = Instant::now();
        let never = Subject::<()>::new().unwrap();
        // With others' wakers among them, and limits within limits.
        let outer = process::timeout(40 * MS, never.receive(30 * MS));
        let inner = process::timeout(10 * MS, never.receive(40 * MS));
        let (outer, (_, inner)) =
            in_order(outer, in_order(with_own_waker(never.receive(20 * MS)), inner)).await;
        assert_eq!((inner, outer), (Err(process::Elapsed), Ok(Err(ReceiveError::Timeout))));
        assert_eq!(start.elapsed(), 30 * MS);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receives_with_wakers_of_their_own_miss_nothing() {
    alone(async {
        const EACH: u32 = 5_000;
        let subjects: Vec<_> = (0..3).map(|_| Subject::<u32>::new().unwrap()).collect();
        for subject in subjects.clone() {
            process::spawn(async move {
                for number in 0..EACH {
                    subject.send(number);
                    if number % 7 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        let read = |subject: Subject<u32>| async move {
            for number in 0..EACH {
                assert_eq!(subject.receive(LONG).await, Ok(number));
            }
        };
        let [a, b, c] = [0, 1, 2].map(|index| read(subjects[index].clone()));
        tokio::join!(with_own_waker(a), with_own_waker(b), c);
        assert_eq!(unread(), 0);
    })
    .await;
}

#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_is_given_up_leaves_no_waker_behind() {
    alone(async {
        let subject = Subject::<u32>::new().unwrap();
        let counting = Arc::new(CountingWaker::default());
        let waker = Waker::from(counting.clone());
        let mut context = Context::from_waker(&waker);
        for _ in 0..100 {
            let mut receive = pin!(subject.receive_forever());
            assert!(receive.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(Arc::strong_count(&counting), 2);
        // Of two that wait with one waker, the one that stays is woken to come back.
        let mut stays = Box::pin(subject.receive_forever());
        assert!(stays.as_mut().poll(&mut context).is_pending());
        let mut goes = Box::pin(subject.receive_forever());
        assert!(goes.as_mut().poll(&mut context).is_pending());
        let woken = counting.0.load(Ordering::SeqCst);
        drop(goes);
        assert_eq!(counting.0.load(Ordering::SeqCst), woken + 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_its_owner_receives_with_a_subject() {
    alone(async {
        let mine = Subject::<u8>::new().unwrap();
        let (_, own) = server(|_: Subject<u8>| pending::<()>());
        let raw = Subject::<u8>::to_pid(own.pid().unwrap()).unwrap();
        process::run(async move {
            let others = Subject::<u8>::new().unwrap();
            for subject in [&mine, &own, &raw] {
                assert_eq!(subject.receive(MS).await, Err(ReceiveError::NotOwner));
                let mut selector = Selector::new().select(subject, |_| ()).select(&others, |_| ());
                assert_eq!(selector.receive(MS).await, Err(ReceiveError::NotOwner));
                let mut merged =
                    Selector::new().select(subject, |_| ()).merge(Selector::new().select(&others, |_| ()));
                assert_eq!(merged.receive(MS).await, Err(ReceiveError::NotOwner));
            }
        })
        .await
        .unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_subject_that_is_deselected_no_longer_hinders() {
    alone(async {
        let mine = Subject::<u8>::new().unwrap();
        let (pid, own) = server(|_: Subject<u8>| pending::<()>());
        let others: [Subject<u8>; 4] = [
            own.clone(),
            Subject::to_pid(pid).unwrap(),
            mine.map(|n: u8| n),
            Registry::<u8, Subject<u8>>::unique().subject(1),
        ];
        for other in &others {
            mine.send(1);
            let hindered = || Selector::new().select(&mine, |n| n).select(other, |n| n).select(other, |n| n);
            let merged = || Selector::new().select(other, |n| n).merge(hindered()).map(|n| n);
            for mut selector in [hindered(), merged()] {
                assert_eq!(selector.receive(MS).await, Err(ReceiveError::NotOwner));
            }
            assert_eq!(hindered().deselect(other).receive(MS).await, Ok(1));
            mine.send(2);
            assert_eq!(merged().deselect(other).receive(MS).await, Ok(2));
            // What is not there cannot be taken away.
            mine.send(3);
            assert_eq!(Selector::new().select(&mine, |n| n).deselect(other).receive(MS).await, Ok(3));
        }
        // Each is taken away by itself, and the process's own subject is not the other process's.
        let all = || {
            others.iter().fold(Selector::new().select(&mine, |n| n), |all, other| all.select(other, |n| n))
        };
        for left in 0..others.len() {
            let gone = others.iter().enumerate().filter(|(index, _)| *index != left);
            let mut selector = gone.fold(all(), |selector, (_, other)| selector.deselect(other));
            assert_eq!(selector.receive(MS).await, Err(ReceiveError::NotOwner));
        }
        let answer = Subject::new().unwrap();
        let (tell, own_of_other) = (answer.clone(), own.clone());
        let (_, second) = server(move |own: Subject<u8>| async move {
            // Both have the key of a process's own subject.
            let mut selector = Selector::new()
                .select(&own_of_other, |n| n)
                .select(&own, |n| n + 100)
                .deselect(&own_of_other);
            tell.send(selector.receive(LONG).await);
            let mut selector =
                Selector::new().select(&own, |n| n).select(&own_of_other, |n| n).deselect(&own);
            tell.send(selector.receive(LONG).await);
        });
        second.send(1);
        assert_eq!(answer.receive(LONG).await, Ok(Ok(101)));
        assert_eq!(answer.receive(LONG).await, Ok(Err(ReceiveError::NotOwner)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn messages_to_a_pid_are_received_by_their_type() {
    alone(async {
        let me = process::current().unwrap();
        let raw = Subject::<u8>::to_pid(me).unwrap();
        // One unboxed, one as a signal: both are messages to the pid.
        raw.send(1);
        Node::current().signal(None, me, Signal::Message(Box::new(2_u8)));
        Node::current().signal(None, me, Signal::Message(Box::new(3_u8)));
        assert_eq!(raw.receive(MS).await, Ok(1));
        assert_eq!(raw.receive(MS).await, Ok(2));
        assert_eq!(Selector::new().select(&raw, |n| n).receive(MS).await, Ok(3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn bodies_from_outside_reach_an_alias_while_it_is_active() {
    alone(async {
        let node = Node::current();
        node.expose::<u32>(|body| body.downcast().map(|number| *number));
        let prepared = Spawn::new().unlinked().prepare(|own: Subject<u32>| async move {
            let alias = process::alias(AliasMode::Reply).unwrap();
            let node = Node::current();
            let mut selector =
                Selector::new().select_alias(alias, |n: u32| (true, n)).select(&own, |n| (false, n));
            node.inject(Dest::Alias(alias), Box::new(1_u32)).unwrap();
            assert!(node.inject(Dest::Alias(alias), Box::new(2_u32)).is_err(), "the first was the last");
            node.inject(process::current().unwrap(), Box::new(3_u32)).unwrap();
            assert_eq!(selector.receive(MS).await, Ok((true, 1)));
            assert_eq!(selector.receive(MS).await, Ok((false, 3)));
        });
        let prepared = prepared.unwrap();
        let ended = prepared.ended();
        prepared.start();
        assert_eq!(ended.await, ExitReason::Normal);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn those_who_watch_nodes_are_told_as_long_as_they_live() {
    alone(async {
        let node = Node::current();
        let events = Subject::<NodeEvent>::new().unwrap();
        node.monitor_nodes(events.clone());
        let other = node.clone();
        process::run(async move { other.monitor_nodes(Subject::new().unwrap()) }).await.unwrap();
        let id = node.node_id("b", 1).unwrap();
        assert_ne!(id, NodeId::HERE);
        for event in [NodeEvent::Up(id), NodeEvent::Down(id)] {
            node.announce(event);
            assert_eq!(events.receive(MS).await, Ok(event));
        }
    })
    .await;
}

/// Announces another node when it is dropped.
#[derive(Debug)]
struct AnnouncingError(Node);

impl std::fmt::Display for AnnouncingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("announcing")
    }
}

impl std::error::Error for AnnouncingError {}

impl Drop for AnnouncingError {
    fn drop(&mut self) {
        self.0.announce(NodeEvent::Down(NodeId::HERE));
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_of_a_process_may_be_dropped_with_its_watch_over_nodes() {
    alone(async {
        let node = Node::current();
        let (pid, _) = server(|own: Subject<NodeEvent>| async move {
            let node = Node::current();
            node.monitor_nodes(own);
            ExitReason::error(AnnouncingError(node))
        });
        process::join(pid).await;
        node.announce(NodeEvent::Up(NodeId::HERE));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_mailbox_lets_others_run() {
    alone(async {
        let (numbers, turns) = (Subject::<u32>::new().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = turns.clone();
        let other = process::spawn_unlinked(async move {
            poll_fn::<(), _>(|cx| {
                counted.fetch_add(1, Ordering::SeqCst);
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        });
        for number in 0..10_000 {
            numbers.send(number);
        }
        for number in 0..10_000 {
            assert_eq!(numbers.receive(Duration::ZERO).await, Ok(number));
        }
        assert!(turns.load(Ordering::SeqCst) >= 10);
        process::kill(other);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn run_kills_what_nobody_waits_for() {
    let node = Node::new();
    let drops = Drops::default();
    let token = drops.token();
    let running = node.run(async move {
        let _token = token;
        pending::<()>().await;
    });
    assert!(tokio::time::timeout(MS, running).await.is_err());
    until(|| drops.count() == 1).await;
    until(|| node.processes().is_empty()).await;
}

/// Messages that hold a `dyn Trait` can be received and asked for in a process: this has to compile.
#[tokio::test(start_paused = true)]
async fn messages_may_be_of_any_kind() {
    type Work = Box<dyn FnOnce(u32) -> u32 + Send>;
    alone(async {
        let (_, worker) = server(|calls: Subject<(Work, Reply<Work>)>| async move {
            while let Ok((work, reply)) = calls.receive(LONG).await {
                let result = work(1);
                reply.send(Box::new(move |number| result + number));
            }
        });
        let result =
            worker.call(LONG, |reply| (Box::new(|number: u32| number + 1) as Work, reply)).await.unwrap();
        assert_eq!(result(40), 42);
        let subject = Subject::<Work>::new().unwrap();
        subject.send(result_of_nothing());
        let mut selector = Selector::new().select(&subject, |work| work);
        assert_eq!(selector.receive_forever().await.unwrap()(1), 1);
        subject.send(result_of_nothing());
        assert_eq!(process::timeout(MS, subject.receive_forever()).await.unwrap().unwrap()(2), 2);
    })
    .await;

    fn result_of_nothing() -> Work {
        Box::new(|number| number)
    }
}
