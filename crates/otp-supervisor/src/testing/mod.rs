//! The test kit: what this crate's own supervisors are tested with, for trees of your own.
mod day;
mod model;
mod tree;

pub use self::{
    day::{Answer, Deed, Happening, Report},
    model::Model,
    tree::{Body, Child, Kind, Manner, Reason, Start, Tree},
};
