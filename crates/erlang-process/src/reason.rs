//! Why a process ended.

use std::{any::Any, error::Error, fmt, panic::Location, sync::Arc};

/// An error shared between all who hear of it.
pub type SharedError = Arc<dyn Error + Send + Sync>;

/// Why a process ended, or why it should.
///
/// | the process | its reason |
/// |---|---|
/// | returns `()` or `Ok` | [`Normal`](Self::Normal) |
/// | returns `Err(error)` | [`Error`](Self::Error) with that very error |
/// | panics | [`Panic`](Self::Panic) |
/// | calls [`exit`](crate::exit) | that reason, verbatim |
/// | is hit by an exit signal | the signal's reason |
/// | is killed, or dropped with its runtime | [`Killed`](Self::Killed) |
///
/// For links only `Normal` is special; for supervisors and reports every
/// [orderly](Self::is_orderly) reason is.
///
/// Two reasons are equal when they are of one kind and say the same; errors are compared by what they
/// print, as nothing else of them can be compared.
///
/// It prints as its error does. With `{:#}` the [sources](Error::source) of that follow, down to the first cause: so it is
/// in reports.
///
/// ```
/// use erlang_process::ExitReason;
///
/// fn needs_attention(reason: &ExitReason) -> bool {
///     match reason {
///         ExitReason::Panic(panic) => panic.message() != "boom",
///         other => !other.is_orderly(),
///     }
/// }
/// assert!(needs_attention(&ExitReason::error("disk full")));
/// assert!(!needs_attention(&ExitReason::Shutdown));
/// ```
///
/// Counterpart: the exit reason term in Erlang, `ExitReason` in Gleam.
#[derive(Clone)]
#[non_exhaustive]
pub enum ExitReason {
    /// The process did its work.
    Normal,
    /// The untrappable reason, when sent as a signal: the receiver ends with [`Killed`](Self::Killed). A
    /// process that itself ends with this reason passes it on through its links as an ordinary one.
    Kill,
    /// The process was ended by a [kill](crate::kill).
    Killed,
    /// The process was asked to end in an orderly way.
    Shutdown,
    /// As [`Shutdown`](Self::Shutdown), and says why: Erlang's `{shutdown, Detail}`.
    ShutdownWith(SharedError),
    /// There was no such process.
    NoProc,
    /// There is no way to the other process's node.
    NoConnection,
    /// The process panicked.
    Panic(Panic),
    /// The process ended with an error.
    Error(SharedError),
    /// A reason from another node that has no counterpart here, kept as its carrier brought it.
    Foreign(Arc<dyn Any + Send + Sync>),
}

impl ExitReason {
    /// An abnormal reason from an error, or from a text.
    ///
    /// An `ExitReason` that was turned into a boxed error on its way, as `?` does, is restored.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    ///
    /// let reason = ExitReason::error("out of paper");
    /// assert_eq!(reason.to_string(), "out of paper");
    /// assert_eq!(ExitReason::error(ExitReason::Shutdown), ExitReason::Shutdown);
    /// ```
    pub fn error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(reason) => *reason,
            Err(error) => Self::Error(error.into()),
        }
    }

    /// [`ShutdownWith`](Self::ShutdownWith) an error, or a text.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    ///
    /// let reason = ExitReason::shutdown_with("the user has left");
    /// assert!(reason.is_shutdown() && reason.is_orderly());
    /// ```
    pub fn shutdown_with(detail: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::ShutdownWith(detail.into().into())
    }

    /// Whether this is [`Shutdown`](Self::Shutdown), with or without a detail.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    ///
    /// assert!(ExitReason::Shutdown.is_shutdown());
    /// assert!(!ExitReason::Normal.is_shutdown());
    /// ```
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        matches!(self, Self::Shutdown | Self::ShutdownWith(_))
    }

    /// Whether a process that ends so has ended as it should: `Normal` or any shutdown. A transient child
    /// is not restarted then, and no crash is reported.
    ///
    /// ```
    /// use erlang_process::ExitReason;
    ///
    /// assert!(ExitReason::Normal.is_orderly());
    /// assert!(ExitReason::Shutdown.is_orderly());
    /// assert!(!ExitReason::Killed.is_orderly());
    /// ```
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::Normal) || self.is_shutdown()
    }
}

impl PartialEq for ExitReason {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ShutdownWith(a), Self::ShutdownWith(b)) | (Self::Error(a), Self::Error(b)) => {
                Arc::ptr_eq(a, b) || a.to_string() == b.to_string()
            }
            (Self::Panic(a), Self::Panic(b)) => a == b,
            (Self::Foreign(a), Self::Foreign(b)) => Arc::ptr_eq(a, b),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for ExitReason {}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Kill => f.write_str("kill"),
            Self::Killed => f.write_str("killed"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::ShutdownWith(detail) => {
                f.write_str("shutdown: ")?;
                say(&**detail, f)
            }
            Self::NoProc => f.write_str("noproc"),
            Self::NoConnection => f.write_str("noconnection"),
            Self::Panic(panic) => panic.fmt(f),
            Self::Error(error) => say(&**error, f),
            Self::Foreign(_) => f.write_str("a reason of another node"),
        }
    }
}

/// Prints an error, and what has caused it where that is asked for. What an error says of its cause itself is said once.
fn say(error: &(dyn Error + 'static), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if !f.alternate() {
        return fmt::Display::fmt(error, f);
    }
    let mut said = error.to_string();
    f.write_str(&said)?;
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.ends_with(&text) {
            write!(f, ": {text}")?;
        }
        (said, cause) = (text, error.source());
    }
    Ok(())
}

impl fmt::Debug for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("Normal"),
            Self::Kill => f.write_str("Kill"),
            Self::Killed => f.write_str("Killed"),
            Self::Shutdown => f.write_str("Shutdown"),
            Self::ShutdownWith(detail) => f.debug_tuple("ShutdownWith").field(detail).finish(),
            Self::NoProc => f.write_str("NoProc"),
            Self::NoConnection => f.write_str("NoConnection"),
            Self::Panic(panic) => f.debug_tuple("Panic").field(panic).finish(),
            Self::Error(error) => f.debug_tuple("Error").field(error).finish(),
            Self::Foreign(_) => f.write_str("Foreign(..)"),
        }
    }
}

impl Error for ExitReason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The reason prints as the error does, so what comes next in the chain is the error's own source.
            Self::Error(error) => error.source(),
            Self::ShutdownWith(detail) => Some(&**detail),
            _ => None,
        }
    }
}

/// What is known of a panic: its text and, where panics are [captured](crate::capture_panics), its place.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let reason = process::run(async { panic!("no ink") as () }).await.unwrap_err();
/// let ExitReason::Panic(panic) = reason else { panic!("another reason") };
/// assert!(panic.to_string().ends_with("no ink"));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Panic(Arc<PanicInner>);

#[derive(PartialEq, Eq)]
struct PanicInner {
    message: String,
    location: Option<String>,
}

impl Panic {
    pub(crate) fn new(message: String, location: Option<&Location<'_>>) -> Self {
        Self(Arc::new(PanicInner { message, location: location.map(ToString::to_string) }))
    }

    /// What the panic said.
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let reason = process::run(async { panic!("boom") as () }).await.unwrap_err();
    /// assert!(matches!(reason, ExitReason::Panic(panic) if panic.message() == "boom"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it happened, as `file:line:column`.
    ///
    /// ```
    /// use erlang_process::{self as process, ExitReason};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// process::capture_panics();
    /// let reason = process::run(async { panic!("no ink") as () }).await.unwrap_err();
    /// let ExitReason::Panic(panic) = reason else { panic!("another reason") };
    /// assert!(panic.location().is_some_and(|place| place.contains(".rs:")));
    /// # }
    /// ```
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.0.location.as_deref()
    }
}

pub(crate) fn payload_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is no text".to_owned()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.location {
            Some(location) => write!(f, "panicked at {location}: {}", self.0.message),
            None => write!(f, "panicked: {}", self.0.message),
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// What a process may return: nothing, a reason, or a result whose error is the reason. It need not return at all.
///
/// ```
/// use erlang_process::{self as process, ExitReason};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// // An error that leaves the process by `?` is the reason of its end.
/// let (_, monitor) = process::spawn_monitor(async {
///     let _port: u16 = "http".parse()?;
///     Ok::<_, std::num::ParseIntError>(())
/// })?;
/// assert!(matches!(monitor.down().await?.reason, ExitReason::Error(_)));
///
/// // It may also say how it ends.
/// let (_, monitor) = process::spawn_monitor(async { ExitReason::Shutdown })?;
/// assert_eq!(monitor.down().await?.reason, ExitReason::Shutdown);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a process cannot return `{Self}`",
    note = "a process returns `()`, `erlang_process::ExitReason`, or a `Result` of one of these whose error is the reason; to tell \
            somebody a value, send it, or take `otp_task`"
)]
pub trait IntoExitReason {
    /// The reason that the process ends with.
    fn into_exit_reason(self) -> ExitReason;
}

impl IntoExitReason for () {
    fn into_exit_reason(self) -> ExitReason {
        ExitReason::Normal
    }
}

impl IntoExitReason for std::convert::Infallible {
    fn into_exit_reason(self) -> ExitReason {
        match self {}
    }
}

/// Of `!`, which a process has whose body is an endless loop.
impl IntoExitReason for Never {
    fn into_exit_reason(self) -> ExitReason {
        self
    }
}

/// `!`, as what a function returns: only there can it be written in stable Rust.
type Never = <fn() -> ! as Returns>::Output;

pub trait Returns {
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

impl IntoExitReason for ExitReason {
    fn into_exit_reason(self) -> ExitReason {
        self
    }
}

impl<T: IntoExitReason, E: Into<Box<dyn Error + Send + Sync>>> IntoExitReason for Result<T, E> {
    fn into_exit_reason(self) -> ExitReason {
        match self {
            Ok(value) => value.into_exit_reason(),
            Err(error) => ExitReason::error(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says this, and has this cause.
    #[derive(Debug)]
    struct Caused(&'static str, Option<Box<Caused>>);

    impl fmt::Display for Caused {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Caused {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn what_has_caused_an_error_is_said_once_and_where_it_is_asked_for() {
        let caused = |text, cause| Some(Box::new(Caused(text, cause)));
        let cause = caused("no orders: no file", caused("no file", caused("disk is gone", None)));
        let shutdown = ExitReason::shutdown_with(Caused("closed", cause));
        assert_eq!(shutdown.to_string(), "shutdown: closed");
        assert_eq!(format!("{shutdown:#}"), "shutdown: closed: no orders: no file: disk is gone");
        assert_eq!(format!("{:#}", ExitReason::error("alone")), "alone");
    }
}
