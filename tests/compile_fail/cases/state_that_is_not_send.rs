use std::rc::Rc;

use otp_actor::{self as actor, Next};

#[tokio::main]
async fn main() {
    let state = Rc::new(0);
    let _ = actor::new(state).on_message(|_, ()| Next::Continue).start().await;
}
