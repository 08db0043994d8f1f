//! Reading beside serde_json: `cargo bench -p graphium-core --bench read`.
//!
//! Both take the same bytes, turn by turn, so that a slow moment of the machine strikes both. serde_json makes a value
//! of them that knows no places; reading makes a stack of them, checked, with the place of everything at hand.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and may panic")]

use graphium_core::document::{ReadContext, format, read};
use std::{
    fmt::Write as _,
    hint::black_box,
    time::{Duration, Instant},
};

const SERVICES: usize = 1_000;
const ROUNDS: usize = 31;
/// Bytes a second below which reading is too slow.
const GOAL: f64 = 20e6;

fn main() {
    let source = document();
    let variables = |name: &str| (name == "REGISTRY").then(|| "registry.example.org".to_owned());
    let context = ReadContext::new(&variables);
    let stack = read(&source, &context).unwrap().stack;
    assert_eq!(stack.containers.len(), SERVICES);
    let megabytes = source.len() as f64 / 1e6;
    println!("read: {SERVICES} services, {megabytes:.1} MB, native; medians of {ROUNDS} rounds\n");

    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(time(|| drop(black_box(serde_json::from_slice::<serde_json::Value>(source.as_bytes()).unwrap()))));
        ours.push(time(|| drop(black_box(read(&source, &context).unwrap()))));
    }
    let (bare, ours) = (median(bare), median(ours));
    let speed = |time: Duration| megabytes / time.as_secs_f64();
    println!("serde_json {:>7.1} ms {:>6.0} MB/s", bare.as_secs_f64() * 1e3, speed(bare));
    println!("read       {:>7.1} ms {:>6.0} MB/s", ours.as_secs_f64() * 1e3, speed(ours));
    println!("ratio      {:>7.1}", ours.as_secs_f64() / bare.as_secs_f64());
    let verdict = if speed(ours) * 1e6 >= GOAL { "reached" } else { "missed" };
    println!("goal: at least {:.0} MB/s: {verdict}", GOAL / 1e6);
}

/// Services that say about as much as one of a large Compose file, in the form that `graphium fmt` gives them.
fn document() -> String {
    let mut parts = String::new();
    for number in 0..SERVICES {
        let comma = if number == 0 { "" } else { "," };
        let mut variables = String::new();
        for variable in 0..14 {
            let comma = if variable == 0 { "" } else { "," };
            let value = "value ".repeat(12);
            write!(variables, r#"{comma}{{"name": "SETTING_{variable}_OF_SERVICE", "value": "{value}{number}"}}"#)
                .unwrap();
        }
        let waits = match number {
            0 => String::new(),
            _ => format!(
                r#""dependsOn": [{{"@id": "container:large/service-{}", "condition": "started"}}],"#,
                number - 1
            ),
        };
        let command = format!("exec service --number {number} {}", "--with an-option ".repeat(60));
        write!(
            parts,
            r#"{comma}{{"@type": "datacenter:Container", "@id": "container:large/service-{number}", "name": "service-{number}",
            "image": "${{REGISTRY}}/large/service:{number}", "description": "Does what service number {number} is there for", {waits}
            "command": ["sh", "-c", "{command}"], "environment": [{variables}],
            "ports": [{{"containerPort": 8080}}, {{"containerPort": 9090, "protocol": "udp"}}],
            "volumeMounts": [{{"type": "volume", "source": "data-{number}", "target": "/var/lib/service"}},
                {{"type": "bind", "source": "/etc/service/{number}", "target": "/etc/service", "readOnly": true}}],
            "healthCheck": {{"type": "http", "path": "/health", "port": 8080, "interval": "30s", "retries": 3}},
            "resources": {{"limits": {{"cpus": 0.5, "memory": "512M"}}, "reservations": {{"memory": "128M"}}}},
            "restartPolicy": "unless-stopped", "labels": {{"org.example.team": "team-{number}", "org.example.tier": "backend"}}}}"#
        )
        .unwrap();
    }
    let source = format!(
        r#"{{"@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:large",
        "name": "large", "hasPart": [{parts}]}}"#
    );
    format(source).unwrap().text
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
