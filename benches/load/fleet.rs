//! Agents: the real ones, each with its own connections and token, over engines in memory.

use super::{
    goals::{Goals, note},
    server::Server,
};
use graphium_core::{
    agent::{Agent, AgentSettings, MemoryJournal, Notice},
    environment::Environment,
    testing::FakeRuntime,
};
use graphium_server::{
    client::{Client, HttpLink},
    environment::TokioEnvironment,
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

pub const AGENTS: usize = 1000;

/// Agents that run; they end with the value.
pub struct Fleet {
    pub runtimes: Vec<FakeRuntime>,
    /// How many know that they do not reach the server.
    pub lost: Arc<AtomicUsize>,
    /// How often one has lost it.
    pub losses: Arc<AtomicUsize>,
    running: JoinSet<()>,
}

impl Fleet {
    /// Starts so many, and waits until all of them wait for work.
    pub async fn start(server: &Server, count: usize) -> Self {
        let environment: Arc<dyn Environment> = Arc::new(TokioEnvironment::new());
        let mut fleet =
            Self { runtimes: Vec::new(), lost: Arc::default(), losses: Arc::default(), running: JoinSet::new() };
        for number in 0..count {
            let host = name(number);
            let wanted = json!({"role": "agent", "host": host});
            let token = server.json("POST", "/api/v1/tokens", Some(wanted)).await["token"].as_str().unwrap().to_owned();
            let link = HttpLink::new(Client::new(&server.url(), Some(token)).unwrap());
            let runtime = FakeRuntime::with_environment(Arc::clone(&environment));
            let mut settings = AgentSettings::new(host.as_str().into(), 2);
            let (lost, losses, is_lost) = (Arc::clone(&fleet.lost), Arc::clone(&fleet.losses), AtomicBool::new(false));
            settings.notify = Arc::new(move |notice| match notice {
                Notice::LinkLost(_) if !is_lost.swap(true, Ordering::Relaxed) => {
                    lost.fetch_add(1, Ordering::Relaxed);
                    losses.fetch_add(1, Ordering::Relaxed);
                }
                Notice::LinkBack | Notice::Connected { .. } if is_lost.swap(false, Ordering::Relaxed) => {
                    lost.fetch_sub(1, Ordering::Relaxed);
                }
                _ => {}
            });
            let journal = Box::new(MemoryJournal::default());
            let agent =
                Agent::new(Arc::new(link), Arc::new(runtime.clone()), Arc::clone(&environment), journal, settings);
            fleet.running.spawn(async move {
                if let Err(error) = agent.run(std::future::pending()).await {
                    note(format_args!("an agent ended: {error}"));
                }
            });
            fleet.runtimes.push(runtime);
        }
        fleet.are_parked(server, Duration::from_secs(60)).await.expect("not all agents wait for work within a minute");
        fleet
    }

    /// How long it takes until all of them wait for work; none: longer than that.
    pub async fn are_parked(&self, server: &Server, patience: Duration) -> Option<Duration> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            let parked = server.metric("graphium_agent_polls_parked{poll=\"claim\"}").await;
            if parked >= self.runtimes.len() as f64 && self.lost.load(Ordering::Relaxed) == 0 {
                return Some(begun.elapsed());
            }
            sleep(Duration::from_millis(50)).await;
        }
        None
    }
}

pub fn name(number: usize) -> String {
    format!("load-{number}")
}

/// What agents cost that have nothing to do.
pub async fn idle(goals: &mut Goals, time: Duration) {
    let server = Server::start().await;
    goals.at_least("descriptors that the server may have", server.most_descriptors(), 8192.0, "");
    let alone = server.resident() / 1024.0;
    let fleet = Fleet::start(&server, AGENTS).await;
    // What introducing themselves has left behind is over: that each token was used is written one after the other.
    sleep(Duration::from_secs(60)).await;
    let (before, begun) = (server.processor_time(), Instant::now());
    sleep(time).await;
    let used = (server.processor_time() - before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    note(format_args!("the server alone {alone:.1} MiB; with {AGENTS} agents {} descriptors", server.descriptors()));
    goals.at_most("processor, share of a core, 1,000 agents idle", used, 5.0, " %");
    goals.at_most("resident memory, 1,000 agents idle", server.resident() / 1024.0, 60.0, " MiB");
    goals.at_most("agents that lost the server meanwhile", fleet.losses.load(Ordering::Relaxed) as f64, 0.0, "");
}
