//! OTP system messages for Rust: look into, suspend and resume any actor while it runs.
