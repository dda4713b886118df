use xtra::prelude::*;

struct Counter(i64);

impl Actor for Counter {
    type Stop = ();

    async fn stopped(self) {}
}

struct Add(i64);

impl Handler<Add> for Counter {
    type Return = ();

    async fn handle(&mut self, Add(n): Add, _: &mut Context<Self>) {
        self.0 += n;
    }
}

struct Get;

impl Handler<Get> for Counter {
    type Return = i64;

    async fn handle(&mut self, _: Get, _: &mut Context<Self>) -> i64 {
        self.0
    }
}

#[tokio::main]
async fn main() {
    let counter = xtra::spawn_tokio(Counter(0), Mailbox::unbounded());
    counter.send(Add(5)).await.unwrap();
    counter.send(Add(3)).await.unwrap();
    println!("{}", counter.send(Get).await.unwrap());
}
