//! The BEAM: processes of Erlang, `gen_server`, `supervisor`, and Elixir's `Task` in Erlang's words.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::Sample;
use crate::{
    measure::number,
    row::{FAN, Failure, NAMES, RING, Row, Threads, Work},
};

pub(super) fn sample(row: &Row) -> Option<Sample> {
    let (work, more) = match row.work {
        Work::Spawn { linked: false } => ("spawn", vec![]),
        // A process that has two hundred thousand links takes a minute to lose them.
        Work::Spawn { linked: true } => return None,
        Work::Idle { linked: false } => ("idle", vec![]),
        Work::Idle { linked: true } => ("idle_linked", vec![]),
        Work::Call { timeout: false } => ("call", vec![]),
        Work::Call { timeout: true } => ("call_with_timeout", vec![]),
        Work::Send { producers } => ("send", vec![producers]),
        // Whoever sends is a process.
        Work::SendFromThreads { .. } => return None,
        Work::Ring { tokens } => ("ring", vec![RING, tokens]),
        Work::FanOut => ("fan_out", vec![FAN]),
        Work::Lookup { lookers } => ("lookup", vec![NAMES, lookers]),
        Work::NamedSend { producers } => ("named_send", vec![NAMES, producers]),
        Work::Monitor => ("monitor", vec![]),
        Work::Restart { by: Failure::Error } => ("restart_by_error", vec![]),
        // There is but one way to crash.
        Work::Restart { by: Failure::Panic } => return None,
        Work::SupervisorStart => ("supervisor_start", vec![]),
        Work::SupervisorStop => ("supervisor_stop", vec![]),
        Work::Tasks => ("tasks", vec![]),
        Work::ActorStart => ("actor_start", vec![]),
        Work::ActorIdle => ("actor_idle", vec![]),
        Work::ActorCall => ("actor_call", vec![]),
        Work::ActorSend { producers } => ("actor_send", vec![producers]),
    };
    let compiled = compiled()?;
    let arguments: Vec<u64> = [row.count].into_iter().chain(more).collect();
    let threads = row.threads;
    Some(Sample::Elsewhere(Box::new(move || number(&run(&compiled, threads, work, &arguments)))))
}

/// What a piece of work prints; `None` where there is no Erlang.
pub(crate) fn print(threads: Threads, work: &str, arguments: &[u64]) -> Option<String> {
    Some(run(&compiled()?, threads, work, arguments))
}

fn run(compiled: &Path, threads: Threads, work: &str, arguments: &[u64]) -> String {
    let schedulers = match threads {
        Threads::Current => "1:1",
        Threads::Two => "2:2",
    };
    let mut erl = Command::new("erl");
    erl.args(["-noinput", "-boot", "start_clean", "+S", schedulers, "+P", "2000000", "-pa"]).arg(compiled);
    erl.args(["-run", "otp_bench", "main", work]).args(arguments.iter().map(u64::to_string));
    let output = erl.output().expect("who has a compiler has Erlang");
    assert!(output.status.success(), "{work}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The folder of the compiled module; `None` where there is no Erlang. It is compiled beside this program, once
/// for each build.
fn compiled() -> Option<PathBuf> {
    let program = env::current_exe().expect("a program knows its path");
    let folder = program.with_file_name("otp-bench-beam");
    let age = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if age(&folder.join("otp_bench.beam")) > age(&program) {
        return Some(folder);
    }
    fs::create_dir_all(&folder).expect("where the program was built there is room");
    let source = folder.join("otp_bench.erl");
    fs::write(&source, include_str!("otp_bench.erl")).expect("where the program was built there is room");
    let compiled = match Command::new("erlc").arg("-o").arg(&folder).arg(source).status() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        compiled => compiled.expect("a compiler starts"),
    };
    assert!(compiled.success(), "the module for the BEAM does not compile");
    Some(folder)
}
