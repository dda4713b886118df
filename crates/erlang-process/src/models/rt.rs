#[path = "../rt.rs"]
mod real;
pub(crate) use self::real::*;
