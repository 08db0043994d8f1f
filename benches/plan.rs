//! Planning beside petgraph: `cargo bench --bench plan [-- CONTAINERS …]`.
//!
//! Both are measured in one run, turn by turn, so that a slow moment of the machine strikes both.
//! The reference takes the ids of the plan's tasks and of what they wait for, builds the graph and sorts it: what a
//! planner could not do without. The last column leaves even the ids out and takes numbers. Sealing gives every specification
//! and the whole plan their hashes, for who submits or saves it. A second table places by
//! score instead, every container with a reservation, over ten times as many hosts.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and may panic")]

use graphium_core::{
    inventory::Inventory,
    plan::{Applied, Options, Plan, fixtures, plan},
    stack::{Reservations, Stack, Strategy},
};
use petgraph::{algo::toposort, graph::DiGraph};
use std::{
    collections::HashMap,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

const HOSTS: u32 = 100;
const ROUNDS: usize = 31;

/// Medians of one size.
struct Figures {
    containers: usize,
    tasks: usize,
    edges: usize,
    petgraph: Duration,
    plan: Duration,
    again: Duration,
    numbered: Duration,
    seal: Duration,
    ratio: f64,
    ratio_again: f64,
    ratio_seal: f64,
}

fn main() {
    println!("plan: spread over {HOSTS} hosts, each container after up to two others; medians of {ROUNDS} rounds\n");
    println!(
        "containers   tasks   edges   petgraph       plan   ratio   unchanged   ratio     sealing   ratio   petgraph of numbers"
    );
    let mut sizes: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    let all: Vec<Figures> = sizes.into_iter().map(measure).collect();
    for pair in all.windows(2) {
        let growth = |of: fn(&Figures) -> Duration| of(&pair[1]).as_secs_f64() / of(&pair[0]).as_secs_f64();
        println!(
            "growth from {} to {}: petgraph ×{:.1}, plan ×{:.1}, unchanged ×{:.1}",
            pair[0].containers,
            pair[1].containers,
            growth(|figures| figures.petgraph),
            growth(|figures| figures.plan),
            growth(|figures| figures.again)
        );
    }
    println!("\nplan: auto, over hosts in ten datacenters, every container reserving something");
    println!("containers   hosts   petgraph       plan   ratio");
    for hosts in [HOSTS, 10 * HOSTS] {
        measure_auto(10_000, hosts);
    }
}

fn measure_auto(containers: usize, hosts: u32) {
    let (mut stack, mut inventory) = (fixtures::layered(containers), fixtures::hosts(hosts));
    stack.deployment.placement_strategy = Some(Strategy::Auto);
    for (number, host) in inventory.hosts.iter_mut().enumerate() {
        host.location = Some(format!("dc{}", number % 10));
        (host.cpu, host.memory) = (256.0, 1 << 40);
    }
    for (number, container) in stack.containers.iter_mut().enumerate() {
        let reservations = Reservations { cpus: Some(0.25 * (1 + number % 4) as f64), memory: Some(64 << 20) };
        Arc::make_mut(container).resources.reservations = reservations;
    }
    let first = planned(&stack, None, &inventory);
    let (mut petgraph, mut plan, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS / 3 {
        let (one, other) = (timed(|| sorted(&first)), timed(|| planned(&stack, None, &inventory)));
        ratios.push(other.as_secs_f64() / one.as_secs_f64());
        petgraph.push(one);
        plan.push(other);
    }
    println!(
        "{containers:>10} {hosts:>7} {:>7.2} ms {:>7.2} ms {:>7.1}",
        milliseconds(median(petgraph, Ord::cmp)),
        milliseconds(median(plan, Ord::cmp)),
        median(ratios, f64::total_cmp)
    );
}

fn measure(containers: usize) -> Figures {
    let rounds = if containers > 10_000 { ROUNDS / 6 } else { ROUNDS };
    let (stack, inventory) = (fixtures::layered(containers), fixtures::hosts(HOSTS));
    let first = planned(&stack, None, &inventory);
    let edges = edges(&first);
    let running = fixtures::carried_out(&first, inventory.clone());
    let applied = Applied { stack: stack.clone(), placements: first.placements.clone() };
    assert!(planned(&stack, Some(&applied), &running).is_empty());
    let mut times: [Vec<Duration>; 5] = Default::default();
    for _ in 0..rounds {
        times[0].push(timed(|| sorted(&first)));
        times[1].push(timed(|| planned(&stack, None, &inventory)));
        times[2].push(timed(|| planned(&stack, Some(&applied), &running)));
        times[3].push(timed(|| sorted_numbers(first.tasks.len(), &edges)));
        let fresh = planned(&stack, None, &inventory);
        times[4].push(timed(|| fresh.sealed()));
    }
    let ratio = |of: usize| {
        let each = times[of].iter().zip(&times[0]).map(|(plan, petgraph)| plan.as_secs_f64() / petgraph.as_secs_f64());
        median(each.collect(), f64::total_cmp)
    };
    let time = |of: usize| median(times[of].clone(), Ord::cmp);
    let figures = Figures {
        containers,
        tasks: first.tasks.len(),
        edges: edges.len(),
        petgraph: time(0),
        plan: time(1),
        again: time(2),
        numbered: time(3),
        seal: time(4),
        ratio: ratio(1),
        ratio_again: ratio(2),
        ratio_seal: ratio(4),
    };
    println!(
        "{:>10} {:>7} {:>7} {:>7.2} ms {:>7.2} ms {:>7.1} {:>8.2} ms {:>7.1} {:>8.2} ms {:>7.1} {:>16.2} ms",
        figures.containers,
        figures.tasks,
        figures.edges,
        milliseconds(figures.petgraph),
        milliseconds(figures.plan),
        figures.ratio,
        milliseconds(figures.again),
        figures.ratio_again,
        milliseconds(figures.seal),
        figures.ratio_seal,
        milliseconds(figures.numbered)
    );
    figures
}

fn planned(stack: &Stack, applied: Option<&Applied>, inventory: &Inventory) -> Plan {
    plan(stack, applied, inventory, &Options::default()).unwrap()
}

/// The graph of a plan's tasks, from their ids, in petgraph's order.
fn sorted(plan: &Plan) -> usize {
    let mut graph: DiGraph<&str, ()> = DiGraph::new();
    let mut nodes = HashMap::with_capacity(plan.tasks.len());
    for task in &plan.tasks {
        nodes.insert(task.id.as_str(), graph.add_node(task.id.as_str()));
    }
    for task in &plan.tasks {
        for first in &task.depends_on {
            graph.add_edge(nodes[first.as_str()], nodes[task.id.as_str()], ());
        }
    }
    toposort(&graph, None).unwrap().len()
}

/// The plan's edges as numbers, found outside the measured time.
fn edges(plan: &Plan) -> Vec<(u32, u32)> {
    let numbers: HashMap<&str, u32> = (0..).zip(&plan.tasks).map(|(number, task)| (task.id.as_str(), number)).collect();
    let mut edges = Vec::new();
    for (number, task) in (0..).zip(&plan.tasks) {
        edges.extend(task.depends_on.iter().map(|id| (numbers[id.as_str()], number)));
    }
    edges
}

fn sorted_numbers(nodes: usize, edges: &[(u32, u32)]) -> usize {
    let mut graph: DiGraph<u32, ()> = DiGraph::with_capacity(nodes, edges.len());
    let indices: Vec<_> = (0..nodes).map(|node| graph.add_node(node as u32)).collect();
    for &(from, to) in edges {
        graph.add_edge(indices[from as usize], indices[to as usize], ());
    }
    toposort(&graph, None).unwrap().len()
}

/// The time until there is a result; giving its memory back does not count.
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = black_box(work());
    let time = start.elapsed();
    drop(result);
    time
}

fn median<T: Copy>(mut values: Vec<T>, order: fn(&T, &T) -> std::cmp::Ordering) -> T {
    values.sort_by(order);
    values[values.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
