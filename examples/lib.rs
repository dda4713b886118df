//! Programs to run: `cargo run --release --example chat`.
