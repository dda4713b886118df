use std::time::Duration;

use erlang_process::{CallError, Reply, Subject};

enum Message {
    Get(Reply<u32>),
}

async fn get(counter: Subject<Message>) -> Result<String, CallError> {
    counter.call(Duration::from_secs(1), Message::Get).await
}

fn main() {
    let _ = get;
}
