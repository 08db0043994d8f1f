//! Containers that wait for each other in a circle.

use super::{Code, ContainerDraft, Reader, ResolvedWait};
use petgraph::{
    algo::kosaraju_scc,
    graph::{DiGraph, NodeIndex},
};
use std::collections::{HashMap, VecDeque};

/// Says of every knot of circles one shortest circle, with its whole path.
pub(super) fn refuse(reader: &mut Reader<'_>, drafts: &[ContainerDraft<'_>], waits: &[Vec<ResolvedWait<'_>>]) {
    let edges =
        waits.iter().enumerate().flat_map(|(from, waits)| waits.iter().map(move |wait| (from as u32, wait.on as u32)));
    let graph = DiGraph::<(), ()>::from_edges(edges);
    let mut knots: Vec<Vec<usize>> = kosaraju_scc(&graph)
        .into_iter()
        .filter(|knot| knot.len() > 1 || knot.iter().any(|node| graph.contains_edge(*node, *node)))
        .map(|knot| {
            let mut knot: Vec<usize> = knot.into_iter().map(NodeIndex::index).collect();
            knot.sort_unstable();
            knot
        })
        .collect();
    knots.sort();
    for knot in knots {
        let path = shortest(&knot, waits);
        let (Some(first), Some(second)) = (path.first(), path.get(1)) else { continue };
        let name =
            |number: &usize| drafts.get(*number).map(|draft| format!("`{}`", draft.container.name)).unwrap_or_default();
        let names: Vec<String> = path.iter().map(name).collect();
        let place =
            waits.get(*first).and_then(|waits| waits.iter().find(|wait| wait.on == *second)).map(|wait| wait.node);
        let Some(place) = place else { continue };
        let message = match path.len() {
            2 => format!("container {} waits for itself", name(first)),
            _ => format!("containers wait for each other in a circle: {}", names.join(" → ")),
        };
        reader.error(Code::DependencyCycle, place, message, "remove one of these dependencies");
    }
}

/// A shortest circle through the first container of a knot, its end written again.
fn shortest(knot: &[usize], waits: &[Vec<ResolvedWait<'_>>]) -> Vec<usize> {
    let Some(start) = knot.first().copied() else { return Vec::new() };
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for wait in waits.get(at).into_iter().flatten() {
            if wait.on == start {
                // Back along the way that was taken, then the end that closes the circle.
                let mut path = vec![start];
                let mut step = at;
                while step != start {
                    path.push(step);
                    step = came_from.get(&step).copied().unwrap_or(start);
                }
                path.push(start);
                path.reverse();
                return path;
            }
            if knot.binary_search(&wait.on).is_ok() && !came_from.contains_key(&wait.on) {
                came_from.insert(wait.on, at);
                queue.push_back(wait.on);
            }
        }
    }
    Vec::new()
}
