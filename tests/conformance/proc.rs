//! PROC: spawning, information, timers, receiving.

use std::time::Duration;

use erlang_process::{
    self as process, CallError, Cancelled, ExitReason, Name, Node, NotAProcess, ReceiveError, Reply,
    Selector, Spawn, Status, Subject, SuspendError,
};
use tokio::time::Instant;

use crate::support::{LONG, Race, alone, boom, dead, idle, server, unread, unread_of, until};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn proc_07_info_of_dead() {
    alone(async {
        assert_eq!(Node::current().info(dead().await), None);
        let dying = idle();
        process::kill(dying);
        assert_eq!(Node::current().info(dying), None, "its end has begun");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_09_name_in_info() {
    alone(async {
        let pid = idle();
        assert_eq!(Node::current().info(pid).unwrap().name, None);
        let name = Name::<()>::new("known");
        process::register(pid, name).unwrap();
        assert_eq!(Node::current().info(pid).unwrap().name, Some(name.registered_name()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_11_status() {
    alone(async {
        let (pid, calls) = server(|calls: Subject<Reply<()>>| async move {
            while let Ok(reply) = calls.receive_forever().await {
                reply.send(());
            }
        });
        // Once it has answered it waits in its receive again.
        calls.call(LONG, |reply| reply).await.unwrap();
        let status = |pid| Node::current().info(pid).unwrap().status;
        assert_eq!(status(pid), Status::Waiting);
        assert_eq!(status(process::current().unwrap()), Status::Running);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_12_parent() {
    let outside = Node::new();
    let pid = Spawn::new().on(&outside).spawn(std::future::pending::<()>()).unwrap();
    assert_eq!(outside.info(pid).unwrap().parent, None);
    alone(async {
        let told = Subject::new().unwrap();
        let tell = told.clone();
        let child = process::spawn_unlinked(async move {
            tell.send(process::spawn_unlinked(std::future::pending::<()>()));
        });
        let grandchild = told.receive_forever().await.unwrap();
        process::join(child).await;
        assert_eq!(Node::current().info(grandchild).unwrap().parent, Some(child), "also when it is dead");
        let elsewhere = Node::new();
        let pid = Spawn::new().on(&elsewhere).spawn(std::future::pending::<()>()).unwrap();
        assert_eq!(elsewhere.info(pid).unwrap().parent, None, "its parent is not of its node");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_24_timer_to_a_name_taken_later() {
    alone(async {
        let name = Name::<u32>::new("later");
        name.subject().send_after(2 * MS, 7);
        tokio::time::sleep(MS).await;
        process::register(process::current().unwrap(), name).unwrap();
        assert_eq!(name.subject().receive(LONG).await, Ok(7));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_25_timer_to_a_name_free_at_expiry() {
    alone(async {
        let name = Name::<u32>::new("free");
        let timer = name.subject().send_after(MS, 7);
        tokio::time::sleep(2 * MS).await;
        process::register(process::current().unwrap(), name).unwrap();
        assert_eq!(timer.cancel(), Cancelled::TimerNotFound);
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_26_timer_to_a_pid_that_dies() {
    alone(async {
        let (pid, subject) = server(|_: Subject<u32>| std::future::pending::<()>());
        let narrower = subject.map(|number: u8| number.into());
        let timers = [subject.send_after(LONG, 7), narrower.send_after(LONG, 7)];
        process::kill(pid);
        for timer in timers {
            assert_eq!((timer.remaining(), timer.cancel()), (None, Cancelled::TimerNotFound));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_28_cancel_of_what_is_over() {
    alone(async {
        let subject = Subject::new().unwrap();
        let timer = subject.send_after(5 * MS, 7);
        tokio::time::sleep(2 * MS).await;
        assert_eq!(timer.cancel(), Cancelled::Cancelled { remaining: 3 * MS });
        assert_eq!(timer.cancel(), Cancelled::TimerNotFound);
        let timer = subject.send_after(MS, 8);
        assert_eq!(subject.receive(LONG).await, Ok(8));
        assert_eq!(timer.cancel(), Cancelled::TimerNotFound);
        tokio::time::sleep(LONG).await;
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proc_28_cancel_against_expiry() {
    alone(async {
        let subject = Subject::new().unwrap();
        let mut race = Race::with(["cancelled", "fired"]).at_least(300);
        while let Some((round, handicap)) = race.round() {
            let timer = subject.send_after(Duration::from_micros(10), round);
            // The clock is told, and another thread than this one lets it ring.
            tokio::task::yield_now().await;
            handicap.wait();
            match timer.cancel() {
                Cancelled::Cancelled { .. } => race.saw("cancelled"),
                Cancelled::TimerNotFound => {
                    // Its own message, and not that of one which was cancelled.
                    assert_eq!(subject.receive(LONG).await, Ok(round));
                    race.saw("fired");
                }
            }
            assert_eq!(unread(), 0);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_30_cancel_by_another_process() {
    alone(async {
        let subject = Subject::new().unwrap();
        let timer = subject.send_after(5 * MS, 7);
        let cancelled = process::run(async move { timer.cancel() }).await;
        assert_eq!(cancelled, Ok(Cancelled::Cancelled { remaining: 5 * MS }));
        assert_eq!(subject.receive(LONG).await, Err(ReceiveError::Timeout));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_31_time_beyond_the_clock() {
    alone(async {
        let subject = Subject::new().unwrap();
        let timer = subject.send_after(Duration::MAX, 7);
        assert_eq!(subject.receive(5 * LONG).await, Err(ReceiveError::Timeout));
        assert!(matches!(timer.cancel(), Cancelled::Cancelled { remaining } if remaining > 1_000_000 * LONG));
        subject.send_after(MS, 8);
        assert_eq!(subject.receive(Duration::MAX).await, Ok(8));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_32_receive_with_zero_takes_from_the_middle() {
    alone(async {
        let (wanted, others) = (Subject::new().unwrap(), Subject::new().unwrap());
        others.send(1);
        wanted.send(2);
        others.send(3);
        assert_eq!(wanted.receive(Duration::ZERO).await, Ok(2));
        assert_eq!(wanted.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
        assert_eq!(others.receive(Duration::ZERO).await, Ok(1));
        assert_eq!(others.receive(Duration::ZERO).await, Ok(3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_33_timeout_counts_from_the_start() {
    alone(async {
        let (wanted, others) = (Subject::<u32>::new().unwrap(), Subject::new().unwrap());
        let noise = others.clone();
        process::spawn(async move {
            loop {
                noise.send(());
                tokio::time::sleep(MS).await;
            }
        });
        let start = Instant::now();
        assert_eq!(wanted.receive(10 * MS).await, Err(ReceiveError::Timeout));
        assert_eq!(start.elapsed(), 10 * MS);
        assert!(unread() >= 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_34_selective_receive_leaves_the_first() {
    alone(async {
        let (first, second) = (Subject::new().unwrap(), Subject::new().unwrap());
        first.send(1);
        second.send(2);
        first.send(3);
        assert_eq!(second.receive_forever().await, Ok(2));
        let mut all = Selector::new().select(&first, |n| n).select(&second, |n| n);
        assert_eq!(all.receive_forever().await, Ok(1));
        assert_eq!(all.receive_forever().await, Ok(3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_spawning_outside_any_process() {
    let ran = process::spawn_monitor(async {});
    assert_eq!(ran, Err(NotAProcess));
    let pid = process::spawn(async { ExitReason::Shutdown });
    assert_eq!(process::join(pid).await, ExitReason::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn proc_info_counts_messages_sent_before() {
    alone(async {
        let (pid, subject) = server(|_: Subject<u32>| std::future::pending::<()>());
        for sent in 0..10 {
            assert_eq!(Node::current().info(pid).unwrap().message_queue_len, sent);
            subject.send(1);
        }
        let mine = Subject::new().unwrap();
        mine.send(1);
        mine.receive_forever().await.unwrap();
        let info = Node::current().info(process::current().unwrap()).unwrap();
        assert_eq!((info.message_queue_len, info.messages_handled), (0, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_19_suspend_counts() {
    alone(async {
        let (pid, calls) = server(|calls: Subject<Reply<()>>| async move {
            while let Ok(reply) = calls.receive_forever().await {
                reply.send(());
            }
        });
        let answers = async || calls.call(MS, |reply| reply).await.is_ok();
        let status = || Node::current().info(pid).unwrap().status;
        assert!(answers().await);
        let (first, second) = (process::suspend(pid).unwrap(), process::suspend(pid).unwrap());
        assert!(!answers().await);
        first.resume();
        assert!(!answers().await);
        assert_eq!((status(), unread_of(pid)), (Status::Suspended, 2), "it takes messages in all the same");
        second.resume();
        assert!(answers().await);
        assert_eq!((status(), unread_of(pid)), (Status::Waiting, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_19_suspensions_end_with_who_holds_them() {
    alone(async {
        let (pid, calls) = server(|calls: Subject<Reply<()>>| async move {
            calls.receive_forever().await.unwrap().send(());
        });
        let debugger = process::spawn_unlinked(async move {
            let _suspension = process::suspend(pid).unwrap();
            std::future::pending::<()>().await;
        });
        until(|| Node::current().info(pid).unwrap().status == Status::Suspended).await;
        assert_eq!(calls.call(MS, |reply| reply).await, Err(CallError::Timeout));
        process::kill(debugger);
        assert_eq!(process::join(pid).await, ExitReason::Normal, "the request was still there");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn proc_20_a_suspended_process_can_be_killed() {
    alone(async {
        for reason in [ExitReason::Kill, boom()] {
            let pid = idle();
            let suspension = process::suspend(pid).unwrap();
            process::send_exit(pid, reason.clone());
            let expected = if reason == ExitReason::Kill { ExitReason::Killed } else { reason };
            assert_eq!(process::join(pid).await, expected);
            suspension.resume();
            assert_eq!(process::suspend(pid).unwrap_err(), SuspendError::NoProc);
        }
        // Before it has run for the first time.
        let pid = process::spawn_unlinked(async {});
        let _suspension = process::suspend(pid).unwrap();
        process::kill(pid);
        assert_eq!(process::join(pid).await, ExitReason::Killed);
        let me = process::current().unwrap();
        assert_eq!(process::suspend(me).unwrap_err(), SuspendError::Itself);
    })
    .await;
}
