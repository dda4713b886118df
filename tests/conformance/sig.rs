//! SIG: signals and exits.

use std::time::Duration;

use erlang_process::{
    self as process, CallError, ExitMessage, ExitReason, Name, Pid, ReceiveError, Reply, Selector, Spawn,
    Subject,
};

use crate::support::{
    Drops, LONG, ROUNDS, Race, Token, alone, boom, dead, end_of, idle, server, trapped, trapped_now, unread,
    until,
};

/// Answers every call with the exits that it has trapped so far.
fn collector() -> (Pid, Subject<Reply<Vec<ExitMessage>>>) {
    server(|calls: Subject<Reply<Vec<ExitMessage>>>| async move {
        process::trap_exits(true).unwrap();
        let mut exits = Vec::new();
        enum Event {
            Exit(ExitMessage),
            Asked(Reply<Vec<ExitMessage>>),
        }
        let mut events = Selector::new().select(&calls, Event::Asked).select_trapped_exits(Event::Exit);
        loop {
            match events.receive_forever().await.unwrap() {
                Event::Exit(exit) => exits.push(exit),
                Event::Asked(reply) => reply.send(exits.clone()),
            }
        }
        #[allow(unreachable_code)]
        ExitReason::Normal
    })
}

#[tokio::test(start_paused = true)]
async fn sig_03_exit_normal_to_other() {
    alone(async {
        let (other, calls) = server(|calls: Subject<Reply<u8>>| async move {
            calls.receive_forever().await.unwrap().send(1);
        });
        process::send_exit(other, ExitReason::Normal);
        assert!(process::is_alive(other));
        assert_eq!(calls.call(LONG, |reply| reply).await, Ok(1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_04_exit_normal_to_other_trapping() {
    alone(async {
        let me = process::current().unwrap();
        let (other, exits) = collector();
        exits.call(LONG, |reply| reply).await.unwrap();
        process::send_exit(other, ExitReason::Normal);
        let expected = ExitMessage { pid: me, reason: ExitReason::Normal };
        assert_eq!(exits.call(LONG, |reply| reply).await, Ok(vec![expected]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_08_exit_self_abnormal_trapping() {
    alone(async {
        let me = process::current().unwrap();
        process::trap_exits(true).unwrap();
        process::send_exit(me, boom());
        assert_eq!(trapped_now().await, Some(ExitMessage { pid: me, reason: boom() }));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_10_kill_trapping() {
    alone(async {
        let (victim, exits) = collector();
        exits.call(LONG, |reply| reply).await.unwrap();
        process::kill(victim);
        assert!(!process::is_alive(victim));
        assert_eq!(end_of(victim).await, ExitReason::NoProc, "its end had begun");

        let (victim, exits) = collector();
        exits.call(LONG, |reply| reply).await.unwrap();
        let monitor = process::monitor(victim).unwrap();
        process::kill(victim);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_11_kill_reaches_links_as_killed() {
    alone(async {
        let b = idle();
        let (a, linked) = linked_to(b);
        let end = process::monitor(a).unwrap();
        linked.receive_forever().await.unwrap();
        process::kill(b);
        assert_eq!(end.down().await.unwrap().reason, ExitReason::Killed);
    })
    .await;
}

/// A process that links itself to another, says so on the subject, and waits.
fn linked_to(other: Pid) -> (Pid, Subject<()>) {
    let linked = Subject::new().unwrap();
    let tell = linked.clone();
    let pid = process::spawn_unlinked(async move {
        process::link(other).unwrap();
        tell.send(());
        std::future::pending::<()>().await;
    });
    (pid, linked)
}

/// A process that ends itself with this reason when it gets a message.
fn exits_with(reason: ExitReason) -> (Pid, Subject<()>) {
    server(|go: Subject<()>| async move {
        go.receive_forever().await.unwrap();
        process::exit(reason) as ()
    })
}

#[tokio::test(start_paused = true)]
async fn sig_12_own_exit_with_kill_stays_kill() {
    alone(async {
        let (b, go) = exits_with(ExitReason::Kill);
        let (a, linked) = linked_to(b);
        let (end_a, end_b) = (process::monitor(a).unwrap(), process::monitor(b).unwrap());
        linked.receive_forever().await.unwrap();
        go.send(());
        assert_eq!(end_a.down().await.unwrap().reason, ExitReason::Kill);
        assert_eq!(end_b.down().await.unwrap().reason, ExitReason::Kill);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_13_own_exit_with_kill_is_trappable() {
    alone(async {
        process::trap_exits(true).unwrap();
        let (b, go) = exits_with(ExitReason::Kill);
        process::link(b).unwrap();
        go.send(());
        assert_eq!(trapped().await, ExitMessage { pid: b, reason: ExitReason::Kill });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_14_chain_keeps_the_reason() {
    for killed in [false, true] {
        alone(async move {
            let (last, go) = exits_with(ExitReason::Kill);
            let mut chain = vec![last];
            for _ in 0..9 {
                let (pid, linked) = linked_to(chain[chain.len() - 1]);
                linked.receive_forever().await.unwrap();
                chain.push(pid);
            }
            let ends: Vec<_> = chain.iter().map(|pid| process::monitor(*pid).unwrap()).collect();
            if killed {
                process::kill(last)
            } else {
                go.send(())
            }
            let expected = if killed { ExitReason::Killed } else { ExitReason::Kill };
            for end in ends {
                assert_eq!(end.down().await.unwrap().reason, expected);
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sig_15_first_of_two_exits_wins() {
    alone(async {
        for _ in 0..ROUNDS {
            let pid = idle();
            let monitor = process::monitor(pid).unwrap();
            process::send_exit(pid, ExitReason::error("first"));
            process::send_exit(pid, ExitReason::error("second"));
            process::kill(pid);
            assert_eq!(monitor.down().await.unwrap().reason, ExitReason::error("first"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sig_16_exit_and_timeout() {
    alone(async {
        let mut race = Race::with(["the signal", "the timeout"]).at_least(300);
        while let Some((round, handicap)) = race.round() {
            let (pid, monitor) = process::spawn_monitor(async move {
                let never = Subject::<()>::new().unwrap();
                let timeout = Duration::from_micros(round as u64 % 300);
                assert_eq!(never.receive(timeout).await, Err(ReceiveError::Timeout));
                ExitReason::error("timeout")
            })
            .unwrap();
            // It waits, and another thread than this one ends that.
            tokio::task::yield_now().await;
            handicap.wait();
            process::send_exit(pid, boom());
            let reason = monitor.down().await.unwrap().reason;
            race.saw(if reason == boom() { "the signal" } else { "the timeout" });
            assert!(reason == boom() || reason == ExitReason::error("timeout"), "{reason}");
        }
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_17_exit_to_dead() {
    alone(async {
        let pid = dead().await;
        process::send_exit(pid, boom());
        process::kill(pid);
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_20_child_returns_normally() {
    alone(async {
        let child = process::spawn(async {});
        process::join(child).await;
        let me = process::current().unwrap();
        assert!(process::is_alive(me));
        assert_eq!(process::Node::current().info(me).unwrap().links, []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_23_trapping_switched_off_keeps_queued_exits() {
    alone(async {
        let me = process::current().unwrap();
        process::trap_exits(true).unwrap();
        process::send_exit(me, boom());
        process::trap_exits(false).unwrap();
        assert_eq!(trapped_now().await, Some(ExitMessage { pid: me, reason: boom() }));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_25_trap_flag_returns_previous() {
    alone(async {
        assert_eq!(process::trap_exits(true), Ok(false));
        assert_eq!(process::trap_exits(true), Ok(true));
        assert_eq!(process::trap_exits(false), Ok(true));
    })
    .await;
    assert_eq!(process::trap_exits(true), Err(process::NotAProcess));
}

#[tokio::test(start_paused = true)]
async fn sig_27_send_to_unregistered_name() {
    alone(async {
        let nobody = Name::<u8>::new("nobody").subject();
        // A typed send never fails; who wants to know asks, and gets the message back.
        nobody.send(1);
        assert_eq!(nobody.try_send(7), Err(process::SendError(7)));
        let called = Name::<Reply<()>>::new("nobody").subject().call(LONG, |reply| reply).await;
        assert_eq!(called, Err(CallError::NoProc));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sig_28_kill_with_a_full_mailbox_and_many_senders() {
    alone(async {
        const QUEUED: usize = 1_000_000;
        let (victim, inbox) = server(|_: Subject<Option<Token>>| std::future::pending::<()>());
        let drops = Drops::default();
        for _ in 0..QUEUED {
            inbox.send(None);
        }
        inbox.send(Some(drops.token()));
        let senders: Vec<_> = (0..100)
            .map(|_| {
                let inbox = inbox.clone();
                process::spawn_monitor(async move {
                    while inbox.try_send(None).is_ok() {
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let monitor = process::monitor(victim).unwrap();
        process::kill(victim);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
        assert_eq!(drops.count(), 1, "the mailbox is freed");
        for sender in senders {
            assert_eq!(sender.unwrap().1.down().await.unwrap().reason, ExitReason::Normal);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sig_29_many_senders_keep_their_order() {
    alone(async {
        const SENDERS: usize = 50;
        const EACH: usize = 2_000;
        let inbox = Subject::<(usize, usize)>::new().unwrap();
        for sender in 0..SENDERS {
            let inbox = inbox.clone();
            process::spawn(async move {
                for number in 0..EACH {
                    inbox.send((sender, number));
                    if number % 100 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
        let mut next = [0; SENDERS];
        for _ in 0..SENDERS * EACH {
            let (sender, number) = inbox.receive(LONG).await.unwrap();
            assert_eq!(number, next[sender]);
            next[sender] += 1;
        }
        assert_eq!(next, [EACH; SENDERS]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_30_large_reason_for_many() {
    alone(async {
        process::trap_exits(true).unwrap();
        let large = "x".repeat(4_000_000);
        let (victim, go) = exits_with(ExitReason::error(large.clone()));
        process::link(victim).unwrap();
        let monitors: Vec<_> = (0..100).map(|_| process::monitor(victim).unwrap()).collect();
        go.send(());
        for monitor in monitors {
            assert_eq!(monitor.down().await.unwrap().reason, ExitReason::error(large.clone()));
        }
        assert_eq!(trapped().await.reason, ExitReason::error(large));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sig_31_link_to_a_dying_parent_that_unlinked() {
    alone(async {
        for _ in 0..ROUNDS {
            let heard = Subject::<ExitMessage>::new().unwrap();
            let tell = heard.clone();
            process::spawn_unlinked(async move {
                let parent = process::current().unwrap();
                let child = process::spawn_subject(|go: Subject<()>| async move {
                    process::trap_exits(true).unwrap();
                    go.receive_forever().await.unwrap();
                    until(|| !process::is_alive(parent)).await;
                    process::link(parent).unwrap();
                    tell.send(trapped().await);
                });
                process::unlink(child.pid().unwrap()).unwrap();
                child.send(());
                boom()
            });
            assert_eq!(heard.receive(LONG).await.unwrap().reason, ExitReason::NoProc);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_exits_by_the_table() {
    // What 1.3 says of each way to end, beyond the numbered rows.
    alone(async {
        // Normal to oneself, not trapping: the quirk.
        let pid = Spawn::new().unlinked().spawn(async {
            process::send_exit(process::current().unwrap(), ExitReason::Normal);
            std::future::pending::<()>().await;
        });
        assert_eq!(process::join(pid.unwrap()).await, ExitReason::Normal);
        // Normal to oneself, trapping: a message.
        process::trap_exits(true).unwrap();
        let me = process::current().unwrap();
        process::send_exit(me, ExitReason::Normal);
        assert_eq!(trapped_now().await, Some(ExitMessage { pid: me, reason: ExitReason::Normal }));
        // Abnormal to oneself, not trapping: dead before the call returns, and no catching it.
        let pid = process::spawn_unlinked(async {
            let caught = process::catch(async {
                process::send_exit(process::current().unwrap(), boom());
                unreachable!("the call does not return");
            });
            drop(caught.await);
            std::future::pending::<()>().await;
        });
        assert_eq!(process::join(pid).await, boom());
    })
    .await;
}
