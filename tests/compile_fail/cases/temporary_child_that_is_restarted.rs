use otp_actor::{self as actor, StartError, Started};
use otp_supervisor::{Restart, factory_supervisor as factory};

struct Socket;

async fn session(socket: Socket) -> Result<Started<()>, StartError> {
    let started = actor::new(socket).on_message(|_, ()| ()).start().await?;
    Ok(Started { pid: started.pid, data: () })
}

#[tokio::main]
async fn main() {
    let _ = factory::temporary(session).restart(Restart::Permanent);
    let sessions = factory::temporary(session).start().await.unwrap();
    let _ = sessions.data.start_child_with(Socket, Restart::Transient).await;
}
