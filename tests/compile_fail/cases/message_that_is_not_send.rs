use std::rc::Rc;

use erlang_process::Subject;

fn main() {
    let _ = Subject::<Rc<u32>>::new();
}
