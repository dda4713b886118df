//! What is short for what.

use erlang_process::{Name, Reply, Subject};
use otp_actor::{self as actor, StartError, Started};

pub(crate) const LINKS: Name<Message> = Name::fixed("links");

pub(crate) enum Message {
    /// Makes a short link of this one: its number.
    Shorten(String, Reply<usize>),
    /// What this is short for; counts as a hit.
    Follow(usize, Reply<Option<String>>),
    /// How often it was followed.
    Hits(usize, Reply<Option<u64>>),
}

struct Link {
    target: String,
    hits: u64,
}

pub(crate) async fn start() -> Result<Started<Subject<Message>>, StartError> {
    actor::new(Vec::new()).on_message(handle).named(LINKS).start().await
}

fn handle(links: &mut Vec<Link>, message: Message) {
    match message {
        Message::Shorten(target, reply) => {
            links.push(Link { target, hits: 0 });
            reply.send(links.len());
        }
        Message::Follow(number, reply) => {
            let link = number.checked_sub(1).and_then(|place| links.get_mut(place));
            reply.send(link.map(|link| {
                link.hits += 1;
                link.target.clone()
            }));
        }
        Message::Hits(number, reply) => {
            let link = number.checked_sub(1).and_then(|place| links.get(place));
            reply.send(link.map(|link| link.hits));
        }
    }
}
