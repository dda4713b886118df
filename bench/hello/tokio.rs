//! The floor: what an actor is made of by hand.

use tokio::sync::{mpsc, oneshot};

enum Message {
    Add(i64),
    Get(oneshot::Sender<i64>),
}

#[tokio::main]
async fn main() {
    let (counter, mut messages) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut count = 0;
        while let Some(message) = messages.recv().await {
            match message {
                Message::Add(n) => count += n,
                Message::Get(reply) => drop(reply.send(count)),
            }
        }
    });
    counter.send(Message::Add(5)).unwrap();
    counter.send(Message::Add(3)).unwrap();
    let (reply, answer) = oneshot::channel();
    counter.send(Message::Get(reply)).unwrap();
    println!("{}", answer.await.unwrap());
}
