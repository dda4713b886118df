use erlang_process::Subject;
use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};
use tokio::time::Instant;

use super::in_process;
use crate::{
    measure::{TreeRates, rate},
    row::CHILDREN,
};

pub(super) async fn run() -> TreeRates {
    in_process(async {
        let children = (0..CHILDREN).map(|_| supervision::process(child));
        let supervisor =
            children.fold(supervisor::new(Strategy::OneForOne), |supervisor, child| supervisor.add(child));
        let start = Instant::now();
        let tree = supervisor.start().await.expect("the children start");
        let started = rate(CHILDREN, start);
        erlang_process::unlink(tree.pid).expect("a process measures");
        let start = Instant::now();
        tree.data.stop().await.expect("the supervisor stops");
        TreeRates { start: started, stop: rate(CHILDREN, start) }
    })
    .await
}

async fn child() {
    let mailbox = Subject::<u64>::new().expect("a process receives");
    let _ = mailbox.receive_forever().await;
}
