use std::rc::Rc;

use erlang_process::spawn;

fn main() {
    spawn(async {
        let count = Rc::new(1);
        tokio::task::yield_now().await;
        drop(count);
    });
}
