//! The chat server as its users meet it: the built program, over TCP.
//!
//! Each test has a server of its own, on a port of its own. Time limits are bounds for failures; what is waited for
//! is always the thing itself.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    env,
    path::PathBuf,
    process::{ExitStatus, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, Command},
    sync::Barrier,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout},
};

/// More than anything here takes, on any machine.
const LIMIT: Duration = Duration::from_secs(30);

const LIB: &str = "run by `cargo test -p otp-examples`, which builds the examples";

/// The program, which cargo has built beside this test.
fn program() -> Command {
    let test = env::current_exe().expect(LIB);
    let directory: PathBuf = test.ancestors().nth(2).expect(LIB).join("examples");
    let program = directory.join(format!("chat{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is not built: {LIB}", program.display());
    let mut command = Command::new(program);
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("RUST_LOG");
    command
}

async fn run(arguments: &[&str]) -> Output {
    timeout(LIMIT, program().args(arguments).output()).await.unwrap().unwrap()
}

struct Server {
    process: Child,
    address: String,
    /// What it has written to stderr, when it has ended.
    log: JoinHandle<Vec<String>>,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(program().args(["--port", "0"])).await
    }

    async fn start_with(command: &mut Command) -> Self {
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut log = Vec::new();
        let address = loop {
            let line = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap();
            let line = line.unwrap_or_else(|| panic!("the server did not start: {log:?}"));
            log.push(line.clone());
            if let Some(address) = line.strip_prefix("chat: listening on ") {
                break address.to_owned();
            }
        };
        let log = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.push(line);
            }
            log
        });
        Self { process, address, log }
    }

    async fn connect(&self) -> Client {
        let mut client = self.connect_unasked().await;
        client.nick = client.welcome().await;
        client
    }

    /// A client that has read nothing yet.
    async fn connect_unasked(&self) -> Client {
        Client::new(timeout(LIMIT, TcpStream::connect(&self.address)).await.unwrap().unwrap())
    }

    /// A client under this name in this room.
    async fn join(&self, nick: &str, room: &str) -> Client {
        let mut client = self.connect().await;
        client.rename(nick).await;
        client.join(room).await;
        client
    }

    async fn signal(&self, signal: &str) {
        let pid = self.process.id().unwrap();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{signal} {pid}")).status().await.unwrap();
        assert!(sent.success());
    }

    /// How it ends, and its log.
    async fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let status = timeout(LIMIT, self.process.wait()).await.unwrap().unwrap();
        (status, timeout(LIMIT, self.log).await.unwrap().unwrap())
    }

    async fn stop(self) -> Vec<String> {
        self.signal("TERM").await;
        let (status, log) = self.ended().await;
        assert_eq!(status.code(), Some(0), "{log:?}");
        log
    }
}

struct Client {
    nick: String,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    fn new(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        let (reader, writer) = socket.into_split();
        Self { nick: String::new(), reader: BufReader::new(reader), writer }
    }

    async fn send_bytes(&mut self, bytes: &[u8]) {
        timeout(LIMIT, self.writer.write_all(bytes)).await.unwrap().unwrap();
    }

    async fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes()).await;
    }

    /// The next line; `None` when the server has closed.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line);
        let read = timeout(LIMIT, read).await.expect("the server says nothing").unwrap();
        (read > 0).then(|| line.strip_suffix('\n').expect("a whole line").to_owned())
    }

    async fn read(&mut self) -> String {
        self.line().await.expect("the server has closed")
    }

    async fn expect(&mut self, line: &str) {
        assert_eq!(self.read().await, line);
    }

    async fn expect_start(&mut self, start: &str) {
        let line = self.read().await;
        assert!(line.starts_with(start), "{line:?} is not {start:?}");
    }

    async fn expect_closed(&mut self) {
        assert_eq!(self.line().await, None);
    }

    /// Reads up to this line what comes from one room, and nothing else.
    async fn read_until(&mut self, last: &str, room: &str) {
        let (talk, notice) = (format!("[{room}] "), format!("* Room {room} crashed and is back"));
        loop {
            let line = self.read().await;
            if line == last {
                return;
            }
            assert!(line.starts_with(&talk) || line == notice, "{line:?} before {last:?}");
        }
    }

    /// Sends a line and reads its answer of one line.
    async fn ask(&mut self, line: &str) -> String {
        self.send(line).await;
        self.read().await
    }

    /// Sends a line and reads its answer up to the line that ends it, which is left out.
    async fn ask_all(&mut self, line: &str, end: &str) -> Vec<String> {
        self.send(line).await;
        let mut lines = Vec::new();
        loop {
            match self.read().await {
                line if line == end => return lines,
                line => lines.push(line),
            }
        }
    }

    async fn history(&mut self) -> Vec<String> {
        self.ask_all("/history", "* End of history").await
    }

    async fn tree(&mut self) -> Vec<String> {
        self.ask_all("/tree", "* End of tree").await
    }

    /// The nick that it was given.
    async fn welcome(&mut self) -> String {
        let line = self.read().await;
        assert!(line.starts_with("* Welcome"), "{line:?}");
        let nick = line.split([' ', ',', ':']).find(|word| word.starts_with("guest-"));
        nick.unwrap_or_else(|| panic!("no nick in {line:?}")).to_owned()
    }

    async fn rename(&mut self, nick: &str) {
        assert_eq!(self.ask(&format!("/nick {nick}")).await, format!("* You are now {nick}"));
        self.nick = nick.to_owned();
    }

    /// Joins a room of which it has not seen any lines, and returns those that it is shown.
    async fn join(&mut self, room: &str) -> usize {
        let joined = self.ask(&format!("/join {room}")).await;
        let here =
            joined.strip_prefix(&format!("* Joined {room} (")).and_then(|rest| rest.strip_suffix(" here)"));
        here.and_then(|here| here.parse().ok()).unwrap_or_else(|| panic!("{joined:?}"))
    }

    /// Says something and reads it.
    async fn say(&mut self, room: &str, text: &str) {
        assert_eq!(self.ask(text).await, format!("[{room}] {}: {text}", self.nick));
    }
}

// --- The main job ---

/// What a client of the storm has read: the talk, and how often its room was crashed and back.
struct Heard {
    talk: Vec<String>,
    crashes: usize,
}

/// Every other one is crashed.
const ROOMS: usize = 10;
const CLIENTS_PER_ROOM: usize = 10;
const LINES: usize = 120;
/// Two of its clients crash a room, each so often.
const CRASHES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_that_crash_again_and_again_lose_nothing_and_disturb_nobody() {
    let server = Server::start().await;
    let mut watcher = server.connect().await;
    let stats = watcher.ask("/stats").await;
    let tree = bare(&watcher.tree().await);

    let barrier = Arc::new(Barrier::new(ROOMS * CLIENTS_PER_ROOM));
    let mut clients = JoinSet::new();
    for room in 0..ROOMS {
        for number in 0..CLIENTS_PER_ROOM {
            let client = server.connect().await;
            clients.spawn(storm(client, room, number, barrier.clone()));
        }
    }
    let mut heard: BTreeMap<usize, Vec<Heard>> = BTreeMap::new();
    let mut staying = Vec::new();
    while let Some(client) = clients.join_next().await {
        let (room, client, talk) = client.unwrap();
        heard.entry(room).or_default().push(talk);
        staying.push(client);
    }

    for (room, heard) in &heard {
        let said: BTreeSet<String> = (0..CLIENTS_PER_ROOM)
            .flat_map(|number| (0..LINES).map(move |line| said(*room, number, line)))
            .collect();
        for member in heard {
            assert_eq!(member.talk.len(), said.len(), "a line of room {room} was lost or doubled");
            assert_eq!(member.talk.iter().cloned().collect::<BTreeSet<_>>(), said);
            assert_eq!(member.talk, heard[0].talk, "all read the same");
            assert_eq!(member.crashes, if is_crashed(*room) { 2 * CRASHES } else { 0 });
        }
        let mut last: HashMap<&str, usize> = HashMap::new();
        for line in &heard[0].talk {
            let (who, number) = line.rsplit_once(' ').unwrap();
            let number = number.parse().unwrap();
            assert_eq!(
                last.insert(who, number).map_or(0, |last| last + 1),
                number,
                "{who} was taken out of turn"
            );
        }
    }

    // Every room is back, with all its members, its history, and as many restarts as it had crashes.
    let rooms: Vec<String> = (0..ROOMS).map(|room| format!("room-{room} ({CLIENTS_PER_ROOM})")).collect();
    assert_eq!(watcher.ask("/rooms").await, format!("* Rooms: {}", rooms.join(", ")));
    for client in &mut staying {
        let room: usize = client.nick.split('-').nth(1).unwrap().parse().unwrap();
        let talk = &heard[&room][0].talk;
        assert_eq!(client.history().await, talk[talk.len() - 20..]);
    }
    let stormy = watcher.tree().await;
    for room in 0..ROOMS {
        let line = stormy.iter().find(|line| line.contains(&format!("(room room-{room})"))).unwrap();
        let restarts = if is_crashed(room) { 2 * CRASHES } else { 0 };
        assert!(line.contains(&format!(" restarts={restarts} ")), "{line}");
    }

    // They leave, politely or not, and nothing of them is left.
    for (number, mut client) in staying.into_iter().enumerate() {
        if number % 2 == 0 {
            assert_eq!(client.ask("/quit").await, "* Bye");
            client.expect_closed().await;
        }
    }
    let left = async { while bare(&watcher.tree().await) != tree || watcher.ask("/stats").await != stats {} };
    if timeout(LIMIT, left).await.is_err() {
        panic!("before: {stats} {tree:?}, after: {} {:?}", watcher.ask("/stats").await, watcher.tree().await);
    }
    let log = server.stop().await;
    assert_eq!(crashes(&log), ROOMS / 2 * 2 * CRASHES);
}

fn is_crashed(room: usize) -> bool {
    room.is_multiple_of(2)
}

fn said(room: usize, number: usize, line: usize) -> String {
    format!("[room-{room}] c-{room}-{number}: {line}")
}

/// One client of a hundred: talks, and reads what all in its room say.
async fn storm(mut client: Client, room: usize, number: usize, all: Arc<Barrier>) -> (usize, Client, Heard) {
    client.rename(&format!("c-{room}-{number}")).await;
    client.join(&format!("room-{room}")).await;
    timeout(LIMIT, all.wait()).await.expect("somebody is missing");
    let crashes = if is_crashed(room) { 2 * CRASHES } else { 0 };
    let crasher = is_crashed(room) && number < 2;
    let Client { nick, mut reader, mut writer } = client;
    let talking = tokio::spawn(async move {
        for line in 0..LINES {
            if crasher && line % 3 == 0 && line / 3 < CRASHES {
                writer.write_all(b"/crash\n").await.unwrap();
            }
            writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
        writer
    });
    let mut heard = Heard { talk: Vec::new(), crashes: 0 };
    let notice = format!("* Room room-{room} crashed and is back");
    while heard.talk.len() < CLIENTS_PER_ROOM * LINES || heard.crashes < crashes {
        let mut line = String::new();
        let read = timeout(LIMIT, reader.read_line(&mut line)).await;
        let read =
            read.unwrap_or_else(|_| panic!("{nick}: {} lines, {} crashes", heard.talk.len(), heard.crashes));
        assert!(read.unwrap() > 0, "{nick} was closed");
        match line.trim_end() {
            line if line == notice => heard.crashes += 1,
            line => heard.talk.push(line.to_owned()),
        }
    }
    let client = Client { nick, reader, writer: talking.await.unwrap() };
    (room, client, heard)
}

/// The tree without what differs from one moment to the next.
fn bare(tree: &[String]) -> Vec<String> {
    let volatile = |word: &&str| !word.starts_with("mailbox=");
    tree.iter().map(|line| line.split(' ').filter(volatile).collect::<Vec<_>>().join(" ")).collect()
}

/// How many crashes the log tells of; each is one line.
fn crashes(log: &[String]) -> usize {
    log.iter().filter(|line| line.contains("has crashed the room")).count()
}

// --- The commands, one by one ---

#[tokio::test]
async fn a_guest_nick_is_given_and_named() {
    let server = Server::start().await;
    let (a, b) = (server.connect().await, server.connect().await);
    assert_ne!(a.nick, b.nick);
}

#[tokio::test]
async fn a_guest_nick_is_not_one_that_someone_has_taken() {
    let server = Server::start().await;
    let mut early = server.connect().await;
    let number: u64 = early.nick.strip_prefix("guest-").unwrap().parse().unwrap();
    early.rename(&format!("guest-{}", number + 1)).await;
    assert_ne!(server.connect().await.nick, early.nick);
}

#[tokio::test]
async fn a_nick_is_valid_and_not_taken_or_refused() {
    let server = Server::start().await;
    let (mut ada, mut bob) = (server.connect().await, server.connect().await);
    let first = ada.nick.clone();
    ada.rename("Ada-_9").await;
    ada.rename("Ada-_9").await;
    ada.rename(&"x".repeat(32)).await;
    ada.rename("ada").await;
    assert_eq!(bob.ask("/nick ada").await, "! nick ada is taken");
    for bad in ["", " ", "a b", "näme", "a.b", "/x", &"x".repeat(33)] {
        let answer = bob.ask(&format!("/nick {bad}")).await;
        assert!(answer.starts_with("! bad nick"), "{answer}");
    }
    // What is given back is free, and case counts.
    bob.rename(&first).await;
    bob.rename("Ada").await;
}

#[tokio::test]
async fn joining_tells_how_many_are_here_and_what_was_said_and_leaves_the_other_room() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    for line in 0..25 {
        ada.say("lobby", &format!("line {line}")).await;
    }
    let mut bob = server.connect().await;
    bob.rename("bob").await;
    assert_eq!(bob.join("lobby").await, 2);
    for line in 5..25 {
        bob.expect(&format!("[lobby] ada: line {line}")).await;
    }
    // And nothing more: the next line is the next that is said.
    ada.say("lobby", "hello bob").await;
    bob.expect("[lobby] ada: hello bob").await;

    assert_eq!(bob.join("attic").await, 1);
    ada.say("lobby", "where is he").await;
    assert_eq!(ada.ask("/who").await, "* In lobby: ada");
    bob.say("attic", "here").await;
    assert_eq!(bob.join("lobby").await, 2);
    for _ in 0..19 {
        bob.expect_start("[lobby] ada: ").await;
    }
    bob.expect("[lobby] ada: where is he").await;
    // A room that everyone has left is remembered, and is none.
    assert_eq!(ada.ask("/rooms").await, "* Rooms: lobby (2)");
    assert_eq!(ada.join("attic").await, 1);
    ada.expect("[attic] bob: here").await;
}

#[tokio::test]
async fn joining_the_room_again_shows_its_lines_again() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    ada.say("lobby", "hello").await;
    assert_eq!(ada.join("lobby").await, 1);
    ada.expect("[lobby] ada: hello").await;
    ada.say("lobby", "once").await;
    assert_eq!(ada.ask("/who").await, "* In lobby: ada");
}

#[tokio::test]
async fn rooms_are_named_like_nicks() {
    let server = Server::start().await;
    let mut ada = server.connect().await;
    for bad in ["", "a b", "zimmer-ä", "#lobby", &"x".repeat(33)] {
        let answer = ada.ask(&format!("/join {bad}")).await;
        assert!(answer.starts_with("! bad room"), "{answer}");
    }
    assert_eq!(ada.join(&"x".repeat(32)).await, 1);
}

#[tokio::test]
async fn text_goes_to_everyone_in_the_room_and_to_nobody_else() {
    let server = Server::start().await;
    let mut ada = server.connect().await;
    for alone in ["hello", "/who", "/history", "/crash"] {
        assert_eq!(ada.ask(alone).await, "! join a room first");
    }
    ada.rename("ada").await;
    ada.join("lobby").await;
    let (mut bob, mut eve) = (server.join("bob", "lobby").await, server.join("eve", "attic").await);
    // Lines may end as telnet ends them, empty ones say nothing, and what is inside is kept.
    ada.send_bytes("\n\r\n  tabs\tand ümläuts 🙂 \r\n".as_bytes()).await;
    for client in [&mut ada, &mut bob] {
        client.expect("[lobby] ada:   tabs\tand ümläuts 🙂 ").await;
    }
    bob.rename("rob").await;
    bob.say("lobby", "hi").await;
    ada.expect("[lobby] rob: hi").await;
    eve.say("attic", "nothing here").await;
}

#[tokio::test]
async fn rooms_and_members_are_listed() {
    let server = Server::start().await;
    let mut zoe = server.connect().await;
    assert_eq!(zoe.ask("/rooms").await, "* Rooms: none");
    zoe.rename("zoe").await;
    zoe.join("a").await;
    let (_bob, mut ada) = (server.join("bob", "b").await, server.join("ada", "a").await);
    assert_eq!(ada.ask("/rooms").await, "* Rooms: a (2), b (1)");
    assert_eq!(ada.ask("/who").await, "* In a: ada, zoe");
    zoe.rename("aaa").await;
    assert_eq!(ada.ask("/who").await, "* In a: aaa, ada");
}

#[tokio::test]
async fn a_room_that_crashes_is_back_with_its_members_and_its_history() {
    let server = Server::start().await;
    let (mut ada, mut bob) = (server.join("ada", "lobby").await, server.join("bob", "lobby").await);
    let mut eve = server.join("eve", "attic").await;
    ada.say("lobby", "before").await;
    bob.expect("[lobby] ada: before").await;
    for crash in 0..10 {
        ada.send("/crash").await;
        for client in [&mut ada, &mut bob] {
            client.expect("* Room lobby crashed and is back").await;
        }
        bob.say("lobby", &format!("after {crash}")).await;
        ada.expect(&format!("[lobby] bob: after {crash}")).await;
        assert_eq!(ada.ask("/who").await, "* In lobby: ada, bob");
    }
    let mut all = vec!["[lobby] ada: before".to_owned()];
    all.extend((0..10).map(|crash| format!("[lobby] bob: after {crash}")));
    assert_eq!(bob.history().await, all);
    assert_eq!(ada.history().await, all);
    eve.say("attic", "quiet here").await;
    let mut late = server.connect().await;
    assert_eq!(late.join("lobby").await, 3);
    late.expect("[lobby] ada: before").await;

    let log = server.stop().await;
    assert_eq!(crashes(&log), 10);
    assert_eq!(log.len(), 12, "one line for the start, one for the stop, one for each crash: {log:#?}");
}

#[tokio::test]
async fn what_is_sent_behind_a_crash_is_done_when_the_room_is_back() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    let mut script = String::new();
    for number in 0..200 {
        script += &format!("/crash\n{number}\n/crash\n/who\n");
    }
    ada.send_bytes((script + "/history\n").as_bytes()).await;
    for number in 0..200 {
        ada.expect("* Room lobby crashed and is back").await;
        ada.expect(&format!("[lobby] ada: {number}")).await;
        // The directory does not wait for the room.
        let mut next = [ada.read().await, ada.read().await];
        next.sort();
        assert_eq!(next, ["* In lobby: ada", "* Room lobby crashed and is back"]);
    }
    for number in 180..200 {
        ada.expect(&format!("[lobby] ada: {number}")).await;
    }
    ada.expect("* End of history").await;
}

#[tokio::test]
async fn people_who_come_and_go_while_a_room_crashes_find_it_and_leave_it() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    let mut bob = server.connect().await;
    let coming = tokio::spawn(async move {
        for turn in 0..100 {
            bob.send(&format!("/join lobby\nhere {turn}\n/join attic\nthere {turn}")).await;
            bob.expect("* Joined lobby (2 here)").await;
            bob.read_until(&format!("[lobby] {}: here {turn}", bob.nick), "lobby").await;
            bob.read_until("* Joined attic (1 here)", "lobby").await;
            bob.read_until(&format!("[attic] {}: there {turn}", bob.nick), "attic").await;
        }
        bob
    });
    while !coming.is_finished() {
        ada.send("/crash\nhello").await;
        while ada.read().await != "[lobby] ada: hello" {}
    }
    assert_eq!(coming.await.unwrap().ask("/quit").await, "* Bye");
    ada.send("the end").await;
    while ada.read().await != "[lobby] ada: the end" {}
    assert_eq!(ada.ask("/who").await, "* In lobby: ada");
    assert_eq!(ada.ask("/rooms").await, "* Rooms: lobby (1)");
}

#[tokio::test]
async fn the_history_is_the_last_twenty_lines() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    assert!(ada.history().await.is_empty());
    for line in 0..21 {
        ada.say("lobby", &line.to_string()).await;
    }
    let last: Vec<String> = (1..21).map(|line| format!("[lobby] ada: {line}")).collect();
    assert_eq!(ada.history().await, last);
}

#[tokio::test]
async fn the_tree_is_shown_as_it_is() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    ada.send("/crash").await;
    ada.expect("* Room lobby crashed and is back").await;
    let tree = ada.tree().await;
    let field = |line: &str, name: &str| {
        let value = line.split(' ').find_map(|word| word.strip_prefix(name)).map(str::to_owned);
        value.unwrap_or_else(|| panic!("no {name} in {line:?}"))
    };
    let mut pids = BTreeSet::new();
    let mut seen = Vec::new();
    for line in &tree {
        let kind = line.strip_prefix("* ").unwrap().split_whitespace().next().unwrap();
        assert!(pids.insert(field(line, "pid=")), "{line}");
        field(line, "mailbox=").parse::<u64>().unwrap();
        let name = field(line, "name=");
        let name = name.split('$').next().unwrap();
        seen.push(format!("{kind} {} {name} {}", field(line, "id="), field(line, "restarts=")));
    }
    let expected = [
        "supervisor chat chat 0",
        "worker history history 0",
        "worker directory directory 0",
        "supervisor rooms rooms 0",
        "worker #0 room 1",
        "supervisor sessions sessions 0",
        "worker #0 - 0",
        "worker listener listener 0",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn who_quits_is_gone_when_he_reads_it() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    for _ in 0..20 {
        let mut bob = server.join("bob", "lobby").await;
        bob.send("/quit").await;
        bob.expect("* Bye").await;
        bob.expect_closed().await;
        assert_eq!(ada.ask("/who").await, "* In lobby: ada");
    }
}

#[tokio::test]
async fn who_quits_reads_the_good_bye_whatever_he_sends_behind_it() {
    let server = Server::start().await;
    let mut ada = server.connect().await;
    ada.send_bytes(format!("/quit\n{}", "and another thing\n".repeat(2000)).as_bytes()).await;
    ada.expect("* Bye").await;
    ada.expect_closed().await;
}

#[tokio::test]
async fn who_hangs_up_without_a_word_is_forgotten() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    drop(server.join("bob", "lobby").await);
    let gone = async { while ada.ask("/who").await != "* In lobby: ada" {} };
    timeout(LIMIT, gone).await.unwrap();
    ada.rename("bob").await;
}

#[tokio::test]
async fn a_client_that_has_said_everything_still_reads_the_answers() {
    let server = Server::start().await;
    let mut ada = server.connect().await;
    ada.send_bytes(b"/join lobby\nhello\n/history\nlast words").await;
    ada.writer.shutdown().await.unwrap();
    ada.expect("* Joined lobby (1 here)").await;
    for _ in 0..2 {
        ada.expect(&format!("[lobby] {}: hello", ada.nick.clone())).await;
    }
    ada.expect("* End of history").await;
    ada.expect(&format!("[lobby] {}: last words", ada.nick.clone())).await;
    ada.expect_closed().await;
}

#[tokio::test]
async fn an_unknown_command_is_refused() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    for unknown in ["/foo", "/", "/NICK x", "/nickx y", "//", "/ who"] {
        let answer = ada.ask(unknown).await;
        assert!(answer.starts_with("! unknown command"), "{answer}");
    }
    ada.say("lobby", "still here").await;
}

// --- The limits ---

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_and_the_client_stays() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    let longest = "x".repeat(4096);
    ada.say("lobby", &longest).await;
    ada.send_bytes(format!("{longest}\r\n").as_bytes()).await;
    ada.expect(&format!("[lobby] ada: {longest}")).await;
    for excess in [1, 2, 4096, 1_000_000] {
        let line = format!("{longest}{}", "y".repeat(excess));
        ada.send(&line).await;
        ada.expect_start("! line is longer than 4096 bytes").await;
        ada.say("lobby", "still here").await;
    }
    // It need not end to be refused.
    ada.send_bytes("z".repeat(5000).as_bytes()).await;
    ada.expect_start("! line is longer than 4096 bytes").await;
    ada.send_bytes(b"zzz\n/quit\n").await;
    ada.expect("* Bye").await;
}

#[tokio::test]
async fn a_line_that_is_not_utf_8_is_refused_and_the_client_stays() {
    let server = Server::start().await;
    let mut ada = server.join("ada", "lobby").await;
    for bytes in [&b"\xff\xfe\n"[..], b"half \xc3\n", b"/nick \x80\n"] {
        ada.send_bytes(bytes).await;
        ada.expect("! line is not UTF-8").await;
    }
    // A character may come in two pieces.
    ada.send_bytes(b"h\xc3").await;
    ada.writer.flush().await.unwrap();
    ada.send_bytes(b"\xa9\n").await;
    ada.expect("[lobby] ada: hé").await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_when_a_thousand_lines_wait_for_it() {
    let server = Server::start().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = Client::new(socket.connect(server.address.parse().unwrap()).await.unwrap());
    deaf.nick = deaf.welcome().await;
    deaf.join("lobby").await;
    let mut ada = server.join("ada", "lobby").await;
    let line = "x".repeat(4000);
    let mut said = 0;
    while ada.ask("/who").await != "* In lobby: ada" {
        for _ in 0..20 {
            ada.say("lobby", &line).await;
        }
        said += 20;
        assert!(said < 100_000, "nobody is cut off");
    }
    // What had been written before comes; the thousand that waited do not.
    let mut read = 0;
    let mut whole = Vec::new();
    let _ = timeout(LIMIT, deaf.reader.read_to_end(&mut whole)).await.unwrap();
    read += whole.iter().filter(|&&byte| byte == b'\n').count();
    assert!((1000..=1020).contains(&(said - read)), "{said} lines were said, {read} were read");
    ada.say("lobby", "still here").await;
    let log = server.stop().await;
    assert!(log.iter().any(|line| line.contains("does not read")), "{log:?}");
}

#[tokio::test]
async fn a_client_too_many_is_told_so_and_closed() {
    let server = Server::start_with(program().args(["--port=0", "--max-clients=2"])).await;
    let (mut ada, mut bob) = (server.connect().await, server.connect().await);
    for _ in 0..5 {
        let mut late = server.connect_unasked().await;
        late.send("/rooms").await;
        late.expect("! server is full").await;
        late.expect_closed().await;
    }
    bob.send("/quit").await;
    bob.expect("* Bye").await;
    bob.expect_closed().await;
    // Who sees that he has gone finds the place free.
    let mut eve = server.connect().await;
    assert_eq!(eve.ask("/who").await, "! join a room first");
    assert_eq!(ada.ask("/rooms").await, "* Rooms: none");
}

// --- Starting and stopping ---

#[tokio::test]
async fn a_port_that_is_taken_is_a_clear_error() {
    let server = Server::start().await;
    let port = server.address.rsplit_once(':').unwrap().1;
    let output = run(&["--port", port]).await;
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    let expected = format!("chat: cannot listen on 127.0.0.1:{port}: Address already in use");
    assert!(error.starts_with(&expected), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[tokio::test]
async fn arguments_are_checked() {
    for bad in [
        &["--port"][..],
        &["--port", "x"],
        &["--port", "65536"],
        &["--max-clients", "0"],
        &["--max-clients", "-1"],
        &["--what"],
        &["4000"],
    ] {
        let output = run(bad).await;
        assert_eq!(output.status.code(), Some(2), "{bad:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("chat: ") && error.contains("Usage:"), "{error}");
    }
    let output = run(&["--help"]).await;
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for option in ["--port", "--host", "--max-clients", "--help", "RUST_LOG"] {
        assert!(help.contains(option), "{help}");
    }
}

#[tokio::test]
async fn a_signal_stops_the_server_in_order_within_a_second() {
    for signal in ["INT", "TERM"] {
        let server = Server::start().await;
        let mut clients = Vec::new();
        for number in 0..20 {
            clients.push(server.join(&format!("c-{number}"), "lobby").await);
        }
        let start = Instant::now();
        server.signal(signal).await;
        for client in &mut clients {
            client.expect("* Server is stopping").await;
            client.expect_closed().await;
        }
        let (status, log) = server.ended().await;
        let took = start.elapsed();
        assert_eq!(status.code(), Some(0), "{log:?}");
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(log.len(), 2, "{log:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_keep_the_server_from_stopping() {
    let server = Server::start().await;
    let mut deaf = server.join("deaf", "lobby").await;
    let mut ada = server.join("ada", "lobby").await;
    let line = "x".repeat(4000);
    // More than the buffers of the system take for one who reads nothing.
    for _ in 0..1500 {
        ada.say("lobby", &line).await;
    }
    let start = Instant::now();
    server.signal("INT").await;
    ada.expect("* Server is stopping").await;
    let (status, _) = server.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    deaf.expect_start("[lobby] ada: x").await;
}

#[tokio::test]
async fn rust_log_shows_the_reports() {
    let server = Server::start_with(program().args(["--port", "0"]).env("RUST_LOG", "info")).await;
    let mut ada = server.join("ada", "lobby").await;
    ada.send("/crash").await;
    ada.expect("* Room lobby crashed and is back").await;
    let log = server.stop().await;
    for target in ["erlang_process::crash", "otp_supervisor::report", "otp_supervisor::progress"] {
        assert!(log.iter().any(|line| line.contains(target)), "no {target} in {log:#?}");
    }
}
