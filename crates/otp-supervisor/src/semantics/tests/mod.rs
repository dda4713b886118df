//! The rules, one scenario each, named after the conformance catalogue where it has one.

mod automatic_shutdown;
mod backoff;
mod booting;
mod change;
mod commands;
mod day;
mod factory;
mod protocol;
mod restarts;
mod stopping;
mod table;
mod unresponsive;
