use otp_supervisor::{Strategy, static_supervisor as supervisor, supervision};

async fn listen() {}

#[tokio::main]
async fn main() {
    let child = supervision::worker(|| listen());
    let _ = supervisor::new(Strategy::OneForOne).add(child).start().await;
}
