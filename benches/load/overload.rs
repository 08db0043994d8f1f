//! Far more than the server can do: who is turned away hears so at once, the rest is served, and all is well soon after.

use super::{
    fleet::Fleet,
    goals::{Goals, at, note},
    raw::{Raw, request},
    server::Server,
};
use std::{
    net::SocketAddr,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

/// So many ask at a time when all is well, each as soon as it has its answer: more of them get no more done.
const ENOUGH: usize = 64;
const TIMES: usize = 10;
const AGENTS: usize = 100;

#[derive(Default)]
struct Tally {
    served: Vec<Duration>,
    refused: Vec<Duration>,
    /// Refused without a word on when to ask again.
    curt: usize,
    /// Neither served nor refused.
    other: usize,
}

pub async fn measure(goals: &mut Goals, time: Duration) {
    let server = Server::start().await;
    let fleet = Fleet::start(&server, AGENTS).await;
    server.quiet_host("quiet").await;
    let operators = server.operators(20).await;
    let calm = crowd(&server, &operators, ENOUGH, Duration::from_secs(5)).await;
    let sustained = calm.served.len() as f64 / 5.0;
    let before = probe(server.address, Duration::from_secs(2)).await;

    let address = server.address;
    let probes = tokio::spawn(async move { probe(address, time).await });
    let mut wild = crowd(&server, &operators, ENOUGH * TIMES, time).await;
    let mut probes = probes.await.unwrap();
    let begun = Instant::now();
    let usual = at(&mut before.clone(), 990).max(5.0);
    // As it was: whatever is asked is served, and as fast as before.
    let recovered = loop {
        let tally = crowd(&server, &operators, 1, Duration::from_millis(500)).await;
        let is_well = tally.refused.is_empty() && tally.other == 0;
        if is_well && at(&mut probe(address, Duration::from_millis(500)).await, 990) <= usual * 3.0 {
            break begun.elapsed();
        }
        if begun.elapsed() > Duration::from_secs(30) {
            break Duration::MAX;
        }
    };
    let served = wild.served.len() as f64 / time.as_secs_f64();
    note(format_args!(
        "{ENOUGH} at a time: {sustained:.0} requests a second; ten times as many: {served:.0} served and {:.0} refused",
        wild.refused.len() as f64 / time.as_secs_f64()
    ));
    note(format_args!(
        "served after p50 {:.0} ms, p99 {:.0} ms; refused after p50 {:.0} ms",
        at(&mut wild.served, 500),
        at(&mut wild.served, 990),
        at(&mut wild.refused, 500)
    ));
    goals.at_least("requests that are refused under ten times the load", wild.refused.len() as f64, 1.0, "");
    goals.at_most("refusals, p99", at(&mut wild.refused, 990), 1000.0, " ms");
    goals.at_most("refusals that do not say when to ask again", wild.curt as f64, 0.0, "");
    goals.at_most("requests neither served nor refused", wild.other as f64, 0.0, "");
    goals.at_least("served, of what is served without overload", served / sustained, 0.5, "");
    goals.at_most("whether it lives, asked meanwhile, p99", at(&mut probes, 990), 1000.0, " ms");
    goals.at_most("agents that lost the server", fleet.losses.load(Ordering::Relaxed) as f64, 0.0, "");
    goals.at_most("recovery", recovered.as_secs_f64(), 10.0, " s");
}

/// So many at a time, each asking again as soon as it has an answer, whatever it says.
async fn crowd(server: &Server, operators: &[String], size: usize, time: Duration) -> Tally {
    let wanted = serde_json::json!({"hostId": "quiet", "payload": {"action": "stop", "name": "crowd"}});
    let mut people = JoinSet::new();
    for number in 0..size {
        let token = &operators[number % operators.len()];
        let asks = [
            request("GET", "/api/v1/stacks", token, None),
            request("GET", "/api/v1/hosts", token, None),
            request("GET", "/api/v1/tasks?limit=20", token, None),
            request("POST", "/api/v1/tasks", token, Some(&wanted)),
        ];
        people.spawn(person(server.address, asks, number, time));
    }
    let mut all = Tally::default();
    for one in people.join_all().await {
        all.served.extend(one.served);
        all.refused.extend(one.refused);
        all.curt += one.curt;
        all.other += one.other;
    }
    all
}

async fn person(address: SocketAddr, asks: [Vec<u8>; 4], first: usize, time: Duration) -> Tally {
    let (mut tally, begun) = (Tally::default(), Instant::now());
    let mut raw = None;
    for number in first.. {
        if begun.elapsed() >= time {
            break;
        }
        let asked = Instant::now();
        let mut connection = match raw.take() {
            Some(connection) => connection,
            None => match Raw::connect(address).await {
                Ok(connection) => connection,
                Err(_) => {
                    tally.other += 1;
                    continue;
                }
            },
        };
        match connection.ask(&asks[number % asks.len()]).await {
            Ok(answer) => {
                match answer.status {
                    200..=299 => tally.served.push(asked.elapsed()),
                    429 | 503 => {
                        tally.refused.push(asked.elapsed());
                        tally.curt += usize::from(!answer.says_when);
                    }
                    _ => tally.other += 1,
                }
                let closes = answer.header("connection").is_some_and(|word| word.eq_ignore_ascii_case("close"));
                raw = (!closes).then_some(connection);
            }
            Err(_) => tally.other += 1,
        }
    }
    tally
}

/// Whether the server lives, asked a few times a second.
async fn probe(address: SocketAddr, time: Duration) -> Vec<Duration> {
    let (ask, begun, mut times) = (request("GET", "/readyz", "", None), Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let asked = Instant::now();
        let answered = async { Raw::connect(address).await?.ask(&ask).await };
        let is_well = answered.await.is_ok_and(|answer| answer.status == 200);
        times.push(if is_well { asked.elapsed() } else { Duration::from_secs(3600) });
        sleep(Duration::from_millis(20)).await;
    }
    times
}
