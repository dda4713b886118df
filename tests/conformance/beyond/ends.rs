//! What is reported of ends.

use std::future::pending;

use erlang_process::{
    self as process, Bound, ExitReason, MailboxFull, Node, Signal, Spawn, Subject, WhenFull,
};

use super::PanicsOnDrop;
use crate::{
    reports::{Report, Reports},
    support::alone,
};

/// What was reported of processes: as message, and what the panic said or what the reason is.
fn crashes(reports: &Reports) -> Vec<(String, String)> {
    let texts = |report: Report| {
        let field = |name| report.field(name).unwrap_or_default().to_owned();
        let panic = report.field("panic").and_then(|panic| panic.rsplit(": ").next()).map(str::to_owned);
        (field("message"), panic.unwrap_or_else(|| field("reason")))
    };
    reports.of("erlang_process::crash").into_iter().map(texts).collect()
}

const ENDING: &str = "process panicked when its end was decided";

#[tokio::test(start_paused = true)]
async fn a_panic_that_is_not_the_reason_is_reported_all_the_same() {
    process::capture_panics();
    let (reports, _guard) = Reports::begin();
    alone(async {
        // In what it owns, and in what it has not read.
        let prepared = Spawn::new().unlinked().prepare(|_: Subject<PanicsOnDrop>| async {
            let _owned = PanicsOnDrop;
            pending::<()>().await;
        });
        let prepared = prepared.unwrap();
        let (subject, ended) = (prepared.subject(), prepared.ended());
        let pid = prepared.start();
        tokio::task::yield_now().await;
        subject.send(PanicsOnDrop);
        process::kill(pid);
        assert_eq!(ended.await, ExitReason::Killed);
    })
    .await;
    let said = (ENDING.to_owned(), "in a destructor".to_owned());
    assert_eq!(crashes(&reports), [said.clone(), said]);
    reports.clear();

    alone(async {
        // After it was killed.
        let pid = process::spawn_unlinked(async {
            let kill = Signal::Exit { reason: ExitReason::Kill, link: false };
            Node::current().signal(None, process::current().unwrap(), kill);
            panic!("too late");
        });
        assert_eq!(process::join(pid).await, ExitReason::Killed);
    })
    .await;
    assert_eq!(crashes(&reports), [(ENDING.to_owned(), "too late".to_owned())]);
    reports.clear();

    alone(async {
        let pid = process::spawn_unlinked(async { process::after_exit(|_| panic!("after all")) });
        assert_eq!(process::join(pid).await, ExitReason::Normal);
    })
    .await;
    let message = "what was left to be done after the exit has panicked";
    assert_eq!(crashes(&reports), [(message.to_owned(), "after all".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn an_end_of_a_full_mailbox_is_reported() {
    let (reports, _guard) = Reports::begin();
    alone(async {
        let spawn = Spawn::new().unlinked().mailbox(Bound::new(1, WhenFull::Exit));
        let prepared = spawn.prepare(|_: Subject<u8>| pending::<()>()).unwrap();
        let (subject, ended) = (prepared.subject(), prepared.ended());
        prepared.start();
        subject.send(1);
        subject.send(2);
        assert_eq!(ended.await, ExitReason::error(MailboxFull { capacity: 1 }));
    })
    .await;
    let full = MailboxFull { capacity: 1 }.to_string();
    assert_eq!(crashes(&reports), [("process crashed".to_owned(), full)]);
}

#[derive(Debug)]
struct NoOrders(std::num::ParseIntError);

impl std::fmt::Display for NoOrders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot load orders")
    }
}

impl std::error::Error for NoOrders {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn the_causes_of_an_error_are_reported() {
    let (reports, _guard) = Reports::begin();
    alone(async {
        let load = async { "seven".parse::<u8>().map(drop).map_err(NoOrders) };
        let (_, monitor) = process::spawn_monitor(load).unwrap();
        assert_eq!(monitor.down().await.unwrap().reason.to_string(), "cannot load orders");
    })
    .await;
    let text = "cannot load orders: invalid digit found in string";
    assert_eq!(crashes(&reports), [("process crashed".to_owned(), text.to_owned())]);
}
