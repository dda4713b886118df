//! The word count as its users see it: a program, a directory, two streams of lines and an exit code.

#![allow(clippy::unwrap_used)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("wordcount-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("deep/er")).unwrap();
        Self(path)
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn wordcount(root: &Path) -> Output {
    let test = env::current_exe().unwrap();
    let directory = test.ancestors().nth(2).unwrap().join("examples");
    let program = directory.join(format!("wordcount{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "not built: run by `cargo test -p otp-examples`, which builds the examples");
    Command::new(program).arg(root).output().unwrap()
}

/// The lines, their columns one space apart.
fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_file_is_counted_and_the_total() {
    let directory = Directory::new("whole");
    directory.write("b", "one two\nthree\n");
    directory.write("a", "");
    directory.write("deep/er/c", "\tfour  five ");
    let output = wordcount(&directory.0);
    let root = directory.0.display();
    assert_eq!(
        lines(&output.stdout),
        [
            format!("0 0 0 {root}/a"),
            format!("2 3 14 {root}/b"),
            format!("0 2 12 {root}/deep/er/c"),
            "2 5 26 total of 3 files".to_owned(),
        ]
    );
    assert_eq!(lines(&output.stderr), Vec::<String>::new());
    assert_eq!(output.status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_bad_file_fails_alone() {
    let directory = Directory::new("bad");
    directory.write("good", "one\n");
    // Not by its permissions: those do not keep root from reading.
    std::os::unix::fs::symlink("nowhere", directory.0.join("bad")).unwrap();
    let output = wordcount(&directory.0);
    let root = directory.0.display();
    let good = [format!("1 1 4 {root}/good"), "1 1 4 total of 1 files".to_owned()];
    assert_eq!(lines(&output.stdout), good);
    let errors = lines(&output.stderr);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with(&format!("wordcount: {root}/bad: No such file")), "{errors:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_directory_that_is_not_there_is_said_so() {
    let output = wordcount(Path::new("/nowhere/at/all"));
    let errors = lines(&output.stderr);
    assert!(errors[0].starts_with("wordcount: /nowhere/at/all: No such file"), "{errors:?}");
    assert_eq!(output.status.code(), Some(1));
}
