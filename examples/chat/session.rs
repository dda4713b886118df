//! A session: one client, its socket, and what waits to be written to it.
//!
//! Commands are taken one at a time: the next is not read before the present one is answered, so that a client
//! reads answers in the order of its commands, and one who floods the server waits for itself. Meanwhile the
//! session takes what its room says, and writes.

use std::{collections::VecDeque, convert::Infallible, error::Error, io, sync::Arc, time::Duration};

use erlang_process::{
    CallError, ExitMessage, ExitReason, Name, Pid, Reply, Selector, Spawn, Subject, current, set_label,
    spawn, spawn_unlinked, timeout, trap_exits,
};
use otp_actor::{InitAck, StartError, Started, start_process};
use otp_supervisor::{
    Shutdown,
    factory_supervisor::{self, Supervisor},
};
use tokio::net::TcpStream;

use crate::{
    command::Command,
    directory::{self, Stay},
    farewell,
    lines::{Input, LONGEST, Lines},
    outbox::{NotReading, Outbox},
    room::{Ask, Request},
    tree,
    word::Word,
};

/// What a session is started with.
pub(crate) type Client = Arc<TcpStream>;

pub(crate) const FACTORY: Name<factory_supervisor::Message<Client, ()>> = Name::fixed("sessions");

/// How long a client that leaves may take to read what waits for it.
const FAREWELL: Duration = Duration::from_secs(5);

/// The same, for clients of a server that stops.
const HASTY_FAREWELL: Duration = Duration::from_millis(250);

pub(crate) enum Message {
    /// The room has let the session in: for the first time, or again, because it crashed and is back.
    LetIn { stay: Stay, door: Subject<Request>, here: usize, lines: VecDeque<Arc<str>> },
    /// Someone in the room has said this; whether it was this client.
    Line { stay: Stay, line: Arc<str>, own: bool },
    /// The answer of the room to who asked for its history.
    History { stay: Stay, lines: VecDeque<Arc<str>> },
    /// The answer of the room to who asked it to crash: it will.
    Crashing { stay: Stay },
    /// The answer of the directory to who wants this nick: it is now his, or it is taken.
    Renamed(Word, bool),
    /// The answer of the directory to who asks for the rooms.
    Rooms(Vec<(Word, usize)>),
    /// The answer of the directory to who asks who is in this room.
    Who(Word, Vec<Word>),
    /// The tree, drawn.
    Tree(String),
}

/// Starts the supervisor of the sessions.
pub(crate) async fn start_factory(max_clients: usize) -> Result<Started<Supervisor<Client, ()>>, StartError> {
    factory_supervisor::temporary(start)
        .max_children(max_clients)
        .shutdown(Shutdown::After(2 * HASTY_FAREWELL))
        .named(FACTORY)
        .start()
        .await
}

async fn start(socket: Client) -> Result<Started<()>, StartError> {
    start_process(Spawn::new(), Duration::from_secs(10), |own, ack| run(socket, own, ack)).await
}

async fn run(
    socket: Client,
    own: Subject<Message>,
    ack: InitAck<()>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    // To say good-bye when the server stops.
    trap_exits(true)?;
    let mut session = match Session::arrive(own).await {
        Ok(session) => session,
        Err(error) => {
            ack.failed(error);
            return Ok(());
        }
    };
    let parent = ack.parent();
    ack.ready(())?;

    let Err(end) = session.serve(&socket, parent).await;
    // Who has read the good-bye can rely on it that the nick is free.
    let depart = |reply| directory::Message::Depart { pid: session.pid, reply };
    drop(directory::NAME.subject().call(Duration::MAX, depart).await);
    let patience = match &end {
        End::Quit => session.say("* Bye").map(|()| FAREWELL),
        End::Gone => Ok(FAREWELL),
        End::Stopped(_) => session.say("* Server is stopping").map(|()| HASTY_FAREWELL),
        End::NotReading => Err(End::NotReading),
    };
    match patience {
        Ok(patience) => drop(timeout(patience, session.outbox.flush(&socket)).await),
        Err(_) => tracing::info!(nick = %session.nick, "cut off a client that does not read"),
    }
    // Not linked, and no child of anyone: it outlives the session, for a moment.
    spawn_unlinked(farewell::close_after(session.pid, socket));
    match end {
        End::Stopped(reason) => Err(reason.into()),
        End::Quit | End::Gone | End::NotReading => Ok(()),
    }
}

/// Why a session ends.
enum End {
    Quit,
    /// The client has ended the connection, or its half of it.
    Gone,
    /// The client does not read what it is sent.
    NotReading,
    /// The server stops.
    Stopped(ExitReason),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<NotReading> for End {
    fn from(_: NotReading) -> Self {
        Self::NotReading
    }
}

struct Session {
    pid: Pid,
    own: Subject<Message>,
    nick: Word,
    /// The room that it is in.
    place: Option<Place>,
    /// How many stays in rooms it has begun.
    stays: Stay,
    /// What has to be answered before the next command is read.
    pending: Option<Pending>,
    outbox: Outbox,
}

struct Place {
    room: Word,
    stay: Stay,
    /// The process that runs the room, as far as is known.
    door: Subject<Request>,
}

enum Pending {
    /// To be let into this room.
    Join(Word),
    /// The room is to do this.
    Room(Request),
    /// The answer of anyone else.
    Answer,
}

impl Session {
    async fn arrive(own: Subject<Message>) -> Result<Self, CallError> {
        let pid = current().unwrap_or(Pid::OUTSIDE);
        let arrive = |reply| directory::Message::Arrive { pid, inbox: own.clone(), reply };
        let nick = directory::NAME.subject().call(Duration::MAX, arrive).await?;
        let outbox = Outbox::default();
        Ok(Self { pid, own, nick, place: None, stays: 0, pending: None, outbox })
    }

    /// Serves the client until there is a reason to end.
    async fn serve(&mut self, socket: &TcpStream, parent: Option<Pid>) -> Result<Infallible, End> {
        enum Event {
            Message(Message),
            Exit(ExitMessage),
        }
        let mut events = Selector::new().select(&self.own, Event::Message).select_trapped_exits(Event::Exit);
        let mut lines = Lines::default();
        self.call_itself();
        self.say(&format!(
            "* Welcome to the chat, {}: /join ROOM to talk, /nick NAME to be someone",
            self.nick
        ))?;
        loop {
            self.outbox.write(socket)?;
            // Answers come before the next command: in the order of the branches.
            tokio::select! { biased;
                event = events.receive_forever() => match event {
                    Ok(Event::Message(message)) => self.take(message)?,
                    Ok(Event::Exit(exit)) if Some(exit.pid) == parent => return Err(End::Stopped(exit.reason)),
                    Ok(Event::Exit(ExitMessage { reason: ExitReason::Normal, .. })) => {}
                    Ok(Event::Exit(exit)) => self.answer(&format!("! no answer: {}", exit.reason))?,
                    Err(error) => return Err(End::Stopped(ExitReason::error(error))),
                },
                writable = socket.writable(), if !self.outbox.is_empty() => writable?,
                input = lines.next(socket), if self.pending.is_none() => match input? {
                    Input::Line(line) => match Command::parse(line) {
                        Ok(command) => self.obey(command)?,
                        Err(refusal) => self.say(&refusal)?,
                    },
                    Input::TooLong => self.say(&format!("! line is longer than {LONGEST} bytes"))?,
                    Input::NotText => self.say("! line is not UTF-8")?,
                    Input::End => return Err(End::Gone),
                },
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), End> {
        let directory = directory::NAME.subject();
        match command {
            Command::Nothing => {}
            Command::Nick(nick) => {
                let renamed = nick.clone();
                let reply = self.reply(move |free| Message::Renamed(renamed, free));
                directory.send(directory::Message::Rename { pid: self.pid, nick, reply });
                self.pending = Some(Pending::Answer);
            }
            Command::Join(room) => {
                self.stays += 1;
                self.place = None;
                directory.send(directory::Message::Join {
                    pid: self.pid,
                    room: room.clone(),
                    stay: self.stays,
                });
                self.pending = Some(Pending::Join(room));
            }
            Command::Say(text) => self.ask(Ask::Say(text))?,
            Command::History => self.ask(Ask::History)?,
            Command::Crash => self.ask(Ask::Crash)?,
            Command::Rooms => {
                directory.send(directory::Message::Rooms(self.reply(Message::Rooms)));
                self.pending = Some(Pending::Answer);
            }
            Command::Who => match &self.place {
                Some(Place { room, .. }) => {
                    let asked = room.clone();
                    let reply = self.reply(move |people| Message::Who(asked, people));
                    directory.send(directory::Message::Who(room.clone(), reply));
                    self.pending = Some(Pending::Answer);
                }
                None => self.say(NOWHERE)?,
            },
            Command::Tree => {
                let own = self.own.clone();
                // Not here: a supervisor that waits for this session to end does not answer it.
                spawn(async move {
                    own.send(Message::Tree(tree::draw().await?));
                    Ok::<_, CallError>(())
                });
                self.pending = Some(Pending::Answer);
            }
            Command::Stats => self.say(&tree::stats())?,
            Command::Quit => return Err(End::Quit),
        }
        Ok(())
    }

    /// Asks the room for something.
    fn ask(&mut self, ask: Ask) -> Result<(), End> {
        let Some(place) = &self.place else { return self.say(NOWHERE) };
        let request = Request { pid: self.pid, nick: self.nick.clone(), ask };
        // If the room is down, or about to be, it is asked again when it is back.
        place.door.send(request.clone());
        self.pending = Some(Pending::Room(request));
        Ok(())
    }

    fn take(&mut self, message: Message) -> Result<(), End> {
        let stay = self.place.as_ref().map(|place| place.stay);
        match message {
            Message::LetIn { stay: letting, door, here, lines } => match self.pending.take() {
                Some(Pending::Join(room)) if letting == self.stays => {
                    self.say_all(format!("* Joined {room} ({here} here)\n"), &lines, "")?;
                    self.place = Some(Place { room, stay: letting, door });
                }
                pending => {
                    self.pending = pending;
                    self.let_in_again(letting, door)?;
                }
            },
            Message::Line { stay: of, line, own } if Some(of) == stay => {
                if own {
                    self.pending = None;
                }
                self.outbox.push(line)?;
            }
            Message::History { stay: of, lines } if Some(of) == stay => {
                self.pending = None;
                self.say_all(String::new(), &lines, "* End of history\n")?;
            }
            Message::Crashing { stay: of } if Some(of) == stay => self.pending = None,
            // Of a stay that is over.
            Message::Line { .. } | Message::History { .. } | Message::Crashing { .. } => {}
            Message::Renamed(nick, true) => {
                self.nick = nick;
                self.call_itself();
                self.answer(&format!("* You are now {}", self.nick))?;
            }
            Message::Renamed(nick, false) => self.answer(&format!("! nick {nick} is taken"))?,
            Message::Rooms(rooms) if rooms.is_empty() => self.answer("* Rooms: none")?,
            Message::Rooms(rooms) => {
                self.answer(&format!("* Rooms: {}", list(rooms, |(room, here)| format!("{room} ({here})"))))?;
            }
            Message::Who(room, people) => {
                self.answer(&format!("* In {room}: {}", list(people, |nick| nick.to_string())))?;
            }
            Message::Tree(tree) => self.answer(&format!("{tree}* End of tree"))?,
        }
        Ok(())
    }

    /// The room has crashed and is back.
    fn let_in_again(&mut self, stay: Stay, door: Subject<Request>) -> Result<(), End> {
        let Some(place) = self.place.as_mut().filter(|place| place.stay == stay) else { return Ok(()) };
        place.door = door;
        let notice = format!("* Room {} crashed and is back", place.room);
        // What the one before has done, it has answered before this one came.
        if let Some(Pending::Room(request)) = &self.pending {
            place.door.send(request.clone());
        }
        self.say(&notice)
    }

    /// Writes a line to the client.
    fn say(&mut self, line: &str) -> Result<(), End> {
        Ok(self.outbox.push(format!("{line}\n").into())?)
    }

    /// Writes the answer that was waited for.
    fn answer(&mut self, line: &str) -> Result<(), End> {
        self.pending = None;
        self.say(line)
    }

    fn say_all(&mut self, before: String, lines: &VecDeque<Arc<str>>, after: &str) -> Result<(), End> {
        let mut all = lines.iter().fold(before, |all, line| all + line);
        all.push_str(after);
        Ok(self.outbox.push(all.into())?)
    }

    /// A reply that comes as a message, in its turn with all others.
    fn reply<R: Send + 'static>(&self, message: impl FnOnce(R) -> Message + Send + 'static) -> Reply<R> {
        let own = self.own.clone();
        Reply::new(move |reply| own.send(message(reply)))
    }

    /// Lets those who look at the tree know who this is.
    fn call_itself(&self) {
        let _ = set_label(&self.nick.to_string());
    }
}

const NOWHERE: &str = "! join a room first";

fn list<T>(items: Vec<T>, text: impl FnMut(T) -> String) -> String {
    items.into_iter().map(text).collect::<Vec<_>>().join(", ")
}
