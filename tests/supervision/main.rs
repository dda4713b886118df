//! Supervisors, judged: generated days are played by the reference model, by the rules, by the running supervisor and by
//! real Erlang, and every step must read the same.
//!
//! | variable | |
//! |---|---|
//! | `OTP_ORACLE_CASES` | how many scenarios to draw for Erlang; 5,000 if not set |
//! | `OTP_MODEL_CASES` | how many to draw without Erlang; 20,000 if not set |
//! | `OTP_ORACLE_SEED` | repeats a run; each run prints its own |
//! | `CI` | if `true`, the test fails where there is no Erlang |
//!
//! A disagreement is shrunk and printed in the form of the files in `cases/`, which are played first in each run.

#![allow(clippy::unwrap_used)]

mod core;
#[path = "../oracle/erlang.rs"]
mod erlang;
mod grammar;
mod product;
mod scenario;
mod shell;
mod trace;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    env, fs,
    io::Write,
    path::Path,
    time::SystemTime,
};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use crate::{erlang::Erlang, grammar::Draft, scenario::Scenario, trace::normal};

/// How many scenarios Erlang may be behind us: both work at the same time.
const WINDOW: usize = 64;

/// Who plays scenarios, beside the model and the rules.
struct Judges {
    /// Of the schedules under which the running supervisor plays.
    seed: Cell<u64>,
    erlang: Option<RefCell<Erlang>>,
}

#[test]
fn erlang_agrees() {
    let Some(erlang) = Erlang::start("supervision/supervisors") else {
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
    let release = format!(" against Erlang/OTP {}", erlang.release());
    let judges = Judges { seed: Cell::default(), erlang: Some(RefCell::new(erlang)) };
    replay(&judges);
    enumerate(&judges);
    draw(&judges, number("OTP_ORACLE_CASES").unwrap_or(5_000), &release);
}

#[test]
fn the_supervisor_follows_the_model() {
    let judges = Judges { seed: Cell::default(), erlang: None };
    replay(&judges);
    enumerate(&judges);
    draw(&judges, number("OTP_MODEL_CASES").unwrap_or(20_000), "");
}

/// Plays the scenarios that have told something once.
fn replay(judges: &Judges) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("supervision/cases");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "txt")) {
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let scenario = Scenario::read(&lines.collect::<Vec<_>>().join(";"));
        if let Err(disagreement) = judges.judge(&scenario) {
            panic!("{}: {disagreement}", file.display());
        }
    }
}

/// Plays the table of one child's ends.
fn enumerate(judges: &Judges) {
    let table = product::table();
    assert_eq!(table.len(), 1_620);
    for scenario in table {
        if let Err(disagreement) = judges.judge(&scenario) {
            panic!("{disagreement}");
        }
    }
}

/// Draws scenarios and plays them.
fn draw(judges: &Judges, cases: u64, against: &str) {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into();
    let seed = number("OTP_ORACLE_SEED").unwrap_or_else(now);
    say(&format!("{cases} scenarios of supervisors{against}, OTP_ORACLE_SEED={seed}"));

    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let drafts = grammar::draft();

    let mut behind = VecDeque::with_capacity(WINDOW);
    for case in 0..cases + WINDOW as u64 {
        if case < cases {
            let tree = drafts.new_tree(&mut runner).unwrap();
            judges.seed.set(seed.wrapping_add(case));
            let scenario = grammar::settle(&tree.current());
            judges.ask_erlang(&scenario);
            let here = judges.here(&scenario);
            behind.push_back((tree, scenario, here));
        }
        if behind.len() < WINDOW && case < cases {
            continue;
        }
        let Some((tree, scenario, here)) = behind.pop_front() else { break };
        let there = judges.hear_erlang(&scenario);
        if let Err(told) = here.and(there) {
            judges.seed.set(seed.wrapping_add(case - behind.len() as u64));
            // What else was asked is of no interest now.
            behind.drain(..).for_each(|(_, scenario, _)| drop(judges.hear_erlang(&scenario)));
            shrink(judges, &mut runner, tree, &scenario, &told);
        }
    }
}

impl Judges {
    fn judge(&self, scenario: &Scenario) -> Result<(), String> {
        self.ask_erlang(scenario);
        let here = self.here(scenario);
        let there = self.hear_erlang(scenario);
        here.and(there)
    }

    /// What is played in this program.
    fn here(&self, scenario: &Scenario) -> Result<(), String> {
        compare(scenario, "the core", &core::play(scenario))?;
        let (model, ours) = (trace::of_model_seen(scenario), shell::play(scenario, self.seed.get()));
        let ours = trace::without(&ours, &trace::orphans(scenario));
        tell(scenario, "the supervisor", &normal(scenario, &model), &normal(scenario, &ours))
    }

    fn ask_erlang(&self, scenario: &Scenario) {
        if let Some(erlang) = &self.erlang {
            erlang.borrow_mut().play(&scenario.text());
        }
    }

    fn hear_erlang(&self, scenario: &Scenario) -> Result<(), String> {
        let Some(erlang) = &self.erlang else { return Ok(()) };
        let trace = erlang.borrow_mut().trace();
        compare(scenario, "Erlang", &trace)
    }
}

/// Holds a trace against the model's.
fn compare(scenario: &Scenario, who: &str, trace: &str) -> Result<(), String> {
    let (model, other) = (normal(scenario, &trace::of_model(scenario)), normal(scenario, trace));
    tell(scenario, who, &model, &other)
}

/// The error is the scenario up to the first step that reads differently, and what it reads.
fn tell(scenario: &Scenario, who: &str, model: &[String], other: &[String]) -> Result<(), String> {
    if model == other {
        return Ok(());
    }
    let text = scenario.text();
    let (tree, steps): (Vec<_>, Vec<_>) =
        text.split(';').partition(|line| line.starts_with("tree") || line.starts_with("child"));
    let mut told = format!("not what the model says: {who}.\n\n{}\n", tree.join("\n"));
    let steps = std::iter::once("(it starts)").chain(steps);
    for (index, step) in steps.enumerate() {
        told += &format!("{step}\n");
        let (model, other) = (model.get(index), other.get(index));
        if model != other {
            told += &format!("  model: {}\n  other: {}\n", model.map_or("", |s| s), other.map_or("", |s| s));
            break;
        }
    }
    Err(told)
}

/// Makes the scenario as small as it gets and fails with it.
fn shrink(
    judges: &Judges,
    runner: &mut TestRunner,
    tree: impl ValueTree<Value = Draft>,
    first: &Scenario,
    told: &str,
) -> ! {
    let disagree = |scenario: &Scenario| judges.judge(scenario).map_err(TestCaseError::fail);
    let shrunk = runner.run_one(tree, |draft| disagree(&grammar::settle(&draft)));
    let Err(TestError::Fail(_, smallest)) = shrunk else {
        panic!(
            "a disagreement that does not repeat: somebody is not deterministic in\n{}\n{told}",
            file_form(first)
        );
    };
    let mut smallest = grammar::settle(&smallest);
    // Steps that are not needed, as it was settled who is meant in the others.
    let mut index = 0;
    while index < smallest.steps.len() {
        let mut fewer = smallest.clone();
        fewer.steps.remove(index);
        match judges.judge(&fewer) {
            Err(_) => smallest = fewer,
            Ok(()) => index += 1,
        }
    }
    let Err(told) = judges.judge(&smallest) else {
        panic!("a disagreement that does not always repeat in\n{}", file_form(&smallest));
    };
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("supervision-disagreement.txt");
    fs::write(&file, file_form(&smallest)).unwrap();
    panic!("{told}\n{} holds it, to be named and moved to tests/supervision/cases", file.display());
}

fn file_form(scenario: &Scenario) -> String {
    format!("# what it tells\n{}\n", scenario.text().replace(';', "\n"))
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|value| value.parse().unwrap())
}

/// Past the test harness, which keeps what a test prints to itself when it passes.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

#[test]
fn a_scenario_is_read_as_it_is_written() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..200 {
        let scenario = grammar::settle(&grammar::draft().new_tree(&mut runner).unwrap().current());
        assert_eq!(Scenario::read(&scenario.text()).text(), scenario.text());
    }
}

/// A grammar that does not come to what is hard tests nothing.
#[test]
fn everything_is_drawn_some_time() {
    let mut missing = vec![
        "child_terminated normal",
        "child_terminated killed",
        "start_error",
        "gave_up",
        "shutdown_error killed 1",
        "shutdown_error crash",
        "* shutdown_error killed 2",
        "done",
        "ignored",
        "failed",
        "already_started",
        "already_present",
        "running",
        "restarting",
        "not_found",
        "significant_never",
        "significant_permanent",
        "gone",
        "ended stop",
        "/d#2 ",
    ];
    let mut runner = TestRunner::deterministic();
    let drafts = grammar::draft();
    for _ in 0..5_000 {
        let scenario = grammar::settle(&drafts.new_tree(&mut runner).unwrap().current());
        let trace = trace::of_model(&scenario);
        missing.retain(|word| !trace.contains(word));
    }
    assert!(missing.is_empty(), "never came to {missing:?}");
}
