use std::time::Duration;

use erlang_process::Reply;
use otp_actor as actor;

enum Message {
    Add(i64),
    Get(Reply<i64>),
}

fn handle(count: &mut i64, message: Message) {
    match message {
        Message::Add(n) => *count += n,
        Message::Get(reply) => reply.send(*count),
    }
}

#[tokio::main]
async fn main() {
    let counter = actor::new(0).on_message(handle).start().await.unwrap().data;
    counter.send(Message::Add(5));
    counter.send(Message::Add(3));
    println!("{}", counter.call(Duration::from_secs(1), Message::Get).await.unwrap());
}
