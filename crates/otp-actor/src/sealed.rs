//! What keeps a trait this crate's own.

/// A type of this crate that implements one of its sealed traits.
pub trait Sealed {}
