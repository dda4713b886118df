//! A room: tells everyone in it what one of them says.
//!
//! It knows nothing that it could not learn again. When it starts, for the first time or after a crash, it asks
//! the directory who is in it and the history what was said, and lets everyone in. For who has just asked to
//! join, that is the welcome; for who was in it before, it means that the room has crashed and is back.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use erlang_process::{Name, Pid, Selector, Subject, set_label};
use otp_actor::{self as actor, Initialised, Next, StartError, Started};
use otp_supervisor::factory_supervisor::{self, Supervisor};

use crate::{
    directory::{self, Member, Stay},
    history, session,
    word::Word,
};

pub(crate) const FACTORY: Name<factory_supervisor::Message<Key, ()>> = Name::fixed("rooms");

/// What makes a room: it is restarted with the same.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) room: Word,
    pub(crate) name: Name<Message>,
}

/// What the directory tells a room by its name. A room that starts may be told what it has learned already: saying
/// a thing twice changes nothing.
pub(crate) enum Message {
    /// Someone joins, and now so many are here.
    Enter { member: Member, here: usize },
    /// Someone is no longer here.
    Left { pid: Pid, stay: Stay },
    /// Nobody is here any more.
    Close,
    /// What a member asks for, at the door.
    Asked(Request),
}

/// What a member asks of a room: of the very process that has let it in, so that it is never done twice.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) pid: Pid,
    pub(crate) nick: Word,
    pub(crate) ask: Ask,
}

#[derive(Clone)]
pub(crate) enum Ask {
    Say(String),
    History,
    Crash,
}

/// Starts the supervisor of the rooms.
///
/// Anyone may crash a room, as often as he can type or pipe it: how often rooms are restarted says nothing about
/// the health of the program, and the limit is beyond what can be reached.
pub(crate) async fn start_factory() -> Result<Started<Supervisor<Key, ()>>, StartError> {
    factory_supervisor::worker(start)
        .restart_tolerance(10_000_000, Duration::from_secs(1))
        .named(FACTORY)
        .start()
        .await
}

async fn start(key: Key) -> Result<Started<()>, StartError> {
    let name = key.name;
    actor::with_initialiser(Duration::from_secs(10), move |subject| open(key, subject))
        .on_message(handle)
        .named(name)
        .start()
        .await
}

struct Room {
    room: Word,
    members: HashMap<Pid, Member>,
    lines: VecDeque<Arc<str>>,
    /// Where members ask: reaches this process and none that comes after it.
    door: Subject<Request>,
}

async fn open(
    key: Key,
    subject: Subject<Message>,
) -> Result<Initialised<Room, Message, ()>, Box<dyn std::error::Error + Send + Sync>> {
    set_label(&format!("room {}", key.room))?;
    // In this order: the name is held already, so what happens after the directory has answered is told to it.
    let directory = directory::NAME.subject();
    let members =
        directory.call(Duration::MAX, |reply| directory::Message::Opened(key.clone(), reply)).await?;
    let last = |reply| history::Message::Last(key.room.clone(), reply);
    let lines = history::NAME.subject().call(Duration::MAX, last).await?;
    if members.is_none() {
        subject.send(Message::Close);
    }
    let members = members.into_iter().flatten().map(|member| (member.pid, member)).collect();
    let room = Room { room: key.room, members, lines, door: Subject::new()? };
    for member in room.members.values() {
        room.let_in(member, room.members.len());
    }
    let messages = Selector::new().select(&subject, |message| message).select(&room.door, Message::Asked);
    Ok(Initialised::new(room).selecting(messages))
}

fn handle(room: &mut Room, message: Message) -> Next {
    match message {
        Message::Enter { member, here } => {
            let known = room.members.get(&member.pid).is_some_and(|known| known.stay == member.stay);
            if !known {
                room.let_in(&member, here);
                room.members.insert(member.pid, member);
            }
        }
        Message::Left { pid, stay } => {
            if room.members.get(&pid).is_some_and(|member| member.stay == stay) {
                room.members.remove(&pid);
            }
        }
        Message::Close => return Next::stop(),
        Message::Asked(Request { pid, nick, ask }) => match ask {
            Ask::Say(text) => room.say(pid, &nick, &text),
            Ask::History => {
                room.tell(pid, |stay| session::Message::History { stay, lines: room.lines.clone() });
            }
            Ask::Crash => {
                room.tell(pid, |stay| session::Message::Crashing { stay });
                panic!("{nick} has crashed the room {}", room.room);
            }
        },
    }
    Next::Continue
}

impl Room {
    fn let_in(&self, member: &Member, here: usize) {
        let (stay, door, lines) = (member.stay, self.door.clone(), self.lines.clone());
        member.inbox.send(session::Message::LetIn { stay, door, here, lines });
    }

    fn tell(&self, pid: Pid, message: impl FnOnce(Stay) -> session::Message) {
        if let Some(member) = self.members.get(&pid) {
            member.inbox.send(message(member.stay));
        }
    }

    fn say(&mut self, pid: Pid, nick: &Word, text: &str) {
        let line: Arc<str> = format!("[{}] {nick}: {text}\n", self.room).into();
        // First into the history, then to anyone: what was read is never forgotten.
        history::NAME.subject().send(history::Message::Append(self.room.clone(), line.clone()));
        history::append(&mut self.lines, line.clone());
        for member in self.members.values() {
            let (stay, line, own) = (member.stay, line.clone(), member.pid == pid);
            member.inbox.send(session::Message::Line { stay, line, own });
        }
    }
}
