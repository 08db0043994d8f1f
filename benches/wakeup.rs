//! From the moment that a task is there to the moment that its agent has it, with 100 agents parked over real sockets.
//!
//! ```text
//! cargo bench -p graphium-server --bench wakeup
//! ```

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark for people")]

use graphium_core::{
    action::Action,
    agent::{AgentLink, ClaimCall},
    control::TaskRequest,
    id::{ClaimId, HostId},
    store::SessionRequest,
    task::{Outcome, TaskResult},
};
use graphium_server::{
    ServerOptions,
    client::{Client, HttpLink},
    start,
};
use std::time::{Duration, Instant};

const AGENTS: usize = 100;
const TASKS: usize = 1000;

#[tokio::main]
async fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("graphium.db").display());
    let listen = "127.0.0.1:0".parse().unwrap();
    let server =
        start(ServerOptions { notes: None, ..ServerOptions::new(listen, store, folder.path()) }).await.unwrap();
    let token = std::fs::read_to_string(server.admin_token_file()).unwrap().trim().to_owned();

    let (taken, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..AGENTS {
        let link = HttpLink::new(Client::new(&server.url(), Some(token.clone())).unwrap());
        tokio::spawn(agent(number, link, taken.clone()));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;

    let mut waits = Vec::new();
    for number in 0..TASKS {
        let host_id = host(number * 7 % AGENTS);
        let payload = Action::Stop { name: format!("bench-{number}") };
        let request = TaskRequest { host_id, payload, priority: None, timeout_seconds: None, max_retries: None };
        let asked = Instant::now();
        server.control().create_task(request, None).await.unwrap();
        let moment: Instant = arrivals.recv().await.unwrap();
        waits.push(moment - asked);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    waits.sort();
    let at = |part: usize| waits[(waits.len() - 1) * part / 1000].as_secs_f64() * 1000.0;
    println!("asked → stored on disk → in the agent's hands, {AGENTS} agents parked, {TASKS} tasks");
    println!("p50 {:.1} ms   p99 {:.1} ms   p99.9 {:.1} ms", at(500), at(990), at(999));
    server.shutdown().await;
}

fn host(number: usize) -> HostId {
    HostId::new(format!("host-{number}"))
}

async fn agent(number: usize, link: HttpLink, taken: tokio::sync::mpsc::UnboundedSender<Instant>) {
    let host = host(number);
    let request = SessionRequest { host: host.clone(), nonce: format!("nonce-{number}"), seen_epoch: 0 };
    let epoch = link.open_session(&request).await.unwrap().session.epoch;
    for claim in 0.. {
        let claim = ClaimId::new(format!("{number}-{claim}"));
        let call = ClaimCall { host: host.clone(), epoch, claim, max: 1, wait: Duration::from_secs(30) };
        let Ok(tasks) = link.claim(&call).await else { return };
        for task in tasks {
            let _ = taken.send(Instant::now());
            let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
            if let Some(lease) = &task.lease {
                let _ = link.report(lease, &outcome).await;
            }
        }
    }
}
