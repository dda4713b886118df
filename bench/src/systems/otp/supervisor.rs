use otp_actor::{self as actor, Next};
use otp_supervisor::{
    Strategy,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
};
use tokio::time::Instant;

use super::in_process;
use crate::measure::rate;

pub(super) async fn start(count: u64) -> f64 {
    in_process(async move {
        let start = Instant::now();
        let supervisor = supervisor_of(count).await;
        let rate = rate(count, start);
        supervisor.stop().await.expect("the supervisor stops");
        rate
    })
    .await
}

pub(super) async fn stop(count: u64) -> f64 {
    in_process(async move {
        let supervisor = supervisor_of(count).await;
        let start = Instant::now();
        supervisor.stop().await.expect("the supervisor stops");
        rate(count, start)
    })
    .await
}

async fn supervisor_of(children: u64) -> Supervisor {
    let child =
        |_| supervision::worker(|| actor::new(0).on_message(|_: &mut u64, _: u64| Next::Continue).start());
    let tree = (0..children).map(child).fold(supervisor::new(Strategy::OneForOne), supervisor::Builder::add);
    let tree = tree.start().await.expect("the children start");
    erlang_process::unlink(tree.pid).expect("a process measures");
    tree.data
}
