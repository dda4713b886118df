//! BRG: what is no process, in a tree.

use std::{sync::Mutex, time::Duration};

use erlang_process::{self as process, ExitReason, Subject};
use otp_actor::{self as actor, StartError};
use otp_supervisor::{
    supervision,
    supervisor_bridge::{self, Bridge},
};
use otp_system::{self as sys, DebugOptions};
use tokio::sync::oneshot;

use super::{alone, tree};
use crate::support::{Drops, LONG, Token, boom, trapped};

/// Tells how it ends.
struct Thing {
    fails: oneshot::Receiver<ExitReason>,
    terminated: Subject<ExitReason>,
    _token: Token,
}

impl Bridge for Thing {
    async fn ended(&mut self) -> ExitReason {
        (&mut self.fails).await.unwrap_or(ExitReason::Normal)
    }

    async fn terminate(self, reason: ExitReason) {
        self.terminated.send(reason);
    }
}

#[tokio::test(start_paused = true)]
async fn brg_01_a_bridge_starts_ignores_or_fails() {
    alone(async {
        let terminated = Subject::new().unwrap();
        let drops = Drops::default();
        let thing = || {
            let (fail, fails) = oneshot::channel();
            let (terminated, token) = (terminated.clone(), drops.token());
            (fail, move || async { Ok::<_, StartError>(Some(Thing { fails, terminated, _token: token })) })
        };

        // It runs, and ends with what it holds, for the same reason.
        let (fail, init) = thing();
        let bridge = supervisor_bridge::new(init).start().await.unwrap();
        fail.send(boom()).unwrap();
        let exit = trapped().await;
        assert_eq!((exit.pid, exit.reason), (bridge.pid, boom()));
        assert_eq!(drops.count(), 1);

        // Told to end, it terminates what it holds; also while it is suspended.
        for suspended in [false, true] {
            let (_fail, init) = thing();
            // Who looks on sees what comes in, and that an exit of somebody else means nothing.
            let bridge = supervisor_bridge::new(init).debug(DebugOptions::new().statistics());
            let bridge = bridge.start().await.unwrap();
            process::join(process::spawn_unlinked(async move { process::send_exit(bridge.pid, boom()) }))
                .await;
            assert_eq!(sys::counted(bridge.pid, LONG).await.unwrap().unwrap().messages_in, 1);
            if suspended {
                sys::suspend(bridge.pid, LONG).await.unwrap();
            }
            let reason = ExitReason::shutdown_with(std::io::Error::other("enough"));
            actor::stop(bridge.pid, reason.clone(), LONG).await.unwrap();
            assert_eq!(terminated.receive(Duration::ZERO).await, Ok(reason.clone()));
            assert_eq!(trapped().await.reason, reason);
        }

        // Its supervisor stops it as it stops everyone.
        let (_fail, init) = thing();
        let init = Mutex::new(Some(init));
        let child = supervision::worker(move || {
            let init = init.lock().unwrap().take().unwrap();
            supervisor_bridge::new(init).start()
        });
        let tree = tree([child]).await;
        tree.stop().await.unwrap();
        assert_eq!(terminated.receive(Duration::ZERO).await, Ok(ExitReason::Shutdown));
        assert_eq!(drops.count(), 4);

        let ignored = supervisor_bridge::new(|| async { Ok::<Option<Thing>, StartError>(None) });
        assert_eq!(ignored.start().await.unwrap_err(), StartError::Ignored);
        let failed = supervisor_bridge::new(|| async { Err::<Option<Thing>, _>("no") });
        assert_eq!(failed.start().await.unwrap_err(), StartError::failed("no"));
        let crashed = supervisor_bridge::new(|| async { panic!("no") as Result<Option<Thing>, StartError> });
        assert!(matches!(crashed.start().await, Err(StartError::InitExited(ExitReason::Panic(_)))));
    })
    .await;
}
