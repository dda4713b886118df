//! Other flags and children for a supervisor that runs.

use super::day::{Day, Outcome::Fail, Why, secs};
use crate::semantics::*;

fn rules(id: &'static str) -> ChildRules<&'static str> {
    ChildRules::worker(id)
}

fn change(
    day: &mut Day<super::day::Static>,
    flags: Flags,
    children: impl IntoIterator<Item = ChildRules<&'static str>>,
) -> super::day::Reply<&'static str> {
    day.command(Command::Change(flags, children.into_iter().collect()))
}

#[test]
fn supa_20_flags_and_children_are_changed() {
    let mut day = Day::of(Flags { intensity: 0, ..Flags::default() }, ["a", "b", "c"].map(rules));
    let flags = Flags { strategy: Strategy::RestForOne, intensity: 2, ..Flags::default() };
    let children = [rules("c").restart(Restart::Temporary), rules("new"), rules("a")];
    assert_eq!(change(&mut day, flags, children), Ok(Answer::Done));
    assert_eq!(day.log(), ["rekey c +new a b"], "what is not mentioned stays, and comes last");
    assert_eq!(day.children(), "c3 new- a1 b2", "nobody is started or stopped");
    assert_eq!(day.machine.which_child(&"c").unwrap().rules.restart, Restart::Temporary);

    // The new strategy, order and intensity hold, as do the new rules.
    day.exit("a", Why::Crash);
    assert_eq!(day.log(), ["child_terminated a Crash", "stop b", "start a", "start b"]);
    day.exit("c", Why::Normal);
    assert_eq!(day.log(), ["forget c"]);
    assert_eq!(day.command(Command::RestartChild("new")), Ok(Answer::Started(6)));
}

#[test]
fn supa_21_nothing_is_changed_to_what_makes_no_sense() {
    let mut day = Day::of(Flags { intensity: 0, ..Flags::default() }, [rules("a")]);
    let zero = Flags { period: secs(0), ..Flags::default() };
    assert_eq!(
        change(&mut day, zero, [rules("b")]),
        Err(CommandError::InvalidFlags(FlagsError::InvalidPeriod))
    );
    let flags = Flags { intensity: 100, ..Flags::default() };
    assert_eq!(
        change(&mut day, flags, [rules("b"), rules("b")]),
        Err(CommandError::InvalidRules(RulesError::Duplicate("b")))
    );
    assert_eq!(
        change(&mut day, flags, [rules("b").significant(true)]),
        Err(CommandError::InvalidRules(RulesError::SignificantNever("b")))
    );
    assert_eq!(day.children(), "a1");
    day.exit("a", Why::Crash);
    assert_eq!(day.log().last().unwrap(), "exit Shutdown", "the intensity is still zero");
}

#[test]
fn supx_11_another_automatic_shutdown_decides_from_the_next_end_on() {
    use AutoShutdown::{AllSignificant, AnySignificant, Never};
    let child = |id| rules(id).restart(Restart::Transient).significant(true);
    let flags = |auto_shutdown| Flags { auto_shutdown, ..Flags::default() };

    let mut day = Day::of(flags(AnySignificant), ["a", "b", "c"].map(child));
    change(&mut day, flags(Never), []).unwrap();
    day.exit("a", Why::Normal);
    assert_eq!(day.children(), "a- b2 c3");
    change(&mut day, flags(AllSignificant), []).unwrap();
    day.exit("b", Why::Normal);
    assert_eq!(day.children(), "a- b- c3");
    change(&mut day, flags(AnySignificant), []).unwrap();
    day.log();
    day.exit("c", Why::Normal);
    assert_eq!(day.log(), ["exit Shutdown"]);
}

#[test]
fn supx_12_a_running_child_becomes_significant() {
    let child = rules("a").restart(Restart::Transient);
    let flags = Flags { auto_shutdown: AutoShutdown::AllSignificant, ..Flags::default() };
    let mut day = Day::of(flags, [child.clone(), rules("b")]);
    change(&mut day, flags, [child.significant(true)]).unwrap();
    day.log();
    day.exit("a", Why::Normal);
    assert_eq!(day.log(), ["stop b", "exit Shutdown"]);
}

#[test]
fn a_child_that_is_being_restarted_is_restarted_all_the_same() {
    let flags = Flags { intensity: 2, ..Flags::default() };
    let mut day = Day::of(flags, ["a", "b"].map(rules));
    day.starts("b", [Fail]).dies("b", Why::Crash).step();
    assert_eq!(day.children(), "a1 b~");
    assert_eq!(day.command_now(Command::Change(flags, vec![rules("b")])), Ok(Answer::Done));
    day.settle();
    assert_eq!(day.children(), "b3 a1");
}

#[test]
fn a_restart_that_is_put_off_stays_so_and_counts_once() {
    let backoff = Backoff::new(secs(2), secs(2));
    let flags = Flags { strategy: Strategy::OneForAll, ..Flags::default() };
    let mut day = Day::of(flags, [rules("a").backoff(backoff), rules("b")]);
    day.exit("a", Why::Crash);
    day.later(secs(1));
    change(&mut day, flags, [rules("b"), rules("a").backoff(backoff)]).unwrap();
    assert_eq!(day.log().last().unwrap(), "retry a in 1s");
    day.later(secs(1));
    assert_eq!(day.children(), "b3 a4");
}

#[test]
fn a_group_that_waits_for_a_child_that_does_not_end_still_does() {
    let flags = Flags { strategy: Strategy::OneForAll, ..Flags::default() };
    let mut day = Day::of(flags, ["a", "b"].map(rules));
    day.is_stuck("b").exit("a", Why::Crash);
    change(&mut day, flags, [rules("b"), rules("a")]).unwrap();
    assert_eq!(day.children(), "b!2 a~");
    day.is_gone("b");
    assert_eq!(day.children(), "b3 a4");
}

#[test]
fn a_restart_that_is_due_when_the_change_comes_is_not_lost() {
    let backoff = Backoff::new(secs(2), secs(2));
    let mut day = Day::of(Flags::default(), [rules("a").backoff(backoff)]);
    day.exit("a", Why::Crash);
    day.now += secs(2);
    // The reminder, which does not know the new key, lies behind the change.
    change(&mut day, Flags::default(), [rules("a").backoff(backoff)]).unwrap();
    assert_eq!(day.log()[2..], ["rekey a", "retry a", "start a"]);
    day.later(secs(60));
    assert_eq!(day.children(), "a2");
}

#[test]
fn a_group_restart_forgets_who_is_temporary_without_a_process() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let flags = Flags { strategy, ..Flags::default() };
        let mut day = Day::of(flags, [rules("a"), rules("b").restart(Restart::Transient)]);
        day.exit("b", Why::Normal);
        let temporary = ["b", "new"].map(|id| rules(id).restart(Restart::Temporary));
        change(&mut day, flags, [rules("a")].into_iter().chain(temporary)).unwrap();
        day.log();
        day.exit("a", Why::Crash);
        assert_eq!(day.log(), ["child_terminated a Crash", "forget new", "forget b", "start a"]);
        assert_eq!(day.children(), "a3");
    }
}

/// A supervisor whose `a` has crashed and whose `b` could not be started again, and is temporary by now.
fn with_a_temporary_pivot(strategy: Strategy, backoff: Option<Backoff>) -> Day<super::day::Static> {
    let flags = Flags { strategy, intensity: 9, ..Flags::default() };
    let b = ChildRules { backoff, ..rules("b") };
    let mut day = Day::of(flags, [rules("a"), b.clone(), rules("c"), rules("d")]);
    day.starts("b", [Fail]).dies("a", Why::Crash).step();
    let children = vec![rules("a"), b.restart(Restart::Temporary)];
    assert_eq!(day.command_now(Command::Change(flags, children)), Ok(Answer::Done));
    day.log();
    day
}

#[test]
fn a_group_goes_on_without_its_pivot_if_that_is_temporary_by_now() {
    for backoff in [None, Some(Backoff::new(secs(2), secs(2)))] {
        for (strategy, children) in [(Strategy::OneForAll, "a6 c7 d8"), (Strategy::RestForOne, "a5 c6 d7")] {
            let mut day = with_a_temporary_pivot(strategy, backoff);
            day.settle();
            assert_eq!(day.children(), children);
            day.later(secs(60));
            assert_eq!(day.children(), children, "the timer of nobody does nothing");
        }
    }
}

#[test]
fn a_group_without_its_pivot_waits_for_a_child_that_does_not_end() {
    let mut day = with_a_temporary_pivot(Strategy::OneForAll, None);
    day.is_stuck("a").settle();
    assert_eq!(day.children(), "a!5 c~ d-");
    day.is_gone("a");
    assert_eq!(day.children(), "a6 c7 d8");
}
