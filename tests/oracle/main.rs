//! Real Erlang as the judge of the process primitives: generated scenarios are played here and there, and every step
//! must read the same. What differs on purpose stands in `differences.rs`.
//!
//! | variable | |
//! |---|---|
//! | `OTP_ORACLE_CASES` | how many scenarios to draw; 5,000 if not set |
//! | `OTP_ORACLE_SEED` | repeats a run; each run prints its own |
//! | `CI` | if `true`, the test fails where there is no Erlang |
//!
//! A disagreement is shrunk and printed in the form of the files in `cases/`, which are played first in each run.

#![allow(clippy::unwrap_used)]

mod differences;
mod erlang;
mod grammar;
mod normal;
mod ours;

use std::{collections::VecDeque, env, fs, io::Write, path::Path, time::SystemTime};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use tokio::runtime::{Builder, Runtime};

use crate::{
    erlang::Erlang,
    grammar::{Book, Scenario},
    normal::normal,
    ours::Play,
};

/// How many scenarios Erlang may be behind us: both work at the same time.
const WINDOW: usize = 128;

#[test]
fn erlang_agrees() {
    let Some(mut erlang) = Erlang::start("oracle/primitives") else {
        assert_ne!(
            env::var("CI").as_deref(),
            Ok("true"),
            "there is no Erlang, and CI must have one: see .ci/oracle"
        );
        say(
            "NOT COMPARED WITH ERLANG: there is no `erlc` on the PATH (on Debian: apt-get install erlang-base)",
        );
        return;
    };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    replay(&runtime, &mut erlang);
    draw(&runtime, &mut erlang);
}

/// Plays the scenarios that have told something once.
fn replay(runtime: &Runtime, erlang: &mut Erlang) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/cases");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "txt")) {
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let scenario = lines.collect::<Vec<_>>().join(";");
        if let Err(disagreement) = compare_text(runtime, erlang, &scenario) {
            panic!("{}: {disagreement}", file.display());
        }
    }
}

/// Draws scenarios and plays them.
fn draw(runtime: &Runtime, erlang: &mut Erlang) {
    let number = |variable| env::var(variable).ok().map(|value| value.parse::<u64>().unwrap());
    let cases = number("OTP_ORACLE_CASES").unwrap_or(5_000);
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into();
    let seed = number("OTP_ORACLE_SEED").unwrap_or_else(now);
    say(&format!("{cases} scenarios against Erlang/OTP {}, OTP_ORACLE_SEED={seed}", erlang.release()));

    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let scenarios = grammar::scenario();

    let mut behind = VecDeque::with_capacity(WINDOW);
    for case in 0..cases + WINDOW as u64 {
        if case < cases {
            let tree = scenarios.new_tree(&mut runner).unwrap();
            let (scenario, ours) = runtime.block_on(play(&tree.current()));
            erlang.play(&scenario);
            behind.push_back((tree, scenario, ours));
        }
        if behind.len() < WINDOW && case < cases {
            continue;
        }
        let Some((tree, scenario, ours)) = behind.pop_front() else { break };
        if compare(&scenario, &ours, &erlang.trace()).is_err() {
            // What else was asked is of no interest now.
            behind.drain(..).for_each(|_| drop(erlang.trace()));
            shrink(runtime, erlang, &mut runner, tree, &scenario);
        }
    }
}

/// Makes the scenario as small as it gets and fails with it.
fn shrink(
    runtime: &Runtime,
    erlang: &mut Erlang,
    runner: &mut TestRunner,
    tree: impl ValueTree<Value = Scenario>,
    first: &str,
) -> ! {
    let erlang = std::cell::RefCell::new(erlang);
    let disagree = |scenario: &Scenario| {
        let (scenario, ours) = runtime.block_on(play(scenario));
        let mut erlang = erlang.borrow_mut();
        erlang.play(&scenario);
        let compared = compare(&scenario, &ours, &erlang.trace());
        compared.map_err(|disagreement| (scenario, disagreement))
    };
    let shrunk = runner.run_one(tree, |scenario| {
        disagree(&scenario).map_err(|(_, disagreement)| TestCaseError::fail(disagreement))
    });
    let Err(TestError::Fail(_, smallest)) = shrunk else {
        panic!(
            "a disagreement that does not repeat: one of the two is not deterministic in\n{}",
            file_form(first)
        );
    };
    let Err((scenario, told)) = disagree(&smallest) else {
        panic!("a disagreement that does not always repeat in {smallest:?}");
    };
    let (scenario, told) = leave_out(runtime, &mut erlang.borrow_mut(), scenario, told);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disagreement.txt");
    fs::write(&file, file_form(&scenario)).unwrap();
    panic!("{told}\n{} holds it, to be named and moved to tests/oracle/cases", file.display());
}

/// Leaves out each step that is not needed. As long as it was not settled who is meant in a step, that depended on
/// the other steps. Who traps stays as it was: whether a burst has one outcome only may hang on that.
fn leave_out(
    runtime: &Runtime,
    erlang: &mut Erlang,
    mut scenario: String,
    mut told: String,
) -> (String, String) {
    let mut index = 1;
    loop {
        let mut steps: Vec<_> = scenario.split(';').collect();
        if index >= steps.len() {
            return (scenario, told);
        }
        if steps.remove(index).contains("trap") {
            index += 1;
            continue;
        }
        let fewer = steps.join(";");
        index += 1;
        if names_only_the_born(&fewer)
            && let Err(disagreement) = compare_text(runtime, erlang, &fewer)
        {
            (scenario, told, index) = (fewer, disagreement, 1);
        }
    }
}

/// Whether each process of the scenario is spawned before it is named.
fn names_only_the_born(scenario: &str) -> bool {
    let mut words = scenario.split([';', ',', ' ']);
    let count: usize = words.next().unwrap().parse().unwrap();
    let mut born: Vec<_> = (1..=count).map(|number| format!("p{number}")).collect();
    let mut spawning = false;
    words.all(|word| {
        if spawning {
            born.push(word.to_owned());
        }
        spawning = word.starts_with("spawn");
        !word.starts_with('p') || born.iter().any(|name| name == word)
    })
}

fn file_form(scenario: &str) -> String {
    format!("# what it tells\n{}\n", scenario.replace(';', "\n"))
}

/// Plays a drawn scenario here. Returns it as a text, in which it is settled who is meant, and its trace.
async fn play((count, drafts): &Scenario) -> (String, String) {
    let (play, mut book) = (Play::new(*count).await, Book::new(*count));
    let (mut scenario, mut traces) = (vec![count.to_string()], Vec::new());
    for draft in drafts {
        let Some(step) = book.settle(draft, &play.living()) else { break };
        traces.push(play.step(&step).await);
        scenario.push(step);
    }
    for step in book.last_steps() {
        traces.push(play.step(&step).await);
        scenario.push(step);
    }
    (scenario.join(";"), traces.join(";"))
}

/// Plays a scenario that is a text already, here and there.
fn compare_text(runtime: &Runtime, erlang: &mut Erlang, scenario: &str) -> Result<(), String> {
    erlang.play(scenario);
    let ours = runtime.block_on(async {
        let mut steps = scenario.split(';');
        let play = Play::new(steps.next().unwrap().parse().unwrap()).await;
        let mut traces = Vec::new();
        for step in steps {
            traces.push(play.step(step).await);
        }
        traces.join(";")
    });
    compare(scenario, &ours, &erlang.trace())
}

/// The error is the scenario up to the first step that reads differently, and what it reads.
fn compare(scenario: &str, ours: &str, theirs: &str) -> Result<(), String> {
    if ours == theirs {
        return Ok(());
    }
    let (ours, theirs) = (normal(ours), normal(theirs));
    if ours == theirs {
        return Ok(());
    }
    let (count, steps) = scenario.split_once(';').unwrap_or((scenario, ""));
    let mut told = format!("Erlang does not agree.\n\n{count}\n");
    for (index, step) in steps.split(';').enumerate() {
        let (ours, theirs) = (ours.get(index), theirs.get(index));
        told += &format!("{step}\n");
        if ours != theirs {
            told +=
                &format!("  here:   {}\n  Erlang: {}\n", ours.map_or("", |s| s), theirs.map_or("", |s| s));
            break;
        }
    }
    Err(told)
}

/// Past the test harness, which keeps what a test prints to itself when it passes.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}
