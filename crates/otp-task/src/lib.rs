//! OTP tasks for Rust: run work in a process of its own and await its value.
