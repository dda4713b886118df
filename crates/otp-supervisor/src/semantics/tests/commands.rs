use super::day::{Day, Outcome::*, Static, Why};
use crate::semantics::*;

fn rules(id: &'static str) -> ChildRules<&'static str> {
    ChildRules::worker(id)
}

fn day(children: impl IntoIterator<Item = ChildRules<&'static str>>) -> Day<Static> {
    Day::of(Flags { intensity: 5, ..Flags::default() }, children)
}

#[test]
fn supa_01_the_life_of_a_child() {
    let mut day = day([]);
    assert_eq!(day.command(Command::StartChild(rules("a"))), Ok(Answer::Started(1)));
    assert_eq!(day.command(Command::TerminateChild("a")), Ok(Answer::Done));
    assert_eq!(day.command(Command::RestartChild("a")), Ok(Answer::Started(2)));
    assert_eq!(day.command(Command::TerminateChild("a")), Ok(Answer::Done));
    assert_eq!(day.command(Command::DeleteChild("a")), Ok(Answer::Done));
    assert_eq!(day.log(), ["start a", "stop a", "start a", "stop a", "forget a"]);
    assert_eq!(day.children(), "");
}

#[test]
fn supa_02_a_second_child_of_the_same_id() {
    let mut day = day([rules("a")]);
    assert_eq!(day.command(Command::StartChild(rules("a"))), Err(CommandError::AlreadyStarted(1)));
    day.command(Command::TerminateChild("a")).unwrap();
    assert_eq!(day.command(Command::StartChild(rules("a"))), Err(CommandError::AlreadyPresent));
}

#[test]
fn supa_04_an_unknown_id() {
    let mut day = day([]);
    let commands = [Command::TerminateChild("x"), Command::RestartChild("x"), Command::DeleteChild("x")];
    for command in commands {
        assert_eq!(day.command(command), Err(CommandError::NotFound));
    }
    assert_eq!(day.machine.which_child(&"x"), None);
}

#[test]
fn a_running_child_is_neither_restarted_nor_deleted() {
    let mut day = day([rules("a")]);
    assert_eq!(day.command(Command::RestartChild("a")), Err(CommandError::Running));
    assert_eq!(day.command(Command::DeleteChild("a")), Err(CommandError::Running));
}

#[test]
fn terminating_twice_is_fine() {
    let mut day = day([rules("a")]);
    for _ in 0..2 {
        assert_eq!(day.command(Command::TerminateChild("a")), Ok(Answer::Done));
    }
    assert_eq!(day.log(), ["stop a"]);
}

#[test]
fn supa_06_a_terminated_temporary_child_is_forgotten() {
    let temporary = rules("a").restart(Restart::Temporary);
    let mut day = day([temporary.clone()]);
    assert_eq!(day.command(Command::TerminateChild("a")), Ok(Answer::Done));
    assert_eq!(day.log(), ["stop a", "forget a"]);
    assert_eq!(day.command(Command::RestartChild("a")), Err(CommandError::NotFound));
    assert_eq!(day.command(Command::StartChild(temporary)), Ok(Answer::Started(2)));
}

#[test]
fn supa_07_a_new_child_that_fails_is_neither_kept_nor_reported() {
    let mut day = day([rules("a")]);
    day.starts("b", [Fail]);
    assert_eq!(day.command(Command::StartChild(rules("b"))), Err(CommandError::StartFailed("no")));
    assert_eq!(day.log(), ["start b", "forget b"]);
    assert_eq!(day.children(), "a1");
}

#[test]
fn a_failed_restart_child_keeps_the_child_and_is_not_tried_again() {
    let mut day = day([rules("a")]);
    day.command(Command::TerminateChild("a")).unwrap();
    day.log();
    day.starts("a", [Fail, Ignore]);
    assert_eq!(day.command(Command::RestartChild("a")), Err(CommandError::StartFailed("no")));
    assert_eq!(day.children(), "a-");
    assert_eq!(day.command(Command::RestartChild("a")), Ok(Answer::Ignored));
    assert_eq!(day.children(), "a-");
    assert_eq!(day.log(), ["start a", "start a"]);
}

#[test]
fn an_ignored_new_child_is_kept_unless_temporary() {
    let mut day = day([]);
    day.starts("a", [Ignore]);
    assert_eq!(day.command(Command::StartChild(rules("a"))), Ok(Answer::Ignored));
    assert_eq!(day.children(), "a-");
}

#[test]
fn commands_do_not_count_as_restarts() {
    let mut day = Day::of(Flags { intensity: 0, ..Flags::default() }, [rules("a")]);
    for _ in 0..3 {
        day.command(Command::TerminateChild("a")).unwrap();
        day.command(Command::RestartChild("a")).unwrap();
    }
    assert_eq!(day.children(), "a4");
}

#[test]
fn a_new_child_comes_last_and_stops_first() {
    let mut day = Day::of(Flags { strategy: Strategy::OneForAll, ..Flags::default() }, [rules("b")]);
    day.command(Command::StartChild(rules("a"))).unwrap();
    day.log();
    day.exit("b", Why::Crash);
    assert_eq!(day.log(), ["child_terminated b Crash", "stop a", "start b", "start a"]);
}

#[test]
fn unsound_rules_are_refused_before_the_id_is_looked_at() {
    let mut day = day([rules("a")]);
    assert_eq!(
        day.command(Command::StartChild(rules("a").significant(true))),
        Err(CommandError::InvalidRules(RulesError::SignificantNever("a")))
    );
}

#[test]
fn supa_13_the_newest_child_is_listed_first() {
    let mut day = day([rules("a"), rules("b")]);
    day.command(Command::StartChild(rules("c"))).unwrap();
    day.command(Command::TerminateChild("b")).unwrap();
    let listed: Vec<_> = day.machine.which_children().map(|child| (child.rules.id, child.presence)).collect();
    assert_eq!(
        listed,
        [("c", Presence::Running(3)), ("b", Presence::Undefined), ("a", Presence::Running(1))]
    );
}

#[test]
fn supa_15_counts() {
    let mut day = day([rules("a"), rules("b"), ChildRules::supervisor("s")]);
    day.command(Command::TerminateChild("s")).unwrap();
    // b is dead, but its exit has not been handled.
    let counts = day.machine.count_children(|pid| pid != 2);
    assert_eq!(counts, Counts { specs: 3, active: 1, supervisors: 1, workers: 2 });
}

#[test]
fn a_key_is_never_used_twice() {
    let mut day = day([]);
    let mut keys = Vec::new();
    for _ in 0..3 {
        day.command(Command::StartChild(rules("a"))).unwrap();
        keys.push(day.machine.which_child(&"a").unwrap().key);
        day.command(Command::TerminateChild("a")).unwrap();
        day.command(Command::DeleteChild("a")).unwrap();
    }
    assert!(keys.is_sorted_by(|a, b| a < b));
}
