//! The listener: owns the port, and starts a session for each client.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use erlang_process::{ExitReason, Name, Spawn, Subject, spawn};
use otp_actor::{InitAck, StartError, Started, start_process};
use otp_supervisor::{SupervisorError, factory_supervisor::Supervisor};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::{farewell, session};

/// Nobody tells the listener anything: its name is to be read in the tree.
const NAME: Name<Infallible> = Name::fixed("listener");

/// Where the server listens.
#[derive(Clone)]
pub(crate) struct Address {
    host: Arc<str>,
    port: u16,
    /// Where it turned out to be: a listener that is restarted takes the same again.
    bound: Arc<OnceLock<SocketAddr>>,
}

impl Address {
    pub(crate) fn new(host: String, port: u16) -> Self {
        Self { host: host.into(), port, bound: Arc::default() }
    }

    pub(crate) fn bound(&self) -> Option<SocketAddr> {
        self.bound.get().copied()
    }

    async fn bind(&self) -> io::Result<TcpListener> {
        let listener = match self.bound() {
            Some(address) => TcpListener::bind(address).await?,
            None => TcpListener::bind((&*self.host, self.port)).await?,
        };
        let address = listener.local_addr()?;
        self.bound.get_or_init(|| address);
        Ok(listener)
    }
}

/// Starts the listener: it has started when it holds the port.
pub(crate) async fn start(address: Address) -> Result<Started<()>, StartError> {
    let body = |_: Subject<Infallible>, ack| listen(address, ack);
    start_process(Spawn::new().named(NAME), Duration::from_secs(10), body).await
}

async fn listen(address: Address, ack: InitAck<()>) -> Result<(), ExitReason> {
    match address.bind().await {
        Ok(listener) => {
            ack.ready(())?;
            accept(listener).await
        }
        Err(error) => {
            let Address { host, port, .. } = address;
            let text = format!("cannot listen on {host}:{port}: {error}");
            ack.failed(io::Error::new(error.kind(), text));
            Ok(())
        }
    }
}

async fn accept(listener: TcpListener) -> Result<(), ExitReason> {
    let sessions = Supervisor::named(session::FACTORY);
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => Arc::new(socket),
            // A client that was gone before it was seen.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                // There are too many open files: it does not help to ask again at once.
                tracing::warn!(%error, "cannot accept a client");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        drop(socket.set_nodelay(true));
        match sessions.start_child(socket.clone()).await {
            Ok(_) => {}
            Err(SupervisorError::MaxChildren) => drop(spawn(refuse(socket))),
            Err(error) => tracing::warn!(%error, "cannot start a session"),
        }
    }
}

/// Tells a client that there is no room for it.
async fn refuse(socket: Arc<TcpStream>) {
    // The first few bytes of a connection: its socket takes them.
    if socket.writable().await.is_ok() && socket.try_write(b"! server is full\n").is_ok() {
        farewell::close(socket).await;
    }
}
