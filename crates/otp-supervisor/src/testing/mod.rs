//! The test kit: what this crate's own supervisors are tested with, for trees of your own.
//!
//! With the feature `testing`, for the `dev-dependencies` of a program:
//!
//! ```toml
//! [dev-dependencies]
//! otp-supervisor = { version = "0.1", features = ["testing"] }
//! ```
//!
//! | take | to |
//! |---|---|
//! | [`Check`] | check a tree of yours, for real, on generated days: that it does what OTP's supervisor does, and that your own truths hold |
//! | [`days`] | draw such days with proptest, and ask the model what your policy makes of them |
//! | [`Model`] | ask what a tree would do, with no other library |
//! | [`simulate`] | run any test of yours under hundreds of orders of events |
//!
//! # Words
//!
//! | | |
//! |---|---|
//! | a *day* | one run of a tree, and what befalls it there: crashes, kills, ends, requests, each at its moment, drawn from a seed |
//! | at *rest* | nothing is left to do before time goes on or the next thing befalls the tree |
//! | a *truth* | a function of the world that says what has to hold at each rest |
//! | the [*world*](World) | the tree and its [`Node`](erlang_process::Node), which has a process table and names of its own, and all that can be asked of them |
//!
//! # Who judges whom
//!
//! The [`Model`] is a second text, written for plainness: it shares no code with the rules in
//! [`semantics`](crate::semantics) that the running supervisors obey. Generated days are played by both, by the running
//! supervisor and by Erlang's own, and all have to agree.
//!
//! # When not to use it
//!
//! A test of one scenario that you have in mind is better written out, under tokio's paused clock. The kit is for
//! those that nobody had in mind.

mod check;
mod day;
mod model;
mod schedule;
mod stage;
mod tree;

pub use erlang_process::simulate;

pub use self::{
    check::{Check, World},
    day::{Answer, Deed, Happening, Report},
    model::Model,
    schedule::{Faults, Moment, days},
    tree::{Body, Child, Kind, Manner, Reason, Start, Tree},
};
