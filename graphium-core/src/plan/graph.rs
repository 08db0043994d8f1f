//! A plan looked at as a graph.

use super::{Plan, PlannedTask};
use std::{collections::BTreeMap, fmt::Write as _};

/// The tasks in waves: each wave needs only those before it, and no task could be in an earlier one.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Options};
/// use graphium_core::plan::fixtures::{container, hosts, on, stack};
/// use graphium_core::stack::Container;
///
/// let web = Container { depends_on: vec![on("db")], ..container("web") };
/// let plan = plan::plan(&stack("shop", vec![container("db"), web]), None, &hosts(1), &Options::default()).unwrap();
/// let waves: Vec<Vec<&str>> =
///     plan::waves(&plan).iter().map(|wave| wave.iter().map(|task| task.id.as_str()).collect()).collect();
/// assert_eq!(waves, [vec!["pull:vm1:nginx:alpine", "network:vm1"], vec!["deploy:db"], vec!["deploy:web"]]);
/// assert!(plan::dot(&plan).contains("\"deploy:db\" -> \"deploy:web\";"));
/// ```
pub fn waves(plan: &Plan) -> Vec<Vec<&PlannedTask>> {
    let mut depth: BTreeMap<&str, usize> = BTreeMap::new();
    let mut waves: Vec<Vec<&PlannedTask>> = Vec::new();
    for task in &plan.tasks {
        let first = task.depends_on.iter().filter_map(|id| depth.get(id.as_str()));
        let wave = first.map(|depth| depth + 1).max().unwrap_or(0);
        depth.insert(task.id.as_str(), wave);
        if waves.len() <= wave {
            waves.resize_with(wave + 1, Vec::new);
        }
        waves[wave].push(task);
    }
    waves
}

/// The plan in Graphviz's language, one cluster per host.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Options, fixtures::{container, hosts, stack}};
///
/// let plan = plan::plan(&stack("shop", vec![container("web")]), None, &hosts(1), &Options::default()).unwrap();
/// let dot = plan::dot(&plan);
/// assert!(dot.starts_with("digraph \"shop\" {") && dot.contains("label=\"vm1\""));
/// ```
pub fn dot(plan: &Plan) -> String {
    let mut hosts: BTreeMap<&str, Vec<&PlannedTask>> = BTreeMap::new();
    for task in &plan.tasks {
        hosts.entry(task.host.as_str()).or_default().push(task);
    }
    let mut text = format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quoted(&plan.stack_name));
    for (number, (host, tasks)) in hosts.into_iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  subgraph cluster_{number} {{\n    label={};", quoted(host));
        for task in tasks {
            let _ = writeln!(text, "    {} [tooltip={}];", quoted(task.id.as_str()), quoted(&task.why));
        }
        text.push_str("  }\n");
    }
    for task in &plan.tasks {
        for first in &task.depends_on {
            let _ = writeln!(text, "  {} -> {};", quoted(first.as_str()), quoted(task.id.as_str()));
        }
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
