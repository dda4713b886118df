//! What a client can say.

use crate::word::Word;

/// A line of a client, understood.
pub(crate) enum Command {
    /// An empty line.
    Nothing,
    Nick(Word),
    Join(Word),
    Say(String),
    Rooms,
    Who,
    History,
    Crash,
    Tree,
    Stats,
    Quit,
}

impl Command {
    /// Reads a line. The error is what the client is told.
    pub(crate) fn parse(line: String) -> Result<Self, String> {
        if line.is_empty() {
            return Ok(Self::Nothing);
        }
        if !line.starts_with('/') {
            return Ok(Self::Say(line));
        }
        let (name, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let argument = argument.trim();
        let word = |what: &str| {
            Word::new(argument).ok_or_else(|| format!("! bad {what} {argument:?}: {}", Word::RULE))
        };
        let alone = |command| match argument {
            "" => Ok(command),
            _ => Err(format!("! {name} takes no argument")),
        };
        match name {
            "/nick" => word("nick").map(Self::Nick),
            "/join" => word("room").map(Self::Join),
            "/rooms" => alone(Self::Rooms),
            "/who" => alone(Self::Who),
            "/history" => alone(Self::History),
            "/crash" => alone(Self::Crash),
            "/tree" => alone(Self::Tree),
            "/stats" => alone(Self::Stats),
            "/quit" => alone(Self::Quit),
            _ => Err(format!(
                "! unknown command {name}: there are /nick NAME, /join ROOM, /rooms, /who, /history, /crash, /tree, \
                 /stats and /quit"
            )),
        }
    }
}
