//! Lines, words and bytes.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
    ops::AddAssign,
    path::Path,
};

#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
}

/// Counts what is in a file, whatever its encoding: words are what stands between ASCII whitespace.
pub(crate) fn file(path: &Path) -> io::Result<Counts> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
    let (mut counts, mut in_word) = (Counts::default(), false);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(counts);
        }
        for byte in bytes {
            let space = byte.is_ascii_whitespace();
            counts.words += u64::from(!space && !in_word);
            in_word = !space;
            counts.lines += u64::from(*byte == b'\n');
        }
        let length = bytes.len();
        counts.bytes += length as u64;
        reader.consume(length);
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.words += other.words;
        self.bytes += other.bytes;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8} {:8} {:10}", self.lines, self.words, self.bytes)
    }
}
