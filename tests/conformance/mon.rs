//! MON: monitors and aliases.

use std::time::Duration;

use erlang_process::{
    self as process, AliasMode, Dest, Down, ExitReason, Monitor, Name, Node, NodeId, Pid, ReceiveError,
    Reference, Selector, Signal, Subject,
};

use crate::support::{ROUNDS, Race, Rival, alone, boom, dead, idle, mortal, server, trapped, unread};

/// A down that is in the mailbox.
async fn down_now() -> Option<Down> {
    match Selector::new().select_monitors(|down| down).receive(Duration::ZERO).await {
        Ok(down) => Some(down),
        Err(ReceiveError::Timeout) => None,
        Err(error) => panic!("{error}"),
    }
}

fn monitors_of(pid: Pid) -> Vec<Dest> {
    Node::current().info(pid).unwrap().monitors
}

fn monitored_by(pid: Pid) -> Vec<Pid> {
    Node::current().info(pid).unwrap().monitored_by
}

#[tokio::test(start_paused = true)]
async fn mon_01_two_monitors_two_downs() {
    alone(async {
        let pid = idle();
        let monitors = [process::monitor(pid).unwrap(), process::monitor(pid).unwrap()];
        assert_ne!(monitors[0], monitors[1]);
        process::send_exit(pid, boom());
        for monitor in monitors {
            let down = monitor.down().await.unwrap();
            assert_eq!(down, Down { monitor, target: pid.into(), reason: boom() });
        }
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_02_of_dead() {
    alone(async {
        let pid = dead().await;
        let monitor = process::monitor(pid).unwrap();
        let down = Down { monitor, target: pid.into(), reason: ExitReason::NoProc };
        assert_eq!(monitor.down().await, Ok(down));
        let name = Name::<()>::new("free");
        let monitor = process::monitor(name).unwrap();
        let down = Down { monitor, target: name.into(), reason: ExitReason::NoProc };
        assert_eq!(monitor.down().await, Ok(down));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_04_name_is_looked_up_once() {
    alone(async {
        let (first, second) = (idle(), idle());
        let name = Name::<()>::new("moving");
        process::register(first, name).unwrap();
        let monitor = process::monitor(name).unwrap();
        process::unregister(name).unwrap();
        process::register(second, name).unwrap();
        process::kill(second);
        process::join(second).await;
        assert_eq!(down_now().await, None);
        process::send_exit(first, boom());
        assert_eq!(monitor.down().await, Ok(Down { monitor, target: name.into(), reason: boom() }));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_05_name_is_free_when_its_down_is_read() {
    alone(async {
        let pid = idle();
        let name = Name::<()>::new("holder");
        process::register(pid, name).unwrap();
        let monitor = process::monitor(name).unwrap();
        process::kill(pid);
        let down = monitor.down().await.unwrap();
        assert_eq!(down.target, Dest::Name(name.registered_name(), NodeId::HERE));
        assert_eq!(process::whereis(name), None);
        process::register(process::current().unwrap(), name).unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_10_demonitor_of_another_process() {
    alone(async {
        let victim = idle();
        let monitor = process::monitor(victim).unwrap();
        process::run(async move {
            assert!(!process::demonitor(monitor));
            assert!(!process::demonitor_flush(monitor));
        })
        .await
        .unwrap();
        process::kill(victim);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_11_demonitor_then_death() {
    alone(async {
        let pid = idle();
        let monitor = process::monitor(pid).unwrap();
        assert!(process::demonitor(monitor));
        process::kill(pid);
        process::join(pid).await;
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mon_14_demonitor_against_death() {
    alone(async {
        let (mut rival, mut race) = (Rival::new(), Race::with(["active", "over"]).at_least(5_000));
        while let Some((round, handicap)) = race.round() {
            let (pid, go) = mortal().await;
            let monitor = process::monitor(pid).unwrap();
            rival.begins(move || go.send(None));
            handicap.wait();
            let active = process::demonitor(monitor);
            let down = down_now().await;
            assert_eq!(down.is_none(), active, "round {round}: {down:?}");
            race.saw(if active { "active" } else { "over" });
        }
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_15_flush_and_info() {
    alone(async {
        let pid = idle();
        let monitor = process::monitor(pid).unwrap();
        let other = Subject::new().unwrap();
        other.send(1);
        process::kill(pid);
        process::join(pid).await;
        other.send(2);
        assert_eq!(unread(), 3);
        assert!(!process::demonitor_flush(monitor));
        assert_eq!(unread(), 2);
        assert_eq!(other.receive_forever().await, Ok(1));
        assert_eq!(other.receive_forever().await, Ok(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mon_16_the_monitored_kills_its_monitor() {
    alone(async {
        for _ in 0..ROUNDS {
            let (b, kill) = server(|kill: Subject<Pid>| async move {
                process::kill(kill.receive_forever().await.unwrap());
            });
            let a = process::spawn_unlinked(async move {
                process::monitor(b).unwrap();
                kill.send(process::current().unwrap());
                std::future::pending::<()>().await;
            });
            process::join(a).await;
            process::join(b).await;
        }
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_18_listings_are_exact() {
    alone(async {
        let me = process::current().unwrap();
        let (a, b) = (idle(), idle());
        let monitors =
            [process::monitor(a).unwrap(), process::monitor(a).unwrap(), process::monitor(b).unwrap()];
        let mut listed = monitors_of(me);
        listed.sort_unstable_by_key(ToString::to_string);
        assert_eq!(listed, [a.into(), a.into(), b.into()]);
        assert_eq!((monitored_by(a), monitored_by(b)), (vec![me, me], vec![me]));

        process::demonitor(monitors[0]);
        assert_eq!((monitored_by(a), monitored_by(b)), (vec![me], vec![me]));
        process::kill(b);
        monitors[2].down().await.unwrap();
        assert_eq!(monitors_of(me), [a.into()]);

        let name = Name::<()>::new("named");
        process::register(a, name).unwrap();
        let watcher = process::run(async move {
            process::monitor(name).unwrap();
            assert_eq!(monitors_of(process::current().unwrap()), [name.into()]);
            process::current().unwrap()
        });
        let watcher = watcher.await.unwrap();
        assert!(!process::is_alive(watcher));
        assert_eq!(monitored_by(a), [me], "a watcher that ended is not listed");
        process::demonitor(monitors[1]);
        assert_eq!((monitors_of(me), monitored_by(a)), (vec![], vec![]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_18_a_monitor_by_name_is_forgotten_where_it_was_made() {
    alone(async {
        let (first, second) = (idle(), idle());
        let name = Name::<()>::new("moving");
        for ending_watcher in [false, true] {
            process::register(first, name).unwrap();
            process::run(async move {
                let monitor = process::monitor(name).unwrap();
                process::unregister(name).unwrap();
                process::register(second, name).unwrap();
                assert_eq!(monitored_by(first), [process::current().unwrap()]);
                if !ending_watcher {
                    assert!(process::demonitor(monitor));
                    assert_eq!(monitored_by(first), []);
                }
            })
            .await
            .unwrap();
            assert_eq!(monitored_by(first), []);
            process::unregister(name).unwrap();
        }
    })
    .await;
}

#[derive(Debug, PartialEq)]
enum Event {
    Number(u32),
    Down(ExitReason),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mon_19_messages_come_before_the_down() {
    alone(async {
        let me = process::current().unwrap();
        let name = Name::<u32>::new("receiver");
        process::register(me, name).unwrap();
        let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
        let subject = Subject::<u32>::new().unwrap();
        let mut events = Selector::new()
            .select_raw(Event::Number)
            .select_alias(alias, Event::Number)
            .select(&name.subject(), Event::Number)
            .select(&subject, Event::Number)
            .select_monitors(|down| Event::Down(down.reason));
        for _ in 0..ROUNDS {
            let subject = subject.clone();
            process::spawn_monitor(async move {
                let node = Node::current();
                let from = process::current();
                node.signal(from, me, Signal::Message(Box::new(0_u32)));
                name.subject().send(1);
                node.signal(from, Dest::Alias(alias), Signal::Message(Box::new(2_u32)));
                subject.send(3);
                boom()
            })
            .unwrap();
            for number in 0..4 {
                assert_eq!(events.receive_forever().await, Ok(Event::Number(number)));
            }
            assert_eq!(events.receive_forever().await, Ok(Event::Down(boom())));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mon_20_spawn_monitor_tells_the_true_reason() {
    alone(async {
        for _ in 0..ROUNDS {
            let (pid, monitor) = process::spawn_monitor(async { boom() }).unwrap();
            assert_eq!(monitor.down().await, Ok(Down { monitor, target: pid.into(), reason: boom() }));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_21_link_and_monitor() {
    alone(async {
        process::trap_exits(true).unwrap();
        let pid = idle();
        process::link(pid).unwrap();
        let monitor = process::monitor(pid).unwrap();
        process::send_exit(pid, boom());
        assert_eq!(monitor.down().await.unwrap().reason, boom());
        assert_eq!(trapped().await.reason, boom());
        assert_eq!(unread(), 0);
    })
    .await;
}

/// A down with the tag of its monitor.
#[derive(Debug, PartialEq)]
enum Tagged {
    Worker(u32, Down),
    Boss(Down),
    Untagged(Down),
}

#[tokio::test(start_paused = true)]
async fn mon_22_a_tag_for_each_monitor() {
    // The tag is what the selector makes of the monitor: given with it, kept here, and in front of the down.
    alone(async {
        let (first, second, dead) = (idle(), idle(), dead().await);
        let (held, free) = (Name::<()>::new("held"), Name::<()>::new("free"));
        process::register(second, held).unwrap();
        let targets: [Dest; 6] =
            [first.into(), first.into(), held.into(), dead.into(), free.into(), second.into()];
        let monitors = targets.map(|target| process::monitor(target).unwrap());
        let tag = |number| move |down| Tagged::Worker(number, down);
        let mut events = Selector::new()
            .select_monitors(Tagged::Untagged)
            .select_monitor(monitors[0], tag(0))
            .select_monitor(monitors[1], tag(1))
            .select_monitor(monitors[2], Tagged::Boss)
            .select_monitor(monitors[3], tag(3))
            .select_monitor(monitors[4], tag(4));
        process::send_exit(first, boom());
        process::join(first).await;
        process::kill(second);
        let down = |index: usize, reason| Down { monitor: monitors[index], target: targets[index], reason };
        // Whatever the target is called, and also where there was nobody.
        let mut heard = Vec::new();
        for _ in 0..targets.len() {
            heard.push(events.receive_forever().await.unwrap());
        }
        let expected = [
            Tagged::Worker(0, down(0, boom())),
            Tagged::Worker(1, down(1, boom())),
            Tagged::Boss(down(2, ExitReason::Killed)),
            Tagged::Worker(3, down(3, ExitReason::NoProc)),
            Tagged::Worker(4, down(4, ExitReason::NoProc)),
            Tagged::Untagged(down(5, ExitReason::Killed)),
        ];
        assert!(expected.iter().all(|expected| heard.contains(expected)), "{heard:?}");
        // A tag goes with its monitor: a new one of the same process has none.
        let monitor = process::monitor(first).unwrap();
        let down = Down { monitor, target: first.into(), reason: ExitReason::NoProc };
        assert_eq!(events.receive_forever().await, Ok(Tagged::Untagged(down)));
        assert_eq!(unread(), 0);
    })
    .await;
}

fn send_through(alias: Reference, number: u32) {
    Node::current().signal(process::current(), Dest::Alias(alias), Signal::Message(Box::new(number)));
}

/// Takes what came through the alias.
async fn received(alias: Reference) -> Vec<u32> {
    let mut selector = Selector::new().select_alias(alias, |number: u32| number);
    let mut numbers = Vec::new();
    while let Ok(number) = selector.receive(Duration::ZERO).await {
        numbers.push(number);
    }
    numbers
}

#[tokio::test(start_paused = true)]
async fn mon_23_alias_until_unalias() {
    alone(async {
        let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
        process::run(async move {
            send_through(alias, 1);
            assert!(!process::unalias(alias), "only its owner withdraws it");
            send_through(alias, 2);
        })
        .await
        .unwrap();
        assert_eq!(received(alias).await, [1, 2]);
        assert!(process::unalias(alias));
        send_through(alias, 3);
        assert_eq!(received(alias).await, []);
        assert!(!process::unalias(alias));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_24_unalias_leaves_what_is_queued() {
    alone(async {
        let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
        send_through(alias, 1);
        assert!(process::unalias(alias));
        assert_eq!(received(alias).await, [1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_26_alias_of_mode_reply() {
    alone(async {
        let alias = process::alias(AliasMode::Reply).unwrap();
        send_through(alias, 1);
        send_through(alias, 2);
        assert_eq!(received(alias).await, [1]);
        assert!(!process::unalias(alias));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mon_of_oneself() {
    // Allowed, and nothing is ever set up, by pid or by name.
    alone(async {
        let me = process::current().unwrap();
        let name = Name::<()>::new("me");
        process::register(me, name).unwrap();
        let monitors: [Monitor; 2] = [process::monitor(me).unwrap(), process::monitor(name).unwrap()];
        assert_eq!((monitors_of(me), monitored_by(me)), (vec![], vec![]));
        for monitor in monitors {
            assert!(!process::demonitor(monitor));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mon_after_flush_nothing_comes() {
    alone(async {
        let (mut rival, mut race) = (Rival::new(), Race::with(["active", "over"]));
        while let Some((_, handicap)) = race.round() {
            let (pid, go) = mortal().await;
            let monitor = process::monitor(pid).unwrap();
            rival.begins(move || go.send(None));
            handicap.wait();
            let active = process::demonitor_flush(monitor);
            process::join(pid).await;
            assert_eq!(unread(), 0);
            race.saw(if active { "active" } else { "over" });
        }
    })
    .await;
}
