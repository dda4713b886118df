//! Messages to aliases, names and pids, on this node and on others.

#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use erlang_process::{
    self as process, AliasMode, Carrier, Dest, Name, Node, NodeId, Pid, ReceiveError, Selector, Signal,
    Undelivered,
};
use tokio::task::yield_now;

async fn in_a_process(body: impl Future<Output = ()> + Send + 'static) {
    Node::new().run(body).await.unwrap();
}

#[tokio::test]
async fn an_alias_gets_what_is_sent_until_it_is_over() {
    in_a_process(async {
        let alias = process::alias(AliasMode::Reply).unwrap();
        process::send(alias, 1_u32);
        process::send(alias, 2_u32);
        let mut answers = Selector::new().select_alias(alias, |answer: u32| answer);
        assert_eq!(answers.receive(Duration::ZERO).await, Ok(1));
        assert_eq!(answers.receive(Duration::ZERO).await, Err(ReceiveError::Timeout));
    })
    .await;
}

#[tokio::test]
async fn a_name_gets_messages_of_its_type_only() {
    in_a_process(async {
        let name = Name::<u32>::new("numbers");
        process::send(name, 1_u32);
        process::register(process::current().unwrap(), name).unwrap();
        process::send(name, "no number");
        process::send(name.registered_name(), 2_u32);
        assert_eq!(name.subject().receive(Duration::ZERO).await, Ok(2));
        let left = Node::current().info(process::current().unwrap()).unwrap().message_queue_len;
        assert_eq!(left, 0);
    })
    .await;
}

#[tokio::test]
async fn a_pid_gets_what_is_sent_to_it() {
    in_a_process(async {
        process::send(process::current().unwrap(), "whoever you are");
        let mut texts = Selector::new().select_raw(|text: &str| text);
        assert_eq!(texts.receive(Duration::ZERO).await, Ok("whoever you are"));
        let dead = process::spawn(async {});
        process::join(dead).await;
        process::send(dead, ());
    })
    .await;
}

/// Keeps what goes to other nodes, and takes more when it is told to.
#[derive(Clone, Default)]
struct Way(Arc<Taken>);

#[derive(Default)]
struct Taken {
    sent: Mutex<Vec<(Option<Pid>, Dest, u32)>>,
    takes_more: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Carrier for Way {
    fn deliver(&self, from: Option<Pid>, to: Dest, signal: Signal) -> Result<(), Undelivered> {
        let Signal::Message(body) = signal else { return Err(Undelivered(signal)) };
        self.0.sent.lock().unwrap().push((from, to, *body.downcast().unwrap()));
        Ok(())
    }

    fn poll_ready(&self, _: NodeId, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.takes_more.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        *self.0.waiting.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[tokio::test]
async fn a_name_on_another_node_is_sent_to_when_the_way_takes_more() {
    let (node, way) = (Node::new(), Way::default());
    assert!(node.set_carrier(Box::new(way.clone())).is_ok());
    let taken = way.0.clone();
    let running = node.run(async move {
        let node = Node::current();
        let other = node.node_id("other", 1).unwrap();
        let to = Dest::Name(Name::<u32>::fixed("numbers").registered_name(), other);
        let sending = process::spawn(async move {
            Node::current().ready(other).await;
            process::send(to, 7_u32);
        });
        while taken.waiting.lock().unwrap().is_none() {
            yield_now().await;
        }
        assert_eq!(*taken.sent.lock().unwrap(), []);
        taken.takes_more.store(true, Ordering::SeqCst);
        taken.waiting.lock().unwrap().take().unwrap().wake();
        process::join(sending).await;
        assert_eq!(*taken.sent.lock().unwrap(), [(Some(sending), to, 7)]);
        // This node always does.
        taken.takes_more.store(false, Ordering::SeqCst);
        node.ready(NodeId::HERE).await;
    });
    running.await.unwrap();
}
