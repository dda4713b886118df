//! OTP's gen_server and Gleam's actor for Rust: typed, supervised actors on tokio.
