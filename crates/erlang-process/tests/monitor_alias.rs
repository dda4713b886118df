//! Monitors whose reference is an alias.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use erlang_process::{
    self as process, AliasMode, Dest, Down, ExitReason, Monitor, MonitorAlias, Node, Pid, ReceiveError,
    Selector, Signal, Subject, current, demonitor, monitor_with_alias, unalias,
};

const LONG: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq)]
enum Event {
    Reply(u32),
    Down,
}

fn send(alias: Monitor, message: u32) {
    Node::current().signal(current(), Dest::Alias(alias.reference()), Signal::Message(Box::new(message)));
}

fn idle() -> Pid {
    process::spawn_unlinked(std::future::pending::<()>())
}

/// Everything that has come of a monitor and its alias.
async fn events(monitor: Monitor) -> Vec<Event> {
    let mut selector = Selector::new()
        .select_alias(monitor.reference(), Event::Reply)
        .select_monitor(monitor, |_: Down| Event::Down);
    let mut events = Vec::new();
    while let Ok(event) = selector.receive(Duration::ZERO).await {
        events.push(event);
    }
    events
}

async fn end(pid: Pid) {
    process::kill(pid);
    process::join(pid).await;
}

async fn in_a_process(body: impl Future<Output = ()> + Send + 'static) {
    Node::new().run(body).await.unwrap();
}

#[tokio::test]
async fn mon_27_reply_demonitor_takes_one_reply_and_no_down() {
    in_a_process(async {
        let server = idle();
        let monitor = monitor_with_alias(server, MonitorAlias::ReplyDemonitor).unwrap();
        send(monitor, 1);
        send(monitor, 2);
        assert!(Node::current().info(server).unwrap().monitored_by.is_empty());
        assert!(!demonitor(monitor));
        end(server).await;
        assert_eq!(events(monitor).await, [Event::Reply(1)]);
        assert!(!unalias(monitor.reference()));
    })
    .await;
}

#[tokio::test]
async fn mon_28_demonitor_takes_all_replies_and_the_down() {
    in_a_process(async {
        let server = idle();
        let monitor = monitor_with_alias(server, MonitorAlias::Demonitor).unwrap();
        send(monitor, 1);
        send(monitor, 2);
        end(server).await;
        send(monitor, 3);
        assert_eq!(events(monitor).await, [Event::Reply(1), Event::Reply(2), Event::Down]);
    })
    .await;
}

#[tokio::test]
async fn mon_29_explicit_unalias_survives_the_down() {
    in_a_process(async {
        let server = idle();
        let monitor = monitor_with_alias(server, MonitorAlias::ExplicitUnalias).unwrap();
        end(server).await;
        assert_eq!(events(monitor).await, [Event::Down]);
        send(monitor, 1);
        assert!(unalias(monitor.reference()));
        send(monitor, 2);
        assert_eq!(events(monitor).await, [Event::Reply(1)]);
        // The same of a process that was dead before.
        let late = monitor_with_alias(server, MonitorAlias::ExplicitUnalias).unwrap();
        send(late, 3);
        assert_eq!(events(late).await, [Event::Down, Event::Reply(3)]);
    })
    .await;
}

#[tokio::test]
async fn mon_30_explicit_unalias_survives_demonitor() {
    in_a_process(async {
        let monitor = monitor_with_alias(idle(), MonitorAlias::ExplicitUnalias).unwrap();
        assert!(demonitor(monitor));
        send(monitor, 1);
        assert_eq!(events(monitor).await, [Event::Reply(1)]);
    })
    .await;
}

#[tokio::test]
async fn mon_31_demonitor_ends_its_alias() {
    in_a_process(async {
        for mode in [MonitorAlias::Demonitor, MonitorAlias::ReplyDemonitor] {
            let monitor = monitor_with_alias(idle(), mode).unwrap();
            assert!(demonitor(monitor));
            send(monitor, 1);
            assert_eq!(events(monitor).await, []);
        }
    })
    .await;
}

#[tokio::test]
async fn mon_32_unalias_leaves_the_monitor() {
    in_a_process(async {
        let server = idle();
        let monitor = monitor_with_alias(server, MonitorAlias::Demonitor).unwrap();
        assert!(unalias(monitor.reference()));
        send(monitor, 1);
        end(server).await;
        assert_eq!(events(monitor).await, [Event::Down]);
    })
    .await;
}

#[tokio::test]
async fn mon_35_demonitor_of_an_alias_whose_monitor_is_gone() {
    in_a_process(async {
        let server = idle();
        let monitor = monitor_with_alias(server, MonitorAlias::ExplicitUnalias).unwrap();
        end(server).await;
        assert!(!demonitor(monitor));
        send(monitor, 1);
        assert_eq!(events(monitor).await, [Event::Down, Event::Reply(1)]);
    })
    .await;
}

#[tokio::test]
async fn an_alias_that_is_not_active_is_nobody_to_be_monitored_or_linked_with() {
    in_a_process(async {
        let server = idle();
        let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
        let told = Subject::new().unwrap();
        let tell = told.clone();
        let other = process::spawn_unlinked(async move {
            // Of another process, and active.
            let monitor = process::monitor(alias).unwrap();
            assert!(process::demonitor(monitor));
            let gone = process::monitor_with_alias(server, MonitorAlias::ExplicitUnalias).unwrap();
            assert!(unalias(gone.reference()));
            tell.send(gone.reference());
            std::future::pending::<()>().await;
        });
        let gone = told.receive(LONG).await.unwrap();
        let down = process::timeout(LONG, process::monitor(gone).unwrap().down()).await.unwrap().unwrap();
        assert_eq!(down.reason, ExitReason::NoProc);
        // What a carrier may bring: answered in place of the dead.
        let (node, me) = (Node::current(), current().unwrap());
        let reference = node.reference();
        let monitor = Signal::Monitor { reference, target: gone.into() };
        node.signal(Some(me), gone, monitor);
        node.signal(Some(me), gone, Signal::Link);
        let info = node.info(other).unwrap();
        assert_eq!((info.monitored_by, info.links), (vec![], vec![]));
        process::kill(other);
    })
    .await;
}

#[tokio::test]
async fn only_who_monitors_hears_of_the_end() {
    in_a_process(async {
        let server = idle();
        let monitor = process::monitor(server).unwrap();
        let other = process::run(async move { monitor.down().await });
        assert_eq!(process::timeout(LONG, other).await.unwrap(), Ok(Err(ReceiveError::NotOwner)));
        process::kill(server);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
    })
    .await;
}
