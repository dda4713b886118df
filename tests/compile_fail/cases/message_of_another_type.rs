use erlang_process::{Subject, spawn_subject};

fn main() {
    let greeter = spawn_subject(|names: Subject<String>| async move {
        let _ = names.receive_forever().await;
    });
    greeter.send(42);
}
