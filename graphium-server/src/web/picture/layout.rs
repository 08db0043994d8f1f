//! Where everything is. Pure: the same containers in any order give the same picture.
//!
//! Layers go from left to right: a box stands to the right of all that it needs. Lanes go from top to bottom: one for each host;
//! where no line leads from one
//! to another they stand side by side. Where a lane has many boxes of one layer they stand in a block of several columns, about as wide as it is high.

use std::collections::{BTreeMap, BTreeSet};

/// How large things are, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) width: i32,
    pub(super) height: i32,
    /// Between two boxes of a block.
    pub(super) gap: i32,
    /// Between two layers.
    pub(super) between: i32,
    /// Above the boxes of a lane, for its name.
    pub(super) head: i32,
    pub(super) margin: i32,
}

/// Boxes with an image and a state.
pub(super) const LARGE: Size = Size { width: 190, height: 50, gap: 12, between: 56, head: 34, margin: 14 };
/// Boxes with a name, where there are many.
pub(super) const MEDIUM: Size = Size { width: 116, height: 30, gap: 8, between: 40, head: 32, margin: 13 };
/// Boxes of a shape and no words, where there are very many.
pub(super) const SMALL: Size = Size { width: 30, height: 22, gap: 4, between: 40, head: 30, margin: 12 };

/// How wide lanes side by side may be.
const WIDE: i32 = 980;

/// A box, and what it needs by number.
#[derive(Clone, Debug)]
pub(super) struct Node<'n> {
    pub(super) name: &'n str,
    pub(super) lane: &'n str,
    pub(super) needs: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) x: i32,
    pub(super) y: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

/// A line from what is needed to what needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) from: usize,
    pub(super) to: usize,
    /// As SVG writes it.
    pub(super) path: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: i32,
    pub(super) height: i32,
    /// By number of node.
    pub(super) places: Vec<Place>,
    pub(super) lanes: Vec<Lane>,
    pub(super) lines: Vec<Line>,
}

/// Lays the nodes out.
pub(super) fn layout(nodes: &[Node<'_>], size: Size) -> Layout {
    let layers = layers(nodes);
    let names: BTreeSet<&str> = nodes.iter().map(|node| node.lane).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let cells = cells(nodes, &layers, &names);
    let count = layers.iter().map(|layer| layer + 1).max().unwrap_or(0);

    // The columns of each layer, the rows of each lane.
    let mut columns = vec![1; count];
    for ((_, layer), members) in &cells {
        columns[*layer] = columns[*layer].max(columns_of(members.len()));
    }
    let mut rows = vec![1; names.len()];
    for ((lane, layer), members) in &cells {
        rows[*lane] = rows[*lane].max(members.len().div_ceil(columns[*layer]));
    }

    let step = |count: usize, length: i32| i32::try_from(count).unwrap_or(i32::MAX / 4096) * (length + size.gap);
    // Where the boxes of each layer begin, from the left edge of their lane.
    let mut left = Vec::with_capacity(count);
    let mut end = size.margin;
    for columns in &columns {
        left.push(end);
        end += step(*columns, size.width) - size.gap + size.between;
    }
    let lane_width = end - size.between + size.margin;
    let stays =
        |node: &Node<'_>| node.needs.iter().all(|&first| nodes.get(first).is_none_or(|first| first.lane == node.lane));
    let side_by_side = nodes.iter().all(stays);
    let mut lanes = Vec::with_capacity(names.len());
    let (mut x, mut y, mut width, mut below) = (size.margin, size.margin, 0, size.margin);
    for (name, rows) in names.iter().zip(&rows) {
        let height = size.head + step(*rows, size.height) - size.gap + size.margin;
        if !side_by_side || (x > size.margin && x + lane_width > WIDE) {
            (x, y) = (size.margin, below);
        }
        lanes.push(Lane { name: (*name).to_owned(), x, y, width: lane_width, height });
        x += lane_width + size.margin;
        (width, below) = (width.max(x), below.max(y + height + size.margin));
    }

    let mut places = vec![Place { x: 0, y: 0 }; nodes.len()];
    for ((lane, layer), members) in &cells {
        let columns = columns[*layer].min(columns_of(members.len()));
        for (number, node) in members.iter().enumerate() {
            places[*node] = Place {
                x: lanes[*lane].x + left[*layer] + step(number % columns, size.width),
                y: lanes[*lane].y + size.head + step(number / columns, size.height),
            };
        }
    }
    let lines = lines(nodes, &places, size);
    Layout { width, height: if names.is_empty() { 0 } else { below }, places, lanes, lines }
}

/// How wide a block of so many is.
fn columns_of(count: usize) -> usize {
    if count <= 4 {
        return 1;
    }
    // A box is about four times as wide as it is high: half as many columns as rows look square.
    (1..).find(|columns| columns * columns * 2 >= count).unwrap_or(1)
}

/// The longest way to each node from one that needs nothing. A circle, which no stack has, ends where it was entered.
fn layers(nodes: &[Node<'_>]) -> Vec<usize> {
    let mut layers = vec![0; nodes.len()];
    for _ in 0..nodes.len() {
        let mut moved = false;
        for (number, node) in nodes.iter().enumerate() {
            let needs = node.needs.iter().filter(|&&first| first < nodes.len() && first != number);
            let layer = needs.map(|&first| layers[first] + 1).max().unwrap_or(0).min(nodes.len() - 1);
            if layer > layers[number] {
                layers[number] = layer;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    layers
}

/// The nodes of each lane and layer, in an order with few crossings: each near to the middle of what it needs.
fn cells(nodes: &[Node<'_>], layers: &[usize], lanes: &[&str]) -> BTreeMap<(usize, usize), Vec<usize>> {
    let lane = |node: &Node<'_>| lanes.binary_search(&node.lane).unwrap_or(0);
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by(|&a, &b| (layers[a], nodes[a].name, a).cmp(&(layers[b], nodes[b].name, b)));
    // The rank of a node within its layer, in thousandths, so that layers of different sizes compare.
    let mut rank = vec![0_usize; nodes.len()];
    let mut cells: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for group in order.chunk_by(|&a, &b| layers[a] == layers[b]) {
        let mut group = group.to_vec();
        let middle = |number: usize| {
            let needs: Vec<usize> =
                nodes[number].needs.iter().filter(|&&first| first < nodes.len()).map(|&first| rank[first]).collect();
            if needs.is_empty() { 0 } else { needs.iter().sum::<usize>() / needs.len() }
        };
        group.sort_by_key(|&number| (lane(&nodes[number]), middle(number), natural(nodes[number].name)));
        for (place, &number) in group.iter().enumerate() {
            rank[number] = (place + 1) * 1000 / group.len();
            cells.entry((lane(&nodes[number]), layers[number])).or_default().push(number);
        }
    }
    cells
}

/// `web-2` comes before `web-10`.
fn natural(name: &str) -> (String, u64, String) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[stem.len()..].parse().unwrap_or(0);
    (stem.to_owned(), number, name.to_owned())
}

fn lines(nodes: &[Node<'_>], places: &[Place], size: Size) -> Vec<Line> {
    let mut lines = Vec::new();
    for (to, node) in nodes.iter().enumerate() {
        let needs: BTreeSet<usize> =
            node.needs.iter().copied().filter(|&from| from < nodes.len() && from != to).collect();
        for from in needs {
            let (start, end) = (places[from], places[to]);
            let (x1, y1) = (start.x + size.width, start.y + size.height / 2);
            let (x2, y2) = (end.x, end.y + size.height / 2);
            let bend = ((x2 - x1) / 2).clamp(18, 90);
            let path = format!("M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend);
            lines.push(Line { from, to, path });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes<'n>(texts: &[(&'n str, &'n str, &[usize])]) -> Vec<Node<'n>> {
        texts.iter().map(|(name, lane, needs)| Node { name, lane, needs: needs.to_vec() }).collect()
    }

    fn overlap(a: Place, b: Place, size: Size) -> bool {
        (a.x - b.x).abs() < size.width && (a.y - b.y).abs() < size.height
    }

    #[test]
    fn what_is_needed_stands_to_the_left_and_each_host_has_its_lane() {
        let three = nodes(&[("web", "vm2", &[1, 2]), ("api", "vm1", &[2]), ("db", "vm1", &[])]);
        let layout = layout(&three, LARGE);
        let [web, api, db] = layout.places[..] else { panic!("{:?}", layout.places) };
        assert!(db.x < api.x && api.x < web.x);
        assert_eq!(db.y, api.y, "one lane");
        assert!(web.y > api.y, "vm2 is below vm1");
        assert_eq!(layout.lanes.iter().map(|lane| lane.name.as_str()).collect::<Vec<_>>(), ["vm1", "vm2"]);
        assert_eq!(layout.lines.iter().map(|line| (line.from, line.to)).collect::<Vec<_>>(), [(1, 0), (2, 0), (2, 1)]);
        for (place, lane) in [(web, 1), (api, 0), (db, 0)] {
            let lane = &layout.lanes[lane];
            assert!(place.y >= lane.y && place.y + LARGE.height <= lane.y + lane.height);
            assert!(place.x + LARGE.width <= layout.width);
        }
    }

    #[test]
    fn a_hundred_fit_on_a_screen_and_none_covers_another() {
        let names: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
        let hosts = ["vm1", "vm2", "vm3"];
        let many: Vec<Node<'_>> = names
            .iter()
            .enumerate()
            .map(|(number, name)| Node {
                name,
                lane: hosts[number % 3],
                needs: if number < 40 { Vec::new() } else { vec![number % 40, (number * 7) % 40] },
            })
            .collect();
        let found = layout(&many, LARGE);
        for (a, first) in found.places.iter().enumerate() {
            for second in &found.places[a + 1..] {
                assert!(!overlap(*first, *second, LARGE), "{first:?} {second:?}");
            }
        }
        assert!(found.width < 2000 && found.height < 1800, "{} by {}", found.width, found.height);

        let mut turned: Vec<usize> = (0..100).collect();
        turned.reverse();
        let other: Vec<Node<'_>> = turned
            .iter()
            .map(|&number| Node {
                needs: many[number].needs.iter().map(|need| 99 - need).collect(),
                ..many[number].clone()
            })
            .collect();
        let other = layout(&other, LARGE);
        let back: Vec<Place> = other.places.iter().rev().copied().collect();
        assert_eq!(back, found.places, "the order in which they are told makes a difference");
    }

    #[test]
    fn a_thousand_are_laid_out_in_no_time_and_a_circle_does_not_hang() {
        let names: Vec<String> = (0..1000).map(|number| format!("c{number}")).collect();
        let chain = |number: usize| if number == 0 { Vec::new() } else { vec![number - 1] };
        let mut many: Vec<Node<'_>> =
            names.iter().enumerate().map(|(number, name)| Node { name, lane: "a", needs: chain(number) }).collect();
        let begun = std::time::Instant::now();
        assert_eq!(layout(&many, SMALL).places.len(), 1000);
        many[0].needs.push(999);
        layout(&many, SMALL);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
        assert_eq!(layout(&[], LARGE), Layout::default());
    }

    #[test]
    fn hosts_stand_side_by_side_where_no_line_leads_from_one_to_another() {
        let few =
            nodes(&[("a", "vm1", &[]), ("b", "vm2", &[]), ("c", "vm3", &[]), ("d", "vm4", &[]), ("e", "vm5", &[])]);
        let found = layout(&few, LARGE);
        assert_eq!(found.places[0].y, found.places[3].y);
        assert!(
            found.places[4].y > found.places[0].y && found.places[4].x == found.places[0].x,
            "the fifth has no room beside them"
        );
        assert!(found.width <= WIDE + LARGE.margin, "{}", found.width);
        for (place, lane) in found.places.iter().zip(&found.lanes) {
            assert!(place.x >= lane.x && place.x + LARGE.width <= lane.x + lane.width);
        }
    }

    #[test]
    fn numbers_count_as_numbers() {
        let few = nodes(&[("web-10", "a", &[]), ("web-2", "a", &[])]);
        let found = layout(&few, LARGE);
        assert!(found.places[1].y < found.places[0].y);
    }
}
