//! A tree that is checked: a till, and the book in which each sale is written.
//!
//! ```text
//! cargo run --package otp-supervisor --example checked --features testing
//! ```
//!
//! ```text
//! shop                 rest for one
//! ├── book             actor: what was sold
//! └── till             actor: takes the money, and what is not yet in the book with it
//! ```
//!
//! The first check holds: *rest for one* restarts the till with its book, and the till begins with what is written there.
//! The second is of the same shop under *one for one*, where the till goes on with the total
//! of a book that was lost; the check finds that, and tells the shortest day on which it happens.
#![allow(clippy::print_stdout)]

use std::{panic, time::Duration};

use erlang_process::{Name, Reply};
use otp_actor::{self as actor, Next, StartError, Started};
use otp_supervisor::{
    Strategy,
    static_supervisor::{self as supervisor, Supervisor},
    supervision,
    testing::{Check, Faults, World},
};

const BOOK: Name<Book> = Name::fixed("book");
const TILL: Name<Till> = Name::fixed("till");
const SECOND: Duration = Duration::from_secs(1);

enum Book {
    Write(u32),
    Total(Reply<u32>),
}

enum Till {
    Sell(u32, Reply<()>),
    Total(Reply<u32>),
}

fn write(total: &mut u32, message: Book) -> Next {
    match message {
        Book::Write(price) => *total += price,
        Book::Total(reply) => reply.send(*total),
    }
    Next::Continue
}

fn sell(total: &mut u32, message: Till) -> Next {
    match message {
        Till::Sell(price, reply) => {
            BOOK.subject().send(Book::Write(price));
            *total += price;
            reply.send(());
        }
        Till::Total(reply) => reply.send(*total),
    }
    Next::Continue
}

/// The till begins with what is in the book.
async fn open_till() -> Result<Started<()>, StartError> {
    let total = BOOK.subject().call(SECOND, Book::Total).await.map_err(StartError::failed)?;
    let Started { pid, .. } = actor::new(total).on_message(sell).named(TILL).start().await?;
    Ok(Started { pid, data: () })
}

async fn shop(strategy: Strategy) -> Result<Started<Supervisor>, StartError> {
    supervisor::new(strategy)
        .restart_tolerance(3, Duration::from_secs(5))
        .add(supervision::worker(|| actor::new(0).on_message(write).named(BOOK).start()).id("book"))
        .add(supervision::worker(open_till).id("till"))
        .start()
        .await
}

/// Book and till say the same.
async fn is_balanced(world: World<Supervisor>) -> bool {
    let book = BOOK.subject().call(SECOND, Book::Total).await;
    let till = TILL.subject().call(SECOND, Till::Total).await;
    world.ended().is_some() || book.is_ok() && book == till
}

fn check(strategy: Strategy) {
    Check::tree(move || shop(strategy))
        .with(|_| async {
            // If the till does not answer, the check will tell.
            let _ = TILL.subject().call(SECOND, |reply| Till::Sell(7, reply)).await;
        })
        .faults(Faults::crashes() + Faults::kills())
        .at_once(2)
        .cases(200)
        .follows_otp()
        .finally("book and till say the same", is_balanced)
        .sometimes("something was restarted", |world| world.restarts() > 0)
        .run();
}

fn main() {
    check(Strategy::RestForOne);
    println!("rest for one: book and till say the same on 200 days\n");

    // The failure is what is to be shown.
    panic::set_hook(Box::new(|_| {}));
    match panic::catch_unwind(|| check(Strategy::OneForOne)) {
        Ok(()) => println!("one for one: no day was bad enough"),
        Err(failure) => println!("one for one: {}", failure.downcast_ref::<String>().map_or("", |told| told)),
    }
}
