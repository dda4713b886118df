use std::time::Duration;

use erlang_process::{self as process, Reply, Subject};

enum Message {
    Add(i64),
    Get(Reply<i64>),
}

async fn counter(messages: Subject<Message>) {
    let mut count = 0;
    while let Ok(message) = messages.receive_forever().await {
        match message {
            Message::Add(n) => count += n,
            Message::Get(reply) => reply.send(count),
        }
    }
}

#[tokio::main]
async fn main() {
    let counter = process::spawn_subject(counter);
    counter.send(Message::Add(5));
    counter.send(Message::Add(3));
    println!("{}", counter.call(Duration::from_secs(1), Message::Get).await.unwrap());
}
