//! PL: starting, reporting and stopping processes of OTP.
//!
//! `PL-01`, `04`, `06`, `07` and `21` are in the tests of `otp-actor`.

use std::{future::pending, time::Duration};

use erlang_process::{self as process, CallError, ExitReason, Name, Node, NotAProcess, Spawn, Subject};
use otp_actor::{self as actor, InitAck, Next, StartError, start_process_monitored};

use crate::{
    reports::Reports,
    support::{LONG, alone, boom, end_of, idle, trapped, unread, until},
};

/// What an actor is told to do.
enum Do {
    End(ExitReason),
    Panic,
}

fn obey(_: &mut (), order: Do) -> Next {
    match order {
        Do::End(reason) => Next::Stop(reason),
        Do::Panic => panic!("as told"),
    }
}

#[tokio::test(start_paused = true)]
async fn pl_08_start_monitor_that_fails() {
    alone(async {
        let failing = |_: Subject<()>, ack: InitAck<()>| async move {
            ack.failed("no paper");
        };
        let failed = start_process_monitored(Spawn::new(), LONG, failing).await.unwrap_err();
        assert!(matches!(failed, StartError::InitFailed(error) if error.to_string() == "no paper"));
        let ending = |_: Subject<()>, ack: InitAck<()>| async move {
            let _ack = ack;
            boom()
        };
        let failed = start_process_monitored(Spawn::new(), LONG, ending).await.unwrap_err();
        assert!(matches!(failed, StartError::InitExited(reason) if reason == boom()));
        // The error says it all: of a start that failed no DOWN follows.
        assert_eq!(unread(), 0);
        let me = process::current().unwrap();
        assert_eq!(Node::current().info(me).unwrap().monitors, []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pl_09_start_monitor_that_takes_too_long() {
    alone(async {
        let slow = |_: Subject<()>, ack: InitAck<()>| async move {
            let _ack = ack;
            pending::<()>().await;
        };
        let failed =
            start_process_monitored(Spawn::new(), Duration::from_millis(20), slow).await.unwrap_err();
        assert!(matches!(failed, StartError::InitTimeout));
        assert_eq!((unread(), Node::current().processes().len()), (0, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pl_09_a_monitor_from_the_start_tells_the_true_reason() {
    alone(async {
        let brief = |_: Subject<()>, ack: InitAck<()>| async move {
            ack.ready(()).map_err(drop).ok();
            boom()
        };
        for _ in 0..200 {
            let (_, monitor) = start_process_monitored(Spawn::new(), LONG, brief).await.unwrap();
            assert_eq!(monitor.down().await.unwrap().reason, boom());
        }
        let outside = tokio::spawn(start_process_monitored(Spawn::new(), LONG, brief)).await.unwrap();
        assert!(matches!(outside, Err(StartError::InitFailed(error)) if error.is::<NotAProcess>()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pl_11_ancestors_and_initial_call() {
    alone(async {
        let name = Name::<()>::new("grandparent");
        let me = process::current().unwrap();
        process::register(me, name).unwrap();
        let started = actor::with_initialiser(LONG, async |_: Subject<Do>| {
            let child = actor::new(()).on_message(obey).start().await?;
            Ok::<_, StartError>(actor::Initialised::new(()).returning(child.pid))
        });
        let child = started.on_message(obey).start().await.unwrap();
        let grandchild = Node::current().info(child.data).unwrap();
        // Pids, where OTP writes the name of who has one: whoever reads them can ask for that.
        assert_eq!(grandchild.ancestors, [child.pid, me]);
        assert_eq!(grandchild.parent, Some(child.pid));
        assert!(grandchild.initial_call.ends_with("pl::obey"), "{}", grandchild.initial_call);
    })
    .await;
}

/// Starts an actor, lets it do this, and returns what it reported.
async fn reported(order: Do) -> (usize, usize) {
    let (reports, _guard) = Reports::begin();
    alone(async {
        process::trap_exits(true).unwrap();
        let started = actor::new(()).on_message(obey).start().await.unwrap();
        started.data.send(order);
        trapped().await;
        until(|| Node::current().processes().len() == 1).await;
    })
    .await;
    tokio::task::yield_now().await;
    (reports.of("otp_actor::crash").len(), reports.of("erlang_process::crash").len())
}

#[tokio::test(start_paused = true)]
async fn pl_13_orderly_ends_are_no_crashes() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::shutdown_with("done")] {
        assert_eq!(reported(Do::End(reason)).await, (0, 0));
    }
    assert_eq!(reported(Do::End(boom())).await, (1, 1));
    assert_eq!(reported(Do::Panic).await, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn pl_14_a_kill_is_no_crash() {
    let (reports, _guard) = Reports::begin();
    alone(async {
        let started = actor::new(()).on_message(obey).start_unlinked().await.unwrap();
        process::kill(started.pid);
        assert_eq!(end_of(started.pid).await, ExitReason::NoProc);
    })
    .await;
    assert_eq!((reports.of("otp_actor::crash").len(), reports.of("erlang_process::crash").len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn pl_15_neighbours() {
    let (reports, _guard) = Reports::begin();
    alone(async move {
        let neighbour = idle();
        let init = async move |own: Subject<Do>| {
            process::link(neighbour)?;
            Ok::<_, process::LinkError>(actor::Initialised::new(()).returning(own))
        };
        // The starter traps: it is linked, and does not end with it.
        process::trap_exits(true).unwrap();
        let started = actor::with_initialiser(LONG, init).on_message(obey).start().await.unwrap();
        started.data.send(Do::End(boom()));
        trapped().await;
        until(|| !process::is_alive(neighbour)).await;
        until(|| !reports.of("otp_actor::crash").is_empty()).await;
        let report = &reports.of("otp_actor::crash")[0];
        assert_eq!(report.field("neighbours"), Some(format!("{:?}", [neighbour]).as_str()));
        assert_eq!(report.field("reason"), Some("boom"));
        let me = process::current().unwrap();
        assert_eq!(report.field("ancestors"), Some(format!("{:?}", [me]).as_str()));
        assert_eq!(report.field("last_message"), Some(std::any::type_name::<Do>()));

        let alone = actor::new(()).on_message(obey).start_unlinked().await.unwrap();
        alone.data.send(Do::End(boom()));
        until(|| reports.of("otp_actor::crash").len() == 2).await;
        assert_eq!(reports.of("otp_actor::crash")[1].field("neighbours"), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pl_19_stop() {
    alone(async {
        let started = actor::new(()).on_message(obey).start_unlinked().await.unwrap();
        actor::stop(started.pid, ExitReason::Normal, LONG).await.unwrap();
        assert!(!process::is_alive(started.pid));
        let again = actor::stop(started.pid, ExitReason::Normal, LONG).await;
        assert_eq!(again, Err(CallError::NoProc));
        let myself = actor::stop(process::current().unwrap(), ExitReason::Normal, LONG).await;
        assert_eq!(myself, Err(CallError::CallingSelf));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pl_21_stop_of_a_process_that_does_not_listen() {
    alone(async {
        let deaf = idle();
        let stopped = actor::stop(deaf, ExitReason::Normal, Duration::from_millis(20)).await;
        assert_eq!(stopped, Err(CallError::Timeout));
        assert!(process::is_alive(deaf));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pl_22_stop_of_a_process_that_ends_otherwise() {
    alone(async {
        let wilful = actor::new(()).on_message(obey).on_terminate(|(), _| process::exit(boom()));
        let started = wilful.start_unlinked().await.unwrap();
        let stopped = actor::stop(started.pid, ExitReason::Normal, LONG).await;
        assert_eq!(stopped, Err(CallError::Down(boom())));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pl_23_two_stop_the_same() {
    alone(async {
        let started = actor::new(()).on_message(obey).start_unlinked().await.unwrap();
        let stop = || actor::stop(started.pid, ExitReason::Shutdown, LONG);
        assert_eq!(tokio::join!(stop(), stop()), (Ok(()), Ok(())));
    })
    .await;
}
