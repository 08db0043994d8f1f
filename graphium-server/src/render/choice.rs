//! Why each container is where it is.

use super::{Style, Table, printable};
use graphium_core::plan::{Candidate, Choice, Plan};

/// Hosts that are shown of each choice: the one that was taken, and the best of the others.
const SHOWN: usize = 10;

/// A block per choice, if the plan explains them.
pub(crate) fn choices(plan: &Plan, style: Style) -> Vec<String> {
    plan.choices.iter().flat_map(|choice| block(choice, style)).collect()
}

fn block(choice: &Choice, style: Style) -> Vec<String> {
    let (container, host) = (printable(&choice.container), printable(choice.host.as_str()));
    let mut lines = vec![String::new(), format!("{} on {host}: {}", style.bold(&container), choice.why)];
    let mut hosts: Vec<&Candidate> = choice.hosts.iter().collect();
    let points = |candidate: &Candidate| candidate.score.map_or(0, |score| score.total());
    hosts.sort_by_key(|candidate| {
        (candidate.host != choice.host, candidate.refusal.is_some(), u32::MAX - points(candidate), candidate.containers)
    });
    let mut table = Table::default();
    for candidate in hosts.iter().take(SHOWN) {
        table.row([format!("  {}", candidate.host), standing(candidate)]);
    }
    lines.extend(table.lines(style));
    if hosts.len() > SHOWN {
        lines.push(format!("  and {} more", hosts.len() - SHOWN));
    }
    lines
}

fn standing(candidate: &Candidate) -> String {
    if let Some(refusal) = &candidate.refusal {
        return refusal.clone();
    }
    let bears = super::count(candidate.containers, "container");
    match candidate.score {
        Some(score) => format!(
            "{} points: processors {}, memory {}, load {} ({bears}), dependencies {}, datacenter {}",
            score.total(),
            score.cpu,
            score.memory,
            score.load,
            score.near,
            score.datacenter
        ),
        None => bears,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_host_comes_first_then_by_points_then_those_out_of_the_question() {
        let choice: Choice = serde_json::from_value(serde_json::json!({
            "container": "web", "host": "vm2", "why": "highest score",
            "hosts": [
                {"host": "vm1", "containers": 0, "refusal": "is offline"},
                {"host": "vm2", "containers": 1, "score": {"cpu": 300, "memory": 200, "load": 160, "near": 0, "datacenter": 50}},
                {"host": "vm3", "containers": 4, "score": {"cpu": 100, "memory": 100, "load": 100, "near": 75, "datacenter": 0}}
            ]
        }))
        .unwrap();
        let expected = [
            "",
            "web on vm2: highest score",
            "  vm2  710 points: processors 300, memory 200, load 160 (1 container), dependencies 0, datacenter 50",
            "  vm3  375 points: processors 100, memory 100, load 100 (4 containers), dependencies 75, datacenter 0",
            "  vm1  is offline",
        ];
        assert_eq!(block(&choice, Style::PLAIN), expected);
    }
}
