use otp_actor as actor;

#[tokio::main]
async fn main() {
    let _ = actor::new(0).start().await;
}
