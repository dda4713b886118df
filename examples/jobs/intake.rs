//! The intake: queues what is read from stdin, a line for each job.

use std::{
    io::{self, BufRead, Write},
    time::Duration,
};

use crate::store::{Message, STORE};

/// Reads until there is no more. Runs outside any process: a call works from there as well.
pub(crate) fn read() {
    for line in io::stdin().lock().lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()) {
        let command = line.clone();
        let queued =
            STORE.subject().call_blocking(Duration::from_secs(10), |reply| Message::Add(command, reply));
        let _ = match queued {
            Ok(number) => writeln!(io::stdout(), "queued {number}"),
            Err(error) => writeln!(io::stdout(), "not queued, {error}: {line}"),
        };
    }
}
