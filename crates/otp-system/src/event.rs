//! What a process that is debugged tells of itself.

use std::{
    any::{Any, type_name},
    fmt,
};

/// Something that happens in a process that is being debugged.
///
/// ```
/// use otp_system::{Event, EventKind};
///
/// // Whoever looks on and does not know the message's type sees the text.
/// let event = Event::of(EventKind::In, &7_u32, Some("add 7"));
/// assert_eq!(event.to_string(), "in add 7");
/// ```
///
/// Counterpart: the system events of `sys`.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    kind: EventKind,
    message: Option<&'a dyn Any>,
    text: &'a str,
}

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A message is about to be handled.
    ///
    /// Counterpart: `{in, Msg}`.
    In,
    /// A reply was sent.
    ///
    /// Counterpart: `{out, Msg, To}`.
    Out,
    /// A message was handled and nothing was replied.
    ///
    /// Counterpart: `{noreply, State}`.
    NoReply,
    /// A message that the process has for itself is about to be handled before all others.
    ///
    /// Counterpart: `{continue, Term}`.
    Continue,
    /// Anything else that a process of your own has to tell.
    Other,
}

impl<'a> Event<'a> {
    /// An event about a message: of those who look on, the ones who know its type see it whole, others `text`, which is
    /// its description or, where it has none, the name of its [type](type_name).
    ///
    /// ```
    /// use otp_system::{Event, EventKind};
    ///
    /// assert_eq!(Event::of(EventKind::In, &7_u32, Some("add 7")).to_string(), "in add 7");
    /// // Without a description.
    /// assert_eq!(Event::of(EventKind::In, &7_u32, None).to_string(), "in u32");
    /// ```
    pub fn of<M: 'static>(kind: EventKind, message: &'a M, text: Option<&'a str>) -> Self {
        Self { kind, message: Some(message), text: text.unwrap_or(type_name::<M>()) }
    }

    /// An event that a text says everything about, which may be none.
    ///
    /// ```
    /// use otp_system::{Event, EventKind};
    ///
    /// assert_eq!(Event::new(EventKind::Other, "awake").to_string(), "other awake");
    /// ```
    #[must_use]
    pub fn new(kind: EventKind, text: &'a str) -> Self {
        Self { kind, message: None, text }
    }

    /// What kind of event it is.
    ///
    /// ```
    /// use otp_system::{Event, EventKind};
    ///
    /// assert_eq!(Event::new(EventKind::Other, "awake").kind(), EventKind::Other);
    /// ```
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// The message, if there is one and it is an `M`.
    ///
    /// ```
    /// use otp_system::{Event, EventKind};
    ///
    /// let event = Event::of(EventKind::In, &7_u32, None);
    /// assert_eq!((event.message::<u32>(), event.message::<String>()), (Some(&7), None));
    /// ```
    #[must_use]
    pub fn message<M: 'static>(&self) -> Option<&'a M> {
        self.message?.downcast_ref()
    }

    pub(crate) fn logged(&self) -> LoggedEvent {
        LoggedEvent { kind: self.kind, text: self.text.to_owned() }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.kind, self.text, f)
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.kind).field(&self.text).finish()
    }
}

/// An event that was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedEvent {
    /// What kind of event it was.
    pub kind: EventKind,
    /// The message as its process describes it, or its type.
    pub text: String,
}

impl fmt::Display for LoggedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.kind, &self.text, f)
    }
}

fn show(kind: EventKind, text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let kind = match kind {
        EventKind::In => "in",
        EventKind::Out => "out",
        EventKind::NoReply => "noreply",
        EventKind::Continue => "continue",
        EventKind::Other => "other",
    };
    if text.is_empty() { f.write_str(kind) } else { write!(f, "{kind} {text}") }
}
