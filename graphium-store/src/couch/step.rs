//! Decides what a batch of commands changes, upon the book and a ledger.

use super::{
    book::Book,
    entry::{Body, Gone, Written},
};
use graphium_core::{
    event::{Event, NewEvent},
    id::{ClaimId, HostId, TaskId},
    store::{
        Acted, ClaimRequest, Key, Record, RecordWrite, Session, SessionRequest, StoreError, Submission, Submitted,
        event_for, key_twice,
        ledger::{Changes, Ledger, Work},
    },
    task::{Input, Lease, Task},
};
use indexmap::IndexMap;
use jiff::Timestamp;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// A batch on its way to become an entry.
pub(super) struct Step<'a> {
    pub(super) book: &'a Book,
    pub(super) ledger: &'a mut Ledger,
    /// Hosts that have something to do by what other servers have stored: told once, by whoever asks what has run out.
    ready: &'a mut BTreeSet<HostId>,
    pub(super) records: IndexMap<Key, Written>,
    pub(super) tasks: IndexMap<TaskId, Arc<Task>>,
    sessions: IndexMap<HostId, Session>,
    /// Claims that were granted something.
    claims: Vec<(HostId, ClaimId)>,
    pub(super) submissions: HashMap<String, (Timestamp, Vec<Key>)>,
    events: Vec<Event>,
    pub(super) gone: Gone,
    /// Work that was brought back or of which something ended: it may be let go of once this is stored.
    ended: HashSet<Work>,
    /// Somebody is promised something, be it that it was so before.
    promises: bool,
    /// Somebody is refused something.
    pub(super) refuses: bool,
}

/// What became of a batch.
pub(super) struct Outcome {
    /// What is to be stored.
    pub(super) body: Body,
    /// Work that may be let go of then.
    pub(super) ended: HashSet<Work>,
    /// An answer says that something holds: with nothing to store, that what is in the book does.
    pub(super) promises: bool,
    /// An answer says that something is not so: a node that is alone may only not have heard of it.
    pub(super) refuses: bool,
}

impl<'a> Step<'a> {
    pub(super) fn new(book: &'a Book, ledger: &'a mut Ledger, ready: &'a mut BTreeSet<HostId>) -> Self {
        Self {
            book,
            ledger,
            ready,
            records: IndexMap::new(),
            tasks: IndexMap::new(),
            sessions: IndexMap::new(),
            claims: Vec::new(),
            submissions: HashMap::new(),
            events: Vec::new(),
            gone: Gone::default(),
            ended: HashSet::new(),
            promises: false,
            refuses: false,
        }
    }

    pub(super) fn finish(self) -> Outcome {
        let shown: HashSet<&ClaimId> =
            self.tasks.values().filter_map(|task| Some(&task.lease.as_ref()?.claim)).collect();
        let claims = self.claims.into_iter().filter(|(_, claim)| !shown.contains(claim)).collect();
        let body = Body {
            claims,
            records: self.records.into_values().collect(),
            tasks: self.tasks.into_values().collect(),
            sessions: self.sessions.into_values().collect(),
            submissions: self.submissions.into_iter().map(|(key, (at, keys))| (key, at, keys)).collect(),
            events: self.events,
            gone: self.gone,
        };
        Outcome { body, ended: self.ended, promises: self.promises, refuses: self.refuses }
    }

    pub(super) fn submit(&mut self, submission: &Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        if let Some(keys) = submission.idempotency_key.as_ref().and_then(|key| self.seen(key)).cloned() {
            self.promises = true;
            return Ok(Submitted { repeated: true, keys, ready: Vec::new() });
        }
        key_twice(&submission.records)?;
        for write in &submission.records {
            write.expect.check(&write.key, self.version(&write.key))?;
        }
        let tasks = submission.tasks.iter().flat_map(|task| std::iter::once(&task.id).chain(&task.depends_on));
        for id in tasks.chain(&submission.retry) {
            self.recall(id, now);
        }
        // The last step that can refuse; from here on everything holds.
        let decision =
            self.ledger.submit(submission.tasks.clone(), &submission.supersedes, submission.retry.as_ref(), now)?;
        self.promises = true;
        let keys: Vec<Key> = submission.records.iter().map(|write| write.key.clone()).collect();
        for write in &submission.records {
            self.write(write, now);
        }
        self.tell(submission.events.iter().cloned(), now);
        let ready = self.keep(decision.reply, decision.changes, now);
        if let Some(key) = &submission.idempotency_key {
            self.submissions.insert(key.clone(), (now, keys.clone()));
        }
        Ok(Submitted { repeated: false, keys, ready })
    }

    pub(super) fn open_session(&mut self, request: &SessionRequest, now: Timestamp) -> Session {
        self.promises = true;
        let decision = self.ledger.open_session(request, now);
        self.keep(decision.reply, decision.changes, now)
    }

    pub(super) fn claim(&mut self, request: &ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        if let Some((key, expect)) = &request.expect {
            expect.check(key, self.version(key))?;
        }
        let decision = self.ledger.claim(request, now)?;
        let is_repeated = decision.changes.is_empty();
        self.promises |= !decision.reply.is_empty();
        if !is_repeated {
            self.claims.push((request.host.clone(), request.claim.clone()));
        }
        let granted = self.keep(decision.reply, decision.changes, now);
        if is_repeated {
            self.keep_leases(&granted);
        }
        Ok(granted)
    }

    pub(super) fn act(&mut self, id: &TaskId, input: &Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.recall(id, now);
        let decision = self.ledger.act(id, input, now)?;
        self.promises = true;
        if decision.changes.is_empty() {
            self.keep_leases(&decision.reply.tasks);
        }
        Ok(self.keep(decision.reply, decision.changes, now))
    }

    pub(super) fn renew(&mut self, leases: &[Lease], expires_at: Timestamp) -> Vec<Task> {
        let renewed = self.ledger.renew(leases, expires_at);
        self.promises |= !renewed.is_empty();
        self.keep_leases(&renewed);
        renewed
    }

    pub(super) fn expire(&mut self, now: Timestamp) -> Acted {
        let decision = self.ledger.expire(now);
        let mut acted = self.keep(decision.reply, decision.changes, now);
        for host in std::mem::take(self.ready) {
            if !acted.ready.contains(&host) {
                acted.ready.push(host);
            }
        }
        acted
    }

    /// Stores leases that last longer: another server must not end what was renewed here. Nothing is told of it.
    fn keep_leases(&mut self, tasks: &[Task]) {
        for task in tasks {
            let stored = self.book.task(&task.id).and_then(|stored| stored.lease.as_ref());
            if task.lease.as_ref() != stored {
                self.tasks.insert(task.id.clone(), Arc::new(task.clone()));
            }
        }
    }

    fn keep<T>(&mut self, reply: T, changes: Changes, now: Timestamp) -> T {
        self.tell(changes.events().collect::<Vec<_>>(), now);
        for change in changes.tasks {
            if change.task.status.is_terminal() {
                self.ended.insert(Work::of(&change.task));
            }
            self.tasks.insert(change.task.id.clone(), change.task);
        }
        self.sessions.extend(changes.session.map(|session| (session.host.clone(), session)));
        reply
    }

    /// Brings work that is not in memory back, with all that it is a part of.
    fn recall(&mut self, id: &TaskId, now: Timestamp) {
        if self.ledger.task(id).is_none() {
            let tasks = self.book.work_of(id);
            if tasks.first().is_some_and(|task| self.gone.works.contains(&Work::of(task))) {
                return;
            }
            self.ended.extend(tasks.first().map(Work::of));
            self.ledger.load(tasks, now);
        }
    }

    fn write(&mut self, write: &RecordWrite, now: Timestamp) {
        let present = self.version(&write.key);
        self.tell(event_for(write, present.is_some()), now);
        let written = match &write.body {
            Some(body) => Written::Put(Record {
                key: write.key.clone(),
                version: present.unwrap_or(0) + 1,
                stack: write.stack.clone(),
                host: write.host.clone(),
                body: Arc::clone(body),
            }),
            None => Written::Removed(write.key.clone()),
        };
        self.records.insert(write.key.clone(), written);
    }

    fn tell(&mut self, events: impl IntoIterator<Item = NewEvent>, now: Timestamp) {
        for NewEvent { kind, data } in events {
            let seq = self.events.last().map_or(self.book.last_event, |event| event.seq) + 1;
            self.events.push(Event { seq, kind, timestamp: now, data });
        }
    }

    pub(super) fn version(&self, key: &Key) -> Option<u64> {
        match self.records.get(key) {
            Some(Written::Put(record)) => Some(record.version),
            Some(Written::Removed(_)) => None,
            None => self.book.record(key).map(|record| record.version),
        }
    }

    fn seen(&self, key: &str) -> Option<&Vec<Key>> {
        let stored = || {
            let is_gone = |at| self.gone.keys_before.is_some_and(|before| at < before);
            self.book.submission(key).filter(|(at, _)| !is_gone(*at))
        };
        self.submissions.get(key).or_else(stored).map(|(_, keys)| keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::couch::entry::Entry;
    use graphium_core::{action::Action, store::StoreError};
    use std::error::Error;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn claim(name: &str, epoch: u64) -> ClaimRequest {
        ClaimRequest {
            host: "vm1".into(),
            epoch,
            claim: name.into(),
            max: 10,
            expires_at: NOW + jiff::SignedDuration::from_secs(30),
            expect: None,
        }
    }

    fn session(nonce: &str) -> SessionRequest {
        SessionRequest { host: "vm1".into(), nonce: nonce.to_owned(), seen_epoch: 0 }
    }

    /// Carries out a batch, and takes it into the book.
    fn entry<T>(
        book: &mut Book,
        ledger: &mut Ledger,
        batch: impl FnOnce(&mut Step<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut ready = BTreeSet::new();
        let mut step = Step::new(book, ledger, &mut ready);
        let answer = batch(&mut step)?;
        let body = step.finish().body;
        let (place, nonce, previous) = (1, "a".to_owned(), String::new());
        book.apply(Arc::new(Entry { place, nonce, previous, first_event: 1, body }));
        Ok(answer)
    }

    #[test]
    fn other_servers_know_a_claim_whose_grant_was_taken_back_in_the_same_step() -> Result<(), Box<dyn Error>> {
        let (mut book, mut ledger) = (Book::default(), Ledger::default());
        let task = Task::new("task:1".into(), "vm1".into(), Action::Start { name: "web".to_owned() }, NOW);
        let submission = Submission { tasks: vec![task], ..Submission::default() };
        let newest = entry(&mut book, &mut ledger, |step| {
            step.submit(&submission, NOW)?;
            let epoch = step.open_session(&session("n1"), NOW).epoch;
            assert_eq!(step.claim(&claim("c1", epoch), NOW)?.len(), 1);
            Ok(step.open_session(&session("n2"), NOW).epoch)
        })?;
        let mut follows = Ledger::default();
        for entry in book.since(1).ok_or("the entry is not in memory")? {
            entry.body.teach(&mut follows, NOW);
        }
        // One that is made of everything, and one that has followed entry by entry.
        for mut another in [book.ledger(NOW, NOW), follows] {
            let again = another.claim(&claim("c1", newest), NOW)?;
            assert!(again.reply.is_empty(), "granted anew: {:?}", again.reply);
            assert_eq!(another.claim(&claim("c2", newest), NOW)?.reply.len(), 1);
        }
        Ok(())
    }
}
