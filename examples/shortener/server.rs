//! The server: owns the port, and is a child like any other.

use std::{convert::Infallible, time::Duration};

use erlang_process::{ExitReason, Selector, Spawn, Subject, trap_exits};
use otp_actor::{InitAck, StartError, Started, start_process};
use tokio::{net::TcpListener, sync::oneshot};

use crate::routes;

/// Starts the server: it has started when it holds the port.
pub(crate) async fn start(port: u16) -> Result<Started<()>, StartError> {
    let body = move |_: Subject<Infallible>, ack| serve(port, ack);
    start_process(Spawn::new().label("server"), Duration::from_secs(5), body).await
}

async fn serve(port: u16, ack: InitAck<()>) -> Result<(), ExitReason> {
    // So that the supervisor asks it to end, and does not end it.
    trap_exits(true).map_err(ExitReason::error)?;
    let listener = match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => listener,
        Err(error) => {
            ack.failed(error);
            return Ok(());
        }
    };
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening");
    }
    ack.ready(())?;

    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, routes::all()).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let mut server = std::pin::pin!(server.into_future());
    let mut exits = Selector::new().select_trapped_exits(|exit| exit.reason);
    tokio::select! {
        ended = &mut server => return ended.map_err(ExitReason::error),
        // Its supervisor: it is linked with nobody else.
        _ = exits.receive_forever() => drop(stop),
    }
    server.await.map_err(ExitReason::error)?;
    Err(ExitReason::Shutdown)
}
