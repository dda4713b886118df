use std::time::Duration;

use otp_actor::{self as actor, Next, Started, StartError};
use otp_supervisor::factory_supervisor as factory;

async fn session(name: String) -> Result<Started<()>, StartError> {
    let started = actor::new(name).on_message(|_, ()| Next::Continue).start().await?;
    Ok(Started { pid: started.pid, data: () })
}

#[tokio::main]
async fn main() {
    let sessions = factory::worker(session).start().await.unwrap();
    let _ = sessions.data.start_child(Duration::from_secs(1)).await;
}
