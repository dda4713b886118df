//! The history: the last lines of each room, in a process of its own, which outlives the room's.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use erlang_process::{Name, Reply};
use otp_actor::{self as actor, StartError, Started};

use crate::word::Word;

pub(crate) const NAME: Name<Message> = Name::fixed("history");

/// How many lines of a room are kept.
const LINES: usize = 20;

/// How many rooms are remembered after everyone has left them: anyone can make up names.
const EMPTY_ROOMS: usize = 1000;

pub(crate) enum Message {
    /// A room is in use: its lines are kept, however many rooms there are.
    Keep(Word),
    /// A room is empty.
    Release(Word),
    /// Someone has said this, in this room.
    Append(Word, Arc<str>),
    /// What was said last in this room?
    Last(Word, Reply<VecDeque<Arc<str>>>),
}

pub(crate) async fn start() -> Result<Started<()>, StartError> {
    let started = actor::new(History::default()).on_message(handle).named(NAME).start().await?;
    Ok(Started { pid: started.pid, data: () })
}

/// Adds a line to the last ones of a room.
pub(crate) fn append(lines: &mut VecDeque<Arc<str>>, line: Arc<str>) {
    if lines.len() == LINES {
        lines.pop_front();
    }
    lines.push_back(line);
}

#[derive(Default)]
struct History {
    rooms: HashMap<Word, VecDeque<Arc<str>>>,
    /// The rooms that are empty, those that have been so for longest first.
    empty: VecDeque<Word>,
}

fn handle(history: &mut History, message: Message) {
    match message {
        Message::Keep(room) => {
            history.empty.retain(|empty| *empty != room);
            history.rooms.entry(room).or_default();
        }
        Message::Release(room) => {
            if history.rooms.get(&room).is_none_or(VecDeque::is_empty) {
                history.rooms.remove(&room);
                return;
            }
            history.empty.push_back(room);
            if history.empty.len() > EMPTY_ROOMS {
                let oldest = history.empty.pop_front();
                oldest.and_then(|oldest| history.rooms.remove(&oldest));
            }
        }
        // The last words of someone who is gone may come when the room is forgotten.
        Message::Append(room, line) => {
            if let Some(lines) = history.rooms.get_mut(&room) {
                append(lines, line);
            }
        }
        Message::Last(room, reply) => reply.send(history.rooms.get(&room).cloned().unwrap_or_default()),
    }
}
