//! Calls by pid, by name and by alias, here and across nodes.

use std::{future::pending, time::Duration};

use erlang_process::{
    self as process, AliasMode, CallError, Dest, ExitReason, Name, Node, Pid, Reference, Reply, Selector,
    Signal, Spawn, Subject,
};

use super::connection::{Joined, Side, rest};
use crate::support::{LONG, on};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Request {
    Double(u32, Reply<u32>),
    Keep(Reply<u32>),
    Drop(Reply<u32>),
    End(Reply<u32>),
}

/// Serves what it is sent by pid, by name and by alias, which it tells.
fn server(node: &Node, name: Name<Request>) -> (Pid, impl Future<Output = Reference> + use<>) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let prepared = Spawn::new().on(node).unlinked().named(name).prepare(|own: Subject<Request>| async move {
        let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
        tell.send(alias).unwrap();
        let mut kept = vec![];
        let mut all = Selector::new()
            .select(&own, |request| request)
            .select_raw(|request: Request| request)
            .select_alias(alias, |request: Request| request);
        loop {
            match all.receive_forever().await.unwrap() {
                Request::Double(number, reply) => reply.send(2 * number),
                Request::Keep(reply) => kept.push(reply),
                Request::Drop(reply) => drop(reply),
                Request::End(_reply) => process::exit(ExitReason::Shutdown),
            }
        }
    });
    (prepared.unwrap().start(), async move { told.await.unwrap() })
}

async fn call(to: impl Into<Dest>, request: impl FnOnce(Reply<u32>) -> Request) -> Result<u32, CallError> {
    process::call(to, SECOND, request).await
}

/// What does not depend on where it is.
async fn serves(to: Dest) {
    assert_eq!(call(to, |reply| Request::Double(21, reply)).await, Ok(42));
    assert_eq!(call(to, Request::Drop).await, Err(CallError::Unanswered));
    assert_eq!(call(to, Request::Keep).await, Err(CallError::Timeout));
    assert_eq!(call(to, |reply| Request::Double(1, reply)).await, Ok(2));
}

fn has_nothing() {
    let info = Node::current().info(process::current().unwrap()).unwrap();
    assert_eq!((info.monitors, info.message_queue_len), (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn a_process_of_this_node_is_called_by_pid_name_and_alias() {
    let node = Node::new();
    on(&node.clone(), async move {
        for way in 0..3 {
            let name = Name::<Request>::new("server");
            let (pid, alias) = server(&node, name);
            let to = [pid.into(), name.registered_name().into(), alias.await.into()][way];
            serves(to).await;
            assert_eq!(call(to, Request::End).await, Err(CallError::Down(ExitReason::Shutdown)));
            process::join(pid).await;
            assert_eq!(call(to, Request::Keep).await, Err(CallError::NoProc));
            has_nothing();
        }
        let own = process::current().unwrap();
        assert_eq!(call(own, Request::Keep).await, Err(CallError::CallingSelf));
        let withdrawn = process::alias(AliasMode::ExplicitUnalias).unwrap();
        process::unalias(withdrawn);
        let ask = async move { call(withdrawn, Request::Keep).await };
        assert_eq!(Node::current().run(ask).await, Ok(Err(CallError::NoProc)));
    })
    .await;
}

#[tokio::test]
async fn who_is_no_process_calls_here_and_not_elsewhere() {
    let (pid, _alias) = server(&Node::global(), Name::new("server"));
    assert_eq!(call(pid, |reply| Request::Double(2, reply)).await, Ok(4));
    let far = Pid::from_parts(Node::global().node_id("nowhere", 1).unwrap(), 1, 0);
    assert_eq!(call(far, Request::Keep).await, Err(CallError::NotAProcess));
    process::kill(pid);
}

#[tokio::test(start_paused = true)]
async fn a_process_of_another_node_is_called_by_pid_and_alias() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        let (pid, alias) = server(&joined.b, Name::new("server"));
        let (far, alias) = (joined.there(pid), joined.reference_there(alias.await));
        serves(far.into()).await;
        serves(alias.into()).await;
        assert_eq!(call(far, Request::End).await, Err(CallError::Down(ExitReason::Shutdown)));
        rest().await;
        assert_eq!(call(far, Request::Keep).await, Err(CallError::NoProc));
        has_nothing();
    })
    .await;
}

/// There messages of this type are let in.
#[tokio::test(start_paused = true)]
async fn a_name_of_another_node_is_called() {
    let joined = Joined::new();
    joined.typed();
    joined.b.expose::<Request>(|body| body.downcast().map(|request| *request));
    on(&joined.a.clone(), async move {
        let name = Name::<Request>::new("server");
        let (_, alias) = server(&joined.b, name);
        alias.await;
        let to = Dest::Name(name.registered_name(), joined.other);
        serves(to).await;
        assert_eq!(call(to, Request::End).await, Err(CallError::Down(ExitReason::Shutdown)));
        rest().await;
        assert_eq!(call(to, Request::Keep).await, Err(CallError::NoProc));
        has_nothing();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_the_connection() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        let (pid, alias) = server(&joined.b, Name::new("server"));
        alias.await;
        let far = joined.there(pid);
        let lost = Err(CallError::Down(ExitReason::NoConnection));
        let (called, ()) = tokio::join!(process::call(far, LONG, Request::Keep), async {
            rest().await;
            joined.cut();
        });
        assert_eq!(called, lost);
        // And so without one.
        assert_eq!(process::call(far, LONG, Request::Keep).await, lost);
        has_nothing();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_leaves_no_monitor() {
    let joined = Joined::new();
    on(&joined.a.clone(), async move {
        let (pid, alias) = server(&joined.b, Name::new("server"));
        alias.await;
        let far = joined.there(pid);
        assert!(process::timeout(SECOND, process::call(far, LONG, Request::Keep)).await.is_err());
        has_nothing();
        assert_eq!(joined.b.info(pid).unwrap().monitored_by, []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_room_on_the_way_for_as_long_as_it_has() {
    let joined = Joined::new();
    joined.slow();
    on(&joined.a.clone(), async move {
        let pid = Spawn::new().on(&joined.b).spawn(pending::<()>()).unwrap();
        let far = joined.there(pid);
        let fill = || Node::current().signal(None, far, Signal::Message(Box::new(())));
        (0..super::connection::ROOM).for_each(|_| fill());
        let under_way = joined.under_way_to(Side::B);
        assert_eq!(call(far, Request::Keep).await, Err(CallError::Timeout));
        assert_eq!(joined.under_way_to(Side::B), under_way, "nothing was sent");
    })
    .await;
}
