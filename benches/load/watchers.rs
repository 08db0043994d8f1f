//! A thousand WebSockets that watch events: what each costs, and how fast all of them are served.

use super::{
    goals::{Goals, note},
    plain::Plain,
    raw::{Raw, request},
    server::Server,
};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::sleep,
};

const WATCHERS: usize = 1000;
const EVENTS: usize = 1000;
/// How often each side is measured; they take turns, and medians count.
const ROUNDS: usize = 3;
const WRITERS: usize = 20;

/// WebSockets that read and count; they end with the value.
pub struct Watchers {
    frames: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    ended: Arc<AtomicUsize>,
    running: JoinSet<()>,
}

impl Watchers {
    pub fn new() -> Self {
        Self { frames: Arc::default(), bytes: Arc::default(), ended: Arc::default(), running: JoinSet::new() }
    }

    pub async fn add(&mut self, address: SocketAddr, path: &str, token: &str, count: usize) {
        let headers = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let ask = format!("GET {path} HTTP/1.1\r\nhost: load\r\nauthorization: Bearer {token}\r\n{headers}\r\n");
        for _ in 0..count {
            let mut raw = Raw::connect(address).await.unwrap();
            let answer = raw.ask(ask.as_bytes()).await.unwrap();
            assert_eq!(answer.status, 101, "no WebSocket: {}", String::from_utf8_lossy(&answer.body));
            let (frames, bytes, ended) = (Arc::clone(&self.frames), Arc::clone(&self.bytes), Arc::clone(&self.ended));
            self.running.spawn(async move {
                count_frames(raw, &frames, &bytes).await;
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
    }

    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// How long it takes until so many have come, counted from a moment.
    async fn reach(&self, frames: u64, begun: Instant) -> Duration {
        while self.frames() < frames {
            assert!(begun.elapsed() < Duration::from_secs(120), "{} of {frames} came", self.frames());
            sleep(Duration::from_millis(2)).await;
        }
        begun.elapsed()
    }
}

/// Reads frames of a server, which are not masked, until there are no more; a ping is answered.
async fn count_frames(raw: Raw, frames: &AtomicU64, bytes: &AtomicU64) {
    let (mut stream, mut buffer) = raw.into_parts();
    loop {
        let mut read = 0;
        while let Some((code, head, length)) =
            head(&buffer[read..]).filter(|(_, head, length)| buffer.len() - read >= head + length)
        {
            match code {
                1 | 2 => {
                    frames.fetch_add(1, Ordering::Relaxed);
                    bytes.fetch_add(length as u64, Ordering::Relaxed);
                }
                8 => return,
                9 => drop(stream.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await),
                _ => {}
            }
            read += head + length;
        }
        buffer.drain(..read);
        buffer.reserve(4096);
        if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
            return;
        }
    }
}

/// Kind, length of the head and length of the rest of the frame that begins here.
fn head(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (head, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2, usize::from(length)),
    };
    Some((first & 0x0f, head, length))
}

pub async fn measure(goals: &mut Goals) {
    let server = Server::start().await;
    server.quiet_host("quiet").await;
    let operators = server.operators(WRITERS).await;
    let mut ours = Watchers::new();
    // The first pay for what all share.
    ours.add(server.address, "/api/v1/ws", &server.token, 100).await;
    burst(&server, &operators, 100).await;
    sleep(Duration::from_secs(1)).await;
    let before = server.resident();
    ours.add(server.address, "/api/v1/ws", &server.token, WATCHERS - 100).await;
    sleep(Duration::from_secs(1)).await;
    let each = (server.resident() - before) / (WATCHERS - 100) as f64;
    goals.at_most("resident memory of a watcher", each, 8.0, " KiB");

    let plain = Plain::start();
    let mut theirs = Watchers::new();
    theirs.add(plain.address, "/ws", "none", WATCHERS).await;
    let (mut our_rates, mut their_rates) = (Vec::new(), Vec::new());
    let mut size = 0;
    for _ in 0..ROUNDS {
        let (frames, bytes, begun) = (ours.frames(), ours.bytes.load(Ordering::Relaxed), Instant::now());
        let processor = server.processor_time();
        burst(&server, &operators, EVENTS).await;
        let written = begun.elapsed();
        let time = ours.reach(frames + (EVENTS * WATCHERS) as u64, begun).await;
        let processor = (server.processor_time() - processor).as_secs_f64();
        size = ((ours.bytes.load(Ordering::Relaxed) - bytes) / (ours.frames() - frames).max(1)) as usize;
        our_rates.push(rate(time));
        note(format_args!(
            "events written in {:.2} s, delivered in {:.2} s, {processor:.2} s of processor",
            written.as_secs_f64(),
            time.as_secs_f64()
        ));

        let (frames, begun) = (theirs.frames(), Instant::now());
        // By as many writers, one by one, as ours are.
        let publish = request("POST", &format!("/publish?size={size}"), "none", None);
        write(plain.address, &vec![publish; WRITERS], EVENTS).await;
        their_rates.push(rate(theirs.reach(frames + (EVENTS * WATCHERS) as u64, begun).await));
    }
    assert_eq!((ours.ended(), theirs.ended()), (0, 0), "a watcher was lost");
    let (ours, theirs) = (median(our_rates), median(their_rates));
    note(format_args!("deliveries of {size} bytes a second to 1,000 watchers: {ours:.0}, plain axum {theirs:.0}"));
    goals.at_least("deliveries, of plain axum's", ours / theirs, 0.9, "");
    let after = (server.resident() - before - hardly_watched().await) / (WATCHERS - 100) as f64;
    goals.at_most(
        "resident memory of a watcher after it, without what the same events take by themselves",
        after,
        8.0,
        " KiB",
    );
}

/// By how much, in KiB, the memory of a server grows from as many events as the measured one has had, with one watcher.
async fn hardly_watched() -> f64 {
    let server = Server::start().await;
    server.quiet_host("quiet").await;
    let operators = server.operators(WRITERS).await;
    // One watches: what lies ready for all is there in any case.
    let mut one = Watchers::new();
    one.add(server.address, "/api/v1/ws", &server.token, 1).await;
    burst(&server, &operators, 100).await;
    sleep(Duration::from_secs(1)).await;
    let before = server.resident();
    for _ in 0..ROUNDS {
        burst(&server, &operators, EVENTS).await;
    }
    sleep(Duration::from_secs(1)).await;
    server.resident() - before
}

fn rate(time: Duration) -> f64 {
    (EVENTS * WATCHERS) as f64 / time.as_secs_f64()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// So many events as fast as they can be made: each is a task of a host without an agent.
async fn burst(server: &Server, operators: &[String], events: usize) {
    let wanted = json!({"hostId": "quiet", "payload": {"action": "stop", "name": "watched"}});
    let ask = |token: &String| request("POST", "/api/v1/tasks", token, Some(&wanted));
    write(server.address, &operators.iter().map(ask).collect::<Vec<_>>(), events).await;
}

/// Each writer sends its request again and again, as soon as the last is answered, until there were so many of all of them.
async fn write(address: SocketAddr, asks: &[Vec<u8>], requests: usize) {
    let mut writers = JoinSet::new();
    let share = requests / asks.len();
    for ask in asks {
        let ask = ask.clone();
        writers.spawn(async move {
            let mut raw = Raw::connect(address).await.unwrap();
            for _ in 0..share {
                while raw.ask(&ask).await.unwrap().says_when {
                    sleep(Duration::from_millis(100)).await;
                }
            }
        });
    }
    writers.join_all().await;
}
