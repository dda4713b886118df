//! What the tests of the workspace share.
//!
//! The README's example, as a test:
#![doc = include_str!("../../README.md")]

mod docs;
