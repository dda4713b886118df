//! Checking one site: whether its port can be connected with.

use std::{fmt, pin::Pin, time::Duration};

use tokio::{net::TcpStream, time::timeout};

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Up,
    Down(String),
}

impl Outcome {
    pub(crate) fn is_up(&self) -> bool {
        *self == Self::Up
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down(why) => write!(f, "down: {why}"),
        }
    }
}

/// Any way to check a site: tests bring their own.
pub(crate) type Check = fn(String) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Connects with the site's port.
pub(crate) fn connect(site: String) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
    Box::pin(async move {
        match timeout(Duration::from_secs(5), TcpStream::connect(&site)).await {
            Ok(Ok(_)) => Outcome::Up,
            Ok(Err(error)) => Outcome::Down(error.to_string()),
            Err(_) => Outcome::Down("no answer".into()),
        }
    })
}
