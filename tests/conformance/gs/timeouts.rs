//! Timeouts of handlers.

use std::time::Duration;

use erlang_process::Subject;
use otp_actor::{self as actor, Initialised, StartError};
use otp_system as sys;

use super::{MS, Note, Notes, notes, read};
use crate::support::{LONG, alone};

#[tokio::test(start_paused = true)]
async fn gs_02_an_idle_timeout_from_the_start_comes_once() {
    alone(async {
        let init = async |own: Subject<Note>| {
            let ready = Initialised::new(Notes::new()).idle_timeout(100 * MS, Note::Plain("idle"));
            Ok::<_, StartError>(ready.returning(own))
        };
        let started = actor::with_initialiser(LONG, init).on_message(Notes::handle).start().await.unwrap();
        tokio::time::sleep(1000 * MS).await;
        assert_eq!(read(&started).await, [("idle", 100)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_04_an_idle_timeout_of_zero_is_lost_to_a_message_that_waits() {
    alone(async {
        for waits in [true, false] {
            let init = async move |own: Subject<Note>| {
                if waits {
                    own.send(Note::Plain("message"));
                }
                let ready = Initialised::new(Notes::new()).idle_timeout(Duration::ZERO, Note::Plain("idle"));
                Ok::<_, StartError>(ready.returning(own))
            };
            let builder = actor::with_initialiser(LONG, init).on_message(Notes::handle);
            let started = builder.start().await.unwrap();
            tokio::time::sleep(1000 * MS).await;
            assert_eq!(read(&started).await, [(if waits { "message" } else { "idle" }, 0)]);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn system_messages_start_an_idle_timeout_anew() {
    alone(async {
        let started = notes().await;
        started.data.send(Note::Idle("set", 300 * MS, "idle"));
        for _ in 0..5 {
            tokio::time::sleep(100 * MS).await;
            read(&started).await;
        }
        tokio::time::sleep(1000 * MS).await;
        assert_eq!(read(&started).await, [("set", 0), ("idle", 800)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn any_message_takes_an_idle_timeout_back() {
    alone(async {
        let started = notes().await;
        started.data.send(Note::Idle("set", 300 * MS, "idle"));
        tokio::time::sleep(100 * MS).await;
        // Not even one that the actor understands.
        Subject::to_pid(started.pid).unwrap().send("what?");
        tokio::time::sleep(1000 * MS).await;
        assert_eq!(read(&started).await, [("set", 0)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_07_system_messages_do_not_touch_a_timeout() {
    alone(async {
        let started = notes().await;
        started.data.send(Note::Timeout("set", 300 * MS, "timeout"));
        for _ in 0..5 {
            tokio::time::sleep(100 * MS).await;
            read(&started).await;
        }
        assert_eq!(read(&started).await, [("set", 0), ("timeout", 300)]);

        // Nor does it stand still while the actor is suspended.
        started.data.send(Note::Timeout("set", 300 * MS, "timeout"));
        read(&started).await;
        sys::suspend(started.pid, LONG).await.unwrap();
        tokio::time::sleep(1000 * MS).await;
        assert_eq!(read(&started).await.len(), 3);
        sys::resume(started.pid, LONG).await.unwrap();
        assert_eq!(read(&started).await[3], ("timeout", 1500));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_08_any_other_message_takes_a_timeout_back() {
    alone(async {
        let started = notes().await;
        started.data.send(Note::Timeout("set", 300 * MS, "timeout"));
        tokio::time::sleep(100 * MS).await;
        started.data.send(Note::Plain("cast"));
        tokio::time::sleep(1000 * MS).await;
        assert_eq!(read(&started).await, [("set", 0), ("cast", 100)]);
        // One that waited when the time was over takes it back, too.
        started.data.send(Note::Timeout("set", 300 * MS, "timeout"));
        read(&started).await;
        sys::suspend(started.pid, LONG).await.unwrap();
        started.data.send(Note::Plain("waited"));
        tokio::time::sleep(1000 * MS).await;
        sys::resume(started.pid, LONG).await.unwrap();
        tokio::time::sleep(1000 * MS).await;
        assert_eq!(read(&started).await[2..], [("set", 1100), ("waited", 2100)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_10_an_endless_timeout_never_comes() {
    alone(async {
        let started = notes().await;
        started.data.send(Note::Timeout("set", Duration::MAX, "timeout"));
        read(&started).await;
        started.data.send(Note::Idle("set", Duration::MAX, "idle"));
        tokio::time::sleep(5 * LONG).await;
        assert_eq!(read(&started).await, [("set", 0), ("set", 0)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_zero_comes_before_messages_that_wait() {
    alone(async {
        let started = notes().await;
        started.data.send(Note::Timeout("set", Duration::ZERO, "timeout"));
        started.data.send(Note::Plain("waits"));
        assert_eq!(read(&started).await, [("set", 0), ("timeout", 0), ("waits", 0)]);
    })
    .await;
}
