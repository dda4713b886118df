//! PART: `Agent` and `GenServer` of Elixir.

use std::time::Duration;

use erlang_process::{self as process, CallError, ExitReason, Name, Reply, Subject};
use otp_actor::{self as actor, Next, agent};
use otp_supervisor::{Strategy, Supervised, static_supervisor as supervisor};
use otp_system::{self as sys, DebugOptions, EventKind};

use crate::support::{LONG, alone, boom, dead, end_of, idle, trapped};

#[tokio::test(start_paused = true)]
async fn part_06_an_agent() {
    alone(async {
        let agent = agent::new(|| 1).start().await.unwrap().data;
        assert_eq!(agent.get(LONG, |n| *n).await, Ok(1));
        agent.update(LONG, |n| *n += 1).await.unwrap();
        assert_eq!(agent.get_and_update(LONG, |n| std::mem::replace(n, 40)).await, Ok(2));
        agent.cast(|n| *n += 2);
        assert_eq!(agent.get(LONG, |n| *n).await, Ok(42));
        agent.stop(ExitReason::Normal, LONG).await.unwrap();
        assert_eq!(agent.get(LONG, |n| *n).await, Err(CallError::NoProc));
        assert_eq!(agent.stop(ExitReason::Normal, LONG).await, Err(CallError::NoProc));

        let name = Name::new("agent");
        agent::new(|| "named").named(name).start().await.unwrap();
        assert_eq!(agent::Agent::named(name).get(LONG, |text| *text).await, Ok("named"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_an_actor_in_what_can_be_said_of_it() {
    alone(async {
        let agent = agent::new(|| 1).debug(DebugOptions::new().log(10)).describe(|n| format!("at {n}"));
        let started = agent.clone().start().await.unwrap();
        started.data.update(LONG, |n| *n += 1).await.unwrap();
        assert_eq!(sys::logged(started.pid, LONG).await.unwrap()[0].kind, EventKind::In);
        assert_eq!(sys::get_status(started.pid, LONG).await.unwrap().state.as_deref(), Some("at 2"));

        // As a child, it begins anew.
        let name = Name::new("agent");
        let tree = supervisor::new(Strategy::OneForOne).add(agent.named(name).supervised());
        tree.start().await.unwrap();
        let agent = agent::Agent::named(name);
        agent.update(LONG, |n| *n = 7).await.unwrap();
        let first = agent.pid().unwrap();
        process::kill(first);
        process::join(first).await;
        name.registered_after(first).await;
        assert_eq!(agent.get(LONG, |n| *n).await, Ok(1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn part_08_a_function_that_crashes_in_an_agent() {
    alone(async {
        process::trap_exits(true).unwrap();
        let agent = agent::new(|| 1).start().await.unwrap();
        let got = agent.data.get(LONG, |_| -> u32 { panic!("no") }).await;
        let Err(CallError::Down(ExitReason::Panic(panic))) = got else { panic!("{got:?}") };
        assert_eq!(panic.message(), "no");
        assert!(matches!(trapped().await.reason, ExitReason::Panic(_)));
        assert!(!process::is_alive(agent.pid));
    })
    .await;
}

enum Ask {
    Nothing(Reply<()>),
    Stop(Reply<()>, ExitReason),
    Myself(Subject<Ask>, Reply<CallError>),
}

async fn answer(kept: &mut Vec<Reply<()>>, ask: Ask) -> Next {
    match ask {
        Ask::Nothing(reply) => kept.push(reply),
        Ask::Stop(reply, reason) => {
            kept.push(reply);
            return Next::Stop(reason);
        }
        Ask::Myself(own, reply) => reply.send(own.call(LONG, Ask::Nothing).await.unwrap_err()),
    }
    Next::Continue
}

#[tokio::test(start_paused = true)]
async fn part_09_calls_that_fail() {
    alone(async {
        let start = async || actor::new(Vec::new()).on_message_async(answer).start_unlinked().await.unwrap();
        let started = start().await;
        let second = Duration::from_secs(1);
        assert_eq!(started.data.call(second, Ask::Nothing).await, Err(CallError::Timeout));
        let own = started.data.clone();
        let myself = started.data.call(LONG, |reply| Ask::Myself(own, reply)).await;
        assert_eq!(myself, Ok(CallError::CallingSelf));
        let ended = started.data.call(LONG, |reply| Ask::Stop(reply, ExitReason::Normal)).await;
        assert_eq!(ended, Err(CallError::Down(ExitReason::Normal)));
        assert_eq!(started.data.call(LONG, Ask::Nothing).await, Err(CallError::NoProc));

        let started = start().await;
        let call = started.data.call(LONG, Ask::Nothing);
        let (called, ()) = tokio::join!(biased; call, async { process::kill(started.pid) });
        assert_eq!(called, Err(CallError::Down(ExitReason::Killed)));
        let nobody = Name::new("nobody").subject();
        assert_eq!(nobody.call(LONG, Ask::Nothing).await, Err(CallError::NoProc));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn part_10_whereis() {
    alone(async {
        let name = Name::new("here");
        let started = actor::new(Vec::new()).on_message_async(answer).named(name).start().await.unwrap();
        assert_eq!(started.data.pid(), Some(started.pid));
        assert_eq!(process::whereis(name), Some(started.pid));
        assert_eq!(name.subject().pid(), Some(started.pid));
        assert_eq!(process::whereis(Name::<Ask>::new("here")), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn part_11_stop_that_fails() {
    alone(async {
        let gone = dead().await;
        assert_eq!(actor::stop(gone, ExitReason::Normal, LONG).await, Err(CallError::NoProc));
        let builder = actor::new(Vec::new()).on_message_async(answer);
        let started = builder.on_terminate(|_, _| process::exit(boom())).start_unlinked().await.unwrap();
        let stopped = actor::stop(started.pid, ExitReason::Normal, LONG).await;
        assert_eq!(stopped, Err(CallError::Down(boom())));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn part_12_a_normal_exit() {
    alone(async {
        let other = idle();
        process::send_exit(other, ExitReason::Normal);
        tokio::task::yield_now().await;
        assert!(process::is_alive(other));
        let oneself = process::spawn_unlinked(async {
            process::send_exit(process::current().unwrap(), ExitReason::Normal);
            std::future::pending::<()>().await;
        });
        assert_eq!(end_of(oneself).await, ExitReason::Normal);
    })
    .await;
}
