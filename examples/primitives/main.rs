//! Processes and nothing else: a link, a monitor, a trapped exit, a name and a selector, from `erlang-process` alone.
//!
//! ```text
//! cargo run --release --package otp-examples --example primitives
//! ```
//!
//! A kitchen: the chef takes orders, and has a cook for each dish. It is what a supervisor is made of, by hand, to see what
//! is below. For a program, take the supervisor.
//!
//! # The processes
//!
//! ```text
//! guest                            process::run: asks, and monitors the chef
//! └── chef                         linked with nobody; traps exits, so that a cook who fails does not end it
//!     ├── cook, of the soup        linked with the chef
//!     ├── cook, of the soufflé     linked with the chef; fails
//!     └── ...
//! ```
#![allow(clippy::print_stdout)]

use std::{collections::HashMap, time::Duration};

use erlang_process::{
    self as process, ExitMessage, ExitReason, Name, NotAProcess, Pid, Reply, Selector, Spawn, Subject,
};

enum Order {
    Dish(&'static str, Reply<Result<&'static str, ExitReason>>),
    Close,
}

const CHEF: Name<Order> = Name::fixed("chef");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What panics in a process is told by its exit reason.
    process::capture_panics();
    // The body of `main` is no process, and has no mailbox: this is and has.
    Ok(process::run(guest()).await??)
}

async fn guest() -> Result<(), ExitReason> {
    let prepared = Spawn::new().unlinked().named(CHEF).prepare(chef).map_err(ExitReason::error)?;
    // In place before the chef runs: no end is missed.
    let monitor = prepared.monitor().map_err(ExitReason::error)?;
    prepared.start();

    let patience = Duration::from_secs(5);
    for dish in ["soup", "soufflé", "salad"] {
        let served = CHEF.subject().call(patience, |reply| Order::Dish(dish, reply)).await;
        match served.map_err(ExitReason::error)? {
            Ok(plate) => println!("{dish}: {plate}"),
            Err(reason) => println!("{dish}: the cook ended, {reason}"),
        }
    }

    CHEF.subject().send(Order::Close);
    let down = monitor.down().await.map_err(ExitReason::error)?;
    println!("the chef ended: {}", down.reason);
    // The name is free before anyone hears of the end.
    println!("a chef is found: {}", process::whereis(CHEF).is_some());
    Ok(())
}

enum Event {
    Order(Order),
    Served(Pid, &'static str),
    Exit(ExitMessage),
}

async fn chef(orders: Subject<Order>) -> Result<(), ExitReason> {
    process::trap_exits(true).map_err(ExitReason::error)?;
    let served = Subject::new().map_err(ExitReason::error)?;
    // One mailbox, in the order in which things arrive.
    let mut events = Selector::new()
        .select(&orders, Event::Order)
        .select(&served, |(cook, plate)| Event::Served(cook, plate))
        .select_trapped_exits(Event::Exit);
    let mut guests = HashMap::new();
    loop {
        match events.receive_forever().await.map_err(ExitReason::error)? {
            Event::Order(Order::Dish(dish, guest)) => {
                let cook = process::spawn(cook(dish, served.clone()));
                guests.insert(cook, guest);
            }
            Event::Order(Order::Close) => return Ok(()),
            Event::Served(cook, plate) => {
                if let Some(guest) = guests.remove(&cook) {
                    guest.send(Ok(plate));
                }
            }
            // Each cook ends; whose guest still waits has failed.
            Event::Exit(exit) => {
                if let Some(guest) = guests.remove(&exit.pid) {
                    guest.send(Err(exit.reason));
                }
            }
        }
    }
}

async fn cook(dish: &'static str, served: Subject<(Pid, &'static str)>) -> Result<(), NotAProcess> {
    let own = process::current().ok_or(NotAProcess)?;
    match dish {
        "soup" => served.send((own, "a bowl")),
        "salad" => served.send((own, "a plate")),
        dish => panic!("the {dish} collapsed"),
    }
    Ok(())
}
