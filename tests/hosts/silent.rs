//! A connection to the engine that somebody in between forgets, and tells neither side.

use crate::{
    estate::{Estate, WEB, list},
    health::containers,
};
use graphium_core::event::Event;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

/// Passes bytes on, until it forgets the connections that there are.
struct Between {
    age: Arc<AtomicU64>,
    listening: JoinHandle<()>,
}

impl Between {
    fn start(socket: &Path, engine: PathBuf) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let age = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&age);
        let listening = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let Ok(far) = UnixStream::connect(&engine).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                let born = now.load(Ordering::SeqCst);
                tokio::spawn(pass(near_in, far_out, Arc::clone(&now), born));
                tokio::spawn(pass(far_in, near_out, Arc::clone(&now), born));
            }
        });
        Self { age, listening }
    }

    /// Nothing more gets through on what is connected, and nobody hears of it.
    fn forget(&self) {
        self.age.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, age: Arc<AtomicU64>, born: u64) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        if age.load(Ordering::SeqCst) != born {
            // Held open, for ever.
            return std::future::pending().await;
        }
        let Some(count) = read.ok().filter(|count| *count > 0) else { return };
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

fn document() -> Value {
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@id": "stack:shop", "@type": "datacenter:Stack", "name": "shop",
        "hasPart": [{
            "@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": WEB, "locatedInHost": "vm1"
        }]
    })
}

/// Does something to the container by hand, and says after how long the server knows.
async fn told_after(estate: &Estate, action: &str, status: &str) -> Duration {
    let begun = Instant::now();
    estate.docker("vm1", &[action, "shop-web"]).await;
    estate
        .until("it is told", async |estate| {
            let all = containers(estate).await;
            let seen = list(&all, "containers").iter().find(|seen| seen["name"] == "shop-web");
            seen.is_some_and(|seen| seen["status"] == status)
        })
        .await;
    begun.elapsed()
}

/// How long after its engine had an event of each end and each start of the container the server had one of it.
async fn delays(estate: &Estate, since: Timestamp) -> Vec<Duration> {
    let (from, until) = (since.to_string(), Timestamp::now().to_string());
    let filters = ["container=shop-web", "event=die", "event=start"].map(|filter| ["--filter", filter]);
    let range = ["events", "--since", &from, "--until", &until, "--format", "{{.TimeNano}} {{.Action}}"];
    let happened = estate.docker("vm1", &[&range[..], filters.as_flattened()].concat()).await;
    let events = estate.ok(&["events", "-o", "json"]).await;
    let events = events.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    let heard: Vec<Event> = events.filter(|event| event.data["name"] == "shop-web").collect();
    let delay = |line: &str| {
        let (nanoseconds, action) = line.split_once(' ').unwrap();
        let at = Timestamp::from_nanosecond(nanoseconds.parse().unwrap()).unwrap();
        let status = if action == "die" { "exited" } else { "running" };
        let mut later = heard.iter().filter(|event| event.timestamp >= at && event.data["status"] == status);
        later.next().unwrap().timestamp.duration_since(at).unsigned_abs()
    };
    happened.lines().map(delay).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_heard_again_after_the_way_to_the_engine_was_forgotten() {
    let mut estate = Estate::without_agents().await;
    let socket = estate.path("between.sock");
    let between = Between::start(&socket, estate.host("vm1").socket());
    estate.sockets.insert("vm1".to_owned(), socket);
    estate.start_agents().await;
    estate.ok(&["stack", "deploy", &estate.document("shop", &document()), "--on-drift", "accept", "--wait"]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let soon = Duration::from_secs(5);
    let since = Timestamp::now();
    for (action, status) in [("kill", "exited"), ("start", "running")].repeat(3) {
        let after = told_after(&estate, action, status).await;
        assert!(after < soon, "{action}: {after:?}");
    }
    // However busy the machine is with other things.
    let delays = delays(&estate, since).await;
    assert_eq!(delays.len(), 6, "{delays:?}");
    assert!(delays.iter().min() < Some(&Duration::from_secs(1)), "{delays:?}");
    // So old that a silence is strange.
    tokio::time::sleep(Duration::from_secs(22)).await;
    between.forget();
    let late = told_after(&estate, "kill", "exited").await;
    assert!(late < Duration::from_secs(40), "the regular look finds it: {late:?}");
    tokio::time::sleep(Duration::from_secs(5)).await;
    for (action, status) in [("start", "running"), ("kill", "exited"), ("start", "running")] {
        let after = told_after(&estate, action, status).await;
        assert!(after < soon, "{action} is heard of at once again: {after:?}");
    }
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}
