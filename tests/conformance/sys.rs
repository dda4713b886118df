//! SYS: system messages.
//!
//! `SYS-01`, `02`, `04`, `06`, `07`, `09`, `10` and `25` are in the tests of `otp-actor` and `otp-system`.

use std::time::Duration;

use erlang_process::{self as process, ExitReason, Reply, Subject};
use otp_actor::{self as actor, Next, Started};
use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
use otp_system::{self as sys, DebugOptions, Debugging, EventKind, Mode, SystemError};

use crate::{
    reports::Reports,
    support::{LONG, alone, end_of},
};

enum Message {
    Add(u32),
    Get(Reply<u32>),
}

fn handle(sum: &mut u32, message: Message) {
    match message {
        Message::Add(n) => *sum += n,
        Message::Get(reply) => reply.send(*sum),
    }
}

fn describe(message: &Message) -> String {
    match message {
        Message::Add(n) => format!("Add({n})"),
        Message::Get(_) => "Get".to_owned(),
    }
}

async fn adder() -> Started<Subject<Message>> {
    actor::new(0).on_message(handle).describe_message(describe).start().await.unwrap()
}

/// Adds one and asks for the sum.
async fn use_once(adder: &Started<Subject<Message>>) {
    adder.data.send(Message::Add(1));
    adder.data.call(LONG, Message::Get).await.unwrap();
}

const USED_ONCE: [&str; 4] = ["in Add(1)", "noreply", "in Get", "out"];

#[tokio::test(start_paused = true)]
async fn sys_11_change_code_while_running() {
    alone(async {
        let adder = adder().await;
        let changed = sys::change_code(adder.pid, LONG, |sum: &u32| Ok::<_, String>(sum + 1)).await;
        assert_eq!(changed, Err(SystemError::NotSuspended));
        assert_eq!(adder.data.call(LONG, Message::Get).await, Ok(0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sys_12_change_code_while_suspended() {
    alone(async {
        let adder = adder().await;
        sys::suspend(adder.pid, LONG).await.unwrap();
        adder.data.send(Message::Add(1));
        sys::change_code(adder.pid, LONG, |sum: &u32| Ok::<_, String>(sum + 10)).await.unwrap();

        // One that fails changes nothing.
        let failed = sys::change_code(adder.pid, LONG, |_: &u32| Err("too old")).await.unwrap_err();
        assert_eq!(failed.to_string(), "the change of the state failed: too old");
        let panics = |_: &u32| -> Result<u32, String> { panic!("no") };
        let failed = sys::change_code(adder.pid, LONG, panics).await;
        assert_eq!(failed, Err(SystemError::CallbackFailed("no".to_owned())));
        let wrong = sys::change_code(adder.pid, LONG, |text: &String| Ok::<_, String>(text.clone())).await;
        assert!(matches!(wrong, Err(SystemError::WrongState { found: "u32", .. })), "{wrong:?}");

        sys::resume(adder.pid, LONG).await.unwrap();
        assert_eq!(adder.data.call(LONG, Message::Get).await, Ok(11));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sys_16_log_to_a_file_that_cannot_be_opened() {
    let (reports, _guard) = Reports::begin();
    alone(async {
        let adder = adder().await;
        let nowhere = std::env::temp_dir().join("no such folder").join("log");
        let failed = sys::log_to_file(adder.pid, LONG, Some(&nowhere)).await;
        assert!(matches!(failed, Err(SystemError::OpenFile(_))), "{failed:?}");
        assert!(!sys::get_status(adder.pid, LONG).await.unwrap().debugged);

        // As an option at the start it is warned of.
        let options = DebugOptions::new().log_to_file(&nowhere).statistics();
        let started = actor::new(0).on_message(handle).debug(options).start().await.unwrap();
        assert!(sys::counted(started.pid, LONG).await.unwrap().is_some());
    })
    .await;
    assert_eq!(reports.of("otp_system").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn sys_17_log_to_a_file() {
    let path = std::env::temp_dir().join(format!("otp-sys-17-{}.log", std::process::id()));
    let file = path.clone();
    alone(async move {
        let adder = adder().await;
        sys::log_to_file(adder.pid, LONG, Some(&file)).await.unwrap();
        use_once(&adder).await;
        sys::log_to_file(adder.pid, LONG, None).await.unwrap();
        use_once(&adder).await;
        let expected: String = USED_ONCE.map(|event| format!("{} {event}\n", adder.pid)).concat();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
        assert!(!sys::get_status(adder.pid, LONG).await.unwrap().debugged);
    })
    .await;
    std::fs::remove_file(path).unwrap();
}

#[tokio::test(start_paused = true)]
async fn sys_18_statistics() {
    alone(async {
        let adder = adder().await;
        assert_eq!(sys::counted(adder.pid, LONG).await.unwrap(), None);
        use_once(&adder).await;
        sys::statistics(adder.pid, LONG, true).await.unwrap();
        use_once(&adder).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let counted = sys::counted(adder.pid, LONG).await.unwrap().unwrap();
        assert_eq!((counted.messages_in, counted.messages_out), (2, 1));
        assert_eq!(counted.elapsed, Duration::from_secs(5));
        assert!(counted.polls > 0);
        sys::statistics(adder.pid, LONG, false).await.unwrap();
        assert_eq!(sys::counted(adder.pid, LONG).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sys_19_trace() {
    let (reports, _guard) = Reports::begin();
    alone(async {
        let adder = adder().await;
        sys::trace(adder.pid, LONG, true).await.unwrap();
        use_once(&adder).await;
        sys::trace(adder.pid, LONG, false).await.unwrap();
        use_once(&adder).await;
    })
    .await;
    let traced = reports.of("otp_system::trace");
    let events: Vec<_> = traced.iter().filter_map(|report| report.field("event")).collect();
    assert_eq!(events, USED_ONCE);
}

/// A reply that comes with the next step is one; with a stop, nothing else is told of.
#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_with_the_next_step_is_told_of() {
    let (reports, _guard) = Reports::begin();
    alone(async {
        type Ask = (Next, Option<Reply<()>>);
        let handle = |_: &mut (), (next, reply): Ask| match reply {
            Some(reply) => next.replying(reply, ()),
            None => next.into(),
        };
        let actor = actor::new(()).on_message(handle).describe_message(|(next, _)| format!("{next:?}"));
        let actor = actor.debug(DebugOptions::new().trace());
        let first = actor.clone().start().await.unwrap();
        first.data.call(LONG, |reply| (Next::Continue, Some(reply))).await.unwrap();
        first.data.call(LONG, |reply| (Next::stop(), Some(reply))).await.unwrap();
        let second = actor.start().await.unwrap();
        second.data.send((Next::stop(), None));
        process::join(second.pid).await;
        process::join(first.pid).await;
    })
    .await;
    let traced = reports.of("otp_system::trace");
    let events: Vec<_> = traced.iter().filter_map(|report| report.field("event")).collect();
    assert_eq!(events, ["in Continue", "out", "in Stop(Normal)", "out", "in Stop(Normal)"]);
}

#[tokio::test(start_paused = true)]
async fn the_log_keeps_the_last_events() {
    alone(async {
        let adder = adder().await;
        sys::log(adder.pid, LONG, Some(3)).await.unwrap();
        use_once(&adder).await;
        let logged = async || {
            let logged = sys::logged(adder.pid, LONG).await.unwrap();
            logged.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(logged().await, USED_ONCE[1..]);
        assert_eq!(sys::get_status(adder.pid, LONG).await.unwrap().log.len(), 3);
        sys::log(adder.pid, LONG, Some(1)).await.unwrap();
        assert_eq!(logged().await, USED_ONCE[3..]);
        sys::log(adder.pid, LONG, None).await.unwrap();
        assert_eq!(logged().await, Vec::<String>::new());

        // Without a description a message is its type.
        let plain =
            actor::new(0).on_message(handle).debug(DebugOptions::new().log(10)).start().await.unwrap();
        plain.data.send(Message::Add(1));
        let logged = sys::logged(plain.pid, LONG).await.unwrap();
        assert_eq!(logged[0].to_string(), format!("in {}", std::any::type_name::<Message>()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sys_20_a_function_that_is_done() {
    alone(async {
        let adder = adder().await;
        let told = Subject::new().unwrap();
        let tell = told.clone();
        let mut left = 3;
        sys::install(adder.pid, LONG, "three", move |event, sum: &u32| {
            let added = event.message().map(|message| matches!(message, Message::Add(1)));
            tell.send((event.kind(), added, *sum));
            left -= 1;
            if left == 0 { Debugging::Done } else { Debugging::Continue }
        })
        .await
        .unwrap();
        use_once(&adder).await;
        use_once(&adder).await;
        let mut seen = Vec::new();
        while let Ok(event) = told.receive(Duration::ZERO).await {
            seen.push(event);
        }
        assert_eq!(
            seen,
            [(EventKind::In, Some(true), 0), (EventKind::NoReply, None, 1), (EventKind::In, Some(false), 1)]
        );
    })
    .await;
}

/// Counts its calls in the subject.
fn counting(
    tell: &Subject<u8>,
    number: u8,
) -> impl FnMut(&sys::Event<'_>, &u32) -> Debugging + Clone + Send + Sync + use<> {
    let tell = tell.clone();
    move |event, _| {
        if event.kind() == EventKind::In {
            tell.send(number);
        }
        Debugging::Continue
    }
}

async fn all(told: &Subject<u8>) -> Vec<u8> {
    let mut all = Vec::new();
    while let Ok(number) = told.receive(Duration::ZERO).await {
        all.push(number);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn sys_21_a_function_that_is_installed_twice_is_there_once() {
    alone(async {
        let adder = adder().await;
        let told = Subject::new().unwrap();
        sys::install(adder.pid, LONG, "count", counting(&told, 1)).await.unwrap();
        sys::install(adder.pid, LONG, "count", counting(&told, 2)).await.unwrap();
        use_once(&adder).await;
        assert_eq!(all(&told).await, [1, 1]);
        let wrong = sys::install(adder.pid, LONG, "wrong", |_, _: &String| Debugging::Continue).await;
        assert!(matches!(wrong, Err(SystemError::WrongState { found: "u32", .. })));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sys_23_a_function_that_is_removed_is_told_nothing_more() {
    alone(async {
        let adder = adder().await;
        let told = Subject::new().unwrap();
        sys::install(adder.pid, LONG, "count", counting(&told, 1)).await.unwrap();
        sys::install(adder.pid, LONG, "other", counting(&told, 3)).await.unwrap();
        use_once(&adder).await;
        assert_eq!(all(&told).await, [1, 3, 1, 3]);
        sys::remove(adder.pid, LONG, "count").await.unwrap();
        sys::remove(adder.pid, LONG, "unknown").await.unwrap();
        use_once(&adder).await;
        assert_eq!(all(&told).await, [3, 3]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sys_22_a_function_that_fails() {
    alone(async {
        let adder = adder().await;
        sys::install(adder.pid, LONG, "fails", |_, _: &u32| panic!("no")).await.unwrap();
        use_once(&adder).await;
        assert!(process::is_alive(adder.pid));
        assert!(!sys::get_status(adder.pid, LONG).await.unwrap().log.iter().any(|_| true));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sys_24_no_debug() {
    alone(async {
        let told = Subject::new().unwrap();
        let options = DebugOptions::new().log(10).statistics().trace().install("count", counting(&told, 1));
        let started = actor::new(0_u32).on_message(handle).debug(options).start().await.unwrap();
        use_once(&started).await;
        assert_eq!(all(&told).await, [1, 1]);
        sys::no_debug(started.pid, LONG).await.unwrap();
        use_once(&started).await;
        assert_eq!(all(&told).await, []);
        let status = sys::get_status(started.pid, LONG).await.unwrap();
        assert!(!status.debugged && status.log.is_empty());
        assert_eq!(sys::counted(started.pid, LONG).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_answers_like_an_actor() {
    alone(async {
        let child = || actor::new(()).on_message(|(), ()| Next::Continue).start();
        let started =
            supervisor::new(Strategy::OneForOne).add(supervision::worker(child)).start().await.unwrap();
        let pid = started.pid;
        sys::log(pid, LONG, Some(10)).await.unwrap();
        assert_eq!(started.data.count_children().await.unwrap().active, 1);
        assert_eq!(sys::logged(pid, LONG).await.unwrap().len(), 1);
        sys::suspend(pid, LONG).await.unwrap();
        let status = sys::get_status(pid, LONG).await.unwrap();
        assert_eq!((status.mode, status.debugged), (Mode::Suspended, true));
        sys::resume(pid, LONG).await.unwrap();
        sys::no_debug(pid, LONG).await.unwrap();
        process::unlink(pid).unwrap();
        let ended = end_of(pid);
        actor::stop(pid, ExitReason::Shutdown, LONG).await.unwrap();
        assert!([ExitReason::Shutdown, ExitReason::NoProc].contains(&ended.await));
    })
    .await;
}
