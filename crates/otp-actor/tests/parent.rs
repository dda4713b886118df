//! The end of the parent, and of others.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{PATIENCE, end_of, run};
use erlang_process::{self as process, ExitMessage, ExitReason, Node, Pid, Reply, Selector, Subject};
use otp_actor::{self as actor, Initialised};
use tokio::sync::oneshot;

/// What the actor of these tests is asked, or told.
enum Event {
    Exit(ExitMessage),
    Exits(Reply<Vec<String>>),
}

/// Starts an actor that notes the exits that it traps.
async fn start(trapping: bool) -> Subject<Event> {
    let actor = actor::with_initialiser(PATIENCE, async move |own: Subject<Event>| {
        process::trap_exits(trapping)?;
        let selector = Selector::new().select(&own, |event| event).select_trapped_exits(Event::Exit);
        Ok::<_, process::NotAProcess>(Initialised::new(Vec::new()).selecting(selector).returning(own))
    });
    let actor = actor.on_message(|exits: &mut Vec<String>, event| match event {
        Event::Exit(exit) => exits.push(exit.reason.to_string()),
        Event::Exits(reply) => reply.send(exits.clone()),
    });
    actor.start().await.unwrap().data
}

/// An actor, and its parent, which ends with the reason that it is sent.
struct Family {
    parent: Pid,
    actor: Subject<Event>,
    end_parent: oneshot::Sender<ExitReason>,
}

async fn family(trapping: bool) -> Family {
    let (tell, told) = oneshot::channel();
    let (end_parent, reason) = oneshot::channel();
    let parent = process::spawn_unlinked(async move {
        assert!(tell.send(start(trapping).await).is_ok());
        reason.await.unwrap()
    });
    Family { parent, actor: told.await.unwrap(), end_parent }
}

fn reasons() -> [ExitReason; 4] {
    [ExitReason::Normal, ExitReason::Shutdown, ExitReason::error("broken"), ExitReason::Killed]
}

#[tokio::test]
async fn gs_60_a_trapping_actor_ends_with_its_parent_whatever_the_reason() {
    for reason in reasons() {
        run(async move {
            let Family { actor, end_parent, .. } = family(true).await;
            let end = end_of(actor.pid().unwrap());
            end_parent.send(reason.clone()).unwrap();
            assert_eq!(end.await, reason);
        })
        .await;
    }
}

#[tokio::test]
async fn gs_60_and_so_it_does_while_it_is_suspended() {
    for reason in reasons() {
        run(async move {
            let Family { actor, end_parent, .. } = family(true).await;
            let pid = actor.pid().unwrap();
            otp_system::suspend(pid, PATIENCE).await.unwrap();
            let end = end_of(pid);
            end_parent.send(reason.clone()).unwrap();
            assert_eq!(end.await, reason);
        })
        .await;
    }
}

#[tokio::test]
async fn gs_61_an_actor_that_does_not_trap_survives_a_parent_that_ends_normally() {
    run(async {
        let Family { parent, actor, end_parent } = family(false).await;
        let end = end_of(parent);
        end_parent.send(ExitReason::Normal).unwrap();
        assert_eq!(end.await, ExitReason::Normal);
        assert_eq!(actor.call(PATIENCE, Event::Exits).await, Ok(vec![]));
    })
    .await;
}

#[tokio::test]
async fn gs_62_an_actor_that_does_not_trap_ends_with_a_parent_that_crashes() {
    for reason in reasons().into_iter().filter(|reason| *reason != ExitReason::Normal) {
        run(async move {
            let Family { actor, end_parent, .. } = family(false).await;
            let end = end_of(actor.pid().unwrap());
            end_parent.send(reason.clone()).unwrap();
            assert_eq!(end.await, reason);
        })
        .await;
    }
}

#[tokio::test]
async fn gs_63_a_trapping_actor_handles_the_exits_of_others_and_lives() {
    run(async {
        let Family { actor, end_parent: _alive, .. } = family(true).await;
        let pid = actor.pid().unwrap();
        for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::error("broken")] {
            // One that is linked and ends, and one that merely says so.
            let linked = reason.clone();
            let linked = process::spawn_unlinked(async move {
                process::link(pid).unwrap();
                linked
            });
            end_of(linked).await;
            process::send_exit(pid, reason);
        }
        let exits = actor.call(PATIENCE, Event::Exits).await.unwrap();
        assert_eq!(exits, ["normal", "normal", "shutdown", "shutdown", "broken", "broken"]);
    })
    .await;
}

#[tokio::test]
async fn gs_63_and_so_it_does_where_it_selects_nothing() {
    run(async {
        let (end_parent, over) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        process::spawn_unlinked(async move {
            let counter = actor::with_initialiser(PATIENCE, async |own: Subject<Reply<u32>>| {
                process::trap_exits(true)?;
                Ok::<_, process::NotAProcess>(Initialised::new(0).returning(own))
            });
            let counter = counter.on_message(|asked: &mut u32, reply: Reply<u32>| {
                *asked += 1;
                reply.send(*asked);
            });
            tell.send(counter.start().await.unwrap().data).unwrap();
            over.await
        });
        let counter = told.await.unwrap();
        let pid = counter.pid().unwrap();
        for (reason, asked) in reasons().into_iter().zip(1..) {
            process::send_exit(pid, reason);
            assert_eq!(counter.call(PATIENCE, |reply| reply).await, Ok(asked));
        }
        let end = end_of(pid);
        end_parent.send(()).unwrap();
        assert_eq!(end.await, ExitReason::Normal, "and with its parent it ends");
    })
    .await;
}

/// What an actor that cleans up at its end has to say of it, if its parent ends normally.
async fn cleaned_up(trapping: bool, entered: bool) -> Option<String> {
    let (cleaned, told) = std::sync::mpsc::channel();
    run(async move {
        let actor = actor::new(()).on_message(|(): &mut (), (): ()| {});
        let actor = actor.on_terminate(move |(), reason| cleaned.send(reason.to_string()).unwrap());
        let actor = if trapping { actor.trap_exits() } else { actor };
        let (end_parent, over) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        process::spawn_unlinked(async move {
            let own = match entered {
                true => process::spawn_subject(|own| actor.enter_loop(own)),
                false => actor.start().await.unwrap().data,
            };
            tell.send(own.pid().unwrap()).unwrap();
            over.await
        });
        let pid = told.await.unwrap();
        otp_system::get_status(pid, PATIENCE).await.unwrap();
        let end = end_of(pid);
        end_parent.send(()).unwrap();
        if !trapping {
            process::send_exit(pid, ExitReason::Shutdown);
        }
        end.await;
    })
    .await;
    told.recv().ok()
}

#[tokio::test]
async fn an_actor_that_traps_exits_cleans_up_when_its_parent_ends_and_no_other_does() {
    for entered in [false, true] {
        assert_eq!(cleaned_up(true, entered).await.as_deref(), Some("normal"));
        assert_eq!(cleaned_up(false, entered).await, None);
    }
}

#[tokio::test]
async fn a_trapping_actor_ends_when_its_parent_tells_it_to() {
    run(async {
        process::trap_exits(true).unwrap();
        let actor = start(true).await;
        let end = end_of(actor.pid().unwrap());
        process::send_exit(actor.pid().unwrap(), ExitReason::Shutdown);
        assert_eq!(end.await, ExitReason::Shutdown);
    })
    .await;
}

#[tokio::test]
async fn gs_64_who_starts_an_actor_outside_any_process_is_not_its_parent() {
    let actor = start(true).await;
    let pid = actor.pid().unwrap();
    process::send_exit(pid, ExitReason::Shutdown);
    assert_eq!(actor.call(PATIENCE, Event::Exits).await, Ok(vec!["shutdown".to_owned()]));
    assert_eq!(otp_system::get_status(pid, PATIENCE).await.unwrap().parent, None);
    process::kill(pid);
}

#[tokio::test(start_paused = true)]
async fn an_actor_whose_parent_is_killed_while_it_becomes_ready_does_not_stay() {
    run(async {
        let (tell, told) = oneshot::channel();
        let (open, gate) = oneshot::channel::<()>();
        let parent = process::spawn_unlinked(async move {
            let slow = actor::with_initialiser(PATIENCE, async move |_: Subject<()>| {
                tell.send(process::current().unwrap()).unwrap();
                drop(gate.await);
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok::<_, String>(Initialised::new(()))
            });
            slow.on_message(|(): &mut (), ()| {}).start().await.map(drop)
        });
        let actor = told.await.unwrap();
        let end = end_of(actor);
        open.send(()).unwrap();
        process::kill(parent);
        assert_ne!(end.await, ExitReason::Normal);
        assert_eq!(Node::current().processes(), [process::current().unwrap()]);
    })
    .await;
}
