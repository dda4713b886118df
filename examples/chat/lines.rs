//! Lines out of what a client sends.

use std::io;

use tokio::{net::TcpStream, task::yield_now};

/// The longest line, without what ends it.
pub(crate) const LONGEST: usize = 4096;

/// What was read.
pub(crate) enum Input {
    /// A line, without its `\n` or `\r\n`.
    Line(String),
    /// A line that is too long; the rest of it is skipped.
    TooLong,
    /// A line that is not UTF-8.
    NotText,
    /// The client sends nothing more.
    End,
}

/// Cuts what comes from a socket into lines.
#[derive(Default)]
pub(crate) struct Lines {
    /// What came and is not yet a line: at most one that is not too long, and what was read with it.
    buffer: Vec<u8>,
    /// How much of the buffer has been searched for the end of a line.
    searched: usize,
    /// Whether what comes is the rest of a line that was too long.
    skipping: bool,
    ended: bool,
}

impl Lines {
    /// Waits for the next line. A future that is dropped loses nothing.
    pub(crate) async fn next(&mut self, socket: &TcpStream) -> io::Result<Input> {
        loop {
            if let Some(input) = self.cut() {
                return Ok(input);
            }
            if self.ended {
                return Ok(Input::End);
            }
            socket.readable().await?;
            self.buffer.reserve(LONGEST);
            match socket.try_read_buf(&mut self.buffer) {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            // A client that never pauses must not keep its thread.
            yield_now().await;
        }
    }

    fn cut(&mut self) -> Option<Input> {
        loop {
            match self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') {
                Some(end) => {
                    let line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
                    self.searched = 0;
                    if !std::mem::take(&mut self.skipping) {
                        return Some(read(&line[..line.len() - 1]));
                    }
                }
                None if self.skipping => {
                    self.buffer.clear();
                    self.searched = 0;
                    return None;
                }
                // What may yet prove to be `\r\n` does not count.
                None if self.buffer.strip_suffix(b"\r").unwrap_or(&self.buffer).len() > LONGEST => {
                    self.skipping = true;
                    return Some(Input::TooLong);
                }
                None if self.ended && !self.buffer.is_empty() => {
                    let line = std::mem::take(&mut self.buffer);
                    self.searched = 0;
                    return Some(read(&line));
                }
                None => {
                    self.searched = self.buffer.len();
                    return None;
                }
            }
        }
    }
}

fn read(line: &[u8]) -> Input {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LONGEST {
        return Input::TooLong;
    }
    std::str::from_utf8(line).map_or(Input::NotText, |text| Input::Line(text.to_owned()))
}
