#![doc = include_str!("../README.md")]

mod await_all;
mod error;
mod task;

pub use crate::{
    await_all::await_all,
    error::AwaitError,
    task::{Task, spawn},
};
