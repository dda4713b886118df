//! Process identifiers.

use std::{fmt, str::FromStr};

/// A node as this node numbers it: [`NodeId::HERE`] is the node itself, for ever, whatever it is called.
///
/// Other numbers stand for a name and a creation in the node's table, see
/// [`Node::node_id`](crate::Node::node_id).
///
/// ```
/// use erlang_process::{Node, NodeId, Pid};
///
/// // Wherever a pid comes from, it tells where to.
/// let ship = Node::new().node_id("ship@sea", 1)?;
/// let pid = Pid::from_parts(ship, 42, 0);
/// assert_eq!((pid.node(), pid.node() == NodeId::HERE), (ship, false));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// This node.
    pub const HERE: Self = Self(0);

    /// Whether this is the node that asks.
    ///
    /// ```
    /// use erlang_process::Pid;
    ///
    /// assert!("<0.42.0>".parse::<Pid>()?.node().is_here());
    /// assert!(!"<7.42.0>".parse::<Pid>()?.node().is_here());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn is_here(self) -> bool {
        self == Self::HERE
    }

    /// The number itself.
    ///
    /// ```
    /// use erlang_process::Pid;
    ///
    /// assert_eq!("<7.42.0>".parse::<Pid>()?.node().index(), 7);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn index(self) -> u32 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.0)
    }
}

/// The identity of a process: what links, monitors, exit signals and inspection name it by.
///
/// A pid is 12 bytes, never reused, and legal wherever a pid is, whether its process lives, is dead, or
/// lives on another node. Messages are not sent to a pid but to a typed [`Subject`](crate::Subject).
///
/// Prints as in Erlang, `<node.id.serial>`, and parses back:
///
/// ```
/// use erlang_process::Pid;
///
/// let pid: Pid = "<0.42.0>".parse()?;
/// assert_eq!(pid.to_string(), "<0.42.0>");
/// # Ok::<_, erlang_process::ParsePidError>(())
/// ```
///
/// Counterpart: `pid()` in Erlang, `Pid` in Gleam.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid {
    node: NodeId,
    serial: u32,
    id: u32,
}

impl Pid {
    /// A pid from its parts, for the carriers that bring pids of other nodes.
    ///
    /// ```
    /// use erlang_process::{NodeId, Pid};
    ///
    /// let pid = Pid::from_parts(NodeId::HERE, 42, 0);
    /// assert_eq!((pid.node(), pid.id(), pid.serial()), (NodeId::HERE, 42, 0));
    /// assert_eq!(pid.to_string(), "<0.42.0>");
    /// ```
    #[must_use]
    pub fn from_parts(node: NodeId, id: u32, serial: u32) -> Self {
        Self { node, serial, id }
    }

    /// Stands for code that is not in any process, where a signal has to name its sender. No process ever
    /// has this pid.
    pub const OUTSIDE: Self = Self { node: NodeId::HERE, serial: 0, id: 0 };

    /// The pid of this node's process with that number.
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn here(number: u64) -> Self {
        Self { node: NodeId::HERE, serial: (number >> 32) as u32, id: number as u32 }
    }

    /// Serial and id as the one counter that they are.
    pub(crate) fn number(self) -> u64 {
        u64::from(self.serial) << 32 | u64::from(self.id)
    }

    /// The node that the process lives on.
    ///
    /// ```
    /// use erlang_process::{NodeId, Pid};
    ///
    /// assert_eq!("<0.42.0>".parse::<Pid>()?.node(), NodeId::HERE);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn node(self) -> NodeId {
        self.node
    }

    /// The lower half of the process's number on its node.
    ///
    /// ```
    /// use erlang_process::Pid;
    ///
    /// assert_eq!("<0.42.0>".parse::<Pid>()?.id(), 42);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn id(self) -> u32 {
        self.id
    }

    /// The upper half of the process's number on its node.
    ///
    /// ```
    /// use erlang_process::Pid;
    ///
    /// // The process after number 4,294,967,295, the last of serial 0.
    /// assert_eq!("<0.0.1>".parse::<Pid>()?.serial(), 1);
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[must_use]
    pub fn serial(self) -> u32 {
        self.serial
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}.{}>", self.node, self.id, self.serial)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Pid {
    type Err = ParsePidError;

    fn from_str(text: &str) -> Result<Self, ParsePidError> {
        let refused = || ParsePidError { text: text.to_owned() };
        let parts = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).ok_or_else(refused)?;
        // `u32` takes a sign as well.
        let number = |part: &str| part.parse::<u32>().ok().filter(|_| !part.starts_with('+'));
        let mut numbers = parts.split('.').map(number);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Some(node)), Some(Some(id)), Some(Some(serial)), None) => {
                Ok(Self { node: NodeId(node), serial, id })
            }
            _ => Err(refused()),
        }
    }
}

/// The text was not a pid such as `<0.42.0>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePidError {
    text: String,
}

impl fmt::Display for ParsePidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a pid such as <0.42.0>", self.text)
    }
}

impl std::error::Error for ParsePidError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_is_written_in_digits() {
        assert_eq!("<7.42.1>".parse(), Ok(Pid::from_parts(NodeId(7), 42, 1)));
        for text in [
            "<0.+42.0>",
            "<0.-42.0>",
            "<0. 42.0>",
            "<0.42>",
            "<0.42.0.0>",
            "<0..0>",
            "0.42.0",
            "<0.4294967296.0>",
        ] {
            assert!(text.parse::<Pid>().is_err(), "{text}");
        }
    }
}
