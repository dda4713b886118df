//! Partition supervisors, by the scenarios of the catalogue.

#![allow(clippy::unwrap_used)]

use std::{num::NonZeroUsize, time::Duration};

use erlang_process::{self as process, Pid, Reply, Subject};
use otp_actor::{self as actor, StartError};
use otp_supervisor::{
    ChildSpec, Strategy, Supervised,
    partition_supervisor::{self, Partitions, ResizeError},
    static_supervisor as supervisor, supervision,
};
use otp_system::DebugOptions;

const LONG: Duration = Duration::from_secs(60);

type Who = Subject<Reply<(usize, Pid)>>;

/// Says which partition it is, and which process.
fn who(partition: usize) -> ChildSpec<Who> {
    supervision::worker(move || {
        let tell = move |_: &mut (), reply: Reply<(usize, Pid)>| {
            reply.send((partition, process::current().unwrap()));
        };
        actor::new(()).on_message(tell).start()
    })
}

fn partitions(count: usize) -> Partitions<Who> {
    Partitions::new(NonZeroUsize::new(count).unwrap())
}

async fn ask(who: Option<Who>) -> (usize, Pid) {
    who.unwrap().call(LONG, |reply| reply).await.unwrap()
}

#[tokio::test]
async fn part_01_keys_are_shared_out() {
    process::run(async {
        let partitions = partitions(3);
        assert!(partitions.nth(0).is_none(), "none is started yet");
        partition_supervisor::new(&partitions, who).start().await.unwrap();
        for key in 0..6 {
            assert_eq!(ask(partitions.nth(key)).await.0 as u64, key % 3);
        }
        let one = ask(partitions.of("one")).await;
        assert_eq!(ask(partitions.of("one")).await, one);
        assert_eq!(partitions.active(), 3);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn part_03_partitions_are_resized_down_to_none_and_back() {
    process::run(async {
        let partitions = partitions(8);
        let supervisor = partition_supervisor::new(&partitions, who).start().await.unwrap().data;
        let active = async || {
            let counts = supervisor.count_children().await.unwrap();
            assert_eq!(counts.specs, 8);
            counts.active
        };
        assert_eq!(active().await, 8);

        assert_eq!(supervisor.resize(5).await.unwrap(), 8);
        assert_eq!((active().await, partitions.active()), (5, 5));
        assert_eq!(ask(partitions.nth(7)).await.0, 2);

        assert_eq!(supervisor.resize(0).await.unwrap(), 5);
        assert_eq!((active().await, partitions.active()), (0, 0));
        assert!(partitions.nth(0).is_none());
        assert!(partitions.of("key").is_none());

        assert_eq!(supervisor.resize(8).await.unwrap(), 0);
        assert_eq!((active().await, partitions.active()), (8, 8));
        assert_eq!(ask(partitions.nth(7)).await.0, 7);

        assert_eq!(supervisor.resize(9).await, Err(ResizeError::TooMany { most: 8 }));
        assert_eq!(active().await, 8);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_copy_that_has_ended_is_replaced_where_it_was() {
    process::run(async {
        let partitions = partitions(2);
        partition_supervisor::new(&partitions, who).start().await.unwrap();
        let (_, first) = ask(partitions.nth(1)).await;
        let (_, other) = ask(partitions.nth(0)).await;
        process::kill(first);
        let second = loop {
            if let Ok((partition, pid)) = partitions.nth(1).unwrap().call(LONG, |reply| reply).await {
                assert_eq!(partition, 1);
                break pid;
            }
            tokio::task::yield_now().await;
        };
        assert_ne!(second, first);
        assert_eq!(ask(partitions.nth(0)).await, (0, other));
    })
    .await
    .unwrap();
}

/// In Elixir it is the name that is taken.
#[tokio::test]
async fn there_is_one_supervisor_at_a_time_for_the_same_partitions() {
    process::run(async {
        process::trap_exits(true).unwrap();
        let partitions = partitions(2);
        let first = partition_supervisor::new(&partitions, who).start().await.unwrap();
        first.data.resize(1).await.unwrap();
        let before = ask(partitions.nth(0)).await;

        let second = partition_supervisor::new(&partitions, who).start().await.unwrap_err();
        assert_eq!(second, StartError::AlreadyStarted(first.pid));
        assert_eq!((ask(partitions.nth(0)).await, partitions.active()), (before, 1));

        first.data.stop().await.unwrap();
        assert_eq!(first.data.pid(), None);
        let third = partition_supervisor::new(&partitions, who).start().await.unwrap();
        assert_ne!(ask(partitions.nth(0)).await, before);
        assert_eq!(first.data.pid(), Some(third.pid), "whoever knew the first knows it");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn its_own_supervisor_starts_it_again() {
    process::run(async {
        let partitions = partitions(2);
        let tree = supervisor::new(Strategy::OneForOne)
            .add(partition_supervisor::new(&partitions, who).supervised());
        let tree = tree.start().await.unwrap().data;
        let pid = async || tree.which_children().await.unwrap()[0].pid();
        let (first, (_, copy)) = (pid().await.unwrap(), ask(partitions.nth(0)).await);
        process::kill(first);
        process::join(copy).await;
        while pid().await.is_none_or(|pid| pid == first) {
            tokio::task::yield_now().await;
        }
        assert_ne!(ask(partitions.nth(0)).await.1, copy);
        assert_eq!(ask(partitions.nth(1)).await.0, 1);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn it_begins_with_debug_functions() {
    process::run(async {
        let supervisor = partition_supervisor::new(&partitions(2), who).debug(DebugOptions::new().log(10));
        let started = supervisor.start().await.unwrap();
        started.data.count_children().await.unwrap();
        assert_eq!(otp_system::logged(started.pid, LONG).await.unwrap().len(), 1);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_address_outlives_a_restart_of_the_whole() {
    process::run(async {
        let partitions = partitions(2);
        process::trap_exits(true).unwrap();
        let first = partition_supervisor::new(&partitions, who).start().await.unwrap();
        first.data.resize(1).await.unwrap();
        let (_, before) = ask(partitions.nth(0)).await;
        first.data.stop().await.unwrap();
        partition_supervisor::new(&partitions, who).start().await.unwrap();
        assert_eq!(partitions.active(), 2);
        assert_ne!(ask(partitions.nth(0)).await.1, before);
        assert_eq!(ask(partitions.nth(1)).await.0, 1);
    })
    .await
    .unwrap();
}
