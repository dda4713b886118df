//! Programs that must not compile, and what the compiler says: a newcomer reads these texts more often than any page of
//! ours.
//!
//! Each text was read by a person before it was committed. Compilers word things differently, so the texts are compared with
//! one compiler only, which is named here.
//!
//! After a change: `TRYBUILD=overwrite cargo test --package otp-tests --test compile_fail`, and read the difference.

use std::process::Command;

/// The compiler whose texts these are.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn mistakes_are_explained() {
    let version = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into())).arg("--version").output();
    let version =
        version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if version.starts_with(COMPILER) {
        trybuild::TestCases::new().compile_fail("compile_fail/cases/*.rs");
    } else {
        eprintln!("NOT RUN: the texts are those of {COMPILER}, and this is {version}");
    }
}
