use std::time::Duration;

use super::day::{Day, Outcome::*, Static, Why, secs};
use crate::semantics::*;

fn rules(id: &'static str) -> ChildRules<&'static str> {
    ChildRules::worker(id)
}

fn flags(strategy: Strategy, intensity: u32) -> Flags {
    Flags { strategy, intensity, ..Flags::default() }
}

fn trio(strategy: Strategy, intensity: u32) -> Day<Static> {
    Day::of(flags(strategy, intensity), ["a", "b", "c"].map(rules))
}

#[test]
fn supr_02_a_finished_transient_child_stays_known() {
    let mut day = Day::of(flags(Strategy::OneForOne, 0), [rules("a").restart(Restart::Transient)]);
    day.exit("a", Why::Normal);
    assert_eq!(day.log(), [""; 0]);
    assert_eq!(day.children(), "a-");
}

#[test]
fn supr_09_a_temporary_sibling_is_removed_and_counts_nothing() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let children = [rules("a"), rules("t").restart(Restart::Temporary), rules("c")];
        let mut day = Day::of(flags(strategy, 1), children);
        day.exit("a", Why::Crash);
        assert_eq!(
            day.log(),
            ["child_terminated a Crash", "stop c", "stop t", "forget t", "start a", "start c"]
        );
        assert_eq!(day.children(), "a4 c5");
    }
}

#[test]
fn siblings_without_a_process_are_started_with_their_group() {
    let children = [
        rules("ignored"),
        rules("finished").restart(Restart::Transient),
        rules("terminated"),
        rules("crashed"),
    ];
    let mut day = Day::dark(flags(Strategy::OneForAll, 1), children);
    day.starts("ignored", [Ignore]);
    day.boot();
    day.exit("finished", Why::Normal);
    assert_eq!(day.command(Command::TerminateChild("terminated")), Ok(Answer::Done));
    assert_eq!(day.children(), "ignored- finished- terminated- crashed3");
    day.log();
    day.exit("crashed", Why::Crash);
    assert_eq!(
        day.log(),
        [
            "child_terminated crashed Crash",
            "start ignored",
            "start finished",
            "start terminated",
            "start crashed"
        ]
    );
    assert_eq!(day.children(), "ignored4 finished5 terminated6 crashed7");
}

#[test]
fn a_child_that_ignores_its_restart_stays_known() {
    let mut day = trio(Strategy::RestForOne, 1);
    day.starts("b", [Ignore]).exit("b", Why::Crash);
    assert_eq!(day.log(), ["child_terminated b Crash", "stop c", "start b", "start c"]);
    assert_eq!(day.children(), "a1 b- c4");
}

#[test]
fn supr_13_one_crash_too_many() {
    let mut day = trio(Strategy::OneForOne, 1);
    day.exit("b", Why::Crash).exit("b", Why::Crash);
    assert_eq!(
        day.log(),
        [
            "child_terminated b Crash",
            "start b",
            "child_terminated b Crash",
            "gave_up b",
            "stop c",
            "stop a",
            "exit Shutdown",
        ]
    );
}

#[test]
fn supr_14_intensity_zero() {
    let mut day = trio(Strategy::OneForOne, 0);
    day.exit("b", Why::Crash);
    assert_eq!(day.log(), ["child_terminated b Crash", "gave_up b", "stop c", "stop a", "exit Shutdown"]);
}

#[test]
fn supr_15_the_edge_of_the_window_still_counts() {
    let mut window = Window::new(1, secs(5));
    assert!(window.admit(Duration::from_millis(10_999)));
    assert!(!window.admit(Duration::from_millis(15_999)));
    assert!(window.admit(secs(16)));
    assert!(window.admit(secs(22)));
}

#[test]
fn supr_16_crashes_two_seconds_apart_are_survived() {
    let period_1 = Flags { period: secs(1), ..flags(Strategy::OneForOne, 1) };
    let mut day = Day::of(period_1, [rules("a")]);
    for _ in 0..4 {
        day.exit("a", Why::Crash).later(Duration::from_millis(2_100));
    }
    assert_eq!(day.children(), "a5");
}

#[test]
fn supr_17_between_the_seconds_the_phase_decides() {
    let second = |phase| {
        let mut window = Window::new(1, secs(1));
        assert!(window.admit(Duration::from_millis(phase)));
        move |gap| window.clone().admit(Duration::from_millis(phase + gap))
    };
    assert!(!second(0)(1_900));
    assert!(second(900)(1_200));
}

#[test]
fn a_finer_period_is_exact() {
    let mut window = Window::new(1, Duration::from_millis(500));
    assert!(window.admit(Duration::from_millis(900)));
    assert!(!window.clone().admit(Duration::from_millis(1_400)));
    assert!(window.admit(Duration::from_millis(1_401)));
}

#[test]
fn a_clock_that_steps_back_forgets_nothing_early() {
    let mut window = Window::new(2, secs(5));
    assert!(window.admit(secs(10)));
    assert!(window.admit(secs(3)));
    assert!(!window.admit(secs(15)));
    assert!(window.admit(secs(16)));
}

#[test]
fn supr_18_giving_up_under_each_strategy() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let mut day = trio(strategy, 0);
        day.exit("a", Why::Crash);
        assert_eq!(
            day.log(),
            ["child_terminated a Crash", "gave_up a", "stop c", "stop b", "exit Shutdown"],
            "{strategy:?}"
        );
    }
}

#[test]
fn supr_19_giving_up_is_an_orderly_end_for_the_outer_supervisor() {
    let mut inner = trio(Strategy::OneForOne, 0);
    inner.exit("a", Why::Crash);
    assert_eq!(inner.log().pop().as_deref(), Some("exit Shutdown"));
    for (restart, children) in [(Restart::Permanent, "s2"), (Restart::Transient, "s-")] {
        let mut outer = Day::of(Flags::default(), [ChildRules::supervisor("s").restart(restart)]);
        outer.exit("s", Why::Shutdown);
        assert_eq!(outer.children(), children);
    }
}

#[test]
fn supr_21_two_failed_restarts_cost_three_units() {
    let story = |intensity| {
        let mut day = trio(Strategy::OneForOne, intensity);
        day.starts("b", [Fail, Fail, Up]).exit("b", Why::Crash);
        day
    };
    let mut day = story(3);
    assert_eq!(
        day.log(),
        [
            "child_terminated b Crash",
            "start b",
            "start_error b no",
            "retry b",
            "start b",
            "start_error b no",
            "retry b",
            "start b",
        ]
    );
    assert_eq!(day.children(), "a1 b4 c3");
    assert!(story(2).log().contains(&"gave_up b".to_owned()));
}

#[test]
fn supr_22_a_child_that_never_restarts_ends_its_supervisor() {
    let mut day = trio(Strategy::OneForOne, 3);
    day.starts("b", [Fail; 9]).exit("b", Why::Crash);
    let log = day.log();
    assert_eq!(log.iter().filter(|line| *line == "start b").count(), 3);
    assert_eq!(log[log.len() - 4..], ["gave_up b", "stop c", "stop a", "exit Shutdown"]);
}

#[test]
fn supr_23_what_a_restarting_child_answers() {
    let mut day = trio(Strategy::OneForOne, 9);
    day.starts("b", [Fail; 9]).dies("b", Why::Crash).step();
    assert_eq!(day.children(), "a1 b~ c3");
    assert_eq!(day.machine.count_children(|_| true).active, 2);
    assert_eq!(day.command_now(Command::RestartChild("b")), Err(CommandError::Restarting));
    assert_eq!(day.command_now(Command::DeleteChild("b")), Err(CommandError::Restarting));
    assert_eq!(day.command_now(Command::StartChild(rules("b"))), Err(CommandError::AlreadyPresent));
}

#[test]
fn supr_24_terminating_a_restarting_child_calls_the_restart_off() {
    let mut day = trio(Strategy::OneForOne, 9);
    day.starts("b", [Fail]).dies("b", Why::Crash).step();
    assert_eq!(day.command_now(Command::TerminateChild("b")), Ok(Answer::Done));
    day.log();
    day.settle();
    assert_eq!(day.log(), [""; 0], "the retry finds nothing to do");
    assert_eq!(day.children(), "a1 b- c3");
}

#[test]
fn supr_25_a_restart_loop_does_not_delay_the_end() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let mut day = trio(strategy, 9);
        day.starts("b", [Fail; 9]).dies("b", Why::Crash);
        day.post(Event::ShutDown { reason: Why::Normal }).step();
        day.log();
        day.settle();
        let stops: &[&str] = match strategy {
            Strategy::OneForOne => &["stop c", "stop a", "exit Normal"],
            Strategy::OneForAll | Strategy::RestForOne => &["stop a", "exit Normal"],
        };
        assert_eq!(day.log(), stops);
    }
}

#[test]
fn supr_26_one_for_all_other_child_fails_restart() {
    let mut day = Day::of(flags(Strategy::OneForAll, 3), ["a", "b", "c"].map(rules));
    day.starts("b", [Fail]).exit("a", Why::Crash);
    assert_eq!(
        day.log(),
        [
            "child_terminated a Crash",
            "stop c",
            "stop b",
            "start a",
            "start b",
            "start_error b no",
            "retry b",
            "stop a",
            "start a",
            "start b",
            "start c",
        ]
    );
    assert_eq!(day.children(), "a5 b6 c7");
}

#[test]
fn supr_27_rest_for_one_other_child_fails_restart() {
    let mut day = Day::of(flags(Strategy::RestForOne, 3), ["a", "b", "c"].map(rules));
    day.starts("b", [Fail]).exit("a", Why::Crash);
    assert_eq!(
        day.log(),
        [
            "child_terminated a Crash",
            "stop c",
            "stop b",
            "start a",
            "start b",
            "start_error b no",
            "retry b",
            "start b",
            "start c",
        ]
    );
    assert_eq!(day.children(), "a4 b5 c6");
}

#[test]
fn a_failed_group_member_knows_no_last_process_but_the_crashed_one_does() {
    let mut day = trio(Strategy::OneForAll, 9);
    day.starts("b", [Fail]).dies("a", Why::Crash).step();
    let presence = |day: &Day<Static>, id| day.machine.which_child(&id).map(|child| child.presence);
    assert_eq!(presence(&day, "b"), Some(Presence::Restarting { last: None }));
    assert_eq!(presence(&day, "c"), Some(Presence::Undefined), "it was not its turn");

    let mut day = trio(Strategy::OneForAll, 9);
    day.starts("b", [Fail]).dies("b", Why::Crash).step();
    assert_eq!(presence(&day, "b"), Some(Presence::Restarting { last: Some(2) }));
}

#[test]
fn a_pending_retry_is_used_up_by_a_group_restart() {
    // Two restarts are counted: the retry of b, which then finds b running, is not the third.
    let mut day = trio(Strategy::OneForAll, 2);
    day.starts("b", [Fail]).dies("b", Why::Crash).step();
    assert_eq!(day.children(), "a4 b~ c-");
    day.log();
    day.dies("a", Why::Crash).first().settle();
    assert_eq!(day.log(), ["child_terminated a Crash", "start a", "start b", "start c"]);
    assert_eq!(day.children(), "a5 b6 c7");
}

#[test]
fn a_group_restart_that_fails_again_leaves_two_retries_of_which_one_is_needed() {
    let mut day = trio(Strategy::OneForAll, 3);
    day.starts("b", [Fail, Fail]).dies("b", Why::Crash).step();
    day.log();
    day.dies("a", Why::Crash).first().settle();
    assert_eq!(
        day.log(),
        [
            "child_terminated a Crash",
            "start a",
            "start b",
            "start_error b no",
            "retry b",
            "stop a",
            "start a",
            "start b",
            "start c",
        ]
    );
}

#[test]
fn an_earlier_child_that_dies_meanwhile_takes_a_failing_one_along() {
    let mut day = Day::of(flags(Strategy::RestForOne, 2), ["a", "b", "c", "d"].map(rules));
    day.starts("c", [Fail]).dies("b", Why::Crash).step();
    assert_eq!(day.children(), "a1 b5 c~ d-");
    day.log();
    day.dies("a", Why::Crash).first().settle();
    assert_eq!(day.log(), ["child_terminated a Crash", "stop b", "start a", "start b", "start c", "start d"]);
}

#[test]
fn a_restarting_sibling_that_a_group_restart_does_not_reach_is_no_longer_restarting() {
    let mut day = trio(Strategy::OneForAll, 9);
    day.starts("c", [Fail]).dies("c", Why::Crash).step();
    assert_eq!(day.children(), "a4 b5 c~");
    day.starts("b", [Fail]).dies("a", Why::Crash).first().step();
    assert_eq!(day.children(), "a6 b~ c-");
    day.log();
    day.step();
    assert_eq!(day.log(), [""; 0], "the retry of c has nothing to do");
    day.settle();
    assert_eq!(day.children(), "a7 b8 c9");
}

#[test]
fn simultaneous_deaths_are_one_restart_in_a_group_and_many_without() {
    let together = |strategy, intensity| {
        let mut day = trio(strategy, intensity);
        for name in ["b", "a", "c"] {
            day.dies(name, Why::Crash);
        }
        day.settle();
        day
    };
    let mut day = together(Strategy::OneForAll, 1);
    assert_eq!(
        day.log(),
        [
            "child_terminated b Crash",
            "stop c",
            "shutdown_error c Crash x1",
            "stop a",
            "shutdown_error a Crash x1",
            "start a",
            "start b",
            "start c",
        ]
    );
    assert_eq!(day.children(), "a4 b5 c6");

    let mut day = together(Strategy::RestForOne, 2);
    assert_eq!(
        day.log(),
        [
            "child_terminated b Crash",
            "stop c",
            "shutdown_error c Crash x1",
            "start b",
            "start c",
            "child_terminated a Crash",
            "stop c",
            "stop b",
            "start a",
            "start b",
            "start c",
        ]
    );

    assert_eq!(together(Strategy::OneForOne, 3).children(), "a5 b4 c6");
    assert_eq!(together(Strategy::OneForOne, 2).log().last().unwrap(), "exit Shutdown");
}

#[test]
fn supr_31_an_unknown_or_stale_exit_means_nothing() {
    let mut day = trio(Strategy::OneForOne, 1);
    day.post(Event::Exited { pid: 99, reason: Why::Crash }).settle();
    day.exit("b", Why::Crash);
    day.log();
    day.post(Event::Exited { pid: 2, reason: Why::Crash }).settle();
    assert_eq!(day.log(), [""; 0]);
    assert_eq!(day.children(), "a1 b4 c3");
}

#[test]
fn giving_up_on_a_retry_reports_the_restarting_child() {
    let mut day = trio(Strategy::RestForOne, 1);
    day.starts("b", [Fail]).exit("a", Why::Crash);
    let log = day.log();
    assert_eq!(log[log.len() - 4..], ["retry b", "gave_up b", "stop a", "exit Shutdown"]);
}
