//! GLM: Gleam's actors. Its own tests, written anew.
//!
//! `GLM-06`, `08` to `10` and `12` are also in the tests of `otp-actor` and `otp-system`.

use std::{sync::mpsc, time::Duration};

use erlang_process::{self as process, ExitMessage, ExitReason, Name, Reply, Selector, Subject};
use otp_actor::{self as actor, Initialised, Next, StartError, Started, Step};
use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
use otp_system as sys;

use crate::support::{LONG, alone, boom, trapped, unread, until};

/// An actor whose state is the last message.
async fn parrot(first: &'static str) -> Started<Subject<&'static str>> {
    let handle = |state: &mut &'static str, message: &'static str| *state = message;
    actor::new(first).on_message(handle).start().await.unwrap()
}

async fn state(pid: process::Pid) -> &'static str {
    sys::get_state(pid, LONG, |state: &&'static str| *state).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn glm_01_subject() {
    alone(async {
        let actor = parrot("state 1").await;
        assert_eq!(state(actor.pid).await, "state 1");
        actor.data.send("state 2");
        assert_eq!(state(actor.pid).await, "state 2");
        assert_eq!(sys::get_status(actor.pid, LONG).await.unwrap().module, "actor");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn failed_init_and_timed_out_init() {
    alone(async {
        process::trap_exits(true).unwrap();
        let failing = async |_: Subject<()>| Err::<Initialised<(), (), ()>, _>("not enough wiggles");
        let started = actor::with_initialiser(LONG, failing).on_message(|(), ()| ()).start().await;
        let Err(StartError::InitFailed(error)) = started else { panic!("{started:?}") };
        assert_eq!(error.to_string(), "not enough wiggles");

        let slow = async |_: Subject<()>| -> Result<Initialised<(), (), ()>, StartError> {
            tokio::time::sleep(LONG).await;
            panic!("should not be reached");
        };
        let builder = actor::with_initialiser(Duration::from_millis(1), slow).on_message(|(), ()| ());
        assert!(matches!(builder.start().await, Err(StartError::InitTimeout)));
        assert_eq!(unread(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn suspend_resume() {
    alone(async {
        let builder = actor::new(0).on_message(|count: &mut u32, _: &str| *count += 1);
        let actor = builder.start().await.unwrap();
        let count = async || sys::get_state(actor.pid, LONG, |count: &u32| *count).await.unwrap();
        sys::suspend(actor.pid, LONG).await.unwrap();
        actor.data.send("hi");
        assert_eq!(count().await, 0);
        sys::resume(actor.pid, LONG).await.unwrap();
        assert_eq!(count().await, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn glm_06_unexpected_messages() {
    alone(async {
        let actor = parrot("state 1").await;
        let raw = Subject::to_pid(actor.pid).unwrap();
        raw.send(String::from("Unexpected message 1"));
        actor.data.send("state 2");
        raw.send(String::from("Unexpected message 2"));
        assert_eq!(state(actor.pid).await, "state 2");

        // And where the actor handles them.
        let init = async |_: Subject<String>| {
            let selector = Selector::new().select_other(|mut other| other.take().unwrap_or_default());
            Ok::<_, StartError>(Initialised::new(String::from("initial")).selecting(selector))
        };
        let builder = actor::with_initialiser(LONG, init);
        let actor = builder.on_message(|state: &mut String, message| *state = message).start().await.unwrap();
        Subject::to_pid(actor.pid).unwrap().send(String::from("Unexpected message 1"));
        let state = sys::get_state(actor.pid, LONG, String::clone).await.unwrap();
        assert_eq!(state, "Unexpected message 1");
    })
    .await;
}

enum Text {
    User(String),
    Unknown,
    Texts(Reply<Subject<String>>),
    Numbers(Reply<Subject<u32>>),
    Get(Reply<String>),
}

fn selecting<M: Send + 'static>(
    map: impl Fn(M) -> Text + Send + 'static,
    own: &Subject<Text>,
) -> (Subject<M>, Selector<Text>) {
    let subject = Subject::new().unwrap();
    let selector =
        Selector::new().select(own, |text| text).select(&subject, map).select_other(|_| Text::Unknown);
    (subject, selector)
}

fn replacing((own, text): &mut (Subject<Text>, String), message: Text) -> Step<Text> {
    match message {
        Text::User(user) => *text = format!("user message: {user}"),
        Text::Unknown => *text = "unknown message".to_owned(),
        Text::Texts(reply) => {
            let (subject, selector) = selecting(Text::User, own);
            return Next::Continue.selecting(selector).replying(reply, subject);
        }
        Text::Numbers(reply) => {
            let (subject, selector) = selecting(|n: u32| Text::User(format!("test {n}")), own);
            return Next::Continue.selecting(selector).replying(reply, subject);
        }
        Text::Get(reply) => reply.send(text.clone()),
    }
    Next::Continue.into()
}

#[tokio::test(start_paused = true)]
async fn glm_08_replaced_selectors() {
    alone(async {
        let init = async |own: Subject<Text>| {
            let state = (own.clone(), String::from("initial"));
            Ok::<_, StartError>(Initialised::new(state).returning(own))
        };
        let actor = actor::with_initialiser(LONG, init).on_message(replacing).start().await.unwrap().data;
        let text = async || actor.call(LONG, Text::Get).await.unwrap();
        actor.send(Text::User("test 1".into()));
        assert_eq!(text().await, "user message: test 1");
        let texts = actor.call(LONG, Text::Texts).await.unwrap();
        texts.send("test 2".into());
        assert_eq!(text().await, "user message: test 2");
        let numbers = actor.call(LONG, Text::Numbers).await.unwrap();
        numbers.send(3);
        assert_eq!(text().await, "user message: test 3");
        texts.send("test 4".into());
        assert_eq!(text().await, "unknown message");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn glm_09_glm_10_abnormal_exits_and_kills_can_be_trapped() {
    alone(async {
        process::trap_exits(true).unwrap();
        let pid = parrot("").await.pid;
        process::send_exit(pid, ExitReason::error("boo!"));
        assert_eq!(trapped().await, ExitMessage { pid, reason: ExitReason::error("boo!") });
        let pid = parrot("").await.pid;
        process::kill(pid);
        assert_eq!(trapped().await, ExitMessage { pid, reason: ExitReason::Killed });
        let builder = actor::new(()).on_message(|(), ()| Next::stop_abnormal("wibble"));
        let Started { pid, data } = builder.start().await.unwrap();
        data.send(());
        assert_eq!(trapped().await, ExitMessage { pid, reason: ExitReason::error("wibble") });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn names() {
    alone(async {
        let handle = |count: &mut u32, reply: Reply<u32>| {
            reply.send(*count);
            *count += 1;
        };
        let name = Name::new("my_actor");
        let first = actor::new(0).on_message(handle).named(name).start().await.unwrap();
        let other = Name::new("my_actor");
        let init = async |own: Subject<Reply<u32>>| Ok::<_, StartError>(Initialised::new(0).returning(own));
        let builder = actor::with_initialiser(LONG, init).on_message(handle);
        let second = builder.named(other).start().await.unwrap();
        for (name, actor) in [(name, first), (other, second)] {
            assert_eq!(process::whereis(name), Some(actor.pid));
            assert_eq!(name.subject().call(LONG, |reply| reply).await, Ok(0));
            assert_eq!(actor.data.call(LONG, |reply| reply).await, Ok(1));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_initialiser_with_a_selector_of_its_own() {
    alone(async {
        let told = Subject::new().unwrap();
        let tell = told.clone();
        let init = async |first: Subject<&'static str>| {
            let second = Subject::<&'static str>::new()?;
            let selector = Selector::new().select(&second, |_| "second").select_other(|_| "not selected");
            Ok::<_, process::NotAProcess>(Initialised::new(()).selecting(selector).returning((first, second)))
        };
        let handle = move |(): &mut (), message: &'static str| tell.send(message);
        let actor = actor::with_initialiser(LONG, init).on_message(handle).start().await.unwrap();
        actor.data.0.send("Hello!");
        actor.data.1.send("Hi!");
        assert_eq!(told.receive(LONG).await, Ok("not selected"));
        assert_eq!(told.receive(LONG).await, Ok("second"));
    })
    .await;
}

/// Gleam's actors leave these requests unanswered; ours answer them like everyone else.
#[tokio::test(start_paused = true)]
async fn glm_12_everything_is_answered() {
    alone(async {
        let actor = parrot("state").await;
        process::unlink(actor.pid).unwrap();
        sys::replace_state(actor.pid, LONG, |_: &&'static str| "new").await.unwrap();
        sys::log(actor.pid, LONG, Some(1)).await.unwrap();
        sys::terminate(actor.pid, ExitReason::Normal, LONG).await.unwrap();
        until(|| !process::is_alive(actor.pid)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn glm_13_supervisors_restart_the_right_children() {
    for (strategy, restarted) in [
        (Strategy::OneForOne, vec!["2"]),
        (Strategy::RestForOne, vec!["2", "3"]),
        (Strategy::OneForAll, vec!["1", "2", "3"]),
    ] {
        alone(async move {
            let (starts, started) = mpsc::channel();
            let names = ["1", "2", "3"].map(|text| (text, Name::<()>::new(text)));
            let mut tree = supervisor::new(strategy);
            for (text, name) in names {
                let starts = starts.clone();
                tree = tree.add(supervision::worker(move || {
                    starts.send(text).unwrap();
                    actor::new(()).on_message(|(), ()| Next::Stop(boom())).named(name).start()
                }));
            }
            let tree = tree.start().await.unwrap();
            assert_eq!(started.try_iter().collect::<Vec<_>>(), ["1", "2", "3"]);
            let before = process::whereis(names[1].1);
            names[1].1.subject().send(());
            until(|| process::whereis(names[1].1).is_some_and(|pid| Some(pid) != before)).await;
            // It answers when it is done.
            tree.data.count_children().await.unwrap();
            assert_eq!(started.try_iter().collect::<Vec<_>>(), restarted);
            process::unlink(tree.pid).unwrap();
            tree.data.stop().await.unwrap();
        })
        .await;
    }
}
