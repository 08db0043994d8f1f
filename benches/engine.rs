//! Stacks on real engines against the bare Engine API: the same containers, as many at a time, in turn, in one run.
//!
//! ```text
//! cargo bench -p graphium-server --bench engine
//! ```
//!
//! Needs root on Linux with Docker. Every figure is the median of several rounds; what counts is the ratio.

#![allow(unreachable_pub, reason = "a program of its own, in several files")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark for people")]
#![allow(dead_code, reason = "the tests use more of the estate")]

#[path = "../tests/hosts/estate.rs"]
mod estate;

use bollard::{
    Docker,
    models::{ContainerCreateBody, HostConfig, NetworkCreateRequest},
    query_parameters::{
        CreateContainerOptionsBuilder, RemoveContainerOptions, StartContainerOptions, StopContainerOptions,
    },
};
use estate::{Estate, HOSTS, WEB};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
/// As many at a time on each engine as an agent takes by default on two cores.
const AT_A_TIME: usize = 2;

#[tokio::main]
async fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let estate = Estate::start().await;
    println!("{:<28}{:>10}{:>10}{:>8}", "", "bare", "graphium", "ratio");
    for (containers, hosts) in [(3, 3), (20, 1), (30, 3)] {
        let (mut up, mut down) = (Pairs::default(), Pairs::default());
        for _ in 0..ROUNDS {
            let (bare_up, bare_down) = bare(&estate, containers, hosts).await;
            let (our_up, our_down) = ours(&estate, containers, hosts).await;
            up.push(bare_up, our_up);
            down.push(bare_down, our_down);
        }
        up.print(&format!("{containers} on {hosts}: up"));
        down.print(&format!("{containers} on {hosts}: down"));
    }
    no_op(&estate).await;
    estate.end().await;
}

#[derive(Default)]
struct Pairs {
    bare: Vec<Duration>,
    ours: Vec<Duration>,
    ratios: Vec<f64>,
}

impl Pairs {
    fn push(&mut self, bare: Duration, ours: Duration) {
        self.ratios.push(ours.as_secs_f64() / bare.as_secs_f64());
        self.bare.push(bare);
        self.ours.push(ours);
    }

    fn print(mut self, what: &str) {
        self.bare.sort();
        self.ours.sort();
        self.ratios.sort_by(f64::total_cmp);
        let middle = self.ratios.len() / 2;
        println!(
            "{what:<28}{:>8} ms{:>7} ms{:>8.2}",
            self.bare[middle].as_millis(),
            self.ours[middle].as_millis(),
            self.ratios[middle]
        );
    }
}

/// Network, create and start on each host; then stop, remove, and the network.
async fn bare(estate: &Estate, containers: usize, hosts: usize) -> (Duration, Duration) {
    let engines: Vec<Docker> = HOSTS[..hosts].iter().map(|host| estate.host(host).docker().unwrap()).collect();
    let started = Instant::now();
    let each = engines.iter().enumerate().map(|(number, docker)| async move {
        let network = NetworkCreateRequest { name: "bare".into(), ..NetworkCreateRequest::default() };
        docker.create_network(network).await.unwrap();
        let names = (0..containers).filter(|index| index % hosts == number).map(|index| format!("bare-{index}"));
        stream::iter(names).for_each_concurrent(AT_A_TIME, |name| bare_start(docker, name)).await;
    });
    futures::future::join_all(each).await;
    let up = started.elapsed();
    let started = Instant::now();
    let each = engines.iter().enumerate().map(|(number, docker)| async move {
        let names = (0..containers).filter(|index| index % hosts == number).map(|index| format!("bare-{index}"));
        stream::iter(names).for_each_concurrent(AT_A_TIME, |name| bare_remove(docker, name)).await;
        docker.remove_network("bare").await.unwrap();
    });
    futures::future::join_all(each).await;
    (up, started.elapsed())
}

async fn bare_start(docker: &Docker, name: String) {
    let host_config = HostConfig { network_mode: Some("bare".into()), ..HostConfig::default() };
    let body = ContainerCreateBody {
        image: Some(WEB.into()),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    docker.create_container(Some(options), body).await.unwrap();
    docker.start_container(&name, None::<StartContainerOptions>).await.unwrap();
}

async fn bare_remove(docker: &Docker, name: String) {
    docker.stop_container(&name, None::<StopContainerOptions>).await.unwrap();
    docker.remove_container(&name, None::<RemoveContainerOptions>).await.unwrap();
}

fn document(containers: usize, hosts: usize) -> Value {
    let container = |index: usize| {
        json!({
            "@type": "datacenter:Container", "name": format!("c{index}"), "image": WEB,
            "locatedInHost": HOSTS[index % hosts]
        })
    };
    json!({
        "@context": "https://graphium.io/context/v1.jsonld",
        "@id": "stack:bench", "@type": "datacenter:Stack", "name": "bench",
        "hasPart": (0..containers).map(container).collect::<Vec<_>>()
    })
}

/// The whole of two commands, from their start to their end.
async fn ours(estate: &Estate, containers: usize, hosts: usize) -> (Duration, Duration) {
    let file = estate.document("bench", &document(containers, hosts));
    let started = Instant::now();
    estate.ok(&["stack", "deploy", &file, "--wait"]).await;
    let up = started.elapsed();
    let started = Instant::now();
    estate.ok(&["stack", "remove", "bench", "--wait"]).await;
    (up, started.elapsed())
}

/// What already runs: no call that makes or starts anything.
async fn no_op(estate: &Estate) {
    let file = estate.document("bench", &document(20, 1));
    estate.ok(&["stack", "deploy", &file, "--wait"]).await;
    let since = jiff::Timestamp::now();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        estate.ok(&["stack", "deploy", &file, "--wait"]).await;
        times.push(started.elapsed());
    }
    times.sort();
    let mut made = 0;
    for index in 0..20 {
        made += estate.happened(HOSTS[0], &format!("bench-c{index}"), "create", since).await;
        made += estate.happened(HOSTS[0], &format!("bench-c{index}"), "start", since).await;
    }
    println!(
        "{:<28}{:>18} ms, {made} containers made or started",
        "20 that run already",
        times[times.len() / 2].as_millis()
    );
    estate.ok(&["stack", "remove", "bench", "--wait"]).await;
}
