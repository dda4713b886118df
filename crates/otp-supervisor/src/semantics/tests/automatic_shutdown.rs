use super::day::{Day, Outcome::*, Static, Why};
use crate::semantics::*;

fn significant(id: &'static str, restart: Restart) -> ChildRules<&'static str> {
    ChildRules::worker(id).restart(restart).significant(true)
}

fn day(
    auto_shutdown: AutoShutdown,
    children: impl IntoIterator<Item = ChildRules<&'static str>>,
) -> Day<Static> {
    Day::of(Flags { auto_shutdown, intensity: 9, ..Flags::default() }, children)
}

fn any(restart: Restart) -> Day<Static> {
    day(
        AutoShutdown::AnySignificant,
        [ChildRules::worker("a"), significant("s", restart), ChildRules::worker("c")],
    )
}

fn all(restart: Restart) -> Day<Static> {
    day(
        AutoShutdown::AllSignificant,
        [ChildRules::worker("a"), significant("s", restart), significant("t", Restart::Transient)],
    )
}

#[test]
fn supx_02_any_end_of_a_temporary_one() {
    for why in [Why::Normal, Why::Shutdown, Why::Crash, Why::Killed] {
        let mut day = any(Restart::Temporary);
        day.exit("s", why);
        let log = day.log();
        let end = ["forget s", "stop c", "stop a", "exit Shutdown"];
        assert_eq!(log[log.len() - 4..], end, "{why:?}");
        assert_eq!(log.len() - 4, usize::from(matches!(why, Why::Crash | Why::Killed)));
    }
}

#[test]
fn supx_03_an_orderly_end_of_a_transient_one() {
    for why in [Why::Normal, Why::Shutdown, Why::ShutdownWith(1)] {
        let mut day = any(Restart::Transient);
        day.exit("s", why);
        assert_eq!(day.log(), ["stop c", "stop a", "exit Shutdown"]);
    }
}

#[test]
fn supx_04_a_restarted_one_does_not() {
    for why in [Why::Crash, Why::Killed] {
        let mut day = any(Restart::Transient);
        day.exit("s", why);
        assert_eq!(day.children(), "a1 s4 c3");
    }
}

#[test]
fn supx_05_nor_does_one_that_was_terminated() {
    let mut day = any(Restart::Transient);
    assert_eq!(day.command(Command::TerminateChild("s")), Ok(Answer::Done));
    assert_eq!(day.command(Command::RestartChild("s")), Ok(Answer::Started(4)));
    assert_eq!(day.log(), ["stop s", "start s"]);
}

#[test]
fn nor_one_that_is_stopped_with_its_group_or_not_significant() {
    for restart in [Restart::Transient, Restart::Temporary] {
        let flags = Flags {
            strategy: Strategy::OneForAll,
            auto_shutdown: AutoShutdown::AnySignificant,
            ..Flags::default()
        };
        let mut day = Day::of(
            flags,
            [
                ChildRules::worker("a"),
                significant("s", restart),
                ChildRules::worker("n").restart(Restart::Temporary),
            ],
        );
        day.exit("n", Why::Normal).exit("a", Why::Crash);
        assert!(day.log().last().unwrap().starts_with("start"));
    }
}

#[test]
fn supx_07_the_last_of_all() {
    for restart in [Restart::Transient, Restart::Temporary] {
        let mut day = all(restart);
        day.exit("s", Why::Normal);
        assert!(!day.log().contains(&"exit Shutdown".to_owned()));
        day.exit("t", Why::Normal);
        assert_eq!(day.log(), ["stop a", "exit Shutdown"]);
    }
}

#[test]
fn supx_08_a_terminated_one_does_not_count_as_present() {
    let mut day = all(Restart::Transient);
    day.command(Command::TerminateChild("s")).unwrap();
    day.log();
    day.exit("t", Why::Normal);
    assert_eq!(day.log(), ["stop a", "exit Shutdown"]);
}

#[test]
fn supx_09_a_restarting_one_counts_as_present() {
    let mut day = all(Restart::Transient);
    day.starts("s", [Fail]).dies("s", Why::Crash).step();
    assert_eq!(day.children(), "a1 s~ t3");
    day.log();
    day.exit("t", Why::Normal);
    assert_eq!(day.log(), ["start s"], "its retry came through");
    day.exit("s", Why::Normal);
    assert_eq!(day.log(), ["stop a", "exit Shutdown"]);
}

#[test]
fn a_dead_one_that_was_not_noticed_counts_as_present() {
    let mut day = all(Restart::Transient);
    day.dies("t", Why::Normal).dies("s", Why::Normal).step();
    assert_eq!(day.log(), [""; 0]);
    day.settle();
    assert_eq!(day.log(), ["stop a", "exit Shutdown"]);
}

#[test]
fn supx_10_the_inner_end_is_the_outer_childs_orderly_end() {
    for (is, children) in [(true, None), (false, Some("a1 i-"))] {
        let inner = ChildRules::supervisor("i").restart(Restart::Transient).significant(is);
        let mut outer = day(AutoShutdown::AnySignificant, [ChildRules::worker("a"), inner]);
        outer.exit("i", Why::Shutdown);
        match children {
            None => assert_eq!(outer.log(), ["stop a", "exit Shutdown"]),
            Some(children) => assert_eq!(outer.children(), children),
        }
    }
}

#[test]
fn one_that_is_not_restarted_because_of_the_intensity_is_a_giving_up() {
    let flags = Flags { intensity: 0, auto_shutdown: AutoShutdown::AnySignificant, ..Flags::default() };
    let mut day = Day::of(flags, [significant("s", Restart::Transient)]);
    day.exit("s", Why::Crash);
    assert_eq!(day.log(), ["child_terminated s Crash", "gave_up s", "exit Shutdown"]);
}
