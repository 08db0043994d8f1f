//! What comes before what: dependencies between numbered things, and an order that respects them.

use crate::stack::Condition;
use std::{cmp::Reverse, collections::BinaryHeap};

/// An edge to something that comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// What comes first.
    pub(super) on: usize,
    /// How far it must have come.
    pub(super) condition: Condition,
}

/// The dependencies of things numbered from 0, all in one vector.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    edges: Vec<Edge>,
    ends: Vec<usize>,
}

/// An order of a [`Graph`]'s things, and the circles that stand against it.
#[derive(Debug)]
pub(super) struct Sorted {
    /// Everything, dependencies first as far as that is possible; ties by number.
    pub(super) order: Vec<usize>,
    /// Circles: each depends on the next, and the last on the first.
    pub(super) circles: Vec<Vec<usize>>,
}

impl Graph {
    pub(super) fn with_capacity(things: usize) -> Self {
        Self { edges: Vec::with_capacity(things * 2), ends: Vec::with_capacity(things) }
    }

    /// Adds a dependency to the thing that [`close`](Self::close) ends; said twice, it counts once.
    pub(super) fn depend(&mut self, edge: Edge) {
        let open = self.ends.last().copied().unwrap_or(0);
        if !self.edges[open..].contains(&edge) {
            self.edges.push(edge);
        }
    }

    /// Ends the thing that comes next.
    pub(super) fn close(&mut self) {
        self.ends.push(self.edges.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// What must come before a thing.
    pub(super) fn dependencies(&self, thing: usize) -> &[Edge] {
        let start = if thing == 0 { 0 } else { self.ends[thing - 1] };
        &self.edges[start..self.ends[thing]]
    }

    /// Sorts; what is part of a circle, or waits for one, comes last.
    pub(super) fn sort(&self) -> Sorted {
        let count = self.len();
        if (0..count).all(|thing| self.dependencies(thing).iter().all(|edge| edge.on < thing)) {
            return Sorted { order: (0..count).collect(), circles: Vec::new() };
        }
        let dependants = self.dependants();
        let mut waiting: Vec<usize> = (0..count).map(|thing| self.dependencies(thing).len()).collect();
        let mut ready: BinaryHeap<Reverse<usize>> =
            (0..count).filter(|&thing| waiting[thing] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(count);
        while let Some(Reverse(thing)) = ready.pop() {
            order.push(thing);
            for dependant in dependants.dependencies(thing) {
                waiting[dependant.on] -= 1;
                if waiting[dependant.on] == 0 {
                    ready.push(Reverse(dependant.on));
                }
            }
        }
        if order.len() == count {
            return Sorted { order, circles: Vec::new() };
        }
        let stuck: Vec<bool> = waiting.iter().map(|&left| left > 0).collect();
        order.extend((0..count).filter(|&thing| stuck[thing]));
        Sorted { order, circles: self.circles(&stuck) }
    }

    /// The same without the edges that go against an order.
    pub(super) fn following(&self, order: &[usize]) -> Self {
        let mut position = vec![0; self.len()];
        for (place, &thing) in order.iter().enumerate() {
            position[thing] = place;
        }
        let mut kept = Self::with_capacity(self.len());
        for thing in 0..self.len() {
            for edge in self.dependencies(thing) {
                if position[edge.on] < position[thing] {
                    kept.depend(*edge);
                }
            }
            kept.close();
        }
        kept
    }

    /// The same graph the other way round: who waits for a thing.
    pub(super) fn dependants(&self) -> Self {
        let mut starts = vec![0; self.len() + 1];
        for edge in &self.edges {
            starts[edge.on + 1] += 1;
        }
        for thing in 1..starts.len() {
            starts[thing] += starts[thing - 1];
        }
        let mut next = starts.clone();
        let mut edges = vec![Edge { on: 0, condition: Condition::Started }; self.edges.len()];
        for thing in 0..self.len() {
            for edge in self.dependencies(thing) {
                edges[next[edge.on]] = Edge { on: thing, condition: edge.condition };
                next[edge.on] += 1;
            }
        }
        starts.remove(0);
        Self { edges, ends: starts }
    }

    /// One circle for every group of stuck things that has none in common with another.
    fn circles(&self, stuck: &[bool]) -> Vec<Vec<usize>> {
        let mut walked = vec![usize::MAX; self.len()];
        let mut circles = Vec::new();
        for start in (0..self.len()).filter(|&thing| stuck[thing]) {
            let mut path = Vec::new();
            let mut at = Some(start);
            while let Some(thing) = at {
                if walked[thing] == start {
                    circles.push(path.split_off(path.iter().position(|&seen| seen == thing).unwrap_or(0)));
                    break;
                }
                if walked[thing] != usize::MAX {
                    break;
                }
                walked[thing] = start;
                path.push(thing);
                // Everything stuck waits for something stuck, so the walk ends in a circle.
                at = self.dependencies(thing).iter().map(|edge| edge.on).find(|&on| stuck[on]);
            }
        }
        circles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(dependencies: &[&[usize]]) -> Graph {
        let mut graph = Graph::default();
        for thing in dependencies {
            thing.iter().for_each(|&on| graph.depend(Edge { on, condition: Condition::Started }));
            graph.close();
        }
        graph
    }

    #[test]
    fn what_others_wait_for_comes_first_and_ties_keep_their_order() {
        let sorted = graph(&[&[2], &[], &[3], &[]]).sort();
        assert_eq!(sorted.order, [1, 3, 2, 0]);
        assert!(sorted.circles.is_empty());
    }

    #[test]
    fn every_circle_is_found_once_with_its_whole_path() {
        let sorted = graph(&[&[1], &[2], &[0], &[0], &[4], &[]]).sort();
        assert_eq!(sorted.circles, [vec![0, 1, 2], vec![4]]);
        assert_eq!(sorted.order, [5, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_waits_for_itself_is_a_circle_and_does_not_once_an_order_is_followed() {
        let own = graph(&[&[0]]);
        let sorted = own.sort();
        assert_eq!(sorted.circles, [vec![0]]);
        assert!(own.following(&sorted.order).dependencies(0).is_empty());
    }

    #[test]
    fn edges_against_an_order_can_be_left_out() {
        let circular = graph(&[&[1], &[0]]);
        let open = circular.following(&circular.sort().order);
        assert!(open.dependencies(0).is_empty());
        assert_eq!(open.dependencies(1).len(), 1);
    }
}
