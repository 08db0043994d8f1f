//! What changed between two looks at a board, a line each: for pipes and logs.

use super::board::{Board, Row};
use graphium_core::id::HostId;
use std::collections::HashMap;

/// Remembers what was told.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    told: HashMap<(HostId, String), String>,
}

impl Changes {
    /// A line for each row that says something else than before. Bytes and times alone are no change.
    pub(crate) fn since_last(&mut self, board: &Board) -> Vec<String> {
        let rows = board.hosts.iter().flat_map(|(host, rows)| rows.iter().map(move |row| (host, row)));
        rows.filter(|(_, row)| !row.is_minor).filter_map(|(host, row)| self.tell(host, row)).collect()
    }

    fn tell(&mut self, host: &HostId, row: &Row) -> Option<String> {
        let key = (host.clone(), row.name.clone());
        if self.told.get(&key).is_some_and(|told| *told == row.what) {
            return None;
        }
        self.told.insert(key, row.what.clone());
        Some(format!("{host}  {}  {} {}", row.name, row.what, row.detail).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::board::State;

    fn board(what: &str, detail: &str) -> Board {
        let row =
            Row { name: "web".into(), state: State::Active, what: what.into(), detail: detail.into(), is_minor: false };
        Board { hosts: vec![(HostId::new("vm1"), vec![row])] }
    }

    #[test]
    fn a_change_is_told_once_and_bytes_are_none() {
        let mut changes = Changes::default();
        assert_eq!(
            changes.since_last(&board("pulling web:1", "0.0 / 1.4 MB")),
            ["vm1  web  pulling web:1 0.0 / 1.4 MB"]
        );
        assert!(changes.since_last(&board("pulling web:1", "1.4 / 1.4 MB")).is_empty());
        assert_eq!(changes.since_last(&board("running", "")), ["vm1  web  running"]);
    }
}
