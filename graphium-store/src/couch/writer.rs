//! The one of a server that writes: takes commands in batches, decides, and puts what was decided into the log.

use super::{
    answer::{Rev, Written},
    book::Stand,
    entry::{self, Body, Entry, FORMAT, Slip, Tip},
    job::Job,
    log::{Log, Progress, no_quorum, unavailable},
    place::Place,
    snapshot,
    step::{Outcome, Step},
    turn::{Ballot, Turn},
};
use graphium_core::{
    id::HostId,
    store::{StoreError, ledger::Ledger},
};
use jiff::Timestamp;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// Commands that become one entry.
const BATCH: usize = 64;

/// How long a command may wait for its entry: longer than a turn of a server that has died.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a write may take on a cluster before the place is looked at instead, and for how many bytes more it may take a second
/// more: its answer may wait for a node that hangs.
const SOON: Duration = Duration::from_secs(1);
const PACE: u32 = 500_000;

/// Between two looks at a place while the database does not answer.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// How long a snapshot may take.
const SNAPSHOT: Duration = Duration::from_secs(600);

pub(super) struct Writer {
    pub(super) log: Arc<Log>,
    pub(super) turn: Turn,
    /// The turn in which the book was brought up to date: while it lasts nobody else writes.
    pub(super) prepared: Option<Ballot>,
    /// Unfinished work; absent while it does not agree with the book.
    ledger: Option<Ledger>,
    /// Where the book stood that the ledger knows: what is decided goes to the next place, or nowhere.
    known: Stand,
    /// Hosts that have something to do by what others have stored.
    ready: BTreeSet<HostId>,
    now: Timestamp,
    grace: Timestamp,
    /// The place at which a snapshot is due.
    next_snapshot: Arc<AtomicU64>,
    snapshot: Option<JoinHandle<()>>,
}

/// An entry that is about to get a place.
pub(super) struct Draft {
    place: u64,
    /// As it is to be stored, but for whose turn it is.
    slip: Slip,
    /// The nonces of what was made of it.
    nonces: Vec<String>,
}

/// What became of an entry.
enum Fate {
    Stored,
    /// Its place is another's: what was decided does not hold.
    Overtaken,
}

impl Writer {
    pub(super) fn new(log: Arc<Log>, me: String, now: Timestamp, grace: Timestamp) -> Self {
        Self {
            next_snapshot: Arc::new(AtomicU64::new(log.retention.snapshot_every)),
            snapshot: None,
            turn: Turn::new(me, log.dice.clone(), log.clock.clone()),
            prepared: None,
            log,
            ledger: None,
            known: Stand::default(),
            ready: BTreeSet::new(),
            now,
            grace,
        }
    }

    /// Carries out commands until nobody can send any.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let next = async {
                batch.clear();
                queue.recv_many(&mut batch, BATCH).await
            };
            let received = match self.turn.patience() {
                Some(patience) => timeout(patience, next).await,
                None => Ok(next.await),
            };
            match received {
                Ok(0) => break,
                Ok(_) => self.carry_out(std::mem::take(&mut batch)).await,
                Err(_) => self.turn.give_back(&self.log.client).await,
            }
            if self.turn.is_over() {
                self.turn.give_back(&self.log.client).await;
            }
        }
        if self.turn.held().is_some() {
            self.turn.give_back(&self.log.client).await;
        }
    }

    async fn carry_out(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        // Who has waited too long was told so, and asks again.
        jobs.retain(|job| job.is_wanted());
        let stored = self.store(&mut jobs).await;
        for job in jobs {
            job.finish(stored.as_ref().copied());
        }
        if stored.is_err() {
            self.ledger = None;
            self.turn.give_back(&self.log.client).await;
        } else if self.known.next >= self.next_snapshot.load(Ordering::Acquire) && self.holds(&self.known) {
            self.make_snapshot();
        }
    }

    /// Lets a snapshot be made of what holds, beside everything else. The log holds everything all the same: should it fail,
    /// the next one is made when that is due.
    fn make_snapshot(&mut self) {
        if self.snapshot.as_ref().is_some_and(|snapshot| !snapshot.is_finished()) {
            return;
        }
        let image = {
            let book = self.log.book();
            // Otherwise others have written meanwhile: after the next entry of ours.
            if book.stand() != self.known {
                return;
            }
            book.image()
        };
        let every = self.log.retention.snapshot_every;
        self.next_snapshot.fetch_add(every, Ordering::AcqRel);
        let (log, next_snapshot) = (Arc::clone(&self.log), Arc::clone(&self.next_snapshot));
        self.snapshot = Some(tokio::spawn(async move {
            if let Ok(Ok(place)) = timeout(SNAPSHOT, snapshot::make(&log, image)).await {
                next_snapshot.store(place + every, Ordering::Release);
            }
        }));
    }

    /// Decides, and stores what was decided, as often as others are faster.
    async fn store(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if !self.is_up_to_date() && self.log.catch_up().await? == Progress::Doubtful {
                self.prepare(deadline).await?;
            }
            let Outcome { body, ended, promises, refuses } = self.decide(jobs);
            // What was read may be at a minority alone, and go: who is told that it holds is told what does.
            let is_hearsay = promises && !self.holds(&self.known);
            // A node that is alone shows what is old without saying so: whoever has the turn is not at one.
            let is_refusal = refuses && self.log.is_replicated;
            let is_change = body != Body::default();
            if (is_change || is_hearsay || is_refusal) && !self.is_prepared() {
                if is_change {
                    // What was decided may be overtaken before the turn is ours.
                    self.ledger = None;
                }
                self.prepare(deadline).await?;
                continue;
            }
            if is_change && let Fate::Overtaken = self.append(body, deadline).await? {
                self.ledger = None;
                self.turn.is_lost();
                continue;
            }
            if let Some(ledger) = &mut self.ledger {
                ended.iter().for_each(|work| ledger.forget(work));
            }
            return Ok(());
        }
    }

    /// The turn is ours, and what came before it is in the book.
    fn is_up_to_date(&self) -> bool {
        self.turn.held().is_some_and(|turn| self.prepared.as_ref() == Some(turn))
    }

    /// The same, and what was decided was decided upon what holds: others read into the book meanwhile.
    fn is_prepared(&self) -> bool {
        self.is_up_to_date() && self.holds(&self.known)
    }

    fn decide(&mut self, jobs: &mut [Box<dyn Job>]) -> Outcome {
        let book = self.log.book();
        let unknown = book.since(self.known.next).filter(|_| book.generation == self.known.generation);
        let ledger = match (&mut self.ledger, unknown) {
            (Some(ledger), Some(entries)) => {
                self.ready.extend(entries.iter().flat_map(|entry| entry.body.teach(ledger, self.now)));
                ledger
            }
            (ledger, _) => {
                // What was told of the one before is not known of this one.
                self.ready.extend(book.hosts_with_work());
                ledger.insert(book.ledger(self.now, self.grace))
            }
        };
        self.known = book.stand();
        let mut step = Step::new(&book, ledger, &mut self.ready);
        for job in jobs {
            job.decide(&mut step);
        }
        step.finish()
    }

    /// Puts an entry at the place next to what it was decided upon.
    async fn append(&mut self, body: Body, deadline: Instant) -> Result<Fate, StoreError> {
        let Stand { generation, next: place, tip: previous, last_event } = self.known.clone();
        let first_event = last_event + 1;
        let mut draft = self.draft(place, previous.clone(), first_event, &body).await?;
        let mut made = self.make(&mut draft).await?;
        loop {
            // Past the end of the turn somebody else may have decided the place: then only a look tells.
            if let Some(nonce) = made.take_if(|_| self.turn.held().is_some()) {
                self.turn.learn_tip(Tip { place, nonce: nonce.clone() });
                let last_event = last_event + body.events.len() as u64;
                self.known = Stand { generation, next: place + 1, tip: nonce.clone(), last_event };
                self.log.apply(Entry { place, nonce, previous, first_event, body });
                if self.log.book().is_other(&self.known) {
                    // Somebody who asked has read there what is not in force.
                    self.log.begin_anew().await?;
                }
                return Ok(Fate::Stored);
            }
            if Instant::now() >= deadline {
                return Err(unsettled(place));
            }
            if self.turn.held().is_none() {
                self.turn.take(&self.log, deadline).await?;
                if snapshot::head(&self.log).await?.is_some_and(|(head, _)| head.floor > place) {
                    return Err(unsettled(place));
                }
            }
            made = match self.log.look(place).await {
                Ok(Place::Taken(leaf)) if draft.nonces.contains(&leaf.slip.nonce) => {
                    // Confirmed by us at some node: it is in force once a majority has it.
                    self.is_in_force(place, &leaf).await?.then_some(leaf.slip.nonce)
                }
                Ok(Place::Taken(leaf)) if self.is_in_force(place, &leaf).await? => return Ok(Fate::Overtaken),
                Ok(Place::Taken(_)) => None,
                Ok(Place::Doubtful(_)) => {
                    self.settle(place).await?;
                    None
                }
                Ok(Place::Open(leaves)) => {
                    self.log.clear(place, &leaves).await?;
                    None
                }
                Ok(Place::Free) => self.make(&mut draft).await?,
                Err(StoreError::Unavailable(_)) => {
                    sleep(PAUSE).await;
                    None
                }
                Err(error) => return Err(error),
            };
        }
    }

    pub(super) async fn draft(
        &self,
        place: u64,
        previous: String,
        first_event: u64,
        body: &Body,
    ) -> Result<Draft, StoreError> {
        let slip = Slip {
            kind: "log-entry".to_owned(),
            format: FORMAT,
            term: 0,
            turn: String::new(),
            attempt: 0,
            nonce: String::new(),
            previous,
            confirmed: !self.log.is_replicated,
            first_event,
            body: body.text()?,
            parts: 0,
            aside: String::new(),
        };
        Ok(Draft { place, slip: self.log.put_aside(place, slip).await?, nonces: Vec::new() })
    }

    /// Makes the document of a place and confirms it, in our turn; its nonce if both are certain.
    pub(super) async fn make(&self, draft: &mut Draft) -> Result<Option<String>, StoreError> {
        let Some(turn) = self.turn.held() else { return Ok(None) };
        let slip = Slip {
            term: turn.term,
            turn: turn.nonce.clone(),
            attempt: u32::try_from(draft.nonces.len()).unwrap_or(u32::MAX),
            nonce: self.log.dice.name(),
            ..draft.slip.clone()
        };
        draft.nonces.push(slip.nonce.clone());
        let Some(rev) = self.write(draft.place, None, &slip).await? else { return Ok(None) };
        if slip.confirmed {
            return Ok(Some(slip.nonce));
        }
        // By now the turn may be over, and the place decided by another: what is confirmed now would come too late.
        if self.turn.held().is_none() {
            return Ok(None);
        }
        let confirmed = Slip { confirmed: true, ..slip };
        let written = self.write(draft.place, Some(&rev), &confirmed).await?;
        Ok(written.map(|_| confirmed.nonce))
    }

    pub(super) async fn write(&self, place: u64, rev: Option<&Rev>, slip: &Slip) -> Result<Option<Rev>, StoreError> {
        let id = entry::id(place);
        let put = self.log.client.put(&id, rev, slip);
        let written = if self.log.is_replicated {
            let limit = SOON + SOON * u32::try_from(slip.body.len()).unwrap_or(u32::MAX) / PACE;
            timeout(limit, put).await.unwrap_or_else(|_| Ok(Written::Unknown("no answer in time".to_owned())))
        } else {
            put.await
        };
        match written.map_err(unavailable)? {
            Written::Quorum(rev) => Ok(Some(rev)),
            Written::Accepted(_) => Err(no_quorum()),
            Written::Conflict | Written::Unknown(_) => Ok(None),
        }
    }
}

pub(super) fn unsettled(place: u64) -> StoreError {
    StoreError::Unavailable(format!("nobody knows whether entry {place} was stored: it may be in force later"))
}
