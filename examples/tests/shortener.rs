//! The link shortener as its clients see it: HTTP, spoken by hand.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
};

struct Shortener {
    program: Child,
    log: std::io::Lines<BufReader<ChildStderr>>,
    address: String,
}

impl Shortener {
    fn start() -> Self {
        let mut program = shortener().arg("0").stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(program.stderr.take().unwrap()).lines();
        let listening = log.find(|line| line.as_ref().unwrap().contains("listening")).unwrap().unwrap();
        let address = listening.rsplit('=').next().unwrap().to_owned();
        Self { program, log, address }
    }

    /// The whole response.
    fn ask(&self, request: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        socket.read_to_string(&mut response).unwrap();
        response
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
    }

    fn post(&self, body: &str) -> String {
        let length = body.len();
        self.ask(&format!(
            "POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.program.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Shortener {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn shortener() -> Command {
    let test = env::current_exe().unwrap();
    let directory = test.ancestors().nth(2).unwrap().join("examples");
    let program = directory.join(format!("shortener{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "not built: run by `cargo test -p otp-examples`, which builds the examples");
    Command::new(program)
}

fn status(response: &str) -> &str {
    response.split(' ').nth(1).unwrap()
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn a_link_is_made_followed_and_counted() {
    let shortener = Shortener::start();
    assert_eq!(body(&shortener.post("https://www.rust-lang.org")), "1");
    assert_eq!(body(&shortener.post("https://www.erlang.org")), "2");
    let response = shortener.get("/2");
    assert_eq!(status(&response), "303");
    assert!(response.contains("location: https://www.erlang.org\r\n"), "{response}");
    assert_eq!(body(&shortener.get("/2/hits")), "1");
    assert_eq!(body(&shortener.get("/1/hits")), "0");
    for nobodys in ["/0", "/3", "/3/hits"] {
        assert_eq!(status(&shortener.get(nobodys)), "404");
    }
}

#[test]
fn a_port_that_is_taken_ends_the_program() {
    let shortener = Shortener::start();
    let port = shortener.address.rsplit(':').next().unwrap();
    let second = self::shortener().arg(port).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(self::shortener().arg("port").output().unwrap().status.code(), Some(2));
}

#[test]
fn asked_to_stop_it_finishes_the_requests_that_it_has() {
    let mut shortener = Shortener::start();
    // Half a request is on its way when it is asked to stop.
    let mut socket = TcpStream::connect(&shortener.address).unwrap();
    socket
        .write_all(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("100 Continue"), "{line}");
    shortener.signal("-TERM");
    assert!(shortener.log.any(|line| line.unwrap().contains("stopping")));
    socket.write_all(b"http").unwrap();
    let mut response = String::new();
    reader.read_to_string(&mut response).unwrap();
    assert!(response.contains("200 OK") && response.ends_with("\r\n\r\n1"), "{response}");
    assert_eq!(shortener.program.wait().unwrap().code(), Some(0));
}
