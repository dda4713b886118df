use super::day::{Day, Outcome::*, Static};
use crate::semantics::*;

fn rules(id: &'static str) -> ChildRules<&'static str> {
    ChildRules::worker(id)
}

#[test]
fn children_start_in_order_and_progress_is_reported() {
    let mut day = Day::dark(Flags::default(), ["a", "b", "c"].map(rules));
    day.boot();
    assert_eq!(day.children(), "a1 b2 c3");
    assert_eq!(day.progress, ["\"a\"", "\"b\"", "\"c\""]);
    assert_eq!(day.machine.awaiting(), Awaiting::Message);
}

#[test]
fn a_supervisor_without_children_is_ready_at_once() {
    let mut day = Day::dark(Flags::default(), []);
    day.boot();
    assert_eq!(day.machine.awaiting(), Awaiting::Message);
}

#[test]
fn sup_03_an_ignored_child_is_listed_without_a_process() {
    let mut day = Day::dark(Flags::default(), ["a", "b"].map(rules));
    day.starts("a", [Ignore]);
    day.boot();
    assert_eq!(day.children(), "a- b1");
    assert_eq!(day.progress.len(), 1, "ignore is no progress");
}

#[test]
fn sup_04_a_temporary_ignored_child_is_forgotten() {
    let temporary = rules("a").restart(Restart::Temporary);
    let mut day = Day::dark(Flags::default(), [temporary.clone(), rules("b")]);
    day.starts("a", [Ignore]);
    day.boot();
    assert_eq!(day.children(), "b1");

    day.starts("a", [Ignore]);
    assert_eq!(day.command(Command::StartChild(temporary)), Ok(Answer::Ignored));
    assert_eq!(day.log(), ["start a", "forget a"]);
    assert_eq!(day.children(), "b1");
}

#[test]
fn sup_06_a_failing_child_rolls_back_in_reverse() {
    let children = [rules("a"), rules("t").restart(Restart::Temporary), rules("b"), rules("c")];
    let mut day = Day::dark(Flags::default(), children);
    day.starts("b", [Fail]);
    day.boot();
    assert_eq!(
        day.log(),
        [
            "start a",
            "start t",
            "start b",
            "start_error b no",
            "stop t",
            "forget t",
            "stop a",
            "exit failed \"b\" no",
        ]
    );
    assert_eq!(day.machine.awaiting(), Awaiting::Nothing);
}

#[test]
fn sup_07_a_failure_at_boot_is_never_retried() {
    let flags = Flags { intensity: 100, ..Flags::default() };
    let mut day = Day::dark(flags, [rules("a")]);
    day.starts("a", [Fail]);
    day.boot();
    assert_eq!(day.log(), ["start a", "start_error a no", "exit failed \"a\" no"]);
}

#[test]
fn sup_11_defaults_are_filled_in() {
    assert_eq!(
        rules("a"),
        ChildRules {
            id: "a",
            restart: Restart::Permanent,
            significant: false,
            shutdown: Shutdown::After(std::time::Duration::from_secs(5)),
            child_type: ChildType::Worker,
            backoff: None,
        }
    );
    assert_eq!(Flags::default().intensity, 1);
    assert_eq!(Flags::default().period.as_secs(), 5);
}

#[test]
fn sup_12_a_supervisor_has_any_time_to_end() {
    assert_eq!(ChildRules::supervisor("s").shutdown, Shutdown::Infinity);
}

#[test]
fn sup_14_a_zero_period_is_refused_before_the_children_are_looked_at() {
    let flags = Flags { period: std::time::Duration::ZERO, ..Flags::default() };
    let error = Static::new(flags, ["a", "a"].map(rules)).unwrap_err();
    assert_eq!(error, SetupError::Flags(FlagsError::InvalidPeriod));
    let flags = FactoryFlags { period: std::time::Duration::ZERO, ..FactoryFlags::default() };
    assert_eq!(super::day::Dynamic::new(flags).unwrap_err(), FlagsError::InvalidPeriod);
}

#[test]
fn sup_15_significant_under_never_is_named_before_significant_permanent() {
    let child = rules("a").significant(true);
    let refused = |auto_shutdown, child: &ChildRules<_>| {
        Static::new(Flags { auto_shutdown, ..Flags::default() }, [child.clone()]).err()
    };
    assert_eq!(
        refused(AutoShutdown::Never, &child),
        Some(SetupError::Rules(RulesError::SignificantNever("a")))
    );
    for auto_shutdown in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
        assert_eq!(
            refused(auto_shutdown, &child),
            Some(SetupError::Rules(RulesError::SignificantPermanent("a")))
        );
        assert_eq!(refused(auto_shutdown, &child.clone().restart(Restart::Transient)), None);
    }
    // As `check_childspecs/1` does, which knows no automatic shutdown.
    assert_eq!(child.check(None), Err(RulesError::SignificantPermanent("a")));
    assert_eq!(child.restart(Restart::Temporary).check(None), Ok(()));
}

#[test]
fn sup_19_the_first_wrong_child_is_named() {
    let twice = ["a", "b", "a"].map(rules);
    let error = Static::new(Flags::default(), twice).unwrap_err();
    assert_eq!(error, SetupError::Rules(RulesError::Duplicate("a")));

    let both = [rules("a"), rules("a"), rules("b").significant(true)];
    let error = Static::new(Flags::default(), both).unwrap_err();
    assert_eq!(error, SetupError::Rules(RulesError::Duplicate("a")));
}
