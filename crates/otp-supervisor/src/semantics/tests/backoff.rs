//! Restarts that are put off.

use std::time::Duration;

use super::day::{Day, Dynamic, Outcome::Fail, Why, secs};
use crate::semantics::*;

/// One, two, four and at most five seconds; healthy after ten.
fn backoff() -> Backoff {
    Backoff::new(secs(1), secs(5)).reset_after(secs(10))
}

fn flags(strategy: Strategy) -> Flags {
    Flags { strategy, intensity: 100, ..Flags::default() }
}

fn slow(id: &'static str) -> ChildRules<&'static str> {
    ChildRules::worker(id).backoff(backoff())
}

#[test]
fn each_restart_in_a_row_waits_twice_as_long_up_to_a_limit() {
    let mut day = Day::of(flags(Strategy::OneForOne), [slow("a")]);
    for delay in [1, 2, 4, 5, 5] {
        day.exit("a", Why::Crash);
        assert_eq!(day.log(), ["child_terminated a Crash".to_owned(), format!("retry a in {delay}s")]);
        assert_eq!(day.children(), "a~");
        day.later(secs(delay) - Duration::from_nanos(1));
        assert_eq!(day.log(), [""; 0]);
        day.later(Duration::from_nanos(1));
        assert_eq!(day.log(), ["start a"]);
    }
}

#[test]
fn a_child_that_ran_for_some_time_begins_anew() {
    let mut day = Day::of(flags(Strategy::OneForOne), [slow("a")]);
    for _ in 0..3 {
        day.exit("a", Why::Crash).later(secs(5));
    }
    day.later(secs(10) - secs(1)).log();
    day.exit("a", Why::Crash);
    assert_eq!(day.log()[1], "retry a in 5s", "nine seconds and a part of the five are not enough");
    day.later(secs(5)).later(secs(10)).log();
    day.exit("a", Why::Crash);
    assert_eq!(day.log()[1], "retry a in 1s");
}

#[test]
fn a_restart_that_fails_waits_longer_too_and_each_counts_once() {
    let flags = Flags { intensity: 3, period: secs(1_000), ..Flags::default() };
    let mut day = Day::of(flags, [slow("a")]);
    day.starts("a", [Fail, Fail, Fail]).exit("a", Why::Crash);
    for delay in [1, 2] {
        day.log();
        day.later(secs(delay));
        assert_eq!(day.log()[..2], ["start a", "start_error a no"]);
    }
    day.later(secs(4));
    assert_eq!(day.log(), ["start a", "start_error a no", "retry a", "gave_up a", "exit Shutdown"]);
}

#[test]
fn its_siblings_do_not_wait_with_it_unless_they_are_of_its_group() {
    let mut day = Day::of(flags(Strategy::OneForOne), [slow("a"), ChildRules::worker("b")]);
    day.exit("a", Why::Crash).exit("b", Why::Crash);
    assert_eq!(day.children(), "a~ b3");

    let mut day = Day::of(flags(Strategy::OneForAll), [slow("a"), ChildRules::worker("b")]);
    day.exit("a", Why::Crash);
    assert_eq!(day.log(), ["child_terminated a Crash", "stop b", "retry a in 1s"]);
    assert_eq!(day.children(), "a~ b-");
    day.later(secs(1));
    assert_eq!(day.children(), "a3 b4");
}

#[test]
fn a_restart_that_is_put_off_can_be_called_off() {
    let mut day = Day::of(flags(Strategy::OneForOne), [slow("a")]);
    day.exit("a", Why::Crash);
    assert_eq!(day.command(Command::RestartChild("a")), Err(CommandError::Restarting));
    assert_eq!(day.command(Command::TerminateChild("a")), Ok(Answer::Done));
    day.log();
    day.later(secs(1));
    assert_eq!(day.log(), [""; 0]);
    assert_eq!(day.children(), "a-");
}

#[test]
fn who_waits_for_a_restart_that_is_called_off_stays_stopped_as_where_it_has_failed() {
    let children = || [slow("a"), ChildRules::worker("b")];
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut day = Day::of(flags(strategy), children());
        day.exit("a", Why::Crash);
        assert_eq!(day.command(Command::TerminateChild("a")), Ok(Answer::Done));
        day.later(secs(60));
        assert_eq!(day.children(), "a- b-");
        assert_eq!(day.command(Command::RestartChild("a")), Ok(Answer::Started(3)));
        assert_eq!(day.children(), "a3 b-");

        // Erlang's supervisor says so where there is no back-off: the restart has failed, and is called off.
        let mut day = Day::of(flags(strategy), ["a", "b", "c"].map(ChildRules::worker));
        day.starts("b", [Fail]).dies("b", Why::Crash).step();
        assert_eq!(day.command_now(Command::TerminateChild("b")), Ok(Answer::Done));
        day.settle();
        assert!(day.children().ends_with("b- c-"), "{}", day.children());
        assert_eq!(
            day.command(Command::RestartChild("b")),
            Ok(Answer::Started(5 - u32::from(strategy == Strategy::RestForOne)))
        );
        assert!(day.children().ends_with(" c-"));
    }
}

#[test]
fn the_reminder_of_a_restart_that_was_called_off_is_not_taken_for_a_later_ones() {
    let mut day = Day::of(flags(Strategy::OneForOne), [slow("a")]);
    day.exit("a", Why::Crash);
    day.command(Command::TerminateChild("a")).unwrap();
    day.command(Command::RestartChild("a")).unwrap();
    day.exit("a", Why::Crash).log();
    // The first reminder comes, and then its own.
    day.later(secs(1));
    assert_eq!(day.log(), [""; 0]);
    day.later(secs(1));
    assert_eq!(day.log(), ["start a"]);
}

#[test]
fn a_supervisor_ends_while_a_restart_is_put_off() {
    let mut day = Day::of(flags(Strategy::OneForOne), [slow("a"), ChildRules::worker("b")]);
    day.exit("a", Why::Crash).log();
    day.post(Event::ShutDown { reason: Why::Shutdown }).settle();
    assert_eq!(day.log(), ["stop b", "exit Shutdown"]);
}

#[test]
fn a_restarting_significant_child_is_present_while_it_waits() {
    let flags = Flags { auto_shutdown: AutoShutdown::AllSignificant, ..flags(Strategy::OneForOne) };
    let significant = |rules: ChildRules<_>| rules.restart(Restart::Transient).significant(true);
    let mut day = Day::of(flags, [significant(slow("a")), significant(ChildRules::worker("b"))]);
    day.exit("a", Why::Crash).exit("b", Why::Normal);
    assert_eq!(day.children(), "a~ b-");
}

#[test]
fn a_factorys_children_wait_each_for_itself() {
    let mut day = Day::<Dynamic>::factory(FactoryFlags { intensity: 100, ..FactoryFlags::default() });
    let template = Template { backoff: Some(backoff()), ..Template::default() };
    day.start(template).unwrap();
    day.start(template).unwrap();
    day.exit("#0", Why::Crash).later(secs(1)).exit("#0", Why::Crash).exit("#1", Why::Crash).log();
    day.later(secs(1));
    assert_eq!(day.log(), ["start #1"]);
    day.later(secs(1));
    assert_eq!(day.log(), ["start #0"]);
}
