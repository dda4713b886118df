//! Calls to actors: who gets a reply, and what a caller learns who gets none.

#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::HashMap, error::Error as _, time::Duration};

use common::{PATIENCE, ROUNDS, Told, end_of, mailbox, run};
use erlang_process::{self as process, CallError, ExitReason, Name, Reply, Subject};
use otp_actor::{self as actor, Initialised, Next, Started};
use tokio::sync::oneshot;

/// An actor that is asked for something and ends, in one of many ways, before it has answered.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Normally,
    WithShutdown,
    WithAnError,
    ByAPanic,
    ByExit,
    ByAKill,
}

impl Ends {
    const ALL: [Self; 6] =
        [Self::Normally, Self::WithShutdown, Self::WithAnError, Self::ByAPanic, Self::ByExit, Self::ByAKill];

    fn next(self) -> Next {
        match self {
            Self::Normally => Next::stop(),
            Self::WithShutdown => Next::Stop(ExitReason::Shutdown),
            Self::WithAnError => Next::stop_abnormal("out of paper"),
            Self::ByAPanic => panic!("out of ink"),
            Self::ByExit => process::exit(ExitReason::error("out of order")),
            Self::ByAKill => {
                process::kill(process::current().unwrap());
                unreachable!()
            }
        }
    }

    fn is(self, reason: &ExitReason) -> bool {
        match (self, reason) {
            (Self::ByAPanic, ExitReason::Panic(panic)) => panic.message() == "out of ink",
            (Self::Normally, reason) => *reason == ExitReason::Normal,
            (Self::WithShutdown, reason) => *reason == ExitReason::Shutdown,
            (Self::WithAnError, reason) => *reason == ExitReason::error("out of paper"),
            (Self::ByExit, reason) => *reason == ExitReason::error("out of order"),
            (Self::ByAKill, reason) => *reason == ExitReason::Killed,
            _ => false,
        }
    }
}

/// Starts an actor that the caller is not linked with.
async fn unlinked<M: Send + 'static>(
    handle: impl FnMut(&mut (), M) -> Next + Send + 'static,
) -> Started<Subject<M>> {
    let started = actor::new(()).on_message(handle).start().await.unwrap();
    process::unlink(started.pid).unwrap();
    started
}

enum Ask {
    Now(Reply<&'static str>),
    Later(u32, Reply<u32>),
    AnswerLater(u32),
    ByAnother(Reply<&'static str>),
    Never(Reply<()>),
}

fn answer(waiting: &mut HashMap<u32, Reply<u32>>, ask: Ask) {
    match ask {
        Ask::Now(reply) => reply.send("now"),
        Ask::Later(key, reply) => drop(waiting.insert(key, reply)),
        Ask::AnswerLater(key) => {
            if let Some(reply) = waiting.remove(&key) {
                reply.send(key * 10);
            }
        }
        Ask::ByAnother(reply) => {
            process::spawn(async move { reply.send("another") });
        }
        Ask::Never(reply) => drop(reply),
    }
}

#[tokio::test]
async fn gs_33_a_call_is_answered_at_once_later_or_by_another_process() {
    run(async {
        let actor = actor::new(HashMap::new()).on_message(answer).start().await.unwrap().data;
        assert_eq!(actor.call(PATIENCE, Ask::Now).await, Ok("now"));
        assert_eq!(actor.call(PATIENCE, Ask::ByAnother).await, Ok("another"));

        // Two that wait, answered in the other order.
        let first = actor.call(PATIENCE, |reply| Ask::Later(1, reply));
        let second = actor.call(PATIENCE, |reply| Ask::Later(2, reply));
        let answers = async {
            actor.send(Ask::AnswerLater(2));
            actor.send(Ask::AnswerLater(1));
        };
        let (first, second, ()) = tokio::join!(biased; first, second, answers);
        assert_eq!((first, second), (Ok(10), Ok(20)));
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn calls_work_outside_any_process() {
    let started = actor::new(HashMap::new()).on_message(answer).start().await.unwrap();
    assert_eq!(started.data.call(PATIENCE, Ask::Now).await, Ok("now"));
    assert_eq!(started.data.call(PATIENCE, Ask::ByAnother).await, Ok("another"));
    process::kill(started.pid);
    assert_eq!(started.data.call(PATIENCE, Ask::Now).await, Err(CallError::NoProc));
}

#[tokio::test]
async fn a_request_that_is_dropped_fails_its_caller_at_once() {
    run(async {
        let actor = actor::new(HashMap::new()).on_message(answer).start().await.unwrap().data;
        assert_eq!(actor.call(Duration::MAX, Ask::Never).await, Err(CallError::Unanswered));
        assert_eq!(actor.call(PATIENCE, Ask::Now).await, Ok("now"));
    })
    .await;
}

#[tokio::test]
async fn gs_34_a_call_to_nobody_fails_at_once() {
    run(async {
        let free = Name::<Reply<()>>::new("free").subject();
        assert_eq!(free.call(Duration::MAX, |reply| reply).await, Err(CallError::NoProc));

        let dead = unlinked(|(), (): ()| Next::stop()).await;
        let end = end_of(dead.pid);
        dead.data.send(());
        end.await;
        assert_eq!(dead.data.call(Duration::MAX, |_: Reply<()>| ()).await, Err(CallError::NoProc));
    })
    .await;
}

#[tokio::test]
async fn gs_35_an_actor_cannot_call_itself() {
    async fn handle(own: &mut Subject<Reply<CallError>>, reply: Reply<CallError>) {
        let error = own.call(PATIENCE, |reply| reply).await.unwrap_err();
        reply.send(error);
    }

    run(async {
        let actor = actor::with_initialiser(PATIENCE, async |own: Subject<_>| {
            Ok::<_, String>(Initialised::new(own.clone()).returning(own))
        });
        let actor = actor.on_message_async(handle).start().await.unwrap().data;
        assert_eq!(actor.call(PATIENCE, |reply| reply).await, Ok(CallError::CallingSelf));
    })
    .await;
}

#[tokio::test]
async fn a_process_can_send_itself_a_request() {
    run(async {
        let own = Subject::new().unwrap();
        let ask = || actor::send_request(&own, |reply: Reply<u32>| reply);
        let (answered, dropped, given_up) = (ask(), ask(), ask());
        own.receive(PATIENCE).await.unwrap().send(42);
        assert_eq!(answered.receive(PATIENCE).await, Ok(42));
        drop(own.receive(PATIENCE).await.unwrap());
        assert_eq!(dropped.receive(PATIENCE).await, Err(CallError::Unanswered));
        drop(given_up);
        own.receive(PATIENCE).await.unwrap().send(7);
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_36_a_reply_that_comes_too_late_is_never_seen() {
    enum Message {
        Ask(Reply<Told>),
        Answer(Told),
    }

    run(async {
        let actor = actor::new(None::<Reply<Told>>).on_message(|waiting, message| match message {
            Message::Ask(reply) => *waiting = Some(reply),
            Message::Answer(told) => waiting.take().unwrap().send(told),
        });
        let actor = actor.start().await.unwrap().data;
        let late = actor.call(Duration::from_millis(50), Message::Ask).await;
        assert_eq!(late.err(), Some(CallError::Timeout));

        let (told, dropped) = Told::new();
        actor.send(Message::Answer(told));
        dropped.await.unwrap();
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn gs_37_a_call_without_patience_fails_and_is_carried_out() {
    run(async {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let actor = unlinked(move |(), reply: Reply<()>| {
            reply.send(());
            tell.take().unwrap().send("carried out").unwrap();
            Next::stop()
        });
        let actor = actor.await.data;
        assert_eq!(actor.call(Duration::ZERO, |reply| reply).await, Err(CallError::Timeout));
        assert_eq!(told.await, Ok("carried out"));
    })
    .await;
}

#[tokio::test]
async fn gs_38_the_caller_learns_why_the_actor_ended_without_a_reply() {
    for ends in Ends::ALL {
        run(async move {
            // The reply is dropped by the handler.
            let actor = unlinked(move |(), _: Reply<()>| ends.next()).await;
            let end = end_of(actor.pid);
            let error = actor.data.call(Duration::MAX, |reply| reply).await.unwrap_err();
            let CallError::Down(reason) = &error else { panic!("{ends:?}: {error:?}") };
            assert!(ends.is(reason), "{ends:?}: {reason:?}");
            assert_eq!(error.source().map(ToString::to_string), Some(reason.to_string()));
            assert!(ends.is(&end.await));
        })
        .await;
    }
}

#[tokio::test]
async fn gs_38_so_do_those_who_wait_for_a_deferred_reply_and_those_who_were_not_yet_heard() {
    enum Message {
        Defer(Reply<()>),
        Stop,
        Unheard(Reply<()>),
    }

    for ends in Ends::ALL {
        run(async move {
            let mut deferred = Vec::new();
            let actor = unlinked(move |(), message| match message {
                Message::Defer(reply) => {
                    deferred.push(reply);
                    Next::Continue
                }
                Message::Stop => ends.next(),
                Message::Unheard(reply) => {
                    reply.send(());
                    Next::Continue
                }
            });
            let actor = actor.await.data;
            let (deferred, (), unheard) = tokio::join!(
                biased;
                actor.call(Duration::MAX, Message::Defer),
                async { actor.send(Message::Stop) },
                actor.call(Duration::MAX, Message::Unheard),
            );
            for error in [deferred.unwrap_err(), unheard.unwrap_err()] {
                let CallError::Down(reason) = &error else { panic!("{ends:?}: {error:?}") };
                assert!(ends.is(reason), "{ends:?}: {reason:?}");
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gs_41_a_caller_learns_of_a_kill_whenever_it_comes() {
    run(async {
        for _ in 0..ROUNDS {
            let started = actor::new(Vec::new()).on_message(|kept, reply: Reply<()>| kept.push(reply));
            let started = started.start().await.unwrap();
            process::unlink(started.pid).unwrap();
            let (call, ()) = tokio::join!(
                biased;
                started.data.call(Duration::MAX, |reply| reply),
                async { process::kill(started.pid) },
            );
            assert_eq!(call, Err(CallError::Down(ExitReason::Killed)));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_wins_over_the_end_that_follows() {
    run(async {
        for ends in Ends::ALL {
            for _ in 0..ROUNDS {
                let actor = unlinked(move |(), reply: Reply<u32>| {
                    reply.send(7);
                    ends.next()
                });
                assert_eq!(actor.await.data.call(Duration::MAX, |reply| reply).await, Ok(7));
            }
        }
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn gs_46_a_reply_to_a_caller_that_is_gone_has_no_effect() {
    run(async {
        let actor = actor::new(HashMap::new()).on_message(answer).start().await.unwrap().data;
        let callee = actor.clone();
        let caller = process::spawn_unlinked(async move {
            let _ = callee.call(Duration::MAX, |reply| Ask::Later(1, reply)).await;
        });
        // The request is there when the actor has handled something that came after it.
        let end = end_of(caller);
        while process::Node::current().info(actor.pid().unwrap()).unwrap().messages_handled == 0 {
            tokio::task::yield_now().await;
        }
        process::kill(caller);
        end.await;
        actor.send(Ask::AnswerLater(1));
        assert_eq!(actor.call(PATIENCE, Ask::Now).await, Ok("now"));
    })
    .await;
}

#[tokio::test]
async fn gs_49_a_message_to_a_dead_actor_is_dropped() {
    run(async {
        let dead = unlinked(|(), _: Told| Next::Continue).await;
        let end = end_of(dead.pid);
        process::kill(dead.pid);
        end.await;
        let (told, dropped) = Told::new();
        dead.data.send(told);
        dropped.await.unwrap();
        Name::<u32>::new("free").subject().send(1);
    })
    .await;
}

#[tokio::test]
async fn gs_51_messages_and_calls_of_one_sender_are_handled_in_order() {
    enum Message {
        Note(u32),
        Notes(Reply<Vec<u32>>),
    }

    run(async {
        let actor = actor::new(Vec::new()).on_message(|notes, message| match message {
            Message::Note(number) => notes.push(number),
            Message::Notes(reply) => reply.send(notes.clone()),
        });
        let actor = actor.start().await.unwrap().data;
        actor.send(Message::Note(1));
        let (notes, ()) = tokio::join!(
            biased;
            actor.call(PATIENCE, Message::Notes),
            async { actor.send(Message::Note(3)) }
        );
        assert_eq!(notes, Ok(vec![1]));
        assert_eq!(actor.call(PATIENCE, Message::Notes).await, Ok(vec![1, 3]));
    })
    .await;
}
