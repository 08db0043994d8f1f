//! Reports on their way.

use super::Key;
use crate::task::{Lease, Outcome};
use std::sync::Arc;

/// Reports that were not acknowledged yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    reports: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    report: Arc<(Lease, Outcome)>,
    in_flight: bool,
}

impl Outbox {
    pub(super) fn new(reports: Vec<(Lease, Outcome)>) -> Self {
        let mut outbox = Self::default();
        for (lease, outcome) in reports {
            outbox.add(lease, outcome);
        }
        outbox
    }

    pub(super) fn add(&mut self, lease: Lease, outcome: Outcome) {
        self.reports.push(Entry { key: Key::of(&lease), report: Arc::new((lease, outcome)), in_flight: false });
    }

    /// Those that are not on their way already.
    pub(super) fn departing(&mut self) -> impl Iterator<Item = (Key, Arc<(Lease, Outcome)>)> {
        self.reports.iter_mut().filter(|entry| !entry.in_flight).map(|entry| {
            entry.in_flight = true;
            (entry.key.clone(), Arc::clone(&entry.report))
        })
    }

    pub(super) fn failed(&mut self, key: &Key) {
        for entry in self.reports.iter_mut().filter(|entry| entry.key == *key) {
            entry.in_flight = false;
        }
    }

    pub(super) fn forget(&mut self, key: &Key) {
        self.reports.retain(|entry| entry.key != *key);
    }

    pub(super) fn holds(&self, key: &Key) -> bool {
        self.reports.iter().any(|entry| entry.key == *key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    pub(super) fn all(&self) -> Vec<(Lease, Outcome)> {
        self.reports.iter().map(|entry| (*entry.report).clone()).collect()
    }
}
