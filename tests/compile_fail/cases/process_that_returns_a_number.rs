use erlang_process::spawn;

fn main() {
    spawn(async { 42 });
}
