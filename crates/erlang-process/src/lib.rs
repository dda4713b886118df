//! Erlang's processes for Rust: pids, typed mailboxes, links, monitors, exit signals and names, on tokio.
