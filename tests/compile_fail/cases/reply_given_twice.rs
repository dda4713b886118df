use erlang_process::Reply;

fn answer(reply: Reply<u32>) {
    reply.send(1);
    reply.send(2);
}

fn main() {
    let _ = answer;
}
