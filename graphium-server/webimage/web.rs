//! The program inside the image that the demo and the tests deploy: one static file, no crates, a handful of modes.
//!
//! ```text
//! web [serve] [--port N]            an HTTP server on port N, or $PORT, or 80
//! web check PORT                    exit 0 when http://127.0.0.1:PORT/health answers 200: a healthcheck without curl
//! web sleep                         never end
//! web exit CODE [AFTER_MS] [TEXT]   print TEXT to stderr after AFTER_MS, then end with CODE
//! ```
//!
//! The server answers `/` (who am I), `/env` (all variables as JSON), `/health`, and `/fetch?url=http://host:port/path`,
//! which proves what this container can reach. `READY_AFTER_MS` delays the first healthy answer.
//!
//! It installs no signal handler (std has none), and as process 1 it therefore ignores SIGTERM: its image says `StopSignal: SIGKILL`.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

const MAX_CONNECTIONS: usize = 64;
const MAX_HEAD: usize = 8 * 1024;
const MAX_FETCHED: u64 = 1024 * 1024;
const REQUEST_TIME: Duration = Duration::from_secs(5);
const FETCH_TIME: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] | ["serve"] => serve(&env::var("PORT").unwrap_or_else(|_| "80".into())),
        ["serve", "--port", port] => serve(port),
        ["check", port] => check(port),
        ["sleep"] => loop {
            thread::park();
        },
        ["exit", code, rest @ ..] => exit(code, rest),
        _ => fail("usage: web [serve [--port N] | check PORT | sleep | exit CODE [AFTER_MS] [TEXT]]"),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("web: {message}");
    ExitCode::from(2)
}

fn exit(code: &str, rest: &[&str]) -> ExitCode {
    let (Ok(code), Ok(after)) = (code.parse::<u8>(), rest.first().unwrap_or(&"0").parse::<u64>()) else {
        return fail("exit takes a code from 0 to 255 and a number of milliseconds");
    };
    thread::sleep(Duration::from_millis(after));
    if let Some(text) = rest.get(1) {
        eprintln!("{text}");
    }
    ExitCode::from(code)
}

fn check(port: &str) -> ExitCode {
    match fetch(&format!("http://127.0.0.1:{port}/health")) {
        Ok(answer) if answer.status == 200 => ExitCode::SUCCESS,
        Ok(answer) => {
            eprintln!("web: /health answered {}", answer.status);
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("web: /health did not answer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(port: &str) -> ExitCode {
    let Ok(port) = port.parse::<u16>() else {
        return fail(&format!("`{port}` is not a port"));
    };
    // `::` takes IPv4 as well, but a kernel without IPv6 has no such address.
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)));
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => return fail(&format!("cannot listen on port {port}: {error}")),
    };
    println!("listening on port {port}");
    let started = Instant::now();
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else {
            thread::sleep(Duration::from_millis(20)); // out of descriptors: wait for some to be closed
            continue;
        };
        let place = Place::take(&open);
        let handled = place.map(|place| {
            let stream = stream.try_clone();
            thread::Builder::new().spawn(move || {
                let _place = place;
                if let Ok(stream) = stream {
                    let _ = converse(stream, started); // the client is gone: nobody is left to tell
                }
            })
        });
        if !matches!(handled, Some(Ok(_))) {
            let _ = stream.set_write_timeout(Some(Duration::from_millis(10)));
            let _ = Answer::text(503, "too many connections\n").send(&mut stream);
        }
    }
    ExitCode::FAILURE
}

/// One of the places for a connection; dropping it makes room for the next.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let before = open.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(open));
        (before < MAX_CONNECTIONS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn converse(mut stream: TcpStream, started: Instant) -> io::Result<()> {
    stream.set_write_timeout(Some(REQUEST_TIME))?;
    let head = read_head(&mut stream)?;
    let mut words = head.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let answer = match method {
        "GET" => answer(target, started),
        _ => Answer::text(405, "only GET\n"),
    };
    let _ = writeln!(io::stdout(), "{method} {target} {}", answer.status); // a lost log must not end the server
    answer.send(&mut stream)?;
    stream.shutdown(Shutdown::Write)
}

/// Reads up to the empty line. The deadline holds for the whole head, so that a byte now and then buys no time.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let deadline = Instant::now() + REQUEST_TIME;
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > MAX_HEAD {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

struct Answer {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Answer {
    fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: body.into() }
    }

    fn send(&self, stream: &mut TcpStream) -> io::Result<()> {
        let (status, kind, length) = (self.status, self.kind, self.body.len());
        let head = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), &self.body].concat())
    }
}

fn answer(target: &str, started: Instant) -> Answer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/" => Answer { status: 200, kind: "text/html; charset=utf-8", body: page().into_bytes() },
        "/env" => Answer { status: 200, kind: "application/json", body: environment().into_bytes() },
        "/health" if started.elapsed() < ready_after() => Answer::text(503, "not yet\n"),
        "/health" => Answer::text(200, "ok\n"),
        "/fetch" => match query.split('&').find_map(|pair| pair.strip_prefix("url=")).map(percent_decoded) {
            Some(url) => fetch(&url).unwrap_or_else(|error| Answer::text(502, format!("{url}: {error}\n"))),
            None => Answer::text(400, "give a url: /fetch?url=http://host:port/path\n"),
        },
        _ => Answer::text(404, "nothing here\n"),
    }
}

fn ready_after() -> Duration {
    let milliseconds = env::var("READY_AFTER_MS").ok().and_then(|text| text.parse().ok());
    Duration::from_millis(milliseconds.unwrap_or(0))
}

fn page() -> String {
    let host = html(fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim());
    let stack = html(&env::var("GRAPHIUM_STACK").unwrap_or_else(|_| "no stack".into()));
    format!(
        "<!doctype html><meta charset=utf-8><title>{stack} on {host}</title>\
         <style>body{{font:1.2rem system-ui;margin:15vh auto;max-width:30rem}}</style>\
         <h1>{stack}</h1><p>This page was served by <b>{host}</b>.</p><p><a href=/env>/env</a> · <a href=/health>/health</a></p>\n"
    )
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn environment() -> String {
    let variables: BTreeMap<String, String> =
        env::vars_os().map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into())).collect();
    let members: Vec<String> =
        variables.iter().map(|(name, value)| format!("{}:{}", json(name), json(value))).collect();
    format!("{{{}}}\n", members.join(","))
}

fn json(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A GET of HTTP/1.0, whose answer ends with the connection. The whole of it takes at most [`FETCH_TIME`] once the name is resolved.
fn fetch(url: &str) -> io::Result<Answer> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let address = resolve(host)?;
    let deadline = Instant::now() + FETCH_TIME;
    let mut stream = TcpStream::connect_timeout(&address, FETCH_TIME)?;
    stream.set_write_timeout(Some(FETCH_TIME))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: {host}\r\n\r\n").as_bytes())?;

    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || received.len() as u64 > MAX_FETCHED {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => break,
            read => received.extend_from_slice(&chunk[..read]),
        }
    }
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let head_end = received.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(malformed)?;
    let body = received.split_off(head_end + 4);
    let head = String::from_utf8_lossy(&received);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
    Ok(Answer::text(status, body))
}

fn resolve(host: &str) -> io::Result<SocketAddr> {
    let mut addresses = host.to_socket_addrs().or_else(|_| (host, 80).to_socket_addrs())?;
    addresses.next().ok_or_else(|| io::ErrorKind::NotFound.into())
}
