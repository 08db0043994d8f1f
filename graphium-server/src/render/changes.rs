//! What changed between two looks at a board, a line each: for pipes and logs.

use super::board::{Board, Row, State};
use graphium_core::id::HostId;
use jiff::Timestamp;
use std::collections::HashMap;

/// Between two lines at least that differ in bytes alone.
const BYTES_EVERY: i64 = 10;

/// Remembers what was told.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    told: HashMap<(HostId, String), Told>,
}

#[derive(Debug)]
struct Told {
    what: String,
    detail: String,
    at: Timestamp,
}

impl Changes {
    /// A line for each row that says something else than before. Times alone are no change; bytes are one when they are the
    /// first, and now and then while they grow, so that a log tells a slow pull from a dead one.
    pub(crate) fn since_last(&mut self, board: &Board, now: Timestamp) -> Vec<String> {
        let rows = board.hosts.iter().flat_map(|(host, rows)| rows.iter().map(move |row| (host, row)));
        rows.filter(|(_, row)| !row.is_minor).filter_map(|(host, row)| self.tell(host, row, now)).collect()
    }

    fn tell(&mut self, host: &HostId, row: &Row, now: Timestamp) -> Option<String> {
        let key = (host.clone(), row.name.clone());
        if self.told.get(&key).is_some_and(|told| !told.is_old(row, now)) {
            return None;
        }
        self.told.insert(key, Told { what: row.what.clone(), detail: row.detail.clone(), at: now });
        Some(format!("{host}  {}  {} {}", row.name, row.what, row.detail).trim_end().to_owned())
    }
}

impl Told {
    /// Whether a row is to be told anew.
    fn is_old(&self, row: &Row, now: Timestamp) -> bool {
        let has_grown = row.state == State::Active && row.detail != self.detail;
        let is_due = self.detail.is_empty() || now.as_second() - self.at.as_second() >= BYTES_EVERY;
        self.what != row.what || (has_grown && is_due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(state: State, what: &str, detail: &str) -> Board {
        let row = Row { name: "web".into(), state, what: what.into(), detail: detail.into(), is_minor: false };
        Board { hosts: vec![(HostId::new("vm1"), vec![row])] }
    }

    /// What is told of a container over the seconds.
    fn told(looks: &[(i64, State, &str, &str)]) -> Vec<String> {
        let mut changes = Changes::default();
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let lines = looks
            .iter()
            .map(|(second, state, what, detail)| changes.since_last(&board(*state, what, detail), at(*second)));
        lines.collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_change_is_told_once_and_times_are_none() {
        let lines = told(&[
            (0, State::Waiting, "queued, waiting for host vm1", "(1s ago)"),
            (60, State::Waiting, "queued, waiting for host vm1", "(1m ago)"),
            (61, State::Done, "running", ""),
        ]);
        assert_eq!(lines, ["vm1  web  queued, waiting for host vm1 (1s ago)", "vm1  web  running"]);
    }

    #[test]
    fn a_slow_pull_tells_its_first_bytes_and_more_now_and_then() {
        let pulling = |second, detail| (second, State::Active, "pulling web:1", detail);
        let lines = told(&[
            pulling(0, ""),
            pulling(1, "0.1 / 1.4 MB"),
            pulling(2, "0.2 / 1.4 MB"),
            pulling(11, "0.5 / 1.4 MB"),
            pulling(40, "0.5 / 1.4 MB"),
        ]);
        let expected = ["pulling web:1", "pulling web:1 0.1 / 1.4 MB", "pulling web:1 0.5 / 1.4 MB"];
        assert_eq!(lines, expected.map(|line| format!("vm1  web  {line}")));
    }
}
