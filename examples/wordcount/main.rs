//! Counts the words of all files under a directory, as many files at a time as there are cores.
//!
//! ```text
//! cargo run --release --package otp-examples --example wordcount -- some/directory
//! ```
//!
//! Each file is a task on a thread of its own. One that cannot be read, or crashes what reads it, fails alone: it gets
//! a line on stderr, all others are counted, and the program ends with 1. On a terminal a bar shows how far it has come.

mod count;
mod files;

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use erlang_process as process;
use indicatif::{ProgressBar, ProgressStyle};
use otp_task::{self as task, ProgressWatch};

use crate::count::Counts;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(root), None) = (arguments.next(), arguments.next()) else {
        let _ = writeln!(io::stderr(), "Usage: wordcount DIRECTORY");
        return ExitCode::from(2);
    };
    // A file whose reading panics is a failed file, and no text on the screen.
    process::capture_panics();
    match process::run(count_all(PathBuf::from(root))).await {
        Ok(Ok(0)) => ExitCode::SUCCESS,
        Ok(Ok(_)) => ExitCode::FAILURE,
        Ok(Err(error)) => complain(&error),
        Err(reason) => complain(&reason),
    }
}

fn complain(error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "wordcount: {error}");
    ExitCode::FAILURE
}

/// Counts every file, and tells how many have failed.
async fn count_all(root: PathBuf) -> io::Result<usize> {
    let listing = task::spawn_blocking(move || files::under(&root));
    let (files, unreadable) = listing.await_or_exit(Duration::MAX).await;
    let bar = ProgressBar::new(files.len() as u64).with_style(style());
    let mut failures = 0;
    for (path, error) in unreadable {
        failures += 1;
        failed(&bar, &path, &error);
    }

    let mut counts =
        task::async_stream(files, count_one).unlinked().timeout(Duration::MAX).zip_input_on_exit();
    let drawing = task::spawn(draw(bar.clone(), counts.progress()));
    let (mut total, mut files) = (Counts::default(), 0);
    while let Some(outcome) = counts.next().await {
        match outcome {
            Ok((path, Ok(counts))) => {
                files += 1;
                total += counts;
                let line = format!("{counts} {}", path.display());
                bar.suspend(|| writeln!(io::stdout(), "{line}"))?;
            }
            Ok((path, Err(error))) => {
                failures += 1;
                failed(&bar, &path, &error);
            }
            Err(crashed) => {
                failures += 1;
                failed(&bar, &crashed.input, &crashed.error);
            }
        }
    }
    drop(counts);
    let _ = drawing.await_forever().await;
    bar.finish_and_clear();
    writeln!(io::stdout(), "{total} total of {files} files")?;
    Ok(failures)
}

/// Runs in a task; what blocks runs in one with a thread of its own.
async fn count_one(path: PathBuf) -> (PathBuf, io::Result<Counts>) {
    let reading = task::spawn_blocking(move || {
        let counts = count::file(&path);
        (path, counts)
    });
    reading.await_or_exit(Duration::MAX).await
}

fn failed(bar: &ProgressBar, path: &Path, error: &dyn std::error::Error) {
    bar.suspend(|| drop(writeln!(io::stderr(), "wordcount: {}: {error}", path.display())));
}

/// Moves the bar as the tasks end.
async fn draw(bar: ProgressBar, mut progress: ProgressWatch) {
    while let Some(now) = progress.changed().await {
        bar.set_position(now.done as u64);
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len} files, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
