//! What the log says up to a place, in memory: what readers are answered from.

use super::{
    entry::{Entry, Gone, Written},
    marks::Marks,
};
use graphium_core::{
    event::Event,
    id::{ClaimId, DeploymentId, HostId, TaskId},
    store::{
        Key, Page, Record, RecordQuery, Session, TaskQuery,
        ledger::{Ended, Ledger, Work},
    },
    task::Task,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    ops::Bound,
    sync::Arc,
};

/// Entries that are kept in memory: those who follow the events are answered from them.
const RECENT: usize = 4096;

/// Claims of a host that are remembered, as the ledger does.
const CLAIMS: usize = 64;

/// Everything that is in force.
#[derive(Debug)]
pub(super) struct Book {
    /// Rises when it is begun anew: what was made of an earlier one does not hold.
    pub(super) generation: u64,
    /// The place of the next entry.
    pub(super) next: u64,
    /// The nonce of the last one.
    pub(super) tip: String,
    pub(super) last_event: u64,
    /// Events up to this number were let go of.
    pub(super) events_gone: u64,
    /// How old events are.
    pub(super) marks: Marks,
    records: BTreeMap<Key, Record>,
    tasks: BTreeMap<TaskId, Arc<Task>>,
    /// Tasks of a deployment, in the order in which they were submitted.
    deployments: HashMap<DeploymentId, Vec<TaskId>>,
    /// Work of which something has not ended, and how much.
    open: HashMap<Work, usize>,
    sessions: BTreeMap<HostId, Session>,
    claims: HashMap<HostId, VecDeque<ClaimId>>,
    /// What an idempotency key led to, and when.
    submissions: HashMap<String, (Timestamp, Vec<Key>)>,
    /// The newest entries, without a gap.
    recent: VecDeque<Arc<Entry>>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            generation: 0,
            next: 1,
            tip: String::new(),
            last_event: 0,
            events_gone: 0,
            marks: Marks::default(),
            records: BTreeMap::new(),
            tasks: BTreeMap::new(),
            deployments: HashMap::new(),
            open: HashMap::new(),
            sessions: BTreeMap::new(),
            claims: HashMap::new(),
            submissions: HashMap::new(),
            recent: VecDeque::new(),
        }
    }
}

/// How far a book goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stand {
    /// Of the book.
    pub(super) generation: u64,
    /// The place of the next entry.
    pub(super) next: u64,
    /// The nonce of the last one.
    pub(super) tip: String,
    pub(super) last_event: u64,
}

/// Something that the book holds, as a snapshot has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Record(Record),
    Task(Arc<Task>),
    Session(Session),
    Claims(HostId, VecDeque<ClaimId>),
    Submission(String, Timestamp, Vec<Key>),
    /// Events up to this number are gone; the ages of those that are left.
    Events(u64, Marks),
}

/// A book as it was at a place.
#[derive(Debug)]
pub(super) struct Image {
    /// The place of the next entry.
    pub(super) place: u64,
    /// The nonce of the last one.
    pub(super) tip: String,
    pub(super) last_event: u64,
    pub(super) lines: Vec<Line>,
}

impl Book {
    pub(super) fn stand(&self) -> Stand {
        let Self { generation, next, last_event, .. } = *self;
        Stand { generation, next, tip: self.tip.clone(), last_event }
    }

    /// Whether it has another entry where this one ends.
    pub(super) fn is_other(&self, stand: &Stand) -> bool {
        let entries = self.since(stand.next - 1).unwrap_or_default();
        entries.first().is_some_and(|entry| entry.nonce != stand.tip)
    }

    pub(super) fn image(&self) -> Image {
        let parts = self.deployments.values().flatten().filter_map(|id| self.tasks.get(id));
        let single = self.tasks.values().filter(|task| task.deployment_id.is_none());
        let mut lines: Vec<Line> = parts.chain(single).cloned().map(Line::Task).collect();
        lines.extend(self.records.values().cloned().map(Line::Record));
        lines.extend(self.sessions.values().cloned().map(Line::Session));
        lines.extend(self.claims.iter().map(|(host, claims)| Line::Claims(host.clone(), claims.clone())));
        let submissions = self.submissions.iter();
        lines.extend(submissions.map(|(key, (at, keys))| Line::Submission(key.clone(), *at, keys.clone())));
        lines.push(Line::Events(self.events_gone, self.marks.clone()));
        Image { place: self.next, tip: self.tip.clone(), last_event: self.last_event, lines }
    }

    /// Fills an empty one with what an image has.
    pub(super) fn restore(&mut self, image: Image) {
        for line in image.lines {
            match line {
                Line::Record(record) => drop(self.records.insert(record.key.clone(), record)),
                Line::Task(task) => self.put_task(task),
                Line::Session(session) => drop(self.sessions.insert(session.host.clone(), session)),
                Line::Claims(host, claims) => drop(self.claims.insert(host, claims)),
                Line::Submission(key, at, keys) => drop(self.submissions.insert(key, (at, keys))),
                Line::Events(gone, marks) => (self.events_gone, self.marks) = (gone, marks),
            }
        }
        (self.next, self.tip, self.last_event) = (image.place, image.tip, image.last_event);
    }

    /// An empty one that takes the place of another.
    pub(super) fn after(other: &Self) -> Self {
        Self { generation: other.generation + 1, ..Self::default() }
    }

    /// Takes in the next entry. One of another place changes nothing.
    pub(super) fn apply(&mut self, entry: Arc<Entry>) {
        if entry.place != self.next {
            return;
        }
        self.next += 1;
        self.tip.clone_from(&entry.nonce);
        if let Some(event) = entry.body.events.last() {
            self.last_event = event.seq;
            self.marks.add(event.timestamp, event.seq);
        }
        self.let_go(&entry.body.gone);
        for written in &entry.body.records {
            match written {
                Written::Put(record) => self.records.insert(record.key.clone(), record.clone()),
                Written::Removed(key) => self.records.remove(key),
            };
        }
        for task in &entry.body.tasks {
            self.put_task(Arc::clone(task));
        }
        for (host, claim) in &entry.body.claims {
            self.remember_grant(host, claim);
        }
        self.sessions.extend(entry.body.sessions.iter().map(|session| (session.host.clone(), session.clone())));
        let submissions = entry.body.submissions.iter();
        self.submissions.extend(submissions.map(|(key, at, keys)| (key.clone(), (*at, keys.clone()))));
        self.recent.push_back(entry);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    fn let_go(&mut self, gone: &Gone) {
        for work in &gone.works {
            match work {
                Work::Deployment(id) => {
                    for id in self.deployments.remove(id).unwrap_or_default() {
                        self.tasks.remove(&id);
                    }
                }
                Work::Task(id) => drop(self.tasks.remove(id)),
            }
        }
        if let Some(number) = gone.events_to {
            self.events_gone = self.events_gone.max(number);
            self.marks.let_go(self.events_gone);
        }
        if let Some(time) = gone.keys_before {
            self.submissions.retain(|_, (at, _)| *at >= time);
        }
    }

    fn remember_grant(&mut self, host: &HostId, claim: &ClaimId) {
        let claims = self.claims.entry(host.clone()).or_default();
        if !claims.contains(claim) {
            claims.push_back(claim.clone());
            claims.drain(..claims.len().saturating_sub(CLAIMS));
        }
    }

    fn put_task(&mut self, task: Arc<Task>) {
        if let Some(lease) = &task.lease {
            self.remember_grant(&task.host_id, &lease.claim);
        }
        let work = Work::of(&task);
        let is_open = !task.status.is_terminal();
        let before = self.tasks.insert(task.id.clone(), Arc::clone(&task));
        let was_open = before.as_ref().is_some_and(|before| !before.status.is_terminal());
        if let (None, Some(deployment)) = (&before, &task.deployment_id) {
            self.deployments.entry(deployment.clone()).or_default().push(task.id.clone());
        }
        match (was_open, is_open) {
            (false, true) => *self.open.entry(work).or_default() += 1,
            (true, false) => {
                let left = self.open.get_mut(&work).map(|count| {
                    *count -= 1;
                    *count
                });
                if left == Some(0) {
                    self.open.remove(&work);
                }
            }
            _ => {}
        }
    }

    /// A ledger of all work that has not ended.
    pub(super) fn ledger(&self, now: Timestamp, grace: Timestamp) -> Ledger {
        let mut ledger = Ledger::default();
        for session in self.sessions.values() {
            ledger.load_session(session.clone());
        }
        for (host, claims) in &self.claims {
            for claim in claims {
                ledger.remember_grant(host, claim);
            }
        }
        let deployments: HashSet<&DeploymentId> = self
            .open
            .keys()
            .filter_map(|work| match work {
                Work::Deployment(id) => Some(id),
                Work::Task(_) => None,
            })
            .collect();
        let mut tasks: Vec<Task> = deployments.into_iter().flat_map(|id| self.deployment(id)).collect();
        tasks.extend(self.open.keys().filter_map(|work| match work {
            Work::Task(id) => self.tasks.get(id).map(|task| Task::clone(task)),
            Work::Deployment(_) => None,
        }));
        ledger.load(tasks, now);
        ledger.grant_grace(grace);
        ledger
    }

    /// Hosts that have tasks which nobody has claimed.
    pub(super) fn hosts_with_work(&self) -> impl Iterator<Item = HostId> {
        let waiting = self.tasks.values().filter(|task| !task.status.is_terminal() && task.lease.is_none());
        waiting.map(|task| task.host_id.clone())
    }

    /// The tasks of a deployment, in the order in which they were submitted.
    fn deployment(&self, id: &DeploymentId) -> impl Iterator<Item = Task> {
        let ids = self.deployments.get(id).into_iter().flatten();
        ids.filter_map(|id| self.tasks.get(id)).map(|task| Task::clone(task))
    }

    /// The work that a task is part of, whole; nothing where there is no such task.
    pub(super) fn work_of(&self, id: &TaskId) -> Vec<Task> {
        match self.tasks.get(id).map(|task| (task, &task.deployment_id)) {
            Some((_, Some(deployment))) => self.deployment(deployment).collect(),
            Some((task, None)) => vec![Task::clone(task)],
            None => Vec::new(),
        }
    }

    /// The entries from a place on, if they are still in memory.
    pub(super) fn since(&self, place: u64) -> Option<Vec<Arc<Entry>>> {
        let first = self.next - self.recent.len() as u64;
        let skipped = usize::try_from(place.checked_sub(first)?).ok()?;
        Some(self.recent.iter().skip(skipped).map(Arc::clone).collect())
    }

    pub(super) fn submission(&self, key: &str) -> Option<&(Timestamp, Vec<Key>)> {
        self.submissions.get(key)
    }

    /// Whether there is an idempotency key from before a time.
    pub(super) fn has_keys_before(&self, time: Timestamp) -> bool {
        self.submissions.values().any(|(at, _)| *at < time)
    }

    /// How many tasks there are.
    pub(super) fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// Work of which everything has ended, in the order of the first task of each.
    pub(super) fn ended(&self) -> impl Iterator<Item = Ended> {
        let mut seen = HashSet::new();
        let works = self.tasks.values().map(|task| Work::of(task));
        let ended = works.filter(move |work| !self.open.contains_key(work) && seen.insert(work.clone()));
        ended.map(|work| {
            let ids = match &work {
                Work::Deployment(id) => self.deployments.get(id).map_or(&[][..], Vec::as_slice),
                Work::Task(id) => std::slice::from_ref(id),
            };
            let ends = ids.iter().filter_map(|id| self.tasks.get(id));
            let at = ends.map(|task| task.completed_at.unwrap_or(task.date_created)).max();
            Ended { at: at.unwrap_or(Timestamp::MIN), tasks: ids.len() as u64, work }
        })
    }

    pub(super) fn record(&self, key: &Key) -> Option<&Record> {
        self.records.get(key)
    }

    pub(super) fn records(&self, query: &RecordQuery) -> Page<Record> {
        let start = match &query.after {
            Some(after) => Bound::Excluded(Key::new(query.kind, after.as_str())),
            None => Bound::Included(Key::new(query.kind, "")),
        };
        let records = self
            .records
            .range((start, Bound::Unbounded))
            .map(|(_, record)| record)
            .take_while(|record| record.key.kind == query.kind)
            .filter(|record| query.selects(record));
        Page::cut(records.cloned(), query.page_size(), |record| record.key.id.clone())
    }

    pub(super) fn task(&self, id: &TaskId) -> Option<&Arc<Task>> {
        self.tasks.get(id)
    }

    pub(super) fn tasks(&self, query: &TaskQuery) -> Page<Task> {
        let id = |task: &Task| task.id.as_str().to_owned();
        if let Some(deployment) = &query.deployment {
            let mut ids: Vec<&TaskId> = self.deployments.get(deployment).into_iter().flatten().collect();
            ids.sort();
            let after = query.after.as_ref();
            let tasks = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after));
            let tasks = tasks.filter_map(|id| self.tasks.get(id)).filter(|task| query.selects(task));
            return Page::cut(tasks.map(|task| Task::clone(task)), query.page_size(), id);
        }
        let start = query.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let tasks = self.tasks.range::<TaskId, _>((start, Bound::Unbounded)).map(|(_, task)| task);
        Page::cut(tasks.filter(|task| query.selects(task)).map(|task| Task::clone(task)), query.page_size(), id)
    }

    /// The events above a number that are in memory; nothing where some of them are not.
    pub(super) fn events(&self, after: u64, limit: usize) -> Option<Vec<Event>> {
        if after >= self.last_event {
            return Some(Vec::new());
        }
        let first = self.recent.front().map_or(self.last_event + 1, |entry| entry.first_event);
        (first <= after.saturating_add(1)).then(|| {
            let start = self.recent.partition_point(|entry| entry.first_event <= after.saturating_add(1));
            let entries = self.recent.iter().skip(start.saturating_sub(1));
            let events = entries.flat_map(|entry| &entry.body.events).filter(|event| event.seq > after);
            events.take(limit).cloned().collect()
        })
    }
}
