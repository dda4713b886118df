//! What the listeners of a registry are told.

use crate::pid::Pid;

/// Something that a process has done to a registry, see [`Registry::listen`](super::Registry::listen).
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
