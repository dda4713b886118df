//! The order of what one process sends to another: across all kinds of signal, and while the receiver takes.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    World, explore,
    puppet::{Task, counting},
    thread,
};
use crate::{
    Bound, Down, ExitReason, Pid, Selector, Spawn, Subject, Unexpected, WhenFull, link, monitor, receive, rt,
    send_exit, trap_exits,
};

/// What has come to a process, and how often it was polled.
#[derive(Clone, Default)]
struct Heard {
    all: Arc<Mutex<Vec<String>>>,
    polls: Arc<AtomicUsize>,
}

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.all.lock().unwrap())
    }
}

/// A process that traps exits and puts down all that comes, until this other one has ended.
fn listener(world: &World, spawn: Spawn, until: Pid) -> (Task, Subject<u8>, Heard) {
    let heard = Heard::default();
    let prepared = spawn.unlinked().on(&world.node).prepare({
        let heard = heard.clone();
        move |own: Subject<u8>| {
            counting(heard.polls.clone(), async move {
                trap_exits(true).unwrap();
                monitor(until).unwrap();
                loop {
                    let next =
                        own.receive_any(Duration::MAX, |number| number.to_string(), text).await.unwrap();
                    let is_last = next.starts_with("down");
                    heard.all.lock().unwrap().push(next);
                    if is_last {
                        return;
                    }
                }
            })
        }
    });
    let prepared = prepared.unwrap();
    let subject = prepared.subject();
    world.watch(prepared.start());
    (rt::spawned().unwrap(), subject, heard)
}

fn text(mut message: Unexpected<'_>) -> String {
    if let Some(exit) = message.take_exit() {
        return format!("exit {}", exit.reason);
    }
    match message.take::<Down>() {
        Some(down) => format!("down {}", down.reason),
        None => message.take_raw::<u8>().unwrap().to_string(),
    }
}

/// Messages by two ways, an exit signal, a link that is made among them, and the end.
fn one_to_another(mailbox: impl Fn(Spawn) -> Spawn + Send + Sync + 'static) {
    explore(["came while it took", "was there at once"], move |world| {
        let mut sender = world.puppet::<()>();
        let (mut receiver, own, heard) = listener(world, mailbox(Spawn::new()), sender.pid);
        assert!(receiver.poll().is_pending());
        let sending = thread::spawn(move || {
            let listening = own.pid().unwrap();
            sender.does(move || {
                own.send(1);
                send_exit(listening, ExitReason::Shutdown);
                Subject::to_pid(listening).unwrap().send(2_u8);
                link(listening).unwrap();
                own.send(3);
            });
            sender.ends(ExitReason::NoConnection);
        });
        receiver.run();
        sending.join().unwrap();
        let mut all = heard.take();
        let (shutdown, end) = (ExitReason::Shutdown, ExitReason::NoConnection);
        // Nothing is said of which of the two that tell of the end is first.
        all[4..].sort();
        let sent =
            ["1", &format!("exit {shutdown}"), "2", "3", &format!("down {end}"), &format!("exit {end}")];
        let unheard = usize::from(all.len() < sent.len());
        assert!(all.iter().eq(&sent[..sent.len() - unheard]), "{all:?}");
        // The first poll has found nothing, and the second what was there.
        let polls = heard.polls.load(Ordering::Relaxed);
        world.saw(if polls > 2 { "came while it took" } else { "was there at once" });
    });
}

#[test]
fn what_one_process_sends_another_comes_in_the_order_in_which_it_was_sent() {
    one_to_another(|spawn| spawn);
}

#[test]
fn what_one_process_sends_to_a_bounded_mailbox_comes_in_the_order_in_which_it_was_sent() {
    one_to_another(|spawn| spawn.mailbox(Bound::new(8, WhenFull::Refuse)));
}

#[test]
fn what_is_sent_after_an_exit_that_ends_its_receiver_is_refused() {
    explore(["read what came before", "ended before it read"], |world| {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (receiver, address) = world.process({
            let got = got.clone();
            move |own: Subject<u8>| async move {
                loop {
                    let message = own.receive_forever().await.unwrap();
                    got.lock().unwrap().push(message);
                }
            }
        });
        let mut sender = world.puppet::<()>();
        let sending = thread::spawn(move || {
            let sent = sender.does(move || {
                let before = address.try_send(1).is_ok();
                send_exit(address.pid().unwrap(), ExitReason::Shutdown);
                (before, address.try_send(2).is_ok())
            });
            assert_eq!(sent, Some((true, false)));
        });
        receiver.run();
        sending.join().unwrap();
        match got.lock().unwrap()[..] {
            [1] => world.saw("read what came before"),
            [] => world.saw("ended before it read"),
            ref other => panic!("{other:?}"),
        }
    });
}

#[test]
fn who_asks_and_then_monitors_hears_the_answer_before_the_end() {
    explore(["by its end", "as noproc"], |world| {
        let mut a = world.puppet::<u8>();
        let (server, requests) = world.process(|own: Subject<Subject<u8>>| async move {
            own.receive_forever().await.unwrap().send(1);
        });
        let serving = thread::spawn(move || server.run());
        let own = a.subject.clone();
        a.does(move || {
            requests.send(own);
            monitor(requests.pid().unwrap()).unwrap();
        });
        serving.join().unwrap();
        let own = a.subject.clone();
        let mut all = Selector::new().select(&own, Ok).select_monitors(|down| Err(down.reason));
        match &a.does(move || receive::drain(&mut all)).unwrap()[..] {
            [Ok(1), Err(ExitReason::Normal)] => world.saw("by its end"),
            [Ok(1), Err(ExitReason::NoProc)] => world.saw("as noproc"),
            other => panic!("{other:?}"),
        }
    });
}
