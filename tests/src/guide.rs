//! The guide's programs, as tests: a module for each chapter.

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
