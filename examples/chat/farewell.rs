//! The end of a connection.

use std::{io, sync::Arc, time::Duration};

use erlang_process::{Pid, join, set_label, timeout};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long a client has to close its side.
const PATIENCE: Duration = Duration::from_secs(1);

/// Closes the connection of a session that has ended: a client that sees it closed finds its place free.
pub(crate) async fn close_after(session: Pid, socket: Arc<TcpStream>) {
    join(session).await;
    close(socket).await;
}

/// Closes a connection in such a way that the client reads what it was told last. It may still be sending, and
/// closed with input unread, the connection would be reset.
pub(crate) async fn close(socket: Arc<TcpStream>) {
    let _ = set_label("closes a connection");
    let Some(mut socket) = Arc::into_inner(socket) else { return };
    let closed = async {
        socket.shutdown().await?;
        while socket.read(&mut [0; 4096]).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // A client that is gone, or in no hurry, is left to its system.
    drop(timeout(PATIENCE, closed).await);
}
