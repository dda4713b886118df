use otp_actor as actor;

fn handle(state: &mut u32, message: u32) -> u32 {
    *state += message;
    *state
}

#[tokio::main]
async fn main() {
    let _ = actor::new(0).on_message(handle).start().await;
}
