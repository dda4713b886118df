//! A child that was killed and does not end.

use super::day::{Day, Dynamic, Static, Why};
use crate::semantics::*;

fn trio(strategy: Strategy) -> Day<Static> {
    Day::of(Flags { strategy, ..Flags::default() }, ["a", "b", "c"].map(ChildRules::worker))
}

#[test]
fn its_termination_is_refused_and_nothing_else_is_done_with_it_before_it_ends() {
    let mut day = trio(Strategy::OneForOne);
    day.is_stuck("b");
    let refused = Err(CommandError::Unresponsive(2));
    assert_eq!(day.command(Command::TerminateChild("b")), refused);
    assert_eq!(day.log(), ["stop b", "unresponsive b"]);
    assert_eq!(day.children(), "a1 b!2 c3");
    assert_eq!(day.machine.count_children(|_| true).active, 2);

    assert_eq!(day.command(Command::TerminateChild("b")), refused);
    assert_eq!(day.command(Command::RestartChild("b")), refused);
    assert_eq!(day.command(Command::DeleteChild("b")), refused);
    assert_eq!(day.command(Command::StartChild(ChildRules::worker("b"))), refused);
    assert_eq!(day.log(), [""; 0]);

    // Its end is no crash: it was asked for.
    day.is_gone("b");
    assert_eq!(day.log(), ["shutdown_error b Killed x1"]);
    assert_eq!(day.children(), "a1 b- c3");
    assert_eq!(day.command(Command::RestartChild("b")), Ok(Answer::Started(4)));
}

#[test]
fn a_group_waits_for_it_and_serves_others_meanwhile() {
    for (strategy, waiting, after) in
        [(Strategy::OneForAll, "a~ b- c!3", "a4 b5 c6"), (Strategy::RestForOne, "a~ b- c!3", "a4 b5 c6")]
    {
        let mut day = trio(strategy);
        day.is_stuck("c").exit("a", Why::Crash);
        assert_eq!(day.log(), ["child_terminated a Crash", "stop c", "unresponsive c", "stop b"]);
        assert_eq!(day.children(), waiting);
        assert_eq!(day.command(Command::DeleteChild("a")), Err(CommandError::Restarting));

        // The restart has been counted before: one is all that is tolerated.
        day.is_gone("c");
        assert_eq!(day.log(), ["shutdown_error c Killed x1", "retry a", "start a", "start b", "start c"]);
        assert_eq!(day.children(), after);
    }
}

#[test]
fn a_group_waits_for_all_of_them() {
    let mut day = trio(Strategy::OneForAll);
    day.is_stuck("b").is_stuck("c").exit("a", Why::Crash);
    day.log();
    day.is_gone("b");
    assert_eq!(day.log(), ["shutdown_error b Killed x1", "retry a"]);
    assert_eq!(day.children(), "a~ b- c!3");
    day.is_gone("c");
    assert_eq!(day.children(), "a4 b5 c6");
}

#[test]
fn who_comes_before_it_is_restarted_without_it() {
    let mut day = trio(Strategy::RestForOne);
    day.is_stuck("b");
    assert_eq!(day.command(Command::TerminateChild("b")), Err(CommandError::Unresponsive(2)));
    day.exit("c", Why::Crash);
    assert_eq!(day.children(), "a1 b!2 c4");
}

#[test]
fn a_restart_that_waits_for_it_can_be_called_off() {
    let mut day = trio(Strategy::OneForAll);
    day.is_stuck("c").exit("a", Why::Crash);
    assert_eq!(day.command(Command::TerminateChild("a")), Ok(Answer::Done));
    day.is_gone("c");
    assert_eq!(day.children(), "a- b- c-");
}

#[test]
fn a_temporary_one_is_forgotten_when_it_has_ended() {
    let child = ChildRules::worker("a").restart(Restart::Temporary);
    let mut day = Day::of(Flags::default(), [child]);
    day.is_stuck("a");
    assert_eq!(day.command(Command::TerminateChild("a")), Err(CommandError::Unresponsive(1)));
    day.is_gone("a");
    assert_eq!(day.children(), "");
}

#[test]
fn the_supervisor_ends_without_it() {
    let mut day = trio(Strategy::OneForOne);
    day.is_stuck("b").post(Event::ShutDown { reason: Why::Shutdown }).settle();
    assert_eq!(day.log(), ["stop c", "stop b", "unresponsive b", "stop a", "exit Shutdown"]);
    assert_eq!(day.machine.awaiting(), Awaiting::Nothing);
}

#[test]
fn it_is_not_stopped_a_second_time() {
    let mut day = trio(Strategy::OneForOne);
    day.is_stuck("b");
    let _ = day.command(Command::TerminateChild("b"));
    day.log();
    day.post(Event::ShutDown { reason: Why::Shutdown }).settle();
    assert_eq!(day.log(), ["stop c", "stop a", "exit Shutdown"]);
}

#[test]
fn a_factory_ends_without_it_too() {
    let mut day = Day::<Dynamic>::factory(FactoryFlags::default());
    for _ in 0..3 {
        day.start(Template::default()).unwrap();
    }
    day.is_stuck("#1").post(Event::ShutDown { reason: Why::Shutdown }).settle();
    assert_eq!(day.log()[3..], ["stop all #0 #1 #2", "unresponsive ChildKey(1)", "exit Shutdown"]);
}

#[test]
fn a_factorys_child_is_known_until_it_has_ended() {
    let flags = FactoryFlags { max_children: Some(1), ..FactoryFlags::default() };
    let mut day = Day::<Dynamic>::factory(flags);
    day.start(Template::default()).unwrap();
    day.is_stuck("#0");
    let terminate = FactoryCommand::TerminateChild { pid: 1, alive: true };
    assert_eq!(day.command(terminate), Err(CommandError::Unresponsive(1)));
    assert_eq!(day.start(Template::default()), Err(CommandError::MaxChildren));
    day.is_gone("#0");
    assert_eq!(day.children(), "");
}

#[test]
fn a_significant_one_does_not_count_as_present() {
    let flags = Flags { auto_shutdown: AutoShutdown::AllSignificant, ..Flags::default() };
    let child = |id| ChildRules::worker(id).restart(Restart::Transient).significant(true);
    let mut day = Day::of(flags, ["a", "b"].map(child));
    day.is_stuck("a");
    let _ = day.command(Command::TerminateChild("a"));
    day.log();
    day.exit("b", Why::Normal);
    assert_eq!(day.log(), ["exit Shutdown"]);
}
