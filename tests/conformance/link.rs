//! LINK: links.

use std::time::Duration;

use erlang_process::{self as process, ExitMessage, ExitReason, LinkError, Node, Pid, Reply, Subject};

use crate::support::{
    LONG, ROUNDS, Race, Rival, StartLine, alone, boom, dead, idle, mortal, server, trapped, trapped_now,
    unread, until,
};

fn links_of(pid: Pid) -> Vec<Pid> {
    Node::current().info(pid).unwrap().links
}

fn my_links() -> Vec<Pid> {
    links_of(process::current().unwrap())
}

#[tokio::test(start_paused = true)]
async fn link_01_link_twice_one_exit() {
    alone(async {
        process::trap_exits(true).unwrap();
        let pid = idle();
        process::link(pid).unwrap();
        process::link(pid).unwrap();
        assert_eq!(my_links(), [pid]);
        process::send_exit(pid, boom());
        process::join(pid).await;
        assert_eq!(trapped_now().await, Some(ExitMessage { pid, reason: boom() }));
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn link_03_with_oneself() {
    alone(async {
        let me = process::current().unwrap();
        assert_eq!(process::link(me), Ok(()));
        assert_eq!(my_links(), []);
        assert_eq!(process::unlink(me), Ok(()));
        assert_eq!(my_links(), []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn link_04_to_dead_not_trapping() {
    alone(async {
        let pid = dead().await;
        assert_eq!(process::link(pid), Err(LinkError::NoProc));
        assert_eq!((my_links(), unread()), (vec![], 0), "the error is all there is");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn link_05_to_dead_trapping() {
    alone(async {
        let pid = dead().await;
        process::trap_exits(true).unwrap();
        assert_eq!(process::link(pid), Ok(()));
        assert_eq!(trapped().await, ExitMessage { pid, reason: ExitReason::NoProc });
        assert_eq!(my_links(), []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn link_08_unlink_leaves_a_queued_exit() {
    alone(async {
        process::trap_exits(true).unwrap();
        let pid = idle();
        process::link(pid).unwrap();
        process::send_exit(pid, boom());
        process::join(pid).await;
        process::unlink(pid).unwrap();
        assert_eq!(trapped_now().await, Some(ExitMessage { pid, reason: boom() }));
    })
    .await;
}

/// What one side of a storm of links and unlinks does.
#[derive(Clone, Copy)]
enum Habit {
    Links,
    Unlinks,
    Both(u64),
}

impl Habit {
    fn practise(self, other: Pid, times: u64) {
        for time in 0..times {
            let links = match self {
                Habit::Links => true,
                Habit::Unlinks => false,
                Habit::Both(pattern) => pattern >> (time % 64) & 1 == 1,
            };
            if links { process::link(other).unwrap() } else { process::unlink(other).unwrap() }
        }
    }
}

/// A process that goes through its habit with another when it is told to, and then answers.
fn peer(habit: Habit, start: StartLine) -> (Pid, Subject<(Pid, u64, Reply<()>)>) {
    server(move |calls: Subject<(Pid, u64, Reply<()>)>| async move {
        while let Ok((other, times, reply)) = calls.receive_forever().await {
            start.wait_for(2);
            habit.practise(other, times);
            reply.send(());
        }
    })
}

/// Both sides go through their habits at once, and settle: they agree on whether there is a link, and when
/// one crashes the other's fate is as it was listed.
/// Returns whether there was one.
async fn both_agree(habits: [Habit; 2], times: u64) -> bool {
    let start = StartLine::default();
    let ((a, call_a), (b, call_b)) = (peer(habits[0], start.clone()), peer(habits[1], start));
    let in_a = call_a.call(LONG, |reply| (b, times, reply));
    let in_b = call_b.call(LONG, |reply| (a, times, reply));
    let (done_a, done_b) = tokio::join!(in_a, in_b);
    assert_eq!((done_a, done_b), (Ok(()), Ok(())));

    let linked = links_of(a) == [b];
    assert_eq!(links_of(b) == [a], linked, "one side has a link and the other has not");
    let (end_a, end_b) = (process::monitor(a).unwrap(), process::monitor(b).unwrap());
    process::send_exit(a, boom());
    end_a.down().await.unwrap();
    if linked {
        assert_eq!(end_b.down().await.unwrap().reason, boom());
    } else {
        assert_eq!(call_b.call(LONG, |reply| (a, 0, reply)).await, Ok(()));
        process::kill(b);
    }
    linked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_09_link_against_unlink() {
    alone(async {
        let mut race = Race::with(["unlinked", "linked"]);
        while let Some((round, _)) = race.round() {
            // Where they do not meet the last one decides, and that is now the one and now the other.
            let mut habits = [Habit::Links, Habit::Unlinks];
            habits.rotate_left(round % 2);
            let linked = both_agree(habits, round as u64 % 50 * 4).await;
            race.saw(if linked { "linked" } else { "unlinked" });
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_09_both_link_and_unlink() {
    alone(async {
        let mut race = Race::with(["unlinked", "linked"]);
        while let Some((round, _)) = race.round() {
            let pattern = (round as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let habits = [Habit::Both(pattern), Habit::Both(pattern.rotate_left(23))];
            let linked = both_agree(habits, 64).await;
            race.saw(if linked { "linked" } else { "unlinked" });
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_10_unlink_and_link_while_the_peer_dies() {
    alone(async {
        process::trap_exits(true).unwrap();
        let (mut rival, mut race) = (Rival::new(), Race::with(["by its end", "as noproc"]));
        while let Some((_, handicap)) = race.round() {
            let (pid, go) = mortal().await;
            process::link(pid).unwrap();
            rival.begins(move || go.send(None));
            // The first link may already end in an exit, before the unlink.
            process::unlink(pid).unwrap();
            while trapped_now().await.is_some() {}
            handicap.wait();
            // From here on the first link can do nothing.
            process::link(pid).unwrap();
            let exit = trapped().await;
            assert_eq!(exit.pid, pid);
            match exit.reason {
                ExitReason::NoProc => race.saw("as noproc"),
                reason => {
                    assert_eq!(reason, boom());
                    race.saw("by its end");
                }
            }
            process::join(pid).await;
            assert_eq!(trapped_now().await, None);
            assert_eq!(my_links(), []);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_unlink_and_flush_leaves_nothing() {
    // The idiom: unlink, then take one exit that may be there. Nothing comes later.
    alone(async {
        process::trap_exits(true).unwrap();
        let (mut rival, mut race) = (Rival::new(), Race::with(["unlinked in time", "the exit was there"]));
        while let Some((_, handicap)) = race.round() {
            let (pid, go) = mortal().await;
            process::link(pid).unwrap();
            rival.begins(move || go.send(None));
            handicap.wait();
            process::unlink(pid).unwrap();
            match trapped_now().await {
                None => race.saw("unlinked in time"),
                Some(exit) => {
                    assert_eq!(exit, ExitMessage { pid, reason: boom() });
                    race.saw("the exit was there");
                }
            }
            process::join(pid).await;
            assert_eq!(trapped_now().await, None);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn link_12_a_thousand_links() {
    alone(async {
        let hub = idle();
        let told = Subject::<ExitMessage>::new().unwrap();
        let ready = Subject::<()>::new().unwrap();
        for _ in 0..1_000 {
            let (told, ready) = (told.clone(), ready.clone());
            process::spawn(async move {
                process::trap_exits(true).unwrap();
                process::link(hub).unwrap();
                ready.send(());
                told.send(trapped().await);
                assert_eq!(trapped_now().await, None);
            });
        }
        for _ in 0..1_000 {
            ready.receive_forever().await.unwrap();
        }
        assert_eq!(links_of(hub).len(), 1_000);
        process::send_exit(hub, boom());
        for _ in 0..1_000 {
            assert_eq!(told.receive_forever().await.unwrap(), ExitMessage { pid: hub, reason: boom() });
        }
        assert_eq!(told.receive(Duration::from_secs(1)).await, Err(process::ReceiveError::Timeout));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn link_13_a_pending_unlink_is_not_listed() {
    alone(async {
        let me = process::current().unwrap();
        let pid = idle();
        process::link(pid).unwrap();
        assert_eq!((my_links(), links_of(pid)), (vec![pid], vec![me]));
        // On this one thread the other has had no chance to acknowledge.
        process::unlink(pid).unwrap();
        assert_eq!((my_links(), links_of(pid)), (vec![], vec![]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_14_spawn_link_tells_the_true_reason() {
    alone(async {
        process::trap_exits(true).unwrap();
        for _ in 0..ROUNDS {
            let pid = process::spawn(async { boom() });
            assert_eq!(trapped().await, ExitMessage { pid, reason: boom() });
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn link_15_grandchildren() {
    alone(async {
        process::trap_exits(true).unwrap();
        let b = process::spawn(async {
            process::spawn(async { boom() });
            std::future::pending::<()>().await;
        });
        assert_eq!(trapped().await, ExitMessage { pid: b, reason: boom() });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn link_16_shutdown_is_not_special() {
    alone(async {
        process::trap_exits(true).unwrap();
        let b = process::spawn(async {
            process::spawn(async { ExitReason::Shutdown });
            std::future::pending::<()>().await;
        });
        assert_eq!(trapped().await, ExitMessage { pid: b, reason: ExitReason::Shutdown });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn link_17_normal_end_of_a_peer_is_trapped() {
    alone(async {
        process::trap_exits(true).unwrap();
        let b = process::spawn(async {});
        assert_eq!(trapped().await, ExitMessage { pid: b, reason: ExitReason::Normal });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_of_two_that_end_at_once_tells_a_third_once() {
    alone(async {
        process::trap_exits(true).unwrap();
        for _ in 0..ROUNDS {
            let (a, b) =
                (process::spawn(std::future::pending::<()>()), process::spawn(std::future::pending::<()>()));
            process::kill(a);
            process::kill(b);
            let mut ended = [trapped().await.pid, trapped().await.pid];
            ended.sort_unstable();
            assert_eq!(ended, [a, b]);
            until(|| my_links().is_empty()).await;
            assert_eq!(trapped_now().await, None);
        }
    })
    .await;
}
