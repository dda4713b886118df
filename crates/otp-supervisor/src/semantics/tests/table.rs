//! The whole product of restart type, reason and strategy, told once more and independently.

use super::day::{Day, Why};
use crate::semantics::*;

const REASONS: [Why; 5] = [Why::Normal, Why::Shutdown, Why::ShutdownWith(1), Why::Killed, Why::Crash];
const RESTARTS: [Restart; 3] = [Restart::Permanent, Restart::Transient, Restart::Temporary];
const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];

#[test]
fn supr_01_to_07_every_end_under_every_strategy() {
    for restart in RESTARTS {
        for why in REASONS {
            for strategy in STRATEGIES {
                let flags = Flags { strategy, ..Flags::default() };
                let children = [
                    ChildRules::worker("a"),
                    ChildRules::worker("b").restart(restart),
                    ChildRules::worker("c"),
                ];
                let mut day = Day::of(flags, children);
                day.exit("b", why);

                let abnormal = matches!(why, Why::Killed | Why::Crash);
                let report = format!("child_terminated b {why:?}");
                let (log, children): (Vec<&str>, &str) = match (restart, abnormal, strategy) {
                    (Restart::Transient, false, _) => (vec![], "a1 b- c3"),
                    (Restart::Temporary, false, _) => (vec!["forget b"], "a1 c3"),
                    (Restart::Temporary, true, _) => (vec![&report, "forget b"], "a1 c3"),
                    (_, _, Strategy::OneForOne) => (vec![&report, "start b"], "a1 b4 c3"),
                    (_, _, Strategy::OneForAll) => {
                        (vec![&report, "stop c", "stop a", "start a", "start b", "start c"], "a4 b5 c6")
                    }
                    (_, _, Strategy::RestForOne) => {
                        (vec![&report, "stop c", "start b", "start c"], "a1 b4 c5")
                    }
                };
                assert_eq!(day.log(), log, "{restart:?} {why:?} {strategy:?}");
                assert_eq!(day.children(), children, "{restart:?} {why:?} {strategy:?}");
            }
        }
    }
}

#[test]
fn supt_every_end_of_a_stopped_child() {
    for restart in RESTARTS {
        for why in REASONS {
            for shutdown in [Shutdown::BrutalKill, Shutdown::WORKER, Shutdown::Infinity] {
                let silent = match (shutdown, restart, why) {
                    (Shutdown::BrutalKill, _, Why::Killed) => true,
                    (Shutdown::BrutalKill, Restart::Permanent, _) => false,
                    (_, Restart::Permanent, _) => why == Why::Shutdown,
                    (_, _, Why::Killed | Why::Crash) => false,
                    (..) => true,
                };
                let children = [ChildRules::worker("a").restart(restart).shutdown(shutdown)];
                let mut day = Day::of(Flags::default(), children);
                day.ends("a", why);
                assert_eq!(day.command(Command::TerminateChild("a")), Ok(Answer::Done));
                let reported = day.log().contains(&format!("shutdown_error a {why:?} x1"));
                assert_eq!(reported, !silent, "{restart:?} {shutdown:?} {why:?}");
            }
        }
    }
}
