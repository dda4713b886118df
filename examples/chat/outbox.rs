//! What waits to be written to a client.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::Arc,
};

use tokio::net::TcpStream;

/// A client for whom so many lines wait does not read.
const MOST_LINES: usize = 1000;

/// Nor does one for whom so much waits: answers can be long.
const MOST_BYTES: usize = 5 << 20;

/// The lines that wait for a client, because its socket takes no more. Each ends with `\n`; an answer of
/// several lines counts as one.
#[derive(Default)]
pub(crate) struct Outbox {
    lines: VecDeque<Arc<str>>,
    /// How much of them is left to be written.
    bytes: usize,
    /// How much of the first is written.
    written: usize,
}

/// The client does not read what it is sent.
pub(crate) struct NotReading;

impl Outbox {
    pub(crate) fn push(&mut self, line: Arc<str>) -> Result<(), NotReading> {
        self.bytes += line.len();
        self.lines.push_back(line);
        // One answer alone may be longer.
        let full = self.lines.len() >= MOST_LINES || (self.bytes > MOST_BYTES && self.lines.len() > 1);
        if full { Err(NotReading) } else { Ok(()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Writes as much as the socket takes without waiting.
    pub(crate) fn write(&mut self, socket: &TcpStream) -> io::Result<()> {
        while let Some(first) = self.lines.front() {
            let mut slices = [IoSlice::new(&[]); 16];
            slices[0] = IoSlice::new(&first.as_bytes()[self.written..]);
            for (slice, line) in slices.iter_mut().zip(&self.lines).skip(1) {
                *slice = IoSlice::new(line.as_bytes());
            }
            match socket.try_write_vectored(&slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes everything, however long that takes.
    pub(crate) async fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        loop {
            self.write(socket)?;
            if self.is_empty() {
                return Ok(());
            }
            socket.writable().await?;
        }
    }

    fn advance(&mut self, written: usize) {
        self.bytes -= written;
        self.written += written;
        while let Some(first) = self.lines.front().filter(|first| self.written >= first.len()) {
            self.written -= first.len();
            self.lines.pop_front();
        }
    }
}
