//! The one of a server that writes: takes commands in batches, decides, and puts what was decided into the log.

use super::{
    answer::{Rev, Written},
    entry::{self, Body, Entry, FORMAT, Slip},
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
const PAUSE: Duration = Duration::from_millis(50);

/// How long a snapshot may take.
const SNAPSHOT: Duration = Duration::from_secs(600);

pub(super) struct Writer {
    log: Arc<Log>,
    turn: Turn,
    /// The turn in which the book was brought up to date: while it lasts nobody else writes.
    prepared: Option<Ballot>,
    /// Unfinished work; absent while it does not agree with the book.
    ledger: Option<Ledger>,
    /// The place of the next entry that the ledger does not know.
    known: u64,
    /// That of the book of which the ledger was made.
    generation: u64,
    /// Entries before this place hold: a majority took one that follows them from us, in our turn.
    certain: u64,
    /// Hosts that have something to do by what others have stored.
    ready: BTreeSet<HostId>,
    now: Timestamp,
    grace: Timestamp,
    /// The place at which a snapshot is due.
    next_snapshot: Arc<AtomicU64>,
    snapshot: Option<JoinHandle<()>>,
}

/// An entry that is about to get a place.
struct Draft {
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
            known: 0,
            generation: 0,
            certain: 0,
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
        } else if self.certain >= self.next_snapshot.load(Ordering::Acquire) {
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
            if (book.generation, book.next) != (self.generation, self.certain) {
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
            if !self.is_prepared() && self.log.catch_up().await? == Progress::Doubtful {
                self.prepare(deadline).await?;
            }
            let Outcome { body, ended, promises, refuses } = self.decide(jobs);
            // What was read may be at a minority alone, and go. Who is told that it holds is told so upon an entry of ours.
            let is_hearsay = promises && self.log.is_replicated && self.certain < self.known;
            let is_change = body != Body::default();
            // A node that is alone shows what is old without saying so: whoever has the turn is not at one.
            if refuses && self.log.is_replicated && !self.is_prepared() {
                if is_change {
                    self.ledger = None;
                }
                self.prepare(deadline).await?;
                continue;
            }
            if is_change || is_hearsay {
                if !self.is_prepared() {
                    if is_change {
                        // What was decided may be overtaken before the turn is ours.
                        self.ledger = None;
                    }
                    self.prepare(deadline).await?;
                    continue;
                }
                if let Fate::Overtaken = self.append(body, deadline).await? {
                    self.ledger = None;
                    self.turn.is_lost();
                    continue;
                }
                self.known = self.log.book().next;
                self.certain = self.known;
            }
            if let Some(ledger) = &mut self.ledger {
                ended.iter().for_each(|work| ledger.forget(work));
            }
            return Ok(());
        }
    }

    /// The turn is ours, and what came before it is in the book.
    fn is_prepared(&self) -> bool {
        self.turn.held().is_some_and(|turn| self.prepared.as_ref() == Some(turn))
    }

    fn decide(&mut self, jobs: &mut [Box<dyn Job>]) -> Outcome {
        let book = self.log.book();
        let unknown = book.since(self.known).filter(|_| book.generation == self.generation);
        if book.generation != self.generation {
            (self.generation, self.certain) = (book.generation, 0);
        }
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
        self.known = book.next;
        let mut step = Step::new(&book, ledger, &mut self.ready);
        for job in jobs {
            job.decide(&mut step);
        }
        step.finish()
    }

    /// Takes the turn and brings the book up to date in it: a place that nobody has confirmed is decided by us.
    async fn prepare(&mut self, deadline: Instant) -> Result<(), StoreError> {
        loop {
            self.turn.take(&self.log, deadline).await?;
            let turn = self.turn.held().cloned();
            // Our turn may come after a long sleep: a place that was swept away is not free.
            self.log.check_floor().await?;
            while turn.is_some() && self.turn.held() == turn.as_ref() {
                let is_doubtful = self.log.catch_up().await? == Progress::Doubtful;
                let place = self.log.book().next;
                if is_doubtful {
                    self.settle(place).await?;
                } else if self.free(place).await? {
                    self.prepared = turn;
                    return Ok(());
                }
                if Instant::now() >= deadline {
                    return Err(unsettled(place));
                }
            }
        }
    }

    /// Takes away what is not in force at a place; whether the place is free.
    async fn free(&self, place: u64) -> Result<bool, StoreError> {
        match self.log.look(place).await? {
            Place::Free => Ok(true),
            Place::Open(leaves) if self.turn.held().is_some() => {
                self.log.clear(place, &leaves).await?;
                Ok(false)
            }
            Place::Open(_) | Place::Taken(_) | Place::Doubtful(_) => Ok(false),
        }
    }

    /// Ends the doubt about a place by an empty entry that follows what is to be in force there.
    async fn settle(&self, place: u64) -> Result<(), StoreError> {
        let Some((last, leaf)) = self.log.doubt(place).await? else { return Ok(()) };
        if !self.free(last + 1).await? {
            return Ok(());
        }
        let entry = self.log.open(last, leaf.slip).await?;
        let first_event = entry.first_event + entry.body.events.len() as u64;
        let mut draft = self.draft(last + 1, entry.nonce, first_event, &Body::default()).await?;
        // Whether it worked is seen by looking.
        self.make(&mut draft).await?;
        Ok(())
    }

    /// Puts an entry at the next place.
    async fn append(&mut self, body: Body, deadline: Instant) -> Result<Fate, StoreError> {
        let (place, previous, first_event) = {
            let book = self.log.book();
            (book.next, book.tip.clone(), book.last_event + 1)
        };
        let mut draft = self.draft(place, previous.clone(), first_event, &body).await?;
        let mut made = self.make(&mut draft).await?;
        loop {
            // Past the end of the turn somebody else may have decided the place: then only a look tells.
            if let Some(nonce) = made.take_if(|_| self.turn.held().is_some()) {
                self.log.apply(Entry { place, nonce, previous, first_event, body });
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
                    let written = self.write(place, Some(&leaf.rev), &leaf.slip).await?;
                    written.map(|_| leaf.slip.nonce)
                }
                Ok(Place::Taken(_)) => return Ok(Fate::Overtaken),
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

    async fn draft(&self, place: u64, previous: String, first_event: u64, body: &Body) -> Result<Draft, StoreError> {
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
    async fn make(&self, draft: &mut Draft) -> Result<Option<String>, StoreError> {
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

    async fn write(&self, place: u64, rev: Option<&Rev>, slip: &Slip) -> Result<Option<Rev>, StoreError> {
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

fn unsettled(place: u64) -> StoreError {
    StoreError::Unavailable(format!("nobody knows whether entry {place} was stored: it may be in force later"))
}
