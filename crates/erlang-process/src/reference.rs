//! Unique references.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use crate::pid::{NodeId, Pid};

/// How many words a reference has at most.
const WORDS: usize = 5;

/// A value that is unique on its node: the identity of a monitor, an alias or a request.
///
/// A local reference remembers which process made it, so that it can double as an address
/// ([`alias`](crate::alias())).
///
/// ```
/// use erlang_process::Node;
/// use std::collections::HashMap;
///
/// // Questions that are out, each with what tells its answer from others.
/// let mut asked = HashMap::new();
/// let question = Node::current().reference();
/// asked.insert(question, "how much is tea?");
/// assert_eq!(asked.remove(&question), Some("how much is tea?"));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// Counterpart: `reference()` in Erlang, `Reference` in Gleam.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    node: NodeId,
    len: u8,
    words: [u32; WORDS],
}

impl Reference {
    /// A reference of this node, from its counter and the number of the process that owns it.
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn here(number: u64, owner: Option<Pid>) -> Self {
        let owner = owner.map_or(0, Pid::number);
        Self {
            node: NodeId::HERE,
            len: WORDS as u8,
            words: [
                // The distribution protocol carries only 18 bits of the first word.
                number as u32 & 0x3_ffff,
                (number >> 18) as u32,
                (number >> 50) as u32,
                owner as u32,
                (owner >> 32) as u32,
            ],
        }
    }

    /// A reference from its words, one to five of them, for the carriers that bring references of other
    /// nodes; `None` with any other number of words.
    ///
    /// ```
    /// use erlang_process::{NodeId, Reference};
    ///
    /// let reference = Reference::from_words(NodeId::HERE, &[1, 2, 3]).unwrap();
    /// assert_eq!(reference.words(), [1, 2, 3]);
    /// assert_eq!(Reference::from_words(NodeId::HERE, &[]), None);
    /// ```
    #[must_use]
    pub fn from_words(node: NodeId, words: &[u32]) -> Option<Self> {
        if words.is_empty() || words.len() > WORDS {
            return None;
        }
        let mut all = [0; WORDS];
        all[..words.len()].copy_from_slice(words);
        Some(Self { node, len: u8::try_from(words.len()).ok()?, words: all })
    }

    /// The node that made this reference.
    ///
    /// ```
    /// use erlang_process::Node;
    ///
    /// assert!(Node::current().reference().node().is_here());
    /// ```
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The words that make it unique on its node.
    ///
    /// ```
    /// use erlang_process::{Node, Reference};
    ///
    /// // A carrier writes them down and reads them again.
    /// let reference = Node::current().reference();
    /// let words = reference.words().to_vec();
    /// assert_eq!(Reference::from_words(reference.node(), &words), Some(reference));
    /// ```
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words[..usize::from(self.len)]
    }

    /// The process of this node that made it.
    pub(crate) fn owner(&self) -> Option<Pid> {
        let number = u64::from(self.words[4]) << 32 | u64::from(self.words[3]);
        (self.node.is_here() && usize::from(self.len) == WORDS && number != 0).then(|| Pid::here(number))
    }
}

impl Hash for Reference {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // What differs first, as one number: a table of references is looked into at every end of a process.
        let [low, middle, high, ..] = self.words.map(u64::from);
        state.write_u64(high << 50 | middle << 18 | low);
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#Ref<{}", self.node)?;
        for word in self.words().iter().rev() {
            write!(f, ".{word}")?;
        }
        f.write_str(">")
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
