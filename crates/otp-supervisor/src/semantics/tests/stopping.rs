use super::day::{Day, Why};
use crate::semantics::*;

fn rules(id: &'static str) -> ChildRules<&'static str> {
    ChildRules::worker(id)
}

#[test]
fn supt_01_children_stop_in_reverse_and_the_supervisor_ends_as_asked() {
    let mut day = Day::of(Flags::default(), ["a", "b", "c"].map(rules));
    day.post(Event::ShutDown { reason: Why::ShutdownWith(7) }).settle();
    assert_eq!(day.log(), ["stop c", "stop b", "stop a", "exit ShutdownWith(7)"]);
}

#[test]
fn supt_02_and_04_the_shell_is_told_how_patient_to_be() {
    let patience = [Shutdown::BrutalKill, Shutdown::After(std::time::Duration::ZERO), Shutdown::Infinity];
    for shutdown in patience {
        let mut day = Day::of(Flags::default(), [rules("a").shutdown(shutdown)]);
        let effects = day.machine.handle(day.now, Event::ShutDown { reason: Why::Shutdown }).unwrap();
        let key = day.machine.which_child(&"a").unwrap().key;
        assert_eq!(effects, [Effect::Stop(Stop { key, pid: 1, shutdown })]);
    }
}

#[test]
fn supt_05_a_permanent_child_that_ends_normally_when_told_to_is_reported() {
    let mut day = Day::of(Flags::default(), [rules("a"), rules("b").restart(Restart::Transient)]);
    day.ends("a", Why::Normal).ends("b", Why::Normal);
    assert_eq!(day.command(Command::TerminateChild("a")), Ok(Answer::Done));
    assert_eq!(day.command(Command::TerminateChild("b")), Ok(Answer::Done));
    assert_eq!(day.log(), ["stop a", "shutdown_error a Normal x1", "stop b"]);
}

#[test]
fn a_child_that_must_be_killed_is_reported() {
    let mut day = Day::of(Flags::default(), [rules("a")]);
    day.ends("a", Why::Killed).post(Event::ShutDown { reason: Why::Shutdown }).settle();
    assert_eq!(day.log(), ["stop a", "shutdown_error a Killed x1", "exit Shutdown"]);
}

#[test]
fn a_child_that_died_a_moment_before_is_reported_with_its_own_reason() {
    let mut day = Day::of(Flags::default(), ["a", "b"].map(rules));
    day.post(Event::ShutDown { reason: Why::Shutdown }).dies("a", Why::Crash).settle();
    assert_eq!(day.log(), ["stop b", "stop a", "shutdown_error a Crash x1", "exit Shutdown"]);
}

#[test]
fn supt_14_a_parent_that_ends_normally_ends_its_supervisor_normally() {
    let mut day = Day::of(Flags::default(), [rules("a")]);
    day.post(Event::ShutDown { reason: Why::Normal }).settle();
    assert_eq!(day.log(), ["stop a", "exit Normal"]);
}

#[test]
fn supt_19_a_failing_leaf_names_itself_up_the_tree() {
    let mut inner = Day::dark(Flags::default(), [rules("leaf")]);
    inner.starts("leaf", [super::day::Outcome::Fail]);
    inner.boot();
    assert_eq!(inner.log().pop().as_deref(), Some("exit failed \"leaf\" no"));
}
