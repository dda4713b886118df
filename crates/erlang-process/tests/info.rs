//! What can be seen of a process from outside.

#![allow(clippy::unwrap_used)]

use std::{future::pending, time::Duration};

use erlang_process::{self as process, Info, Node, Pid, Spawn, Status, Subject};

const LONG: Duration = Duration::from_secs(60);

fn info(pid: Pid) -> Info {
    Node::current().info(pid).unwrap()
}

async fn in_a_process(body: impl Future<Output = ()> + Send + 'static) {
    tokio::time::timeout(LONG, Node::new().run(body)).await.unwrap().unwrap();
}

async fn serve(numbers: Subject<u32>) {
    while numbers.receive_forever().await.is_ok() {}
}

/// Spawns a descendant that spawns the next, this many generations, the last of which waits.
fn descend(generations: usize, last: Subject<Pid>) -> Pid {
    process::spawn_unlinked(async move {
        if generations == 1 {
            last.send(process::current().unwrap());
            pending::<()>().await;
        }
        descend(generations - 1, last);
    })
}

#[tokio::test(start_paused = true)]
async fn ancestors_are_known_when_they_are_dead() {
    in_a_process(async {
        let me = process::current().unwrap();
        let found = Subject::new().unwrap();
        let child = descend(3, found.clone());
        let last = found.receive(LONG).await.unwrap();
        process::join(child).await;
        let info = info(last);
        assert_eq!(info.ancestors.len(), 3);
        assert_eq!(info.parent, Some(info.ancestors[0]));
        assert_eq!(info.ancestors[1..], [child, me]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_line_of_processes_does_not_remember_ever_more() {
    in_a_process(async {
        let found = Subject::new().unwrap();
        descend(100, found.clone());
        let last = found.receive(LONG).await.unwrap();
        let ancestors = info(last).ancestors;
        assert_eq!(ancestors.len(), 16);
        assert!(ancestors.is_sorted_by(|younger, older| younger > older), "{ancestors:?}");
    })
    .await;
}

#[tokio::test]
async fn callers_are_the_ancestors_unless_others_are_named() {
    in_a_process(async {
        let me = process::current().unwrap();
        let found = Subject::new().unwrap();
        let plain = info(descend(1, found.clone()));
        assert_eq!((&*plain.ancestors, &*plain.callers), (&[me][..], &[me][..]));

        let asking = process::spawn(pending::<()>());
        let last = found.clone();
        let asked = Spawn::new().callers(&[asking, plain.pid]).spawn(async move {
            descend(1, last);
            pending::<()>().await;
        });
        let asked = info(asked.unwrap());
        assert_eq!((&*asked.ancestors, &*asked.callers), (&[me][..], &[asking, plain.pid][..]));
        // What it spawns runs on behalf of the same.
        let last = loop {
            match found.receive(LONG).await.unwrap() {
                pid if pid == plain.pid => {}
                pid => break info(pid),
            }
        };
        assert_eq!(last.ancestors, [asked.pid, me]);
        assert_eq!(last.callers, [asked.pid, asking, plain.pid]);
    })
    .await;
}

#[tokio::test]
async fn sixteen_callers_are_remembered_and_none_of_another_node() {
    in_a_process(async {
        let me = process::current().unwrap();
        let asked = Spawn::new().callers(&[me; 20]);
        let other = Node::new();
        let there = asked.clone().on(&other).spawn(pending::<()>()).unwrap();
        assert_eq!(other.info(there).unwrap().callers, []);
        let here = info(asked.spawn(pending::<()>()).unwrap());
        assert_eq!((here.ancestors, here.callers), (vec![me], vec![me; 16]));
    })
    .await;
    // Nor is a caller needed to spawn on behalf of somebody.
    let asking = process::spawn(pending::<()>());
    let asked = info(Spawn::new().callers(&[asking]).spawn(pending::<()>()).unwrap());
    assert_eq!((asked.parent, &*asked.ancestors, &*asked.callers), (None, &[][..], &[asking][..]));
}

#[tokio::test(start_paused = true)]
async fn ancestors_are_of_the_same_node() {
    in_a_process(async {
        let elsewhere = Node::new();
        let pid = Spawn::new().on(&elsewhere).spawn(pending::<()>()).unwrap();
        assert_eq!(elsewhere.info(pid).unwrap().ancestors, []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_initial_call_names_the_function() {
    in_a_process(async {
        let server = process::spawn_subject(serve).pid().unwrap();
        assert_eq!(info(server).initial_call, "info::serve");
        let block = process::spawn(async { pending::<()>().await });
        let call = info(block).initial_call;
        assert!(call.starts_with("info::the_initial_call_names_the_function"), "{call}");
    })
    .await;
}

#[tokio::test]
async fn the_initial_call_is_what_was_said() {
    in_a_process(async {
        let said = || Spawn::new().runs(|| "mine");
        assert_eq!(info(said().spawn(pending::<()>()).unwrap()).initial_call, "mine");
        let blocking =
            said().spawn_blocking(|own: Subject<()>| own.receive_forever_blocking().map(drop)).unwrap();
        assert_eq!(info(blocking.pid().unwrap()).initial_call, "mine");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn polls_count_while_it_runs_and_stand_while_it_waits() {
    in_a_process(async {
        let me = process::current().unwrap();
        let first = info(me);
        assert_eq!((first.status, info(me).polls), (Status::Running, first.polls), "still in the same poll");
        tokio::task::yield_now().await;
        assert_eq!(info(me).polls, first.polls + 1);

        let idle = process::spawn(pending::<()>());
        assert_eq!((info(idle).status, info(idle).polls), (Status::Waiting, 0));
        tokio::task::yield_now().await;
        assert_eq!((info(idle).status, info(idle).polls), (Status::Waiting, 1));
    })
    .await;
}
