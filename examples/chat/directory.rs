//! The directory: who is here, under which nick, and who is in which room. It alone decides, so that two who
//! want one nick, or come and go at the same moment, meet in its mailbox.
//!
//! It never waits for anyone: whoever else is starting or crashing can ask it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use erlang_process::{
    Down, Monitor, Name, NotAProcess, Pid, Reply, Selector, Subject, demonitor, monitor, spawn,
};
use otp_actor::{self as actor, Initialised, StartError, Started};
use otp_supervisor::{SupervisorError, factory_supervisor::Supervisor};

use crate::{history, room, session, word::Word};

pub(crate) const NAME: Name<Message> = Name::fixed("directory");

/// A session's stay in a room, told apart from its other stays: what belongs to an earlier one is out of date.
pub(crate) type Stay = u64;

/// Someone in a room.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) pid: Pid,
    pub(crate) stay: Stay,
    pub(crate) inbox: Subject<session::Message>,
}

pub(crate) enum Message {
    /// A client has come: what is it called?
    Arrive { pid: Pid, inbox: Subject<session::Message>, reply: Reply<Word> },
    /// A session is about to end. The directory hears of every end; this is for those who want to be sure that
    /// the nick is free.
    Depart { pid: Pid, reply: Reply<()> },
    /// A session wants another nick. False if it is taken.
    Rename { pid: Pid, nick: Word, reply: Reply<bool> },
    /// A session goes to a room, from the one that it is in. The room lets it in.
    Join { pid: Pid, room: Word, stay: Stay },
    /// Which rooms are there, and how many are in each?
    Rooms(Reply<Vec<(Word, usize)>>),
    /// Who is in this room?
    Who(Word, Reply<Vec<Word>>),
    /// A room has started, or started again: who is in it? `None` if it is a room no more.
    Opened(room::Key, Reply<Option<Vec<Member>>>),
    /// A session has ended.
    Ended(Down),
}

pub(crate) async fn start() -> Result<Started<()>, StartError> {
    actor::with_initialiser(Duration::from_secs(5), async |subject: Subject<Message>| {
        let messages = Selector::new().select(&subject, |message| message).select_monitors(Message::Ended);
        Ok::<_, NotAProcess>(Initialised::new(Directory::default()).selecting(messages))
    })
    .on_message(handle)
    .named(NAME)
    .start()
    .await
}

#[derive(Default)]
struct Directory {
    people: HashMap<Pid, Person>,
    nicks: HashSet<Word>,
    rooms: BTreeMap<Word, Room>,
    guests: u64,
}

struct Person {
    nick: Word,
    inbox: Subject<session::Message>,
    watch: Monitor,
    room: Option<Word>,
}

/// A room with someone in it: others end, so that names that anyone can make up cost nothing.
struct Room {
    name: Name<room::Message>,
    members: HashMap<Pid, Member>,
}

fn handle(directory: &mut Directory, message: Message) -> Result<(), NotAProcess> {
    match message {
        Message::Arrive { pid, inbox, reply } => reply.send(directory.arrive(pid, inbox)?),
        Message::Depart { pid, reply } => {
            directory.depart(pid);
            reply.send(());
        }
        Message::Rename { pid, nick, reply } => reply.send(directory.rename(pid, nick)),
        Message::Join { pid, room, stay } => directory.join(pid, room, stay),
        Message::Rooms(reply) => {
            let rooms = directory.rooms.iter();
            reply.send(rooms.map(|(room, Room { members, .. })| (room.clone(), members.len())).collect());
        }
        Message::Who(room, reply) => reply.send(directory.who(&room)),
        Message::Opened(key, reply) => {
            let room = directory.rooms.get(&key.room).filter(|room| room.name == key.name);
            reply.send(room.map(|room| room.members.values().cloned().collect()));
        }
        Message::Ended(down) => {
            if let Some(pid) = down.pid() {
                directory.depart(pid);
            }
        }
    }
    Ok(())
}

impl Directory {
    fn arrive(&mut self, pid: Pid, inbox: Subject<session::Message>) -> Result<Word, NotAProcess> {
        let nick = loop {
            self.guests += 1;
            let nick = Word::guest(self.guests);
            if self.nicks.insert(nick.clone()) {
                break nick;
            }
        };
        let person = Person { nick: nick.clone(), inbox, watch: monitor(pid)?, room: None };
        self.people.insert(pid, person);
        Ok(nick)
    }

    fn depart(&mut self, pid: Pid) {
        let Some(person) = self.people.remove(&pid) else { return };
        demonitor(person.watch);
        self.nicks.remove(&person.nick);
        if let Some(room) = person.room {
            self.leave(pid, room);
        }
    }

    fn rename(&mut self, pid: Pid, nick: Word) -> bool {
        let Some(person) = self.people.get_mut(&pid) else { return false };
        if nick != person.nick {
            if !self.nicks.insert(nick.clone()) {
                return false;
            }
            self.nicks.remove(&std::mem::replace(&mut person.nick, nick));
        }
        true
    }

    fn join(&mut self, pid: Pid, room: Word, stay: Stay) {
        let Some(person) = self.people.get_mut(&pid) else { return };
        let member = Member { pid, stay, inbox: person.inbox.clone() };
        let left = person.room.replace(room.clone()).filter(|left| *left != room);
        match self.rooms.get_mut(&room) {
            Some(open) => {
                open.members.insert(pid, member.clone());
                let here = open.members.len();
                open.name.subject().send(room::Message::Enter { member, here });
            }
            None => self.open(room, member),
        }
        if let Some(left) = left {
            self.leave(pid, left);
        }
    }

    /// Opens a room for its first member, whom it lets in when it has started.
    fn open(&mut self, room: Word, member: Member) {
        let name = Name::new("room");
        history::NAME.subject().send(history::Message::Keep(room.clone()));
        self.rooms.insert(room.clone(), Room { name, members: HashMap::from([(member.pid, member)]) });
        // In a process of its own, because the room asks the directory while it starts. Linked: a room that
        // cannot be opened is none of this program's states.
        spawn(async move {
            match Supervisor::named(room::FACTORY).start_child(room::Key { room, name }).await {
                // Without the supervisor of the rooms the sessions are being stopped, too.
                Ok(_) | Err(SupervisorError::Call(_)) => Ok(()),
                Err(error) => Err(error),
            }
        });
    }

    fn leave(&mut self, pid: Pid, room: Word) {
        let Some(open) = self.rooms.get_mut(&room) else { return };
        let Some(member) = open.members.remove(&pid) else { return };
        let name = open.name.subject();
        if open.members.is_empty() {
            name.send(room::Message::Close);
            self.rooms.remove(&room);
            history::NAME.subject().send(history::Message::Release(room));
        } else {
            name.send(room::Message::Left { pid, stay: member.stay });
        }
    }

    fn who(&self, room: &Word) -> Vec<Word> {
        let Some(room) = self.rooms.get(room) else { return Vec::new() };
        let people = room.members.keys().filter_map(|pid| self.people.get(pid));
        let mut nicks: Vec<Word> = people.map(|person| person.nick.clone()).collect();
        nicks.sort_unstable();
        nicks
    }
}
