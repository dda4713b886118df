//! The chat server's tree under generated faults: it does what OTP's supervisor does, and heals.

// Not all of the program is run here.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)]

#[path = "../../examples/chat/command.rs"]
mod command;
#[path = "../../examples/chat/directory.rs"]
mod directory;
#[path = "../../examples/chat/farewell.rs"]
mod farewell;
#[path = "../../examples/chat/history.rs"]
mod history;
#[path = "../../examples/chat/lines.rs"]
mod lines;
#[path = "../../examples/chat/listener.rs"]
mod listener;
#[path = "../../examples/chat/options.rs"]
mod options;
#[path = "../../examples/chat/outbox.rs"]
mod outbox;
#[path = "../../examples/chat/room.rs"]
mod room;
#[path = "../../examples/chat/server.rs"]
mod server;
#[path = "../../examples/chat/session.rs"]
mod session;
#[path = "../../examples/chat/tree.rs"]
mod tree;
#[path = "../../examples/chat/word.rs"]
mod word;

use std::time::Duration;

use erlang_process::{Spawn, Subject};
use otp_supervisor::{
    static_supervisor::Supervisor,
    testing::{Check, Faults, Reason, World},
};

use crate::{options::Options, word::Word};

const LONG: Duration = Duration::from_secs(60);

fn chat() -> Check<Supervisor> {
    // A port of its own, and the same again after a restart.
    let options = || Options { host: "127.0.0.1".to_owned(), port: 0, max_clients: 3 };
    Check::tree(move || server::start(options())).with(|_| someone_in_the_lobby()).at_once(3).cases(150)
}

/// Who is no client, but speaks to the directory as a session does.
async fn someone_in_the_lobby() {
    let body =
        |inbox: Subject<session::Message>| async move { while inbox.receive_forever().await.is_ok() {} };
    let prepared = Spawn::new().unlinked().prepare(body).unwrap();
    let someone = prepared.subject();
    let pid = prepared.start();
    let directory = directory::NAME.subject();
    let arrive = |reply| directory::Message::Arrive { pid, inbox: someone, reply };
    directory.call(LONG, arrive).await.unwrap();
    directory.send(directory::Message::Join { pid, room: Word::new("lobby").unwrap(), stay: 1 });
    directory.call(LONG, directory::Message::Rooms).await.unwrap();
}

/// Everyone who is needed answers.
async fn serves(world: World<Supervisor>) -> bool {
    if world.ended().is_some() {
        return true;
    }
    let rooms = directory::NAME.subject().call(LONG, directory::Message::Rooms).await;
    let lines = |reply| history::Message::Last(Word::new("lobby").unwrap(), reply);
    rooms.is_ok()
        && history::NAME.subject().call(LONG, lines).await.is_ok()
        && tree::draw().await.is_ok_and(|drawn| drawn.contains("listener"))
}

#[test]
fn the_tree_does_what_otp_does() {
    chat()
        .faults(Faults::crashes() + Faults::shutdowns() + Faults::kills())
        .follows_otp()
        .finally("the server serves, or has given up", serves)
        .sometimes("a room is restarted", |world| world.process("rooms/0").is_some() && world.restarts() == 1)
        .sometimes("it gives up", |world| world.ended() == Some(Reason::Shutdown))
        .run();
}

#[test]
fn crashes_of_a_room_are_nobody_elses() {
    chat()
        .faults(Faults::crashes().of(["rooms/0"]))
        .follows_otp()
        .always("the server lives", |world| world.ended().is_none())
        .always("the room is there", |world| world.process("rooms/0").is_some())
        .finally("the server serves", serves)
        .run();
}
