use otp_actor::{self as actor, Next};

fn handle(state: &mut u32, message: u32) -> Next {
    *state += message;
    Next::Continue
}

#[tokio::main]
async fn main() {
    let _ = actor::new(String::new()).on_message(handle).start().await;
}
