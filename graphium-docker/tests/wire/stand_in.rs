//! A stand-in for an engine: one answer to a connection, chosen by the request's method and path.

use graphium_docker::DockerRuntime;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// Closes the connection instead of answering.
pub(crate) const BREAK_OFF: u16 = 0;
/// Keeps the connection open and never answers.
pub(crate) const SILENCE: u16 = 1;
/// Hands the connection over, with the text on it, and closes it.
pub(crate) const HANDED_OVER: u16 = 101;

type Answer = fn(&str) -> (u16, &'static str);

/// A stand-in for an engine; its threads end with the test's process.
pub(crate) struct StandIn {
    address: SocketAddr,
    /// Method and path, and query, of every request.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl StandIn {
    /// Answers `GET /version` as API 1.41, and everything else as `answer` says.
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                thread::spawn(move || serve(stream, answer, &log));
            }
        });
        Self { address, seen }
    }

    /// A runtime on it.
    pub(crate) fn runtime(&self) -> DockerRuntime {
        self.runtime_at("127.0.0.1")
    }

    /// A runtime that reaches it by some name of this machine.
    pub(crate) fn runtime_at(&self, host: &str) -> DockerRuntime {
        DockerRuntime::connect(format!("tcp://{host}:{}", self.address.port()).parse().expect("an endpoint"))
    }

    /// Method and path of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").iter().map(|(request, _)| request.clone()).collect()
    }

    /// The query of every request so far.
    pub(crate) fn queries(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").iter().map(|(_, query)| query.clone()).collect()
    }
}

fn serve(stream: TcpStream, answer: Answer, log: &Mutex<Vec<(String, String)>>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    reader.read_line(&mut head).expect("a request line");
    let mut body = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        if line.trim().is_empty() {
            break;
        }
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body = length.trim().parse().expect("a length");
        }
    }
    reader.read_exact(&mut vec![0; body]).expect("the body");
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = format!("{method} {path}");
    log.lock().expect("no panic").push((request.clone(), query.to_owned()));
    let (status, text) = match request.as_str() {
        "GET /version" => (200, r#"{"Version":"20.10.24","ApiVersion":"1.41","Os":"linux","Arch":"amd64"}"#),
        other => answer(other),
    };
    match status {
        BREAK_OFF => {}
        SILENCE => thread::sleep(Duration::from_secs(600)),
        HANDED_OVER => write!(reader.get_mut(), "HTTP/1.1 101 x\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n{text}")
            .expect("a client"),
        _ => {
            let length = if status == 204 { String::new() } else { format!("content-length: {}\r\n", text.len()) };
            write!(reader.get_mut(), "HTTP/1.1 {status} x\r\nconnection: close\r\n{length}\r\n{text}")
                .expect("a client");
        }
    }
}
