//! What the shell must not do, and that it is cheap to do right.

use std::{error::Error, time::Duration};

use super::day::{Day, Dynamic, Static, Why};
use crate::semantics::*;

fn pair() -> Static {
    Static::new(Flags::default(), ["a", "b"].map(ChildRules::worker)).unwrap()
}

fn every_event(key: ChildKey) -> Vec<Event<Command<&'static str>, u32, Why, &'static str>> {
    vec![
        Event::Boot,
        Event::Started { key, pid: 7 },
        Event::Ignored { key },
        Event::StartFailed { key, error: "no" },
        Event::Stopped { key, reason: Why::Normal },
        Event::Exited { pid: 1, reason: Why::Crash },
        Event::Retry { key },
        Event::Command(Command::TerminateChild("a")),
        Event::ShutDown { reason: Why::Normal },
    ]
}

/// Feeds every event to copies of a machine, and lists those that are taken.
fn taken(machine: &Static, key: ChildKey) -> Vec<usize> {
    let events = every_event(key).into_iter().enumerate();
    let takes = |(index, event): (usize, Event<_, _, _, _>)| {
        let mut machine = machine.clone();
        let awaiting = machine.awaiting();
        match machine.handle(Duration::ZERO, event.clone()) {
            Ok(_) => Some(index),
            Err(refused) => {
                assert_eq!(refused, OutOfTurn { event, awaiting });
                assert_eq!(machine.awaiting(), awaiting);
                None
            }
        }
    };
    events.filter_map(takes).collect()
}

#[test]
fn every_turn_takes_its_events_and_no_others() {
    let mut machine = pair();
    let [b, a] = machine.which_children().map(|child| child.key).collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(taken(&machine, a), [0], "unborn");

    machine.handle(Duration::ZERO, Event::Boot).unwrap();
    assert_eq!(machine.awaiting(), Awaiting::Start(a));
    assert_eq!(taken(&machine, a), [1, 2, 3]);
    assert_eq!(taken(&machine, b), [0; 0], "the wrong child");

    machine.handle(Duration::ZERO, Event::Started { key: a, pid: 1 }).unwrap();
    machine.handle(Duration::ZERO, Event::Started { key: b, pid: 2 }).unwrap();
    assert_eq!(taken(&machine, a), [5, 6, 7, 8], "idle");

    machine.handle(Duration::ZERO, Event::ShutDown { reason: Why::Normal }).unwrap();
    assert_eq!(machine.awaiting(), Awaiting::Stop(b));
    assert_eq!(taken(&machine, b), [4]);
    assert_eq!(taken(&machine, a), [0; 0], "the wrong child");

    for key in [b, a] {
        machine.handle(Duration::ZERO, Event::Stopped { key, reason: Why::Shutdown }).unwrap();
    }
    assert_eq!(machine.awaiting(), Awaiting::Nothing);
    assert_eq!(taken(&machine, a), [0; 0]);
}

#[test]
fn a_parallel_stop_takes_each_answer_once() {
    let mut day = Day::factory(FactoryFlags::default());
    for _ in 0..2 {
        day.start(Template::default()).unwrap();
    }
    let keys: Vec<_> = day.machine.which_children().map(|child| child.key).collect();
    let mut machine: Dynamic = day.machine;
    let stopped = |key| Event::Stopped { key, reason: Why::Shutdown };
    machine.handle(Duration::ZERO, Event::ShutDown { reason: Why::Normal }).unwrap();
    assert_eq!(machine.awaiting(), Awaiting::StopAll(2));
    assert_eq!(machine.handle(Duration::ZERO, stopped(keys[0])), Ok(vec![]));
    let refused = machine.handle(Duration::ZERO, stopped(keys[0])).unwrap_err();
    assert_eq!(refused.awaiting, Awaiting::StopAll(1));
    let effects = machine.handle(Duration::ZERO, stopped(keys[1])).unwrap();
    assert_eq!(effects, [Effect::Exit(Ending::Asked(Why::Normal))]);
}

#[test]
fn a_process_that_two_children_claim_belongs_to_the_later_one() {
    let mut machine = pair();
    let [a, b] = ["a", "b"].map(|id| machine.which_child(&id).unwrap().key);
    let mut feed = |event| machine.handle(Duration::ZERO, event).unwrap();
    feed(Event::Boot);
    feed(Event::Started { key: a, pid: 1 });
    feed(Event::Started { key: b, pid: 1 });
    feed(Event::Command(Command::TerminateChild("a")));
    feed(Event::Stopped { key: a, reason: Why::Shutdown });
    let effects = feed(Event::Exited { pid: 1, reason: Why::Shutdown });
    assert_eq!(effects.last(), Some(&Effect::Start { key: b }));
}

#[test]
fn errors_say_what_is_wrong() {
    let mut machine = pair();
    let refused = machine.handle(Duration::ZERO, Event::ShutDown { reason: Why::Normal }).unwrap_err();
    assert_eq!(refused.to_string(), "event out of turn: the supervisor has not booted");
    let error: Box<dyn Error> = Box::new(SetupError::Rules(RulesError::Duplicate("a")));
    assert_eq!(error.to_string(), "two children have the id \"a\"");
}

/// Not a benchmark: a quadratic machine would not come to the end of this.
#[test]
fn a_hundred_thousand_children_are_no_trouble() {
    const MANY: u32 = 100_000;
    let flags = Flags { intensity: MANY, auto_shutdown: AutoShutdown::AllSignificant, ..Flags::default() };
    let children = (0..MANY).map(|id| ChildRules::worker(id).restart(Restart::Transient).significant(true));
    let mut machine = Supervisor::<u32, u32, ReasonKind, ()>::new(flags, children).unwrap();
    let now = Duration::ZERO;
    let mut pid = 0;
    let mut next = machine.handle(now, Event::Boot).unwrap();
    while let Some(Effect::Start { key }) = next.last() {
        pid += 1;
        next = machine.handle(now, Event::Started { key: *key, pid }).unwrap();
    }
    assert_eq!(next.last(), Some(&Effect::Ready));

    for old in 1..=MANY {
        let effects = machine.handle(now, Event::Exited { pid: old, reason: ReasonKind::Other }).unwrap();
        let Some(&Effect::Start { key }) = effects.last() else { panic!("it is restarted") };
        pid += 1;
        machine.handle(now, Event::Started { key, pid }).unwrap();
    }
    for old in MANY + 1..2 * MANY {
        machine.handle(now, Event::Exited { pid: old, reason: ReasonKind::Normal }).unwrap();
        assert_eq!(machine.awaiting(), Awaiting::Message);
    }
    let last = machine.handle(now, Event::Exited { pid: 2 * MANY, reason: ReasonKind::Normal }).unwrap();
    assert_eq!(last, [Effect::Exit(Ending::Shutdown)]);
}

#[test]
fn as_many_reasons_as_children_are_still_reported() {
    let mut machine = Factory::<u32, Own, ()>::new(FactoryFlags::default()).unwrap();
    let now = Duration::ZERO;
    machine.handle(now, Event::Boot).unwrap();
    for pid in 0..20_000 {
        let start = Event::Command(FactoryCommand::StartChild(Template::default()));
        let effects = machine.handle(now, start).unwrap();
        let Some(&Effect::Start { key }) = effects.last() else { panic!("it is started") };
        machine.handle(now, Event::Started { key, pid }).unwrap();
    }
    let effects = machine.handle(now, Event::ShutDown { reason: Own(0) }).unwrap();
    let Some(Effect::StopAll(stops)) = effects.last() else { panic!("they are stopped") };
    let mut last = Vec::new();
    for stop in stops {
        last = machine.handle(now, Event::Stopped { key: stop.key, reason: Own(stop.pid) }).unwrap();
    }
    assert_eq!(last.len(), 20_001);

    #[derive(Debug, PartialEq)]
    struct Own(u32);
    impl Reason for Own {
        fn kind(&self) -> ReasonKind {
            ReasonKind::Other
        }
    }
}
