//! The service of the guide as its users see it: a program that is told sites.

#![allow(clippy::unwrap_used)]

use std::{
    env,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Stdio},
};

fn uptime() -> Command {
    let test = env::current_exe().unwrap();
    let directory = test.ancestors().nth(2).unwrap().join("examples");
    let program = directory.join(format!("uptime{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "not built: run by `cargo test -p otp-examples`, which builds the examples");
    Command::new(program)
}

/// A port that nobody can listen on.
const DOWN: &str = "127.0.0.1:0";

/// A port that somebody listens on.
fn up() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = listener.local_addr().unwrap().to_string();
    (listener, site)
}

#[test]
fn all_sites_are_checked_once() {
    let (_listener, up) = up();
    let output = uptime().args(["--once", &up, DOWN]).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines[0], format!("{up} up"));
    assert!(lines[1].starts_with(&format!("{DOWN} down: ")), "{lines:?}");
    assert_eq!(output.status.code(), Some(1));

    let output = uptime().args(["--once", &up]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn whoever_gives_no_site_is_told_how() {
    let output = uptime().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("Usage: "));
}

#[cfg(unix)]
#[test]
fn it_watches_until_it_is_asked_to_stop() {
    let (_listener, up) = up();
    let mut watching = uptime().args([&*up, DOWN]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(watching.stderr.take().unwrap()).lines().map_while(Result::ok);
    // Each site is told of once it was checked.
    for _ in 0..2 {
        let told = log.find(|line| line.contains("checked")).expect("it goes on");
        assert!(told.contains(&up) || told.contains(DOWN), "{told}");
    }
    let asked = Command::new("kill").args(["-INT", &watching.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert!(log.any(|line| line.contains("last seen up=1 down=1")));
    assert_eq!(watching.wait().unwrap().code(), Some(0));
}
