use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call};

struct Counter;

enum Message {
    Add(i64),
    Get(RpcReplyPort<i64>),
}

impl Actor for Counter {
    type Msg = Message;
    type State = i64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<i64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        count: &mut i64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Add(n) => *count += n,
            Message::Get(reply) => reply.send(*count)?,
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    let (counter, _) = Actor::spawn(None, Counter, ()).await.unwrap();
    counter.cast(Message::Add(5)).unwrap();
    counter.cast(Message::Add(3)).unwrap();
    println!("{}", call!(counter, Message::Get).unwrap());
}
