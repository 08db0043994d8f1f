//! A thousand agents lose their server at once, and find it again.

use super::{
    fleet::{AGENTS, Fleet, name},
    goals::{Goals, note},
    server::Server,
};
use graphium_core::testing::Operation;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// So many hold a lease while it happens.
const BUSY: usize = 100;

pub async fn measure(goals: &mut Goals) {
    let mut server = Server::start().await;
    let fleet = Fleet::start(&server, AGENTS).await;
    let mut tasks = Vec::new();
    for (number, runtime) in fleet.runtimes.iter().enumerate().take(BUSY) {
        runtime.hang(Operation::Stop);
        runtime.hang(Operation::Inspect);
        let wanted = json!({"hostId": name(number), "payload": {"action": "stop", "name": "held"}});
        tasks.push(server.json("POST", "/api/v1/tasks", Some(wanted)).await["@id"].as_str().unwrap().to_owned());
    }
    sleep(Duration::from_secs(3)).await;
    assert!(running(&server, &tasks).await == BUSY, "the tasks are not under way");
    let last = server.last_event().await;

    server.kill();
    // Every agent has noticed, and tries again.
    let (killed, lost) = (Instant::now(), || fleet.lost.load(std::sync::atomic::Ordering::Relaxed));
    while lost() < AGENTS {
        assert!(
            killed.elapsed() < Duration::from_secs(60),
            "{} of {AGENTS} agents miss the server after a minute",
            lost()
        );
        sleep(Duration::from_millis(20)).await;
    }
    let begun = Instant::now();
    server.restart().await;
    let ready = begun.elapsed();
    let back = fleet.are_parked(&server, Duration::from_secs(60)).await;
    let all = back.map_or(f64::NAN, |_| begun.elapsed().as_secs_f64());
    note(format_args!("the server was ready after {:.2} s", ready.as_secs_f64()));
    goals.at_most("all 1,000 agents are back", all, 30.0, " s");

    // Longer than it takes to call a host offline, or a lease lost.
    sleep(Duration::from_secs(45)).await;
    let expired = BUSY - running(&server, &tasks).await;
    goals.at_most("leases that ended falsely, of 100", expired as f64, 0.0, "");
    goals.at_most("events that call a host offline", offline(&server, last).await as f64, 0.0, "");
    fleet.runtimes.iter().for_each(graphium_core::testing::FakeRuntime::release);
}

/// How many are held by the agent that had them first, in their first attempt.
async fn running(server: &Server, tasks: &[String]) -> usize {
    let mut count = 0;
    for id in tasks {
        let task = server.json("GET", &format!("/api/v1/tasks/{}", id.replace(':', "%3A")), None).await;
        let is_held = ["assigned", "running"].iter().any(|status| task["status"] == *status);
        count += usize::from(is_held && task["lease"]["attempt"] == 1 && task["lostCount"] == 0);
    }
    count
}

/// How many events since that one show a host offline.
async fn offline(server: &Server, mut after: u64) -> usize {
    let mut count = 0;
    loop {
        let path = format!("/api/v1/events?follow=false&limit=1000&after={after}");
        let list = server.json("GET", &path, None).await;
        let events = list["events"].as_array().cloned().unwrap_or_default();
        let Some(last) = events.last() else { return count };
        after = last["seq"].as_u64().unwrap();
        let is_offline = |event: &&Value| {
            event["type"].as_str().is_some_and(|kind| kind.starts_with("host_"))
                && (event["data"]["status"] == "offline" || !event["data"]["offlineSince"].is_null())
        };
        count += events.iter().filter(is_offline).count();
    }
}
