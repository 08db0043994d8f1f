//! From an event to what somebody sees: the page in Chromium, on a server that has much already.

use super::{
    goals::{Goals, at, note},
    raw::request,
    server::Server,
    traffic::{Planned, paced},
    watchers::Watchers,
};
use graphium_core::{
    event::{EventType, NewEvent},
    store::{Submission, TaskStore as _},
};
use graphium_store::{Options, SqliteStore};
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, SystemTime},
};

#[allow(dead_code, reason = "tests use more of it")]
#[path = "../../tests/web/browser.rs"]
mod window;
use window::Browser;

const EVENTS: usize = 50_000;
const CONTAINERS: usize = 1000;
const WATCHERS: usize = 100;
const RATE: usize = 200;

/// Notes the moment at which each row of an event is there.
const NOTE_ROWS: &str = "window.rows = {};
    const note = (node) => { if (node.id?.startsWith('e-')) window.rows[node.id.slice(2)] ??= Date.now(); };
    new MutationObserver((changes) => {
        for (const change of changes) for (const node of change.addedNodes) {
            if (node.nodeType === 1) { note(node); node.querySelectorAll('tr').forEach(note); }
        }
    }).observe(document.getElementById('main'), { childList: true, subtree: true });
    window.longest = 0;
    let last = performance.now();
    setInterval(() => {
        const now = performance.now();
        window.longest = Math.max(window.longest, now - last);
        last = now;
    }, 10);
    return 1";

pub async fn measure(goals: &mut Goals, time: Duration) {
    let server = Server::start_upon(fill).await;
    server.quiet_host("quiet").await;
    let operators = server.operators(4).await;
    let crowd: Vec<Value> = (0..CONTAINERS)
        .map(|number| json!({"@type": "datacenter:Container", "name": format!("c{number}"), "image": "web:1"}))
        .collect();
    let crowd = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "name": "crowd",
        "locatedInHost": {"@id": "host:quiet"}, "hasPart": crowd
    });
    server.json("POST", "/api/v1/stacks", Some(crowd)).await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/web/login", server.url())).await;
    browser.click("summary").await;
    browser.write("#token", &server.token).await;
    browser.click("form button.primary").await;
    browser.until_there("#live").await;
    for page in ["stacks/crowd", "tasks", "events"] {
        browser.open(&format!("{}/web/{page}", server.url())).await;
        let took = browser.run("return performance.getEntriesByType('navigation')[0].domComplete").await;
        note(format_args!("/web/{page} with {CONTAINERS} containers and {EVENTS} events: whole after {took:.0} ms"));
    }
    browser.until("it is live", "return document.getElementById('live').textContent === 'Live'").await;
    browser.run(NOTE_ROWS).await;
    let mut watchers = Watchers::new();
    watchers.add(server.address, "/api/v1/ws", &server.token, WATCHERS).await;
    let first = server.last_event().await;
    let count = RATE * time.as_secs() as usize;
    let requests = (0..count).map(|number| {
        let wanted = json!({"hostId": "quiet", "payload": {"action": "stop", "name": "seen"}});
        let bytes = request("POST", "/api/v1/tasks", &operators[number % operators.len()], Some(&wanted));
        Planned { kind: "write", bytes }
    });
    let outcome = paced(server.address, requests.collect(), RATE, |_, _| {}).await;
    assert_eq!(outcome.failed, 0, "writes failed: {:?}", outcome.statuses);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let rows = browser.run("return window.rows").await;
    let longest = browser.run("return window.longest").await;
    let mut waits = waits(&server, &rows, first).await;
    note(format_args!(
        "{} of {count} events were seen on the page of the newest 50, p50 {:.0} ms; it stood still for {longest:.0} ms at most",
        waits.len(),
        at(&mut waits, 500)
    ));
    goals.at_least("events that were seen, of all", waits.len() as f64 / count as f64, 0.9, "");
    goals.at_most("from an event to its row in Chromium, p99", at(&mut waits, 990), 250.0, " ms");
    goals.at_most("watchers that were lost", watchers.ended() as f64, 0.0, "");
    browser.end().await;
}

/// From the time of each event to that of its row, by one clock.
async fn waits(server: &Server, rows: &Value, first: u64) -> Vec<Duration> {
    let (mut waits, mut after) = (Vec::new(), first);
    loop {
        let path = format!("/api/v1/events?follow=false&limit=1000&after={after}");
        let answer = server.json("GET", &path, None).await;
        let events = answer["events"].as_array().unwrap();
        let Some(last) = events.last() else { return waits };
        after = last["seq"].as_u64().unwrap();
        for event in events {
            let written: jiff::Timestamp = event["timestamp"].as_str().unwrap().parse().unwrap();
            if let Some(seen) = rows[event["seq"].to_string()].as_i64() {
                waits.push(Duration::from_millis(u64::try_from(seen - written.as_millisecond()).unwrap_or_default()));
            }
        }
    }
}

/// A database with many events.
async fn fill(database: &Path) {
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap();
    let store = SqliteStore::open(database, Options::at(now)).await.unwrap();
    let event = NewEvent {
        kind: EventType::StackUpdated,
        data: json!({"@id": "stack:old", "name": "old", "status": "running"}),
    };
    for _ in 0..EVENTS / 500 {
        store.submit(Submission { events: vec![event.clone(); 500], ..Submission::default() }, now).await.unwrap();
    }
}
