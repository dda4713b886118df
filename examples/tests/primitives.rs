//! The primitives, as they are printed.

#![allow(clippy::unwrap_used)]

use std::{env, process::Command};

#[test]
fn a_cook_that_fails_ends_alone() {
    let test = env::current_exe().unwrap();
    let directory = test.ancestors().nth(2).unwrap().join("examples");
    let program = directory.join(format!("primitives{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "not built: run by `cargo test -p otp-examples`, which builds the examples");
    let output = Command::new(program).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[0], "soup: a bowl");
    assert!(lines[1].starts_with("soufflé: the cook ended, ") && lines[1].contains("collapsed"), "{printed}");
    assert_eq!(lines[2..], ["salad: a plate", "the chef ended: normal", "a chef is found: false"]);
    assert!(output.status.success());
}
