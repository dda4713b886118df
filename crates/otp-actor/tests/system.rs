//! System messages to actors: an author does nothing for them.

#![allow(clippy::unwrap_used)]

mod common;

use std::{error::Error as _, time::Duration};

use common::{PATIENCE, end_of, mailbox, run};
use erlang_process::{self as process, CallError, ExitReason, Pid, Reply, Subject};
use otp_actor::{self as actor, Next, Started};
use otp_system::{Mode, SystemError};
use tokio::sync::oneshot;

/// A state that can neither be cloned nor printed.
struct Notes(Vec<u32>);

enum Message {
    Note(u32),
    Notes(Reply<Vec<u32>>),
    Wait(oneshot::Receiver<()>, oneshot::Sender<()>),
}

async fn handle(notes: &mut Notes, message: Message) -> Next {
    match message {
        Message::Note(number) => notes.0.push(number),
        Message::Notes(reply) => reply.send(notes.0.clone()),
        Message::Wait(gate, entered) => {
            entered.send(()).unwrap();
            drop(gate.await);
        }
    }
    Next::Continue
}

async fn noting() -> Started<Subject<Message>> {
    let started = actor::new(Notes(Vec::new())).on_message_async(handle).start().await.unwrap();
    if process::current().is_some() {
        process::unlink(started.pid).unwrap();
    }
    started
}

async fn notes(pid: Pid) -> Result<Vec<u32>, SystemError> {
    otp_system::get_state(pid, PATIENCE, |notes: &Notes| notes.0.clone()).await
}

async fn mode(pid: Pid) -> Mode {
    otp_system::get_status(pid, PATIENCE).await.unwrap().mode
}

#[tokio::test]
async fn sys_01_get_state_running_and_suspended() {
    run(async {
        let Started { pid, data } = noting().await;
        data.send(Message::Note(1));
        assert_eq!(notes(pid).await, Ok(vec![1]));
        otp_system::suspend(pid, PATIENCE).await.unwrap();
        data.send(Message::Note(2));
        assert_eq!(notes(pid).await, Ok(vec![1]));
        otp_system::resume(pid, PATIENCE).await.unwrap();
        assert_eq!(notes(pid).await, Ok(vec![1, 2]));
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn sys_01_from_outside_any_process() {
    let Started { pid, data } = noting().await;
    data.send(Message::Note(1));
    assert_eq!(notes(pid).await, Ok(vec![1]));
    process::kill(pid);
}

#[tokio::test]
async fn sys_02_of_a_dead_actor_nothing_can_be_asked() {
    run(async {
        let pid = noting().await.pid;
        let end = end_of(pid);
        process::kill(pid);
        end.await;
        let nobody = SystemError::Call(CallError::NoProc);
        assert_eq!(notes(pid).await, Err(nobody.clone()));
        assert_eq!(otp_system::suspend(pid, Duration::MAX).await, Err(nobody.clone()));
        assert_eq!(otp_system::resume(pid, Duration::MAX).await, Err(nobody.clone()));
        assert_eq!(otp_system::get_status(pid, Duration::MAX).await, Err(nobody.clone()));
        let terminated = otp_system::terminate(pid, ExitReason::Normal, Duration::MAX).await;
        assert_eq!(terminated, Err(nobody));
    })
    .await;
}

#[tokio::test]
async fn replace_state_running_and_suspended() {
    run(async {
        let Started { pid, data } = noting().await;
        for suspended in [false, true] {
            if suspended {
                otp_system::suspend(pid, PATIENCE).await.unwrap();
            }
            let replace = move |old: &Notes| Notes(vec![u32::from(suspended), old.0.len() as u32]);
            otp_system::replace_state(pid, PATIENCE, replace).await.unwrap();
        }
        otp_system::resume(pid, PATIENCE).await.unwrap();
        assert_eq!(data.call(PATIENCE, Message::Notes).await, Ok(vec![1, 2]));
    })
    .await;
}

#[tokio::test]
async fn sys_04_a_panicking_visitor_leaves_the_state_and_the_actor_as_they_were() {
    run(async {
        let Started { pid, data } = noting().await;
        data.send(Message::Note(1));
        for suspended in [false, true] {
            if suspended {
                otp_system::suspend(pid, PATIENCE).await.unwrap();
            }
            let replace = |_: &Notes| -> Notes { panic!("no idea") };
            let replaced = otp_system::replace_state(pid, PATIENCE, replace).await;
            assert_eq!(replaced, Err(SystemError::CallbackFailed("no idea".to_owned())));
            let read = |_: &Notes| -> u32 { panic!("no {}", "idea") };
            let read = otp_system::get_state(pid, PATIENCE, read).await;
            assert_eq!(read, Err(SystemError::CallbackFailed("no idea".to_owned())));
            // Leaving by an exit is no way out of another's process.
            let exit = |_: &Notes| -> u32 { process::exit(ExitReason::Shutdown) };
            let exited = otp_system::get_state(pid, PATIENCE, exit).await;
            assert!(matches!(exited, Err(SystemError::CallbackFailed(_))), "{exited:?}");
            assert_eq!(notes(pid).await, Ok(vec![1]));
        }
    })
    .await;
}

#[tokio::test]
async fn a_state_of_another_type_is_an_error_that_names_both() {
    run(async {
        let Started { pid, data } = noting().await;
        let error = otp_system::get_state(pid, PATIENCE, |text: &String| text.clone()).await.unwrap_err();
        let SystemError::WrongState { expected, found } = &error else { panic!("{error:?}") };
        assert_eq!(*expected, std::any::type_name::<String>());
        assert_eq!(*found, std::any::type_name::<Notes>());
        assert!(error.source().is_none());
        let replaced = otp_system::replace_state(pid, PATIENCE, |_: &u8| 1).await;
        assert!(matches!(replaced, Err(SystemError::WrongState { .. })), "{replaced:?}");
        assert_eq!(data.call(PATIENCE, Message::Notes).await, Ok(vec![]));
    })
    .await;
}

#[tokio::test]
async fn sys_06_suspended_twice_and_resumed_once_it_runs() {
    run(async {
        let pid = noting().await.pid;
        for _ in 0..2 {
            otp_system::suspend(pid, PATIENCE).await.unwrap();
            assert_eq!(mode(pid).await, Mode::Suspended);
        }
        for _ in 0..2 {
            otp_system::resume(pid, PATIENCE).await.unwrap();
            assert_eq!(mode(pid).await, Mode::Running);
        }
    })
    .await;
}

#[tokio::test]
async fn sys_07_the_status_says_who_it_is_and_whether_it_runs() {
    run(async {
        let me = process::current();
        let counter = actor::new(7).on_message(|_: &mut u32, ()| {}).describe(|count| format!("at {count}"));
        let pid = counter.start().await.unwrap().pid;
        let status = otp_system::get_status(pid, PATIENCE).await.unwrap();
        assert_eq!((status.pid, status.module, status.parent), (pid, "actor", me));
        assert_eq!((status.mode, status.state_type), (Mode::Running, "u32"));
        assert_eq!(status.state.as_deref(), Some("at 7"));
        otp_system::suspend(pid, PATIENCE).await.unwrap();
        let status = otp_system::get_status(pid, PATIENCE).await.unwrap();
        assert_eq!((status.mode, status.state.as_deref()), (Mode::Suspended, Some("at 7")));
    })
    .await;
}

#[tokio::test]
async fn gs_88_a_description_that_panics_is_replaced_by_a_notice() {
    run(async {
        let counter = actor::new(7).on_message(|count: &mut u32, reply: Reply<u32>| reply.send(*count));
        let counter = counter.describe(|_| panic!("no words")).start().await.unwrap();
        let status = otp_system::get_status(counter.pid, PATIENCE).await.unwrap();
        assert_eq!(status.state.as_deref(), Some("the description of the state panicked"));
        assert_eq!(counter.data.call(PATIENCE, |reply| reply).await, Ok(7));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sys_09_what_comes_while_it_is_suspended_is_handled_in_order_afterwards() {
    run(async {
        let Started { pid, data } = noting().await;
        data.send(Message::Note(0));
        otp_system::suspend(pid, PATIENCE).await.unwrap();
        data.send(Message::Note(1));
        Subject::to_pid(pid).unwrap().send("unexpected");
        data.send(Message::Note(2));
        // Its time runs out, and it is carried out all the same.
        let late = data.call(Duration::from_millis(20), Message::Notes).await;
        assert_eq!(late, Err(CallError::Timeout));
        data.send(Message::Note(3));
        assert_eq!(notes(pid).await, Ok(vec![0]));
        otp_system::resume(pid, PATIENCE).await.unwrap();
        assert_eq!(data.call(PATIENCE, Message::Notes).await, Ok(vec![0, 1, 2, 3]));
    })
    .await;
}

#[tokio::test]
async fn system_messages_wait_their_turn() {
    run(async {
        let Started { pid, data } = noting().await;
        data.send(Message::Note(1));
        data.send(Message::Note(2));
        let (seen, ()) = tokio::join!(biased; notes(pid), async { data.send(Message::Note(3)) });
        assert_eq!(seen, Ok(vec![1, 2]));
    })
    .await;
}

#[tokio::test]
async fn sys_10_terminate_running_and_suspended() {
    for suspended in [false, true] {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::error("enough")] {
            run(async move {
                let pid = noting().await.pid;
                if suspended {
                    otp_system::suspend(pid, PATIENCE).await.unwrap();
                }
                let end = end_of(pid);
                otp_system::terminate(pid, reason.clone(), PATIENCE).await.unwrap();
                assert_eq!(end.await, reason);
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pl_21_a_request_to_terminate_that_is_not_heard_in_time_is_obeyed_later() {
    run(async {
        let Started { pid, data } = noting().await;
        let (open, gate) = oneshot::channel();
        let (enter, entered) = oneshot::channel();
        data.send(Message::Wait(gate, enter));
        entered.await.unwrap();
        let end = end_of(pid);
        let asked = otp_system::terminate(pid, ExitReason::Shutdown, Duration::from_millis(20)).await;
        assert_eq!(asked, Err(SystemError::Call(CallError::Timeout)));
        assert!(process::is_alive(pid));
        open.send(()).unwrap();
        assert_eq!(end.await, ExitReason::Shutdown);
    })
    .await;
}

#[tokio::test]
async fn two_that_terminate_one_actor_both_learn_its_reason() {
    run(async {
        let pid = noting().await.pid;
        let terminate = || otp_system::terminate(pid, ExitReason::Shutdown, PATIENCE);
        let (first, second) = tokio::join!(biased; terminate(), terminate());
        assert_eq!(first, Ok(()));
        assert_eq!(second, Err(SystemError::Call(CallError::Down(ExitReason::Shutdown))));
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_waits_while_the_actor_is_terminated_learns_the_reason() {
    run(async {
        let Started { pid, data } = noting().await;
        otp_system::suspend(pid, PATIENCE).await.unwrap();
        let (call, terminated) = tokio::join!(
            biased;
            data.call(PATIENCE, Message::Notes),
            otp_system::terminate(pid, ExitReason::Shutdown, PATIENCE)
        );
        assert_eq!((call, terminated), (Err(CallError::Down(ExitReason::Shutdown)), Ok(())));
    })
    .await;
}

#[tokio::test]
async fn an_actor_cannot_ask_itself() {
    run(async {
        let own = async |_: &mut (), reply: Reply<_>| {
            let me = process::current().unwrap();
            reply.send(otp_system::get_status(me, PATIENCE).await.unwrap_err());
        };
        let actor = actor::new(()).on_message_async(own).start().await.unwrap().data;
        let error = actor.call(PATIENCE, |reply| reply).await;
        assert_eq!(error, Ok(SystemError::Call(CallError::CallingSelf)));
    })
    .await;
}

/// Each reply counts, in whichever poll of the handler it is sent.
#[tokio::test]
async fn sys_18_replies_of_an_async_handler_are_counted_across_its_awaits() {
    async fn answer(_: &mut (), replies: Vec<Reply<()>>) {
        for reply in replies {
            reply.send(());
            tokio::task::yield_now().await;
        }
    }
    run(async {
        let Started { pid, data } = actor::new(()).on_message_async(answer).start().await.unwrap();
        otp_system::statistics(pid, PATIENCE, true).await.unwrap();
        let (first, second) = (data.clone(), Subject::new().unwrap());
        // The first caller's handler answers a second one as well, who has left its reply with the first.
        let both = second.clone();
        process::spawn(async move {
            drop(both.call(PATIENCE, |reply: Reply<()>| reply).await);
        });
        let left = second.receive(PATIENCE).await.unwrap();
        first.call(PATIENCE, |reply| vec![reply, left]).await.unwrap();
        let counted = otp_system::counted(pid, PATIENCE).await.unwrap().unwrap();
        assert_eq!((counted.messages_in, counted.messages_out), (1, 2));
    })
    .await;
}
