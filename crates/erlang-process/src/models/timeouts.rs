//! Receives whose time is over as a message comes.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    explore,
    puppet::{Part, Task},
    thread,
};
use crate::{ReceiveError, Selector, Subject, rt};

const HOUR: Duration = Duration::from_secs(3600);

/// Who polls a receive: the task with its own waker, or by turns with a part that has another.
#[derive(Clone, Copy)]
enum By {
    Task,
    TaskAndPart,
    PartAndTask,
}

/// What one receive after the other brought.
type Got = Arc<Mutex<Vec<Result<u8, ReceiveError>>>>;

/// Receives for an hour, and if that was in vain for as long as it takes.
fn a_message_as_the_time_is_over(by: By, searches: bool) {
    explore(["in time", "too late"], move |world| {
        let got = Got::default();
        let (mut receiver, address) = world.process({
            let got = got.clone();
            move |own: Subject<u8>| async move {
                let mut anything = Selector::new().select_other(|mut message| message.take::<u8>().unwrap());
                for timeout in [HOUR, Duration::MAX] {
                    let receive: Pin<Box<dyn Future<Output = _> + Send>> = if searches {
                        Box::pin(anything.receive(timeout))
                    } else {
                        Box::pin(own.receive(timeout))
                    };
                    let (mut receive, mut part) = (pin!(receive), Part::default());
                    let received = poll_fn(|cx| match by {
                        By::Task => receive.as_mut().poll(cx),
                        By::TaskAndPart => part.poll_both(receive.as_mut(), cx, true),
                        By::PartAndTask => part.poll_both(receive.as_mut(), cx, false),
                    });
                    let received = received.await;
                    got.lock().unwrap().push(received);
                    if received.is_ok() {
                        return;
                    }
                }
            }
        });
        assert!(receiver.poll().is_pending());
        let sender = thread::spawn(move || address.send(1));
        let time = thread::spawn(|| rt::advance(HOUR));
        receiver.run();
        sender.join().unwrap();
        time.join().unwrap();
        match got.lock().unwrap()[..] {
            [Ok(1)] => world.saw("in time"),
            [Err(ReceiveError::Timeout), Ok(1)] => world.saw("too late"),
            ref other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_message_that_comes_as_the_time_is_over_is_for_this_receive_or_the_next() {
    a_message_as_the_time_is_over(By::Task, false);
}

#[test]
fn a_message_that_comes_as_the_time_of_a_search_is_over_is_for_this_or_the_next() {
    a_message_as_the_time_is_over(By::Task, true);
}

#[test]
fn a_receive_that_goes_from_the_task_to_a_part_of_it_is_over_in_time() {
    a_message_as_the_time_is_over(By::TaskAndPart, false);
}

#[test]
fn a_receive_that_goes_from_a_part_of_the_task_to_the_task_is_over_in_time() {
    a_message_as_the_time_is_over(By::PartAndTask, false);
}

#[test]
fn a_search_that_goes_from_the_task_to_a_part_of_it_is_over_in_time() {
    a_message_as_the_time_is_over(By::TaskAndPart, true);
}

/// The timer that a process keeps is set for the first of its deadlines. It has to be set anew for a later one.
#[test]
fn who_waits_until_later_than_the_timer_was_set_for_is_woken_then() {
    explore(["the first has it", "the second has it"], |world| {
        let got = Got::default();
        let (mut receiver, address) = world.process({
            let got = got.clone();
            move |own: Subject<u8>| async move {
                for timeout in [HOUR, 2 * HOUR] {
                    let received = own.receive(timeout).await;
                    got.lock().unwrap().push(received);
                }
            }
        });
        assert!(receiver.poll().is_pending());
        let sender = thread::spawn(move || address.send(1));
        let time = thread::spawn(|| rt::advance(HOUR));
        let _ = receiver.poll();
        sender.join().unwrap();
        time.join().unwrap();
        rest(&mut receiver);
        // By now the second waits, or has it.
        rt::advance(2 * HOUR);
        rest(&mut receiver);
        match got.lock().unwrap()[..] {
            [Ok(1), Err(ReceiveError::Timeout)] => world.saw("the first has it"),
            [Err(ReceiveError::Timeout), Ok(1)] => world.saw("the second has it"),
            ref other => panic!("{other:?}"),
        }
    });
}

/// Lets a process do what it has to do of itself.
fn rest(process: &mut Task) {
    while process.is_woken() && process.poll().is_pending() {}
}
