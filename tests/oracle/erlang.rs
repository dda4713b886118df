//! Plays scenarios on real Erlang: one long-lived node, a line in, a line out.

use std::{
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// More than a whole window of scenarios ever takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Erlang {
    child: Child,
    scenarios: Option<ChildStdin>,
    traces: Receiver<String>,
    release: String,
}

impl Erlang {
    /// Compiles a driver, by its path without `.erl`, into the target folder and starts a node; `None` where there is no
    /// Erlang.
    pub(crate) fn start(driver: &str) -> Option<Self> {
        let target = env!("CARGO_TARGET_TMPDIR");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(driver).with_extension("erl");
        let module = Path::new(driver).file_name()?;
        let compiled = match Command::new("erlc").arg("-o").arg(target).arg(source).status() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            compiled => compiled.unwrap(),
        };
        assert!(compiled.success(), "the driver does not compile");
        // A smaller boot file starts faster; without a shell, standard input is ours.
        let arguments = ["-noinput", "-boot", "start_clean", "-pa", target, "-s"];
        let erl = Command::new("erl")
            .args(arguments)
            .arg(module)
            .arg("main")
            // If the test is stopped, the pipe breaks: that is no crash to be dumped.
            .env("ERL_CRASH_DUMP_SECONDS", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = erl.unwrap();
        let (sender, traces) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A thread of its own: if nobody read while we write, both pipes could be full.
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut erlang = Self { scenarios: child.stdin.take(), child, traces, release: String::new() };
        erlang.release = erlang.trace();
        Some(erlang)
    }

    pub(crate) fn release(&self) -> &str {
        &self.release
    }

    /// Has a scenario played. Its trace is the next one that was not yet taken.
    pub(crate) fn play(&mut self, scenario: &str) {
        writeln!(self.scenarios.as_mut().unwrap(), "{scenario}").unwrap();
    }

    pub(crate) fn trace(&mut self) -> String {
        self.traces.recv_timeout(PATIENCE).expect("Erlang has ended, or hangs")
    }
}

impl Drop for Erlang {
    fn drop(&mut self) {
        // At the end of its input it halts.
        drop(self.scenarios.take());
        let _ = self.child.wait();
    }
}
