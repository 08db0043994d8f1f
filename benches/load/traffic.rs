//! People at work: requests at a rate that no slow answer slows, and the same for a long time.

use super::{
    fleet::{Fleet, name},
    goals::{Goals, at, note},
    raw::{Raw, request},
    server::Server,
    watchers::Watchers,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    task::JoinSet,
    time::{sleep, sleep_until},
};

const STACKS: usize = 100;
const HOSTS: usize = 20;

/// A request that is sent at its time.
pub struct Planned {
    pub kind: &'static str,
    pub bytes: Vec<u8>,
}

/// What became of them.
#[derive(Default)]
pub struct Outcome {
    /// By kind: each from the moment at which it was to be sent.
    pub times: BTreeMap<&'static str, Vec<Duration>>,
    /// How many were answered otherwise than with success, or that something else is under way.
    pub failed: usize,
    /// By kind and status; 0: no answer.
    pub statuses: BTreeMap<(&'static str, u16), usize>,
}

/// Sends so many a second, whatever becomes of those before; `mark` hears the moment of each.
pub async fn paced(address: SocketAddr, requests: Vec<Planned>, rate: usize, mark: impl Fn(usize, Instant)) -> Outcome {
    let idle: Arc<Mutex<Vec<Raw>>> = Arc::default();
    let (begun, mut under_way) = (Instant::now() + Duration::from_millis(50), JoinSet::new());
    for (number, Planned { kind, bytes }) in requests.into_iter().enumerate() {
        let moment = begun + Duration::from_secs_f64(number as f64 / rate as f64);
        sleep_until(moment.into()).await;
        mark(number, moment);
        let idle = Arc::clone(&idle);
        under_way.spawn(async move {
            let kept = idle.lock().unwrap().pop();
            let asked = async {
                // The server closes a connection that was silent for long: then another is taken, as every client does.
                if let Some(mut raw) = kept
                    && let Ok(answer) = raw.ask(&bytes).await
                {
                    idle.lock().unwrap().push(raw);
                    return std::io::Result::Ok(answer);
                }
                let mut raw = Raw::connect(address).await?;
                let answer = raw.ask(&bytes).await?;
                idle.lock().unwrap().push(raw);
                Ok(answer)
            };
            let status = asked.await.map_or(0, |answer| answer.status);
            (kind, status, moment.elapsed())
        });
    }
    let mut outcome = Outcome::default();
    for (kind, status, time) in under_way.join_all().await {
        outcome.times.entry(kind).or_default().push(time);
        *outcome.statuses.entry((kind, status)).or_default() += 1;
        outcome.failed += usize::from(!matches!(status, 200..=299 | 409));
    }
    outcome
}

/// A stack of two containers, one after the other, each time another version of it.
fn stack(number: usize, version: usize) -> Value {
    let host = json!({"@id": format!("host:{}", name(number % HOSTS))});
    json!({
        "@context": "https://graphium.io/context/v1.jsonld",
        "@type": "datacenter:Stack", "@id": format!("stack:s{number}"), "name": format!("s{number}"), "locatedInHost": host,
        "hasPart": [
            {"@type": "datacenter:Container", "@id": format!("container:s{number}-db"), "name": "db", "image": "db:1"},
            {"@type": "datacenter:Container", "@id": format!("container:s{number}-web"), "name": "web",
             "image": format!("web:{version}"), "dependsOn": [{"@id": format!("container:s{number}-db")}]},
        ]
    })
}

/// What people ask: every second request changes something.
fn mixture(server: &Server, operators: &[String], from: usize, count: usize) -> Vec<Planned> {
    let planned = |number: usize| {
        let token = &operators[number % operators.len()];
        let (turn, which) = (number / 2, number / 2 % STACKS);
        let read = |path: String| Planned { kind: "read", bytes: request("GET", &path, token, None) };
        let write = |path: String, body: Option<Value>| Planned {
            kind: "write",
            bytes: request("POST", &path, token, body.as_ref()),
        };
        match (number % 2, turn % 5) {
            (0, 0) => read("/api/v1/stacks".to_owned()),
            (0, 1) => read("/api/v1/tasks?limit=100".to_owned()),
            (0, 2) => read(format!("/api/v1/stacks/s{which}/status")),
            (0, 3) => read("/api/v1/hosts".to_owned()),
            (0, _) => read("/api/v1/containers?limit=100".to_owned()),
            (_, 0) => write(format!("/api/v1/stacks/s{which}/stop"), None),
            (_, 1) => write(format!("/api/v1/stacks/s{}/start", (turn - 1) % STACKS), None),
            (_, 2) => write(
                "/api/v1/tasks".to_owned(),
                Some(json!({"hostId": name(which % HOSTS), "payload": {"action": "stop", "name": "nothing"}})),
            ),
            _ => write("/api/v1/stacks".to_owned(), Some(stack(which, turn / STACKS))),
        }
    };
    let _same_server = server.address;
    (from..from + count).map(planned).collect()
}

/// Stacks that are there before anything is measured.
async fn settle(server: &Server) {
    for number in 0..STACKS {
        server.json("POST", "/api/v1/stacks", Some(stack(number, 0))).await;
    }
    sleep(Duration::from_secs(5)).await;
}

/// 200 requests a second.
pub async fn requests(goals: &mut Goals, time: Duration) {
    const RATE: usize = 200;
    let server = Server::start().await;
    let _fleet = Fleet::start(&server, HOSTS).await;
    let operators = server.operators(8).await;
    settle(&server).await;
    let requests = mixture(&server, &operators, 0, RATE * time.as_secs() as usize);
    let (begun, processor) = (Instant::now(), server.processor_time());
    let mut outcome = paced(server.address, requests, RATE, |_, _| {}).await;
    let processor = (server.processor_time() - processor).as_secs_f64() / begun.elapsed().as_secs_f64();
    note(format_args!("answers by kind and status: {:?}; {:.0} % of a core", outcome.statuses, processor * 100.0));
    for (kind, limit) in [("write", 100.0), ("read", 50.0)] {
        let times = outcome.times.entry(kind).or_default();
        note(format_args!(
            "{kind}: p50 {:.1} ms, p90 {:.1} ms, longest {:.1} ms",
            at(times, 500),
            at(times, 900),
            at(times, 1000)
        ));
        goals.at_most(&format!("{kind} at 200 requests a second, p99"), at(times, 990), limit, " ms");
    }
    // What is refused at once is answered fast.
    let writes = |is_wanted: fn(u16) -> bool| -> f64 {
        let of = outcome.statuses.iter().filter(|((kind, status), _)| *kind == "write" && is_wanted(*status));
        of.map(|(_, count)| *count as f64).sum()
    };
    let carried_out = writes(|status| (200..300).contains(&status)) / writes(|_| true);
    goals.at_least("writes that were carried out, of all", carried_out, 0.9, "");
    goals.at_most("requests that failed", outcome.failed as f64, 0.0, "");
}

/// Some load for a long time: nothing grows.
pub async fn soak(goals: &mut Goals, time: Duration) {
    const RATE: usize = 50;
    let server = Server::start().await;
    let _fleet = Fleet::start(&server, 100).await;
    let operators = server.operators(8).await;
    settle(&server).await;
    let mut watchers = Watchers::new();
    watchers.add(server.address, "/api/v1/ws", &server.token, 50).await;
    // What is filled once (caches, pools) is filled before the first third begins.
    let round = Duration::from_secs(5).min(time / 12);
    let count = |time: Duration| (RATE as f64 * time.as_secs_f64()) as usize;
    let mut sent = 0;
    let (mut samples, mut failed) = (Vec::new(), 0);
    let warm = (time / 10).min(Duration::from_secs(60));
    let begun = Instant::now();
    while begun.elapsed() < warm + time {
        let requests = mixture(&server, &operators, sent, count(round));
        sent += requests.len();
        let (since, processor) = (Instant::now(), server.processor_time());
        let mut outcome = paced(server.address, requests, RATE, |_, _| {}).await;
        let processor = (server.processor_time() - processor).as_secs_f64() / since.elapsed().as_secs_f64();
        let told = outcome.times.iter_mut().map(|(kind, times)| {
            format!("{kind} p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms; ", at(times, 500), at(times, 900), at(times, 990))
        });
        let told: String = told.collect();
        note(format_args!("{:.0} s: {told}{:.0} % of a core", begun.elapsed().as_secs_f64(), processor * 100.0));
        failed += outcome.failed;
        if begun.elapsed() > warm {
            let times: Vec<Duration> = outcome.times.into_values().flatten().collect();
            samples.push((server.resident() / 1024.0, server.descriptors() as f64, times));
        }
    }
    let third = samples.len() / 3;
    let last = samples.split_off(samples.len() - third);
    samples.truncate(third);
    let mean = |part: &[(f64, f64, Vec<Duration>)], which: fn(&(f64, f64, Vec<Duration>)) -> f64| {
        part.iter().map(which).sum::<f64>() / part.len() as f64
    };
    let p99 = |part: &[(f64, f64, Vec<Duration>)]| {
        at(&mut part.iter().flat_map(|(_, _, times)| times.clone()).collect::<Vec<_>>(), 990)
    };
    let memory = (mean(&samples, |one| one.0), mean(&last, |one| one.0));
    let descriptors = (mean(&samples, |one| one.1), mean(&last, |one| one.1));
    let latency = (p99(&samples), p99(&last));
    note(format_args!(
        "{sent} requests; first and last third: {memory:.1?} MiB, {descriptors:.1?} descriptors, p99 {latency:.1?} ms"
    ));
    goals.at_most("memory of the last third, of the first's", memory.1 / memory.0, 1.1, "");
    goals.at_most("descriptors more in the last third", descriptors.1 - descriptors.0, 5.0, "");
    goals.at_most("p99 of the last third, of the first's (or of 20 ms)", latency.1 / latency.0.max(20.0), 1.5, "");
    goals.at_most("requests that failed", failed as f64, 0.0, "");
    goals.at_most("watchers that were lost", watchers.ended() as f64, 0.0, "");
}
