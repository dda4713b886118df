//! The systems that are measured, each in a folder of its own.

mod otp;
mod tokio;

use std::pin::Pin;

use crate::row::Work;

/// Something that does the work of the rows.
pub(crate) struct System {
    pub(crate) name: &'static str,
    /// Sets one sample up; `None` if the system does not do this work.
    pub(crate) sample: fn(Work) -> Option<Sample>,
}

/// Does the work and returns its value, in the row's unit. Everything that works is a task or a process:
/// the future itself only waits.
pub(crate) type Sample = Pin<Box<dyn Future<Output = f64>>>;

pub(crate) const ALL: &[System] =
    &[System { name: "tokio", sample: tokio::sample }, System { name: "otp", sample: otp::sample }];
