//! OTP supervisors for Rust: restart strategies, ordered shutdown and supervision trees on tokio.

pub mod semantics;
