//! A process of one's own that speaks the protocol, one that does not, and one that is not there.

#![allow(clippy::unwrap_used)]

use std::{error::Error, time::Duration};

use erlang_process::{self as process, CallError, ExitReason, Node, Pid, Reply, Selector, Subject};
use otp_system::{After, Mode, System, SystemError, SystemMessage};

const PATIENCE: Duration = Duration::from_secs(10);

enum Event {
    Add(u32),
    Sum(Reply<u32>),
    System(SystemMessage),
}

/// Sums up what it is sent, and answers system messages.
async fn adder(own: Subject<Event>) -> ExitReason {
    let mut sum = 0_u32;
    let mut system = System::new("adder", None);
    let mut suspended = Selector::new().select_raw(Event::System);
    let mut running = Selector::new().select_raw(Event::System).select(&own, |event| event);
    loop {
        let selector = match system.mode() {
            Mode::Running => &mut running,
            Mode::Suspended => &mut suspended,
        };
        match selector.receive_forever().await.unwrap() {
            Event::Add(number) => sum += number,
            Event::Sum(reply) => reply.send(sum),
            Event::System(message) => {
                match system.handle(message, &mut sum, |sum| (*sum > 0).then(|| sum.to_string())) {
                    After::Continue => {}
                    After::Terminate(reason) => return reason,
                }
            }
        }
    }
}

/// Runs as a process, on a node of its own; what fails inside fails the test.
async fn run<T: Send + 'static>(body: impl Future<Output = T> + Send + 'static) -> T {
    process::capture_panics();
    Node::new().run(body).await.unwrap_or_else(|reason| panic!("{reason}"))
}

/// The reason for which a process ends; it is watched when this returns.
fn end_of(pid: Pid) -> impl Future<Output = ExitReason> + Send {
    let monitor = process::monitor(pid).unwrap();
    async move { monitor.down().await.unwrap().reason }
}

fn spawn() -> (Pid, Subject<Event>) {
    let subject = process::spawn_subject(adder);
    let pid = subject.pid().unwrap();
    if process::current().is_some() {
        process::unlink(pid).unwrap();
    }
    (pid, subject)
}

async fn sum(pid: Pid) -> Result<u32, SystemError> {
    otp_system::get_state(pid, PATIENCE, |sum: &u32| *sum).await
}

#[tokio::test]
async fn sys_25_a_process_of_ones_own_answers_everything() {
    run(async {
        let (pid, adder) = spawn();
        adder.send(Event::Add(1));
        assert_eq!(sum(pid).await, Ok(1));

        otp_system::suspend(pid, PATIENCE).await.unwrap();
        otp_system::suspend(pid, PATIENCE).await.unwrap();
        adder.send(Event::Add(10));
        assert_eq!(sum(pid).await, Ok(1));
        otp_system::replace_state(pid, PATIENCE, |sum: &u32| sum + 1).await.unwrap();
        let status = otp_system::get_status(pid, PATIENCE).await.unwrap();
        assert_eq!((status.pid, status.module, status.mode), (pid, "adder", Mode::Suspended));
        assert_eq!((status.parent, status.state_type), (None, "u32"));
        assert_eq!(status.state.as_deref(), Some("2"));

        otp_system::resume(pid, PATIENCE).await.unwrap();
        assert_eq!(adder.call(PATIENCE, Event::Sum).await, Ok(12));

        let end = end_of(pid);
        otp_system::terminate(pid, ExitReason::error("enough"), PATIENCE).await.unwrap();
        assert_eq!(end.await, ExitReason::error("enough"));
    })
    .await;
}

#[tokio::test]
async fn sys_25_from_outside_any_process() {
    let (pid, adder) = spawn();
    adder.send(Event::Add(7));
    assert_eq!(sum(pid).await, Ok(7));
    otp_system::terminate(pid, ExitReason::Normal, PATIENCE).await.unwrap();
    process::join(pid).await;
    assert_eq!(sum(pid).await, Err(SystemError::Call(CallError::NoProc)));
}

#[tokio::test]
async fn without_a_description_the_status_has_none() {
    let (pid, _) = spawn();
    assert_eq!(otp_system::get_status(pid, PATIENCE).await.unwrap().state, None);
    process::kill(pid);
}

/// Gleam's actors let sys:terminate and the like run into their timeouts; so does whoever speaks none of it.
#[tokio::test(start_paused = true)]
async fn glm_12_a_process_that_does_not_speak_the_protocol_lets_the_time_run_out() {
    run(async {
        let deaf = process::spawn_unlinked(std::future::pending::<()>());
        let timeout = Err(SystemError::Call(CallError::Timeout));
        let start = tokio::time::Instant::now();
        assert_eq!(otp_system::suspend(deaf, PATIENCE).await, timeout);
        assert_eq!(start.elapsed(), PATIENCE);
        assert_eq!(sum(deaf).await.map(drop), timeout);
        assert_eq!(otp_system::terminate(deaf, ExitReason::Shutdown, PATIENCE).await, timeout);
        assert!(process::is_alive(deaf));
    })
    .await;
}

#[tokio::test]
async fn a_process_that_is_killed_meanwhile_is_noticed_at_once() {
    run(async {
        let deaf = process::spawn_unlinked(std::future::pending::<()>());
        let (asked, ()) = tokio::join!(
            biased;
            otp_system::get_status(deaf, Duration::MAX),
            async { process::kill(deaf) }
        );
        assert_eq!(asked, Err(SystemError::Call(CallError::Down(ExitReason::Killed))));
    })
    .await;
}

#[tokio::test]
async fn a_process_of_another_node_is_not_here() {
    run(async {
        let foreign: Pid = "<9.1.0>".parse().unwrap();
        let asked = otp_system::get_status(foreign, Duration::MAX).await;
        assert_eq!(asked, Err(SystemError::Call(CallError::NoProc)));
    })
    .await;
}

#[test]
fn errors_say_one_fact_and_keep_their_source() {
    let down = SystemError::from(CallError::Down(ExitReason::Killed));
    assert_eq!(down.to_string(), "the process ended before it replied: killed");
    assert_eq!(down.source().map(ToString::to_string).as_deref(), Some("killed"));
    let failed = SystemError::CallbackFailed("no idea".to_owned());
    assert_eq!(failed.to_string(), "the visit to the state panicked: no idea");
    let wrong = SystemError::WrongState { expected: "u8", found: "u16" };
    assert_eq!(wrong.to_string(), "the state is a u16, not a u8");
}
