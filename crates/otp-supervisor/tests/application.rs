//! Programs that are supervision trees, as the operating system meets them: the built example, and signals.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::{
    env,
    future::pending,
    io::{self, BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
};

use erlang_process::{Node, current, spawn, spawn_unlinked};
use otp_actor::{StartError, Started};
use otp_supervisor::{
    Strategy,
    application::{self, ApplicationError},
    static_supervisor as supervisor, supervision,
};

const LIB: &str = "run by `cargo test -p otp-supervisor`, which builds the example";

/// The program, which cargo has built beside this test.
struct Program {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(how: &str) -> Self {
        let test = env::current_exe().expect(LIB);
        let program = test.ancestors().nth(2).expect(LIB).join("examples/application");
        let mut command = Command::new(program);
        command.arg(how).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect(LIB);
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// Reads lines until all of these have come, in whatever order.
    fn await_lines(&mut self, lines: &[&str]) {
        let mut left = lines.to_vec();
        while !left.is_empty() {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "ended without {left:?}");
            left.retain(|awaited| *awaited != line.trim_end());
        }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// What it still writes, and the code that it exits with.
    fn end(mut self) -> (String, i32) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (rest, self.process.wait().unwrap().code().unwrap())
    }

    fn running(how: &str) -> Self {
        let mut program = Self::start(how);
        program.await_lines(&["run store", "run door", "phase unlock", "phase open"]);
        program
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_signal_stops_the_tree_in_reverse_order() {
    for signal in ["-INT", "-TERM"] {
        let program = Program::running("");
        program.signal(signal);
        assert_eq!(program.end(), ("stop door\nstop store\n".to_owned(), 0));
    }
}

/// What is killed is gone when the program says that it is.
fn killed(program: Program, children: &[&str]) {
    let (rest, code) = program.end();
    let (before, after) = rest.split_once("error: the application ended: killed\n").expect(&rest);
    assert!(children.iter().all(|child| before.contains(&format!("stop {child}\n"))), "{rest}");
    assert_eq!((after, code), ("", 1));
}

#[test]
fn a_second_signal_kills_a_tree_that_does_not_stop() {
    let program = Program::running("stubborn");
    program.signal("-INT");
    program.signal("-TERM");
    killed(program, &["door", "store"]);
}

#[test]
fn a_second_signal_kills_a_tree_that_does_not_start() {
    let mut program = Program::start("slow");
    program.await_lines(&["start store", "run store", "starting door"]);
    program.signal("-INT");
    program.signal("-TERM");
    killed(program, &["store"]);
}

#[test]
fn a_start_phase_that_fails_stops_the_tree_in_order() {
    let mut program = Program::start("closed");
    program.await_lines(&[
        "start store",
        "start door",
        "phase unlock",
        "phase open",
        "stop door",
        "stop store",
    ]);
    assert_eq!(program.end(), ("error: the start phase open failed: it is closed\n".to_owned(), 1));
}

#[test]
fn the_first_signal_during_that_stop_is_no_kill() {
    let mut program = Program::start("jammed");
    program.await_lines(&["phase open", "jammed"]);
    program.signal("-INT");
    let (rest, code) = program.end();
    assert!(rest.starts_with("free\nstop door\nstop store\n"), "{rest}");
    assert!(rest.ends_with("error: the start phase open failed: it is closed\n"), "{rest}");
    assert_eq!(code, 1);
}

#[test]
fn a_root_that_does_not_start_leaves_nothing() {
    let mut program = Program::start("broken");
    program.await_lines(&["start store", "stop store"]);
    let (rest, code) = program.end();
    assert!(rest.ends_with("it is broken\n") && !rest.contains("phase"), "{rest}");
    assert_eq!(code, 1);
}

#[test]
fn a_root_that_gives_up_is_no_success() {
    let (output, code) = Program::start("doomed").end();
    assert!(output.contains("error: the application ended: shutdown: its root"), "{output}");
    assert_eq!(code, 1);
}

#[test]
fn a_root_that_is_done_is_one() {
    let (output, code) = Program::start("done").end();
    assert!(output.contains("nothing to do\n") && !output.contains("error"), "{output}");
    assert_eq!(code, 0);
}

#[tokio::test]
async fn nothing_is_left_of_an_application_that_is_done() {
    let node = Node::new();
    let left = node.run(async {
        application::new(|| async { Ok(Started { pid: spawn(async {}), data: () }) }).run().await.unwrap();
        (Node::current().processes(), current())
    });
    let (left, own) = left.await.unwrap();
    assert_eq!(left, Vec::from_iter(own));
}

#[tokio::test]
async fn nothing_is_left_of_a_root_whose_start_panics() {
    let node = Node::new();
    let left = node.run(async {
        let root = || async {
            spawn(pending::<()>());
            if current().is_some() {
                panic!("oh no");
            }
            Ok(Started { pid: spawn(async {}), data: () })
        };
        let error = application::new(root).run().await.unwrap_err();
        assert!(matches!(error, ApplicationError::Start(StartError::InitExited(_))), "{error}");
        assert!(error.to_string().contains("oh no"), "{error}");
        (Node::current().processes(), current())
    });
    let (left, own) = left.await.unwrap();
    assert_eq!(left, Vec::from_iter(own));
}

#[tokio::test]
async fn what_the_tree_has_spawned_beside_it_ends_with_the_application() {
    let node = Node::new();
    let left = node.run(async {
        let stray = || async {
            // Linked with nobody, and its own is even farther away.
            spawn_unlinked(async {
                spawn_unlinked(pending::<()>());
                pending::<()>().await;
            });
        };
        let root = move || async move { Ok(Started { pid: spawn(stray()), data: () }) };
        application::new(root).run().await.unwrap();
        (Node::current().processes(), current())
    });
    let (left, own) = left.await.unwrap();
    assert_eq!(left, Vec::from_iter(own));
}

#[tokio::test]
async fn a_start_phase_that_panics_stops_the_tree() {
    let node = Node::new();
    let left = node.run(async {
        let root = || supervisor::new(Strategy::OneForOne).add(supervision::process(pending::<()>)).start();
        let ended = application::new(root).start_phase("open", || async {
            if current().is_some() {
                panic!("oh no");
            }
            Ok::<_, io::Error>(())
        });
        let error = ended.run().await.unwrap_err();
        assert!(matches!(error, ApplicationError::StartPhase { name: "open", .. }), "{error}");
        assert!(error.to_string().contains("oh no"), "{error}");
        (Node::current().processes(), current())
    });
    let (left, own) = left.await.unwrap();
    assert_eq!(left, Vec::from_iter(own));
}
