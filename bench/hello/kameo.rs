use kameo::{
    Actor,
    actor::Spawn,
    message::{Context, Message},
};

#[derive(Actor)]
struct Counter(i64);

struct Add(i64);

impl Message<Add> for Counter {
    type Reply = ();

    async fn handle(&mut self, Add(n): Add, _: &mut Context<Self, Self::Reply>) {
        self.0 += n;
    }
}

struct Get;

impl Message<Get> for Counter {
    type Reply = i64;

    async fn handle(&mut self, _: Get, _: &mut Context<Self, Self::Reply>) -> i64 {
        self.0
    }
}

#[tokio::main]
async fn main() {
    let counter = Counter::spawn(Counter(0));
    counter.tell(Add(5)).await.unwrap();
    counter.tell(Add(3)).await.unwrap();
    println!("{}", counter.ask(Get).await.unwrap());
}
