//! Handlers: what they may return, what they may borrow, and what reaches them.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fmt, time::Duration};

use common::{PATIENCE, Told, end_of, mailbox, run, trapped};
use erlang_process::{
    self as process, CallError, Down, ExitMessage, ExitReason, Name, Reply, Selector, Subject,
};
use otp_actor::{self as actor, Initialised, Next};
use tokio::sync::oneshot;

#[derive(Debug, PartialEq)]
struct NotANumber(String);

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a number", self.0)
    }
}

impl std::error::Error for NotANumber {}

fn parse(text: &str) -> Result<u32, NotANumber> {
    text.parse().map_err(|_| NotANumber(text.to_owned()))
}

/// The reason with which an actor that sums up numbers ends when it is given these.
async fn end_of_adder<N: otp_actor::IntoNext<String>>(
    handle: impl FnMut(&mut u32, String) -> N + Send + 'static,
) -> ExitReason {
    let adder = actor::new(0).on_message(handle).start().await.unwrap();
    let end = end_of(adder.pid);
    process::unlink(adder.pid).unwrap();
    for text in ["20", "22", "many", "1"] {
        adder.data.send(text.to_owned());
    }
    end.await
}

#[tokio::test]
async fn an_error_in_a_handler_is_the_very_reason_that_the_actor_ends_with() {
    run(async {
        let reason = end_of_adder(|sum, text| {
            *sum += parse(&text)?;
            Ok::<_, NotANumber>(())
        });
        let ExitReason::Error(error) = reason.await else { panic!() };
        assert_eq!(error.downcast_ref::<NotANumber>(), Some(&NotANumber("many".into())));

        let reason = end_of_adder(|sum, text| -> anyhow::Result<Next> {
            *sum += parse(&text)?;
            Ok(Next::Continue)
        });
        assert_eq!(reason.await, ExitReason::error(NotANumber("many".into())));

        let reason = end_of_adder(|_, _| Err::<(), _>("a text"));
        assert_eq!(reason.await, ExitReason::error("a text"));

        let reason = end_of_adder(|_, _| Err::<(), _>(ExitReason::Shutdown));
        assert_eq!(reason.await, ExitReason::Shutdown);
    })
    .await;
}

#[tokio::test]
async fn an_error_in_an_async_handler_ends_the_actor_as_well() {
    async fn add(sum: &mut u32, text: String) -> Result<(), NotANumber> {
        tokio::task::yield_now().await;
        *sum += parse(&text)?;
        Ok(())
    }

    run(async {
        let adder = actor::new(0).on_message_async(add).start().await.unwrap();
        process::unlink(adder.pid).unwrap();
        let end = end_of(adder.pid);
        for text in ["1", "many"] {
            adder.data.send(text.to_owned());
        }
        assert_eq!(end.await, ExitReason::error(NotANumber("many".into())));
    })
    .await;
}

enum Numbers {
    Push(u32),
    Sum(Reply<u32>),
}

/// Borrows the state across an await, and from the state.
async fn borrowing(numbers: &mut Vec<u32>, message: Numbers) {
    let last = numbers.last_mut();
    tokio::task::yield_now().await;
    match message {
        Numbers::Push(number) => {
            if let Some(last) = last {
                *last += 100;
            }
            numbers.push(number);
        }
        Numbers::Sum(reply) => reply.send(numbers.iter().sum()),
    }
}

#[tokio::test]
async fn an_async_handler_borrows_the_state_across_its_awaits() {
    run(async {
        let actor = actor::new(Vec::new()).on_message_async(borrowing).start().await.unwrap().data;
        (1..=3).for_each(|number| actor.send(Numbers::Push(number)));
        assert_eq!(actor.call(PATIENCE, Numbers::Sum).await, Ok(206));
    })
    .await;
}

#[tokio::test]
async fn an_async_handler_takes_no_message_while_it_awaits() {
    enum Message {
        Wait(oneshot::Receiver<()>, oneshot::Sender<()>),
        Notes(Reply<Vec<&'static str>>),
    }

    async fn handle(notes: &mut Vec<&'static str>, message: Message) {
        match message {
            Message::Wait(gate, entered) => {
                notes.push("entered");
                entered.send(()).unwrap();
                gate.await.unwrap();
                notes.push("left");
            }
            Message::Notes(reply) => reply.send(notes.clone()),
        }
    }

    run(async {
        let actor = actor::new(Vec::new()).on_message_async(handle).start().await.unwrap().data;
        let (open, gate) = oneshot::channel();
        let (enter, entered) = oneshot::channel();
        actor.send(Message::Wait(gate, enter));
        entered.await.unwrap();
        let (notes, ()) = tokio::join!(
            biased;
            actor.call(PATIENCE, Message::Notes),
            async { open.send(()).unwrap() }
        );
        assert_eq!(notes, Ok(vec!["entered", "left"]));
    })
    .await;
}

#[tokio::test]
async fn a_kill_drops_an_async_handler_at_its_await_and_the_state_with_it() {
    struct Wait(Told, oneshot::Sender<()>);

    async fn handle(_state: &mut Told, Wait(_told, entered): Wait) {
        entered.send(()).unwrap();
        std::future::pending::<()>().await;
    }

    run(async {
        let (state, mut state_dropped) = Told::new();
        let (local, mut local_dropped) = Told::new();
        let (unread, unread_dropped) = Told::new();
        let actor = actor::new(state).on_message_async(handle).start().await.unwrap();
        process::unlink(actor.pid).unwrap();
        let end = end_of(actor.pid);
        let (enter, entered) = oneshot::channel();
        actor.data.send(Wait(local, enter));
        actor.data.send(Wait(unread, oneshot::channel().0));
        entered.await.unwrap();
        assert!(local_dropped.try_recv().is_err());

        process::kill(actor.pid);
        assert_eq!(end.await, ExitReason::Killed);
        // Who hears of the end finds everything released.
        assert_eq!((state_dropped.try_recv(), local_dropped.try_recv()), (Ok(()), Ok(())));
        unread_dropped.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_stop_drops_the_state_before_it_is_told() {
    run(async {
        let (state, mut dropped) = Told::new();
        let actor = actor::new(state).on_message(|_: &mut Told, next: Next| next).start().await.unwrap();
        let end = end_of(actor.pid);
        actor.data.send(Next::Continue);
        actor.data.send(Next::stop());
        assert_eq!(end.await, ExitReason::Normal);
        assert_eq!(dropped.try_recv(), Ok(()));
    })
    .await;
}

#[tokio::test]
async fn messages_behind_a_stop_are_dropped() {
    run(async {
        let handle = |count: &mut u32, reply: Reply<u32>| {
            *count += 1;
            reply.send(*count);
            Next::stop()
        };
        let actor = actor::new(0).on_message(handle).start().await.unwrap().data;
        let (first, second) = tokio::join!(
            biased;
            actor.call(PATIENCE, |reply| reply),
            actor.call(PATIENCE, |reply| reply)
        );
        assert_eq!((first, second), (Ok(1), Err(CallError::Down(ExitReason::Normal))));
    })
    .await;
}

#[tokio::test]
async fn glm_06_an_unexpected_message_is_dropped_and_the_next_one_is_handled() {
    run(async {
        let (told, dropped) = Told::new();
        let actor = actor::new(0).on_message(|sum: &mut u32, (number, reply): (u32, Reply<u32>)| {
            *sum += number;
            reply.send(*sum);
        });
        let actor = actor.start().await.unwrap();
        Subject::to_pid(actor.pid).unwrap().send(told);
        Subject::to_pid(actor.pid).unwrap().send("raw");
        dropped.await.unwrap();
        assert_eq!(actor.data.call(PATIENCE, |reply| (20, reply)).await, Ok(20));
        assert_eq!(actor.data.call(PATIENCE, |reply| (22, reply)).await, Ok(42));
    })
    .await;
}

/// What an actor with several protocols takes.
enum Event {
    Job(&'static str),
    Down(Down),
    Exit(ExitMessage),
    Seen(Reply<Vec<String>>),
}

/// Notes everything that it takes.
async fn noting(
    select: impl FnOnce(Selector<Event>, Subject<&'static str>) -> Selector<Event> + Send + 'static,
) -> (Subject<Event>, Subject<&'static str>) {
    let noting = actor::with_initialiser(PATIENCE, async |own: Subject<Event>| {
        process::trap_exits(true)?;
        let jobs = Subject::new()?;
        let selector = select(Selector::new().select(&own, |event| event), jobs.clone());
        Ok::<_, process::NotAProcess>(Initialised::new(Vec::new()).selecting(selector).returning((own, jobs)))
    });
    let noting = noting.on_message(|seen: &mut Vec<String>, event| match event {
        Event::Job(job) => seen.push(job.to_owned()),
        Event::Down(down) => seen.push(format!("down {}", down.reason)),
        Event::Exit(exit) => seen.push(format!("exit {}", exit.reason)),
        Event::Seen(reply) => reply.send(seen.clone()),
    });
    noting.start().await.unwrap().data
}

#[tokio::test]
async fn an_initialiser_selects_several_protocols_in_one_order() {
    run(async {
        let (worker, gate) = {
            let (open, gate) = oneshot::channel::<()>();
            (process::spawn_unlinked(async { drop(gate.await) }), open)
        };
        let (actor, jobs) = noting(move |selector, jobs| {
            let monitor = process::monitor(worker).unwrap();
            selector
                .select(&jobs, Event::Job)
                .select_monitor(monitor, Event::Down)
                .select_trapped_exits(Event::Exit)
        })
        .await;
        jobs.send("first");
        actor.send(Event::Job("second"));
        jobs.send("third");
        let end = end_of(worker);
        gate.send(()).unwrap();
        end.await;
        // Not the parent: a trapping actor is told, and lives.
        process::spawn_unlinked({
            let pid = actor.pid().unwrap();
            async move { process::send_exit(pid, ExitReason::Shutdown) }
        });
        let seen = async || actor.call(PATIENCE, Event::Seen).await.unwrap();
        while seen().await.len() < 5 {
            tokio::task::yield_now().await;
        }
        assert_eq!(seen().await, ["first", "second", "third", "down normal", "exit shutdown"]);
    })
    .await;
}

#[tokio::test]
async fn what_an_initialiser_does_not_select_is_dropped() {
    run(async {
        let (actor, jobs) = noting(|selector, _| selector).await;
        jobs.send("not selected");
        actor.send(Event::Job("selected"));
        assert_eq!(actor.call(PATIENCE, Event::Seen).await.unwrap(), ["selected"]);
    })
    .await;
}

#[tokio::test]
async fn a_selector_with_a_function_for_everything_else_gets_it() {
    run(async {
        let (actor, jobs) =
            noting(|selector, _| selector.select_other(|_| Event::Job("something else"))).await;
        jobs.send("not selected");
        Subject::to_pid(actor.pid().unwrap()).unwrap().send(7);
        assert_eq!(actor.call(PATIENCE, Event::Seen).await.unwrap(), ["something else", "something else"]);
    })
    .await;
}

#[tokio::test]
async fn a_selector_of_another_processes_subject_ends_the_actor() {
    run(async {
        process::trap_exits(true).unwrap();
        let (tell, told) = oneshot::channel();
        process::spawn_subject(|own: Subject<()>| async move {
            tell.send(own).unwrap();
            std::future::pending::<()>().await;
        });
        let foreign = told.await.unwrap();
        let actor = actor::with_initialiser(PATIENCE, async move |_: Subject<()>| {
            Ok::<_, String>(Initialised::new(()).selecting(Selector::new().select(&foreign, |()| ())))
        });
        let actor = actor.on_message(|(): &mut (), ()| {}).start().await.unwrap();
        let exit = trapped().await;
        assert_eq!(exit.pid, actor.pid);
        assert_eq!(exit.reason.to_string(), process::ReceiveError::NotOwner.to_string());
    })
    .await;
}

/// Takes from `first` until it is told to switch, and from then on from `second` alone.
struct Switch {
    first: Subject<Step>,
    second: Subject<Step>,
    seen: Vec<u32>,
}

enum Step {
    Note(u32),
    Switch,
    Seen(Reply<Vec<u32>>),
}

fn step(state: &mut Switch, step: Step) -> otp_actor::Step<Step> {
    match step {
        Step::Note(number) => state.seen.push(number),
        Step::Seen(reply) => reply.send(state.seen.clone()),
        Step::Switch => std::mem::swap(&mut state.first, &mut state.second),
    }
    Next::Continue.selecting(Selector::new().select(&state.first, |step| step))
}

#[tokio::test]
async fn glm_08_a_selector_from_a_handler_replaces_the_one_before_wholly() {
    run(async {
        let switch = actor::with_initialiser(PATIENCE, async |_: Subject<Step>| {
            let (first, second) = (Subject::new()?, Subject::new()?);
            let state = Switch { first: first.clone(), second: second.clone(), seen: Vec::new() };
            let selector = Selector::new().select(&first, |step| step);
            Ok::<_, process::NotAProcess>(
                Initialised::new(state).selecting(selector).returning((first, second)),
            )
        });
        let (first, second) = switch.on_message(step).start().await.unwrap().data;
        second.send(Step::Note(0));
        first.send(Step::Note(1));
        first.send(Step::Switch);
        first.send(Step::Note(2));
        second.send(Step::Note(3));
        assert_eq!(second.call(PATIENCE, Step::Seen).await, Ok(vec![1, 3]));
        assert_eq!(first.call(PATIENCE, Step::Seen).await, Err(CallError::Unanswered));
    })
    .await;
}

#[tokio::test]
async fn glm_09_an_abnormal_stop_reaches_a_linked_starter_that_traps() {
    run(async {
        process::trap_exits(true).unwrap();
        let actor = actor::new(()).on_message(|(): &mut (), next: Next| next).start().await.unwrap();
        actor.data.send(Next::stop_abnormal("on purpose"));
        let exit = trapped().await;
        assert_eq!(exit, ExitMessage { pid: actor.pid, reason: ExitReason::error("on purpose") });
    })
    .await;
}

#[tokio::test]
async fn glm_09_an_abnormal_stop_ends_a_linked_starter_that_does_not_trap() {
    let starter = process::run(async {
        let actor = actor::new(()).on_message(|(): &mut (), next: Next| next).start().await.unwrap();
        actor.data.send(Next::stop_abnormal("on purpose"));
        std::future::pending::<()>().await;
    });
    assert_eq!(starter.await, Err(ExitReason::error("on purpose")));
}

#[tokio::test]
async fn glm_10_a_kill_is_told_as_killed() {
    run(async {
        process::trap_exits(true).unwrap();
        let actor = actor::new(()).on_message(|(): &mut (), ()| {}).start().await.unwrap();
        process::kill(actor.pid);
        assert_eq!(trapped().await, ExitMessage { pid: actor.pid, reason: ExitReason::Killed });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn timers_of_an_actor_send_to_it() {
    run(async {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let ticking = actor::with_initialiser(PATIENCE, async |own: Subject<()>| {
            own.send_after(Duration::from_secs(60), ());
            Ok::<_, String>(Initialised::new(()))
        });
        let start = tokio::time::Instant::now();
        let tick = move |(): &mut (), ()| tell.take().unwrap().send(start.elapsed()).unwrap();
        ticking.on_message(tick).start().await.unwrap();
        assert_eq!(told.await, Ok(Duration::from_secs(60)));
        assert_eq!(mailbox().await, Vec::<String>::new());
    })
    .await;
}

/// Names come and go, also of an actor that selects what comes by its own.
#[tokio::test]
async fn an_actor_that_loses_its_name_lives_on() {
    let name = Name::<u32>::new("passing");
    let actor = actor::with_initialiser(PATIENCE, async |own: Subject<u32>| {
        let selector = Selector::new().select(&own, |n| n);
        Ok::<_, String>(Initialised::new(0).selecting(selector))
    });
    let actor = actor.on_message(|sum: &mut u32, n: u32| *sum += n).named(name).start().await.unwrap();
    name.subject().send(1);
    process::unregister(name).unwrap();
    // When the first is answered it has looked at its mailbox again.
    for _ in 0..2 {
        otp_system::get_status(actor.pid, PATIENCE).await.unwrap();
    }
}
