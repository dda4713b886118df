use actix::prelude::*;

struct Counter(i64);

impl Actor for Counter {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Add(i64);

impl Handler<Add> for Counter {
    type Result = ();

    fn handle(&mut self, Add(n): Add, _: &mut Self::Context) {
        self.0 += n;
    }
}

#[derive(Message)]
#[rtype(result = "i64")]
struct Get;

impl Handler<Get> for Counter {
    type Result = i64;

    fn handle(&mut self, _: Get, _: &mut Self::Context) -> i64 {
        self.0
    }
}

#[actix::main]
async fn main() {
    let counter = Counter(0).start();
    counter.do_send(Add(5));
    counter.do_send(Add(3));
    println!("{}", counter.send(Get).await.unwrap());
}
