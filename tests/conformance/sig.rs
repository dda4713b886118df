//! SIG: signals and exits.

use std::time::Duration;

use erlang_process::{
    self as process, AliasMode, CallError, Dest, ExitMessage, ExitReason, Name, Node, Pid, ReceiveError,
    Reference, Reply, Selector, Signal, Spawn, Subject,
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
        assert_eq!(nobody.try_send(7), Err(process::SendError::Dead(7)));
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

/// Sends ordinarily through an alias.
fn send_through(alias: Reference, message: &'static str) {
    let from = process::current();
    Node::current().signal(from, Dest::Alias(alias), Signal::Message(Box::new(message)));
}

/// Everything in the mailbox, in its order.
async fn texts(alias: Reference) -> Vec<String> {
    let mut selector = Selector::new()
        .select_alias(alias, |text: &'static str| text.to_owned())
        .select_raw(|text: &'static str| text.to_owned())
        .select_trapped_exits(|exit| format!("exit {}", exit.reason))
        .select_monitors(|down| format!("down {}", down.reason));
    let mut texts = Vec::new();
    while let Ok(text) = selector.receive(Duration::ZERO).await {
        texts.push(text);
    }
    texts
}

/// Puts an ordinary message into the caller's own mailbox.
fn ordinary(text: &'static str) {
    let me = process::current().unwrap();
    Node::current().signal(Some(me), me, Signal::Message(Box::new(text)));
}

#[tokio::test(start_paused = true)]
async fn sig_36_a_priority_message_comes_before_five_ordinary_ones() {
    alone(async {
        let alias = process::priority_alias(AliasMode::ExplicitUnalias).unwrap();
        let ordinary_ones = ["1", "2", "3", "4", "5"];
        ordinary_ones.into_iter().for_each(ordinary);
        process::send_with_priority(alias, "first");
        assert_eq!(texts(alias).await, ["first", "1", "2", "3", "4", "5"]);

        // Those that a receive has passed over included, and a receive that waits takes it.
        ordinary_ones.into_iter().for_each(ordinary);
        let mut only = Selector::new().select_alias(alias, |text: &'static str| text);
        assert_eq!(only.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
        process::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            process::send_with_priority(alias, "first");
        });
        assert_eq!(only.receive(LONG).await, Ok("first"));
        process::send_with_priority(alias, "again");
        assert_eq!(texts(alias).await, ["again", "1", "2", "3", "4", "5"]);

        // Those that had come when the process did not yet want any, too.
        let late = process::run(async {
            ordinary("1");
            ordinary("2");
            assert_eq!(
                Subject::<()>::new().unwrap().receive(Duration::ZERO).await,
                Err(ReceiveError::Timeout)
            );
            ordinary("3");
            let alias = process::priority_alias(AliasMode::ExplicitUnalias).unwrap();
            process::send_with_priority(alias, "first");
            texts(alias).await
        });
        assert_eq!(late.await.unwrap(), ["first", "1", "2", "3"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_37_priority_messages_keep_their_order() {
    alone(async {
        let alias = process::priority_alias(AliasMode::ExplicitUnalias).unwrap();
        ordinary("last");
        process::send_with_priority(alias, "1");
        process::send_with_priority(alias, "2");
        // A search has seen both, and goes on behind them.
        assert_eq!(Subject::<()>::new().unwrap().receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
        process::send_with_priority(alias, "3");
        assert_eq!(texts(alias).await, ["1", "2", "3", "last"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_38_both_sides_have_to_want_it() {
    alone(async {
        let me = process::current().unwrap();
        let has_any = || Node::current().info(me).unwrap().priority_messages;
        let plain = process::alias(AliasMode::ExplicitUnalias).unwrap();
        assert!(!has_any());
        let priority = process::priority_alias(AliasMode::ExplicitUnalias).unwrap();
        assert!(has_any());

        ordinary("1");
        process::send_with_priority(plain, "2");
        Node::current().signal(Some(me), me, Signal::PriorityMessage(Box::new("3")));
        let mut all = Selector::new()
            .select_alias(plain, |text: &'static str| text)
            .select_alias(priority, |text: &'static str| text)
            .select_raw(|text: &'static str| text);
        for text in ["1", "2", "3"] {
            assert_eq!(all.receive(Duration::ZERO).await, Ok(text));
        }
        ordinary("1");
        send_through(priority, "2");
        assert_eq!(texts(priority).await, ["1", "2"]);

        // Exits go by the same rule, and kill as ever.
        process::trap_exits(true).unwrap();
        ordinary("1");
        process::send_exit_with_priority(plain, ExitReason::Shutdown);
        process::send_exit_with_priority(priority, ExitReason::Shutdown);
        assert_eq!(texts(priority).await, ["exit shutdown", "1", "exit shutdown"]);
        let aliases = Subject::new().unwrap();
        let victim = process::spawn_unlinked({
            let aliases = aliases.clone();
            async move {
                process::trap_exits(true).unwrap();
                aliases.send(process::priority_alias(AliasMode::ExplicitUnalias).unwrap());
                std::future::pending::<()>().await;
            }
        });
        process::send_exit_with_priority(aliases.receive(LONG).await.unwrap(), ExitReason::Kill);
        assert!(!process::is_alive(victim));

        // What is withdrawn takes nothing.
        assert!(process::unalias(priority));
        assert!(!has_any());
        process::send_with_priority(priority, "dropped");
        process::send_exit_with_priority(priority, ExitReason::Kill);
        assert_eq!(unread(), 0);

        // One for a single message is used up by that, and not by an exit.
        let once = process::priority_alias(AliasMode::Reply).unwrap();
        ordinary("last");
        process::send_exit_with_priority(once, ExitReason::Shutdown);
        process::send_with_priority(once, "one");
        process::send_with_priority(once, "dropped");
        assert_eq!(texts(once).await, ["exit shutdown", "one", "last"]);
        assert!(!has_any());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sig_39_the_order_of_signals_is_as_ever() {
    alone(async {
        let alias = process::priority_alias(AliasMode::ExplicitUnalias).unwrap();
        for _ in 0..ROUNDS {
            let sender = process::spawn_monitor(async move {
                send_through(alias, "m1");
                process::send_with_priority(alias, "m2");
            });
            sender.unwrap().1.down().await.unwrap();
            assert_eq!(texts(alias).await, ["m2", "m1"]);
        }

        // What is no message acts when it comes: an exit that was sent before is not overtaken.
        for _ in 0..ROUNDS {
            let aliases = Subject::new().unwrap();
            let (victim, monitor) = process::spawn_monitor({
                let aliases = aliases.clone();
                async move {
                    let alias = process::priority_alias(AliasMode::ExplicitUnalias).unwrap();
                    aliases.send(alias);
                    let mut selector = Selector::new().select_alias(alias, |text: &'static str| text);
                    ExitReason::error(selector.receive_forever().await.unwrap())
                }
            })
            .unwrap();
            let alias = aliases.receive_forever().await.unwrap();
            process::send_exit(victim, boom());
            process::send_with_priority(alias, "overtaken");
            assert_eq!(monitor.down().await.unwrap().reason, boom());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_40_a_link_is_with_priority_until_it_is_made_again() {
    alone(async {
        process::trap_exits(true).unwrap();
        let me = process::current().unwrap();
        let has_any = || Node::current().info(me).unwrap().priority_messages;
        let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
        let dies = |again: bool| {
            let pid = idle();
            process::link_with_priority(pid).unwrap();
            assert!(has_any());
            if again {
                process::link(pid).unwrap();
                assert!(!has_any());
            }
            ordinary("ordinary");
            let monitor = process::monitor(pid).unwrap();
            process::send_exit(pid, boom());
            monitor
        };
        dies(false).down().await.unwrap();
        assert_eq!(texts(alias).await, ["exit boom", "ordinary"]);
        assert!(!has_any());
        dies(true).down().await.unwrap();
        assert_eq!(texts(alias).await, ["ordinary", "exit boom"]);

        // A link that is there already becomes one with priority; the other side has its own say.
        let pid = process::spawn(std::future::pending::<()>());
        process::link_with_priority(pid).unwrap();
        assert!(!Node::current().info(pid).unwrap().priority_messages);
        ordinary("ordinary");
        process::kill(pid);
        process::join(pid).await;
        assert_eq!(texts(alias).await, ["exit killed", "ordinary"]);

        // One that is removed leaves nothing.
        let pid = idle();
        process::link_with_priority(pid).unwrap();
        process::unlink(pid).unwrap();
        assert!(!has_any());
        process::link(pid).unwrap();
        assert!(!has_any());

        // The answer for a dead process is of the link that was to be.
        let gone = dead().await;
        ordinary("ordinary");
        process::link_with_priority(gone).unwrap();
        assert_eq!(texts(alias).await, ["exit noproc", "ordinary"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sig_41_a_down_with_priority_is_read_first() {
    alone(async {
        let me = process::current().unwrap();
        let has_any = || Node::current().info(me).unwrap().priority_messages;
        let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
        let pid = idle();
        process::monitor_with_priority(pid).unwrap();
        let plain = process::monitor(pid).unwrap();
        assert!(has_any());
        ["1", "2", "3"].into_iter().for_each(ordinary);
        process::send_exit(pid, boom());
        process::join(pid).await;
        assert_eq!(texts(alias).await, ["down boom", "1", "2", "3", "down boom"]);
        assert!(!has_any());
        assert!(!process::demonitor(plain));

        let monitor = process::monitor_with_priority(idle()).unwrap();
        assert!(process::demonitor(monitor));
        assert!(!has_any());

        // One that has come is flushed like any other.
        ordinary("ordinary");
        let monitor = process::monitor_with_priority(dead().await).unwrap();
        assert!(!process::demonitor_flush(monitor));
        assert_eq!(texts(alias).await, ["ordinary"]);
    })
    .await;
}
