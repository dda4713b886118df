//! What the crates have to get right, scenario by scenario.
//!
//! The modules `sig`, `link`, `mon`, `proc` and `reg` are the catalogue of processes, `pl`, `gs`, `sys`, `glm` and `part`
//! that of actors and system messages, `task`, `stream` and `tsup` that of tasks, and `sup`, with the tests of `otp-supervisor`,
//! that of supervisors: each test is named after the scenario
//! that it plays. What cannot mean anything in Rust stands in `not-applicable.md`. `beyond` and `nodes` pin
//! what the catalogue does not say.
//!
//! Tests wait for events and never for the clock; where time matters it is paused.

#![allow(clippy::unwrap_used)]

mod beyond;
mod glm;
mod gs;
mod link;
mod mon;
mod nodes;
mod part;
mod pl;
mod proc;
mod reg;
mod reports;
mod sig;
mod stream;
mod sup;
mod support;
mod sys;
mod task;
mod tsup;
