//! Containers that wait for each other in a circle.

use super::{Code, ContainerDraft, Node, Reader, ResolvedWait};
use petgraph::{algo::kosaraju_scc, graph::DiGraph};
use std::collections::{HashMap, HashSet, VecDeque, hash_map::Entry};

/// So many circles are told of one document.
const TOLD: usize = 20;
/// So many containers are named of a circle.
const NAMED: usize = 20;

/// Tells circles until none is left, each by a dependency that it marks: without those that are marked there is none.
pub(super) fn refuse(reader: &mut Reader<'_>, drafts: &[ContainerDraft<'_>], waits: &[Vec<ResolvedWait<'_>>]) {
    let mut edges: Vec<(u32, u32)> = waits
        .iter()
        .enumerate()
        .flat_map(|(from, waits)| waits.iter().map(move |wait| (from as u32, wait.on as u32)))
        .collect();
    let mut told = 0;
    loop {
        let knots = knots(&edges);
        if knots.is_empty() {
            return;
        }
        // Only what lies within a knot can be part of a circle.
        let knot_of: HashMap<u32, usize> = knots
            .iter()
            .enumerate()
            .flat_map(|(number, knot)| knot.iter().map(move |container| (*container, number)))
            .collect();
        edges.retain(|(from, on)| knot_of.contains_key(from) && knot_of.get(from) == knot_of.get(on));
        let mut next: HashMap<u32, Vec<u32>> = HashMap::new();
        for (from, on) in &edges {
            next.entry(*from).or_default().push(*on);
        }
        let mut marked = HashSet::new();
        for knot in &knots {
            let path = shortest(knot, &next);
            let (Some(first), Some(second)) = (path.first(), path.get(1)) else { return };
            if told == TOLD {
                return more(reader, drafts, waits, (*first, *second));
            }
            told += 1;
            tell(reader, drafts, waits, &path);
            marked.insert((*first, *second));
        }
        edges.retain(|edge| !marked.contains(edge));
    }
}

/// Containers that can be reached from each other, by number.
fn knots(edges: &[(u32, u32)]) -> Vec<Vec<u32>> {
    let graph = DiGraph::<(), ()>::from_edges(edges);
    let mut knots: Vec<Vec<u32>> = kosaraju_scc(&graph)
        .into_iter()
        .filter(|knot| knot.len() > 1 || knot.iter().any(|node| graph.contains_edge(*node, *node)))
        .map(|knot| {
            let mut knot: Vec<u32> = knot.into_iter().map(|node| node.index() as u32).collect();
            knot.sort_unstable();
            knot
        })
        .collect();
    knots.sort();
    knots
}

/// Where a container says that it waits for another.
fn place<'d>(waits: &[Vec<ResolvedWait<'d>>], (from, on): (u32, u32)) -> Option<Node<'d>> {
    waits.get(from as usize)?.iter().find(|wait| wait.on == on as usize).map(|wait| wait.node)
}

fn tell(reader: &mut Reader<'_>, drafts: &[ContainerDraft<'_>], waits: &[Vec<ResolvedWait<'_>>], path: &[u32]) {
    let [first, second, ..] = *path else { return };
    let Some(place) = place(waits, (first, second)) else { return };
    let name = |number: &u32| {
        drafts.get(*number as usize).map(|draft| format!("`{}`", draft.container.name)).unwrap_or_default()
    };
    let message = match path.len() {
        2 => format!("container {} waits for itself", name(&first)),
        length => {
            let names: Vec<String> = path.iter().take(NAMED).map(name).collect();
            let more = length.saturating_sub(NAMED);
            let more = if more > 0 { format!(" → … ({more} more)") } else { String::new() };
            format!("containers wait for each other in a circle: {}{more}", names.join(" → "))
        }
    };
    reader.error(Code::DependencyCycle, place, message, "remove one of these dependencies");
}

fn more(
    reader: &mut Reader<'_>,
    drafts: &[ContainerDraft<'_>],
    waits: &[Vec<ResolvedWait<'_>>],
    (first, second): (u32, u32),
) {
    let name = |number: u32| drafts.get(number as usize).map_or("", |draft| draft.container.name.as_str());
    let Some(place) = place(waits, (first, second)) else { return };
    let message =
        format!("containers wait for each other in more circles, `{}` and `{}` in one", name(first), name(second));
    reader.error(Code::DependencyCycle, place, message, "mend those circles first");
}

/// A shortest circle through the first container of a knot, its end written again.
fn shortest(knot: &[u32], next: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
    let Some(start) = knot.first().copied() else { return Vec::new() };
    let mut came_from: HashMap<u32, u32> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &on in next.get(&at).into_iter().flatten() {
            if on == start {
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
            if let Entry::Vacant(entry) = came_from.entry(on) {
                entry.insert(at);
                queue.push_back(on);
            }
        }
    }
    Vec::new()
}
