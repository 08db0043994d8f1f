//! The live tree: a board that fits the terminal.

use super::{
    Style,
    board::{Board, Row, State},
    clip, count,
};
use std::collections::BTreeMap;

/// What a tree is drawn with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Columns of the terminal.
    pub(crate) width: usize,
    /// Lines that the tree may take.
    pub(crate) height: usize,
    /// Counts the drawings, for what moves.
    pub(crate) tick: usize,
    pub(crate) style: Style,
}

const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Draws the board under a heading: in full where that fits, otherwise with ever more of it summed up.
/// It is never taller or wider than the frame.
pub(crate) fn tree(heading: &str, board: &Board, frame: Frame) -> Vec<String> {
    let room = frame.height.saturating_sub(1);
    let levels = [Level::Full, Level::WithoutDone, Level::Interesting, Level::Hosts];
    let mut lines = vec![clip(heading, frame.width).into_owned()];
    let fitting = levels.into_iter().map(|level| draw(board, level, frame)).find(|lines| lines.len() <= room);
    lines.extend(fitting.unwrap_or_else(|| some_hosts(board, room, frame)));
    lines.truncate(frame.height);
    lines
}

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Full,
    /// What is done is counted.
    WithoutDone,
    /// What waits is counted, too.
    Interesting,
    /// A line per host.
    Hosts,
}

impl Level {
    fn counts(self, state: State) -> bool {
        match self {
            Self::Full => false,
            Self::WithoutDone => state == State::Done,
            Self::Interesting => matches!(state, State::Done | State::Waiting | State::Cancelled),
            Self::Hosts => true,
        }
    }
}

fn draw(board: &Board, level: Level, frame: Frame) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, (host, rows)) in board.hosts.iter().enumerate() {
        let last = index + 1 == board.hosts.len();
        let (branch, trunk) = if last { ("└─", "  ") } else { ("├─", "│ ") };
        if level == Level::Hosts {
            lines.push(host_line(branch, host.as_str(), rows, frame));
            continue;
        }
        lines.push(format!("{branch} {}", frame.style.bold(&clip(host.as_str(), frame.width.saturating_sub(3)))));
        let names = rows.iter().map(|row| super::width(&row.name)).max().unwrap_or(0).min(frame.width / 3);
        let (counted, shown): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| level.counts(row.state));
        lines.extend(shown.into_iter().map(|row| row_line(trunk, row, names, frame)));
        if !counted.is_empty() {
            lines.push(format!("{trunk}   {}", clip(&summary(&counted), frame.width.saturating_sub(5))));
        }
    }
    lines
}

fn row_line(trunk: &str, row: &Row, names: usize, frame: Frame) -> String {
    let name = super::pad(&clip(&row.name, names), names);
    let text = format!("{name}  {} {}", row.what, row.detail);
    let text = clip(text.trim_end(), frame.width.saturating_sub(5)).into_owned();
    let text = match row.state {
        State::Waiting | State::Cancelled => frame.style.dim(&text),
        _ => text,
    };
    format!("{trunk} {} {text}", mark(row.state, frame))
}

fn mark(state: State, frame: Frame) -> String {
    let style = frame.style;
    match state {
        State::Failed => style.red("✗"),
        State::Active => style.cyan(&SPINNER[frame.tick % SPINNER.len()].to_string()),
        State::Waiting => "·".to_owned(),
        State::Cancelled => "-".to_owned(),
        State::Done => style.green("✓"),
    }
}

fn host_line(branch: &str, host: &str, rows: &[Row], frame: Frame) -> String {
    let rows: Vec<&Row> = rows.iter().collect();
    clip(&format!("{branch} {host}  {}", summary(&rows)), frame.width).into_owned()
}

/// The hosts with the most to tell, and the rest in one line.
fn some_hosts(board: &Board, room: usize, frame: Frame) -> Vec<String> {
    let mut hosts: Vec<_> = board.hosts.iter().collect();
    let urgency = |rows: &[Row]| rows.iter().map(|row| row.state).min().unwrap_or(State::Done);
    hosts.sort_by_key(|(_, rows)| urgency(rows));
    let (shown, rest) = hosts.split_at(room.saturating_sub(1).min(hosts.len()));
    let mut lines: Vec<String> = shown.iter().map(|(host, rows)| host_line("├─", host.as_str(), rows, frame)).collect();
    let others: Vec<&Row> = rest.iter().flat_map(|(_, rows)| rows).collect();
    let line = format!("└─ {}  {}", count(rest.len(), "more host"), summary(&others));
    lines.push(clip(&line, frame.width).into_owned());
    lines.truncate(room);
    lines
}

/// `1 failed, 2 pulling, 7 queued, 5 running`.
fn summary(rows: &[&Row]) -> String {
    let mut counts: BTreeMap<(State, &str), usize> = BTreeMap::new();
    for row in rows {
        *counts.entry((row.state, word(row))).or_default() += 1;
    }
    let words: Vec<String> = counts.into_iter().map(|((_, word), count)| format!("{count} {word}")).collect();
    words.join(", ")
}

/// The first word of what a row does.
fn word(row: &Row) -> &str {
    match row.state {
        State::Failed => "failed",
        State::Waiting => "queued",
        State::Cancelled => "not done",
        State::Active | State::Done => row.what.split([' ', ',']).next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use graphium_core::id::HostId;

    fn row(name: &str, state: State, what: &str, detail: &str) -> Row {
        Row { name: name.into(), state, what: what.into(), detail: detail.into(), is_minor: false }
    }

    fn board(hosts: usize, rows: &[Row]) -> Board {
        Board { hosts: (1..=hosts).map(|n| (HostId::new(format!("vm{n}")), rows.to_vec())).collect() }
    }

    fn frame(width: usize, height: usize) -> Frame {
        Frame { width, height, tick: 0, style: Style::PLAIN }
    }

    fn some_rows() -> Vec<Row> {
        vec![
            row("db", State::Done, "running", ""),
            row("cache", State::Done, "running", ""),
            row("api", State::Active, "pulling web:1", "3.2 / 12.0 MB"),
            row("web", State::Waiting, "queued, waiting for `api`", ""),
        ]
    }

    #[test]
    fn everything_is_shown_where_it_fits() {
        let lines = tree("shop: deploying", &board(2, &some_rows()), frame(80, 24));
        let expected = [
            "shop: deploying",
            "├─ vm1",
            "│  ✓ db     running",
            "│  ✓ cache  running",
            "│  ⠋ api    pulling web:1 3.2 / 12.0 MB",
            "│  · web    queued, waiting for `api`",
            "└─ vm2",
        ];
        assert_eq!(lines[..7], expected);
        assert_eq!(lines[7], "   ✓ db     running");
    }

    #[test]
    fn what_does_not_fit_is_summed_up() {
        let board = board(2, &some_rows());
        assert_eq!(
            tree("h", &board, frame(80, 9))[..5],
            [
                "h",
                "├─ vm1",
                "│  ⠋ api    pulling web:1 3.2 / 12.0 MB",
                "│  · web    queued, waiting for `api`",
                "│    2 running"
            ]
        );
        let lines = tree("h", &board, frame(80, 7));
        assert_eq!(lines[..4], ["h", "├─ vm1", "│  ⠋ api    pulling web:1 3.2 / 12.0 MB", "│    1 queued, 2 running"]);
        assert_eq!(tree("h", &board, frame(80, 3))[2], "└─ vm2  1 pulling, 1 queued, 2 running");
        assert_eq!(tree("h", &board, frame(80, 2)), ["h", "└─ 2 more hosts  2 pulling, 2 queued, 4 running"]);
    }

    #[test]
    fn hosts_with_failures_come_first_where_not_all_have_room() {
        let mut board = board(50, &some_rows());
        board.hosts[30].1.push(row("bad", State::Failed, "failed: no such image", ""));
        let lines = tree("h", &board, frame(60, 5));
        assert!(lines[1].starts_with("├─ vm31  1 failed"), "{lines:?}");
        assert!(lines[4].starts_with("└─ 47 more hosts"), "{lines:?}");
    }

    #[test]
    fn it_is_never_larger_than_the_terminal() {
        let long =
            row("a-container-with-a-long-name", State::Waiting, "queued, waiting for the end of the world", "(3m ago)");
        for hosts in [0, 1, 2, 7, 60] {
            let board = board(hosts, &[some_rows(), vec![long.clone(); 9]].concat());
            for (width, height) in [(0, 0), (1, 1), (10, 2), (20, 5), (80, 24), (200, 60), (5, 1000)] {
                let lines = tree("heading of some length", &board, frame(width, height));
                assert!(lines.len() <= height, "{hosts} hosts in {height} lines");
                let widest = lines.iter().map(|line| crate::render::width(line)).max().unwrap_or(0);
                assert!(widest <= width.max(5), "{widest} of {width}");
            }
        }
    }
}
