use super::day::{Day, Dynamic, Outcome::*, Why};
use crate::semantics::*;

fn transient() -> Template {
    Template::default()
}

fn with(restart: Restart) -> Template {
    Template { restart, ..Template::default() }
}

fn factory(intensity: u32) -> Day<Dynamic> {
    Day::factory(FactoryFlags { intensity, ..FactoryFlags::default() })
}

/// A factory with three children, whose names are `#0`, `#1` and `#2`.
fn trio(intensity: u32, template: Template) -> Day<Dynamic> {
    let mut day = factory(intensity);
    for pid in 1..=3 {
        assert_eq!(day.start(template), Ok(Answer::Started(pid)));
    }
    day.log();
    day
}

fn terminate(pid: u32, alive: bool) -> FactoryCommand<u32> {
    FactoryCommand::TerminateChild { pid, alive }
}

#[test]
fn dyn_07_every_end_of_every_child() {
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        for why in [Why::Normal, Why::Shutdown, Why::ShutdownWith(1), Why::Killed, Why::Crash] {
            let mut day = trio(1, with(restart));
            day.exit("#1", why);
            let abnormal = matches!(why, Why::Killed | Why::Crash);
            let report = format!("child_terminated ChildKey(1) {why:?}");
            let (log, children): (Vec<&str>, &str) = match (restart, abnormal) {
                (Restart::Permanent, _) | (Restart::Transient, true) => (vec![&report, "start #1"], "1 4 3"),
                (Restart::Transient, false) | (Restart::Temporary, false) => (vec!["forget #1"], "1 3"),
                (Restart::Temporary, true) => (vec![&report, "forget #1"], "1 3"),
            };
            assert_eq!(day.log(), log, "{restart:?} {why:?}");
            assert_eq!(day.children(), children);
        }
    }
}

#[test]
fn supr_28_a_child_keeps_its_key_and_so_its_arguments() {
    let mut day = trio(1, transient());
    let key = day.machine.which_child(2).unwrap().key;
    day.exit("#1", Why::Crash);
    assert_eq!(day.machine.which_child(4).unwrap().key, key);
    assert_eq!(day.machine.which_child(2), None);
}

#[test]
fn supr_30_nothing_is_kept_of_a_temporary_child() {
    let mut day = factory(0);
    let mut sizes = Vec::new();
    for round in 0..100 {
        // What the machine holds, by what it prints: from 10 to 99 the counter has the same width.
        sizes.push(format!("{:?}", day.machine).len());
        day.start(with(Restart::Temporary)).unwrap();
        day.exit(&format!("#{round}"), Why::Crash);
        assert_eq!(day.log().last(), Some(&format!("forget #{round}")));
    }
    assert_eq!(sizes[10], sizes[99]);
    assert_eq!(day.machine.count_children(), Counts { specs: 1, ..Counts::default() });
}

#[test]
fn supr_18_giving_up() {
    let mut day = trio(1, transient());
    day.exit("#0", Why::Crash).exit("#1", Why::Crash);
    assert_eq!(
        day.log(),
        [
            "child_terminated ChildKey(0) Crash",
            "start #0",
            "child_terminated ChildKey(1) Crash",
            "gave_up ChildKey(1)",
            "forget #1",
            "stop all #0 #2",
            "exit Shutdown",
        ]
    );
}

#[test]
fn supr_25_a_restart_loop_does_not_delay_the_end() {
    let mut day = trio(9, transient());
    day.starts("#1", [Fail; 9]).dies("#1", Why::Crash);
    day.post(Event::ShutDown { reason: Why::Shutdown }).step();
    assert_eq!(day.children(), "1 ~ 3");
    day.log();
    day.settle();
    assert_eq!(day.log(), ["stop all #0 #2", "exit Shutdown"]);
}

#[test]
fn supt_11_odd_ends_are_reported_once_for_each_reason() {
    let mut day = trio(1, transient());
    day.start(transient()).unwrap();
    day.log();
    day.ends("#0", Why::Killed)
        .ends("#1", Why::CrashWith(1))
        .ends("#2", Why::Killed)
        .ends("#3", Why::CrashWith(1));
    day.post(Event::ShutDown { reason: Why::Shutdown }).settle();
    assert_eq!(
        day.log(),
        [
            "stop all #0 #1 #2 #3",
            "shutdown_error ChildKey(3) CrashWith(1) x2",
            "shutdown_error ChildKey(2) Killed x2",
            "exit Shutdown",
        ]
    );
}

#[test]
fn a_factory_without_children_ends_at_once() {
    let mut day = factory(1);
    day.post(Event::ShutDown { reason: Why::Normal }).settle();
    assert_eq!(day.log(), ["exit Normal"]);
}

#[test]
fn dyn_11_each_child_has_its_own_patience() {
    let mut day = factory(1);
    let patience = [Shutdown::BrutalKill, Shutdown::WORKER, Shutdown::Infinity];
    for shutdown in patience {
        day.start(Template { shutdown, ..transient() }).unwrap();
    }
    let effects = day.machine.handle(day.now, Event::ShutDown { reason: Why::Shutdown }).unwrap();
    let Some(Effect::StopAll(stops)) = effects.first() else { panic!("they are stopped at once") };
    assert_eq!(stops.iter().map(|stop| stop.shutdown).collect::<Vec<_>>(), patience);
}

#[test]
fn supa_09_whom_a_factory_terminates() {
    let mut day = trio(1, transient());
    assert_eq!(day.command(terminate(99, true)), Err(CommandError::NotFound));
    assert_eq!(day.command(terminate(98, false)), Ok(Answer::Done));
    assert_eq!(day.command(terminate(2, true)), Ok(Answer::Done));
    assert_eq!(day.log(), ["stop #1", "forget #1"]);
    assert_eq!(day.command(terminate(2, false)), Ok(Answer::Done));
}

#[test]
fn dyn_06_or_with_elixirs_answer() {
    let mut day = trio(1, Template { shutdown: Shutdown::BrutalKill, ..transient() });
    assert_eq!(day.command(terminate(2, true)), Ok(Answer::Done));
    assert_eq!(day.command(terminate(2, true)), Err(CommandError::NotFound));
}

#[test]
fn supa_11_and_dyn_04_what_a_start_comes_to() {
    let mut day = factory(1);
    day.starts("#0", [Fail]).starts("#1", [Ignore]);
    assert_eq!(day.start(with(Restart::Permanent)), Err(CommandError::StartFailed("no")));
    assert_eq!(day.start(with(Restart::Permanent)), Ok(Answer::Ignored));
    assert_eq!(day.start(with(Restart::Permanent)), Ok(Answer::Started(1)));
    assert_eq!(day.log(), ["start #0", "forget #0", "start #1", "forget #1", "start #2"]);
    assert_eq!(day.children(), "1");
    assert!(day.progress.is_empty(), "factories tell no progress");
}

#[test]
fn a_child_that_ignores_its_restart_is_forgotten() {
    let mut day = trio(1, with(Restart::Permanent));
    day.starts("#1", [Ignore]).exit("#1", Why::Crash);
    assert_eq!(day.log(), ["child_terminated ChildKey(1) Crash", "start #1", "forget #1"]);
    assert_eq!(day.children(), "1 3");
}

#[test]
fn supa_16_restarting_children_are_counted_as_inactive() {
    let counts = Counts { specs: 1, active: 1, supervisors: 0, workers: 3 };
    assert_eq!(two_of_three_restarting().machine.count_children(), counts);
}

fn two_of_three_restarting() -> Day<Dynamic> {
    let mut day = trio(9, transient());
    day.starts("#0", [Fail; 9]).starts("#1", [Fail; 9]);
    day.dies("#0", Why::Crash).dies("#1", Why::Crash).step().step();
    assert_eq!(day.children(), "~ ~ 3");
    day
}

#[test]
fn supa_17_restarting_children_are_terminated_by_their_old_pids() {
    let mut day = two_of_three_restarting();
    let counts = day.machine.count_children();
    for pid in [1, 2] {
        assert_eq!(day.command_now(terminate(pid, false)), Ok(Answer::Done));
    }
    assert_eq!(day.machine.count_children(), Counts { active: 1, workers: 1, ..counts });
    day.log();
    day.settle();
    assert_eq!(day.log(), [""; 0], "the retries find nothing to do");
}

#[test]
fn a_restarting_childs_last_process_cannot_end_again() {
    let mut day = trio(9, transient());
    day.starts("#0", [Fail]).dies("#0", Why::Crash).step();
    day.log();
    day.post(Event::Exited { pid: 1, reason: Why::Crash }).first().step();
    assert_eq!(day.log(), [""; 0]);
    day.settle();
    assert_eq!(day.log(), ["start #0"]);
}

#[test]
fn dyn_09_a_retry_succeeds_or_is_one_too_many() {
    let mut day = trio(2, transient());
    day.starts("#0", [Fail]).exit("#0", Why::Crash);
    assert_eq!(day.children(), "4 2 3");

    let mut day = trio(2, transient());
    day.starts("#0", [Fail; 2]).exit("#0", Why::Crash);
    let log = day.log();
    assert_eq!(log[log.len() - 4..], ["gave_up ChildKey(0)", "forget #0", "stop all #1 #2", "exit Shutdown"]);
}

#[test]
fn restarting_children_count_for_the_limit() {
    let flags = FactoryFlags { intensity: 9, max_children: Some(2), ..FactoryFlags::default() };
    let mut day = Day::factory(flags);
    day.start(transient()).unwrap();
    day.start(transient()).unwrap();
    assert_eq!(day.start(transient()), Err(CommandError::MaxChildren));
    day.starts("#0", [Fail]).dies("#0", Why::Crash).step();
    assert_eq!(day.command_now(FactoryCommand::StartChild(transient())), Err(CommandError::MaxChildren));
    assert_eq!(day.command_now(terminate(1, false)), Ok(Answer::Done));
    assert!(day.start(transient()).is_ok());
}
