//! What people and rooms are called.

use std::{fmt, sync::Arc};

/// A nick, or the name of a room: 1 to 32 of letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Word(Arc<str>);

impl Word {
    /// What is wrong with a text that is none.
    pub(crate) const RULE: &str = "1 to 32 of A-Z, a-z, 0-9, - and _";

    pub(crate) fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        ((1..=32).contains(&text.len()) && text.bytes().all(fits)).then(|| Self(text.into()))
    }

    /// The nick of a client that has not chosen one.
    pub(crate) fn guest(number: u64) -> Self {
        Self(format!("guest-{number}").into())
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
