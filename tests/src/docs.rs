//! The programs of `docs`, as tests: a module for each page that has one.

#[doc = include_str!("../../docs/guide/1-state.md")]
mod state {}

#[doc = include_str!("../../docs/guide/2-supervision.md")]
mod supervision {}

#[doc = include_str!("../../docs/guide/3-names.md")]
mod names {}

#[doc = include_str!("../../docs/guide/4-tasks.md")]
mod tasks {}

#[doc = include_str!("../../docs/guide/5-testing.md")]
mod testing {}

#[doc = include_str!("../../docs/guide/6-shutting-down.md")]
mod shutting_down {}

#[doc = include_str!("../../docs/guide/7-looking-inside.md")]
mod looking_inside {}

#[doc = include_str!("../../docs/log-and-trace.md")]
mod log_and_trace {}

#[doc = include_str!("../../docs/from-erlang.md")]
mod from_erlang {}

#[doc = include_str!("../../docs/from-elixir.md")]
mod from_elixir {}

#[doc = include_str!("../../docs/from-gleam.md")]
mod from_gleam {}

#[doc = include_str!("../../docs/from-rust.md")]
mod from_rust {}
