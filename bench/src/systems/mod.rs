//! The systems that are measured, each in a folder of its own, with a file for each kind of work.

#[cfg(feature = "peers")]
mod actix;
pub(crate) mod beam;
#[cfg(feature = "peers")]
mod kameo;
pub(crate) mod otp;
#[cfg(feature = "peers")]
mod ractor;
pub(crate) mod tokio;
#[cfg(feature = "peers")]
mod xtra;

use std::pin::Pin;

use crate::row::Row;

/// Something that does the work of the rows.
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// Sets one sample up; `None` if the system does not do this row.
    pub(crate) sample: fn(&Row) -> Option<Sample>,
}

/// What a system is to the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What ratios are to.
    Bare,
    /// What the bars are for.
    Ours,
    /// What some bars are measured by.
    Peer,
    /// Set beside the others and compared with none: it shares one thread, or is no Rust.
    Aside,
}

/// One sample, set up.
pub(crate) enum Sample {
    /// Does the work on a tokio runtime and returns its value, in the row's unit. Everything that works is a
    /// task or a process: the future itself only waits.
    Tokio(Pin<Box<dyn Future<Output = f64>>>),
    /// Does the work on a runtime of its own.
    Elsewhere(Box<dyn FnOnce() -> f64>),
}

impl Sample {
    fn tokio(work: impl Future<Output = f64> + 'static) -> Self {
        Self::Tokio(Box::pin(work))
    }
}

pub(crate) const ALL: &[System] = &[
    System { name: "tokio", role: Role::Bare, sample: tokio::sample },
    System { name: "otp", role: Role::Ours, sample: otp::sample },
    #[cfg(feature = "peers")]
    System { name: "ractor", role: Role::Peer, sample: ractor::sample },
    #[cfg(feature = "peers")]
    System { name: "kameo", role: Role::Peer, sample: kameo::sample },
    #[cfg(feature = "peers")]
    System { name: "xtra", role: Role::Peer, sample: xtra::sample },
    #[cfg(feature = "peers")]
    System { name: "actix", role: Role::Aside, sample: actix::sample },
    System { name: "beam", role: Role::Aside, sample: beam::sample },
];
