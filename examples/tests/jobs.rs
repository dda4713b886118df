//! The job queue as its users see it: lines in, a log, a database that outlives the program.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Lines, Write},
    path::PathBuf,
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
};

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("jobs-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Jobs {
    program: Child,
    answers: Lines<BufReader<ChildStdout>>,
    log: Lines<BufReader<ChildStderr>>,
}

impl Jobs {
    /// With one worker, and hardly a pause before a job is tried again.
    fn start(folder: &Folder) -> Self {
        let test = env::current_exe().unwrap();
        let directory = test.ancestors().nth(2).unwrap().join("examples");
        let path = directory.join(format!("jobs{}", env::consts::EXE_SUFFIX));
        assert!(path.exists(), "not built: run by `cargo test -p otp-examples`, which builds the examples");
        let mut command = Command::new(path);
        command.args([&folder.file("queue.redb"), "1", "1"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = command.spawn().unwrap();
        let log = BufReader::new(program.stderr.take().unwrap()).lines();
        let answers = BufReader::new(program.stdout.take().unwrap()).lines();
        Self { program, answers, log }
    }

    /// Returns when the job is queued.
    fn add(&mut self, line: &str) {
        writeln!(self.program.stdin.as_mut().unwrap(), "{line}").unwrap();
        let answer = self.answers.next().unwrap().unwrap();
        assert!(answer.starts_with("queued "), "{answer}");
    }

    /// Reads the log up to the first line that says all this.
    fn wait_for(&mut self, words: &[&str]) -> String {
        let mut read = Vec::new();
        for line in self.log.by_ref().map_while(Result::ok) {
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            read.push(line);
        }
        panic!("the program has ended without {words:?}: {read:#?}");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.program.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn jobs_are_done_and_those_that_fail_are_tried_again_and_buried() {
    let folder = Folder::new("done");
    let mut jobs = Jobs::start(&folder);
    jobs.add("true");
    jobs.wait_for(&["done number=1"]);
    // It succeeds the third time.
    let count = folder.file("count");
    jobs.add(&format!("echo >> {count}; test $(wc -l < {count}) = 3"));
    jobs.wait_for(&["failed number=2"]);
    jobs.wait_for(&["failed number=2", "pause=2ms"]);
    jobs.wait_for(&["done number=2"]);
    jobs.add("exit 3");
    jobs.wait_for(&["failed number=3", "exit status: 3", "pause=8ms"]);
    jobs.wait_for(&["buried number=3"]);
}

#[test]
fn to_stop_is_to_drain() {
    let folder = Folder::new("drain");
    let (started, go, second) = (folder.file("started"), folder.file("go"), folder.file("second"));
    // It has begun when somebody opens the pipe for reading, and ends when somebody writes to the other.
    for pipe in [&started, &go] {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let mut jobs = Jobs::start(&folder);
    jobs.add(&format!("echo > {started}; read line < {go}"));
    jobs.add(&format!("echo > {second}"));
    fs::read_to_string(&started).unwrap();
    jobs.signal("-TERM");
    jobs.wait_for(&["draining"]);
    fs::write(&go, "go\n").unwrap();
    jobs.wait_for(&["done number=1"]);
    assert_eq!(jobs.program.wait().unwrap().code(), Some(0));
    assert!(!fs::exists(&second).unwrap(), "it was given out while the queue was drained");

    // What was left is there.
    let mut jobs = Jobs::start(&folder);
    jobs.wait_for(&["done number=2"]);
    assert!(fs::exists(&second).unwrap());
}

#[test]
fn what_is_queued_outlives_a_crash_of_the_program() {
    let folder = Folder::new("crash");
    let (started, never, done) = (folder.file("started"), folder.file("never"), folder.file("done"));
    for pipe in [&started, &never] {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let mut jobs = Jobs::start(&folder);
    jobs.add(&format!("echo > {started}; test -e {done} || read line < {never}"));
    fs::read_to_string(&started).unwrap();
    jobs.signal("-KILL");
    jobs.program.wait().unwrap();
    // Nobody is there to hear how the command ends.
    fs::write(&never, "").unwrap();

    fs::write(&done, "").unwrap();
    let mut jobs = Jobs::start(&folder);
    fs::read_to_string(&started).unwrap();
    jobs.wait_for(&["done number=1"]);
}
