//! What the listeners of a registry are told.

use crate::pid::Pid;

/// Something that a process has done to a registry, see [`Registry::listen`](super::Registry::listen).
///
/// ```
/// use erlang_process::{Registry, RegistryEvent, Subject};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let sessions: Registry<u64, &str> = Registry::unique();
/// let events = Subject::new()?;
/// sessions.listen(&events);
/// sessions.register(7, "Joe")?;
/// sessions.unregister(&7);
///
/// let mut log = Vec::new();
/// while log.len() < 2 {
///     log.push(match events.receive_forever().await? {
///         RegistryEvent::Registered { value, .. } => format!("{value} came"),
///         RegistryEvent::Unregistered { key, .. } => format!("number {key} left"),
///         // There may be more kinds one day.
///         _ => continue,
///     });
/// }
/// assert_eq!(log, ["Joe came", "number 7 left"]);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `{:register, registry, key, pid, value}` and `{:unregister, registry, key, pid}` in Elixir.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryEvent<K, V> {
    /// A process has registered.
    Registered {
        /// Under this key.
        key: K,
        /// Who.
        pid: Pid,
        /// With this value.
        value: V,
    },
    /// A process has taken away what it had registered, or some of it.
    Unregistered {
        /// Under this key.
        key: K,
        /// Who.
        pid: Pid,
    },
}
